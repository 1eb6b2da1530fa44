#include "plugin/server/lockout.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace bindcast {

std::string address_key(std::string_view address) {
  const std::string text(address.substr(0, address.find('%')));
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return text;
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return {};
  constexpr std::array<unsigned char, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::array<char, INET6_ADDRSTRLEN> written{};
  if (std::equal(kMapped.begin(), kMapped.end(), bytes.begin()))
    return inet_ntop(AF_INET, bytes.data() + kMapped.size(), written.data(), written.size());
  std::fill(bytes.begin() + 8, bytes.end(), 0);
  return std::string(inet_ntop(AF_INET6, bytes.data(), written.data(), written.size())) + "/64";
}

std::int64_t Lockout::wait_us(std::string_view key, Now now) const {
  const auto found = entries_.find(std::string(key));
  return found == entries_.end() ? 0 : std::max<std::int64_t>(0, found->second.until_us - now.mono_us);
}

bool Lockout::fail(std::string_view key, bool always, Now now) {
  auto found = entries_.find(std::string(key));
  if (found == entries_.end()) {
    if (!always && entries_.size() >= most_ && !make_room(now)) return false;
    found = entries_.emplace(key, Entry{.failures = 0, .since_us = now.mono_us, .until_us = 0}).first;
  }
  Entry& entry = found->second;
  if (entry.until_us > now.mono_us) return false;
  if (entry.until_us != 0 || now.mono_us - entry.since_us > options_.window.count())
    entry = {.failures = 0, .since_us = now.mono_us, .until_us = 0};
  if (++entry.failures < options_.failures) return false;
  entry.until_us = now.mono_us + options_.duration.count();
  return true;
}

void Lockout::forgive(std::string_view key) {
  entries_.erase(std::string(key));
}

// All that are over go, or else the one that failed longest ago.
bool Lockout::make_room(Now now) {
  const std::size_t before = entries_.size();
  std::erase_if(entries_, [&](const auto& item) {
    const Entry& entry = item.second;
    return entry.until_us != 0 ? entry.until_us <= now.mono_us : now.mono_us - entry.since_us > options_.window.count();
  });
  if (entries_.size() < before) return true;
  auto oldest = entries_.end();
  for (auto at = entries_.begin(); at != entries_.end(); ++at)
    if (at->second.until_us == 0 && (oldest == entries_.end() || at->second.since_us < oldest->second.since_us))
      oldest = at;
  if (oldest == entries_.end()) return false;
  entries_.erase(oldest);
  return true;
}

}  // namespace bindcast
