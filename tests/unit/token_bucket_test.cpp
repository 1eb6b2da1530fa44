// How many events go: a hand-driven clock.

#include "harness.hpp"

#include "plugin/delivery/token_bucket.hpp"

namespace {

using bindcast::Now;
using bindcast::TokenBucket;

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kStart = 5'000 * kSecond;

Now at(std::int64_t us) {
  return {.mono_us = kStart + us, .wall_us = 0};
}

// How many go at once, asked for at most `asked` times.
int taken(TokenBucket& bucket, std::int64_t us, int asked = 10'000, double share = 1) {
  int count = 0;
  for (int i = 0; i < asked; ++i) count += bucket.take(at(us), share) ? 1 : 0;
  return count;
}

void without_a_rate_everything_goes(void**) {
  TokenBucket none;
  assert_int_equal(taken(none, 0), 10'000);
  TokenBucket zero(0, 5);
  assert_int_equal(taken(zero, 0), 10'000);
  assert_int_equal(taken(zero, 0, 10'000, 0.01), 10'000);
}

void the_burst_goes_at_once_and_then_the_rate(void**) {
  TokenBucket bucket(100, 30);
  assert_int_equal(taken(bucket, 0), 30);
  assert_int_equal(taken(bucket, 9'999), 0);
  assert_int_equal(taken(bucket, 10'000), 1);
  assert_int_equal(taken(bucket, 60'000), 5);
}

void without_a_burst_a_second_s_worth_goes_at_once(void**) {
  TokenBucket bucket(100, 0);
  assert_int_equal(taken(bucket, 0), 100);
  assert_int_equal(taken(bucket, kSecond), 100);
}

// Asked every 8 us for ten seconds, exactly the rate goes: no rounding adds up.
void the_rate_is_exact_however_often_it_is_asked(void**) {
  TokenBucket bucket(333, 2);
  int count = 0;
  for (std::int64_t us = 0; us <= 10 * kSecond; us += 8) count += bucket.take(at(us), 1) ? 1 : 0;
  assert_int_equal(count, 2 + 3330);
}

void a_share_scales_the_rate(void**) {
  TokenBucket bucket(100, 1);
  assert_int_equal(taken(bucket, 0), 1);
  int count = 0;
  for (std::int64_t us = 0; us <= 10 * kSecond; us += 1000) count += bucket.take(at(us), 0.25) ? 1 : 0;
  assert_in_range(count, 249, 250);
  // A share above 1 does not raise it.
  TokenBucket other(100, 100);
  assert_int_equal(taken(other, 0), 100);
  assert_int_equal(taken(other, kSecond / 2, 1000, 7), 50);
}

void a_long_idle_time_gives_one_burst(void**) {
  TokenBucket bucket(100, 30);
  assert_int_equal(taken(bucket, 0), 30);
  assert_int_equal(taken(bucket, 86'400 * 365 * kSecond), 30);
}

void a_clock_that_stands_still_or_steps_back_gives_nothing(void**) {
  TokenBucket bucket(100, 10);
  assert_int_equal(taken(bucket, kSecond), 10);
  assert_int_equal(taken(bucket, kSecond), 0);
  for (int i = 0; i < 50; ++i) {
    assert_int_equal(taken(bucket, kSecond - 100'000), 0);
    assert_int_equal(taken(bucket, kSecond), 0);
  }
  assert_int_equal(taken(bucket, kSecond + 20'000), 2);
}

void after_a_large_step_back_it_goes_on_from_there(void**) {
  TokenBucket bucket(100, 10);
  assert_int_equal(taken(bucket, 3'600 * kSecond), 10);
  assert_int_equal(taken(bucket, 0), 0);
  assert_int_equal(taken(bucket, 50'000), 5);
}

void new_options_keep_what_is_there(void**) {
  TokenBucket bucket(100, 50);
  assert_int_equal(taken(bucket, 0, 20), 20);
  bucket.configure(10, 80);  // 30 are left, none is given
  assert_int_equal(taken(bucket, 0), 30);
  assert_int_equal(taken(bucket, kSecond), 10);

  TokenBucket smaller(100, 50);
  assert_int_equal(taken(smaller, 0, 20), 20);
  smaller.configure(100, 5);
  assert_int_equal(taken(smaller, 0), 5);
}

void a_limit_that_is_switched_on_begins_full(void**) {
  TokenBucket bucket;
  assert_int_equal(taken(bucket, 0), 10'000);
  bucket.configure(10, 20);
  assert_int_equal(taken(bucket, 1), 20);
  // Whatever the time is.
  TokenBucket first(10, 20);
  assert_int_equal(taken(first, -kStart), 20);
  bucket.configure(0, 0);
  assert_int_equal(taken(bucket, 1), 10'000);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(without_a_rate_everything_goes),
      cmocka_unit_test(the_burst_goes_at_once_and_then_the_rate),
      cmocka_unit_test(without_a_burst_a_second_s_worth_goes_at_once),
      cmocka_unit_test(the_rate_is_exact_however_often_it_is_asked),
      cmocka_unit_test(a_share_scales_the_rate),
      cmocka_unit_test(a_long_idle_time_gives_one_burst),
      cmocka_unit_test(a_clock_that_stands_still_or_steps_back_gives_nothing),
      cmocka_unit_test(after_a_large_step_back_it_goes_on_from_there),
      cmocka_unit_test(new_options_keep_what_is_there),
      cmocka_unit_test(a_limit_that_is_switched_on_begins_full),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
