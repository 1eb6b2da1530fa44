// Reads once a second the counters of those parts that do not report their health by themselves, and takes the measures
// that have thresholds: journal, capture, zone watch, queues, the rate of queries, how fast other servers answer. Loop
// thread only.
#pragma once

#include <cstdint>
#include <string>

#include "config/options.hpp"
#include "plugin/clock.hpp"
#include "plugin/health/health.hpp"
#include "plugin/health/performance.hpp"
#include "plugin/host_load.hpp"
#include "plugin/hub/hub.hpp"
#include "plugin/journal/journal.hpp"

namespace bindcast {

// How the delivery is burdened.
struct DeliveryLoad {
  std::uint64_t held_bytes = 0, most_bytes = 1;  // of all clients' queues
  std::int64_t loop_lag_us = 0;
};

class Vitals {
 public:
  static constexpr std::int64_t kZoneLossUs = 60'000'000;  // so long a loss among zone events counts

  Vitals(Hub& hub, Health& health) : hub_(hub), health_(health), performance_(hub) {}

  void configure(const Options& options);
  void tick(const JournalReport& journal, const DeliveryLoad& load, Now now);  // once a second
  void take_host_load(const HostLoad& load, Now now);
  void write_metrics(MetricsText& text) const { performance_.write_metrics(text); }

 private:
  void look_at_journal(const JournalReport& journal, Now now);
  void look_at_queues(const JournalReport& journal, const DeliveryLoad& load, Now now);
  void look_at_capture(double seconds, Now now);
  void look_at_zone_watch(Now now);

  Hub& hub_;
  Health& health_;
  Performance performance_;
  UsualRate usual_;
  MedianTime upstream_;
  bool host_counts_ = false;           // its counters are read
  std::int64_t looked_us_ = 0;         // monotonic; 0: never
  std::uint64_t journal_dropped_ = 0;  // when it was last well
  std::uint64_t capture_lost_ = 0, cold_lost_ = 0;
  std::int64_t zone_loss_us_ = 0;  // 0: none
};

}  // namespace bindcast
