// When a batch goes: a hand-driven clock, no queue.

#include "harness.hpp"

#include <initializer_list>

#include "plugin/delivery/batching.hpp"

namespace {

using namespace bindcast;
using namespace std::chrono_literals;

constexpr std::int64_t kMs = 1000;
constexpr std::int64_t kStart = 1'000'000 * kMs;

BatchingOptions options() {
  BatchingOptions o;
  o.max_batch_size = 10;
  o.max_batch_bytes = 1000;
  o.batch_timeout = 500ms;
  return o;
}

Now at(std::int64_t ms) {
  return {.mono_us = kStart + ms * kMs, .wall_us = 0};
}

// Events since `oldest_ms`, the last one sent at `sent_ms`.
QueueState waiting(std::size_t count, std::size_t bytes, std::int64_t oldest_ms, std::int64_t sent_ms) {
  return {.count = count,
          .bytes = bytes,
          .oldest_us = kStart + oldest_ms * kMs,
          .quiet_since_us = kStart + sent_ms * kMs,
          .has_bypass = false};
}

void nothing_waits_so_nothing_is_due(void**) {
  const BatchDecision d = decide_batch(options(), QueueState{}, 0, at(0));
  assert_int_equal(d.send_now, 0);
  assert_int_equal(d.wait_until_us, 0);
  assert_false(d.send_bypass);
}

void a_few_wait_until_the_oldest_is_old_enough(void**) {
  const QueueState queue = waiting(3, 300, 10, 0);
  const BatchDecision early = decide_batch(options(), queue, 0, at(100));
  assert_int_equal(early.send_now, 0);
  assert_true(early.wait_until_us > at(100).mono_us);
  assert_true(early.wait_until_us <= at(510).mono_us);
  // Asked again at the time it named, it sends; one microsecond earlier it does not.
  assert_int_equal(decide_batch(options(), queue, 0, {.mono_us = early.wait_until_us - 1, .wall_us = 0}).send_now, 0);
  assert_int_equal(decide_batch(options(), queue, 0, {.mono_us = early.wait_until_us, .wall_us = 0}).send_now, 3);
}

void a_full_batch_goes_at_once_and_is_no_larger_than_allowed(void**) {
  assert_int_equal(decide_batch(options(), waiting(9, 90, 10, 0), 0, at(20)).send_now, 0);
  assert_int_equal(decide_batch(options(), waiting(10, 100, 10, 0), 0, at(20)).send_now, 10);
  assert_int_equal(decide_batch(options(), waiting(37, 370, 10, 0), 0, at(20)).send_now, 10);
}

void bytes_fill_a_batch_too(void**) {
  assert_int_equal(decide_batch(options(), waiting(2, 999, 10, 0), 0, at(20)).send_now, 0);
  assert_int_equal(decide_batch(options(), waiting(2, 1000, 10, 0), 0, at(20)).send_now, 2);
}

void after_a_quiet_time_a_lone_event_does_not_wait(void**) {
  assert_int_equal(decide_batch(options(), waiting(1, 100, 600, 101), 0, at(600)).send_now, 0);
  assert_int_equal(decide_batch(options(), waiting(1, 100, 600, 100), 0, at(600)).send_now, 1);
  QueueState first = waiting(1, 100, 0, 0);
  first.quiet_since_us = 0;  // nothing was ever sent
  assert_int_equal(decide_batch(options(), first, 0, at(0)).send_now, 1);
}

void what_must_not_wait_goes_and_the_others_still_wait(void**) {
  QueueState queue = waiting(3, 300, 10, 0);
  queue.has_bypass = true;
  const BatchDecision d = decide_batch(options(), queue, 0, at(20));
  assert_true(d.send_bypass);
  assert_int_equal(d.send_now, 0);
  QueueState alone;
  alone.has_bypass = true;
  assert_true(decide_batch(options(), alone, 0, at(20)).send_bypass);
}

// Until the others are built, none of them may lose or hold back events.
void every_strategy_sends_in_time(void**) {
  for (const BatchStrategy strategy : {BatchStrategy::time_based, BatchStrategy::size_based, BatchStrategy::hybrid,
                                       BatchStrategy::priority_based, BatchStrategy::adaptive}) {
    BatchingOptions o = options();
    o.strategy = strategy;
    assert_int_equal(decide_batch(o, waiting(3, 300, 10, 0), 0, at(20)).send_now, 0);
    assert_int_equal(decide_batch(o, waiting(3, 300, 10, 0), 0, at(510)).send_now, 3);
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(nothing_waits_so_nothing_is_due),
      cmocka_unit_test(a_few_wait_until_the_oldest_is_old_enough),
      cmocka_unit_test(a_full_batch_goes_at_once_and_is_no_larger_than_allowed),
      cmocka_unit_test(bytes_fill_a_batch_too),
      cmocka_unit_test(after_a_quiet_time_a_lone_event_does_not_wait),
      cmocka_unit_test(what_must_not_wait_goes_and_the_others_still_wait),
      cmocka_unit_test(every_strategy_sends_in_time),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
