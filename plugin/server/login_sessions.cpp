#include "plugin/server/login_sessions.hpp"

#include <utility>

#include "plugin/server/secret.hpp"

namespace bindcast {

std::string LoginSessions::begin(LoginSession session, Now now) {
  const LoginSession* oldest = nullptr;
  std::size_t count = 0;
  for (const auto& [number, other] : sessions_) {
    if (other.user != session.user) continue;
    if (count++ == 0) oldest = &other;
  }
  if (count >= kMostOfUser) end(oldest->number, "too many sessions of this user", now);
  if (sessions_.size() >= kMost) return {};
  const std::string token = make_secret();
  if (token.empty()) return {};
  session.number = ++last_number_;
  session.digest = sha256_of(token);
  by_digest_.emplace(session.digest, session.number);
  sessions_.emplace(session.number, std::move(session));
  return token;
}

const LoginSession* LoginSessions::find(std::string_view token, Now now) const {
  const auto number = by_digest_.find(sha256_of(token));
  if (number == by_digest_.end()) return nullptr;
  const LoginSession* session = find(number->second);
  return session != nullptr && session->expires_us > now.mono_us ? session : nullptr;
}

const LoginSession* LoginSessions::find(std::uint64_t number) const {
  const auto found = sessions_.find(number);
  return found == sessions_.end() ? nullptr : &found->second;
}

void LoginSessions::renew(std::uint64_t number, std::int64_t expires_us) {
  if (const auto found = sessions_.find(number); found != sessions_.end()) found->second.expires_us = expires_us;
}

void LoginSessions::end(std::uint64_t number, std::string_view why, Now now) {
  const auto node = sessions_.extract(number);
  if (node.empty()) return;
  by_digest_.erase(node.mapped().digest);
  ended_(node.mapped(), why, now);
}

std::size_t LoginSessions::end_if(const std::function<bool(const LoginSession&)>& over, std::string_view why, Now now) {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, session] : sessions_)
    if (over(session)) numbers.push_back(number);
  for (const std::uint64_t number : numbers) end(number, why, now);
  return numbers.size();
}

void LoginSessions::tick(Now now) {
  end_if([now](const LoginSession& session) { return session.expires_us <= now.mono_us; }, "expired", now);
}

}  // namespace bindcast
