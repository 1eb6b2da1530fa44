// What the hub, the delivery, the journal and the server itself have counted, for /metrics.

#include <algorithm>

#include "plugin/server/server.hpp"
#include "plugin/version.hpp"

namespace bindcast {

namespace {

using Kind = MetricsText::Kind;

constexpr double kUs = 1e-6, kNs = 1e-9;  // in seconds

double seconds_of(std::int64_t us) {
  return static_cast<double>(us) * kUs;
}

void counter(MetricsText& text, std::string_view name, std::string_view help, std::uint64_t value,
             std::string_view unit = {}) {
  text.family(Kind::counter, name, help, unit);
  text.sample(value);
}

void gauge(MetricsText& text, std::string_view name, std::string_view help, std::uint64_t value,
           std::string_view unit = {}) {
  text.family(Kind::gauge, name, help, unit);
  text.sample(value);
}

void summary(MetricsText& text, std::string_view name, std::string_view help, const Histogram& histogram,
             double scale) {
  text.family(Kind::summary, name, help, "seconds");
  for (const double share : {0.5, 0.9, 0.99})
    if (histogram.count() != 0) text.quantile(share, histogram.percentile(share * 100) * scale);
  text.count_and_sum(histogram.count(), histogram.mean() * static_cast<double>(histogram.count()) * scale);
}

void write_events(MetricsText& text, const Statistics& statistics, std::uint64_t queue_overflow) {
  text.family(Kind::counter, "events", "Events that passed the filter and went to those who want them.");
  for (std::size_t i = 0; i < kEventTypeCount; ++i) {
    const TypeInfo& info = type_info(static_cast<EventType>(i));
    if (statistics.processed[i] != 0)
      text.sample(statistics.processed[i], {{"category", to_text(info.category)}, {"type", info.name}});
  }
  counter(text, "capture_records", "Queries and policy hits that named's threads handed over, because somebody looks.",
          statistics.drained_events);
  counter(text, "events_filtered", "Events that events.filter or events.types refused.", statistics.events_filtered);
  counter(text, "events_failed", "Events that could not be made.", statistics.events_failed);
  counter(text, "queries_sampled_out", "Queries that events.queries.sample left out.", statistics.events_sampled_out);
  text.family(Kind::counter, "events_dropped", "Events that a client wanted and was told it would not get.");
  for (std::size_t i = 0; i < kDropReasonCount; ++i) {
    const bool overflow = static_cast<DropReason>(i) == DropReason::queue_overflow;
    text.sample(overflow ? queue_overflow : statistics.dropped[i], {{"reason", kDropReasonNames[i]}});
  }
  summary(text, "hook_duration_seconds", "What capturing took in named's own thread; one query in 1,024 is measured.",
          statistics.hook_ns, kNs);
}

void write_delivery(MetricsText& text, const DeliveryStatistics& delivery) {
  text.family(Kind::counter, "delivered_events", "Events that were sent, repeated for each client.");
  text.sample(delivery.batched_events, {{"sent", "batched"}});
  text.sample(delivery.single_events - delivery.bypassed, {{"sent", "single"}});
  text.sample(delivery.bypassed, {{"sent", "urgent"}});
  counter(text, "delivered_frames", "Messages with events.", delivery.frames);
  counter(text, "delivered_batches", "Of these, batches.", delivery.batches);
  counter(text, "delivered_bytes", "Bytes of messages as sent.", delivery.wire_bytes, "bytes");
  counter(text, "delivered_plain_bytes", "The same before compression.", delivery.plain_bytes, "bytes");
  counter(text, "client_overflows", "Times that a client fell behind.", delivery.overflows);
  if (delivery.lag_us)
    summary(text, "delivery_lag_seconds", "From an event's capture to its being handed to the socket.",
            *delivery.lag_us, kUs);
}

void write_journal(MetricsText& text, const JournalReport& journal) {
  if (journal.state == JournalReport::State::off) return;
  gauge(text, "journal_up", "1: it stores; 0: it cannot.", journal.state == JournalReport::State::ok ? 1 : 0);
  counter(text, "journal_stored_events", "Events stored by this process.", journal.stored);
  counter(text, "journal_removed_events", "Events that retention removed.", journal.removed);
  counter(text, "journal_dropped_events", "Events that could not be stored.",
          journal.dropped_events + journal.dropped_queries);
  gauge(text, "journal_events", "Events in the journal.", journal.events.events + journal.queries.events);
  gauge(text, "journal_queued_bytes", "What waits to be stored.", journal.queued_bytes, "bytes");
  gauge(text, "journal_size_bytes", "The journal on disk.", journal.size_bytes, "bytes");
}

void write_alerts(MetricsText& text, const Alerts::Counters& alerts, std::size_t open) {
  gauge(text, "alerts_open", "Alerts that wait for somebody to acknowledge them.", open);
  counter(text, "alerts_opened", "Alerts that began.", alerts.opened);
  text.family(Kind::counter, "alerts_ended", "Alerts that ended, by how.");
  text.sample(alerts.acknowledged, {{"how", "acknowledged"}});
  text.sample(alerts.resolved, {{"how", "resolved"}});
  text.sample(alerts.expired, {{"how", "expired"}});
  text.sample(alerts.given_up, {{"how", "given_up"}});
  text.sample(alerts.pushed_out, {{"how", "pushed_out"}});
  counter(text, "alert_escalations", "Steps of the ladder that were taken.", alerts.escalated);
}

void write_webhooks(MetricsText& text, const WebhookCounters& webhooks, std::size_t pending) {
  gauge(text, "webhooks_pending", "Webhook posts under way.", pending);
  text.family(Kind::counter, "webhooks", "Webhook posts, by how they ended.");
  text.sample(webhooks.delivered, {{"outcome", "delivered"}});
  text.sample(webhooks.failed, {{"outcome", "failed"}});
  text.sample(webhooks.cancelled, {{"outcome", "cancelled"}});
  text.sample(webhooks.refused, {{"outcome", "refused"}});
}

void write_publishing(MetricsText& text, const Publishing& publishing) {
  const Publishing::Counters& counters = publishing.counters();
  counter(text, "published_events", "Events that publishers brought.", counters.published);
  counter(text, "published_duplicates", "Events that had come before.", counters.duplicates);
  text.family(Kind::counter, "published_refused", "Events of publishers that were refused, by why.");
  for (std::size_t i = 0; i < kRefusedBecauseCount; ++i)
    text.sample(counters.refused[i], {{"because", kRefusedBecauseNames[i]}});
  gauge(text, "bulk_operations_open", "Bulk operations under way.", publishing.bulk().open());
}

}  // namespace

void Server::write_metrics(MetricsText& text) {
  const Hub& hub = shared_.hub;
  const Statistics& statistics = hub.statistics();
  text.family(Kind::info, "build", "What runs here.");
  text.sample(std::uint64_t{1}, {{"version", kVersion}, {"service", hub.identity().service}});
  text.family(Kind::gauge, "uptime_seconds", "Since the runtime started.", "seconds");
  text.sample(seconds_of(read_clock().mono_us - statistics.started_us));
  write_events(text, statistics, channels_.statistics().dropped);
  write_delivery(text, channels_.statistics());
  gauge(text, "connections", "Clients that are connected.", connections_.size());
  counter(text, "connections_turned_away", "Connections for which there was no room.", turned_away_);
  gauge(text, "channels", "Groups of clients that share what they get.", channels_.all().size());
  gauge(text, "queued_bytes", "Events and frames that wait for clients.", channels_.queues().held, "bytes");
  gauge(text, "login_sessions", "Users who are logged in.", identity_.sessions());
  summary(text, "loop_busy_seconds", "How long a turn of the loop takes, without its waiting.",
          channels_.loop_busy_us(), kUs);
  counter(text, "faults", "Pieces of the loop's work that failed.", hub.faults().count());
  const auto listening = std::ranges::count_if(listeners_, [](const Listener& each) { return bool{each.acceptor}; });
  text.family(Kind::gauge, "listeners", "Addresses to listen on.");
  text.sample(static_cast<std::uint64_t>(listening), {{"state", "listening"}});
  text.sample(listeners_.size() - static_cast<std::uint64_t>(listening), {{"state", "failing"}});
  write_journal(text, journal_.report());
  write_alerts(text, escalations_.counters(), escalations_.open());
  write_webhooks(text, webhooks_.counters(), webhooks_.pending());
  write_publishing(text, publishing_);
}

}  // namespace bindcast
