// Failures to authenticate, told without flooding: of one address the first at once, those that follow by their number
// once a minute. Beyond kMostAddresses all others together. Loop thread only; the clock is a parameter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "events/event.hpp"
#include "plugin/clock.hpp"

namespace bindcast {

struct FailedLogin {
  std::string_view client;     // the address; empty for a unix socket
  std::string_view user;       // only one that exists: people type passwords into the wrong field
  std::string_view method;     // password, token, jwt, session, none
  std::string_view reason;     // of ours, nothing of what was sent
  std::int64_t locked_us = 0;  // by this one: told at once, too
};

class FailedLogins {
 public:
  static constexpr std::size_t kMostAddresses = 64;
  static constexpr std::int64_t kEveryUs = 60'000'000;

  explicit FailedLogins(std::function<void(Event&&, Now)> emit) : emit_(std::move(emit)) {}
  void note(const FailedLogin& failure, Now now);
  void tick(Now now);  // once a second

 private:
  struct Entry {
    std::uint64_t untold = 0;
    std::uint64_t total = 0;
    std::int64_t told_us = 0;
    std::string user;  // the last ones
    std::string method, reason;
  };
  void tell(const std::string& client, Entry& entry, std::int64_t locked_us, Now now);

  std::function<void(Event&&, Now)> emit_;
  std::unordered_map<std::string, Entry> entries_;  // by the address; "" also stands for all that have no place
};

}  // namespace bindcast
