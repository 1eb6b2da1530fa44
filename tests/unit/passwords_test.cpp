// Passwords and their hashes, and the thread that compares them.

#include "harness.hpp"

#include <crypt.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "plugin/server/passwords.hpp"

namespace {

using namespace bindcast;

std::string hash_of(const char* password, const char* method, unsigned long cost) {
  char* setting = crypt_gensalt_ra(method, cost, nullptr, 0);
  crypt_data data{};
  const std::string hash = crypt_r(password, setting, &data);
  free(setting);
  return hash;
}

void every_method_of_libcrypt_that_is_in_use(void**) {
  for (const auto& [method, cost] :
       {std::pair{"$y$", 1UL}, {"$gy$", 1UL}, {"$7$", 6UL}, {"$2b$", 4UL}, {"$6$", 1000UL}, {"$5$", 1000UL}}) {
    const std::string hash = hash_of("correct horse", method, cost);
    assert_text(fault_of_hash(hash), "");
    assert_true(matches_hash(hash, "correct horse"));
    for (const std::string& wrong : {std::string(), std::string("correct hors"), std::string("correct horse "), hash,
                                     std::string("correct horse") + '\n'})
      assert_false(matches_hash(hash, wrong));
  }
}

void what_is_no_hash_matches_nothing(void**) {
  for (const char* hash : {"", "*0", "*1", "$", "$y$", "$nosuch$salt$hash", "$y$j9T$abc", "x"})
    for (const char* password : {"", "*0", "*1", "x", "$y$j9T$abc"}) assert_false(matches_hash(hash, password));
  assert_text(fault_of_hash("$nosuch$salt$hash"), "is none that this system's libcrypt knows");
}

// A loop, and comparisons that last until the test lets them go.
struct House {
  struct Gate {
    std::mutex mutex;
    std::atomic<std::size_t> compared{0};
  };
  uv_loop_t loop{};
  Faults faults;
  std::shared_ptr<Gate> gate = std::make_shared<Gate>();  // with the thread, which may outlive the house
  std::unique_ptr<Passwords> passwords;
  std::vector<std::string> done;

  House() {
    uv_loop_init(&loop);
    const auto matches = [gate = gate](const std::string& hash, const std::string& password) {
      const std::lock_guard wait(gate->mutex);
      ++gate->compared;
      return hash == password;
    };
    passwords = std::make_unique<Passwords>(&loop, faults, matches);
  }
  ~House() {
    passwords.reset();
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
  }
  bool check(const std::string& name, const std::string& password, const std::string& origin) {
    return passwords->check(name, password, origin,
                            [this, name](bool right, Now) { done.push_back(name + (right ? " right" : " wrong")); });
  }
  void run_until(std::size_t count) {
    while (done.size() < count) uv_run(&loop, UV_RUN_ONCE);
  }
};

void results_come_on_the_loop_in_order(void**) {
  House house;
  assert_true(house.check("a", "a", "1"));
  assert_true(house.check("b", "x", "2"));
  assert_int_equal(house.done.size(), 0);
  house.run_until(2);
  assert_text(house.done[0], "a right");
  assert_text(house.done[1], "b wrong");
  assert_true(house.check("c", "c", "1"));  // after the thread may have ended
  house.run_until(3);
  assert_text(house.done[2], "c right");
}

void one_origin_cannot_fill_the_queue_and_all_together_cannot_grow_it(void**) {
  House house;
  std::size_t taken = 0;
  {
    const std::lock_guard hold(house.gate->mutex);
    for (int i = 0; i < 100; ++i) taken += house.check("a", "a", "same");
    assert_int_equal(taken, Passwords::kMostOfOne);
    assert_true(house.check("b", "b", "other"));
    ++taken;
    for (int i = 0; i < 100; ++i) taken += house.check("c", "c", std::to_string(i));
    assert_int_equal(taken, Passwords::kMostWaiting);
  }
  house.run_until(taken);
  assert_int_equal(house.gate->compared.load(), taken);
}

void what_still_waits_at_the_end_is_dropped(void**) {
  auto house = std::make_unique<House>();
  std::unique_lock hold(house->gate->mutex);
  for (int i = 0; i < 3; ++i) assert_true(house->check("a", "a", "1"));
  house->passwords.reset();
  hold.unlock();
  uv_run(&house->loop, UV_RUN_DEFAULT);
  assert_int_equal(house->done.size(), 0);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(every_method_of_libcrypt_that_is_in_use),
      cmocka_unit_test(what_is_no_hash_matches_nothing),
      cmocka_unit_test(results_come_on_the_loop_in_order),
      cmocka_unit_test(one_origin_cannot_fill_the_queue_and_all_together_cannot_grow_it),
      cmocka_unit_test(what_still_waits_at_the_end_is_dropped),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
