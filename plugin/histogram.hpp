// How durations are distributed: a log-linear histogram, as HdrHistogram has it.
//
// Values from 1 to 10^9 of whatever unit its owner says, others are clamped. Up to 127 each value has a bucket of its
// own; above, every power of two is cut into 64, so a bucket's middle is within 1/128 of every value in it. 6.4 KB and
// no allocation; recording is a few integer instructions, reading walks all buckets. A bucket stops counting at 2^32-1,
// and what it does not count is nowhere counted. A plain value; not thread safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bindcast {

class Histogram {
 public:
  static constexpr std::uint32_t kMost = 1'000'000'000;

  void record(std::int64_t value, std::uint64_t times = 1) noexcept;
  void add(const Histogram& other) noexcept;
  void reset() noexcept { *this = Histogram(); }

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  // The value that `percent` of the values do not exceed (nearest rank), from the smallest at 0 to the largest at 100,
  // which are exact, as is maximum(); others, and the mean, are within 1/128. All are 0 when nothing was recorded.
  [[nodiscard]] std::uint32_t percentile(double percent) const noexcept;
  [[nodiscard]] std::uint32_t maximum() const noexcept { return count_ == 0 ? 0 : max_; }
  [[nodiscard]] double mean() const noexcept;

 private:
  static constexpr std::size_t kSteps = 64;             // buckets to a power of two
  static constexpr std::size_t kBuckets = 25 * kSteps;  // up to 2^30
  [[nodiscard]] std::uint32_t middle_of(std::size_t bucket) const noexcept;

  std::uint64_t count_ = 0;
  std::uint32_t min_ = kMost;
  std::uint32_t max_ = 0;
  std::array<std::uint32_t, kBuckets> buckets_{};
};
static_assert(sizeof(Histogram) <= 8192);

}  // namespace bindcast
