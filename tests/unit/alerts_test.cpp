// Acknowledgement, repetition and escalation, with a hand-driven clock and a fixed random number.

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alerts_bench.hpp"
#include "plugin/delivery/backoff.hpp"

namespace {

using namespace bindcast;
using namespace bindcast::test;
using namespace std::chrono_literals;

// ── What opens an alert ───────────────────────────────────────────────────────

void only_listed_priorities_ask(void**) {
  Bench b;
  Event event = blocked(1);
  event.priority = Priority::high;
  assert_false(b.alerts.wants(event));
  b.occurred(event, 0);
  assert_int_equal(b.alerts.open(), 0);
  assert_int_equal(b.alerts.due_us(), -1);
  event.priority = Priority::urgent;
  assert_true(b.alerts.wants(event));
  RetryOptions retry;
  retry.acknowledge = {Priority::high};
  b.alerts.configure(retry, {});
  assert_false(b.alerts.wants(event));
  event.priority = Priority::high;
  assert_true(b.alerts.wants(event));
}

void events_about_alerts_never_ask(void**) {
  Bench b;
  for (const EventType type : {EventType::notification_sent, EventType::notification_acknowledged,
                               EventType::notification_statistics, EventType::webhook_triggered}) {
    Event event = make_event(type);
    event.priority = Priority::urgent;
    assert_false(b.alerts.wants(event));
  }
}

// ── Repetition ────────────────────────────────────────────────────────────────

void waits_grow_up_to_the_longest_and_half_is_chance(void**) {
  const RetryOptions retry = retries(8);
  const std::int64_t whole[] = {1, 2, 4, 8, 10, 10};
  for (std::uint32_t i = 0; i < 6; ++i) {
    assert_int_equal(backoff_us(retry, i + 1, 0), whole[i] * kSecond / 2);
    assert_int_equal(backoff_us(retry, i + 1, 0.5), whole[i] * kSecond * 3 / 4);
    assert_true(backoff_us(retry, i + 1, 0.999'999) < whole[i] * kSecond);
    assert_true(backoff_us(retry, i + 1, 0.999'999) > whole[i] * kSecond * 9 / 10);
  }
  RetryOptions steep = retry;
  steep.factor = 10;
  assert_int_equal(backoff_us(steep, 1'000'000, 0), 5 * kSecond);
}

void an_event_is_sent_again_so_many_times(void**) {
  Bench b(retries(4), kFarLadder);
  b.occurred(blocked(7), 0);
  assert_int_equal(b.alerts.due_us(), kStart + kSecond / 2);
  const Actions actions = b.run_until(kMinute);
  assert_int_equal(actions.size(), 4);
  const std::int64_t sent_at[] = {500'000, 1'500'000, 3'500'000, 7'500'000};
  for (std::uint32_t i = 0; i < 4; ++i) {
    assert_true(actions[i].to == To::everybody);
    assert_true(actions[i].sends());
    assert_int_equal(actions[i].repetition, i + 1);
    assert_int_equal(actions[i].event->attempt, i + 2);
    assert_int_equal(actions[i].event->offset, 7);
    assert_int_equal(actions[i].alert, 7);
    assert_int_equal(actions[i].occurrences, 1);
    assert_int_equal(actions[i].open_for_us, sent_at[i]);
    assert_int_equal(actions[i].steps.size(), 0);
  }
  assert_int_equal(b.alerts.counters().resent, 4);
  assert_int_equal(b.alerts.due_us(), kStart + 100 * 60 * kMinute);
}

void the_random_number_spreads_each_wait(void**) {
  Bench b(retries(4), kFarLadder);
  b.chance = 0.5;
  b.occurred(blocked(1), 0);
  assert_int_equal(b.alerts.due_us(), kStart + 750'000);
  b.chance = 0.25;
  assert_int_equal(b.alerts.due(at(750'000)).size(), 1);
  assert_int_equal(b.alerts.due_us(), kStart + 750'000 + 1'250'000);
}

void a_loop_that_comes_late_sends_once_and_waits_from_there(void**) {
  Bench b(retries(4), kFarLadder);
  b.occurred(blocked(1), 0);
  assert_int_equal(b.alerts.due(at(kMinute)).size(), 1);
  assert_int_equal(b.alerts.due(at(kMinute)).size(), 0);
  assert_int_equal(b.alerts.due_us(), kStart + kMinute + kSecond);
}

// ── The ladder ────────────────────────────────────────────────────────────────

void the_default_ladder_is_the_documented_one(void**) {
  Bench b(retries(0), {});
  b.occurred(blocked(1), 0);
  const Actions actions = b.run_until(60 * kMinute);
  assert_int_equal(actions.size(), 3);
  assert_int_equal(actions[0].open_for_us, 0);
  assert_roles(actions[0].roles, {"operator"});
  assert_true(actions[0].event->priority == Priority::critical);
  assert_int_equal(actions[1].open_for_us, 5 * kMinute);
  assert_true(actions[1].to == To::everybody);
  assert_roles(actions[1].roles, {"operator"});
  assert_int_equal(actions[1].repetition, 0);
  assert_int_equal(actions[2].open_for_us, 15 * kMinute);
  assert_true(actions[2].to == To::roles);
  assert_roles(actions[2].roles, {"admin"});
  assert_true(actions[2].event->priority == Priority::urgent);
  for (std::size_t i = 0; i < 3; ++i) {
    assert_int_equal(actions[i].steps.size(), 1);
    assert_int_equal(actions[i].steps[0], i);
  }
  assert_int_equal(b.alerts.counters().escalated, 3);
  assert_int_equal(b.alerts.counters().resent, 0);
}

// Subscribers had the event a moment ago: only those who do not subscribe are told, with the very same event.
void a_step_at_zero_is_due_at_once_and_tells_newcomers(void**) {
  Bench b(retries(4), {});
  const EventRef event = ref(blocked(1));
  b.alerts.occurred(event, at(0));
  assert_int_equal(b.alerts.due_us(), kStart);
  const Actions actions = b.alerts.due(at(0));
  assert_int_equal(actions.size(), 1);
  assert_true(actions[0].to == To::newcomers);
  assert_roles(actions[0].roles, {"operator"});
  assert_ptr_equal(actions[0].event.get(), event.get());
  assert_int_equal(b.alerts.due(at(0)).size(), 0);
  // The first repetition is the second sending, and reaches those roles too.
  const Actions next = b.run_until(kSecond);
  assert_int_equal(next.size(), 1);
  assert_int_equal(next[0].event->attempt, 2);
  assert_roles(next[0].roles, {"operator"});
}

void a_step_at_zero_that_raises_the_priority_tells_subscribers_with_the_role_too(void**) {
  Bench b(retries(4), {tell(0s, {"operator"}, Priority::urgent)});
  b.occurred(blocked(1), 0);
  const Actions actions = b.alerts.due(at(0));
  assert_int_equal(actions.size(), 1);
  assert_true(actions[0].to == To::roles);
  assert_true(actions[0].event->priority == Priority::urgent);
  assert_int_equal(actions[0].event->attempt, 2);
}

// Whatever comes together for one alert is one action: nobody is sent the event twice.
void what_is_due_together_is_one_sending(void**) {
  Bench b(retries(4), {tell(0s, {"operator", "noc"}), repeat(0s), tell(1s, {"noc", "admin"}, Priority::urgent),
                       webhook(1s), tell(2s, {"viewer"})});
  b.occurred(blocked(1), 0);
  const Actions actions = b.alerts.due(at(kSecond));
  assert_int_equal(actions.size(), 1);
  assert_true(actions[0].to == To::everybody);
  assert_roles(actions[0].roles, {"operator", "noc", "admin"});
  assert_int_equal(actions[0].repetition, 1);
  assert_int_equal(actions[0].event->attempt, 2);
  assert_true(actions[0].event->priority == Priority::urgent);
  assert_int_equal(actions[0].steps.size(), 4);
  for (std::size_t i = 0; i < 4; ++i) assert_int_equal(actions[0].steps[i], i);
}

void steps_that_come_together_keep_to_the_roles_they_name(void**) {
  Bench b(retries(0), {tell(0s, {"operator"}), tell(1s, {"admin"}), tell(1s, {"admin", "noc"})});
  b.occurred(blocked(1), 0);
  assert_int_equal(b.alerts.due(at(0)).size(), 1);
  const Actions actions = b.alerts.due(at(kSecond));
  assert_int_equal(actions.size(), 1);
  assert_true(actions[0].to == To::roles);
  assert_roles(actions[0].roles, {"admin", "noc"});
}

void a_late_call_repeats_and_tells_in_one_sending(void**) {
  Bench b(retries(0), {tell(0s, {"operator"}), repeat(1s), tell(2s, {"admin"})});
  b.occurred(blocked(1), 0);
  assert_int_equal(b.alerts.due(at(0)).size(), 1);
  const Actions actions = b.alerts.due(at(2 * kSecond));
  assert_int_equal(actions.size(), 1);
  assert_true(actions[0].to == To::everybody);
  assert_roles(actions[0].roles, {"operator", "admin"});
}

void a_webhook_alone_sends_to_nobody(void**) {
  Bench b(retries(0), {webhook(1s)});
  b.occurred(blocked(1), 0);
  const Actions actions = b.run_until(kSecond);
  assert_int_equal(actions.size(), 1);
  assert_false(actions[0].sends());
  assert_int_equal(actions[0].event->attempt, 1);
  assert_text(b.alerts.ladder()[actions[0].steps[0]].webhook_url, "https://example.com/hook");
}

void a_webhook_gets_the_latest_event_as_pressing_as_the_alert(void**) {
  Bench b(retries(0), {tell(0s, {"operator"}, Priority::urgent), webhook(2s)});
  b.occurred(blocked(1), 0);
  assert_int_equal(b.alerts.due(at(0)).size(), 1);
  b.occurred(blocked(2), kSecond);
  const Actions actions = b.run_until(2 * kSecond);
  assert_int_equal(actions.size(), 1);
  assert_int_equal(actions[0].event->offset, 2);
  assert_true(actions[0].event->priority == Priority::urgent);
  assert_int_equal(actions[0].event->attempt, 1);
}

void a_raised_priority_stays_and_never_falls(void**) {
  Bench b(retries(2), {tell(100ms, {}, Priority::urgent), tell(200ms, {"admin"}, Priority::low)});
  b.occurred(blocked(1), 0);
  Actions actions = b.run_until(200'000);
  assert_int_equal(actions.size(), 2);
  assert_true(actions[0].to == To::everybody);  // it names no roles: all that know of it learn of the priority
  assert_true(actions[0].event->priority == Priority::urgent);
  assert_true(actions[1].event->priority == Priority::urgent);
  // A later occurrence comes with its own priority and is sent again with the raised one.
  b.occurred(blocked(2), 300'000);
  b.alerts.for_each_open([](const Alerts::Open& open) {
    assert_int_equal(open.event->offset, 2);
    assert_true(open.event->priority == Priority::urgent);
  });
  actions = b.run_until(kSecond);
  assert_int_equal(actions.size(), 1);
  assert_true(actions[0].event->priority == Priority::urgent);
  assert_int_equal(actions[0].event->offset, 2);
  assert_int_equal(actions[0].event->attempt, 2);
  assert_int_equal(actions[0].repetition, 1);
}

void the_event_emitted_is_never_changed(void**) {
  Bench b(retries(2), {tell(0s, {"admin"}, Priority::urgent)});
  const EventRef event = ref(blocked(1));
  b.alerts.occurred(event, at(0));
  assert_int_equal(b.run_until(kMinute).size(), 3);
  assert_true(event->priority == Priority::critical);
  assert_int_equal(event->attempt, 1);
}

void the_most_pressing_and_oldest_comes_first(void**) {
  Bench b(retries(1), kFarLadder);
  b.occurred(blocked(1, "192.0.2.1"), 0);
  b.occurred(blocked(2, "192.0.2.2"), 0);
  Event urgent = blocked(3, "192.0.2.3");
  urgent.priority = Priority::urgent;
  b.occurred(urgent, 0);
  const Actions actions = b.alerts.due(at(kSecond));
  assert_int_equal(actions.size(), 3);
  assert_int_equal(actions[0].alert, 3);
  assert_int_equal(actions[1].alert, 1);
  assert_int_equal(actions[2].alert, 2);
}

// ── Acknowledgement ───────────────────────────────────────────────────────────

void an_acknowledgement_ends_it_and_the_next_asks_again(void**) {
  Bench b(retries(4), {});
  b.occurred(blocked(1), 0);
  (void)b.run_until(2 * kSecond);
  const auto told = b.alerts.acknowledge(1, at(2 * kSecond));
  assert_true(told.has_value());
  assert_int_equal(told->offsets.size(), 1);
  assert_int_equal(told->offsets[0], 1);
  assert_int_equal(told->event->attempt, 3);
  assert_int_equal(told->open_for_us, 2 * kSecond);
  assert_roles(told->roles, {"operator"});
  assert_int_equal(b.alerts.open(), 0);
  assert_int_equal(b.alerts.bytes(), 0);
  assert_int_equal(b.alerts.due_us(), -1);
  assert_int_equal(b.alerts.due(at(60 * kMinute)).size(), 0);
  assert_false(b.alerts.acknowledge(1, at(2 * kSecond)).has_value());

  b.occurred(blocked(9), 3 * kSecond);
  assert_int_equal(b.alerts.counters().opened, 2);
  const Actions actions = b.alerts.due(at(3 * kSecond));
  assert_int_equal(actions.size(), 1);
  assert_int_equal(actions[0].alert, 9);
  assert_int_equal(actions[0].occurrences, 1);
  assert_roles(actions[0].roles, {"operator"});
}

void an_unknown_offset_ends_nothing(void**) {
  Bench b;
  b.occurred(blocked(5), 0);
  for (const std::uint64_t offset : {0, 4, 6}) assert_false(b.alerts.acknowledge(offset, at(1)).has_value());
  assert_int_equal(b.alerts.open(), 1);
}

void times_to_acknowledgement_are_measured(void**) {
  Bench b(retries(1), kFarLadder);
  assert_int_equal(b.alerts.counters().acknowledged_mean_us(), 0);
  b.occurred(blocked(1, "192.0.2.1"), 0);
  b.occurred(blocked(2, "192.0.2.2"), 0);
  assert_true(b.alerts.acknowledge(1, at(10)).has_value());
  assert_true(b.alerts.acknowledge(2, at(30)).has_value());
  assert_int_equal(b.alerts.counters().acknowledged, 2);
  assert_int_equal(b.alerts.counters().acknowledged_mean_us(), 20);
  assert_int_equal(b.alerts.counters().acknowledged_most_us, 30);
}

void what_was_given_up_can_still_be_acknowledged_for_a_day(void**) {
  Bench b(retries(2), {tell(0s, {"operator"})});
  b.occurred(blocked(1, "192.0.2.1"), 0);
  b.occurred(blocked(2, "192.0.2.2"), 0);
  assert_int_equal(b.run_until(10 * kSecond).size(), 6);
  assert_int_equal(b.alerts.counters().given_up, 2);
  assert_int_equal(b.alerts.open(), 2);
  const auto late = b.alerts.acknowledge(1, at(Alerts::kMaxAgeUs - 1));
  assert_true(late.has_value());
  assert_int_equal(b.alerts.counters().acknowledged_late, 1);
  assert_int_equal(b.alerts.due_us(), kStart + Alerts::kMaxAgeUs);
  assert_int_equal(b.run_until(Alerts::kMaxAgeUs).size(), 0);
  assert_int_equal(b.alerts.open(), 0);
  assert_false(b.alerts.acknowledge(2, at(Alerts::kMaxAgeUs)).has_value());
  assert_int_equal(b.alerts.counters().given_up, 2);
  assert_int_equal(b.alerts.counters().expired, 0);
  assert_all_accounted(b.alerts);
}

// Nobody looked in time: neither an acknowledgement nor an occurrence finds what is a day old.
void age_counts_without_a_look(void**) {
  Bench b(retries(1), {tell(0s, {"operator"})});
  b.occurred(blocked(1, "192.0.2.1"), 0);
  b.occurred(blocked(2, "192.0.2.2"), 0);
  (void)b.run_until(kSecond);
  assert_false(b.alerts.acknowledge(1, at(Alerts::kMaxAgeUs)).has_value());
  b.occurred(blocked(3, "192.0.2.2"), Alerts::kMaxAgeUs);
  assert_int_equal(b.alerts.counters().opened, 3);
  assert_int_equal(b.alerts.open(), 1);
  assert_all_accounted(b.alerts);
}

void a_ladder_longer_than_a_day_is_climbed(void**) {
  Bench b(retries(1), {tell(48h, {"admin"})});
  b.occurred(blocked(1), 0);
  const Actions actions = b.run_until(49 * 60 * kMinute);
  assert_int_equal(actions.size(), 2);
  assert_int_equal(actions[1].open_for_us, 48 * 60 * kMinute);
  assert_int_equal(b.alerts.open(), 0);
}

// ── Conditions ────────────────────────────────────────────────────────────────

void another_occurrence_joins_and_is_what_is_sent_again(void**) {
  Bench b(retries(4), kFarLadder);
  b.occurred(blocked(1), 0);
  assert_int_equal(b.run_until(500'000).size(), 1);
  b.occurred(blocked(5), 600'000);
  b.occurred(blocked(9), 700'000);
  assert_int_equal(b.alerts.open(), 1);
  assert_int_equal(b.alerts.counters().opened, 1);
  assert_int_equal(b.alerts.counters().joined, 2);
  const Actions actions = b.run_until(1'500'000);
  assert_int_equal(actions.size(), 1);  // when it would have come anyway
  assert_int_equal(actions[0].event->offset, 9);
  assert_int_equal(actions[0].event->attempt, 2);  // its own second sending
  assert_int_equal(actions[0].repetition, 2);      // the alert's second repetition
  assert_int_equal(actions[0].alert, 1);
  assert_int_equal(actions[0].occurrences, 3);
  const auto told = b.alerts.acknowledge(5, at(2 * kSecond));
  assert_true(told.has_value());
  assert_int_equal(told->offsets.size(), 3);
  assert_int_equal(told->offsets[0], 1);
  assert_int_equal(told->offsets[1], 5);
  assert_int_equal(told->offsets[2], 9);
  assert_int_equal(told->occurrences, 3);
}

void a_join_does_not_revive_what_was_given_up(void**) {
  Bench b(retries(1), {tell(0s, {"operator"})});
  b.occurred(blocked(1), 0);
  (void)b.run_until(kMinute);
  b.occurred(blocked(2), 2 * kMinute);
  assert_int_equal(b.run_until(60 * kMinute).size(), 0);
  assert_int_equal(b.alerts.counters().joined, 1);
  assert_true(b.alerts.acknowledge(2, at(60 * kMinute)).has_value());
}

void a_more_pressing_occurrence_makes_the_alert_more_pressing(void**) {
  Bench b(retries(4), kFarLadder);
  b.occurred(blocked(1), 0);
  Event urgent = blocked(2);
  urgent.priority = Priority::urgent;
  b.occurred(urgent, 1);
  b.occurred(blocked(3), 2);
  const Actions actions = b.run_until(kSecond);
  assert_int_equal(actions[0].event->offset, 3);
  assert_true(actions[0].event->priority == Priority::urgent);
}

std::string key_of(const Event& event) {
  std::string key = "left over";
  alert_key(key, event, event.type);
  return key;
}

void a_condition_is_told_by_what_the_data_names(void**) {
  const char* const members[] = {"client",   "zone", "policy_zone", "rule", "component", "server",
                                 "detector", "user", "domain",      "path", "interface"};
  std::vector<std::string> keys;
  for (const char* member : members) {
    for (const char* value : {"x", "y"}) {
      Event event = make_event(EventType::threat_detected);
      event.data.add("count", value).add(member, value);
      keys.push_back(key_of(event));
      Event again = make_event(EventType::threat_detected);
      again.offset = 77;
      again.data.add(member, value).add_integer("count", 3).add("qname", "elsewhere");
      assert_true(key_of(again) == keys.back());
    }
  }
  Event event = make_event(EventType::threat_detected);
  keys.push_back(key_of(event));
  event.view = "x";
  keys.push_back(key_of(event));
  event = make_event(EventType::custom_event);
  keys.push_back(key_of(event));
  event.custom_name = "x";
  keys.push_back(key_of(event));
  event.data.add_integer("user", 5);
  keys.push_back(key_of(event));
  event.data.clear();
  event.data.add("user", "5");
  keys.push_back(key_of(event));
  event.data.clear();
  event.data.begin_array("user").add("", "5").end();
  keys.push_back(key_of(event));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) assert_true(keys[i] != keys[j]);
  }
}

void names_compare_without_case_and_paths_with(void**) {
  const auto with = [](const char* member, const char* value) {
    Event event = make_event(EventType::threat_detected);
    event.data.add(member, value);
    return key_of(event);
  };
  for (const char* member : {"client", "zone", "policy_zone", "rule", "server", "domain"}) {
    assert_true(with(member, "[A.Bad-Z.Test") == with(member, "[a.bad-z.test"));
    assert_true(with(member, "[") != with(member, "{"));  // only letters have a case
  }
  for (const char* member : {"user", "path", "interface", "component", "detector"}) {
    assert_true(with(member, "/A") != with(member, "/a"));
  }
}

void the_order_of_members_does_not_matter_and_no_text_passes_for_two(void**) {
  Event a = make_event(EventType::threat_detected), b = a;
  a.data.add("zone", "z").add("client", "c");
  b.data.add("client", "c").add("zone", "z");
  assert_true(key_of(a) == key_of(b));
  // A value that holds the key's own form of another member.
  Event inner = make_event(EventType::threat_detected);
  inner.data.add("zone", "z");
  const std::string form = key_of(inner).substr(1 + 4 + 4);
  Event forged = make_event(EventType::threat_detected), honest = forged;
  forged.data.add("client", "c" + form);
  honest.data.add("client", "c").add("zone", "z");
  assert_true(key_of(forged) != key_of(honest));
  Event named = make_event(EventType::custom_event), viewed = named;
  named.custom_name = "ab";
  viewed.custom_name = "a";
  viewed.view = "b";
  assert_true(key_of(named) != key_of(viewed));
}

void the_first_the_asked_and_the_latest_of_many_stay_acknowledgeable(void**) {
  const auto flooded = [] {
    auto b = std::make_unique<Bench>(retries(2), kFarLadder);
    for (std::uint64_t offset = 1; offset <= 100; ++offset) b->occurred(blocked(offset), 0);
    assert_int_equal(b->alerts.due(at(kSecond)).size(), 1);  // asks for 100
    for (std::uint64_t offset = 101; offset <= 1000; ++offset) b->occurred(blocked(offset), kSecond);
    return b;
  };
  for (const std::uint64_t offset : {1, 100, 969, 1000}) {
    assert_true(flooded()->alerts.acknowledge(offset, at(kSecond)).has_value());
  }
  for (const std::uint64_t offset : {2, 99, 968}) {
    assert_false(flooded()->alerts.acknowledge(offset, at(kSecond)).has_value());
  }
  const auto told = flooded()->alerts.acknowledge(1000, at(kSecond));
  assert_int_equal(told->offsets.size(), 2 + Alerts::kLatestOffsets);
  assert_int_equal(told->offsets.front(), 1);
  assert_int_equal(told->offsets.back(), 1000);
  assert_int_equal(told->occurrences, 1000);
}

void of_those_asked_for_the_oldest_are_forgotten_but_the_first(void**) {
  RetryOptions retry = retries(100);
  retry.factor = 1;
  Bench b(retry, kFarLadder);
  std::uint64_t offset = 0;
  for (std::int64_t i = 0; i < 60; ++i) {
    for (int k = 0; k < 40; ++k) b.occurred(blocked(++offset), i * kSecond);
    assert_int_equal(b.alerts.due(at(i * kSecond + kSecond / 2)).size(), 1);
  }
  assert_false(b.alerts.acknowledge(40, at(kMinute)).has_value());
  const auto told = b.alerts.acknowledge(30 * 40, at(kMinute));
  assert_true(told.has_value());
  assert_int_equal(told->offsets.front(), 1);
  assert_true(told->offsets.size() <= Alerts::kAskedOffsets + Alerts::kLatestOffsets);
}

void one_event_asked_for_often_keeps_its_neighbours(void**) {
  RetryOptions retry = retries(100);
  retry.factor = 1;
  Bench b(retry, kFarLadder);
  b.occurred(blocked(1), 0);
  b.occurred(blocked(5), 0);
  assert_int_equal(b.run_until(kSecond / 2).size(), 1);  // asks for 5
  for (std::uint64_t offset = 6; offset <= 45; ++offset) b.occurred(blocked(offset), kSecond / 2);
  assert_int_equal(b.run_until(kSecond / 2 + 40 * kSecond / 2).size(), 40);
  assert_true(b.alerts.acknowledge(5, at(kMinute)).has_value());
}

// ── Expiry ────────────────────────────────────────────────────────────────────

void an_expired_event_ends_its_alert(void**) {
  Bench b(retries(8), kFarLadder);
  Event event = blocked(1);
  event.expires_at_us = kWallStart + 2 * kSecond;
  b.occurred(event, 0);
  assert_int_equal(b.run_until(2 * kSecond - 1).size(), 2);
  assert_int_equal(b.alerts.open(), 1);
  assert_int_equal(b.alerts.due_us(), kStart + 2 * kSecond);
  assert_int_equal(b.alerts.due(at(2 * kSecond)).size(), 0);
  assert_int_equal(b.alerts.open(), 0);
  assert_int_equal(b.alerts.due_us(), -1);
  assert_int_equal(b.alerts.counters().expired, 1);
  assert_all_accounted(b.alerts);
}

void expiry_counts_without_a_look(void**) {
  Bench b(retries(8), kFarLadder);
  Event event = blocked(1);
  event.expires_at_us = kWallStart + 100;
  b.occurred(event, 0);
  b.occurred(blocked(2), 100);
  assert_int_equal(b.alerts.counters().opened, 2);
  event = blocked(3, "192.0.2.9");
  event.expires_at_us = kWallStart + 200;
  b.occurred(event, 100);
  assert_false(b.alerts.acknowledge(3, at(200)).has_value());
  assert_int_equal(b.alerts.counters().expired, 2);
  assert_int_equal(b.alerts.counters().acknowledged, 0);
  assert_all_accounted(b.alerts);
}

void the_latest_event_says_when_it_expires(void**) {
  Bench b(retries(8), kFarLadder);
  Event event = blocked(1);
  event.expires_at_us = kWallStart + 100;
  b.occurred(event, 0);
  assert_int_equal(b.alerts.due_us(), kStart + 100);
  b.occurred(blocked(2), 50);
  assert_int_equal(b.alerts.due_us(), kStart + kSecond / 2);
  event.expires_at_us = std::numeric_limits<std::int64_t>::max();
  b.occurred(event, 60);
  assert_int_equal(b.alerts.due_us(), kStart + kSecond / 2);
  event.expires_at_us = std::numeric_limits<std::int64_t>::min();
  b.occurred(event, 70);
  assert_int_equal(b.alerts.due(at(70)).size(), 0);
  assert_int_equal(b.alerts.open(), 0);
}

void the_wall_clock_set_back_makes_it_live_longer(void**) {
  Bench b(retries(0), kFarLadder);
  Event event = blocked(1);
  event.expires_at_us = kWallStart + 2 * kSecond;
  b.occurred(event, 0);
  const Now set_back{.mono_us = kStart + 2 * kSecond, .wall_us = kWallStart};
  assert_int_equal(b.alerts.due(set_back).size(), 0);
  assert_int_equal(b.alerts.open(), 1);
  assert_int_equal(b.alerts.due_us(), kStart + 4 * kSecond);
}

// ── Bounds ────────────────────────────────────────────────────────────────────

void fill(Bench& b, std::uint64_t from, std::uint64_t count, Priority priority) {
  for (std::uint64_t i = from; i < from + count; ++i) {
    Event event = blocked(i, "client-" + std::to_string(i));
    event.priority = priority;
    b.occurred(event, static_cast<std::int64_t>(i));
  }
}

void a_full_table_gives_up_the_oldest_of_the_least_priority(void**) {
  Bench b(retries(8), kFarLadder);
  fill(b, 1, 10, Priority::urgent);
  fill(b, 11, Alerts::kMaxOpen - 10, Priority::critical);
  assert_int_equal(b.alerts.counters().given_up, 0);
  fill(b, 5001, 1, Priority::critical);
  fill(b, 5002, 1, Priority::urgent);
  assert_int_equal(b.alerts.open(), Alerts::kMaxOpen);
  assert_int_equal(b.alerts.counters().given_up, 2);
  assert_int_equal(b.alerts.counters().pushed_out, 2);
  for (const std::uint64_t gone : {11, 12}) assert_false(b.alerts.acknowledge(gone, at(0)).has_value());
  for (const std::uint64_t kept : {1, 13, 5001, 5002}) assert_true(b.alerts.acknowledge(kept, at(6000)).has_value());
  assert_all_accounted(b.alerts);
}

void a_newcomer_of_the_least_priority_finds_no_room(void**) {
  Bench b(retries(8), kFarLadder);
  fill(b, 1, Alerts::kMaxOpen, Priority::urgent);
  fill(b, 5001, 1, Priority::critical);
  assert_false(b.alerts.acknowledge(5001, at(6000)).has_value());
  assert_true(b.alerts.acknowledge(1, at(6000)).has_value());
  assert_int_equal(b.alerts.counters().pushed_out, 1);
}

// Raised by the ladder, an old alert is kept, and keeps its place by age among the urgent.
void a_raised_alert_is_pushed_out_by_its_new_priority(void**) {
  Bench b(retries(0), {tell(1s, {"admin"}, Priority::urgent), tell(100h, {"admin"})});
  fill(b, 1, 2, Priority::critical);
  fill(b, 3, 2, Priority::urgent);
  assert_int_equal(b.alerts.due(at(kSecond + 10)).size(), 4);
  fill(b, 2'000'000, Alerts::kMaxOpen - 4, Priority::critical);
  fill(b, 3'000'000, 1, Priority::critical);
  assert_false(b.alerts.acknowledge(2'000'000, at(3 * kSecond)).has_value());
  fill(b, 4'000'000, Alerts::kMaxOpen, Priority::urgent);  // the last two fall to age among equals: 1 … 4, in order
  assert_int_equal(b.alerts.open(), Alerts::kMaxOpen);
  for (const std::uint64_t gone : {1, 2, 3, 4}) assert_false(b.alerts.acknowledge(gone, at(5 * kSecond)).has_value());
  assert_true(b.alerts.acknowledge(4'000'000, at(5 * kSecond)).has_value());
  assert_all_accounted(b.alerts);
}

void one_raised_later_is_still_the_older(void**) {
  Bench b(retries(0), {tell(1s, {"admin"}, Priority::urgent), tell(100h, {"admin"})});
  fill(b, 1, 1, Priority::critical);
  fill(b, 2, 1, Priority::urgent);
  (void)b.alerts.due(at(kSecond + 1));
  std::vector<std::uint64_t> order;
  b.alerts.for_each_open([&](const Alerts::Open& open) { order.push_back(open.alert); });
  assert_int_equal(order.size(), 2);
  assert_int_equal(order[0], 1);
  assert_int_equal(order[1], 2);
}

void events_are_bounded_in_bytes(void**) {
  Bench b(retries(8), kFarLadder);
  for (std::uint64_t i = 1; i <= 10; ++i) {
    Event event = blocked(i, "client-" + std::to_string(i));
    event.data.add("detail", std::string(1024 * 1024, 'x'));
    b.occurred(event, 0);
    assert_true(b.alerts.bytes() <= Alerts::kMaxBytes);
  }
  assert_in_range(b.alerts.open(), 1, 4);
  assert_int_equal(b.alerts.counters().given_up, 10 - b.alerts.open());
  assert_true(b.alerts.acknowledge(10, at(1)).has_value());
  // A long key counts too, and what is too large by itself never stays.
  b.occurred(blocked(11, std::string(3 * 1024 * 1024, 'x')), 2);
  assert_int_equal(b.alerts.open(), 0);
  assert_int_equal(b.alerts.bytes(), 0);
  assert_int_equal(b.alerts.due_us(), -1);
  assert_all_accounted(b.alerts);
}

void a_join_that_is_too_large_gives_up_its_alert(void**) {
  Bench b(retries(8), kFarLadder);
  b.occurred(blocked(1), 0);
  Event large = blocked(2);
  large.data.add("detail", std::string(Alerts::kMaxBytes, 'x'));
  b.occurred(large, 1);
  assert_int_equal(b.alerts.open(), 0);
  assert_int_equal(b.alerts.counters().pushed_out, 1);
  assert_int_equal(b.alerts.bytes(), 0);
}

void pushing_out_what_was_given_up_counts_it_once(void**) {
  Bench b(retries(0), {tell(0s, {"operator"})});
  fill(b, 1, Alerts::kMaxOpen, Priority::critical);
  (void)b.alerts.due(at(kSecond));
  assert_int_equal(b.alerts.counters().given_up, Alerts::kMaxOpen);
  fill(b, 5001, 1, Priority::critical);
  assert_int_equal(b.alerts.counters().given_up, Alerts::kMaxOpen);
  assert_int_equal(b.alerts.counters().pushed_out, 1);
  assert_all_accounted(b.alerts);
}

// ── Reload ────────────────────────────────────────────────────────────────────

void the_same_configuration_again_changes_nothing(void**) {
  Bench b(retries(4), {});
  b.chance = 0.3;
  b.occurred(blocked(1), 0);
  (void)b.run_until(2 * kSecond);
  const std::int64_t due = b.alerts.due_us();
  b.chance = 0.9;
  b.alerts.configure(retries(4), {});
  assert_int_equal(b.alerts.due_us(), due);
  assert_int_equal(b.run_until(60 * kMinute).size(), 4);  // two repetitions and two steps are left
}

void open_alerts_go_on_under_new_repetitions(void**) {
  Bench b(retries(2), kFarLadder);
  b.occurred(blocked(1), 0);
  assert_int_equal(b.run_until(kMinute).size(), 2);
  RetryOptions more = retries(4);
  more.max = 2s;
  b.alerts.configure(more, kFarLadder);
  assert_int_equal(b.alerts.due_us(), kStart + 1'500'000 + kSecond);  // from the last repetition on
  Actions actions = b.alerts.due(at(2 * kMinute));
  assert_int_equal(actions.size(), 1);
  assert_int_equal(actions[0].repetition, 3);
  b.alerts.configure(retries(1), kFarLadder);
  assert_int_equal(b.run_until(60 * kMinute).size(), 0);
}

void steps_taken_count_and_a_new_step_whose_time_has_passed_is_due(void**) {
  Bench b(retries(0), {tell(0s, {"operator"}), repeat(5min), tell(15min, {"admin"})});
  b.occurred(blocked(1), 0);
  assert_int_equal(b.run_until(6 * kMinute).size(), 2);
  // `repeat` moved, a role was put in before, the last is earlier than now, one of the old is gone.
  b.alerts.configure(retries(0), {tell(1min, {"noc"}), repeat(10min), tell(12min, {"admin"})});
  assert_int_equal(b.alerts.due_us(), kStart + kMinute);
  Actions actions = b.alerts.due(at(6 * kMinute));
  assert_int_equal(actions.size(), 1);
  assert_roles(actions[0].roles, {"noc"});
  assert_int_equal(actions[0].steps.size(), 1);
  assert_int_equal(actions[0].steps[0], 0);
  actions = b.run_until(60 * kMinute);
  assert_int_equal(actions.size(), 1);
  assert_int_equal(actions[0].open_for_us, 12 * kMinute);
  assert_int_equal(actions[0].steps[0], 2);
  // Those told under the old rules are still among those told.
  b.alerts.for_each_open([](const Alerts::Open& open) { assert_roles(open.roles, {"operator", "noc", "admin"}); });
}

void a_new_step_at_zero_tells_those_who_subscribe_too_when_it_is_late(void**) {
  Bench b(retries(2), {tell(0s, {"operator"})});
  b.occurred(blocked(1), 0);
  assert_int_equal(b.run_until(500'000).size(), 2);
  b.alerts.configure(retries(2), {tell(0s, {"operator"}), tell(0s, {"noc"})});
  const Actions actions = b.alerts.due(at(600'000));
  assert_int_equal(actions.size(), 1);
  assert_true(actions[0].to == To::roles);
  assert_roles(actions[0].roles, {"noc"});
  assert_int_equal(actions[0].event->attempt, 3);
}

void like_steps_are_counted_one_by_one(void**) {
  Bench b(retries(0), {repeat(1min), repeat(2min), repeat(3min)});
  b.occurred(blocked(1), 0);
  assert_int_equal(b.run_until(kMinute).size(), 1);
  b.alerts.configure(retries(0), {repeat(1min), repeat(2min), repeat(3min)});
  assert_int_equal(b.run_until(60 * kMinute).size(), 2);
}

void a_shorter_ladder_gives_up_at_once(void**) {
  Bench b(retries(0), {tell(0s, {"operator"}), tell(1h, {"admin"})});
  b.occurred(blocked(1), 0);
  (void)b.run_until(kSecond);
  assert_int_equal(b.alerts.counters().given_up, 0);
  b.alerts.configure(retries(0), {tell(0s, {"operator"})});
  assert_int_equal(b.alerts.counters().given_up, 1);
  // Given up and taken up again, it is counted once.
  b.alerts.configure(retries(1), {tell(0s, {"operator"})});
  assert_int_equal(b.run_until(kMinute).size(), 1);
  assert_int_equal(b.alerts.counters().given_up, 1);
  assert_all_accounted(b.alerts);
}

void what_is_no_longer_asked_for_is_withdrawn(void**) {
  Bench b(retries(4), {tell(0s, {"operator"}, Priority::urgent)});
  fill(b, 1, 1, Priority::critical);
  fill(b, 2, 1, Priority::urgent);
  (void)b.run_until(kSecond);
  RetryOptions urgent_only = retries(4);
  urgent_only.acknowledge = {Priority::urgent};
  b.alerts.configure(urgent_only, {});  // the event's own priority counts, not the one it was raised to
  assert_int_equal(b.alerts.open(), 1);
  assert_int_equal(b.alerts.counters().withdrawn, 1);
  assert_false(b.alerts.acknowledge(1, at(kSecond)).has_value());
  assert_true(b.alerts.acknowledge(2, at(kSecond)).has_value());
  assert_all_accounted(b.alerts);
}

// ── Those who come back ───────────────────────────────────────────────────────

void every_open_alert_is_shown_with_whom_it_was_told(void**) {
  Bench b(retries(1), {tell(0s, {"operator"})});
  b.occurred(blocked(1, "192.0.2.1"), 0);
  (void)b.run_until(kSecond);
  b.occurred(blocked(2, "192.0.2.1"), kSecond);
  b.occurred(blocked(3, "192.0.2.2"), kSecond);
  std::vector<std::uint64_t> shown;
  b.alerts.for_each_open([&](const Alerts::Open& open) {
    shown.push_back(open.event->offset);
    if (open.alert == 1) {
      assert_roles(open.roles, {"operator"});
      assert_int_equal(open.occurrences, 2);
      assert_true(open.given_up);
    } else {
      assert_roles(open.roles, {});
      assert_false(open.given_up);
    }
  });
  assert_int_equal(shown.size(), 2);
  assert_int_equal(shown[0], 2);
  assert_int_equal(shown[1], 3);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(only_listed_priorities_ask),
      cmocka_unit_test(events_about_alerts_never_ask),
      cmocka_unit_test(waits_grow_up_to_the_longest_and_half_is_chance),
      cmocka_unit_test(an_event_is_sent_again_so_many_times),
      cmocka_unit_test(the_random_number_spreads_each_wait),
      cmocka_unit_test(a_loop_that_comes_late_sends_once_and_waits_from_there),
      cmocka_unit_test(the_default_ladder_is_the_documented_one),
      cmocka_unit_test(a_step_at_zero_is_due_at_once_and_tells_newcomers),
      cmocka_unit_test(a_step_at_zero_that_raises_the_priority_tells_subscribers_with_the_role_too),
      cmocka_unit_test(what_is_due_together_is_one_sending),
      cmocka_unit_test(steps_that_come_together_keep_to_the_roles_they_name),
      cmocka_unit_test(a_late_call_repeats_and_tells_in_one_sending),
      cmocka_unit_test(a_webhook_alone_sends_to_nobody),
      cmocka_unit_test(a_webhook_gets_the_latest_event_as_pressing_as_the_alert),
      cmocka_unit_test(a_raised_priority_stays_and_never_falls),
      cmocka_unit_test(the_event_emitted_is_never_changed),
      cmocka_unit_test(the_most_pressing_and_oldest_comes_first),
      cmocka_unit_test(an_acknowledgement_ends_it_and_the_next_asks_again),
      cmocka_unit_test(an_unknown_offset_ends_nothing),
      cmocka_unit_test(times_to_acknowledgement_are_measured),
      cmocka_unit_test(what_was_given_up_can_still_be_acknowledged_for_a_day),
      cmocka_unit_test(age_counts_without_a_look),
      cmocka_unit_test(a_ladder_longer_than_a_day_is_climbed),
      cmocka_unit_test(another_occurrence_joins_and_is_what_is_sent_again),
      cmocka_unit_test(a_join_does_not_revive_what_was_given_up),
      cmocka_unit_test(a_more_pressing_occurrence_makes_the_alert_more_pressing),
      cmocka_unit_test(a_condition_is_told_by_what_the_data_names),
      cmocka_unit_test(names_compare_without_case_and_paths_with),
      cmocka_unit_test(the_order_of_members_does_not_matter_and_no_text_passes_for_two),
      cmocka_unit_test(the_first_the_asked_and_the_latest_of_many_stay_acknowledgeable),
      cmocka_unit_test(of_those_asked_for_the_oldest_are_forgotten_but_the_first),
      cmocka_unit_test(one_event_asked_for_often_keeps_its_neighbours),
      cmocka_unit_test(an_expired_event_ends_its_alert),
      cmocka_unit_test(expiry_counts_without_a_look),
      cmocka_unit_test(the_latest_event_says_when_it_expires),
      cmocka_unit_test(the_wall_clock_set_back_makes_it_live_longer),
      cmocka_unit_test(a_full_table_gives_up_the_oldest_of_the_least_priority),
      cmocka_unit_test(a_newcomer_of_the_least_priority_finds_no_room),
      cmocka_unit_test(a_raised_alert_is_pushed_out_by_its_new_priority),
      cmocka_unit_test(one_raised_later_is_still_the_older),
      cmocka_unit_test(events_are_bounded_in_bytes),
      cmocka_unit_test(a_join_that_is_too_large_gives_up_its_alert),
      cmocka_unit_test(pushing_out_what_was_given_up_counts_it_once),
      cmocka_unit_test(the_same_configuration_again_changes_nothing),
      cmocka_unit_test(open_alerts_go_on_under_new_repetitions),
      cmocka_unit_test(steps_taken_count_and_a_new_step_whose_time_has_passed_is_due),
      cmocka_unit_test(a_new_step_at_zero_tells_those_who_subscribe_too_when_it_is_late),
      cmocka_unit_test(like_steps_are_counted_one_by_one),
      cmocka_unit_test(a_shorter_ladder_gives_up_at_once),
      cmocka_unit_test(what_is_no_longer_asked_for_is_withdrawn),
      cmocka_unit_test(every_open_alert_is_shown_with_whom_it_was_told),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
