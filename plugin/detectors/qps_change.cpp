#include "plugin/detectors/qps_change.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace bindcast {

namespace {
constexpr double kSlowerWhileChanged = 4;
constexpr double kMostRatio = 1000;
}  // namespace

void QpsChange::tick(Now now, std::vector<Finding>& findings) {
  if (began_us_ < 0) {
    began_us_ = counted_us_ = now.mono_us;
    count_ = 0;
    return;
  }
  const double seconds = static_cast<double>(now.mono_us - counted_us_) / 1e6;
  if (seconds <= 0) return;
  counted_us_ = now.mono_us;
  const double counted = static_cast<double>(std::exchange(count_, 0)) / seconds;
  const auto seconds_of = [](Microseconds time) { return static_cast<double>(time.count()) / 1e6; };
  const auto learn = [&](double& average, double over) {
    average += (1 - std::exp(-seconds / over)) * (counted - average);
  };
  const double known = static_cast<double>(now.mono_us - began_us_) / 1e6;
  // A plain mean until the time of the average is over.
  learn(rate_, std::min(seconds_of(rules_.window), known));
  const bool warm = known > seconds_of(rules_.baseline);
  learn(usual_, warm ? seconds_of(rules_.baseline) * (state_ == State::usual ? 1 : kSlowerWhileChanged) : known);
  if (!warm) return;

  const double minimum = rules_.minimum;
  const double up = rate_ / std::max(usual_, minimum);
  const double down = usual_ < minimum ? 0 : std::min(usual_ / std::max(rate_, 1e-9), kMostRatio);
  const double leave = std::sqrt(rules_.factor);
  const State before = state_;
  if (state_ == State::up && up < leave) state_ = State::usual;
  if (state_ == State::down && down < leave) state_ = State::usual;
  if (state_ == State::usual && up >= rules_.factor) state_ = State::up;
  if (state_ == State::usual && down >= rules_.factor) state_ = State::down;
  if (state_ == State::usual) return;

  const double ratio = state_ == State::up ? up : down;
  if (before != state_) {
    since_us_ = now.mono_us;
    found_ratio_ = 0;
  }
  const double strong = strong_ * rules_.factor;
  const bool stronger = state_ == State::up && ratio >= strong && found_ratio_ < strong;
  if (found_ratio_ != 0 && !stronger && now.mono_us - found_us_ < rules_.window.count()) return;
  found_us_ = now.mono_us;
  found_ratio_ = std::max(found_ratio_, ratio);
  findings.push_back(found(ratio, now));
}

Finding QpsChange::found(double ratio, Now now) const {
  Finding finding;
  finding.detector = name();
  finding.direction = state_ == State::up ? "up" : "down";
  finding.strength = state_ == State::up && ratio >= strong_ * rules_.factor ? Strength::strong : Strength::weak;
  finding.value = ratio;
  finding.threshold = rules_.factor;
  finding.measure = "ratio";
  finding.window_us = rules_.window.count();
  finding.counts = {{"queries_per_second", rate_}, {"usual_queries_per_second", usual_}};
  finding.first_us = since_us_;
  finding.last_us = now.mono_us;
  return finding;
}

}  // namespace bindcast
