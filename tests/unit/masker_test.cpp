// Masking: what of an event tells of people, and what is left of it.

#include "harness.hpp"

#include <vector>

#include "events/json.hpp"
#include "plugin/hub/masker.hpp"

namespace {

using namespace bindcast;
using Address = ClientAddressPrivacy;
using Name = QueryNamePrivacy;

constexpr std::int64_t kDayUs = 24LL * 3600 * 1'000'000;
constexpr Now kNow{.mono_us = 1, .wall_us = 20'000 * kDayUs + 5};
constexpr PrivacyOptions kNothingLeft{Address::none, Name::none};

bool is_hash(std::string_view text) {
  return text.size() == 21 && text.starts_with("hash:");
}

void an_address_is_masked(void**) {
  Masker masker;
  const auto prefix = [&](std::string_view text) { return *masker.address(text, Address::prefix, kNow); };
  assert_text(*masker.address("10.1.2.3", Address::full, kNow), "10.1.2.3");
  assert_text(prefix("10.1.2.3"), "10.1.2.0/24");
  assert_text(prefix("2001:db8:1:2ff:4::5"), "2001:db8:1:200::/56");
  assert_text(prefix("::ffff:10.1.2.3"), "10.1.2.0/24");
  assert_text(prefix("10.0.0.0/8"), "10.0.0.0/8");     // already wider
  assert_text(prefix("10.1.2.0/24"), "10.1.2.0/24");   // masked already
  assert_text(prefix("10.1.2.77/31"), "10.1.2.0/24");  // a client's subnet
  assert_false(masker.address("10.1.2.3", Address::none, kNow).has_value());
  // What is no address has no prefix: it is hashed.
  for (const char* text : {"10.1.2.3:53", "[2001:db8::1]:53", "fe80::1%eth0", "ann's laptop", "hash:10.1.2.3"})
    assert_true(is_hash(prefix(text)));
  assert_text(prefix(""), "");
}

void equal_addresses_hash_equal_and_others_do_not(void**) {
  Masker masker, other;
  const auto hash = [&](std::string_view text) { return *masker.address(text, Address::hash, kNow); };
  assert_true(is_hash(hash("10.1.2.3")));
  assert_text(hash("10.1.2.3"), hash("10.1.2.3"));
  assert_text(hash("10.1.2.3"), hash("::ffff:10.1.2.3"));
  assert_text(hash("2001:db8:0:0::1"), hash("2001:db8::1"));
  assert_text(hash(hash("10.1.2.3")), hash("10.1.2.3"));
  assert_text(*masker.address(hash("10.1.2.3"), Address::prefix, kNow), hash("10.1.2.3"));
  assert_true(hash("10.1.2.3") != hash("10.1.2.4"));
  assert_true(hash("10.1.2.0") != hash("10.1.2.0/24"));
  assert_true(*other.address("10.1.2.3", Address::hash, kNow) != hash("10.1.2.3"));  // another process
}

void the_key_changes_daily(void**) {
  Masker masker;
  const auto at = [&](std::int64_t wall_us) {
    return *masker.address("10.1.2.3", Address::hash, {.wall_us = wall_us});
  };
  const std::string today = at(kNow.wall_us);
  assert_text(at(kNow.wall_us - 5), today);
  assert_text(at(kNow.wall_us - 5 + kDayUs - 1), today);
  const std::string tomorrow = at(kNow.wall_us - 5 + kDayUs);
  assert_true(tomorrow != today);
  assert_true(at(kNow.wall_us) != today);  // a clock set back brings no old key back
}

void a_name_is_masked(void**) {
  Masker masker;
  const auto name = [&](std::string_view text, Name how) { return *masker.name(text, how, kNow); };
  assert_text(name("a.b.example.com", Name::full), "a.b.example.com");
  assert_text(name("a.b.Example.com", Name::domain), "Example.com");
  assert_text(name("a.b.example.com.", Name::domain), "example.com.");
  assert_text(name("a\\.b.example.com", Name::domain), "example.com");
  assert_text(name("x.a\\.b.com", Name::domain), "a\\.b.com");
  for (const char* text : {"example.com", "com", ".", ""}) assert_text(name(text, Name::domain), text);
  assert_true(is_hash(name("a.example.com", Name::hash)));
  assert_text(name("a.example.com", Name::hash), name("A.EXAMPLE.com.", Name::hash));
  assert_true(name("a.example.com", Name::hash) != name("b.example.com", Name::hash));
  assert_false(masker.name("a.example.com", Name::none, kNow).has_value());
}

// A query that met a rule, in each way that the shim writes one.
Event query_event() {
  Event event = make_event(EventType::dns_query_log);
  Fields& data = event.data;
  data.add("client", "10.1.2.3").add_integer("client_port", 4711).add("qname", "very.secret.example.com");
  data.add("ecs", "10.9.8.0/25").add("tsig_key", "ann-laptop").add("view", "v");
  data.begin_object("rpz");
  data.add("policy_zone", "rpz.test").add("trigger", "qname").add("rule", "very.secret.example.com.rpz.test");
  data.end();
  return event;
}

std::string masked(Event event, const PrivacyOptions& how) {
  Masker masker;
  assert_true(masker.mask(event, how, kNow));
  std::string json;
  const StreamIdentity stream{.epoch = "e", .host = "h", .service = "named"};
  EventWriter writer(stream);
  json = writer.write(event);
  return json;
}

void free_text_goes_where_anything_is_masked(void**) {
  Event event = make_event(EventType::error_occurred);
  event.data.add("log_message", "client 10.1.2.3 asked for secret.example.com").add("log_severity", "error");
  event.data.begin_object("actor").add("client", "10.1.2.3").add("key", "ann-laptop").end();
  for (const PrivacyOptions how : {PrivacyOptions{Address::prefix, Name::full}, {Address::full, Name::domain}}) {
    const std::string json = masked(event, how);
    assert_contains(json, R"("log_severity":"error")");
    assert_true(json.find("log_message") == std::string::npos && json.find("secret") == std::string::npos);
  }
  const std::string json = masked(event, {Address::prefix, Name::full});
  assert_contains(json, R"("actor":{"client":"10.1.2.0/24","key":"hash:)");
}

void a_query_is_masked(void**) {
  assert_contains(masked(query_event(), {Address::prefix, Name::domain}),
                  R"("data":{"client":"10.1.2.0/24","qname":"example.com","ecs":"10.9.8.0/24","tsig_key":"hash:)");
  assert_contains(
      masked(query_event(), {Address::full, Name::domain}),
      R"("client":"10.1.2.3","client_port":4711,"qname":"example.com","ecs":"10.9.8.0/25","tsig_key":"ann-laptop",)"
      R"("view":"v","rpz":{"policy_zone":"rpz.test","trigger":"qname","rule":"example.com.rpz.test"}})");
  assert_contains(masked(query_event(), kNothingLeft),
                  R"("data":{"view":"v","rpz":{"policy_zone":"rpz.test","trigger":"qname"}})");
  const std::string hashed = masked(query_event(), {Address::hash, Name::hash});
  for (const char* part : {"10.1.2.3", "10.9.8", "ann", "secret", "4711"})
    assert_true(hashed.find(part) == std::string::npos);
}

struct RuleRow {
  const char* trigger;
  const char* rule;
  PrivacyOptions how;
  const char* left;  // empty: nothing, "hash": a hash
};

void what_a_rule_tells_is_masked(void**) {
  const RuleRow rows[] = {
      {"client-ip",
       "32.5.0.0.10.rpz-client-ip.rpz.test",
       {Address::full, Name::none},
       "32.5.0.0.10.rpz-client-ip.rpz.test"},
      {"client-ip",
       "32.5.0.0.10.rpz-client-ip.rpz.test",
       {Address::prefix, Name::full},
       "24.0.0.0.10.rpz-client-ip.rpz.test"},
      {"client-ip",
       "8.0.0.0.10.RPZ-Client-IP.rpz.test",
       {Address::prefix, Name::full},
       "8.0.0.0.10.RPZ-Client-IP.rpz.test"},
      {"client-ip",
       "128.1.zz.8.db8.2001.rpz-client-ip.rpz.test",
       {Address::prefix, Name::full},
       "56.zz.8.db8.2001.rpz-client-ip.rpz.test"},
      {"client-ip", "32.5.0.0.10.rpz-client-ip.rpz.test", {Address::hash, Name::full}, "hash"},
      {"client-ip", "32.5.0.0.10.rpz-client-ip.rpz.test", {Address::none, Name::full}, ""},
      {"client-ip", "what.is.this", {Address::prefix, Name::full}, "hash"},
      {"", "32.5.0.0.10.rpz-client-ip.rpz.test", {Address::none, Name::full}, ""},  // whatever the trigger says
      {"qname", "*.a.example.com.rpz.test", {Address::none, Name::domain}, "example.com.rpz.test"},
      {"nsdname",
       "ns.b.example.com.rpz-nsdname.rpz.test",
       {Address::none, Name::domain},
       "example.com.rpz-nsdname.rpz.test"},
      {"ip", "24.0.66.0.10.rpz-ip.rpz.test", {Address::none, Name::domain}, "24.0.66.0.10.rpz-ip.rpz.test"},
      {"ip", "24.0.66.0.10.rpz-ip.rpz.test", {Address::full, Name::none}, ""},
      {"qname", "a.example.com.rpz.test", {Address::full, Name::hash}, "hash"},
  };
  for (const RuleRow& row : rows) {
    Masker masker;
    Event event = make_event(EventType::dns_query_blocked);
    event.data.add("client", "10.0.0.5").add("qname", "x.example.org").add("policy_zone", "rpz.test");
    event.data.add("trigger", row.trigger).add("rule", row.rule);
    masker.mask(event, row.how, kNow);
    const std::string left(event.data.find("rule").text());
    if (std::string_view(row.left) == "hash")
      assert_true(is_hash(left));
    else
      assert_text(left, row.left);
  }
}

// What a feed says is not what anybody asked; but a rule about a client names it.
void a_policy_zones_own_rules_are_masked_where_they_name_clients(void**) {
  Masker masker;
  Event event = make_event(EventType::rpz_rule_created);
  event.data.add("rule", "bad.example.rpz").add("trigger", "qname").add("subject", "bad.example");
  assert_false(masker.mask(event, kNothingLeft, kNow));
  event.data.clear();
  event.data.add("rule", "32.5.0.0.10.rpz-client-ip.rpz").add("trigger", "client-ip").add("subject", "10.0.0.5/32");
  assert_true(masker.mask(event, {Address::prefix, Name::full}, kNow));
  assert_text(event.data.find("rule").text(), "24.0.0.0.10.rpz-client-ip.rpz");
  assert_text(event.data.find("subject").text(), "10.0.0.0/24");
}

void members_are_found_wherever_they_are(void**) {
  Event event = make_event(EventType::custom_event);
  Fields& data = event.data;
  data.begin_object("actor").add("client", "10.1.2.3").add("key", "update-key").end();
  data.begin_array("clients").add({}, "10.1.2.4").begin_object({}).add("ip", "10.1.2.5").add_integer("count", 3).end();
  data.end();
  data.begin_object("client").add("anything", "10.1.2.6").end();
  data.add("before", "10.1.2.7").add("after", "10 records").add("key", "not an actor's");
  data.begin_array("top").begin_object({}).add("domain", "a.b.example.com").add_integer("count", 5).end().end();
  event.custom_fields.add("source_ip", "10.1.2.8").add("other", "stays");
  const std::string json = masked(event, {Address::prefix, Name::domain});
  assert_true(json.find("10.1.2.0/24") != std::string::npos);
  for (const char* part :
       {"10.1.2.3", "10.1.2.4", "10.1.2.5", "10.1.2.6", "10.1.2.7", "10.1.2.8", "update-key", "a.b."})
    assert_true(json.find(part) == std::string::npos);
  for (const char* part : {"10 records", "not an actor's", "stays", R"("count":3)", R"("count":5)"})
    assert_contains(json, part);
  Event numbers = make_event(EventType::custom_event);
  numbers.data.add_integer("client", 0x0a010203).add_integer("clients", 7);
  assert_contains(masked(numbers, {Address::prefix, Name::full}), R"("data":{"clients":7})");
}

void what_tells_of_nobody_stays_as_it_is(void**) {
  Masker masker;
  Event event = make_event(EventType::record_created);
  event.data.add("zone", "example.com").add("name", "www.example.com").add("rtype", "A");
  event.data.begin_object("after").add_integer("ttl", 1).begin_array("rdata").add({}, "192.0.2.1").end().end();
  assert_false(masker.mask(event, kNothingLeft, kNow));
  assert_text(event.data.find("name").text(), "www.example.com");
  Event query = query_event();
  assert_false(masker.mask(query, {}, kNow));
  assert_text(query.data.find("client").text(), "10.1.2.3");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(an_address_is_masked),
      cmocka_unit_test(equal_addresses_hash_equal_and_others_do_not),
      cmocka_unit_test(the_key_changes_daily),
      cmocka_unit_test(a_name_is_masked),
      cmocka_unit_test(free_text_goes_where_anything_is_masked),
      cmocka_unit_test(a_query_is_masked),
      cmocka_unit_test(what_a_rule_tells_is_masked),
      cmocka_unit_test(a_policy_zones_own_rules_are_masked_where_they_name_clients),
      cmocka_unit_test(members_are_found_wherever_they_are),
      cmocka_unit_test(what_tells_of_nobody_stays_as_it_is),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
