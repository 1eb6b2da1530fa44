// Who was refused what, and who did what: told, and no flood of it.

#include "harness.hpp"

#include <vector>

#include "plugin/server/audit.hpp"

namespace {

using namespace bindcast;

constexpr std::int64_t kSecond = 1'000'000;

struct House : Subscriber {
  Hub hub{StreamIdentity{.epoch = "e", .host = "ns1", .service = "named"}, Now{}};
  Audit audit{hub};
  Now now{.mono_us = 1'000 * kSecond, .wall_us = 1'795'442'531 * kSecond};
  std::vector<EncodedRef> got;

  House() {
    subscriptions.emplace_back();
    hub.add_subscriber(*this);
  }
  ~House() override { hub.remove_subscriber(*this); }
  void deliver(const EncodedRef& event, Now) override { got.push_back(event); }
  void lost(DropReason, EventType, std::uint64_t, Now) override {}
  void failed() noexcept override {}
  void later(std::int64_t us) {
    now.mono_us += us;
    audit.tick(now);
  }
  [[nodiscard]] std::int64_t count(std::size_t at) const { return got.at(at)->event->data.find("count").integer(); }
};

void a_refusal_and_a_deed_are_told_at_once(void**) {
  House house;
  house.audit.refused({.user = "vic", .client = "192.0.2.7", .action = "subscribe", .subject = "audit_log"}, house.now);
  house.audit.done({.user = "ann", .client = "192.0.2.8", .action = "acknowledge", .subject = {}}, house.now);
  assert_int_equal(house.got.size(), 2);
  assert_contains(house.got[0]->json(), R"("type":"permission_denied")");
  assert_contains(house.got[0]->json(),
                  R"("data":{"user":"vic","client":"192.0.2.7","action":"subscribe","subject":"audit_log","count":1})");
  assert_contains(house.got[0]->json(), R"("source_user_id":"vic")");
  assert_contains(house.got[1]->json(), R"("type":"audit_log")");
}

void repetitions_come_as_a_count_once_a_window(void**) {
  House house;
  for (int i = 0; i < 1000; ++i)
    house.audit.refused({.user = "vic", .client = "c", .action = "subscribe", .subject = {}}, house.now);
  house.audit.refused({.user = "vic", .client = "c", .action = "acknowledge", .subject = {}}, house.now);
  house.audit.refused({.user = "bob", .client = "c", .action = "subscribe", .subject = {}}, house.now);
  assert_int_equal(house.got.size(), 3);
  house.later(Audit::kWindowUs - 1);
  assert_int_equal(house.got.size(), 3);
  house.later(1);
  assert_int_equal(house.got.size(), 4);
  assert_int_equal(house.count(3), 999);
  // Quiet for a window: the next one is told at once again.
  house.later(Audit::kWindowUs);
  house.audit.refused({.user = "vic", .client = "c", .action = "subscribe", .subject = {}}, house.now);
  assert_int_equal(house.got.size(), 5);
}

void at_the_end_everything_is_told(void**) {
  House house;
  for (int i = 0; i < 3; ++i)
    house.audit.done({.user = "ann", .client = "c", .action = "acknowledge", .subject = std::to_string(i)}, house.now);
  house.audit.tick(house.now, true);
  assert_int_equal(house.got.size(), 2);
  assert_int_equal(house.count(1), 2);
  assert_text(house.got[1]->event->data.find("subject").text(), "2");
}

void many_users_make_no_flood(void**) {
  House house;
  constexpr std::size_t kUsers = 3 * Audit::kMostKept;
  for (std::size_t i = 0; i < kUsers; ++i)
    house.audit.refused({.user = "user" + std::to_string(i), .client = "c", .action = "subscribe", .subject = {}},
                        house.now);
  assert_true(house.got.size() <= Audit::kMostKept + 1);
  house.audit.tick(house.now, true);
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < house.got.size(); ++i) sum += house.count(i);
  assert_int_equal(sum, kUsers);
}

void a_long_subject_is_cut(void**) {
  House house;
  house.audit.refused({.user = "vic", .client = "c", .action = "subscribe", .subject = std::string(5000, 'x')},
                      house.now);
  assert_int_equal(house.got.at(0)->event->data.find("subject").text().size(), Audit::kLongestSubject);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_refusal_and_a_deed_are_told_at_once),
      cmocka_unit_test(repetitions_come_as_a_count_once_a_window),
      cmocka_unit_test(at_the_end_everything_is_told),
      cmocka_unit_test(many_users_make_no_flood),
      cmocka_unit_test(a_long_subject_is_cut),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
