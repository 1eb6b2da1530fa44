// How many events come in a second, smoothed: the past counts half after one second, a quarter after two.
//
// A steady stream is told exactly, once it has lasted some seconds; before that, too low. A silence of any length is
// told as it is, whenever one asks. Two numbers, no allocation, one thread.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include "plugin/clock.hpp"

namespace bindcast {

class Rate {
 public:
  static constexpr double kHalfLifeUs = 1e6;

  void add(std::uint64_t count, Now now) noexcept {
    per_second_ = per_second(now) + static_cast<double>(count) * kPerEvent;
    if (now.mono_us > since_us_) since_us_ = now.mono_us;
  }

  [[nodiscard]] double per_second(Now now) const noexcept {
    if (now.mono_us <= since_us_) return per_second_;
    return per_second_ * std::exp2(-static_cast<double>(now.mono_us - since_us_) / kHalfLifeUs);
  }

 private:
  // What one event weighs, so that its decay over all time amounts to one.
  static constexpr double kPerEvent = std::numbers::ln2 * 1e6 / kHalfLifeUs;

  double per_second_ = 0;
  std::int64_t since_us_ = 0;
};

}  // namespace bindcast
