#include "plugin/capture/query_event.hpp"

#include "events/dns_text.hpp"

namespace bindcast {

namespace {

constexpr struct {
  std::uint16_t bit;
  std::string_view name;
} kHeaderFlags[] = {{0x8000, "qr"}, {0x0400, "aa"}, {0x0200, "tc"}, {0x0100, "rd"},
                    {0x0080, "ra"}, {0x0020, "ad"}, {0x0010, "cd"}};

constexpr std::uint16_t kAuthoritativeAnswer = 0x0400;

std::string name_text(std::span<const std::uint8_t> wire) {
  std::string text;
  append_name(text, wire);
  return text;
}

std::string address_text(int family, const std::uint8_t* bytes) {
  std::string text;
  if (family != 0) append_address(text, family, bytes);
  return text;
}

template <typename Append>
std::string code_text(Append append, std::uint16_t code) {
  std::string text;
  append(text, code);
  return text;
}

// When the request ended, on the wall clock.
std::int64_t wall_time(const QueryRecord& record, Now now) {
  return now.wall_us - (now.mono_us - static_cast<std::int64_t>(record.ended_ns / 1000));
}

std::string_view feed_category(const std::vector<FeedRule>& feeds, std::string_view policy_zone) {
  for (const FeedRule& rule : feeds)
    if (glob_match(rule.zone_pattern, policy_zone)) return rule.category;
  return {};
}

void add_rpz(Fields& data, const QueryView& query) {
  const QueryRecord& record = query.fixed;
  data.add("policy_zone", name_text(query.policy_zone));
  if (record.policy_serial != 0) data.add_integer("policy_serial", record.policy_serial);
  data.add("trigger", kTriggerNames[static_cast<std::size_t>(record.trigger)]);
  if (!query.rule.empty()) data.add("rule", name_text(query.rule));
  data.add("action", kActionNames[static_cast<std::size_t>(record.action)]);
}

}  // namespace

void write_query_event(Event& event, EventType type, const QueryView& query, const QueryEventOptions& options,
                       Now now) {
  const QueryRecord& record = query.fixed;
  reset_event(event, type);
  event.timestamp_us = wall_time(record, now);
  event.source_component = "query";
  event.view = query.view;
  event.sampled = record.sample;

  Fields& data = event.data;
  data.add("client", address_text(record.client_family, record.client));
  data.add_integer("client_port", record.client_port);
  data.add("transport", kTransportNames[static_cast<std::size_t>(record.transport)]);
  data.add("qname", name_text(query.qname));
  data.add("qtype", code_text(append_rrtype, record.qtype));
  data.add("qclass", code_text(append_rrclass, record.qclass));
  if (record.dropped) {
    data.add_boolean("dropped", true);
  } else {
    data.add("rcode", code_text(append_rcode, record.rcode));
    data.begin_array("flags");
    for (const auto& flag : kHeaderFlags)
      if ((record.flags & flag.bit) != 0) data.add({}, flag.name);
    data.end();
    data.add_integer("answers", record.answers);
    data.add_integer("authority", record.authority);
    data.add_integer("additional", record.additional);
  }
  if (options.latency) data.add_integer("latency_us", static_cast<std::int64_t>(record.latency_ns / 1000));
  data.add("view", query.view);
  if (record.edns_version >= 0) {
    data.begin_object("edns");
    data.add_integer("version", record.edns_version);
    data.add_integer("udp_size", record.edns_udp_size);
    data.add_boolean("do", record.edns_do);
    data.end();
  }
  if (record.ecs_family != 0)
    data.add("ecs", address_text(record.ecs_family, record.ecs) + "/" + std::to_string(record.ecs_source));
  if (!query.tsig_key.empty()) data.add("tsig_key", name_text(query.tsig_key));
  data.add_boolean("recursive", record.recursed);
  data.add_boolean("authoritative", !record.dropped && (record.flags & kAuthoritativeAnswer) != 0);
  data.add_boolean("cached", record.cached);
  if (record.has_ede) data.add_integer("ede", record.ede_code);
  if (record.has_rpz) {
    data.begin_object("rpz");
    add_rpz(data, query);
    data.end();
  }
}

Event rpz_event(const QueryView& query, const std::vector<FeedRule>& feeds, std::uint64_t count, Now now) {
  const QueryRecord& record = query.fixed;
  const std::string policy_zone = name_text(query.policy_zone);
  const std::string_view category = feed_category(feeds, policy_zone);
  EventType type = EventType::dns_query_blocked;
  if (record.action == RpzAction::passthru) {
    type = EventType::dns_query_allowed;
  } else if (category == "malware") {
    type = EventType::malware_blocked;
  } else if (category == "phishing") {
    type = EventType::phishing_blocked;
  }
  Event event = make_event(type);
  event.timestamp_us = wall_time(record, now);
  event.source_component = "rpz";
  event.view = query.view;

  Fields& data = event.data;
  data.add("client", address_text(record.client_family, record.client));
  data.add("qname", name_text(query.qname));
  data.add("qtype", code_text(append_rrtype, record.qtype));
  if (record.dropped) {
    data.add_boolean("dropped", true);
  } else {
    data.add("rcode", code_text(append_rcode, record.rcode));
  }
  add_rpz(data, query);
  if (!category.empty()) data.add("feed_category", category);
  data.add("view", query.view);
  data.add_integer("count", static_cast<std::int64_t>(count));
  return event;
}

}  // namespace bindcast
