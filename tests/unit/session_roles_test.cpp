// Roles at work on connections: what is refused, what comes from the beginning, and that everything that reaches a
// viewer is what he may see.

#include "session_house.hpp"

#include "plugin/server/secret.hpp"

#include <algorithm>

#include "config/load.hpp"
#include "plugin/server/secret.hpp"

namespace {

using namespace bindcast;
using namespace bindcast::test;

constexpr std::string_view kRoles = R"(
roles:
  helpdesk: {categories: [dns, security], filter: 'view = "internal"', privacy: {client_address: prefix, query_name: domain}}
  watcher:  {subscribe: {categories: [security], types: [zone_created], filter: 'view = "internal"'}}
  counter:  {may: [watch, acknowledge], types: [dns_query_log], subscribe: {types: [dns_query_log]}}
  nobody:   {may: []}
)";

// A house with a token for each role, whose text and owner are the role's name.
Options options(std::string_view yaml = kRoles) {
  LoadResult loaded = load_options_text(yaml, "test.yaml");
  for (const auto& fault : loaded.faults) print_error("%s\n", fault.text().c_str());
  assert_true(loaded.ok());
  for (const char* role : {"helpdesk", "watcher", "counter", "nobody", "publisher"})
    loaded.options.auth.tokens.push_back({.name = role, .sha256 = sha256_of(role), .roles = {role}});
  return loaded.options;
}

std::uint64_t emit_hit(House& house, const char* client = "10.1.2.3", const char* view = "internal") {
  Event event = make_event(EventType::malware_blocked);
  event.view = view;
  event.data.add("client", client).add("qname", "www.bad.example.com").add("policy_zone", "rpz.test");
  return house.hub.emit(std::move(event), house.now);
}

std::size_t count(const std::vector<std::string>& texts, std::string_view part) {
  return static_cast<std::size_t>(std::ranges::count_if(texts, [&](const auto& text) { return holds(text, part); }));
}

std::string subscribe(std::string_view data) {
  return R"({"type":"subscribe","id":"s","data":)" + std::string(data) + "}";
}

// ── Refused ──────────────────────────────────────────────────────────────────────────────────────────────────────────

void who_may_not_watch_is_refused_and_admins_are_told_once(void**) {
  House house(options());
  const auto admin = Client::admin(house);
  admin->ask(subscribe(R"({"event_types":["permission_denied"]})"));
  for (const char* role : {"nobody", "publisher"}) {
    Client client(house, role);
    (void)client.read();
    for (int i = 0; i < 8; ++i) assert_contains(client.ask(subscribe("{}")), "PERMISSION_DENIED");
    assert_contains(client.ask(R"({"type":"get_status"})"), "PERMISSION_DENIED");
    assert_contains(client.ask(R"({"type":"acknowledge","data":{"ids":["e-000000000001"]}})"), "PERMISSION_DENIED");
    assert_false(holds(client.ask(R"({"type":"get_statistics"})"), "\"server\""));
    emit_hit(house);
    assert_int_equal(client.read().size(), 0);
    const auto told = admin->read();
    assert_int_equal(told.size(), 3);
    assert_int_equal(count(told, R"("user":")" + std::string(role)), 3);
    assert_int_equal(count(told, R"("action":"subscribe","count":1)"), 1);
  }
  house.later(Audit::kWindowUs);
  house.audit.tick(house.now);
  assert_int_equal(count(admin->read(), R"("action":"subscribe","count":7)"), 2);
}

void what_the_roles_do_not_show_cannot_be_subscribed_to(void**) {
  House house(options());
  const auto admin = Client::admin(house);
  admin->ask(subscribe(R"({"event_types":["permission_denied"]})"));
  Client client(house, "helpdesk");
  (void)client.read();
  // Refused where it is all of it, an error beside the rest otherwise; told to admins in both cases.
  assert_contains(client.ask(subscribe(R"({"event_types":["user_login"]})")), R"("code":"PERMISSION_DENIED")");
  assert_contains(admin->one(), R"("subject":"user_login","count":1)");
  const std::string answer = client.ask(subscribe(R"({"event_types":["zone_created"],"categories":["health","dns"]})"));
  assert_contains(answer, "subscription_updated");
  assert_contains(answer, "none of your roles lets you see it");
  house.audit.tick(house.now, true);
  assert_contains(admin->one(), R"("subject":"health","count":1)");
}

void an_acknowledgement_is_in_the_audit_log(void**) {
  House house(options());
  const auto admin = Client::admin(house);
  admin->ask(subscribe(R"({"event_types":["audit_log"]})"));
  const std::uint64_t offset = house.emit(EventType::security_alert);
  Client operators(house, "operator-token");
  (void)operators.read();
  const std::string ids = R"({"ids":[")" + event_id(house.hub.identity(), offset) + "\"]}";
  operators.say(R"({"type":"acknowledge","data":)" + ids + "}");
  assert_int_equal(count(admin->read(), R"("user":"olga","client":"192.0.2.7","action":"acknowledge","subject":"e-)"),
                   1);
  operators.say(R"({"type":"acknowledge","data":)" + ids + "}");  // ended none
  assert_int_equal(admin->read().size(), 0);
}

