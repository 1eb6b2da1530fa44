// Who changed a record: lines of the log joined to the events of the change.

#include "harness.hpp"

#include <vector>

#include "plugin/changes/zone_change.hpp"
#include "plugin/sources/named_log/update_actors.hpp"

namespace {

using namespace bindcast;

constexpr std::string_view kZone = "example.com";

struct House {
  UpdateActors actors;
  Now now{.mono_us = 1'000'000, .wall_us = 1};
  std::uint32_t serial = 1;
  int changes = 0, reads = 0;

  House() {
    actors.set_reader([this] { ++reads; });
  }
  void adds(std::string_view client, std::string_view name, std::string_view rdata, std::string_view rtype = "A") {
    actors.learn({.client = client,
                  .key = "k",
                  .view = "v",
                  .zone = kZone,
                  .name = name,
                  .rtype = rtype,
                  .rdata = rdata,
                  .adds = true},
                 now);
  }
  void deletes(std::string_view client, std::string_view name, std::string_view rtype = "A") {
    actors.learn({.client = client,
                  .key = "k",
                  .view = "v",
                  .zone = kZone,
                  .name = name,
                  .rtype = rtype,
                  .rdata = {},
                  .adds = false},
                 now);
  }
  void pass(std::int64_t ms) { now.mono_us += ms * 1000; }

