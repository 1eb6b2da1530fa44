#include "plugin/changes/zone_change.hpp"

#include <algorithm>
#include <utility>

#include "plugin/changes/policy_rule.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kBulkSample = 10;  // differences shown in a folded event
constexpr std::size_t kMaxCountedTypes = 64;

void add_serial(Fields& data, std::uint32_t from, std::uint32_t to) {
  data.begin_object("serial");
  data.add_integer("from", from);
  data.add_integer("to", to);
  data.end();
}

// How many records of `a` are not in `b`.
std::uint64_t missing(const RRsetState& a, const RRsetState& b) {
  return static_cast<std::uint64_t>(std::ranges::count_if(
      a.rdata, [&](const std::string& rdata) { return std::ranges::find(b.rdata, rdata) == b.rdata.end(); }));
}

EventType record_type(const RRsetState& before, const RRsetState& after, EventType created, EventType updated,
                      EventType deleted) {
  if (before.rdata.empty()) return created;
  return after.rdata.empty() ? deleted : updated;
}

void add_ttl_and_rdata(Fields& data, const RRsetState& state) {
  data.add_integer("ttl", state.ttl);
  data.begin_array("rdata");
  for (const std::string& rdata : state.rdata) data.add({}, rdata);
  data.end();
}

}  // namespace

void add_rrset(Fields& data, std::string_view key, const RRsetState& state) {
  if (state.rdata.empty()) return;
  data.begin_object(key);
  add_ttl_and_rdata(data, state);
  data.end();
}

ZoneChange::ZoneChange(ZoneIdentity zone, std::uint32_t serial_from, std::uint32_t serial_to,
                       std::string correlation_id, std::uint32_t bulk_threshold)
    : zone_(std::move(zone)),
      serial_from_(serial_from),
      serial_to_(serial_to),
      correlation_id_(std::move(correlation_id)),
      bulk_threshold_(bulk_threshold) {}

void ZoneChange::record(std::string name, std::string rtype, RRsetState before, RRsetState after) {
  if (before == after || (before.rdata.empty() && after.rdata.empty())) return;
  if (zone_.policy_zone && policy_trigger(name, zone_.zone).kind.empty()) return;  // the apex is no rule
  ++difference_count_;
  records_added_ += missing(after, before);
  records_removed_ += missing(before, after);
  const auto count = [&](Counts& counts) {
    if (before.rdata.empty()) {
      ++counts.created;
    } else if (after.rdata.empty()) {
      ++counts.deleted;
    } else {
      ++counts.updated;
    }
  };
  count(totals_);
  const bool room = by_rtype_.size() < kMaxCountedTypes || by_rtype_.contains(rtype);
  count(by_rtype_[room ? rtype : std::string("other")]);
  if (differences_.size() < bulk_threshold_)
    differences_.push_back({std::move(name), std::move(rtype), std::move(before), std::move(after)});
}

Event ZoneChange::event_of(EventType type) const {
  Event event = make_event(type);
  event.source_component = zone_.policy_zone ? "rpz" : "zone";
  event.view = zone_.view;
  event.correlation_id = correlation_id_;
  return event;
}

Event ZoneChange::record_event(const Difference& difference) const {
  using enum EventType;
  Event event =
      event_of(record_type(difference.before, difference.after, record_created, record_updated, record_deleted));
  Fields& data = event.data;
  data.add("zone", zone_.zone);
  data.add("view", zone_.view);
  data.add("name", difference.name);
  data.add("rtype", difference.rtype);
  add_rrset(data, "before", difference.before);
  add_rrset(data, "after", difference.after);
  add_serial(data, serial_from_, serial_to_);
  data.add("cause", zone_.cause);
  return event;
}

