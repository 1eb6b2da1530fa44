// Was it there before, not long ago? Two Bloom filters that take turns: what comes once needs no place in a table. Says
// yes now and then of what was not, ever more often above as many things in a turn as it has bytes. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace bindcast {

class Doorkeeper {
 public:
  // `bytes`, a power of two, for each of the two. What came less than `memory_us` ago is known, after twice that not.
  Doorkeeper(std::size_t bytes, std::int64_t memory_us)
      : now_(bytes / sizeof(std::uint64_t)), before_(now_.size()), memory_us_(memory_us) {}

  // Notes it for the next time.
  [[nodiscard]] bool knows(std::uint64_t hash, std::int64_t now_us) noexcept {
    if (now_us - turned_us_ >= memory_us_) {
      std::swap(now_, before_);
      now_.assign(now_.size(), 0);
      turned_us_ = now_us;
    }
    bool in_now = true, in_before = true;
    for (const std::uint64_t bit : {hash, hash >> 32}) {
      const std::size_t word = static_cast<std::size_t>(bit >> 6) & (now_.size() - 1);
      const std::uint64_t mask = std::uint64_t{1} << (bit & 63);
      in_now = in_now && (now_[word] & mask) != 0;
      in_before = in_before && (before_[word] & mask) != 0;
      now_[word] |= mask;
    }
    return in_now || in_before;
  }
  [[nodiscard]] std::size_t bytes() const noexcept { return 2 * now_.size() * sizeof now_[0]; }

 private:
  std::vector<std::uint64_t> now_, before_;
  std::int64_t memory_us_, turned_us_ = 0;
};

}  // namespace bindcast
