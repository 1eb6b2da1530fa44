#include "plugin/delivery/losses.hpp"

#include <algorithm>

namespace bindcast {

void Losses::record(DropReason reason, EventType type, std::uint64_t count, std::uint64_t offset) {
  auto& pending = pending_[static_cast<std::size_t>(reason)];
  if (!pending) {
    pending = std::make_unique<Pending>();
    pending->gap.reason = reason;
  }
  Gap& gap = pending->gap;
  gap.count += count;
  gap.by_type[static_cast<std::size_t>(type)] += count;
  if (offset == 0) {
    pending->range_known = false;
    return;
  }
  gap.from = gap.from == 0 ? offset : std::min(gap.from, offset);
  gap.to = std::max(gap.to, offset);
}

std::int64_t Losses::due_at_us() const noexcept {
  std::int64_t first = 0;
  for (const auto& pending : pending_)
    if (pending && pending->gap.count > 0 && (first == 0 || pending->tell_at_us < first)) first = pending->tell_at_us;
  return first;
}

std::optional<Gap> Losses::take(Now now) {
  for (auto& pending : pending_) {
    if (!pending || pending->gap.count == 0 || now.mono_us < pending->tell_at_us) continue;
    Gap gap = pending->gap;
    if (!pending->range_known) gap.from = gap.to = 0;
    pending->gap = Gap{.reason = gap.reason};
    pending->range_known = true;
    if (gap.reason == DropReason::sampled) pending->tell_at_us = now.mono_us + kSampledEveryUs;
    return gap;
  }
  return std::nullopt;
}

}  // namespace bindcast
