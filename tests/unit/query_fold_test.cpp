// Folding of like queries: which are alike, that no event is lost or counted twice, and that the bounds hold.

#include "harness.hpp"

#include <map>
#include <random>
#include <set>
#include <vector>

#include "events/json.hpp"
#include "plugin/capture/query_event.hpp"
#include "plugin/delivery/query_fold.hpp"

namespace {

using namespace bindcast;

const StreamIdentity kStream{.epoch = "e1", .host = "ns1", .service = "named"};
constexpr std::int64_t kStartUs = 1'764'000'000'000'000;  // 2025-11-24T16:00:00Z
const Now kNow{.mono_us = 0, .wall_us = kStartUs + 500'000};

struct Asked {
  std::string qname = "www.example.com";
  std::string view = "_default";
  std::uint16_t qtype = 1;  // A
  std::uint16_t rcode = 0;
  Transport transport = Transport::udp;
  std::uint16_t client = 1;  // 192.0.<high byte>.<low byte>
  std::uint32_t latency_us = 100;
  std::uint32_t sample = 1;
  bool dropped = false;
  bool latency = true;
  std::int64_t ended_us = 0;  // after kStartUs
};

// As the capture makes it.
Event query(std::uint64_t offset, const Asked& asked = {}, EventType type = EventType::dns_query_log) {
  std::string wire;
  for (std::size_t at = 0; at < asked.qname.size();) {
    const std::size_t dot = std::min(asked.qname.find('.', at), asked.qname.size());
    wire.push_back(static_cast<char>(dot - at));
    wire.append(asked.qname, at, dot - at);
    at = dot + 1;
  }
  wire.push_back('\0');

  QueryView seen;
  seen.fixed = QueryRecord{};
  seen.fixed.edns_version = -1;
  seen.fixed.client_family = 4;
  seen.fixed.client[0] = 192;
  seen.fixed.client[2] = static_cast<std::uint8_t>(asked.client >> 8);
  seen.fixed.client[3] = static_cast<std::uint8_t>(asked.client);
  seen.fixed.qtype = asked.qtype;
  seen.fixed.qclass = 1;
  seen.fixed.rcode = asked.rcode;
  seen.fixed.transport = asked.transport;
  seen.fixed.sample = asked.sample;
  seen.fixed.dropped = asked.dropped;
  seen.fixed.latency_ns = std::uint64_t{asked.latency_us} * 1000;
  seen.fixed.ended_ns = static_cast<std::uint64_t>(asked.ended_us) * 1000;
  seen.qname = {reinterpret_cast<const std::uint8_t*>(wire.data()), wire.size()};
  seen.view = asked.view;
  Event event;
  write_query_event(event, type, seen, {.latency = asked.latency}, {.mono_us = 0, .wall_us = kStartUs});
  event.offset = offset;
  return event;
}

std::string data_of(const Event& event) {
  std::string text;
  append_json_value(text, event.data.root());
  return text;
}

std::int64_t count_of(const Event& event) {
  return event.data.find("count").integer();
}

void like_queries_become_one_event(void**) {
  QueryFold fold(100);
  assert_true(fold.fold(query(41, {.latency_us = 300})));
  assert_true(fold.fold(query(42, {.qname = "WWW.Example.COM", .latency_us = 103, .ended_us = 1000})));
  assert_true(fold.fold(query(43, {.latency_us = 100, .ended_us = 2000})));
  assert_int_equal(fold.groups(), 1);
  assert_int_equal(fold.folded(), 3);

  const auto events = fold.take(kStream, kNow);
  assert_int_equal(events.size(), 1);
  const Event& event = events[0];
  assert_text(
      data_of(event),
      R"({"qname":"www.example.com","qtype":"A","rcode":"NOERROR","view":"_default","transport":"udp","count":3,)"
      R"("client":"192.0.0.1","latency_us":{"min":100,"mean":168,"max":300},)"
      R"("first":"e1-000000000041","last":"e1-000000000043",)"
      R"("from":"2025-11-24T16:00:00.000000Z","to":"2025-11-24T16:00:00.002000Z"})");
  assert_true(event.type == EventType::dns_query_batch);
  assert_true(event.priority == Priority::low);
  assert_true(event.severity == Severity::info);
  assert_int_equal(event.offset, 0);
  assert_int_equal(event.timestamp_us, kNow.wall_us);
  assert_text(event.view, "_default");
  assert_text(event.source_service, "named");
}

void what_differs_is_not_folded_together(void**) {
  QueryFold fold(100);
  const Asked asked[] = {{},           {.qname = "wwwx.example.com"}, {.view = "internal"}, {.qtype = 28},
                         {.rcode = 3}, {.transport = Transport::tcp}, {.dropped = true}};
  std::uint64_t offset = 0;
  for (const Asked& each : asked) assert_true(fold.fold(query(++offset, each)));
  assert_int_equal(fold.groups(), std::size(asked));
  for (const Event& event : fold.take(kStream, kNow)) assert_int_equal(count_of(event), 1);
}

void parts_of_a_key_do_not_run_into_each_other(void**) {
  QueryFold fold(100);
  Event one = query(1), other = query(2);
  one.view = "view";
  other.view = "viewA";
  for (const auto& [event, qtype] : {std::pair{&one, "AAAA"}, std::pair{&other, "AAA"}}) {
    event->data.clear();
    event->data.add("qname", "x").add("qtype", qtype).add("rcode", "NOERROR").add("transport", "udp");
    assert_true(fold.fold(*event));
  }
  assert_int_equal(fold.groups(), 2);
}

void a_request_without_an_answer_has_no_rcode(void**) {
  QueryFold fold(100);
  assert_true(fold.fold(query(1, {.dropped = true})));
  assert_true(fold.fold(query(2, {.dropped = true})));
  const auto events = fold.take(kStream, kNow);
  assert_int_equal(events.size(), 1);
  assert_contains(data_of(events[0]), R"("qtype":"A","dropped":true,"view")");
}

void other_events_are_left_to_the_caller(void**) {
  QueryFold fold(100);
  assert_false(fold.fold(query(1, {}, EventType::dns_query_failed)));
  assert_false(fold.fold(make_event(EventType::zone_updated)));
  assert_false(fold.fold(make_event(EventType::dns_query_log)));  // without data
  for (const auto& [key, size] : {std::pair{"qname", 1025}, std::pair{"qtype", 256}, std::pair{"client", 256}}) {
    Event event = make_event(EventType::dns_query_log);
    if (key != std::string_view("qname")) event.data.add("qname", "example.com");
    event.data.add(key, std::string(static_cast<std::size_t>(size), 'x'));
    assert_false(fold.fold(event));
  }
  assert_int_equal(fold.folded(), 0);
  assert_int_equal(fold.groups(), 0);
  assert_int_equal(fold.take(kStream, kNow).size(), 0);
}

void queries_whose_name_is_masked_are_folded_too(void**) {
  QueryFold fold(100);
  for (std::uint64_t offset : {1, 2}) {
    Event event = make_event(EventType::dns_query_log);
    event.offset = offset;
    event.data.add("qtype", "A").add("rcode", "NOERROR");
    assert_true(fold.fold(event));
  }
  const auto events = fold.take(kStream, kNow);
  assert_int_equal(events.size(), 1);
  assert_int_equal(count_of(events[0]), 2);
  assert_true(events[0].data.find("qname").kind() == Fields::Kind::null);
}

void sampled_events_count_once_and_stand_for_more_queries(void**) {
  QueryFold fold(100);
  assert_true(fold.fold(query(1, {.sample = 10})));
  assert_true(fold.fold(query(2, {.sample = 1})));
  const auto events = fold.take(kStream, kNow);
  assert_contains(data_of(events[0]), R"("count":2,"queries":11,)");
}

void clients_are_counted_up_to_sixteen(void**) {
  const auto clients = [](std::uint16_t count) {
    QueryFold fold(1);
    for (std::uint16_t round = 0; round < 2; ++round)
      for (std::uint16_t i = 0; i < count; ++i) assert_true(fold.fold(query(1, {.client = i})));
    return data_of(fold.take(kStream, kNow).at(0));
  };
  assert_contains(clients(1), R"("count":2,"client":"192.0.0.0",)");
  assert_contains(clients(2), R"("count":4,"clients":2,"latency_us")");
  assert_contains(clients(16), R"("count":32,"clients":16,"latency_us")");
  assert_contains(clients(17), R"("count":34,"clients":16,"clients_at_least":true,)");
  assert_contains(clients(300), R"("count":600,"clients":16,"clients_at_least":true,)");
}

void what_an_event_does_not_say_is_left_out(void**) {
  QueryFold fold(100);
  assert_true(fold.fold(query(1, {.latency = false})));
  Event event = make_event(EventType::dns_query_log);
  event.offset = 2;
  event.data.add("qname", "nameless.example");
  assert_true(fold.fold(event));
  const auto events = fold.take(kStream, kNow);
  assert_contains(data_of(events[0]), R"("client":"192.0.0.1","first")");
  assert_contains(data_of(events[1]), R"("count":1,"first")");
}

void first_and_last_are_the_outermost(void**) {
  QueryFold fold(100);
  assert_true(fold.fold(query(7, {.ended_us = 1000})));
  assert_true(fold.fold(query(9, {.ended_us = 0})));
  assert_true(fold.fold(query(5, {.ended_us = 500})));
  const std::string data = data_of(fold.take(kStream, kNow).at(0));
  assert_contains(data, R"("first":"e1-000000000005","last":"e1-000000000009",)");
  assert_contains(data, R"("from":"2025-11-24T16:00:00.000000Z","to":"2025-11-24T16:00:00.001000Z")");
}

void events_come_in_order_and_once(void**) {
  QueryFold fold(1000);
  for (std::uint64_t i = 0; i < 500; ++i)
    assert_true(fold.fold(query(1000 - i, {.qname = "n" + std::to_string(i) + ".example"})));
  const auto events = fold.take(kStream, kNow);
  assert_int_equal(events.size(), 500);
  for (std::size_t i = 1; i < events.size(); ++i)
    assert_true(events[i - 1].data.find("first").text() < events[i].data.find("first").text());
  assert_int_equal(fold.groups(), 0);
  assert_int_equal(fold.folded(), 0);
  assert_int_equal(fold.bytes(), 0);
  assert_int_equal(fold.take(kStream, kNow).size(), 0);
  // And counts from the beginning again.
  assert_true(fold.fold(query(2000)));
  assert_int_equal(count_of(fold.take(kStream, kNow).at(0)), 1);
}

void a_full_table_still_folds_what_it_knows(void**) {
  QueryFold fold(3);
  for (std::uint16_t type = 1; type <= 3; ++type) assert_true(fold.fold(query(type, {.qtype = type})));
  assert_false(fold.fold(query(4, {.qtype = 4})));
  assert_true(fold.fold(query(5, {.qtype = 2})));
  assert_int_equal(fold.groups(), 3);
  assert_int_equal(fold.folded(), 4);
  QueryFold none(0);
  assert_false(none.fold(query(1)));
}

std::string long_name(std::uint64_t i) {
  const std::string label(40, 'x');
  return "n" + std::to_string(i) + "." + label + "." + label + "." + label + "." + label;
}

void bytes_are_bounded(void**) {
  QueryFold fold(1'000'000);
  std::uint64_t groups = 0;
  while (groups < 100'000 && fold.fold(query(groups + 1, {.qname = long_name(groups)}))) {
    const std::size_t before = fold.bytes();
    ++groups;
    assert_true(before >= groups * long_name(0).size());
  }
  assert_in_range(groups, 1000, 5000);
  // Known ones are folded on, and of the clients that no longer fit it is said that there were more.
  for (std::uint64_t i = 0; i < groups; ++i)
    for (std::uint16_t client = 2; client < 12; ++client)
      assert_true(fold.fold(query(groups + 1, {.qname = long_name(i), .client = client})));
  assert_true(fold.bytes() <= QueryFold::kMaxBytes);
  assert_int_equal(fold.groups(), groups);
  const auto events = fold.take(kStream, kNow);
  assert_int_equal(events.size(), groups);
  for (const Event& event : events) assert_int_equal(count_of(event), 11);
  assert_contains(data_of(events.back()), R"("clients":1,"clients_at_least":true,)");
}

// Any mixture: each event is in exactly one count, or was left to the caller.
void no_event_is_lost(void**) {
  std::mt19937 random(1);
  QueryFold fold(200);
  std::map<std::string, std::int64_t> expected;
  std::int64_t left = 0;
  constexpr std::int64_t kEvents = 20'000;
  for (std::int64_t i = 0; i < kEvents; ++i) {
    const Asked asked{.qname = "n" + std::to_string(random() % 300) + ".example",
                      .qtype = static_cast<std::uint16_t>(1 + random() % 2),
                      .client = static_cast<std::uint16_t>(random() % 40)};
    if (fold.fold(query(static_cast<std::uint64_t>(i) + 1, asked))) {
      ++expected[asked.qname + (asked.qtype == 1 ? " A" : " NS")];
    } else {
      ++left;
    }
  }
  assert_int_equal(fold.groups(), 200);
  assert_int_equal(static_cast<std::int64_t>(fold.folded()) + left, kEvents);
  std::map<std::string, std::int64_t> told;
  for (const Event& event : fold.take(kStream, kNow))
    told[std::string(event.data.find("qname").text()) + " " + std::string(event.data.find("qtype").text())] +=
        count_of(event);
  assert_true(told == expected);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(like_queries_become_one_event),
      cmocka_unit_test(what_differs_is_not_folded_together),
      cmocka_unit_test(parts_of_a_key_do_not_run_into_each_other),
      cmocka_unit_test(a_request_without_an_answer_has_no_rcode),
      cmocka_unit_test(other_events_are_left_to_the_caller),
      cmocka_unit_test(queries_whose_name_is_masked_are_folded_too),
      cmocka_unit_test(sampled_events_count_once_and_stand_for_more_queries),
      cmocka_unit_test(clients_are_counted_up_to_sixteen),
      cmocka_unit_test(what_an_event_does_not_say_is_left_out),
      cmocka_unit_test(first_and_last_are_the_outermost),
      cmocka_unit_test(events_come_in_order_and_once),
      cmocka_unit_test(a_full_table_still_folds_what_it_knows),
      cmocka_unit_test(bytes_are_bounded),
      cmocka_unit_test(no_event_is_lost),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