Event ZoneChange::rule_event(const Difference& difference) const {
  using enum EventType;
  Event event =
      event_of(record_type(difference.before, difference.after, rpz_rule_created, rpz_rule_updated, rpz_rule_deleted));
  const PolicyTrigger trigger = policy_trigger(difference.name, zone_.zone);
  Fields& data = event.data;
  data.add("policy_zone", zone_.zone);
  data.add("view", zone_.view);
  data.add("rule", difference.name);
  data.add("trigger", trigger.kind);
  data.add("subject", trigger.subject);
  const auto side = [&](std::string_view key, const RRsetState& state) {
    if (state.rdata.empty()) return;
    data.begin_object(key);
    data.add("action", policy_action(difference.rtype, state.rdata, trigger.subject));
    data.add("rtype", difference.rtype);
    add_ttl_and_rdata(data, state);
    data.end();
  };
  side("before", difference.before);
  side("after", difference.after);
  data.add_integer("serial", serial_to_);
  data.add("cause", zone_.cause);
  return event;
}

Event ZoneChange::bulk_event() const {
  Event event = event_of(EventType::record_bulk_operation);
  Fields& data = event.data;
  data.add("zone", zone_.zone);
  data.add("view", zone_.view);
  add_serial(data, serial_from_, serial_to_);
  data.add("cause", zone_.cause);
  data.add_integer("rrsets", static_cast<std::int64_t>(difference_count_));
  const auto counts = [&data](std::string_view key, const Counts& c) {
    data.begin_object(key);
    data.add_integer("created", static_cast<std::int64_t>(c.created));
    data.add_integer("updated", static_cast<std::int64_t>(c.updated));
    data.add_integer("deleted", static_cast<std::int64_t>(c.deleted));
    data.end();
  };
  counts("by_operation", totals_);
  data.begin_object("by_rtype");
  for (const auto& [rtype, c] : by_rtype_) counts(rtype, c);
  data.end();
  data.begin_array("sample");
  for (std::size_t i = 0; i < std::min(kBulkSample, differences_.size()); ++i) {
    const Difference& difference = differences_[i];
    data.begin_object({});
    data.add("name", difference.name);
    data.add("rtype", difference.rtype);
    add_rrset(data, "before", difference.before);
    add_rrset(data, "after", difference.after);
    data.end();
  }
  data.end();
  return event;
}

Event ZoneChange::zone_event() const {
  Event event = event_of(EventType::zone_updated);
  Fields& data = event.data;
  data.add("zone", zone_.zone);
  data.add("view", zone_.view);
  data.add("zone_type", zone_.zone_type);
  add_serial(data, serial_from_, serial_to_);
  data.begin_object("records");
  data.add_integer("added", static_cast<std::int64_t>(records_added_));
  data.add_integer("removed", static_cast<std::int64_t>(records_removed_));
  data.end();
  data.add("cause", zone_.cause);
  return event;
}

Event ZoneChange::policy_zone_event() const {
  Event event = event_of(EventType::rpz_update);
  Fields& data = event.data;
  data.add("policy_zone", zone_.zone);
  data.add("view", zone_.view);
  data.add_integer("serial", serial_to_);
  data.begin_object("rules");
  data.add_integer("added", static_cast<std::int64_t>(totals_.created));
  data.add_integer("updated", static_cast<std::int64_t>(totals_.updated));
  data.add_integer("removed", static_cast<std::int64_t>(totals_.deleted));
  data.end();
  data.add("cause", zone_.cause);
  return event;
}

std::vector<Event> ZoneChange::take_events() {
  std::vector<Event> events;
  const bool bulk = difference_count_ > bulk_threshold_;
  // A policy zone says its counts in rpz_update; above the threshold its rules stay untold one by one.
  if (!bulk) {
    events.reserve(differences_.size() + 1);
    for (const Difference& difference : differences_)
      events.push_back(zone_.policy_zone ? rule_event(difference) : record_event(difference));
  } else if (!zone_.policy_zone) {
    events.push_back(bulk_event());
  }
  events.push_back(zone_.policy_zone ? policy_zone_event() : zone_event());
  if (zone_.policy_zone && (zone_.cause == "transfer" || zone_.cause == "reload")) {
    Event feed = event_of(EventType::threat_feed_update);
    feed.data = events.back().data;
    events.push_back(std::move(feed));
  }
  return events;
}

}  // namespace bindcast
