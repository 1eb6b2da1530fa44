#include "plugin/health/vitals.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace bindcast {

namespace {

constexpr double kPercent = 100;
constexpr std::int64_t kJournalRetryUs = 1'000'000;  // as the journal does

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) * kPercent / static_cast<double>(whole);
}

std::string rounded(double value) {
  return std::to_string(std::llround(value));
}

}  // namespace

void Vitals::configure(const Options& options) {
  performance_.configure(options.health);
  host_counts_ = options.sources.named.enabled;
}

void Vitals::tick(const JournalReport& journal, const DeliveryLoad& load, Now now) {
  const std::int64_t elapsed_us = looked_us_ == 0 ? 0 : now.mono_us - looked_us_;
  looked_us_ = now.mono_us;
  look_at_journal(journal, now);
  look_at_queues(journal, load, now);
  if (elapsed_us > 0) look_at_capture(static_cast<double>(elapsed_us) / 1e6, now);
  look_at_zone_watch(now);
  if (!host_counts_)
    for (const Measure measure : {Measure::query_rate, Measure::latency}) performance_.end(measure, now);
  performance_.take(Measure::loop_lag, static_cast<double>(load.loop_lag_us) / 1e6, "Bindcast's own thread is busy",
                    now);
}

// One that fails keeps its events in memory; only when they find no room there, or nobody tries any more, is it beyond
// help.
void Vitals::look_at_journal(const JournalReport& journal, Now now) {
  const std::uint64_t dropped = journal.dropped_events;
  switch (journal.state) {
    case JournalReport::State::starting:
      return;
    case JournalReport::State::off:
      health_.forget("journal");
      journal_dropped_ = dropped;
      return;
    case JournalReport::State::ok:
      journal_dropped_ = dropped;
      health_.report("journal", HealthState::healthy, {}, now);
      return;
    case JournalReport::State::failing: {
      std::string reason = journal.reason;
      if (dropped != journal_dropped_)
        reason += "; " + std::to_string(dropped - journal_dropped_) + " events found no room to wait";
      const bool lost = journal.refused || dropped != journal_dropped_;
      health_.report("journal", lost ? HealthState::unhealthy : HealthState::degraded, reason, now,
                     {.count = journal.attempts, .next_us = journal.refused ? 0 : now.mono_us + kJournalRetryUs});
      return;
    }
  }
}

void Vitals::look_at_queues(const JournalReport& journal, const DeliveryLoad& load, Now now) {
  const double clients = percent(load.held_bytes, load.most_bytes);
  const double stored = percent(journal.queued_bytes, Journal::kMostQueuedBytes);
  const double deepest = std::max(clients, stored);
  const std::string reason = (clients >= stored ? "the clients' queues are at " : "the journal's queue is at ") +
                             rounded(deepest) + " % of their bound";
  performance_.take(Measure::queue_depth, deepest, reason, now);
  const bool raised = performance_.raised(Measure::queue_depth);
  health_.report("queue_depth", raised ? HealthState::degraded : HealthState::healthy, raised ? reason : "", now);
}

void Vitals::look_at_capture(double seconds, Now now) {
  const std::uint64_t lost = hub_.statistics().capture_lost;
  const double rate = static_cast<double>(lost - std::exchange(capture_lost_, lost)) / seconds;
  const std::string reason =
      rounded(rate) + " queries and policy hits a second found no room on their way out of named";
  performance_.take(Measure::capture_drops, rate, reason, now);
  const bool raised = performance_.raised(Measure::capture_drops);
  health_.report("capture", raised ? HealthState::degraded : HealthState::healthy, raised ? reason : "", now);
}

void Vitals::look_at_zone_watch(Now now) {
  const std::uint64_t lost = hub_.statistics().cold_lost;
  if (lost != cold_lost_) zone_loss_us_ = now.mono_us;
  const bool lately = zone_loss_us_ != 0 && now.mono_us - zone_loss_us_ < kZoneLossUs;
  const std::string reason =
      "changes of zones or of the configuration found no room, " + std::to_string(lost) + " so far";
  health_.report("zone_watch", lately ? HealthState::degraded : HealthState::healthy, lately ? reason : "", now);
  cold_lost_ = lost;
}

void Vitals::take_host_load(const HostLoad& load, Now now) {
  if (const auto share = usual_.take(load.queries_per_second, load.elapsed_us))
    performance_.take(Measure::query_rate, *share * kPercent,
                      rounded(usual_.recent()) + " queries a second, where " + rounded(usual_.usual()) + " are usual",
                      now);
  if (const auto median_ms = upstream_.take(load.upstream))
    performance_.take(Measure::latency, *median_ms / 1000,
                      "half of the answers of other servers took " + rounded(*median_ms) + " ms or more, or never came",
                      now);
}

}  // namespace bindcast
