// Who sees what, and how clearly: every type of event, every built-in role and some own ones, member by member, against
// tables that doc/roles.md holds too.

#include "harness.hpp"

#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <sstream>
#include <vector>

#include "config/load.hpp"
#include "plugin/hub/hub.hpp"
#include "plugin/server/roles.hpp"

namespace {

using namespace bindcast;

const StreamIdentity kStream{.epoch = "e", .host = "ns1", .service = "named"};
constexpr Now kNow{.mono_us = 1, .wall_us = 1'795'442'531'000'000};

// The example of doc/roles.md.
constexpr std::string_view kExample = R"(roles:
  helpdesk: {categories: [dns, security], privacy: {client_address: prefix, query_name: domain}}
  auditor:  {categories: [user, audit], types: [bind_config_change], audience: admin, privacy: {client_address: hash}}
  night:    {may: [watch, acknowledge], privacy: {client_address: none, query_name: none}}
  branch:   {filter: 'view = "branch"'}
)";

// `all`: every type of the category; `open`: those whose audience is not admin; else the types.
constexpr std::string_view kTypes = R"(| category | admin | operator | viewer | publisher | helpdesk | auditor | night | branch |
|---|---|---|---|---|---|---|---|---|
| health | all | open | open | — | — | — | open | open |
| dns | all | open | open | — | open | bind_config_change | open | open |
| security | all | open | open | — | open | — | open | open |
| user | all | open | open | — | — | all | open | open |
| system | all | open | open | — | — | — | open | open |
| connection | all | open | open | — | — | — | open | open |
| bulk_operation | all | open | open | — | — | — | open | open |
| error | all | open | open | — | — | — | open | open |
| audit | all | — | — | — | — | all | — | — |
| custom | all | open | open | — | — | — | open | open |
)";

// `…`: a hash. `—`: not there. An empty cell: the role does not see the event.
constexpr std::string_view kMembers = R"(| event | member | admin, operator, viewer | helpdesk | auditor | night |
|---|---|---|---|---|---|
| dns_query_log | client | 10.1.2.3 | 10.1.2.0/24 | | — |
| dns_query_log | client_port | 4711 | — | | — |
| dns_query_log | qname | www.shop.example.com | example.com | | — |
| dns_query_log | ecs | 10.9.8.0/25 | 10.9.8.0/24 | | — |
| dns_query_log | tsig_key | ann-laptop | hash:… | | — |
| dns_query_log | rpz.rule | www.shop.example.com.rpz.test | example.com.rpz.test | | — |
| malware_blocked | client | 2001:db8:1:2ff::9 | 2001:db8:1:200::/56 | | — |
| malware_blocked | rule | 32.3.2.1.10.rpz-client-ip.rpz.test | 24.0.2.1.10.rpz-client-ip.rpz.test | | — |
| rpz_rule_created | rule | bad.example.org.rpz.test | bad.example.org.rpz.test | | bad.example.org.rpz.test |
| record_created | name | www.example.com | www.example.com | | www.example.com |
| record_created | after.rdata | 10.1.2.3 | 10.1.2.3 | | 10.1.2.3 |
| user_login | client | 192.0.2.7 | | hash:… | — |
)";

Options example() {
  const LoadResult loaded = load_options_text(kExample, "example.yaml");
  for (const auto& fault : loaded.faults) print_error("%s\n", fault.text().c_str());
  assert_true(loaded.ok());
  return loaded.options;
}

std::vector<std::vector<std::string>> cells_of(std::string_view table) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines{std::string(table)};
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string>& row = rows.emplace_back();
    std::istringstream cells(line.substr(1));
    for (std::string cell; std::getline(cells, cell, '|');) {
      const std::size_t first = cell.find_first_not_of(' ');
      row.push_back(first == std::string::npos ? "" : cell.substr(first, cell.find_last_not_of(' ') - first + 1));
    }
  }
  return rows;
}

User user_of(const std::string& role) {
  return {.name = "ann", .roles = {role}};
}