  struct Record {
    std::string name;
    std::vector<std::string> before, after;
    std::uint32_t ttl_before = 300;
  };
  // The actors of a change's events, the zone's own last, joined by blanks.
  std::string change(const std::vector<Record>& records, std::uint32_t bulk = 1000, std::string cause = "update",
                     bool policy = false) {
    ZoneChange made({.zone = std::string(kZone),
                     .view = "v",
                     .zone_type = "primary",
                     .cause = std::move(cause),
                     .policy_zone = policy},
                    serial, serial + 1, "change-" + std::to_string(++changes), bulk);
    ++serial;
    for (const Record& one : records) made.record(one.name, "A", {one.ttl_before, one.before}, {300, one.after});
    std::string text;
    for (Event& event : made.take_events()) {
      actors.complete(event, now);
      const std::string_view client = event.data.find("actor.client").text();
      text += (text.empty() ? "" : " ") + std::string(client.empty() ? "-" : client);
    }
    return text;
  }
};

void each_record_has_its_own(void**) {
  House house;
  house.adds("ann", "a", "1");
  house.adds("bob", "b", "2");
  assert_text(house.change({{"a", {}, {"1"}}}), "ann ann");
  assert_text(house.change({{"b", {}, {"2"}}}), "bob bob");
  assert_int_equal(house.reads, 2);  // once for each change
  assert_int_equal(house.actors.bytes(), 0);
}

void several_updates_of_one_rrset_are_told_apart_by_their_order(void**) {
  House house;
  house.adds("ann", "a", "1");
  house.deletes("bob", "a");
  house.adds("cid", "a", "1");
  house.deletes("dan", "a", "");  // all of the name
  assert_text(house.change({{"a", {}, {"1"}}}), "ann ann");
  assert_text(house.change({{"a", {"1"}, {}}}), "bob bob");
  assert_text(house.change({{"a", {}, {"1"}}}), "cid cid");
  assert_text(house.change({{"a", {"1"}, {}}}), "dan dan");
}

void in_one_change_it_is_the_last_of_several(void**) {
  House house;
  house.adds("ann", "a", "1");
  house.adds("bob", "a", "2");
  house.adds("bob", "b", "3");
  house.adds("ann", "c", "4");
  // The zone's own event has no actor: there are two.
  assert_text(house.change({{"a", {}, {"1", "2"}}, {"b", {}, {"3"}}, {"c", {}, {"4"}}}), "bob bob ann -");
  assert_int_equal(house.actors.bytes(), 0);
}

void an_update_that_changed_nothing_is_not_the_one(void**) {
  House house;
  house.adds("ann", "a", "1");  // is there already
  house.pass(10'000);
  house.adds("bob", "a", "2");
  assert_text(house.change({{"a", {"1"}, {"1", "2"}}}), "bob bob");
  house.deletes("ann", "b");
  house.pass(10'000);
  house.deletes("bob", "b");
  assert_text(house.change({{"b", {"1"}, {}}}), "bob bob");
}

void names_compare_without_case_and_a_ttl_alone_counts(void**) {
  House house;
  house.adds("ann", "WWW.Example.com", "1");
  assert_text(house.change({{"www.example.COM", {"1"}, {"1"}, 60}}), "ann ann");
}

void rules_of_a_policy_zone_have_one_too(void**) {
  House house;
  house.adds("ann", "bad.test.example.com", ".", "CNAME");
  ZoneChange made(
      {.zone = std::string(kZone), .view = "v", .zone_type = "primary", .cause = "update", .policy_zone = true}, 1, 2,
      "c", 1000);
  made.record("bad.test.example.com", "CNAME", {}, {300, {"."}});
  for (Event& event : made.take_events()) {
    house.actors.complete(event, house.now);
    assert_text(event.data.find("actor.client").text(), "ann");
    assert_text(event.data.find("actor.key").text(), "k");
  }
}

void only_updates_have_one(void**) {
  House house;
  house.adds("ann", "a", "1");
  assert_text(house.change({{"a", {}, {"1"}}}, 1000, "reload"), "- -");
  assert_text(house.change({{"other", {}, {"1"}}}), "- -");
  Event event = make_event(EventType::record_created);
  event.view = "another";
  event.data.add("zone", kZone).add("name", "a").add("rtype", "A").add("cause", "update");
  house.actors.complete(event, house.now);
  assert_false(static_cast<bool>(event.data.find("actor")));
}

void a_folded_change_takes_all_its_lines(void**) {
  House house;
  std::vector<House::Record> records;
  for (int i = 0; i < 300; ++i) {
    const std::string name = "h" + std::to_string(i);
    house.adds("ann", name, "1");
    records.push_back({name, {}, {"1"}});
  }
  // The next update of the same client keeps its own.
  house.adds("ann", "h0", "2");
  assert_text(house.change(records, 100), "ann ann");
  assert_true(house.actors.bytes() > 0);
  assert_text(house.change({{"h0", {"1"}, {"1", "2"}}}), "ann ann");
  assert_int_equal(house.actors.bytes(), 0);
}

void what_waits_is_bounded_in_time_and_memory(void**) {
  House house;
  house.adds("ann", "a", "1");
  house.pass(59'000);
  house.actors.expire(house.now);
  assert_true(house.actors.bytes() > 0);
  house.pass(2'000);
  house.actors.expire(house.now);
  assert_int_equal(house.actors.bytes(), 0);
  for (int i = 0; i < 60'000; ++i) house.adds("ann", "n" + std::to_string(i), std::string(200, 'x'));
  assert_in_range(house.actors.bytes(), UpdateActors::kMaxBytes / 2, UpdateActors::kMaxBytes);
  assert_true(house.actors.forgotten() > 0);
  assert_text(house.change({{"n0", {}, {std::string(200, 'x')}}}), "- -");
  assert_text(house.change({{"n59999", {}, {std::string(200, 'x')}}}), "ann ann");
}

void without_a_log_nothing_is_done(void**) {
  House house;
  house.adds("ann", "a", "1");
  house.actors.set_reader({});
  assert_text(house.change({{"a", {}, {"1"}}}), "- -");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(each_record_has_its_own),
      cmocka_unit_test(several_updates_of_one_rrset_are_told_apart_by_their_order),
      cmocka_unit_test(in_one_change_it_is_the_last_of_several),
      cmocka_unit_test(an_update_that_changed_nothing_is_not_the_one),
      cmocka_unit_test(names_compare_without_case_and_a_ttl_alone_counts),
      cmocka_unit_test(rules_of_a_policy_zone_have_one_too),
      cmocka_unit_test(only_updates_have_one),
      cmocka_unit_test(a_folded_change_takes_all_its_lines),
      cmocka_unit_test(what_waits_is_bounded_in_time_and_memory),
      cmocka_unit_test(without_a_log_nothing_is_done),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
