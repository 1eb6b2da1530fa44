// What is asked, by whom, how fast it is answered: a dns_analytics_update each interval, over all views and for each.
//
// It looks at every query as it comes out of the rings, and keeps sketches of a fixed size (view_sketch.hpp). With
// sources.analytics.enabled: auto only while somebody subscribed to dns_analytics_update: otherwise it has no memory,
// and named captures nothing for it. Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "plugin/analytics/summary.hpp"
#include "plugin/analytics/view_sketch.hpp"
#include "plugin/capture/intake.hpp"
#include "plugin/capture/query_observer.hpp"
#include "plugin/hub/hub.hpp"
#include "plugin/metrics/metrics.hpp"
#include "plugin/sources/source.hpp"

namespace bindcast {

class Analytics final : public Source, public QueryObserver {
 public:
  static constexpr std::size_t kMostViews =
      16;  // each with sketches of its own; the queries of further ones go together
  static constexpr std::string_view kOtherViews = "(others)";
  static constexpr std::size_t kMostOfAView = 100;  // entries of a view's lists
  static constexpr int kIdleIntervals = 60;         // after so many without a query a view's sketches are freed

  // All of these outlive it.
  Analytics(Hub& hub, Intake& intake, Metrics& metrics);

  void configure(const Options& options, Now now) override;
  void tick(Now now) override;
  void end() override;

  [[nodiscard]] bool watches() const noexcept override;
  void see(const QueryView& query, Now now) override;
  void missed(std::uint64_t count, Now now) noexcept override;

 private:
  struct View {
    std::unique_ptr<ViewSketch> sketch;
    int idle_intervals = 0;
  };
  // All there is while it watches.
  struct Watch {
    Watch(const PrivacyOptions& privacy, Now now) : shared(privacy), began_us(now.mono_us) {}
    ViewSketch::Shared shared;
    std::vector<View> views;
    std::size_t last_view = 0;  // of the last query
    std::int64_t began_us;      // the present interval
  };
  // Of the last whole interval, for a scrape.
  struct Last {
    std::int64_t interval_us = 0;
    std::uint64_t distinct_clients = 0, distinct_names = 0;
    Histogram latency_us;
  };

  Watch& watch(Now now);
  ViewSketch& sketch_of(Watch& watch, std::string_view view);
  void publish(Now now);
  void write_metrics(MetricsText& text) const;

  Hub& hub_;
  SourcesOptions::Analytics options_;
  PrivacyOptions privacy_;
  std::uint32_t sample_ = 1;
  std::unique_ptr<Watch> watch_;
  std::uint64_t missed_ = 0;  // in the present interval
  std::unique_ptr<Last> last_;
  // Since the start of the process.
  std::uint64_t queries_ = 0, blocked_ = 0, all_missed_ = 0, answered_ = 0;
  double latency_seconds_ = 0;
};

}  // namespace bindcast