void the_documentation_holds_the_same_tables(void**) {
  std::ifstream file(SOURCE_DIR "/doc/roles.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  for (const std::string_view part : {kExample, kTypes, kMembers}) assert_contains(text, part);
}

void each_role_sees_its_types(void**) {
  const Options options = example();
  const Roles roles(options);
  const auto rows = cells_of(kTypes);
  std::size_t looked_at = 0;
  for (std::size_t column = 1; column < rows[0].size(); ++column) {
    const auto sight = roles.sight(user_of(rows[0][column]));
    for (std::size_t i = 0; i < kEventTypeCount; ++i) {
      const TypeInfo& info = type_info(static_cast<EventType>(i));
      for (const auto& row : rows) {
        if (row[0] != to_text(info.category)) continue;
        const bool sees = row[column] == "all" || (row[column] == "open" && info.audience == Audience::all) ||
                          row[column] == info.name;
        if (sight->types().test(i) != sees)
          print_error("%s: %s\n", rows[0][column].c_str(), std::string(info.name).c_str());
        assert_int_equal(sight->types().test(i), sees);
        ++looked_at;
      }
    }
  }
  assert_int_equal(looked_at, 8 * kEventTypeCount);
}

std::map<std::string, Event> sample_events() {
  std::map<std::string, Event> events;
  const auto make = [&events](EventType type) -> Fields& {
    return events.emplace(to_text(type), make_event(type)).first->second.data;
  };
  make(EventType::dns_query_log)
      .add("client", "10.1.2.3")
      .add_integer("client_port", 4711)
      .add("qname", "www.shop.example.com")
      .add("ecs", "10.9.8.0/25")
      .add("tsig_key", "ann-laptop")
      .begin_object("rpz")
      .add("policy_zone", "rpz.test")
      .add("trigger", "qname")
      .add("rule", "www.shop.example.com.rpz.test")
      .end();
  make(EventType::malware_blocked)
      .add("client", "2001:db8:1:2ff::9")
      .add("qname", "x.example.org")
      .add("policy_zone", "rpz.test")
      .add("trigger", "client-ip")
      .add("rule", "32.3.2.1.10.rpz-client-ip.rpz.test");
  make(EventType::rpz_rule_created).add("rule", "bad.example.org.rpz.test").add("trigger", "qname");
  make(EventType::record_created)
      .add("name", "www.example.com")
      .begin_object("after")
      .begin_array("rdata")
      .add({}, "10.1.2.3")
      .end()
      .end();
  make(EventType::user_login).add("client", "192.0.2.7").add("user", "ann");
  return events;
}

// The text of a member as the table has it.
std::string shown(const Event& event, const std::string& member) {
  Fields::Value value = event.data.find(member);
  if (value.kind() == Fields::Kind::array) value = value.first();
  if (!value) return "—";
  if (value.kind() == Fields::Kind::integer) return std::to_string(value.integer());
  const std::string text(value.text());
  return text.starts_with("hash:") && text.size() == 21 ? "hash:…" : text;
}

void each_role_sees_each_member_as_clearly_as_it_may(void**) {
  const Roles roles(example());
  const auto events = sample_events();
  const auto rows = cells_of(kMembers);
  EventEncoder encoder(kStream);
  Masker masker;
  for (std::size_t column = 2; column < rows[0].size(); ++column) {
    std::istringstream names(rows[0][column]);
    for (std::string name; std::getline(names >> std::ws, name, ',');) {
      const auto sight = roles.sight(user_of(name));
      for (std::size_t i = 2; i < rows.size(); ++i) {
        const Event& event = events.at(rows[i][0]);
        const auto clearness =
            sight->types().test(static_cast<std::size_t>(event.type)) ? sight->look(event, kStream) : std::nullopt;
        EventForms forms(encoder, masker, event, nullptr, kNow);
        const std::string seen = clearness ? shown(*forms.masked(*clearness).event, rows[i][1]) : "";
        if (seen != rows[i][column])
          print_error("%s, %s.%s: %s\n", name.c_str(), rows[i][0].c_str(), rows[i][1].c_str(), seen.c_str());
        assert_text(seen, rows[i][column]);
      }
    }
  }
}

// An event of each type that says everything that is to be masked, to every role that masks: nothing stands in clear.
void nothing_masked_stands_in_clear_in_any_type(void**) {
  const Roles roles(example());
  const StreamIdentity stream = kStream;
  Hub hub(stream, kNow);
  struct Taker : Subscriber {
    std::vector<EncodedRef> got;
    void deliver(const EncodedRef& event, Now) override { got.push_back(event); }
    void lost(DropReason, EventType, std::uint64_t, Now) override {}
    void failed() noexcept override {}
  };
  const std::map<std::string, std::vector<std::string>> clear{
      {"helpdesk", {"10.1.2.3", "10.9.8.7", "ann-laptop", "4711", "www.shop", "3.2.1.10"}},
      {"auditor", {"10.1.2.", "10.9.8.", "ann-laptop", "4711", ".1.10.rpz-client-ip"}},
      {"night", {"10.1.2.", "10.9.8.", "ann-laptop", "4711", "example.com", "rpz-client-ip"}}};
  for (const auto& [name, hidden] : clear) {
    Taker taker;
    taker.sight = roles.sight(user_of(name));
    taker.subscriptions.emplace_back();
    hub.add_subscriber(taker);
    for (std::size_t i = 0; i < kEventTypeCount; ++i) {
      Event event = make_event(static_cast<EventType>(i));
      event.data.add("client", "10.1.2.3").add_integer("client_port", 4711).add("qname", "www.shop.example.com");
      event.data.add("ecs", "10.9.8.7/32").add("tsig_key", "ann-laptop");
      event.data.add("trigger", "client-ip").add("rule", "32.3.2.1.10.rpz-client-ip.rpz.test");
      event.custom_fields.add("source_ip", "10.1.2.3");
      hub.emit(std::move(event), kNow);
    }
    assert_int_equal(taker.got.size(), taker.sight->types().count());
    for (const EncodedRef& event : taker.got)
      for (const std::string& text : hidden)
        if (event->json().find(text) != std::string_view::npos) {
          print_error("%s: %s in %s\n", name.c_str(), text.c_str(), std::string(event->json()).c_str());
          assert_true(false);
        }
    hub.remove_subscriber(taker);
  }
}

void what_each_role_may_do(void**) {
  const Roles roles(example());
  using enum Right;
  const std::map<std::string, std::vector<Right>> table{
      {"admin", {watch, acknowledge, publish, administer}},
      {"operator", {watch, acknowledge}},
      {"viewer", {watch}},
      {"publisher", {publish}},
      {"helpdesk", {watch}},
      {"night", {watch, acknowledge}},
      {"unknown", {}}};
  for (const auto& [name, may] : table)
    for (std::size_t i = 0; i < kRightCount; ++i) {
      const auto right = static_cast<Right>(i);
      assert_int_equal(roles.may(user_of(name), right), std::ranges::find(may, right) != may.end());
    }
  assert_true(roles.may({.name = "ann", .roles = {"viewer", "publisher"}}, publish));
}

Options options_of(std::string_view yaml) {
  const LoadResult loaded = load_options_text(yaml, "test.yaml");
  for (const auto& fault : loaded.faults) print_error("%s\n", fault.text().c_str());
  assert_true(loaded.ok());
  return loaded.options;
}

void a_built_in_role_can_be_made_another(void**) {
  const Roles roles(options_of("roles: {operator: {categories: [dns]}, admin: {privacy: {client_address: prefix}},"
                               " viewer: {may: []}}"));
  assert_true(roles.may(user_of("operator"), Right::acknowledge));  // as before
  assert_false(roles.sight(user_of("operator"))->types().test(static_cast<std::size_t>(EventType::rpz_update)));
  assert_true(roles.sight(user_of("admin"))->types().all());
  assert_true(roles.sight(user_of("admin"))->clear_types().none());
  assert_false(roles.may(user_of("viewer"), Right::watch));
  assert_true(roles.sight(user_of("viewer"))->types().none());
}

void audience_is_what_the_configuration_says(void**) {
  const Roles roles(options_of(
      "events: {types: {zone_created: {audience: admin}, audit_log: {audience: all}}}\nroles: {own: {types: [audit_log]}}"));
  const auto sees = [&](const std::string& role, EventType type) {
    return roles.sight(user_of(role))->types().test(static_cast<std::size_t>(type));
  };
  assert_false(sees("viewer", EventType::zone_created));
  assert_true(sees("admin", EventType::zone_created));
  assert_true(sees("viewer", EventType::audit_log));
  assert_true(sees("own", EventType::audit_log));
}

// ── Several roles of one user ────────────────────────────────────────────────────────────────────────────────────────

constexpr std::string_view kSeveral = R"(
roles:
  shop:    {filter: 'qname under "shop.example"', privacy: {query_name: none}}
  network: {types: [dns_query_log], privacy: {client_address: prefix, query_name: hash}}
  hashed:  {types: [dns_query_log], privacy: {client_address: hash, query_name: domain}}
)";

