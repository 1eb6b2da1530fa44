// Who has to wait, and what an attacker with very many names or addresses can do about it.

#include "harness.hpp"

#include "plugin/server/lockout.hpp"

namespace {

using namespace bindcast;

constexpr std::int64_t kSecond = 1'000'000;

struct House {
  static constexpr std::size_t kMost = 100;
  Lockout lockout{kMost};
  AuthOptions::Lockout options;  // 5 in 10 minutes, 15 minutes
  Now now{.mono_us = 1'000 * kSecond, .wall_us = 0};

  House() { lockout.configure(options); }
  bool fail(const std::string& key, int times = 1, bool always = false) {
    bool locked = false;
    for (int i = 0; i < times; ++i) locked = lockout.fail(key, always, now);
    return locked;
  }
  [[nodiscard]] std::int64_t wait(const std::string& key) const { return lockout.wait_us(key, now); }
};

void the_fifth_failure_locks_for_fifteen_minutes(void**) {
  House house;
  assert_false(house.fail("a", 4));
  assert_int_equal(house.wait("a"), 0);
  assert_true(house.fail("a"));
  assert_int_equal(house.wait("a"), 900 * kSecond);
  assert_int_equal(house.wait("b"), 0);
  house.now.mono_us += 900 * kSecond - 1;
  assert_int_equal(house.wait("a"), 1);
  house.now.mono_us += 1;
  assert_int_equal(house.wait("a"), 0);
  assert_false(house.fail("a", 4));  // counted from the beginning
  assert_true(house.fail("a"));
}

void failures_that_are_far_apart_lock_nobody(void**) {
  House house;
  for (int i = 0; i < 100; ++i) {
    assert_false(house.fail("a", 4));
    house.now.mono_us += house.options.window.count() + 1;
  }
}

void failing_on_while_locked_does_not_make_it_longer(void**) {
  House house;
  house.fail("a", 5);
  house.now.mono_us += 60 * kSecond;
  assert_false(house.fail("a", 100));
  assert_int_equal(house.wait("a"), 840 * kSecond);
}

void a_success_forgives(void**) {
  House house;
  house.fail("a", 4);
  house.lockout.forgive("a");
  assert_false(house.fail("a", 4));
}

void very_many_names_neither_grow_the_table_nor_free_who_is_locked(void**) {
  House house;
  house.fail("locked", 5);
  for (int i = 0; i < 10'000; ++i) house.fail("n" + std::to_string(i), 4);
  assert_int_equal(house.lockout.size(), House::kMost);
  assert_int_not_equal(house.wait("locked"), 0);
}

void a_table_of_locked_ones_takes_no_more_but_those_that_always_count(void**) {
  House house;
  for (std::size_t i = 0; i < House::kMost; ++i) house.fail("n" + std::to_string(i), 5);
  assert_false(house.fail("another", 50));
  assert_int_equal(house.lockout.size(), House::kMost);
  assert_true(house.fail("ann", 5, true));
  for (std::size_t i = 0; i < House::kMost; ++i) assert_int_not_equal(house.wait("n" + std::to_string(i)), 0);
  // When their time is over there is room again.
  house.now.mono_us += 900 * kSecond;
  assert_true(house.fail("another", 5));
  assert_int_equal(house.lockout.size(), 1);
}

void addresses_are_counted_as_what_one_attacker_has(void**) {
  assert_text(address_key("192.0.2.7"), "192.0.2.7");
  assert_text(address_key("::ffff:192.0.2.7"), "192.0.2.7");
  assert_text(address_key("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  assert_text(address_key("2001:db8:1:2:ffff::"), address_key("2001:db8:1:2::1"));
  assert_true(address_key("2001:db8:1:3::1") != address_key("2001:db8:1:2::1"));
  assert_text(address_key("fe80::1%eth0"), "fe80::/64");
  assert_text(address_key("localhost"), "");
  assert_text(address_key(""), "");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(the_fifth_failure_locks_for_fifteen_minutes),
      cmocka_unit_test(failures_that_are_far_apart_lock_nobody),
      cmocka_unit_test(failing_on_while_locked_does_not_make_it_longer),
      cmocka_unit_test(a_success_forgives),
      cmocka_unit_test(very_many_names_neither_grow_the_table_nor_free_who_is_locked),
      cmocka_unit_test(a_table_of_locked_ones_takes_no_more_but_those_that_always_count),
      cmocka_unit_test(addresses_are_counted_as_what_one_attacker_has),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
