#include "plugin/analytics/analytics.hpp"

#include <algorithm>
#include <utility>

namespace bindcast {

Analytics::Analytics(Hub& hub, Intake& intake, Metrics& metrics) : hub_(hub) {
  intake.add_observer(*this);
  metrics.add([this](MetricsText& text) { write_metrics(text); });
}

void Analytics::configure(const Options& options, Now now) {
  // What was kept by the old options is told before it goes. The hub masks it by the new ones.
  if (watch_ && (options_ != options.sources.analytics || privacy_ != options.privacy)) {
    const bool told = hub_.faults().contain([&] { publish(now); });
    for (const View& view : watch_->views) missed_ += told ? 0 : view.sketch->queries;
    watch_.reset();
  }
  options_ = options.sources.analytics;
  privacy_ = options.privacy;
  sample_ = options.events.queries.sample;
}

bool Analytics::watches() const noexcept {
  using When = SourcesOptions::Analytics::When;
  return options_.enabled == When::always ||
         (options_.enabled == When::automatic && hub_.wanted(EventType::dns_analytics_update));
}

// The intervals of all who look are the same: they end at whole multiples of their length on the monotonic clock.
void Analytics::tick(Now now) {
  if (!watches()) {
    watch_.reset();
    last_.reset();
    missed_ = 0;
    return;
  }
  const std::int64_t began = watch(now).began_us / options_.interval.count();
  if (now.mono_us / options_.interval.count() != began) publish(now);
}

void Analytics::end() {
  if (watch_) publish(read_clock());
}

Analytics::Watch& Analytics::watch(Now now) {
  if (!watch_) watch_ = std::make_unique<Watch>(privacy_, now);
  return *watch_;
}

void Analytics::see(const QueryView& query, Now now) {
  ViewSketch* sketch = nullptr;
  try {
    sketch = &sketch_of(watch(now), query.view);
  } catch (...) {
    missed_ += query.fixed.sample;
    throw;
  }
  sketch->see(query);
}

void Analytics::missed(std::uint64_t count, Now) noexcept {
  missed_ += count * sample_;
}

ViewSketch& Analytics::sketch_of(Watch& watch, std::string_view name) {
  auto& views = watch.views;
  if (watch.last_view < views.size() && views[watch.last_view].sketch->view == name)
    return *views[watch.last_view].sketch;
  const auto find = [&](std::string_view which) {
    return std::ranges::find_if(views, [&](const View& view) { return view.sketch->view == which; });
  };
  auto found = find(name);
  if (found == views.end() && views.size() >= kMostViews) found = find(name = kOtherViews);
  if (found == views.end()) {
    views.push_back({.sketch = std::make_unique<ViewSketch>(watch.shared, name, options_.top)});
    found = views.end() - 1;
  }
  watch.last_view = static_cast<std::size_t>(found - views.begin());
  return *found->sketch;
}

void Analytics::publish(Now now) {
  Watch& watch = *watch_;
  std::vector<const ViewSketch*> sketches;
  for (const View& view : watch.views) sketches.push_back(view.sketch.get());
  const Summary all(sketches, watch.shared.privacy);
  const std::int64_t interval_us = now.mono_us - watch.began_us;

  Event event = make_event(EventType::dns_analytics_update);
  event.source_component = "analytics";
  Fields& data = event.data;
  data.add_integer("interval_ms"_key, interval_us / 1000);
  data.add_integer("missed"_key, static_cast<std::int64_t>(missed_));
  all.write(data, options_.top, interval_us);
  data.begin_array("views"_key);
  for (const ViewSketch* sketch : sketches) {
    if (sketch->queries == 0) continue;
    data.begin_object({});
    data.add("view"_key, sketch->view);
    const Summary of_view(std::span(&sketch, 1), watch.shared.privacy);
    of_view.write(data, std::min<std::size_t>(options_.top, kMostOfAView), interval_us);
    data.end();
  }
  data.end();
  auto last = std::make_unique<Last>(Last{interval_us, all.distinct_clients, all.distinct_names, all.latency_us});
  hub_.emit(std::move(event), now);

  // From here on nothing fails: an interval is told once.
  last_ = std::move(last);
  queries_ += all.queries;
  blocked_ += all.blocked;
  all_missed_ += std::exchange(missed_, 0);
  answered_ += all.queries - all.dropped;
  latency_seconds_ += all.latency_us_sum / 1e6;
  watch.began_us = now.mono_us;
  for (View& view : watch.views) {
    view.idle_intervals = view.sketch->queries == 0 ? view.idle_intervals + 1 : 0;
    if (view.sketch->queries != 0) view.sketch->clear();
  }
  std::erase_if(watch.views, [](const View& view) { return view.idle_intervals >= kIdleIntervals; });
}

void Analytics::write_metrics(MetricsText& text) const {
  if (!watch_) return;
  using Kind = MetricsText::Kind;
  text.family(Kind::counter, "analytics_queries", "Queries that the analytics have seen.");
  text.sample(queries_);
  text.family(Kind::counter, "analytics_blocked_queries", "Of them, those that a response policy changed or dropped.");
  text.sample(blocked_);
  text.family(Kind::counter, "analytics_missed_queries",
              "Queries that the analytics could not see, a ring being full.");
  text.sample(all_missed_);
  if (!last_) return;
  text.family(Kind::gauge, "analytics_interval_seconds", "Length of the last whole interval.", "seconds");
  text.sample(static_cast<double>(last_->interval_us) / 1e6);
  text.family(Kind::gauge, "analytics_distinct_clients", "Different clients in the last interval.");
  text.sample(last_->distinct_clients);
  text.family(Kind::gauge, "analytics_distinct_names", "Different names asked for in the last interval.");
  text.sample(last_->distinct_names);
  text.family(Kind::summary, "query_latency_seconds",
              "From a query to its answer: quantiles of the last interval, count and sum since the start.", "seconds");
  for (const double share : {0.5, 0.9, 0.95, 0.99})
    if (last_->latency_us.count() != 0) text.quantile(share, last_->latency_us.percentile(share * 100) / 1e6);
  text.count_and_sum(answered_, latency_seconds_);
}

}  // namespace bindcast