std::optional<PrivacyOptions> look(const Roles& roles, std::vector<std::string> names, const char* qname) {
  Event event = make_event(EventType::dns_query_log);
  event.data.add("client", "10.1.2.3").add("qname", qname);
  return roles.sight({.name = "ann", .roles = std::move(names)})->look(event, kStream);
}

void of_several_roles_the_clearest_counts_for_each_event_and_member(void**) {
  const Roles roles(options_of(kSeveral));
  using Address = ClientAddressPrivacy;
  using Name = QueryNamePrivacy;
  const auto is = [](const std::optional<PrivacyOptions>& seen, Address address, Name name) {
    assert_true(seen.has_value());
    assert_true(*seen == (PrivacyOptions{address, name}));
  };
  is(look(roles, {"shop"}, "a.shop.example"), Address::full, Name::none);
  assert_false(look(roles, {"shop"}, "a.other.example").has_value());
  is(look(roles, {"network", "hashed"}, "a.other.example"), Address::prefix, Name::domain);
  is(look(roles, {"shop", "network"}, "a.shop.example"), Address::full, Name::hash);
  is(look(roles, {"shop", "network"}, "a.other.example"), Address::prefix, Name::hash);  // only one lets him
  is(look(roles, {"hashed", "viewer"}, "a.other.example"), Address::full, Name::full);
  assert_false(look(roles, {"publisher"}, "a.shop.example").has_value());
  assert_false(look(roles, {}, "a.shop.example").has_value());
}

