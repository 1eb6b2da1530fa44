#include "plugin/delivery/losses.hpp"

#include <algorithm>

namespace bindcast {

Losses::Pending& Losses::pending(DropReason reason) {
  auto& pending = pending_[static_cast<std::size_t>(reason)];
  if (!pending) {
    pending = std::make_unique<Pending>();
    pending->gap.reason = reason;
  }
  return *pending;
}

void Losses::record(DropReason reason, EventType type, std::uint64_t count, std::uint64_t offset) {
  Pending& pending = this->pending(reason);
  Gap& gap = pending.gap;
  gap.count += count;
  gap.by_type[static_cast<std::size_t>(type)] += count;
  if (offset == 0) {
    pending.range_known = false;
    return;
  }
  gap.from = gap.from == 0 ? offset : std::min(gap.from, offset);
  gap.to = std::max(gap.to, offset);
}

void Losses::record(const Gap& more) {
  Pending& pending = this->pending(more.reason);
  Gap& gap = pending.gap;
  gap.count += more.count;
  for (std::size_t i = 0; i < kEventTypeCount; ++i) gap.by_type[i] += more.by_type[i];
  if (more.from == 0) {
    pending.range_known = false;
    return;
  }
  gap.from = gap.from == 0 ? more.from : std::min(gap.from, more.from);
  gap.to = std::max(gap.to, more.to);
}

std::int64_t Losses::due_at_us() const noexcept {
  std::int64_t first = 0;
  for (const auto& pending : pending_)
    if (pending && pending->gap.count > 0 && (first == 0 || pending->tell_at_us < first)) first = pending->tell_at_us;
  return first;
}

std::optional<Gap> Losses::take(Now now, bool all) {
  for (auto& pending : pending_) {
    if (!pending || pending->gap.count == 0 || (!all && now.mono_us < pending->tell_at_us)) continue;
    Gap gap = pending->gap;
    if (!pending->range_known) gap.from = gap.to = 0;
    pending->gap = Gap{.reason = gap.reason};
    pending->range_known = true;
    pending->tell_at_us = now.mono_us + (gap.reason == DropReason::sampled ? kSampledEveryUs : kEveryUs);
    return gap;
  }
  return std::nullopt;
}

std::uint64_t Losses::untold(DropReason reason) const noexcept {
  const auto& pending = pending_[static_cast<std::size_t>(reason)];
  return pending ? pending->gap.count : 0;
}

}  // namespace bindcast
