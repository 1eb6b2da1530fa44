#include "plugin/server/statistics_json.hpp"

#include <string>
#include <utility>

#include "events/json.hpp"
#include "events/timestamp.hpp"

namespace bindcast {

namespace {

void set_real(json_t* object, const char* key, double value) {
  set_json(object, key, Json(json_real(value)));
}

std::string time_text(std::int64_t us) {
  std::string text;
  append_timestamp(text, us);
  return text;
}

double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

Json by_reason_json(const std::array<std::uint64_t, kDropReasonCount>& counts) {
  Json object(json_object());
  for (std::size_t i = 0; i < kDropReasonCount; ++i)
    set(object.get(), std::string(kDropReasonNames[i]).c_str(), counts[i]);
  return object;
}

void set_account(json_t* object, const Account& account) {
  set(object, "events_accepted", account.accepted);
  set(object, "events_repeated", account.repeated);
  set(object, "events_delivered", account.delivered);
  set(object, "events_folded", account.folded);
  set(object, "events_queued", account.waiting);
  set_json(object, "events_dropped", by_reason_json(account.dropped));
  set_json(object, "events_untold", by_reason_json(account.untold));
}

Json histogram_json(const Histogram& histogram) {
  Json object(json_object());
  set(object.get(), "count", std::uint64_t{histogram.count()});
  set(object.get(), "mean", static_cast<std::uint64_t>(histogram.mean()));
  set(object.get(), "p50", std::uint64_t{histogram.percentile(50)});
  set(object.get(), "p90", std::uint64_t{histogram.percentile(90)});
  set(object.get(), "p99", std::uint64_t{histogram.percentile(99)});
  set(object.get(), "max", std::uint64_t{histogram.maximum()});
  return object;
}

Json webhooks_json(const WebhookCounters& counters, std::size_t pending) {
  Json object(json_object());
  json_t* o = object.get();
  set(o, "accepted", counters.accepted);
  set(o, "pending", std::uint64_t{pending});
  set(o, "attempts", counters.attempts);
  set(o, "delivered", counters.delivered);
  set(o, "failed", counters.failed);
  set(o, "cancelled", counters.cancelled);
  set(o, "refused", counters.refused);
  return object;
}

Json journal_json(const JournalReport& report, const StreamIdentity& stream) {
  constexpr std::string_view kStates[] = {"off", "starting", "ok", "failing"};
  const auto pair = [](std::uint64_t events, std::uint64_t queries) {
    Json object(json_object());
    set(object.get(), "events", events);
    set(object.get(), "queries", queries);
    return object;
  };
  Json object(json_object());
  json_t* o = object.get();
  set(o, "state", kStates[static_cast<std::size_t>(report.state)]);
  if (!report.reason.empty()) set(o, "reason", report.reason);
  set(o, "since", time_text(report.since_us));
  set(o, "path", report.path);
  if (report.through != 0) set(o, "durable_through", event_id(stream, report.through));
  set_json(o, "stored", pair(report.events.events, report.queries.events));
  set(o, "stored_by_this_process", report.stored);
  set(o, "removed", report.removed);
  set_json(o, "dropped", pair(report.dropped_events, report.dropped_queries));
  set(o, "queued", report.queued);
  set(o, "queued_bytes", report.queued_bytes);
  set(o, "size_bytes", report.size_bytes);
  if (report.oldest_us != 0) set(o, "oldest", time_text(report.oldest_us));
  return object;
}

Json health_json(const Health& health) {
  Json object(json_object()), components(json_object());
  for (const auto& [name, component] : health.components()) {
    Json entry(json_object());
    json_t* o = entry.get();
    set(o, "state", to_text(component.state));
    if (!component.reason.empty()) set(o, "reason", component.reason);
    set(o, "since", time_text(component.since_wall_us));
    if (component.attempts != 0) set(o, "attempts", std::uint64_t{component.attempts});
    if (component.next_attempt_wall_us != 0) set(o, "next_attempt", time_text(component.next_attempt_wall_us));
    if (component.relapses != 0) set(o, "relapses", std::uint64_t{component.relapses});
    set_json(components.get(), name.c_str(), std::move(entry));
  }
  set(object.get(), "state", to_text(health.worst()));
  set_json(object.get(), "components", std::move(components));
  return object;
}

Json fields_json(const Fields& fields) {
  std::string text;
  append_json_value(text, fields.root());
  json_error_t fault;
  return parse_json(text, 0, fault);
}

Json delivery_json(const DeliveryStatistics& statistics) {
  Json object(json_object());
  json_t* o = object.get();
  set(o, "frames", statistics.frames);
  set(o, "batches", statistics.batches);
  set_real(o, "average_batch_size", ratio(statistics.batched_events, statistics.batches));
  set(o, "single_events", statistics.single_events);
  set(o, "bypassed", statistics.bypassed);
  set(o, "overflows", statistics.overflows);
  set(o, "dropped", statistics.dropped);
  set(o, "bytes", statistics.wire_bytes);
  set(o, "bytes_saved", statistics.plain_bytes - statistics.wire_bytes);
  set(o, "compressed_frames", statistics.compressed);
  set_real(o, "compression_ratio", ratio(statistics.compressed_wire_bytes, statistics.compressed_plain_bytes));
  if (statistics.lag_us) set_json(o, "lag_us", histogram_json(*statistics.lag_us));
  return object;
}

Json queue_json(const ClientQueue& queue) {
  constexpr std::string_view kStandings[] = {"in_step", "behind", "full"};
  const Account account = queue.account();
  const DeliveryStatistics& statistics = queue.statistics();
  Json object(json_object()), dropped(json_object());
  json_t* o = object.get();
  set(o, "standing", kStandings[static_cast<std::size_t>(queue.standing())]);
  set(o, "events", account.waiting);
  set(o, "bytes", std::uint64_t{queue.bytes()});
  set(o, "most_events", std::uint64_t{queue.options().max_events});
  set(o, "delivered", account.delivered);
  set(o, "folded", account.folded);
  for (std::size_t i = 0; i < kDropReasonCount; ++i)
    if (account.dropped[i] != 0) set(dropped.get(), std::string(kDropReasonNames[i]).c_str(), account.dropped[i]);
  set_json(o, "dropped", std::move(dropped));
  set(o, "batches", statistics.batches);
  set_real(o, "average_batch_size", ratio(statistics.batched_events, statistics.batches));
  set(o, "bytes_saved", statistics.plain_bytes - statistics.wire_bytes);
  set_real(o, "compression_ratio", ratio(statistics.compressed_wire_bytes, statistics.compressed_plain_bytes));
  return object;
}

Json channel_json(const Channel& channel, Now now) {
  Json object(json_object());
  json_t* o = object.get();
  set(o, "format", subprotocol_of(channel.wish().packing.format));
  set(o, "clients", std::uint64_t{channel.clients()});
  set(o, "clients_behind", std::uint64_t{channel.clients_behind()});
  set(o, "events_matched", channel.matched());
  set(o, "events_pending", channel.pending());
  set_real(o, "events_per_second", channel.arrival_per_second(now));
  set_json(o, "delivery", delivery_json(channel.statistics()));
  return object;
}

}  // namespace bindcast
