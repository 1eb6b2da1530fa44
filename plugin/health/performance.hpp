// Numbers that say whether Bindcast and named keep up, held against the thresholds of `health`: performance_alert when
// one has been crossed for health.hold, and when it is back. Loop thread only.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "config/options.hpp"
#include "plugin/clock.hpp"
#include "plugin/health/threshold.hpp"
#include "plugin/hub/hub.hpp"
#include "plugin/metrics/metrics.hpp"

namespace bindcast {

enum class Measure : std::uint8_t { queue_depth, capture_drops, loop_lag, query_rate, latency };
inline constexpr std::array<std::string_view, 5> kMeasureNames{"queue_depth", "capture_drops", "loop_lag", "query_rate",
                                                               "latency"};
inline constexpr std::array<std::string_view, 5> kMeasureUnits{"percent", "per_second", "seconds", "percent",
                                                               "seconds"};

class Performance {
 public:
  explicit Performance(Hub& hub) : hub_(hub) {}

  void configure(const HealthOptions& options);
  // The value of now, in the unit of kMeasureUnits. `reason` says in an alert what it is about.
  void take(Measure measure, double value, std::string_view reason, Now now);
  // It is measured no more: an alert that is raised is cleared.
  void end(Measure measure, Now now);
  [[nodiscard]] bool raised(Measure measure) const noexcept { return at(measure).threshold.raised(); }
  void write_metrics(MetricsText& text) const;

 private:
  struct Watched {
    Threshold threshold;
    double value = 0;
    std::int64_t raised_us = 0;  // monotonic
  };
  void tell(std::size_t measure, std::string_view reason, Now now);
  [[nodiscard]] const Watched& at(Measure measure) const noexcept {
    return watched_[static_cast<std::size_t>(measure)];
  }

  Hub& hub_;
  std::array<Watched, kMeasureNames.size()> watched_;
};

}  // namespace bindcast