void who_sees_the_same_has_the_same_key(void**) {
  const Roles roles(options_of(kSeveral));
  const auto key = [&](std::vector<std::string> names) {
    return roles.sight({.name = "ann", .roles = std::move(names)})->key();
  };
  assert_text(key({"viewer"}), key({"operator"}));
  assert_text(key({"viewer", "shop", "network"}), key({"viewer"}));
  assert_text(key({"network", "hashed"}), key({"hashed", "network"}));
  assert_text(key({"admin", "viewer"}), key({"admin"}));
  assert_true(key({"admin"}) != key({"viewer"}));
  assert_true(key({"network"}) != key({"hashed"}));
  assert_true(key({"shop"}) != key({"viewer"}));
  assert_true(key({"publisher"}) != key({"viewer"}));
}

void who_may_not_see_a_type_is_not_told_of_alerts_of_it(void**) {
  const Roles roles(options_of("roles: {own: {categories: [custom, dns]}}"));
  const auto sight = roles.sight(user_of("own"));
  for (const auto& [type, seen] : {std::pair{"malware_blocked", false}, std::pair{"zone_expired", true}}) {
    Event event = make_event(EventType::notification_sent);
    event.data.add("event_type", type);
    assert_int_equal(sight->look(event, kStream).has_value(), seen);
    assert_false(sight->clear_types().test(static_cast<std::size_t>(EventType::notification_sent)));
  }
}

