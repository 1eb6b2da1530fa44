#include "plugin/server/failed_logins.hpp"

#include <iterator>
#include <utility>

namespace bindcast {

void FailedLogins::note(const FailedLogin& failure, Now now) {
  std::string client(failure.client);
  if (entries_.size() >= kMostAddresses && !entries_.contains(client)) client.clear();
  const auto [found, made] = entries_.try_emplace(client);
  Entry& entry = found->second;
  ++entry.untold;
  ++entry.total;
  entry.user = failure.user;
  entry.method = failure.method;
  entry.reason = failure.reason;
  if (made || failure.locked_us > 0) tell(client, entry, failure.locked_us, now);
}

void FailedLogins::tick(Now now) {
  for (auto at = entries_.begin(); at != entries_.end();) {
    Entry& entry = at->second;
    const bool due = now.mono_us - entry.told_us >= kEveryUs;
    const bool quiet = due && entry.untold == 0;
    if (due && !quiet) tell(at->first, entry, 0, now);
    at = quiet ? entries_.erase(at) : std::next(at);
  }
}

void FailedLogins::tell(const std::string& client, Entry& entry, std::int64_t locked_us, Now now) {
  Event event = make_event(EventType::authentication_failed);
  event.source_component = "server";
  if (!client.empty()) event.data.add("client", client);
  if (!entry.user.empty()) event.data.add("user", entry.user);
  event.data.add("method", entry.method);
  event.data.add("reason", entry.reason);
  event.data.add_integer("count", static_cast<std::int64_t>(std::exchange(entry.untold, 0)));
  event.data.add_integer("total", static_cast<std::int64_t>(entry.total));
  if (locked_us > 0) event.data.add_integer("locked_seconds", locked_us / 1'000'000);
  entry.told_us = now.mono_us;
  emit_(std::move(event), now);
}

}  // namespace bindcast
