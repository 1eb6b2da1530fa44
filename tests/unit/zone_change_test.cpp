// A zone's change as events: single records, bulk, policy rules.

#include "harness.hpp"

#include "plugin/changes/policy_rule.hpp"
#include "plugin/changes/zone_change.hpp"

namespace {

using bindcast::Event;
using bindcast::EventType;
using bindcast::policy_action;
using bindcast::policy_trigger;
using bindcast::ZoneChange;

ZoneChange change_of(bool policy_zone = false, std::uint32_t threshold = 10, const char* cause = "update") {
  return ZoneChange(
      {.zone = "example.com", .view = "_default", .zone_type = "primary", .cause = cause, .policy_zone = policy_zone},
      7, 8, "CORRELATION", threshold);
}

std::string text(const Event& event, std::string_view path) {
  return std::string(event.data.find(path).text());
}

void one_updated_rrset_gives_before_and_after(void**) {
  ZoneChange change = change_of();
  change.record("www.example.com", "A", {300, {"192.0.2.1"}}, {60, {"192.0.2.2", "192.0.2.3"}});
  const auto events = change.take_events();
  assert_int_equal(events.size(), 2);
  const Event& record = events[0];
  assert_true(record.type == EventType::record_updated);
  assert_text(record.correlation_id, "CORRELATION");
  assert_text(text(record, "name"), "www.example.com");
  assert_int_equal(record.data.find("before.ttl").integer(), 300);
  assert_text(record.data.find("after.rdata").first().next().text(), "192.0.2.3");
  assert_int_equal(record.data.find("serial.from").integer(), 7);
  const Event& zone = events[1];
  assert_true(zone.type == EventType::zone_updated);
  assert_text(zone.correlation_id, "CORRELATION");
  assert_int_equal(zone.data.find("records.added").integer(), 2);
  assert_int_equal(zone.data.find("records.removed").integer(), 1);
  assert_int_equal(zone.data.find("serial.to").integer(), 8);
}

void created_and_deleted_leave_the_other_side_out(void**) {
  ZoneChange change = change_of();
  change.record("a.example.com", "A", {}, {60, {"192.0.2.1"}});
  change.record("b.example.com", "A", {60, {"192.0.2.1"}}, {});
  change.record("c.example.com", "A", {60, {"192.0.2.1"}}, {60, {"192.0.2.1"}});  // no difference
  const auto events = change.take_events();
  assert_int_equal(events.size(), 3);
  assert_true(events[0].type == EventType::record_created);
  assert_false(bool(events[0].data.find("before")));
  assert_true(events[1].type == EventType::record_deleted);
  assert_false(bool(events[1].data.find("after")));
}

void above_the_threshold_records_are_folded_with_exact_counts(void**) {
  ZoneChange change = change_of(false, 10);
  for (int i = 0; i < 25; ++i)
    change.record("h" + std::to_string(i) + ".example.com", i % 2 == 0 ? "A" : "TXT", {}, {60, {"x"}});
  const auto events = change.take_events();
  assert_int_equal(events.size(), 2);
  assert_true(events[0].type == EventType::record_bulk_operation);
  assert_int_equal(events[0].data.find("rrsets").integer(), 25);
  assert_int_equal(events[0].data.find("by_operation.created").integer(), 25);
  assert_int_equal(events[0].data.find("by_rtype.A.created").integer(), 13);
  assert_int_equal(events[0].data.find("by_rtype.TXT.created").integer(), 12);
  assert_text(events[0].data.find("sample").first().find("name").text(), "h0.example.com");
  assert_int_equal(events[1].data.find("records.added").integer(), 25);
}

void exactly_the_threshold_is_not_folded(void**) {
  ZoneChange change = change_of(false, 10);
  for (int i = 0; i < 10; ++i) change.record("h" + std::to_string(i), "A", {}, {60, {"x"}});
  assert_int_equal(change.take_events().size(), 11);
}

void a_policy_zone_gives_rules_instead(void**) {
  ZoneChange change = change_of(true, 10, "transfer");
  change.record("example.com", "NS", {}, {60, {"localhost."}});  // the apex is no rule
  change.record("bad.test.example.com", "CNAME", {60, {"."}}, {60, {"rpz-passthru."}});
  const auto events = change.take_events();
  assert_int_equal(events.size(), 3);
  assert_true(events[0].type == EventType::rpz_rule_updated);
  assert_text(text(events[0], "subject"), "bad.test");
  assert_text(text(events[0], "before.action"), "nxdomain");
  assert_text(text(events[0], "after.action"), "passthru");
  assert_true(events[1].type == EventType::rpz_update);
  assert_int_equal(events[1].data.find("rules.added").integer(), 0);
  assert_int_equal(events[1].data.find("rules.updated").integer(), 1);
  assert_true(events[2].type == EventType::threat_feed_update);
}

void triggers_are_read_from_owner_names(void**) {
  const struct {
    const char* owner;
    const char* kind;
    const char* subject;
  } rows[] = {
      {"bad.test.rpz", "qname", "bad.test"},
      {"*.bad.test.rpz", "qname", "*.bad.test"},
      {"24.0.2.0.192.rpz-client-ip.rpz", "client-ip", "192.0.2.0/24"},
      {"32.1.2.0.192.rpz-ip.rpz", "ip", "192.0.2.1/32"},
      {"48.zz.db8.2001.rpz-ip.rpz", "ip", "2001:db8::/48"},
      {"128.1.zz.db8.2001.rpz-nsip.rpz", "nsip", "2001:db8::1/128"},
      {"ns.bad.test.rpz-nsdname.rpz", "nsdname", "ns.bad.test"},
      {"rpz", "", ""},
      {"other.zone", "", ""},
  };
  for (const auto& row : rows) {
    const auto trigger = policy_trigger(row.owner, "rpz");
    assert_text(trigger.kind, row.kind);
    assert_text(trigger.subject, row.subject);
  }
}

void actions_are_read_from_rdata(void**) {
  assert_text(policy_action("CNAME", {"."}, "x"), "nxdomain");
  assert_text(policy_action("CNAME", {"*."}, "x"), "nodata");
  assert_text(policy_action("CNAME", {"rpz-drop."}, "x"), "drop");
  assert_text(policy_action("CNAME", {"rpz-tcp-only."}, "x"), "tcp-only");
  assert_text(policy_action("CNAME", {"rpz-passthru."}, "x"), "passthru");
  assert_text(policy_action("CNAME", {"bad.test."}, "bad.test"), "passthru");
  assert_text(policy_action("CNAME", {"garden.test."}, "x"), "cname");
  assert_text(policy_action("A", {"192.0.2.1"}, "x"), "local-data");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(one_updated_rrset_gives_before_and_after),
      cmocka_unit_test(created_and_deleted_leave_the_other_side_out),
      cmocka_unit_test(above_the_threshold_records_are_folded_with_exact_counts),
      cmocka_unit_test(exactly_the_threshold_is_not_folded),
      cmocka_unit_test(a_policy_zone_gives_rules_instead),
      cmocka_unit_test(triggers_are_read_from_owner_names),
      cmocka_unit_test(actions_are_read_from_rdata),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