void an_event_for_one_user_is_for_that_user_and_admins(void**) {
  const Roles roles{Options{}};
  Event event = make_event(EventType::session_expired);
  event.target_user_id = "ann";
  assert_true(roles.sight(user_of("viewer"))->meant_for("ann", event));
  assert_false(roles.sight(user_of("viewer"))->meant_for("bob", event));
  assert_true(roles.sight(user_of("admin"))->meant_for("bob", event));
  event.target_user_id.clear();
  assert_true(roles.sight(user_of("viewer"))->meant_for("bob", event));
}

// ── In the hub ───────────────────────────────────────────────────────────────────────────────────────────────────────

struct Taker : Subscriber {
  Hub& hub;
  std::vector<EncodedRef> got;
  std::uint64_t sampled = 0;
  Taker(Hub& h, const Roles& roles, const std::string& role, std::string_view filter = "") : hub(h) {
    sight = roles.sight(user_of(role));
    Subscription& s = subscriptions.emplace_back();
    Filter::Error error;
    assert_true(Filter::compile(filter, s.filter, error));
    hub.add_subscriber(*this);
  }
  ~Taker() override { hub.remove_subscriber(*this); }
  void deliver(const EncodedRef& event, Now) override { got.push_back(event); }
  void lost(DropReason, EventType, std::uint64_t count, Now) override { sampled += count; }
  void failed() noexcept override {}
};

void emit_query(Hub& hub, const char* client, const char* qname) {
  Event event = make_event(EventType::dns_query_log);
  event.data.add("client", client).add("qname", qname);
  hub.emit(std::move(event), kNow);
}

void a_masked_event_is_made_once_for_each_mask(void**) {
  const Roles roles(options_of("roles: {a: {privacy: {client_address: prefix}}, b: {categories: [dns], privacy: "
                               "{client_address: prefix}}, c: {privacy: {client_address: none}}}"));
  Hub hub(kStream, kNow);
  Taker a(hub, roles, "a"), b(hub, roles, "b"), c(hub, roles, "c"), viewer(hub, roles, "viewer");
  emit_query(hub, "10.1.2.3", "x.example");
  assert_ptr_equal(a.got.at(0).get(), b.got.at(0).get());
  assert_ptr_not_equal(a.got[0].get(), c.got.at(0).get());
  assert_ptr_not_equal(a.got[0].get(), viewer.got.at(0).get());
  assert_contains(viewer.got[0]->json(), "10.1.2.3");
  assert_contains(a.got[0]->json(), "10.1.2.0/24");
  // Where there is nothing to mask all share.
  Event zone = make_event(EventType::zone_created);
  zone.data.add("zone", "example.com");
  hub.emit(std::move(zone), kNow);
  assert_ptr_equal(a.got.at(1).get(), viewer.got.at(1).get());
  assert_ptr_equal(c.got.at(1).get(), viewer.got.at(1).get());
}

void a_filter_cannot_ask_for_what_is_hidden(void**) {
  const Roles roles(options_of("roles: {a: {privacy: {client_address: prefix, query_name: domain}}}"));
  Hub hub(kStream, kNow);
  Taker exact(hub, roles, "a", "client = \"10.1.2.3\""), network(hub, roles, "a", "client in \"10.1.2.0/24\""),
      narrow(hub, roles, "a", "client in \"10.1.2.0/25\""), name(hub, roles, "a", "qname = \"www.shop.example\""),
      domain(hub, roles, "a", "qname = \"shop.example\""), port(hub, roles, "a", "has client_port");
  emit_query(hub, "10.1.2.3", "www.shop.example");
  assert_int_equal(exact.got.size() + narrow.got.size() + name.got.size() + port.got.size(), 0);
  assert_int_equal(network.got.size(), 1);
  assert_int_equal(domain.got.size(), 1);
}

