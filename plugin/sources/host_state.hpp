// The host's own counters as events: what they are (bind_status_update), and what they grew by (dns_query_stats).
//
// The host counts anyway; it is asked for all its counters each interval, and answers when it can. Nothing is done for
// a single query.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "events/fields.hpp"
#include "plugin/host_info.hpp"
#include "plugin/host_load.hpp"
#include "plugin/metrics/metrics.hpp"
#include "plugin/sources/source.hpp"

namespace bindcast {

class Hub;

// In the order of bindcast_counter_group, bindcast.h, which says what each is.
enum class CounterGroup : std::uint8_t {
  responses,
  queries,
  requests,
  opcodes,
  server,
  quotas,
  zones,
  cache,
  cache_memory,
  cache_nodes,
  resolver,
  resolver_queries,
  resolver_active,
  memory
};
inline constexpr std::size_t kCounterGroups = static_cast<std::size_t>(CounterGroup::memory) + 1;
[[nodiscard]] bool belongs_to_view(CounterGroup group) noexcept;

struct HostCounter {
  CounterGroup group = CounterGroup::server;
  std::string view;  // empty: of the whole server
  std::string name;  // empty where the group has but one value
  std::uint64_t value = 0;
  std::uint64_t limit = 0;  // 0: none
  std::uint64_t life = 0;   // another one when it began anew; 0: not known
};

// All the counters as they were at one moment.
struct HostReading {
  static constexpr std::size_t kMaxCounters = 16'384;

  // Leaves out, and counts, what is too much, a name that is none, and what is there already. Sorts.
  void complete();

  std::int64_t taken_us = 0;         // monotonic
  std::uint64_t uptime_seconds = 0;  // 0: not known
  std::vector<HostCounter> counters;
  std::uint64_t left_out = 0;
};

// What the counters (not the gauges) of `after` grew by since `before`, without those that did not. A counter that
// began anew has grown by all it has; what it had more before that is not known. Of a view that was not there before,
// and of the server if it was not, nothing is known. A counter that several views share is there for each of them.
[[nodiscard]] std::vector<HostCounter> growth(const HostReading& before, const HostReading& after);

class HostState final : public Source {
 public:
  // Called with each reading but the first.
  using Told = std::function<void(const HostLoad& load, Now now)>;

  HostState(Hub& hub, const HostInfo& host, Metrics& metrics, Told told);
  void configure(const Options& options, Now now) override;
  void tick(Now now) override;
  void end() override { enabled_ = false; }

  void take(HostReading&& reading, Now now);
  // As of the last reading; null: there is none, or nothing is asked.
  [[nodiscard]] const HostLoad* load() const noexcept { return last_ ? &load_ : nullptr; }
  // Of the last reading what fits a few lines: version, uptime_seconds, qps, qps_by_rcode, cache_hit_ratio, quotas,
  // cache_memory_bytes, cache_nodes, as the events have them. Empty: there was none.
  [[nodiscard]] const Fields& summary() const noexcept { return summary_; }

 private:
  void summarize(const std::vector<HostCounter>* grown, double seconds);
  void emit_status(const std::vector<HostCounter>* grown, double seconds, Now now);
  void emit_query_stats(const std::vector<HostCounter>& grown, double seconds, Now now);
  void write_metrics(MetricsText& text) const;

  Hub& hub_;
  const HostInfo& host_;
  Told told_;
  bool enabled_ = false;
  std::int64_t interval_us_ = 0;
  std::int64_t due_us_ = 0;
  std::optional<HostReading> last_;
  HostLoad load_;
  Fields summary_;
};

}  // namespace bindcast