// ── From the beginning ───────────────────────────────────────────────────────────────────────────────────────────────

void a_roles_subscription_is_there_when_a_connection_opens(void**) {
  House house(options());
  Client client(house, "watcher");
  assert_contains(client.one(), R"("subscriptions":[{"name":"watcher","event_types":["zone_created"],)"
                                R"("categories":["security"])");
  emit_hit(house);
  house.emit(EventType::zone_deleted);
  emit_hit(house, "10.1.2.3", "other");
  assert_int_equal(count(client.read(), "\"malware_blocked\""), 1);
  // By its name it is replaced, and taken away.
  client.ask(subscribe(R"({"name":"watcher","event_types":["zone_deleted"]})"));
  emit_hit(house);
  house.emit(EventType::zone_deleted);
  auto texts = client.read();
  assert_int_equal(count(texts, "malware_blocked"), 0);
  assert_int_equal(count(texts, "zone_deleted"), 1);
  client.ask(R"({"type":"unsubscribe","data":{"name":"watcher"}})");
  house.emit(EventType::zone_deleted);
  assert_int_equal(client.read().size(), 0);
}

void open_alerts_come_by_a_roles_subscription(void**) {
  House house(options());
  const std::uint64_t offset = emit_hit(house);
  Client client(house, "watcher");
  assert_int_equal(count(client.read(), event_id(house.hub.identity(), offset)), 1);
}

// ── What he may see ──────────────────────────────────────────────────────────────────────────────────────────────────

bool shows_nothing_hidden(const std::vector<std::string>& texts) {
  return count(texts, "10.1.2.3") == 0 && count(texts, "www.bad") == 0;
}

void a_replay_is_masked_and_filtered_as_live_events_are(void**) {
  House house(options());
  emit_hit(house);
  emit_hit(house, "10.1.2.3", "other");
  house.emit(EventType::user_login);
  const auto replayed = [&house](const char* role, std::string_view filter) {
    Client client(house, role);
    (void)client.read();
    client.say(subscribe(R"({"since":"e-000000000000","filter":")" + std::string(filter) + "\"}"));
    auto texts = client.read();
    std::erase_if(texts, [](const std::string& text) { return !holds(text, "\"category\""); });
    return texts;
  };
  const auto masked = replayed("helpdesk", "");
  assert_int_equal(masked.size(), 1);
  assert_contains(masked[0], R"("client":"10.1.2.0/24","qname":"example.com")");
  assert_int_equal(replayed("helpdesk", R"(client = \"10.1.2.3\")").size(), 0);
  assert_int_equal(replayed("helpdesk", R"(client = \"10.1.2.0/24\")").size(), 1);
  assert_int_equal(replayed("viewer-token", R"(client = \"10.1.2.3\")").size(), 2);
}

