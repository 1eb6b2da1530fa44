// Logins that last: made by a password, ended by their time, a logout, or whoever revokes them. In memory only: after a
// restart everybody logs in again. Pure but for its random tokens; the clock is a parameter. Loop thread only.
//
// A token is 256 random bits and is given out once; only its SHA-256 is kept. Inside the process a session is known by
// a number that is told to nobody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "plugin/clock.hpp"

namespace bindcast {

struct LoginSession {
  std::uint64_t number = 0;
  std::string user;
  std::vector<std::string> roles;
  std::string password_hash;  // of the login, to see that it was changed
  std::int64_t expires_us = 0;
  std::string digest;  // of the token
};

class LoginSessions {
 public:
  static constexpr std::size_t kMost = 10'000;
  static constexpr std::size_t kMostOfUser = 32;  // then his oldest one ends
  using Ended = std::function<void(const LoginSession& session, std::string_view why, Now now)>;

  // `ended` is called for each session that ends, while it is not among the sessions any more.
  explicit LoginSessions(Ended ended) : ended_(std::move(ended)) {}

  // The token; empty where there is no room or no random bytes.
  [[nodiscard]] std::string begin(LoginSession session, Now now);
  [[nodiscard]] const LoginSession* find(std::string_view token, Now now) const;
  [[nodiscard]] const LoginSession* find(std::uint64_t number) const;
  void renew(std::uint64_t number, std::int64_t expires_us);
  void end(std::uint64_t number, std::string_view why, Now now);
  // How many there were.
  std::size_t end_if(const std::function<bool(const LoginSession&)>& over, std::string_view why, Now now);
  void tick(Now now);  // once a second: ends those whose time has come
  [[nodiscard]] std::size_t size() const noexcept { return sessions_.size(); }

 private:
  Ended ended_;
  std::uint64_t last_number_ = 0;
  std::map<std::uint64_t, LoginSession> sessions_;  // oldest first
  std::unordered_map<std::string, std::uint64_t> by_digest_;
};

}  // namespace bindcast
