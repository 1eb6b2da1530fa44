// A token bucket: so many events per second on average, so many at once.
//
// Starts full. Until the first configure, and with a rate of 0, there is no limit. A plain value; loop thread only.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "plugin/clock.hpp"

namespace bindcast {

class TokenBucket {
 public:
  TokenBucket() = default;
  TokenBucket(std::uint32_t events_per_second, std::uint32_t burst) noexcept { configure(events_per_second, burst); }

  // `burst` 0: one second's worth. What is in the bucket stays, as far as it fits; one without a limit until now is
  // full.
  void configure(std::uint32_t events_per_second, std::uint32_t burst) noexcept {
    const double capacity = kToken * (burst != 0 ? burst : events_per_second);
    tokens_ = rate_ == 0 ? capacity : std::min(tokens_, capacity);
    rate_ = events_per_second;
    capacity_ = capacity;
  }

  // May one more event go? `share`, above 0 and at most 1, scales the rate for the time since the last call.
  [[nodiscard]] bool take(Now now, double share) noexcept {
    if (rate_ == 0) return true;
    const std::int64_t elapsed_us = now.mono_us - last_us_;
    // After a small step back no time is counted twice; after a large one the clock is another, and counts from there.
    if (elapsed_us > 0 || elapsed_us < -kMaxStepBackUs) last_us_ = now.mono_us;
    if (elapsed_us > 0 && share > 0) {
      const double earned = static_cast<double>(elapsed_us) * rate_ * std::min(share, 1.0);
      tokens_ = std::min(tokens_ + earned, capacity_);
    }
    if (tokens_ < kToken) return false;
    tokens_ -= kToken;
    return true;
  }

  // How long until one more may go, as of the last call of take.
  [[nodiscard]] std::int64_t wait_us() const noexcept {
    return rate_ == 0 || tokens_ >= kToken ? 0 : static_cast<std::int64_t>(std::ceil((kToken - tokens_) / rate_));
  }
  // Is it full by then, so that it is as good as a new one?
  [[nodiscard]] bool full(Now now) const noexcept {
    return rate_ == 0 || tokens_ + static_cast<double>(now.mono_us - last_us_) * rate_ >= capacity_;
  }

 private:
  // In millionths of an event everything is a whole number while share is 1, and so exact.
  static constexpr double kToken = 1e6;
  static constexpr std::int64_t kMaxStepBackUs = 1'000'000;

  double tokens_ = 0;
  double capacity_ = 0;
  std::uint32_t rate_ = 0;
  std::int64_t last_us_ = 0;
};

}  // namespace bindcast