void alerts_that_come_again_are_masked_too(void**) {
  House house(options());
  Client helpdesk(house, "helpdesk");
  const auto admin = Client::admin(house);
  for (Client* client : {&helpdesk, admin.get()}) {
    (void)client->read();
    client->ask(subscribe(R"({"event_types":["malware_blocked"]})"));
  }
  const std::uint64_t hidden = emit_hit(house, "10.1.2.3", "other"), shown = emit_hit(house);
  const auto id = [&](std::uint64_t offset) { return event_id(house.hub.identity(), offset); };
  auto texts = helpdesk.read();
  assert_int_equal(count(texts, id(shown)), 1);
  assert_true(shows_nothing_hidden(texts));
  house.later(kSecond);
  texts = helpdesk.read();  // again
  assert_int_equal(count(texts, id(shown)), 1);
  assert_int_equal(count(texts, id(hidden)), 0);
  assert_int_equal(count(texts, "\"attempt\":2"), 1);
  assert_int_equal(count(texts, R"("client":"10.1.2.0/24")"), 1);
  assert_true(shows_nothing_hidden(texts));
  assert_int_equal(count(admin->read(), R"("client":"10.1.2.3")"), 4);
  // When he asks.
  texts = {helpdesk.ask(R"({"type":"get_alerts"})")};
  assert_int_equal(count(texts, id(shown)), 1);
  assert_int_equal(count(texts, id(hidden)), 0);
  assert_int_equal(count(texts, R"("client":"10.1.2.0/24")"), 1);
  assert_true(shows_nothing_hidden(texts));
  // When he comes later.
  Client late(house, "helpdesk");
  (void)late.read();
  late.say(subscribe(R"({"event_types":["malware_blocked"]})"));
  texts = late.read();
  assert_int_equal(count(texts, id(shown)), 1);
  assert_int_equal(count(texts, id(hidden)), 0);
  assert_true(shows_nothing_hidden(texts));
  // And of the acknowledgement of what he does not see nothing comes.
  for (const auto& [offset, told] : {std::pair{hidden, 0}, std::pair{shown, 1}}) {
    admin->ask(R"({"type":"acknowledge","data":{"ids":[")" + id(offset) + "\"]}}");
    assert_int_equal(count(helpdesk.read(), "\"acknowledged\""), told);
  }
}

void who_does_not_see_an_alert_cannot_end_it(void**) {
  House house(options());
  const std::uint64_t offset = emit_hit(house);
  Client counter(house, "counter");
  (void)counter.read();
  const std::string ask =
      R"({"type":"acknowledge","data":{"ids":[")" + event_id(house.hub.identity(), offset) + "\"]}}";
  assert_contains(counter.ask(ask), "nothing that waits");
  assert_contains(Client::admin(house)->ask(ask), R"("errors":[])");
}

void a_change_of_roles_is_in_force_at_once(void**) {
  House house(options());
  Client client(house, "watcher");
  (void)client.read();
  emit_hit(house);
  assert_int_equal(count(client.read(), R"("client":"10.1.2.3")"), 1);
  const auto reconfigured = [&house, &client](std::string_view yaml) {
    house.roles->configure(options(yaml));
    client.session.options_changed(house.now);
    emit_hit(house);
    return client.read();
  };
  const auto masked = reconfigured("roles: {watcher: {privacy: {client_address: none}}}");
  assert_int_equal(count(masked, "malware_blocked"), 1);
  assert_int_equal(count(masked, "\"client\""), 0);
  assert_int_equal(reconfigured("roles: {watcher: {categories: [health]}}").size(), 0);
  assert_int_equal(reconfigured("roles: {watcher: {may: []}}").size(), 0);
  assert_contains(client.ask(subscribe("{}")), "PERMISSION_DENIED");
  assert_int_equal(count(reconfigured(kRoles), "malware_blocked"), 1);
}

// Neither a replay nor an alert that comes again, nor a webhook, shows what was in clear when it happened.
void a_stricter_privacy_holds_for_what_is_kept_too(void**) {
  Options wanted = options();
  wanted.escalation.push_back({.after = std::chrono::seconds(5),
                               .roles = {},
                               .repeat = false,
                               .priority = {},
                               .webhook_url = "http://127.0.0.1/",
                               .webhook_secret_file = {}});
  House house(wanted);
  const auto admin = Client::admin(house);
  admin->ask(subscribe(R"({"event_types":["malware_blocked"]})"));
  emit_hit(house);
  assert_int_equal(count(admin->read(), R"("client":"10.1.2.3")"), 1);
  house.options.privacy = {ClientAddressPrivacy::prefix, QueryNamePrivacy::domain};
  house.hub.configure(house.options);
  for (int i = 0; i < 10; ++i) {
    house.later(kSecond);
    assert_true(shows_nothing_hidden(admin->read()));
  }
  assert_int_equal(house.posts.size(), 1);
  assert_contains(house.posts[0].body, R"("client":"10.1.2.0/24")");
  assert_true(shows_nothing_hidden({house.posts[0].body}));
  const auto late = Client::admin(house);
  late->say(subscribe(R"({"since":"e-000000000000","event_types":["malware_blocked"]})"));
  const auto replayed = late->read();
  assert_int_equal(count(replayed, R"("client":"10.1.2.0/24","qname":"example.com")"), 1);
  assert_true(shows_nothing_hidden(replayed));
}

