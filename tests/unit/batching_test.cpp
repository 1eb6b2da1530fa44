// When a batch goes: a hand-driven clock, no queue; and recorded loads through all strategies (batching_simulator.hpp).
//
// With --table, prints the table of doc/batching.md instead.

#include "harness.hpp"

#include <cmath>
#include <cstdio>
#include <random>

#include "batching_simulator.hpp"
#include "config/profiles.hpp"
#include "plugin/delivery/batching.hpp"
#include "plugin/delivery/rate.hpp"

namespace {

using namespace bindcast;
using namespace std::chrono_literals;

constexpr std::int64_t kMs = 1000;
constexpr std::int64_t kStart = 1'000'000 * kMs;
constexpr std::array kStrategies{BatchStrategy::time_based, BatchStrategy::size_based, BatchStrategy::hybrid,
                                 BatchStrategy::priority_based, BatchStrategy::adaptive};

BatchingOptions options(BatchStrategy strategy, bool adaptive_sizing = false) {
  BatchingOptions o;
  o.strategy = strategy;
  o.max_batch_size = 10;
  o.max_batch_bytes = 1000;
  o.batch_timeout = 400ms;
  o.min_batch_size = 2;
  o.max_batch_timeout = 2s;
  o.load_threshold = 0.8;
  o.adaptive_sizing = adaptive_sizing;
  return o;
}

Now at(std::int64_t ms) {
  return {.mono_us = kStart + ms * kMs, .wall_us = 0};
}

// Events of normal priority since `oldest_ms`, the last batch sent at `sent_ms`.
QueueState waiting(std::size_t count, std::int64_t oldest_ms, std::int64_t sent_ms) {
  QueueState queue{.count = count, .bytes = 10 * count, .oldest_us = {}, .last_sent_us = at(sent_ms).mono_us};
  queue.oldest_us[static_cast<std::size_t>(Priority::normal)] = at(oldest_ms).mono_us;
  return queue;
}

// An event of each of these priorities, since `oldest_ms`.
QueueState of_priorities(std::initializer_list<Priority> priorities, std::int64_t oldest_ms) {
  QueueState queue{.count = priorities.size(), .bytes = 100, .oldest_us = {}, .last_sent_us = at(0).mono_us};
  for (const Priority priority : priorities)
    queue.oldest_us[static_cast<std::size_t>(priority)] = at(oldest_ms).mono_us;
  return queue;
}

std::size_t sends(const BatchingOptions& o, const QueueState& queue, Now now, const Load& load = {}) {
  return decide_batch(o, queue, load, now).send_now;
}

// All that waits is held back at `asked_ms` and goes at `due_ms`, no earlier.
void goes_at(const BatchingOptions& o, const QueueState& queue, std::int64_t asked_ms, std::int64_t due_ms,
             const Load& load = {}) {
  const BatchDecision decision = decide_batch(o, queue, load, at(asked_ms));
  assert_int_equal(decision.send_now, 0);
  assert_int_equal(decision.wait_until_us, at(due_ms).mono_us);
  assert_int_equal(sends(o, queue, {.mono_us = at(due_ms).mono_us - 1, .wall_us = 0}, load), 0);
  assert_int_equal(sends(o, queue, at(due_ms), load), queue.count);
}

void nothing_waits_so_nothing_is_due(void**) {
  for (const BatchStrategy strategy : kStrategies) {
    const BatchDecision decision = decide_batch(options(strategy), QueueState{}, {.depth = 1}, at(0));
    assert_int_equal(decision.send_now, 0);
    assert_int_equal(decision.wait_until_us, 0);
  }
}

void bytes_fill_a_batch_too(void**) {
  for (const BatchStrategy strategy :
       {BatchStrategy::size_based, BatchStrategy::hybrid, BatchStrategy::priority_based, BatchStrategy::adaptive}) {
    const Load load{.arrival_per_second = 1000};
    QueueState queue = waiting(2, 10, 0);
    queue.bytes = 999;
    assert_int_equal(sends(options(strategy), queue, at(20), load), 0);
    queue.bytes = 1000;
    assert_int_equal(sends(options(strategy), queue, at(20), load), 2);
  }
}

void a_queue_that_fills_is_emptied_whatever_the_strategy(void**) {
  for (const BatchStrategy strategy : kStrategies) {
    const BatchingOptions o = options(strategy, true);
    assert_int_equal(sends(o, waiting(1, 10, 0), at(11), {.arrival_per_second = 100, .depth = 0.79}), 0);
    assert_int_equal(sends(o, waiting(1, 10, 0), at(11), {.arrival_per_second = 100, .depth = 0.8}), 1);
    assert_int_equal(sends(o, waiting(37, 10, 0), at(11), {.arrival_per_second = 100, .depth = 0.8}), 10);
  }
}

void time_based_keeps_a_beat_and_then_sends_all(void**) {
  const BatchingOptions o = options(BatchStrategy::time_based);
  goes_at(o, waiting(3, 10, 0), 20, 410);
  goes_at(o, waiting(3, 5000, 0), 5000, 5400);  // a quiet time makes no difference
  QueueState many = waiting(25, 10, 0);
  many.bytes = 5000;
  assert_int_equal(sends(o, many, at(409)), 0);  // nor does a full batch
  assert_int_equal(sends(o, many, at(410)), 10);
  // What waited as well goes with it, though it is not that old; what comes while the batch goes is for the next beat.
  assert_int_equal(sends(o, waiting(15, 300, 410), at(410)), 10);
  assert_int_equal(sends(o, waiting(5, 409, 410), at(410)), 5);
  goes_at(o, waiting(5, 410, 410), 410, 810);
}

void size_based_waits_for_a_full_batch(void**) {
  const BatchingOptions o = options(BatchStrategy::size_based);
  assert_int_equal(sends(o, waiting(9, 10, 0), at(1000)), 0);
  assert_int_equal(sends(o, waiting(10, 10, 0), at(20)), 10);
  assert_int_equal(sends(o, waiting(37, 10, 0), at(20)), 10);
  goes_at(o, waiting(9, 10, 0), 1000, 2010);  // a slow stream
}

void hybrid_sends_when_full_or_old_or_after_a_quiet_time(void**) {
  const BatchingOptions o = options(BatchStrategy::hybrid);
  assert_int_equal(sends(o, waiting(9, 10, 0), at(20)), 0);
  assert_int_equal(sends(o, waiting(10, 10, 0), at(20)), 10);
  goes_at(o, waiting(3, 10, 20), 30, 410);  // left over from a batch
  goes_at(o, waiting(3, 10, 0), 20, 400);   // the last batch went so long ago
  assert_int_equal(sends(o, waiting(1, 400, 0), at(400)), 1);
  QueueState first = waiting(1, 0, 0);
  first.last_sent_us = 0;
  assert_int_equal(sends(o, first, at(0)), 1);
  // A machine that has just started: its clock is near 0, and nothing was sent yet.
  first.oldest_us[1] = 1;
  assert_int_equal(sends(o, first, {.mono_us = 1, .wall_us = 0}), 1);
}

void priority_based_has_a_patience_for_each(void**) {
  const BatchingOptions o = options(BatchStrategy::priority_based);
  goes_at(o, of_priorities({Priority::low}, 10), 20, 410);
  goes_at(o, of_priorities({Priority::normal}, 10), 20, 210);
  goes_at(o, of_priorities({Priority::high}, 10), 20, 50);
  assert_int_equal(sends(o, of_priorities({Priority::critical}, 10), at(10)), 1);
  assert_int_equal(sends(o, of_priorities({Priority::urgent}, 10), at(10)), 1);
  goes_at(o, of_priorities({Priority::low, Priority::normal, Priority::high}, 10), 20, 50);  // the others go with it
  QueueState queue = of_priorities({Priority::low}, 10);
  queue.count = 2;
  queue.oldest_us[static_cast<std::size_t>(Priority::high)] = at(390).mono_us;  // the older one is due first
  goes_at(o, queue, 391, 410);
  assert_int_equal(sends(o, waiting(10, 10, 0), at(11)), 10);  // full
}

void adaptive_lets_a_thin_stream_through(void**) {
  const BatchingOptions o = options(BatchStrategy::adaptive);
  assert_int_equal(sends(o, waiting(1, 10, 0), at(10)), 1);
  // min_batch_size, 2, would come in batch_timeout, 400 ms, at 5/s.
  assert_int_equal(sends(o, waiting(1, 10, 0), at(10), {.arrival_per_second = 4.9}), 1);
  assert_int_equal(sends(o, waiting(1, 10, 0), at(10), {.arrival_per_second = 5.1}), 0);
  // After a quiet time an event is alone, whatever there was before it.
  assert_int_equal(sends(o, waiting(1, 100, 0), at(100), {.arrival_per_second = 50}), 1);
}

void a_smallest_batch_above_the_largest_is_the_largest(void**) {
  BatchingOptions o = options(BatchStrategy::adaptive);
  o.min_batch_size = 1000;
  const Load load{.arrival_per_second = 30};  // 12 in batch_timeout
  assert_int_equal(sends(o, waiting(9, 10, 0), at(20), load), 0);
  assert_int_equal(sends(o, waiting(10, 10, 0), at(20), load), 10);
}

void adaptive_waits_for_what_comes_in_its_budget(void**) {
  const BatchingOptions o = options(BatchStrategy::adaptive);
  const Load steady{.arrival_per_second = 60};  // 6 in a quarter of batch_timeout
  assert_int_equal(sends(o, waiting(5, 10, 0), at(20), steady), 0);
  assert_int_equal(sends(o, waiting(6, 10, 0), at(20), steady), 6);
  goes_at(o, waiting(3, 10, 20), 30, 110, steady);  // if fewer come
  const Load flood{.arrival_per_second = 10'000};
  assert_int_equal(sends(o, waiting(9, 10, 0), at(20), flood), 0);
  assert_int_equal(sends(o, waiting(37, 10, 0), at(20), flood), 10);
}

// Under pressure too: twice the time in which the largest batch, 10, fills, in doublings of 100 ms.
void adaptive_takes_no_more_time_than_it_needs(void**) {
  const BatchingOptions o = options(BatchStrategy::adaptive);
  goes_at(o, waiting(6, 10, 20), 30, 1610, {.arrival_per_second = 12.6, .loop_lag_us = 99'000});
  goes_at(o, waiting(6, 10, 20), 30, 210, {.arrival_per_second = 110, .loop_lag_us = 99'000});
  goes_at(o, waiting(6, 10, 20), 30, 110, {.arrival_per_second = 10'000, .loop_lag_us = 99'000});
}

// Three measures, each half way from calm to its limit: the budget is half way from 100 ms to 2 s.
void adaptive_takes_more_time_under_pressure(void**) {
  const BatchingOptions o = options(BatchStrategy::adaptive);
  const double rate = 6;  // 6.3 in 1050 ms
  for (const Load& load :
       {Load{.arrival_per_second = rate, .depth = 0.6}, Load{.arrival_per_second = rate, .loop_lag_us = 15'000},
        Load{.arrival_per_second = rate, .drain_per_second = 4}}) {
    goes_at(o, waiting(6, 10, 20), 30, 1060, load);
    assert_int_equal(sends(o, waiting(7, 10, 0), at(20), load), 7);
  }
  // Up to half of each limit nothing is wrong.
  goes_at(o, waiting(1, 10, 20), 30, 110,
          {.arrival_per_second = rate, .drain_per_second = 6, .depth = 0.4, .loop_lag_us = 10'000});
  // Beyond its limit none counts for more; and one that is unknown counts for nothing.
  goes_at(o, waiting(6, 10, 20), 30, 2010,
          {.arrival_per_second = rate, .drain_per_second = 0.1, .loop_lag_us = 60'000'000});
}

void adaptive_sizing_takes_more_time_under_pressure(void**) {
  const Load half{.arrival_per_second = 100, .loop_lag_us = 15'000};  // half way from 400 ms to 2 s
  const Load most{.arrival_per_second = 100, .loop_lag_us = 99'000};
  const auto with = [](BatchStrategy strategy) { return options(strategy, true); };
  goes_at(with(BatchStrategy::time_based), waiting(3, 10, 0), 20, 1210, half);
  goes_at(with(BatchStrategy::time_based), waiting(3, 10, 0), 20, 2010, most);
  goes_at(with(BatchStrategy::hybrid), waiting(3, 10, 0), 20, 1200, half);
  goes_at(with(BatchStrategy::hybrid), waiting(3, 10, 0), 20, 2000, most);
  goes_at(with(BatchStrategy::priority_based), waiting(3, 10, 0), 20, 610, half);
  goes_at(with(BatchStrategy::priority_based), waiting(3, 10, 0), 20, 1010, most);
  goes_at(with(BatchStrategy::size_based), waiting(3, 10, 0), 20, 2010, most);
  assert_int_equal(sends(with(BatchStrategy::priority_based), of_priorities({Priority::urgent}, 10), at(10), most), 1);
  goes_at(options(BatchStrategy::hybrid), waiting(3, 10, 0), 20, 400, most);  // not asked for
}

void adaptive_sizing_does_not_wait_for_more_than_will_come(void**) {
  const Load slow{.arrival_per_second = 12.5};  // 5 in batch_timeout
  for (const BatchStrategy strategy :
       {BatchStrategy::size_based, BatchStrategy::hybrid, BatchStrategy::priority_based}) {
    assert_int_equal(sends(options(strategy, true), waiting(4, 10, 0), at(20), slow), 0);
    assert_int_equal(sends(options(strategy, true), waiting(5, 10, 0), at(20), slow), 5);
    assert_int_equal(sends(options(strategy, true), waiting(1, 10, 0), at(20)), 0);  // not below min_batch_size
    assert_int_equal(sends(options(strategy, true), waiting(2, 10, 0), at(20)), 2);
    assert_int_equal(sends(options(strategy, true), waiting(9, 10, 0), at(20), {.arrival_per_second = 1e9}), 0);
    assert_int_equal(sends(options(strategy, true), waiting(10, 10, 0), at(20), {.arrival_per_second = 1e9}), 10);
    assert_int_equal(sends(options(strategy), waiting(9, 10, 0), at(20), slow), 0);  // not asked for
  }
}

// Anything goes in, in no sensible combination: whoever is told to wait can send at that time, and no earlier; nobody
// is told to wait in the past; and a batch holds one event at least and no more than may be.
void the_time_that_it_names_is_the_first_at_which_it_sends(void**) {
  std::minstd_rand random(1);
  const auto pick = [&random](std::int64_t below) { return static_cast<std::int64_t>(random()) % below; };
  std::array<int, kStrategies.size()> waited{};
  for (int i = 0; i < 200'000; ++i) {
    BatchingOptions o;
    const auto strategy = static_cast<std::size_t>(pick(kStrategies.size()));
    o.strategy = kStrategies[strategy];
    o.max_batch_size = static_cast<std::uint32_t>(pick(40));
    o.min_batch_size = static_cast<std::uint32_t>(pick(40));
    o.max_batch_bytes = static_cast<std::size_t>(pick(4000));
    o.batch_timeout = Microseconds(pick(20) == 0 ? 0 : pick(10'000'000));
    o.max_batch_timeout = Microseconds(pick(20'000'000));
    o.load_threshold = static_cast<double>(pick(11)) / 10;
    o.adaptive_sizing = pick(2) == 0;
    QueueState queue{.count = static_cast<std::size_t>(1 + pick(20)),
                     .bytes = static_cast<std::size_t>(pick(2000)),
                     .oldest_us = {},
                     .last_sent_us = pick(3) == 0 ? 0 : kStart + pick(3'000'000)};
    for (std::int64_t& oldest : queue.oldest_us) oldest = pick(3) != 0 ? 0 : kStart + 2'000'000 + pick(1'000'000);
    const Load load{.arrival_per_second = pick(3) == 0 ? 0 : std::exp(static_cast<double>(pick(12))),
                    .drain_per_second = pick(3) == 0 ? 0 : std::exp(static_cast<double>(pick(12))),
                    .depth = pick(3) == 0 ? static_cast<double>(pick(11)) / 10 : 0,
                    .loop_lag_us = pick(2) == 0 ? 0 : pick(50'000)};
    const Now now{.mono_us = kStart + 3'000'000, .wall_us = 0};
    const BatchDecision decision = decide_batch(o, queue, load, now);
    if (decision.send_now > 0) {
      assert_true(decision.send_now <= queue.count);
      assert_true(decision.send_now <= std::max(o.max_batch_size, 1U));
      continue;
    }
    ++waited[strategy];
    const std::int64_t due_us = decision.wait_until_us;
    assert_true(due_us > now.mono_us);
    assert_int_equal(sends(o, queue, {.mono_us = due_us - 1, .wall_us = 0}, load), 0);
    assert_true(sends(o, queue, {.mono_us = due_us, .wall_us = 0}, load) > 0);
  }
  for (const int count : waited) assert_true(count > 1000);
}

void the_rate_of_a_steady_stream_is_told(void**) {
  Rate rate;
  assert_true(rate.per_second(at(0)) == 0);
  std::int64_t ms = 0;
  for (; ms < 1000; ms += 10) rate.add(2, at(ms));
  assert_true(std::abs(rate.per_second(at(ms)) - 100) < 2);  // half of the way after a second
  for (; ms < 20'000; ms += 10) rate.add(2, at(ms));
  assert_true(std::abs(rate.per_second(at(ms)) - 200) < 2);
}

void the_rate_falls_by_half_in_a_second(void**) {
  Rate rate;
  rate.add(1000, at(0));
  const double before = rate.per_second(at(0));
  assert_true(std::abs(rate.per_second(at(1000)) - before / 2) < 0.001);
  assert_true(std::abs(rate.per_second(at(3000)) - before / 8) < 0.001);
  // Asking changes nothing, nor does in how many pieces time passes.
  for (std::int64_t ms = 1; ms < 3000; ++ms) rate.add(0, at(ms));
  assert_true(std::abs(rate.per_second(at(3000)) - before / 8) < 0.001);
}

void after_a_long_silence_there_is_no_rate(void**) {
  Rate rate;
  rate.add(1'000'000, at(0));
  assert_true(rate.per_second(at(60'000)) < 0.001);
  assert_true(rate.per_second(at(365LL * 24 * 3600 * 1000)) == 0);
  rate.add(1, at(365LL * 24 * 3600 * 1000));
  assert_true(rate.per_second(at(365LL * 24 * 3600 * 1000)) < 1);
}

void a_clock_that_stands_or_steps_back_does_no_harm(void**) {
  Rate rate;
  rate.add(1, at(1000));
  const double one = rate.per_second(at(1000));
  rate.add(1, at(500));
  assert_true(std::abs(rate.per_second(at(500)) - 2 * one) < 0.001);
  assert_true(std::abs(rate.per_second(at(2000)) - one) < 0.001);
}

constexpr std::array kProfiles{BatchingOptions::Profile::standard, BatchingOptions::Profile::production,
                               BatchingOptions::Profile::high_volume, BatchingOptions::Profile::low_latency};

simulator::Outcome play(const simulator::Recording& recording, Options o, BatchStrategy strategy) {
  o.batching.strategy = strategy;
  return simulator::Simulator(o.batching, recording, o.queues.max_events).run();
}

void every_load_keeps_every_promise(void**) {
  for (const simulator::Recording& recording : simulator::recordings()) {
    for (const auto profile : kProfiles) {
      for (const bool sizing : {false, true}) {
        Options o;
        apply_profile(profile, o);
        o.batching.adaptive_sizing = sizing;
        std::array<simulator::Outcome, kStrategies.size()> outcomes;
        for (std::size_t i = 0; i < kStrategies.size(); ++i) {
          outcomes[i] = play(recording, o, kStrategies[i]);
          if (!outcomes[i].broken.empty() || outcomes[i].events != recording.arrivals.size()) {
            print_error("%.*s, profile %zu, strategy %zu, sizing %d: %s\n", static_cast<int>(recording.name.size()),
                        recording.name.data(), static_cast<std::size_t>(profile), i, sizing,
                        outcomes[i].broken.c_str());
            _fail(__FILE__, __LINE__);
          }
        }
        // What adaptive costs in batches it must give in latency, or the other way round.
        const simulator::Outcome& hybrid = outcomes[static_cast<std::size_t>(BatchStrategy::hybrid)];
        const simulator::Outcome& adaptive = outcomes[static_cast<std::size_t>(BatchStrategy::adaptive)];
        if (adaptive.mean_us > hybrid.mean_us && adaptive.batches > hybrid.batches) {
          print_error("%.*s, profile %zu, sizing %d: adaptive %f us in %zu, hybrid %f us in %zu\n",
                      static_cast<int>(recording.name.size()), recording.name.data(), static_cast<std::size_t>(profile),
                      sizing, adaptive.mean_us, adaptive.batches, hybrid.mean_us, hybrid.batches);
          _fail(__FILE__, __LINE__);
        }
      }
    }
  }
}

// Of the profile that is in force unless written, and of the one that uses adaptive.
void print_table() {
  std::printf(
      "| load | profile | hybrid: mean, longest | batches per event | adaptive: mean, longest | batches per event |\n"
      "|---|---|---|---|---|---|\n");
  for (const simulator::Recording& recording : simulator::recordings()) {
    for (const auto profile : {BatchingOptions::Profile::production, BatchingOptions::Profile::high_volume}) {
      Options o;
      apply_profile(profile, o);
      std::printf("| %.*s | %s |", static_cast<int>(recording.name.size()), recording.name.data(),
                  profile == BatchingOptions::Profile::production ? "production" : "high_volume");
      for (const BatchStrategy strategy : {BatchStrategy::hybrid, BatchStrategy::adaptive}) {
        const simulator::Outcome outcome = play(recording, o, strategy);
        std::printf(" %.0f, %.0f ms | %.3f |", outcome.mean_us / 1000, static_cast<double>(outcome.longest_us) / 1000,
                    outcome.batches_per_event());
      }
      std::printf("\n");
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--table") {
    print_table();
    return 0;
  }
  const CMUnitTest tests[] = {
      cmocka_unit_test(nothing_waits_so_nothing_is_due),
      cmocka_unit_test(bytes_fill_a_batch_too),
      cmocka_unit_test(a_queue_that_fills_is_emptied_whatever_the_strategy),
      cmocka_unit_test(time_based_keeps_a_beat_and_then_sends_all),
      cmocka_unit_test(size_based_waits_for_a_full_batch),
      cmocka_unit_test(hybrid_sends_when_full_or_old_or_after_a_quiet_time),
      cmocka_unit_test(priority_based_has_a_patience_for_each),
      cmocka_unit_test(adaptive_lets_a_thin_stream_through),
      cmocka_unit_test(a_smallest_batch_above_the_largest_is_the_largest),
      cmocka_unit_test(adaptive_takes_no_more_time_than_it_needs),
      cmocka_unit_test(adaptive_waits_for_what_comes_in_its_budget),
      cmocka_unit_test(adaptive_takes_more_time_under_pressure),
      cmocka_unit_test(adaptive_sizing_takes_more_time_under_pressure),
      cmocka_unit_test(adaptive_sizing_does_not_wait_for_more_than_will_come),
      cmocka_unit_test(the_time_that_it_names_is_the_first_at_which_it_sends),
      cmocka_unit_test(the_rate_of_a_steady_stream_is_told),
      cmocka_unit_test(the_rate_falls_by_half_in_a_second),
      cmocka_unit_test(after_a_long_silence_there_is_no_rate),
      cmocka_unit_test(a_clock_that_stands_or_steps_back_does_no_harm),
      cmocka_unit_test(every_load_keeps_every_promise),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