void a_roles_own_filter_sees_what_the_role_does_not(void**) {
  const Roles roles(
      options_of("roles: {a: {filter: 'client = \"10.1.2.3\"', privacy: {client_address: none}}}"));
  Hub hub(kStream, kNow);
  Taker a(hub, roles, "a");
  emit_query(hub, "10.1.2.3", "x.example");
  emit_query(hub, "10.1.2.4", "x.example");
  assert_int_equal(a.got.size(), 1);
  assert_true(a.got[0]->json().find("client") == std::string_view::npos);
}

void the_privacy_of_all_comes_before_everything_but_the_global_filter(void**) {
  struct Learner : Processor {
    std::vector<std::string>& seen;
    explicit Learner(std::vector<std::string>& clients) : seen(clients) {}
    bool process(Event& event) override {
      seen.emplace_back(event.data.find("client").text());
      return true;
    }
  };
  Options options = options_of("privacy: {client_address: prefix}\nevents: {filter: 'client != \"10.1.2.9\"'}");
  const Roles roles(options);
  Hub hub(kStream, kNow);
  hub.configure(options);
  std::vector<std::string> learned;
  hub.add_processor(std::make_unique<Learner>(learned));
  Taker admin(hub, roles, "admin"), filtered(hub, roles, "admin", "client = \"10.1.2.3\"");
  emit_query(hub, "10.1.2.3", "x.example");
  emit_query(hub, "10.1.2.9", "x.example");
  assert_int_equal(filtered.got.size(), 0);
  assert_int_equal(admin.got.size(), 1);
  assert_contains(admin.got[0]->json(), "10.1.2.0/24");
  assert_text(learned.at(0), "10.1.2.0/24");
  Event login = make_event(EventType::user_login);
  login.data.add("client", "10.1.2.3");
  hub.emit(std::move(login), kNow);
  assert_true(hub.recent().events().back()->json().find("10.1.2.3") == std::string_view::npos);
  assert_text(hub.recent().events().back()->event->data.find("client").text(), "10.1.2.0/24");
}

// What the roles leave out was not asked for, so it is no loss; nor is it of use to count what a filter would judge.
void what_is_not_seen_is_no_loss(void**) {
  const Roles roles(options_of("roles: {a: {filter: 'qname under \"shop.example\"'}}"));
  Hub hub(kStream, kNow);
  Taker a(hub, roles, "a");
  a.subscriptions[0].sample = 2;
  for (int i = 0; i < 4; ++i) {
    emit_query(hub, "10.1.2.3", "a.shop.example");
    emit_query(hub, "10.1.2.3", "a.other.example");
  }
  assert_int_equal(a.got.size(), 2);
  assert_int_equal(a.sampled, 2);
  hub.report_lost(DropReason::capture_overflow, {EventType::audit_log}, 5, kNow);  // of a type it may not see
  assert_int_equal(a.sampled, 2);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(the_documentation_holds_the_same_tables),
      cmocka_unit_test(each_role_sees_its_types),
      cmocka_unit_test(each_role_sees_each_member_as_clearly_as_it_may),
      cmocka_unit_test(nothing_masked_stands_in_clear_in_any_type),
      cmocka_unit_test(what_each_role_may_do),
      cmocka_unit_test(a_built_in_role_can_be_made_another),
      cmocka_unit_test(audience_is_what_the_configuration_says),
      cmocka_unit_test(of_several_roles_the_clearest_counts_for_each_event_and_member),
      cmocka_unit_test(who_sees_the_same_has_the_same_key),
      cmocka_unit_test(who_may_not_see_a_type_is_not_told_of_alerts_of_it),
      cmocka_unit_test(an_event_for_one_user_is_for_that_user_and_admins),
      cmocka_unit_test(a_masked_event_is_made_once_for_each_mask),
      cmocka_unit_test(a_filter_cannot_ask_for_what_is_hidden),
      cmocka_unit_test(a_roles_own_filter_sees_what_the_role_does_not),
      cmocka_unit_test(the_privacy_of_all_comes_before_everything_but_the_global_filter),
      cmocka_unit_test(what_is_not_seen_is_no_loss),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
