// The most frequent keys of a stream in bounded memory: Space-Saving (Metwally, Agrawal, El Abbadi: "Efficient
// Computation of Frequent and Top-k Elements in Data Streams", 2005), with its Stream-Summary.
//
// A key is a good 64-bit hash of whatever is counted; what it stands for is kept by the owner, slot by slot. While no
// more than `capacity` different keys came, all counts are exact. Then a new key takes the slot of a least frequent
// one, and its count as what it may be wrong by: the true count of a key is at most count() and at least count() -
// error(), error() is at most the sum of all weights by the capacity, and a key more frequent than that is always
// there.
//
// Adding takes the same few steps whatever came before, as long as weights are equal; of different weights, at most as
// many steps as there are different counts between. 24 + 16 + 4 bytes a slot, all allocated by the constructor. Not
// thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bindcast {

class SpaceSaving {
 public:
  using Slot = std::uint16_t;

  explicit SpaceSaving(std::size_t capacity);  // a power of two, at most 2^14

  struct Added {
    Slot slot;
    bool fresh;  // the slot is this key's from now on: whatever it stood for before is gone
  };
  Added add(std::uint64_t key, std::uint64_t weight) noexcept;
  void clear() noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }  // slots 0 to size() - 1 are in use
  [[nodiscard]] std::size_t capacity() const noexcept { return slots_.size(); }
  [[nodiscard]] bool exact() const noexcept { return exact_; }  // no key was pushed out
  // What a key that is not there may have come to at most.
  [[nodiscard]] std::uint64_t unseen() const noexcept { return exact_ ? 0 : buckets_[lowest_].count; }
  [[nodiscard]] std::uint64_t key(Slot slot) const noexcept { return slots_[slot].key; }
  [[nodiscard]] std::uint64_t count(Slot slot) const noexcept { return buckets_[slots_[slot].bucket].count; }
  [[nodiscard]] std::uint64_t error(Slot slot) const noexcept { return slots_[slot].error; }

 private:
  using Index = std::uint16_t;
  static constexpr Index kNone = 0xffff;

  struct Entry {
    std::uint64_t key, error;
    Index bucket;
    Index previous, next;  // of the same bucket
    Index chain;           // the next of the same place in heads_
  };
  // All slots of one count.
  struct Bucket {
    std::uint64_t count;
    Index first;
    Index previous, next;  // by count, ascending
  };

  [[nodiscard]] Index& head(std::uint64_t key) noexcept { return heads_[key & (heads_.size() - 1)]; }
  void unchain(Slot slot) noexcept;
  void raise(Slot slot, std::uint64_t weight) noexcept;
  void enter(Slot slot, Index bucket) noexcept;
  void leave(Slot slot) noexcept;
  Index new_bucket(std::uint64_t count, Index previous, Index next) noexcept;

  std::vector<Entry> slots_;
  std::vector<Bucket> buckets_;
  std::vector<Index> heads_;  // by key
  std::size_t size_ = 0;
  Index lowest_ = kNone;
  Index free_bucket_ = 0;  // their `next` leads to the others
  bool exact_ = true;
};

}  // namespace bindcast
