// Which events end an alert, and what is told of its end.

#include <optional>
#include <string_view>

#include "alerts_bench.hpp"

namespace {

using namespace bindcast;
using namespace bindcast::test;
using namespace std::chrono_literals;

struct Told {
  EventType type;
  const char* thing;  // a member that names what it is about
  const char* member;
  const char* says;
};

Event event_of(const Told& told, std::string_view about, std::uint64_t offset = 1) {
  Event event = make_event(told.type);
  event.priority = Priority::critical;
  event.offset = offset;
  if (event.type == EventType::custom_event) event.custom_name = "disk";
  event.data.add(told.thing, about);
  if (told.member != nullptr) event.data.add(told.member, told.says);
  return event;
}

void what_ends_which_condition(void**) {
  using enum EventType;
  struct Row {
    Told begins, next;
    bool ends;
  };
  const Row rows[] = {
      {{health_alert, "component", "state", "unhealthy"}, {health_alert, "component", "state", "healthy"}, true},
      {{health_alert, "component", "state", "unhealthy"}, {health_alert, "component", "state", "removed"}, true},
      {{health_alert, "component", "state", "unhealthy"}, {health_alert, "component", "state", "degraded"}, false},
      {{health_alert, "component", "state", "unhealthy"}, {performance_alert, "component", "state", "cleared"}, false},
      {{performance_alert, "component", "state", "raised"}, {performance_alert, "component", "state", "cleared"}, true},
      {{forwarder_status_change, "server", "after", "down"}, {forwarder_status_change, "server", "after", "up"}, true},
      {{forwarder_status_change, "server", "after", "down"},
       {forwarder_status_change, "server", "after", "unknown"},
       true},
      {{forwarder_status_change, "server", "after", "down"},
       {forwarder_status_change, "server", "after", "flapping"},
       false},
      {{zone_expired, "zone", nullptr, nullptr}, {zone_loaded, "zone", nullptr, nullptr}, true},
      {{zone_expired, "zone", nullptr, nullptr}, {zone_deleted, "zone", nullptr, nullptr}, true},
      {{zone_expired, "zone", nullptr, nullptr}, {zone_updated, "zone", nullptr, nullptr}, false},
      {{custom_event, "path", nullptr, nullptr}, {custom_event, "path", "state", "resolved"}, true},
      {{custom_event, "path", nullptr, nullptr}, {custom_event, "path", "state", "better"}, false},
      {{custom_event, "path", nullptr, nullptr}, {backup_failed, "path", "state", "resolved"}, false},
      {{backup_failed, "path", nullptr, nullptr}, {backup_failed, "path", "state", "resolved"}, true},
      // Somebody has to look at it all the same.
      {{threat_detected, "client", "state", "began"}, {suspicious_activity, "client", "state", "ended"}, false},
      {{malware_blocked, "client", nullptr, nullptr}, {malware_blocked, "client", "state", "resolved"}, false},
  };
  for (const Row& row : rows) {
    Bench b(retries(4), {});
    b.occurred(event_of(row.begins, "this"), 0);
    assert_int_equal(b.alerts.open(), 1);
    assert_false(b.alerts.resolve(event_of(row.next, "that"), at(kSecond)).has_value());
    assert_false(b.alerts.resolve(event_of(row.begins, "this"), at(kSecond)).has_value());
    assert_int_equal(b.alerts.resolve(event_of(row.next, "this"), at(kSecond)).has_value(), row.ends);
    assert_int_equal(b.alerts.open(), row.ends ? 0 : 1);
    assert_int_equal(b.alerts.counters().resolved, row.ends ? 1 : 0);
    assert_all_accounted(b.alerts);
  }
  Event elsewhere = event_of(rows[0].next, "this"), other = event_of(rows[11].next, "this");
  elsewhere.view = "inside";
  other.custom_name = "disks";
  Bench b(retries(4), {});
  b.occurred(event_of(rows[0].begins, "this"), 0);
  b.occurred(event_of(rows[11].begins, "this"), 0);
  for (const Event& event : {elsewhere, other}) assert_false(b.alerts.resolve(event, at(kSecond)).has_value());
}

void nobody_ends_or_takes_over_what_another_publisher_tells_of(void**) {
  const auto said = [](const char* publisher, const char* state, std::uint64_t offset) {
    Event event = event_of({EventType::custom_event, "path", "state", state}, "/srv", offset);
    event.source_user_id = publisher;
    return event;
  };
  Bench b(retries(4), {});
  b.occurred(said("backup", "full", 3), 0);
  assert_false(b.alerts.resolve(said("mallory", "resolved", 4), at(kSecond)).has_value());
  b.occurred(said("mallory", "full", 5), kSecond);
  assert_int_equal(b.alerts.open(), 2);
  const auto told = b.alerts.resolve(said("backup", "resolved", 6), at(2 * kSecond));
  assert_true(told.has_value());
  assert_int_equal(told->event->offset, 3);
  assert_int_equal(b.alerts.open(), 1);
}

const Told kUnhealthy{EventType::health_alert, "component", "state", "unhealthy"};
const Told kHealthy{EventType::health_alert, "component", "state", "healthy"};

void a_recovery_ends_it_and_a_relapse_asks_again(void**) {
  Bench b(retries(4), {});
  b.occurred(event_of(kUnhealthy, "journal", 3), 0);
  b.occurred(event_of(kUnhealthy, "listener", 4), 0);
  b.occurred(event_of(kUnhealthy, "journal", 5), kSecond / 4);
  (void)b.run_until(2 * kSecond);
  const auto told = b.alerts.resolve(event_of(kHealthy, "journal", 6), at(2 * kSecond));
  assert_true(told.has_value());
  assert_int_equal(told->offsets.size(), 2);
  assert_int_equal(told->offsets[0], 3);
  assert_int_equal(told->event->offset, 5);
  assert_int_equal(told->occurrences, 2);
  assert_int_equal(told->open_for_us, 2 * kSecond);
  assert_roles(told->roles, {"operator"});
  assert_false(b.alerts.acknowledge(5, at(2 * kSecond)).has_value());
  for (const Alerts::Action& action : b.run_until(60 * kMinute)) assert_int_equal(action.alert, 4);

  b.occurred(event_of(kUnhealthy, "journal", 9), 61 * kMinute);
  const Actions actions = b.alerts.due(at(61 * kMinute));
  assert_int_equal(actions.size(), 1);
  assert_int_equal(actions[0].alert, 9);
  assert_int_equal(actions[0].occurrences, 1);
  assert_all_accounted(b.alerts);
}

// The configuration can give a type another priority, and then the good end has it too.
void a_good_end_asks_for_nothing(void**) {
  Bench b(retries(4), {});
  assert_false(b.alerts.wants(event_of(kHealthy, "journal")));
  assert_true(b.alerts.wants(event_of(kUnhealthy, "journal")));
  // A zone that was loaded or deleted is news by itself, whatever else it ends.
  assert_true(b.alerts.wants(event_of({EventType::zone_deleted, "zone", nullptr, nullptr}, "example.com")));
}

void what_was_given_up_or_has_expired_recovers_too(void**) {
  Bench b(retries(1), {tell(0s, {"operator"})});
  b.occurred(event_of(kUnhealthy, "journal"), 0);
  (void)b.run_until(10 * kSecond);
  assert_int_equal(b.alerts.counters().given_up, 1);
  assert_true(b.alerts.resolve(event_of(kHealthy, "journal"), at(kMinute)).has_value());
  assert_int_equal(b.alerts.counters().resolved_late, 1);
  assert_all_accounted(b.alerts);

  Event brief = event_of(kUnhealthy, "journal");
  brief.expires_at_us = kWallStart + 2 * kMinute;
  b.occurred(brief, kMinute);
  assert_false(b.alerts.resolve(event_of(kHealthy, "journal"), at(2 * kMinute)).has_value());
  assert_int_equal(b.alerts.counters().expired, 1);
  assert_int_equal(b.alerts.open(), 0);
  assert_all_accounted(b.alerts);
}

void the_webhooks_of_the_steps_taken_are_told(void**) {
  Bench b(retries(0), {webhook(0s), tell(1s, {"admin"}), webhook(2s), webhook(1h)});
  b.occurred(event_of(kUnhealthy, "journal"), 0);
  (void)b.run_until(10 * kSecond);
  const auto told = b.alerts.resolve(event_of(kHealthy, "journal"), at(10 * kSecond));
  assert_int_equal(told->posted.size(), 2);
  assert_int_equal(told->posted[0].step, 0);
  assert_int_equal(told->posted[1].step, 2);
  assert_text(told->posted[1].url, "https://example.com/hook");
  assert_text(told->posted[1].secret_file, "/etc/key");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(what_ends_which_condition),
      cmocka_unit_test(nobody_ends_or_takes_over_what_another_publisher_tells_of),
      cmocka_unit_test(a_recovery_ends_it_and_a_relapse_asks_again),
      cmocka_unit_test(a_good_end_asks_for_nothing),
      cmocka_unit_test(what_was_given_up_or_has_expired_recovers_too),
      cmocka_unit_test(the_webhooks_of_the_steps_taken_are_told),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
