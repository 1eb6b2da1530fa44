#include "plugin/health/threshold.hpp"

#include <algorithm>
#include <utility>

namespace bindcast {

Threshold::Change Threshold::take(double value, Now now) {
  bool asks = raised_;  // without bounds nothing is too much
  if (bounds_) {
    const bool too_little = bounds_->raise < bounds_->clear;
    const double of = raised_ ? bounds_->clear : bounds_->raise;
    asks = raised_ == too_little ? value >= of : value <= of;
  }
  if (!asks) {
    crossed_us_ = 0;
    return Change::none;
  }
  if (crossed_us_ == 0) crossed_us_ = now.mono_us;
  if (bounds_ && now.mono_us - crossed_us_ < bounds_->hold_us) return Change::none;
  crossed_us_ = 0;
  raised_ = !raised_;
  return raised_ ? Change::raised : Change::cleared;
}

bool Threshold::end() noexcept {
  crossed_us_ = 0;
  return std::exchange(raised_, false);
}

std::optional<double> UsualRate::take(double rate, std::int64_t elapsed_us) {
  constexpr double kFarBelow = 0.5;
  const auto weight_in = [elapsed_us](std::int64_t span_us) {
    return std::min(1.0, static_cast<double>(elapsed_us) / static_cast<double>(std::max(span_us, std::int64_t{1})));
  };
  recent_ += (rate - recent_) * weight_in(std::min(seen_us_ + elapsed_us, kSmoothingUs));
  seen_us_ = std::min(seen_us_ + elapsed_us, kSmoothingUs);
  const bool known = learned_us_ >= kLearningUs && usual_ >= kLeast;
  const bool below = known && recent_ < usual_ * kFarBelow;
  below_us_ = below ? below_us_ + elapsed_us : 0;
  const std::optional<double> share = known ? std::optional(recent_ / usual_) : std::nullopt;
  if (below && below_us_ < kNewUsualUs) return share;
  // While little is known, each part of the time counts the same.
  learned_us_ = std::min(learned_us_ + elapsed_us, kForgettingUs);
  usual_ += (rate - usual_) * weight_in(learned_us_);
  return share;
}

std::optional<double> MedianTime::take(const HostLoad::AnswerTimes& times) {
  std::uint64_t all = 0;
  for (const auto& [ms, count] : times) seen_[ms] += count;
  for (const auto& entry : seen_) all += entry.second;
  if (all < kFewest) return std::nullopt;
  double before = 0, from_ms = 0;
  const double half = static_cast<double>(all) / 2;
  for (const auto& [ms, number] : std::exchange(seen_, {})) {
    const auto count = static_cast<double>(number);
    if (ms == HostLoad::kLate) break;
    if (before + count > half) return from_ms + (ms - from_ms) * (half - before) / count;
    before += count;
    from_ms = ms;
  }
  return from_ms;
}

}  // namespace bindcast