void an_event_for_one_user_reaches_that_user_and_admins(void**) {
  for (const Format format : {Format::plain, Format::json, Format::cloudevents}) {
    House house(options());
    Client vic(house, "viewer-token", format), again(house, "viewer-token", format),
        olga(house, "operator-token", format);
    const auto admin = Client::admin(house, format);
    for (Client* client : {&vic, &again, &olga, admin.get()}) {
      (void)client->read();
      client->ask(subscribe(R"({"event_types":["session_expired","zone_created"],"sample":2})"));
    }
    // All but the admin see the same, so they share a channel.
    assert_int_equal(house.channels->all().size(), 2);
    house.emit(EventType::zone_created);
    for (int i = 0; i < 3; ++i) {
      Event event = make_event(EventType::session_expired);
      event.target_user_id = "vic";
      house.hub.emit(std::move(event), house.now);
    }
    house.later(10 * kSecond);
    house.channels->flush(house.now);
    const auto got = [](Client& client) {
      std::string all;
      for (const std::string& text : client.read()) all += text;
      std::size_t expired = 0;
      for (std::size_t at = 0; (at = all.find("session_expired\"", at)) != std::string::npos; ++at) ++expired;
      assert_contains(all, "zone_created");
      assert_true(all.find("zone_created") < all.find("session_expired"));
      return expired;
    };
    assert_int_equal(got(vic), 3);
    assert_int_equal(got(again), 3);
    assert_int_equal(got(olga), 0);
    assert_int_equal(got(*admin), 3);
    // The account of who did not get it is right all the same.
    const std::string statistics = olga.ask(R"({"type":"get_statistics"})");
    assert_contains(statistics, R"("events_accepted":1,)");
  }
}

void an_alert_for_one_user_comes_again_to_that_user_alone(void**) {
  House house(options());
  Client vic(house, "viewer-token"), olga(house, "operator-token");
  for (Client* client : {&vic, &olga}) {
    (void)client->read();
    client->ask(subscribe(R"({"event_types":["security_alert"]})"));
  }
  Event event = make_event(EventType::security_alert);
  event.target_user_id = "vic";
  house.hub.emit(std::move(event), house.now);
  assert_int_equal(count(vic.read(), "security_alert"), 1);
  house.later(kSecond);
  assert_int_equal(count(vic.read(), "\"attempt\":2"), 1);
  assert_int_equal(count(olga.read(), "security_alert"), 0);  // nor by the ladder, which tells operators
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(who_may_not_watch_is_refused_and_admins_are_told_once),
      cmocka_unit_test(what_the_roles_do_not_show_cannot_be_subscribed_to),
      cmocka_unit_test(an_acknowledgement_is_in_the_audit_log),
      cmocka_unit_test(a_roles_subscription_is_there_when_a_connection_opens),
      cmocka_unit_test(open_alerts_come_by_a_roles_subscription),
      cmocka_unit_test(a_replay_is_masked_and_filtered_as_live_events_are),
      cmocka_unit_test(alerts_that_come_again_are_masked_too),
      cmocka_unit_test(who_does_not_see_an_alert_cannot_end_it),
      cmocka_unit_test(a_change_of_roles_is_in_force_at_once),
      cmocka_unit_test(a_stricter_privacy_holds_for_what_is_kept_too),
      cmocka_unit_test(an_alert_for_one_user_comes_again_to_that_user_alone),
      cmocka_unit_test(an_event_for_one_user_reaches_that_user_and_admins),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
