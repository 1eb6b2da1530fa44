#include "plugin/server/audit.hpp"

#include <utility>

namespace bindcast {

void Audit::note(EventType type, const Deed& deed, Now now) {
  Deed known = deed;
  known.subject = known.subject.substr(0, kLongestSubject);
  Kind kind{type, deed.user, deed.action};
  auto found = kinds_.find(kind);
  if (found == kinds_.end() && kinds_.size() >= kMostKept) {
    known.user = {};
    std::get<1>(kind).clear();
    found = kinds_.find(kind);
  }
  if (found == kinds_.end()) {
    kinds_.emplace(std::move(kind),
                   Folded{.ends_us = now.mono_us + kWindowUs, .untold = 0, .client = {}, .subject = {}});
    tell(type, known, 1, now);
    return;
  }
  Folded& folded = found->second;
  ++folded.untold;
  folded.client = known.client;
  folded.subject = known.subject;
}

void Audit::tick(Now now, bool all) {
  for (auto at = kinds_.begin(); at != kinds_.end();) {
    Folded& folded = at->second;
    if (!all && now.mono_us < folded.ends_us) {
      ++at;
      continue;
    }
    if (const std::uint64_t count = std::exchange(folded.untold, 0); count != 0) {
      const auto& [type, user, action] = at->first;
      folded.ends_us = now.mono_us + kWindowUs;
      tell(type, {.user = user, .client = folded.client, .action = action, .subject = folded.subject}, count, now);
      ++at;
    } else {
      at = kinds_.erase(at);
    }
  }
}

void Audit::tell(EventType type, const Deed& deed, std::uint64_t count, Now now) {
  Event event = make_event(type);
  event.source_component = "server";
  event.source_user_id = deed.user;
  if (!deed.user.empty()) event.data.add("user", deed.user);
  event.data.add("client", deed.client);
  event.data.add("action", deed.action);
  if (!deed.subject.empty()) event.data.add("subject", deed.subject);
  event.data.add_integer("count", static_cast<std::int64_t>(count));
  hub_.emit(std::move(event), now);
}

}  // namespace bindcast
