#include "plugin/health/performance.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace bindcast {

void Performance::configure(const HealthOptions& options) {
  const auto watch = [&](Measure measure, double raise, double clear) {
    watched_[static_cast<std::size_t>(measure)].threshold.configure(
        raise == 0 ? std::nullopt
                   : std::optional(Threshold::Bounds{.raise = raise, .clear = clear, .hold_us = options.hold.count()}));
  };
  constexpr double kSecondUs = 1e6, kUsual = 100;
  const double lag = static_cast<double>(options.loop_lag.count()) / kSecondUs;
  const double latency = static_cast<double>(options.latency.count()) / kSecondUs;
  watch(Measure::queue_depth, options.queue_depth, options.queue_depth / 2.0);
  watch(Measure::capture_drops, options.capture_drops, options.capture_drops / 2.0);
  watch(Measure::loop_lag, lag, lag / 2);
  watch(Measure::latency, latency, latency / 2);
  watch(Measure::query_rate, options.query_rate, std::min(options.query_rate * 2.0, kUsual));
}

void Performance::take(Measure measure, double value, std::string_view reason, Now now) {
  const auto index = static_cast<std::size_t>(measure);
  watched_[index].value = value;
  if (watched_[index].threshold.take(value, now) != Threshold::Change::none) tell(index, reason, now);
}

void Performance::end(Measure measure, Now now) {
  const auto index = static_cast<std::size_t>(measure);
  if (watched_[index].threshold.end()) tell(index, "it is measured no more", now);
}

void Performance::tell(std::size_t measure, std::string_view reason, Now now) {
  Watched& watched = watched_[measure];
  const bool raised = watched.threshold.raised();
  const std::int64_t since_us = std::exchange(watched.raised_us, now.mono_us);
  Event event = make_event(EventType::performance_alert);
  event.source_component = "health";
  if (!raised) {
    event.priority = Priority::normal;
    event.severity = Severity::info;
  }
  event.data.add("component", kMeasureNames[measure]);
  event.data.add("state", raised ? "raised" : "cleared");
  event.data.add_real("value", watched.value);
  event.data.add("unit", kMeasureUnits[measure]);
  if (const auto& bounds = watched.threshold.bounds())
    event.data.add_real("threshold", raised ? bounds->raise : bounds->clear);
  if (!reason.empty()) event.data.add("reason", reason);
  if (!raised) event.data.add_integer("raised_seconds", (now.mono_us - since_us) / 1'000'000);
  hub_.emit(std::move(event), now);
}

void Performance::write_metrics(MetricsText& text) const {
  text.family(MetricsText::Kind::gauge, "health_threshold_raised", "1 while the alert of a threshold is raised.");
  for (std::size_t i = 0; i < watched_.size(); ++i)
    text.sample(std::uint64_t{watched_[i].threshold.raised()}, {{"measure", kMeasureNames[i]}});
  text.family(MetricsText::Kind::gauge, "health_measure",
              "What is held against the thresholds: percent, events a second, or seconds.");
  for (std::size_t i = 0; i < watched_.size(); ++i)
    text.sample(watched_[i].value, {{"measure", kMeasureNames[i]}, {"unit", kMeasureUnits[i]}});
}

}  // namespace bindcast
