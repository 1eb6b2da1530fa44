#include "plugin/capture/query_event.hpp"

#include <charconv>

#include "events/dns_text.hpp"

namespace bindcast {

namespace {

constexpr struct {
  std::uint16_t bit;
  std::string_view name;
} kHeaderFlags[] = {{0x8000, "qr"}, {0x0400, "aa"}, {0x0200, "tc"}, {0x0100, "rd"},
                    {0x0080, "ra"}, {0x0020, "ad"}, {0x0010, "cd"}};

constexpr std::uint16_t kAuthoritativeAnswer = 0x0400;

void add_name(Fields& data, Fields::Key key, std::span<const std::uint8_t> wire) {
  data.add_text_with(key, max_name_text(wire.size()), [wire](char* at) { return write_name(at, wire); });
}

void add_address(Fields& data, Fields::Key key, int family, const std::uint8_t* bytes) {
  data.add_text_with(key, kMaxAddressText, [=](char* at) { return write_address(at, family, bytes); });
}

template <typename Write>
void add_code(Fields& data, Fields::Key key, Write write, std::uint16_t code) {
  data.add_text_with(key, kMaxCodeText, [=](char* at) { return write(at, code); });
}

void add_subnet(Fields& data, Fields::Key key, int family, const std::uint8_t* bytes, std::uint8_t prefix) {
  constexpr std::size_t kPrefixText = 4;
  data.add_text_with(key, kMaxAddressText + kPrefixText, [=](char* at) {
    at = write_address(at, family, bytes);
    *at++ = '/';
    return std::to_chars(at, at + kPrefixText, prefix).ptr;
  });
}

// When the request ended, on the wall clock.
std::int64_t wall_time(const QueryRecord& record, Now now) {
  return now.wall_us - (now.mono_us - static_cast<std::int64_t>(record.ended_ns / 1000));
}

void add_rpz(Fields& data, const QueryView& query) {
  const QueryRecord& record = query.fixed;
  add_name(data, "policy_zone"_key, query.policy_zone);
  if (record.policy_serial != 0) data.add_integer("policy_serial"_key, record.policy_serial);
  data.add("trigger"_key, kTriggerNames[static_cast<std::size_t>(record.trigger)]);
  if (!query.rule.empty()) add_name(data, "rule"_key, query.rule);
  data.add("action"_key, kActionNames[static_cast<std::size_t>(record.action)]);
}

}  // namespace

std::string_view feed_category(const std::vector<FeedRule>& feeds, std::string_view policy_zone) {
  for (const FeedRule& rule : feeds)
    if (glob_match(rule.zone_pattern, policy_zone)) return rule.category;
  return {};
}

void write_query_event(Event& event, EventType type, const QueryView& query, const QueryEventOptions& options,
                       Now now) {
  const QueryRecord& record = query.fixed;
  reset_event(event, type);
  event.timestamp_us = wall_time(record, now);
  event.source_component = "query";
  event.view = query.view;
  event.sampled = record.sample;

  Fields& data = event.data;
  add_address(data, "client"_key, record.client_family, record.client.data());
  data.add_integer("client_port"_key, record.client_port);
  data.add("transport"_key, kTransportNames[static_cast<std::size_t>(record.transport)]);
  add_name(data, "qname"_key, query.qname);
  add_code(data, "qtype"_key, write_rrtype, record.qtype);
  add_code(data, "qclass"_key, write_rrclass, record.qclass);
  if (record.dropped) {
    data.add_boolean("dropped"_key, true);
  } else {
    add_code(data, "rcode"_key, write_rcode, record.rcode);
    data.begin_array("flags"_key);
    for (const auto& flag : kHeaderFlags)
      if ((record.flags & flag.bit) != 0) data.add({}, flag.name);
    data.end();
    data.add_integer("answers"_key, record.answers);
    data.add_integer("authority"_key, record.authority);
    data.add_integer("additional"_key, record.additional);
  }
  if (options.latency) data.add_integer("latency_us"_key, static_cast<std::int64_t>(record.latency_ns / 1000));
  data.add("view"_key, query.view);
  if (record.edns_version >= 0) {
    data.begin_object("edns"_key);
    data.add_integer("version"_key, record.edns_version);
    data.add_integer("udp_size"_key, record.edns_udp_size);
    data.add_boolean("do"_key, record.edns_do);
    data.end();
  }
  if (record.ecs_family != 0) add_subnet(data, "ecs"_key, record.ecs_family, record.ecs.data(), record.ecs_source);
  if (!query.tsig_key.empty()) add_name(data, "tsig_key"_key, query.tsig_key);
  data.add_boolean("recursive"_key, record.recursed);
  data.add_boolean("authoritative"_key, !record.dropped && (record.flags & kAuthoritativeAnswer) != 0);
  data.add_boolean("cached"_key, record.cached);
  if (record.has_ede) data.add_integer("ede"_key, record.ede_code);
  if (record.has_rpz) {
    data.begin_object("rpz"_key);
    add_rpz(data, query);
    data.end();
  }
}

Event rpz_event(const QueryView& query, const std::vector<FeedRule>& feeds, std::uint64_t count, Now now) {
  const QueryRecord& record = query.fixed;
  char policy_zone[kMaxNameText];
  const std::string_view category = feed_category(feeds, {policy_zone, write_name(policy_zone, query.policy_zone)});
  EventType type = EventType::dns_query_blocked;
  if (record.action == RpzAction::passthru) {
    type = EventType::dns_query_allowed;
  } else if (category == kMalwareFeed) {
    type = EventType::malware_blocked;
  } else if (category == kPhishingFeed) {
    type = EventType::phishing_blocked;
  }
  Event event = make_event(type);
  event.timestamp_us = wall_time(record, now);
  event.source_component = "rpz";
  event.view = query.view;

  Fields& data = event.data;
  add_address(data, "client"_key, record.client_family, record.client.data());
  add_name(data, "qname"_key, query.qname);
  add_code(data, "qtype"_key, write_rrtype, record.qtype);
  if (record.dropped) {
    data.add_boolean("dropped"_key, true);
  } else {
    add_code(data, "rcode"_key, write_rcode, record.rcode);
  }
  add_rpz(data, query);
  if (!category.empty()) data.add("feed_category"_key, category);
  data.add("view"_key, query.view);
  data.add_integer("count"_key, static_cast<std::int64_t>(count));
  return event;
}

}  // namespace bindcast
