// Percentiles of a histogram against the exact ones of the same values.

#include "harness.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "plugin/histogram.hpp"

namespace {

using bindcast::Histogram;

constexpr double kPercents[] = {0, 0.1, 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9, 99.99, 100};

void assert_near(double actual, double expected) {
  if (std::abs(actual - expected) > expected / 128) {
    print_error("%f is not within 1/128 of %f\n", actual, expected);
    _fail(__FILE__, __LINE__);
  }
}

// Nearest rank: the smallest value that at least so many percent do not exceed.
std::uint32_t exact_percentile(const std::vector<std::uint32_t>& sorted, double percent) {
  const double rank = std::ceil(percent * static_cast<double>(sorted.size()) / 100);
  return sorted[rank < 1 ? 0 : static_cast<std::size_t>(rank) - 1];
}

void compare(std::vector<std::uint32_t> values) {
  Histogram histogram;
  double sum = 0;
  for (const std::uint32_t value : values) {
    histogram.record(value);
    sum += value;
  }
  std::ranges::sort(values);
  assert_int_equal(histogram.count(), values.size());
  assert_int_equal(histogram.maximum(), values.back());
  assert_int_equal(histogram.percentile(0), values.front());
  assert_int_equal(histogram.percentile(100), values.back());
  for (const double percent : kPercents) assert_near(histogram.percentile(percent), exact_percentile(values, percent));
  assert_near(histogram.mean(), sum / static_cast<double>(values.size()));
}

void uniform_values(void**) {
  std::mt19937 random(1);
  for (const std::uint32_t top : {100u, 5'000u, 1'000'000u, Histogram::kMost}) {
    std::uniform_int_distribution<std::uint32_t> any(1, top);
    std::vector<std::uint32_t> values(20'000);
    std::ranges::generate(values, [&] { return any(random); });
    compare(values);
  }
}

void exponential_values(void**) {
  std::mt19937 random(2);
  for (const double mean_us : {300.0, 20'000.0, 5'000'000.0}) {
    std::exponential_distribution<double> any(1 / mean_us);
    std::vector<std::uint32_t> values(20'000);
    std::ranges::generate(values, [&] { return 1 + static_cast<std::uint32_t>(any(random)); });
    compare(values);
  }
}

// Each edge of each power of two, and its neighbours: equal values give exactly that value.
void constant_values(void**) {
  for (std::uint32_t power = 1; power < Histogram::kMost; power *= 2) {
    for (const std::uint32_t value : {power - (power > 1 ? 1 : 0), power, power + 1, power + power / 2}) {
      if (value > Histogram::kMost) continue;
      Histogram histogram;
      histogram.record(value, 1000);
      for (const double percent : kPercents) assert_int_equal(histogram.percentile(percent), value);
      assert_true(histogram.mean() == value);
      assert_int_equal(histogram.count(), 1000);
    }
  }
}

// Between two others a value stands for itself, whatever its size.
void every_value_is_found_again(void**) {
  std::uint32_t last = 0;
  for (double exact = 1; exact < Histogram::kMost; exact *= 1.003) {
    const auto value = static_cast<std::uint32_t>(exact);
    Histogram histogram;
    histogram.record(1);
    histogram.record(value);
    histogram.record(Histogram::kMost);
    const std::uint32_t found = histogram.percentile(50);
    if (value < 128) assert_int_equal(found, value);
    assert_near(found, value);
    assert_true(found >= last);
    last = found;
  }
}

void whole_percents_have_no_rounding(void**) {
  Histogram histogram;
  for (int value = 1; value <= 100; ++value) histogram.record(value);
  for (int percent = 1; percent <= 100; ++percent) assert_int_equal(histogram.percentile(percent), percent);
}

void an_empty_one_says_nothing(void**) {
  Histogram histogram;
  histogram.record(7, 0);
  assert_int_equal(histogram.count(), 0);
  assert_int_equal(histogram.maximum(), 0);
  for (const double percent : kPercents) assert_int_equal(histogram.percentile(percent), 0);
  assert_true(histogram.mean() == 0);
  // And leaves nothing behind.
  histogram.record(100);
  assert_int_equal(histogram.percentile(0), 100);
}

void what_lies_outside_is_clamped(void**) {
  Histogram histogram;
  histogram.record(0);
  histogram.record(std::numeric_limits<std::int64_t>::min());
  assert_int_equal(histogram.maximum(), 1);
  histogram.record(std::numeric_limits<std::int64_t>::max());
  histogram.record(std::int64_t{Histogram::kMost} + 1);
  assert_int_equal(histogram.count(), 4);
  assert_int_equal(histogram.maximum(), Histogram::kMost);
  assert_int_equal(histogram.percentile(-5), 1);
  assert_int_equal(histogram.percentile(50), 1);
  assert_near(histogram.percentile(75), Histogram::kMost);
  assert_int_equal(histogram.percentile(200), Histogram::kMost);
  assert_int_equal(histogram.percentile(std::nan("")), 1);
}

void counters_stop_at_their_end(void**) {
  constexpr std::uint64_t kFull = std::numeric_limits<std::uint32_t>::max();
  Histogram histogram;
  histogram.record(10, kFull - 1);
  histogram.record(10, std::numeric_limits<std::uint64_t>::max());
  histogram.record(10);
  assert_int_equal(histogram.count(), kFull);
  histogram.record(1000, kFull);
  histogram.record(1000);
  assert_int_equal(histogram.count(), 2 * kFull);
  assert_int_equal(histogram.percentile(50), 10);
  assert_near(histogram.percentile(51), 1000);
  assert_near(histogram.mean(), 505);
  const Histogram other = histogram;
  histogram.add(other);
  assert_int_equal(histogram.count(), 2 * kFull);
}

void two_added_are_as_one(void**) {
  std::mt19937 random(3);
  std::uniform_int_distribution<std::uint32_t> any(1, 100'000);
  Histogram first, second, both;
  for (int i = 0; i < 10'000; ++i) {
    const std::uint32_t value = any(random);
    (i % 3 == 0 ? first : second).record(value + (i % 3 == 0 ? 50'000 : 0));
    both.record(value + (i % 3 == 0 ? 50'000 : 0));
  }
  Histogram reversed = second;
  reversed.add(first);
  assert_int_equal(reversed.percentile(0), both.percentile(0));
  assert_int_equal(reversed.maximum(), both.maximum());
  first.add(second);
  assert_int_equal(first.count(), both.count());
  assert_int_equal(first.maximum(), both.maximum());
  for (const double percent : kPercents) assert_int_equal(first.percentile(percent), both.percentile(percent));
  // Something empty changes nothing.
  first.add(Histogram());
  assert_int_equal(first.percentile(0), both.percentile(0));
  assert_int_equal(first.maximum(), both.maximum());
}

void after_a_reset_it_begins_anew(void**) {
  Histogram histogram;
  histogram.record(900, 5);
  histogram.reset();
  assert_int_equal(histogram.count(), 0);
  assert_int_equal(histogram.maximum(), 0);
  histogram.record(30);
  assert_int_equal(histogram.percentile(99), 30);
  assert_int_equal(histogram.maximum(), 30);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(uniform_values),
      cmocka_unit_test(exponential_values),
      cmocka_unit_test(constant_values),
      cmocka_unit_test(every_value_is_found_again),
      cmocka_unit_test(whole_percents_have_no_rounding),
      cmocka_unit_test(an_empty_one_says_nothing),
      cmocka_unit_test(what_lies_outside_is_clamped),
      cmocka_unit_test(counters_stop_at_their_end),
      cmocka_unit_test(two_added_are_as_one),
      cmocka_unit_test(after_a_reset_it_begins_anew),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
