// The hub's pipeline: processors, the global filter, routing, and its counters.

#include "harness.hpp"

#include <stdexcept>
#include <vector>

#include "plugin/hub/hub.hpp"
#include "plugin/hub/policy_serials.hpp"
#include "plugin/server/roles.hpp"

namespace {

using namespace bindcast;

struct Taker : Subscriber {
  std::vector<EncodedRef> got;
  std::uint64_t lost_count = 0;
  int failures = 0;
  void deliver(const EncodedRef& event, Now) override { got.push_back(event); }
  void lost(DropReason, EventType, std::uint64_t count, Now) override { lost_count += count; }
  void failed() noexcept override { ++failures; }
};

struct Fixture {
  Hub hub{StreamIdentity{.epoch = "e", .host = "ns1", .service = "named"}, Now{}};
  Taker taker;
  Fixture() {
    taker.needs_events = true;
    hub.add_subscriber(taker);
  }
  ~Fixture() { hub.remove_subscriber(taker); }
  Subscription& subscribe() {
    taker.subscriptions.emplace_back();
    return taker.subscriptions.back();
  }
};

std::uint64_t emit(Hub& hub, EventType type, const char* zone = "example.com") {
  Event event = make_event(type);
  event.data.add("zone", zone);
  return hub.emit(std::move(event), {.mono_us = 1, .wall_us = 1'000'000});
}

void events_reach_those_who_asked(void**) {
  Fixture f;
  f.subscribe().types.set(static_cast<std::size_t>(EventType::zone_created));
  f.hub.subscriptions_changed();
  assert_true(f.hub.wanted(EventType::zone_created));
  assert_false(f.hub.wanted(EventType::dns_query_log));
  assert_int_equal(emit(f.hub, EventType::zone_created), 1);
  assert_int_equal(emit(f.hub, EventType::zone_deleted), 2);
  assert_int_equal(f.taker.got.size(), 1);
  assert_contains(f.taker.got[0]->json(), "\"id\":\"e-000000000001\"");
  assert_contains(f.taker.got[0]->json(), "\"source_service\":\"named\"");
}

void two_matching_subscriptions_deliver_once(void**) {
  Fixture f;
  f.subscribe().categories.set(static_cast<std::size_t>(Category::dns));
  f.subscribe();
  f.hub.subscriptions_changed();
  emit(f.hub, EventType::zone_created);
  assert_int_equal(f.taker.got.size(), 1);
}

void filters_and_minimums_refuse(void**) {
  Fixture f;
  Subscription& s = f.subscribe();
  Filter::Error error;
  assert_true(Filter::compile("zone under \"example.com\"", s.filter, error));
  s.min_severity = Severity::warning;
  f.hub.subscriptions_changed();
  emit(f.hub, EventType::zone_created);                // info
  emit(f.hub, EventType::zone_deleted, "other.test");  // not under
  emit(f.hub, EventType::zone_deleted, "a.example.com");
  assert_int_equal(f.taker.got.size(), 1);
}

void admin_events_need_an_admin(void**) {
  Fixture f;
  f.subscribe();
  f.taker.sight = Roles(Options{}).sight({.name = "vic", .roles = {"viewer"}});
  f.hub.subscriptions_changed();
  emit(f.hub, EventType::audit_log);
  assert_int_equal(f.taker.got.size(), 0);
  f.taker.sight = Roles(Options{}).sight({.name = "ann", .roles = {"admin"}});
  f.hub.subscriptions_changed();
  emit(f.hub, EventType::audit_log);
  assert_int_equal(f.taker.got.size(), 1);
}

void sampling_is_told_as_loss(void**) {
  Fixture f;
  f.subscribe().sample = 4;
  f.hub.subscriptions_changed();
  for (int i = 0; i < 100; ++i) emit(f.hub, EventType::zone_created);
  assert_int_equal(f.taker.got.size(), 25);
  assert_int_equal(f.taker.lost_count, 75);
}

void the_global_filter_and_overrides_apply_first(void**) {
  Fixture f;
  f.subscribe();
  Options options;
  options.events.filter = "zone != \"hidden.test\"";
  options.events.types[EventType::zone_created] = {.priority = Priority::urgent, .severity = {}, .audience = {}};
  options.events.types[EventType::zone_deleted] = {.priority = {}, .severity = {}, .audience = {}, .enabled = false};
  f.hub.configure(options);
  assert_int_equal(emit(f.hub, EventType::zone_created, "hidden.test"), 0);
  assert_int_equal(emit(f.hub, EventType::zone_deleted), 0);
  assert_int_equal(emit(f.hub, EventType::zone_created), 1);
  assert_true(f.taker.got.at(0)->priority == Priority::urgent);
  assert_int_equal(f.hub.statistics().events_emitted, 3);
  assert_int_equal(f.hub.statistics().events_filtered, 2);
  assert_int_equal(f.hub.statistics().events_processed, 1);
}

struct Tagger : Processor {
  bool process(Event& event) override {
    if (event.data.find("zone").text() == "throws.test") throw std::runtime_error("fault");
    event.tags.emplace_back("seen");
    return event.data.find("zone").text() != "refused.test";
  }
};

void processors_change_refuse_and_may_fail(void**) {
  Fixture f;
  f.subscribe();
  f.hub.subscriptions_changed();
  f.hub.add_processor(std::make_unique<Tagger>());
  emit(f.hub, EventType::zone_created);
  emit(f.hub, EventType::zone_created, "refused.test");
  emit(f.hub, EventType::zone_created, "throws.test");
  assert_int_equal(f.taker.got.size(), 1);
  assert_contains(f.taker.got[0]->json(), "\"tags\":[\"seen\"]");
  assert_int_equal(f.hub.statistics().events_filtered, 1);
  assert_int_equal(f.hub.statistics().events_failed, 1);
}

void policy_hits_get_the_serial_that_their_zone_told(void**) {
  Fixture f;
  f.subscribe().types.set(static_cast<std::size_t>(EventType::dns_query_blocked));
  f.hub.subscriptions_changed();
  f.hub.add_processor(std::make_unique<PolicySerials>());
  const auto hit = [&f] {
    Event event = make_event(EventType::dns_query_blocked);
    event.view = "v";
    event.data.add("policy_zone", "rpz.test");
    f.hub.emit(std::move(event), {});
    return f.taker.got.back()->event->data.find("policy_serial").integer();
  };
  assert_int_equal(hit(), 0);
  // It says of every type that it reads or changes that it concerns it, and of no other.
  PolicySerials serials;
  for (const EventType type :
       {EventType::zone_loaded, EventType::zone_deleted, EventType::rpz_update, EventType::dns_query_blocked,
        EventType::dns_query_allowed, EventType::malware_blocked, EventType::phishing_blocked})
    assert_true(serials.concerns(type));
  assert_false(serials.concerns(EventType::dns_query_log));
  assert_false(serials.concerns(EventType::record_created));
  Event loaded = make_event(EventType::zone_loaded);
  loaded.view = "v";
  loaded.data.add("zone", "rpz.test").add_boolean("policy_zone", true);
  loaded.data.begin_object("serial").add_integer("to", 7).end();
  f.hub.emit(std::move(loaded), {});
  assert_int_equal(hit(), 7);
  Event update = make_event(EventType::rpz_update);
  update.view = "v";
  update.data.add("policy_zone", "rpz.test").add_integer("serial", 8);
  f.hub.emit(std::move(update), {});
  assert_int_equal(hit(), 8);
}

void losses_are_told_once_to_those_who_wanted(void**) {
  Fixture f;
  f.subscribe().categories.set(static_cast<std::size_t>(Category::security));
  f.hub.subscriptions_changed();
  f.hub.report_lost(DropReason::capture_overflow, {EventType::dns_query_log}, 5, {});
  assert_int_equal(f.taker.lost_count, 0);
  f.hub.report_lost(DropReason::capture_overflow,
                    {EventType::dns_query_blocked, EventType::malware_blocked, EventType::phishing_blocked}, 5, {});
  assert_int_equal(f.taker.lost_count, 5);
}

void the_rate_is_a_mean_over_seconds(void**) {
  Fixture f;
  f.hub.tick({});
  for (int i = 0; i < 30; ++i) emit(f.hub, EventType::zone_created);
  f.hub.tick({});
  assert_true(f.hub.statistics().events_per_second == 15.0);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(events_reach_those_who_asked),
      cmocka_unit_test(two_matching_subscriptions_deliver_once),
      cmocka_unit_test(filters_and_minimums_refuse),
      cmocka_unit_test(admin_events_need_an_admin),
      cmocka_unit_test(sampling_is_told_as_loss),
      cmocka_unit_test(the_global_filter_and_overrides_apply_first),
      cmocka_unit_test(processors_change_refuse_and_may_fail),
      cmocka_unit_test(policy_hits_get_the_serial_that_their_zone_told),
      cmocka_unit_test(losses_are_told_once_to_those_who_wanted),
      cmocka_unit_test(the_rate_is_a_mean_over_seconds),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
