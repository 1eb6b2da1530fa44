#include "plugin/analytics/space_saving.hpp"

#include <algorithm>

namespace bindcast {

// One bucket more than slots: a slot enters its new one before its old one is free.
SpaceSaving::SpaceSaving(std::size_t capacity) : slots_(capacity), buckets_(capacity + 1), heads_(2 * capacity) {
  clear();
}

void SpaceSaving::clear() noexcept {
  std::ranges::fill(heads_, kNone);
  for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i].next = static_cast<Index>(i + 1);
  buckets_.back().next = kNone;
  free_bucket_ = 0;
  lowest_ = kNone;
  size_ = 0;
  exact_ = true;
}

SpaceSaving::Added SpaceSaving::add(std::uint64_t key, std::uint64_t weight) noexcept {
  for (Index at = head(key); at != kNone; at = slots_[at].chain) {
    if (slots_[at].key != key) continue;
    raise(at, weight);
    return {at, false};
  }
  Slot slot = 0;
  if (size_ < slots_.size()) {
    slot = static_cast<Slot>(size_++);
    slots_[slot] = {.key = key, .error = 0, .bucket = kNone, .previous = kNone, .next = kNone, .chain = head(key)};
  } else {
    slot = buckets_[lowest_].first;
    unchain(slot);
    slots_[slot].key = key;
    slots_[slot].error = buckets_[lowest_].count;
    slots_[slot].chain = head(key);
    exact_ = false;
  }
  head(key) = slot;
  raise(slot, weight);
  return {slot, true};
}

void SpaceSaving::unchain(Slot slot) noexcept {
  Index* at = &head(slots_[slot].key);
  while (*at != slot) at = &slots_[*at].chain;
  *at = slots_[slot].chain;
}

void SpaceSaving::raise(Slot slot, std::uint64_t weight) noexcept {
  const Index from = slots_[slot].bucket;  // none: it is new, as if it came from a count of zero
  const std::uint64_t count = (from == kNone ? 0 : buckets_[from].count) + weight;
  const Index behind = from == kNone ? lowest_ : buckets_[from].next;
  Index previous = from, next = behind;
  while (next != kNone && buckets_[next].count < count) {
    previous = next;
    next = buckets_[next].next;
  }
  const bool there_is_one = next != kNone && buckets_[next].count == count;
  if (from != kNone && !there_is_one && next == behind && slots_[slot].next == kNone && buckets_[from].first == slot) {
    buckets_[from].count = count;  // alone, and still between the same neighbours
    return;
  }
  const Index to = there_is_one ? next : new_bucket(count, previous, next);
  if (from != kNone) leave(slot);
  enter(slot, to);
}

SpaceSaving::Index SpaceSaving::new_bucket(std::uint64_t count, Index previous, Index next) noexcept {
  const Index made = free_bucket_;
  free_bucket_ = buckets_[made].next;
  buckets_[made] = {.count = count, .first = kNone, .previous = previous, .next = next};
  (previous == kNone ? lowest_ : buckets_[previous].next) = made;
  if (next != kNone) buckets_[next].previous = made;
  return made;
}

void SpaceSaving::enter(Slot slot, Index bucket) noexcept {
  Entry& entry = slots_[slot];
  entry.bucket = bucket;
  entry.previous = kNone;
  entry.next = buckets_[bucket].first;
  if (entry.next != kNone) slots_[entry.next].previous = slot;
  buckets_[bucket].first = slot;
}

void SpaceSaving::leave(Slot slot) noexcept {
  const Entry& entry = slots_[slot];
  Bucket& bucket = buckets_[entry.bucket];
  (entry.previous == kNone ? bucket.first : slots_[entry.previous].next) = entry.next;
  if (entry.next != kNone) slots_[entry.next].previous = entry.previous;
  if (bucket.first != kNone) return;
  (bucket.previous == kNone ? lowest_ : buckets_[bucket.previous].next) = bucket.next;
  if (bucket.next != kNone) buckets_[bucket.next].previous = bucket.previous;
  bucket.next = free_bucket_;
  free_bucket_ = entry.bucket;
}

}  // namespace bindcast
