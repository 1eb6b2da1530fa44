// The health of components, thresholds and what is read for them, by a clock that is driven by hand.

#include "harness.hpp"

#include <vector>

#include "plugin/health/vitals.hpp"

namespace {

using namespace bindcast;
using namespace std::chrono_literals;
using enum HealthState;

constexpr std::int64_t kSecond = 1'000'000;

JournalReport journal_in(JournalReport::State state) {
  JournalReport report;
  report.state = state;
  return report;
}

// Of one second.
HostLoad load_of(double queries_per_second, const HostLoad::AnswerTimes& upstream = {}) {
  HostLoad load;
  load.elapsed_us = kSecond;
  load.queries_per_second = queries_per_second;
  load.upstream = upstream;
  return load;
}

struct House : Subscriber {
  Hub hub{StreamIdentity{.epoch = "e", .host = "ns1", .service = "named"}, Now{}};
  Health health{hub};
  Now now{.mono_us = 1000 * kSecond, .wall_us = 1'795'442'531 * kSecond};
  std::vector<EventRef> alerts, updates, performance;

  House() {
    needs_events = true;
    subscriptions.emplace_back();
    hub.add_subscriber(*this);
  }
  ~House() override { hub.remove_subscriber(*this); }
  void deliver(const EncodedRef& event, Now) override {
    if (event->type == EventType::health_alert) alerts.push_back(event->event);
    if (event->type == EventType::health_update) updates.push_back(event->event);
    if (event->type == EventType::performance_alert) performance.push_back(event->event);
  }
  void lost(DropReason, EventType, std::uint64_t, Now) override {}
  void failed() noexcept override {}

  void pass(std::int64_t us) {
    now.mono_us += us;
    now.wall_us += us;
  }
  // So many seconds of the same report, with a tick after each.
  void stay(HealthState state, int seconds, const char* reason = "") {
    for (int i = 0; i < seconds; ++i) {
      health.report("part", state, reason, now);
      health.tick(now);
      pass(kSecond);
    }
  }
  [[nodiscard]] std::string_view last(const char* member) const { return alerts.back()->data.find(member).text(); }
};

void a_failure_is_told_at_once_and_a_recovery_when_it_lasts(void**) {
  House h;
  h.stay(healthy, 3);
  assert_int_equal(h.alerts.size(), 0);
  h.stay(degraded, 1, "slow");
  assert_int_equal(h.alerts.size(), 1);
  assert_text(h.last("state"), "degraded");
  assert_text(h.last("before"), "healthy");
  assert_text(h.last("reason"), "slow");
  assert_true(h.alerts.back()->priority == Priority::high && h.alerts.back()->severity == Severity::warning);
  h.stay(unhealthy, 1, "dead");
  assert_int_equal(h.alerts.size(), 2);
  assert_true(h.alerts.back()->priority == Priority::critical && h.alerts.back()->severity == Severity::critical);
  h.stay(healthy, 10);
  assert_int_equal(h.alerts.size(), 2);
  h.stay(healthy, 2);
  assert_int_equal(h.alerts.size(), 3);
  assert_text(h.last("state"), "healthy");
  assert_text(h.last("before"), "unhealthy");
  assert_true(h.alerts.back()->priority == Priority::normal && h.alerts.back()->severity == Severity::info);
  assert_false(bool(h.alerts.back()->data.find("reason")));
}

void half_a_recovery_is_told_as_such(void**) {
  House h;
  h.stay(unhealthy, 1, "dead");
  h.stay(degraded, 11, "slow");
  assert_int_equal(h.alerts.size(), 2);
  assert_text(h.last("state"), "degraded");
  assert_text(h.last("reason"), "slow");
  h.stay(healthy, 11);
  assert_text(h.last("state"), "healthy");
}

void flapping_is_no_storm(void**) {
  House h;
  for (int i = 0; i < 3600; ++i) h.stay(i % 2 == 0 ? unhealthy : healthy, 1, "again");
  assert_int_equal(h.alerts.size(), 1);  // it never was well for long enough
  // Well for 12 s, ill for one, for an hour: without damping 550 alerts.
  House slower;
  for (int i = 0; i < 3600 / 13; ++i) {
    slower.stay(unhealthy, 1, "again");
    slower.stay(healthy, 12);
  }
  assert_true(slower.alerts.size() <= 4);
  assert_true(slower.health.components().find("part")->second.relapses > 0);
  // After a long time without, it counts anew.
  slower.stay(healthy, 1200);
  assert_text(slower.last("state"), "healthy");
  slower.stay(unhealthy, 1, "again");
  assert_int_equal(slower.health.components().find("part")->second.relapses, 0);
}

void updates_come_on_change_and_at_the_interval(void**) {
  House h;
  h.stay(healthy, 1);
  assert_int_equal(h.updates.size(), 1);
  h.stay(healthy, 29);
  assert_int_equal(h.updates.size(), 1);
  h.stay(healthy, 1);
  assert_int_equal(h.updates.size(), 2);
  h.health.report("other", unhealthy, "gone", h.now, {.count = 3, .next_us = h.now.mono_us + 5 * kSecond});
  h.health.tick(h.now);
  assert_int_equal(h.updates.size(), 3);
  const Fields& data = h.updates.back()->data;
  assert_text(data.find("state").text(), "unhealthy");
  assert_int_equal(data.find("healthy").integer(), 1);
  assert_int_equal(data.find("unhealthy").integer(), 1);
  const auto other = data.find("components").first();
  assert_text(other.find("component").text(), "other");
  assert_int_equal(other.find("attempts").integer(), 3);
  assert_true(other.find("next_attempt").text() > other.find("since").text());
  h.health.forget("other");
  h.health.tick(h.now);
  assert_int_equal(h.updates.size(), 4);
  assert_true(h.health.worst() == healthy);
  h.health.configure({.interval = 5s});
  h.stay(healthy, 6);
  assert_int_equal(h.updates.size(), 5);
}

void what_is_taken_away_while_it_fails_is_told(void**) {
  House h;
  h.stay(unhealthy, 1, "dead");
  h.health.report("other", healthy, "", h.now);
  h.health.forget("other");
  h.health.forget("part");
  h.health.tick(h.now);
  assert_int_equal(h.alerts.size(), 2);
  assert_text(h.last("component"), "part");
  assert_text(h.last("state"), "removed");
  assert_text(h.last("before"), "unhealthy");
  assert_true(h.alerts.back()->priority == Priority::normal && h.alerts.back()->severity == Severity::info);
  // Back at once, it is told in the order of what happened.
  h.stay(unhealthy, 1, "dead");
  h.health.forget("part");
  h.stay(unhealthy, 1, "dead");
  assert_int_equal(h.alerts.size(), 5);
  assert_text(h.alerts[3]->data.find("state").text(), "removed");
  assert_text(h.last("state"), "unhealthy");
}

void what_is_only_looked_at_keeps_nobody_from_being_ready(void**) {
  House h;
  h.health.report("forwarder 192.0.2.1", unhealthy, "dead", h.now);
  assert_true(h.health.ready());
  h.health.report("journal", degraded, "full", h.now);
  assert_true(h.health.ready());
  h.health.report("journal", unhealthy, "full", h.now);
  assert_false(h.health.ready());
}

void a_threshold_has_two_bounds_and_a_time(void**) {
  using enum Threshold::Change;
  Now now{.mono_us = kSecond, .wall_us = 0};
  const auto stay = [&](Threshold& t, double value, int seconds) {
    auto change = none;
    for (int i = 0; i < seconds; ++i, now.mono_us += kSecond)
      if (const auto one = t.take(value, now); one != none) change = one;
    return change;
  };
  Threshold much;
  assert_true(stay(much, 1e9, 100) == none);  // no bounds
  much.configure(Threshold::Bounds{.raise = 80, .clear = 40, .hold_us = 10 * kSecond});
  assert_true(stay(much, 79.9, 100) == none);
  assert_true(stay(much, 80, 10) == none);
  assert_true(stay(much, 79, 1) == none);
  assert_true(stay(much, 80, 10) == none);
  assert_true(stay(much, 80, 1) == raised);
  assert_true(stay(much, 41, 100) == none && much.raised());
  assert_true(stay(much, 40, 10) == none);
  assert_true(stay(much, 40, 1) == cleared);

  Threshold little;
  little.configure(Threshold::Bounds{.raise = 20, .clear = 40, .hold_us = 0});
  assert_true(stay(little, 21, 9) == none);
  assert_true(stay(little, 20, 1) == raised);
  assert_true(stay(little, 39, 9) == none);
  assert_true(stay(little, 40, 1) == cleared);
  assert_true(stay(little, 0, 1) == raised);
  little.configure(std::nullopt);
  assert_true(stay(little, 0, 1) == cleared);
}

void a_rate_is_held_against_what_is_usual(void**) {
  UsualRate rate;
  std::optional<double> share;
  const auto stay = [&](double value, int seconds) {
    for (int i = 0; i < seconds; ++i) share = rate.take(value, kSecond);
  };
  stay(1000, 299);
  assert_false(share.has_value());
  stay(1000, 400);
  assert_true(share && *share > 0.99 && *share < 1.01);
  stay(0, 200);
  assert_true(*share < 0.1);
  assert_true(rate.usual() > 700);  // an outage is not learned,
  stay(0, 4 * 3600);
  assert_false(share.has_value());  // unless it lasts

  UsualRate bursts;  // ten seconds in a minute: that is how it is
  double least = 1;
  for (int i = 0; i < 3600; ++i)
    if (const auto one = bursts.take(i % 60 < 10 ? 1200 : 0, kSecond); one && i > 900) least = std::min(least, *one);
  assert_true(least > 0.25);

  UsualRate quiet;
  for (int i = 0; i < 3600; ++i) assert_false(quiet.take(i % 100, kSecond).has_value());
}

void a_median_is_estimated_from_classes(void**) {
  constexpr auto late = HostLoad::kLate;
  const auto median = [](const HostLoad::AnswerTimes& times) { return MedianTime().take(times).value_or(-1); };
  assert_true(median({{10, 19}, {100, 0}, {late, 0}}) < 0);  // too few
  assert_true(median({{10, 20}, {100, 0}, {late, 0}}) == 5);
  assert_true(median({{10, 10}, {100, 30}, {500, 0}, {late, 0}}) == 40);
  assert_true(median({{10, 10}, {100, 0}, {500, 30}, {late, 0}}) > 200);
  assert_true(median({{100, 10}, {500, 20}, {800, 25}, {1600, 0}, {late, 5}}) == 500);
  assert_true(median({{100, 10}, {500, 10}, {1600, 0}, {late, 90}}) == 1600);
  MedianTime slowly;
  for (int i = 0; i < 19; ++i) assert_false(slowly.take({{10, 0}, {100, 1}}).has_value());
  assert_true(slowly.take({{10, 0}, {100, 1}}) == 55.0);
  assert_false(slowly.take({{10, 19}, {100, 0}}).has_value());  // each counts once
}

void slow_answers_of_other_servers_are_told(void**) {
  House h;
  Vitals vitals(h.hub, h.health);
  Options options;
  vitals.configure(options);
  const auto stay = [&](std::uint64_t fast, std::uint64_t slow, std::uint64_t never, int seconds) {
    for (int i = 0; i < seconds; ++i) {
      h.pass(kSecond);
      const HostLoad::AnswerTimes times{{10, fast}, {100, 0}, {500, 0}, {800, slow}, {HostLoad::kLate, never}};
      vitals.take_host_load(load_of(1, times), h.now);
      vitals.tick(journal_in(JournalReport::State::ok), {}, h.now);
    }
  };
  stay(60, 20, 30, 60);
  assert_int_equal(h.performance.size(), 0);
  stay(40, 20, 30, 10);
  assert_int_equal(h.performance.size(), 0);  // not for long enough
  stay(40, 20, 30, 1);
  assert_int_equal(h.performance.size(), 1);
  const Fields& data = h.performance.back()->data;
  assert_text(data.find("component").text(), "latency");
  assert_text(data.find("state").text(), "raised");
  assert_text(data.find("unit").text(), "seconds");
  assert_true(data.find("value").real() >= 0.5 && data.find("value").real() < 0.6);
  assert_true(data.find("threshold").real() == 0.5);
  stay(0, 0, 0, 60);  // nothing is asked: nothing is known
  assert_int_equal(h.performance.size(), 1);
  stay(60, 20, 30, 11);
  assert_text(h.performance.back()->data.find("state").text(), "cleared");

  stay(0, 20, 30, 11);
  assert_int_equal(h.performance.size(), 3);
  options.sources.named.enabled = false;
  vitals.configure(options);
  vitals.tick(journal_in(JournalReport::State::ok), {}, h.now);
  vitals.tick(journal_in(JournalReport::State::ok), {}, h.now);
  assert_int_equal(h.performance.size(), 4);
  assert_text(h.performance.back()->data.find("state").text(), "cleared");
  assert_text(h.performance.back()->data.find("reason").text(), "it is measured no more");
}

void vitals_tell_what_the_counters_say(void**) {
  House h;
  Vitals vitals(h.hub, h.health);
  vitals.configure(Options{});
  JournalReport journal = journal_in(JournalReport::State::ok);
  DeliveryLoad load{.held_bytes = 0, .most_bytes = 100, .loop_lag_us = 0};
  const auto stay = [&](int seconds) {
    for (int i = 0; i < seconds; ++i) {
      h.pass(kSecond);
      vitals.tick(journal, load, h.now);
      h.health.tick(h.now);
    }
  };
  const auto state = [&](const char* name) { return h.health.components().find(name)->second.state; };
  stay(60);
  assert_int_equal(h.alerts.size() + h.performance.size(), 0);

  load.held_bytes = 85;
  stay(12);
  assert_text(h.performance.back()->data.find("component").text(), "queue_depth");
  assert_true(state("queue_depth") == degraded);
  assert_contains(h.last("reason"), "clients' queues are at 85 %");
  load.held_bytes = 0;
  load.loop_lag_us = 300'000;
  stay(30);
  assert_text(h.performance.back()->data.find("component").text(), "loop_lag");
  assert_true(state("queue_depth") == healthy);
  load.loop_lag_us = 0;
  stay(12);
  assert_text(h.performance.back()->data.find("state").text(), "cleared");
  assert_true(h.performance.back()->priority == Priority::normal);

  for (int i = 0; i < 12; ++i) {
    h.hub.statistics().capture_lost += 50;
    stay(1);
  }
  assert_text(h.performance.back()->data.find("component").text(), "capture_drops");
  assert_true(h.performance.back()->data.find("value").real() == 50);
  assert_true(state("capture") == degraded);

  h.hub.statistics().cold_lost += 3;
  stay(1);
  assert_true(state("zone_watch") == degraded);
  stay(75);
  assert_true(state("zone_watch") == healthy);

  journal = journal_in(JournalReport::State::failing);
  journal.reason = "the disk is full";
  journal.attempts = 7;
  stay(1);
  assert_true(state("journal") == degraded);
  assert_int_equal(h.health.components().find("journal")->second.attempts, 7);
  journal.dropped_events = 4;
  stay(1);
  assert_true(state("journal") == unhealthy);
  assert_contains(h.last("reason"), "the disk is full; 4 events found no room");
  journal = journal_in(JournalReport::State::off);
  stay(1);
  assert_true(h.health.components().find("journal") == h.health.components().end());
}

void a_fall_of_the_queries_is_told(void**) {
  House h;
  Vitals vitals(h.hub, h.health);
  vitals.configure(Options{});
  const auto stay = [&](std::uint64_t rate, int seconds) {
    for (int i = 0; i < seconds; ++i) {
      h.pass(kSecond);
      vitals.take_host_load(load_of(static_cast<double>(rate)), h.now);
    }
  };
  stay(5000, 600);
  assert_int_equal(h.performance.size(), 0);
  stay(50, 130);
  assert_int_equal(h.performance.size(), 1);
  assert_text(h.performance[0]->data.find("component").text(), "query_rate");
  assert_contains(h.performance[0]->data.find("reason").text(), "are usual");
  stay(5000, 130);
  assert_text(h.performance.back()->data.find("state").text(), "cleared");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_failure_is_told_at_once_and_a_recovery_when_it_lasts),
      cmocka_unit_test(half_a_recovery_is_told_as_such),
      cmocka_unit_test(flapping_is_no_storm),
      cmocka_unit_test(updates_come_on_change_and_at_the_interval),
      cmocka_unit_test(what_is_taken_away_while_it_fails_is_told),
      cmocka_unit_test(what_is_only_looked_at_keeps_nobody_from_being_ready),
      cmocka_unit_test(a_threshold_has_two_bounds_and_a_time),
      cmocka_unit_test(a_rate_is_held_against_what_is_usual),
      cmocka_unit_test(a_median_is_estimated_from_classes),
      cmocka_unit_test(slow_answers_of_other_servers_are_told),
      cmocka_unit_test(vitals_tell_what_the_counters_say),
      cmocka_unit_test(a_fall_of_the_queries_is_told),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
