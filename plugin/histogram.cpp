#include "plugin/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace bindcast {

namespace {

constexpr int kStepBits = 6;

// A value without its lowest bits, so that seven are left, and 64 buckets further for each of those bits.
constexpr std::size_t bucket_of(std::uint32_t value) noexcept {
  const int width = static_cast<int>(std::bit_width(value));
  const int shift = std::max(0, width - (kStepBits + 1));
  return (static_cast<std::size_t>(shift) << kStepBits) + (value >> shift);
}

// Counts as many as still fit; returns that number.
std::uint32_t count_up(std::uint32_t& bucket, std::uint64_t times) noexcept {
  const std::uint32_t room = std::numeric_limits<std::uint32_t>::max() - bucket;
  const auto counted = static_cast<std::uint32_t>(std::min<std::uint64_t>(times, room));
  bucket += counted;
  return counted;
}

}  // namespace

void Histogram::record(std::int64_t value, std::uint64_t times) noexcept {
  static_assert(kSteps == 1 << kStepBits && bucket_of(kMost) < kBuckets);
  if (times == 0) return;
  const auto clamped = static_cast<std::uint32_t>(std::clamp<std::int64_t>(value, 1, kMost));
  count_ += count_up(buckets_[bucket_of(clamped)], times);
  min_ = std::min(min_, clamped);
  max_ = std::max(max_, clamped);
}

void Histogram::add(const Histogram& other) noexcept {
  for (std::size_t i = 0; i < kBuckets; ++i) count_ += count_up(buckets_[i], other.buckets_[i]);
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

// Never outside of what was recorded, so that equal values give that value.
std::uint32_t Histogram::middle_of(std::size_t bucket) const noexcept {
  std::uint32_t middle = static_cast<std::uint32_t>(bucket);
  if (bucket >= 2 * kSteps) {
    const std::size_t shift = bucket / kSteps - 1;
    const auto lowest = static_cast<std::uint32_t>((bucket - shift * kSteps) << shift);
    middle = lowest + (std::uint32_t{1} << (shift - 1));
  }
  return std::clamp(middle, min_, max_);
}

std::uint32_t Histogram::percentile(double percent) const noexcept {
  if (count_ == 0) return 0;
  if (!(percent > 0)) return min_;
  if (percent >= 100) return max_;
  // In this order whole percents of whole numbers come out exact.
  const double exact_rank = std::ceil(percent * static_cast<double>(count_) / 100);
  const auto rank = static_cast<std::uint64_t>(std::max(exact_rank, 1.0));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return middle_of(i);
  }
  return max_;
}

double Histogram::mean() const noexcept {
  if (count_ == 0) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < kBuckets; ++i)
    if (buckets_[i] != 0) sum += static_cast<double>(buckets_[i]) * middle_of(i);
  return sum / static_cast<double>(count_);
}

}  // namespace bindcast
