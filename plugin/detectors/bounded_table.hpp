// A table that holds a fixed number of entries, whoever fills it with what.
//
// An entry is known by a keyed hash alone and can be in eight places. Where these are full, the one of least standing
// goes. Either its owner says what standing an entry has (place), or it is how much the entry was touched, halved again
// and again as time passes; then a newcomer inherits the standing of the one that it pushes out (space-saving, Metwally
// et al. 2005). So a flood of things that come once pushes out its like, what comes often stays, and nobody can choose
// whom to push out without the key. One thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bindcast {

template <class Entry>
class BoundedTable {
 public:
  // `entries` is made a power of two. Standing is halved each `half_life_us` (0: never); one of none is forgotten.
  BoundedTable(std::size_t entries, std::int64_t half_life_us)
      : buckets_(std::bit_ceil(std::max(entries, kWays)) / kWays),
        entries_(buckets_.size() * kWays),
        half_life_us_(half_life_us) {}

  [[nodiscard]] Entry* find(std::uint64_t hash) noexcept {
    hash = known_hash(hash);
    Bucket& bucket = buckets_[index_of(hash)];
    for (std::size_t i = 0; i < kWays; ++i)
      if (bucket.hashes[i] == hash) return &entry(bucket, i);
    return nullptr;
  }

  // The entry, new where there was none; a new one has the standing of the one that it pushed out, or 0.
  // `forget(Entry&)` is called with one before it is pushed out. Both are good until the next call.
  struct Place {
    Entry& entry;
    std::uint64_t& standing;
  };
  template <class Forget>
  [[nodiscard]] Place place(std::uint64_t hash, std::int64_t now_us, const Forget& forget) {
    hash = known_hash(hash);
    Bucket& bucket = buckets_[index_of(hash)];
    age(bucket, now_us);
    std::size_t least = 0;
    for (std::size_t i = 0; i < kWays; ++i) {
      if (bucket.hashes[i] == hash) return {entry(bucket, i), bucket.standing[i]};
      if (bucket.standing[i] < bucket.standing[least]) least = i;
    }
    Entry& at = entry(bucket, least);
    if (bucket.hashes[least] == 0) {
      ++tracked_;
    } else {
      ++evictions_;
      forget(at);
      at = Entry();
    }
    bucket.hashes[least] = hash;
    return {at, bucket.standing[least]};
  }
  template <class Forget>
  [[nodiscard]] Entry& touch(std::uint64_t hash, std::uint32_t weight, std::int64_t now_us, const Forget& forget) {
    const Place found = place(hash, now_us, forget);
    found.standing += weight;
    return found.entry;
  }

  // Forgets what has no standing any more, in a part of the table at each call.
  template <class Forget>
  void sweep(std::int64_t now_us, const Forget& forget) {
    const std::size_t part = buckets_.size() / kSweepParts + 1;
    for (std::size_t n = 0; n < part; ++n, swept_ = (swept_ + 1) % buckets_.size()) {
      Bucket& bucket = buckets_[swept_];
      age(bucket, now_us);
      for (std::size_t i = 0; i < kWays; ++i) {
        if (bucket.hashes[i] == 0 || bucket.standing[i] != 0) continue;
        forget(entry(bucket, i));
        entry(bucket, i) = Entry();
        bucket.hashes[i] = 0;
        --tracked_;
      }
    }
  }

  template <class Each>
  void for_each(const Each& each) const {
    for (const Entry& entry : entries_) each(entry);
  }

  [[nodiscard]] std::size_t tracked() const noexcept { return tracked_; }
  [[nodiscard]] std::uint64_t evictions() const noexcept { return evictions_; }
  // Without what the entries own.
  [[nodiscard]] std::size_t bytes() const noexcept {
    return buckets_.size() * sizeof(Bucket) + entries_.size() * sizeof(Entry);
  }

 private:
  static constexpr std::size_t kWays = 8, kSweepParts = 64;
  struct Bucket {
    std::array<std::uint64_t, kWays> hashes{};    // 0: nothing there
    std::array<std::uint64_t, kWays> standing{};  // of an empty place 0
    std::int64_t halved = 0;                      // at which half-life
  };

  static constexpr std::uint64_t known_hash(std::uint64_t hash) noexcept { return hash == 0 ? 1 : hash; }
  [[nodiscard]] std::size_t index_of(std::uint64_t hash) const noexcept {
    return static_cast<std::size_t>(hash >> 32) & (buckets_.size() - 1);
  }
  [[nodiscard]] Entry& entry(const Bucket& bucket, std::size_t way) noexcept {
    return entries_[static_cast<std::size_t>(&bucket - buckets_.data()) * kWays + way];
  }
  void age(Bucket& bucket, std::int64_t now_us) const noexcept {
    if (half_life_us_ == 0) return;
    const std::int64_t halvings = now_us / half_life_us_ - bucket.halved;
    if (halvings <= 0) return;
    bucket.halved += halvings;
    for (std::uint64_t& standing : bucket.standing) standing = halvings < 64 ? standing >> halvings : 0;
  }

  std::vector<Bucket> buckets_;
  std::vector<Entry> entries_;
  std::int64_t half_life_us_;
  std::size_t tracked_ = 0, swept_ = 0;
  std::uint64_t evictions_ = 0;
};

}  // namespace bindcast
