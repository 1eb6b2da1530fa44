#include "plugin/health/threshold.hpp"

#include <algorithm>

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

}  // namespace bindcast
