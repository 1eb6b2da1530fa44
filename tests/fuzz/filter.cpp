// Filter expressions, up to the first NUL of the input; what follows it is a text of the events they are tried on.
//
// There is one implementation, so it is held against itself: logic must give what logic says, whatever the term is.
#include "events/filter.hpp"

#include <vector>

#include "fuzz.hpp"

namespace {

using namespace bindcast;
using fuzz::require;

const StreamIdentity kStream{.epoch = "e", .host = "ns1.example", .service = "named"};

std::vector<Event> events_with(std::string_view text) {
  std::vector<Event> events;
  const std::string qname = text.empty() ? "www.Example.com" : std::string(text);
  Event query = make_event(EventType::dns_query_log);
  query.offset = 42;
  query.timestamp_us = 1'795'442'531'000'000;
  query.view = "_default";
  query.source_service = kStream.service;
  query.source_component = "query";
  query.sampled = 10;
  query.data.add("client", "192.0.2.7").add("qname", qname).add("qtype", "A").add("rcode", "SERVFAIL");
  query.data.add_integer("latency_us", 5001).add_boolean("cached", false).add_real("share", 0.25).add_null("nothing");
  query.data.begin_object("edns").add_integer("udp_size", 1232).add_boolean("do", true).end();
  query.data.begin_array("flags").add("", "qr").add("", "rd").end();
  query.data.begin_array("answers");
  for (const int ttl : {300, 3600}) query.data.begin_object("").add("name", qname).add_integer("ttl", ttl).end();
  query.data.end();
  events.push_back(query);
  Event zone = make_event(EventType::zone_created);
  zone.priority = Priority::urgent;
  zone.expires_at_us = zone.timestamp_us + 1;
  zone.tags = {"a", std::string(text)};
  zone.correlation_id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
  zone.trace_id = text;
  zone.source_user_id = "vic";
  zone.target_user_id = "olga";
  zone.data.add("zone", text).add("client", "2001:db8::1").add("a.b", "dotted");
  zone.custom_fields.add("customer", text).add_integer("n", std::numeric_limits<std::int64_t>::min());
  events.push_back(zone);
  Event custom = make_event(EventType::custom_event);
  custom.custom_name = text.empty() ? "backup" : text;
  events.push_back(custom);
  return events;
}

// The answer for each event.
std::vector<bool> answers(const Filter& filter, const std::vector<Event>& events) {
  std::vector<bool> all;
  for (const Event& event : events) all.push_back(filter.matches(event, kStream));
  return all;
}

// An expression made of the first one; refused only where it breaks a bound of its own.
void require_answers(const std::string& expression, const std::vector<Event>& events,
                     const std::vector<bool>& expected) {
  Filter filter;
  Filter::Error error;
  if (Filter::compile(expression, filter, error)) {
    require(answers(filter, events) == expected, "logic gives what logic says", expression);
  } else {
    require(expression.size() > Filter::kMaxExpressionBytes || error.message.find("deeper than") != std::string::npos ||
                error.message.find("more than") != std::string::npos,
            "what is made of expressions is one", expression + ": " + error.message);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::string expression(input.until('\0'));
  const std::vector<Event> events = events_with(input.rest());
  Filter filter;
  Filter::Error error;
  if (!Filter::compile(expression, filter, error)) {
    require(error.column >= 1 && error.column <= expression.size() + 1, "a fault stands in the expression");
    require(!error.message.empty(), "a fault says what is wrong");
    fuzz::require_line(error.message, 2000);
    require(filter.matches_everything(), "a fault leaves the filter as it was");
    return 0;
  }
  const std::vector<bool> expected = answers(filter, events);
  if (filter.matches_everything()) {
    require(filter.expression().empty(), "what matches everything has no expression");
    require(std::ranges::find(expected, false) == expected.end(), "what matches everything matches");
    return 0;
  }
  require(filter.expression() == expression, "a filter keeps its expression");
  std::vector<bool> opposite = expected;
  opposite.flip();
  const std::string nested = "(" + expression + ")";
  require_answers("not " + nested, events, opposite);
  require_answers(nested + " and " + nested, events, expected);
  require_answers(nested + " and not " + nested, events, std::vector<bool>(events.size(), false));
  require_answers("not " + nested + " or " + nested, events, std::vector<bool>(events.size(), true));
  require_answers("not (type = \"zone_loaded\") and " + nested, events, expected);
  return 0;
}
