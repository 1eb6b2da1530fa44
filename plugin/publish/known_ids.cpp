#include "plugin/publish/known_ids.hpp"

#include <algorithm>
#include <utility>

namespace bindcast {

std::size_t KnownIds::Entry::bytes() const noexcept {
  constexpr std::size_t kOfMap = 64;
  return sizeof(Entry) + kOfMap + id.size() + known.content.size() + known.correlation_id.size();
}

const KnownIds::Known* KnownIds::find(std::string_view publisher, std::string_view id, Now now) const {
  const auto whose = publishers_.find(std::string(publisher));
  if (whose == publishers_.end()) return nullptr;
  const auto found = whose->second.by_id.find(id);
  if (found == whose->second.by_id.end() || too_old(*found->second, now)) return nullptr;
  return &found->second->known;
}

void KnownIds::remember(std::string_view publisher, std::string_view id, Known known, Now now) {
  Publisher& whose = publishers_[std::string(publisher)];
  // One that is too old and has not been cleared away yet.
  while (whose.by_id.contains(id)) forget_oldest(whose);
  Entry& entry = whose.entries.emplace_back(Entry{std::string(id), std::move(known), now.mono_us});
  try {
    whose.by_id.emplace(entry.id, &entry);
  } catch (...) {
    whose.entries.pop_back();
    throw;
  }
  whose.bytes += entry.bytes();
  bytes_ += entry.bytes();
  ++entries_;
  if (whose.entries.size() > kMaxEntries) {
    forget_oldest(whose);
    ++forgotten_early_;
  }
  while (bytes_ > kMaxBytes) {
    forget_oldest(std::ranges::max_element(publishers_, {}, [](const auto& one) { return one.second.bytes; })->second);
    ++forgotten_early_;
  }
}

void KnownIds::tick(Now now) {
  for (auto& [name, whose] : publishers_)
    while (!whose.entries.empty() && too_old(whose.entries.front(), now)) forget_oldest(whose);
  std::erase_if(publishers_, [](const auto& one) { return one.second.entries.empty(); });
}

void KnownIds::forget_oldest(Publisher& publisher) {
  const Entry& oldest = publisher.entries.front();
  publisher.bytes -= oldest.bytes();
  bytes_ -= oldest.bytes();
  --entries_;
  publisher.by_id.erase(oldest.id);
  publisher.entries.pop_front();
}

}  // namespace bindcast
