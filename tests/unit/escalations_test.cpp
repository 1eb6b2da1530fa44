// Acknowledgement, repetition and escalation as clients meet them. The rules' own corners are in alerts_test.

#include "session_house.hpp"

namespace {

using namespace bindcast;
using namespace bindcast::test;
using namespace std::chrono_literals;

constexpr char kSubscribe[] = R"({"type":"subscribe","data":{"event_types":["security_alert","malware_blocked"]}})";

EscalationStep step(Microseconds after, std::vector<std::string> roles = {}) {
  EscalationStep made;
  made.after = after;
  made.roles = std::move(roles);
  return made;
}

// Only the repetitions, no ladder that climbs while a test looks at them.
Options repetitions(std::uint32_t attempts) {
  Options options;
  options.retry.attempts = attempts;
  options.escalation = {step(100h, {"admin"})};
  return options;
}

// No repetitions: what comes, comes by the ladder.
Options ladder(std::vector<EscalationStep> steps) {
  Options options;
  options.retry.attempts = 0;
  options.escalation = std::move(steps);
  return options;
}

std::unique_ptr<Client> watcher(House& house, const std::string& token) {
  auto client = std::make_unique<Client>(house, token);
  client->say(kSubscribe);
  (void)client->read();
  return client;
}

std::string acknowledge(House& house, std::uint64_t offset, const std::string& note = "") {
  return R"({"type":"acknowledge","id":"a","data":{"ids":[")" + event_id(house.hub.identity(), offset) + "\"]" +
         (note.empty() ? "" : ",\"note\":\"" + note + "\"") + "}}";
}

std::size_t count(const std::vector<std::string>& texts, std::string_view part) {
  std::size_t n = 0;
  for (const std::string& text : texts) n += holds(text, part);
  return n;
}

void an_unacknowledged_event_comes_again_with_growing_waits(void**) {
  House house(repetitions(3));
  const auto admin = watcher(house, house.admin_token);
  const std::uint64_t offset = house.emit(EventType::security_alert);
  const std::string id = event_id(house.hub.identity(), offset);
  const std::string first = admin->one();
  assert_contains(first, id);
  assert_false(holds(first, "\"attempt\""));
  for (const int attempt : {2, 3, 4}) {  // the waits are 0.75 of 1, 2 and 4 s
    const std::int64_t wait = 750'000 << (attempt - 2);
    house.later(wait - 1);
    assert_int_equal(admin->read().size(), 0);
    house.later(1);
    const std::string again = admin->one();
    assert_contains(again, id);
    assert_contains(again, "\"attempt\":" + std::to_string(attempt));
  }
  house.later(1000 * kSecond);
  assert_int_equal(admin->read().size(), 0);
}

void an_acknowledgement_ends_it_and_every_viewer_is_told(void**) {
  House house(repetitions(8));
  const auto admin = watcher(house, house.admin_token);
  const auto operators = watcher(house, "operator-token");
  const auto viewer = watcher(house, "viewer-token");
  admin->ask(R"({"type":"subscribe","data":{"event_types":["notification_acknowledged"]}})");
  const std::uint64_t offset = house.emit(EventType::security_alert);
  for (auto* client : {admin.get(), operators.get(), viewer.get()}) (void)client->read();

  const std::string refused = viewer->ask(acknowledge(house, offset));
  assert_contains(refused, "PERMISSION_DENIED");

  house.later(kSecond / 2);
  const std::string answer = operators->ask(acknowledge(house, offset, "looked at it"));
  assert_contains(answer, "\"type\":\"acknowledged\"");
  assert_contains(answer, "\"reply_to\":\"a\"");
  assert_contains(answer, event_id(house.hub.identity(), offset));
  for (auto* client : {admin.get(), viewer.get()}) {
    const auto texts = client->read();
    assert_int_equal(count(texts, "\"type\":\"acknowledged\""), 1);
    assert_int_equal(count(texts, "\"by\":\"olga\""), client == admin.get() ? 2 : 1);
    assert_int_equal(count(texts, "looked at it"), client == admin.get() ? 2 : 1);
    assert_int_equal(count(texts, "\"type\":\"notification_acknowledged\""), client == admin.get() ? 1 : 0);
  }
  house.later(1000 * kSecond);
  for (auto* client : {admin.get(), operators.get(), viewer.get()}) assert_int_equal(client->read().size(), 0);
  assert_contains(operators->ask(acknowledge(house, offset)), "nothing that waits");

  // The same condition again asks again.
  house.emit(EventType::security_alert);
  assert_int_equal(admin->read().size(), 1);
  house.later(kSecond);
  assert_contains(admin->one(), "\"attempt\":2");
}

void faulty_acknowledgements_are_answered(void**) {
  House house(repetitions(8));
  const auto admin = watcher(house, house.admin_token);
  for (const char* data : {R"({})", R"({"ids":[]})", R"({"ids":"e-000000000001"})", R"({"ids":[1]})",
                           R"({"ids":["x-1"]})", R"({"ids":["e-000000000001"],"note":7})"})
    assert_contains(admin->ask(std::string(R"({"type":"acknowledge","data":)") + data + "}"), "INVALID_MESSAGE");
  std::string many = R"({"type":"acknowledge","data":{"ids":["e-000000000001")";
  for (int i = 0; i < 32; ++i) many += R"(,"e-000000000001")";
  assert_contains(admin->ask(many + "]}}"), "INVALID_MESSAGE");
}

void a_client_that_comes_back_is_asked_again(void**) {
  House house(repetitions(8));
  auto admin = watcher(house, house.admin_token);
  const std::uint64_t offset = house.emit(EventType::security_alert);
  (void)admin->read();
  admin.reset();
  house.later(kSecond / 4);
  auto back = std::make_unique<Client>(house, house.admin_token);
  (void)back->read();
  back->say(kSubscribe);
  assert_int_equal(count(back->read(), event_id(house.hub.identity(), offset)), 1);
  // With `since` it does not come twice.
  Client since(house, house.admin_token);
  (void)since.read();
  since.say(R"({"type":"subscribe","data":{"event_types":["security_alert"],"since":"e-000000000000"}})");
  assert_int_equal(count(since.read(), event_id(house.hub.identity(), offset)), 1);
}

void the_ladder_is_climbed_until_somebody_acknowledges(void**) {
  EscalationStep again = step(5min), admins = step(15min, {"admin"}), hook = step(30min);
  again.repeat = true;
  admins.priority = Priority::urgent;
  hook.webhook_url = "https://hooks.example/x";
  hook.webhook_secret_file = "/etc/key";
  House house(ladder({step(0s, {"operator"}), again, admins, hook}));
  Client operators(house, "operator-token"), admin(house, house.admin_token), viewer(house, "viewer-token");
  for (Client* client : {&operators, &admin, &viewer}) (void)client->read();
  admin.ask(R"({"type":"subscribe","data":{"event_types":["notification_sent"]}})");

  const std::uint64_t offset = house.emit(EventType::malware_blocked);
  const std::string id = event_id(house.hub.identity(), offset);
  assert_int_equal(count(operators.read(), id), 1);  // at once, subscribed or not
  const std::string told = admin.one();
  assert_contains(told, "\"type\":\"notification_sent\"");
  assert_contains(told, "\"roles\":[\"operator\"]");
  assert_contains(told, "\"clients\":1");
  assert_int_equal(viewer.read().size(), 0);

  house.later(300 * kSecond);
  assert_int_equal(count(operators.read(), id), 1);
  assert_int_equal(count(admin.read(), "\"repeat\":true"), 1);

  house.later(600 * kSecond);
  const auto raised = admin.read();
  assert_int_equal(count(raised, "\"priority\":\"urgent\""), 1);
  assert_int_equal(count(raised, "\"type\":\"malware_blocked\""), 1);
  assert_int_equal(viewer.read().size(), 0);
  assert_int_equal(house.posts.size(), 0);

  house.later(900 * kSecond);
  (void)admin.read();
  assert_int_equal(house.posts.size(), 1);
  assert_text(house.posts[0].url, "https://hooks.example/x");
  assert_text(house.posts[0].secret_file, "/etc/key");
  assert_text(house.posts[0].id, id + ".4");
  assert_contains(house.posts[0].body, "\"type\":\"malware_blocked\"");
  assert_contains(house.posts[0].body, "\"open_for_seconds\":1800");

  assert_contains(admin.ask(acknowledge(house, offset)), "\"ids\":[\"" + id);
  assert_int_equal(house.cancelled.size(), 1);
  assert_text(house.cancelled[0], house.posts[0].id);
}

void who_asks_is_told_what_is_open_and_how_far_it_has_climbed(void**) {
  EscalationStep again = step(5min);
  again.repeat = true;
  again.webhook_url = "https://hooks.example/a-secret";
  House house(ladder({step(0s, {"operator"}), again}));
  const auto viewer = std::make_unique<Client>(house, "viewer-token");
  (void)viewer->read();
  const auto ask = [&] {
    (void)viewer->read();  // what is due is done
    return viewer->ask(R"({"type":"get_alerts","id":"q"})");
  };
  assert_contains(ask(), R"("reply_to":"q")");
  assert_contains(ask(), R"("alerts":[],"left_out":0)");

  // Two conditions, one of them twice.
  const std::uint64_t first = house.emit(EventType::malware_blocked);
  house.later(60 * kSecond);
  const std::uint64_t latest = house.emit(EventType::malware_blocked);
  house.emit(EventType::security_alert);
  const auto id = [&](std::uint64_t offset) { return event_id(house.hub.identity(), offset); };
  std::string told = ask();
  assert_contains(told, R"("alert":")" + id(first) + R"(","event":{"id":")" + id(latest));
  assert_contains(told, R"("occurrences":2,"open_for_seconds":60,"steps":[1],"given_up":false)");
  assert_contains(told, R"("occurrences":1,"open_for_seconds":0,"steps":[1],"given_up":false)");
  assert_true(told.find("security_alert") < told.find("malware_blocked"));  // the more pressing one
  assert_contains(told, R"({"after_seconds":300,"roles":[],"repeat":true,"webhook":true})");
  assert_false(holds(told, "a-secret"));

  house.later(240 * kSecond);
  told = ask();
  assert_contains(told, R"("occurrences":2,"open_for_seconds":300,"steps":[1,2],"given_up":true)");

  Client(house, house.admin_token).ask(acknowledge(house, latest));
  assert_false(holds(ask(), "malware_blocked"));
}

void of_very_many_alerts_the_most_pressing_are_told(void**) {
  House house(repetitions(0));
  Client viewer(house, "viewer-token");
  (void)viewer.read();
  for (int i = 0; i < 250; ++i) {
    Event event = make_event(EventType::malware_blocked);
    event.data.add("client", "192.0.2." + std::to_string(i));
    house.hub.emit(std::move(event), house.now);
  }
  house.emit(EventType::security_alert);
  const std::string told = viewer.ask(R"({"type":"get_alerts"})");
  assert_contains(told, "\"left_out\":51");
  assert_contains(told, "security_alert");
}

void an_admins_alert_is_for_admins_alone(void**) {
  Options options = ladder({step(0s, {"operator"})});
  options.events.types[EventType::config_change] = {.priority = Priority::critical, .severity = {}, .audience = {}};
  House house(options);
  Client operators(house, "operator-token"), admin(house, house.admin_token);
  for (Client* client : {&operators, &admin}) (void)client->read();
  const std::uint64_t offset = house.emit(EventType::config_change);
  assert_int_equal(operators.read().size(), 0);
  assert_false(holds(operators.ask(R"({"type":"get_alerts"})"), "config_change"));
  assert_contains(operators.ask(acknowledge(house, offset)), "nothing that waits");
  assert_contains(admin.ask(acknowledge(house, offset)), "\"errors\":[]");
  assert_int_equal(operators.read().size(), 0);
}

void the_outcome_of_a_webhook_is_an_event(void**) {
  House house(repetitions(0));
  const auto admin = Client::admin(house);
  admin->ask(R"({"type":"subscribe","data":{"event_types":["webhook_triggered"]}})");
  house.escalations->webhook_told({.id = "e-1.4",
                                   .target = "https://hooks.example",
                                   .attempt = 2,
                                   .status = 503,
                                   .fault = "answered 503",
                                   .delivered = false,
                                   .final = false},
                                  house.now);
  const std::string text = admin->one();
  assert_contains(text, "\"severity\":\"warning\"");
  assert_contains(text, "\"status\":503");
  assert_contains(text, "\"attempt\":2");
  assert_contains(text, "\"final\":false");
}

void statistics_are_told_when_there_is_something_new(void**) {
  House house(repetitions(0));
  const auto admin = Client::admin(house);
  admin->ask(R"({"type":"subscribe","data":{"event_types":["notification_statistics"]}})");
  house.escalations->tick(house.now);
  assert_int_equal(admin->read().size(), 0);
  house.emit(EventType::security_alert);
  house.later(61 * kSecond);
  house.escalations->tick(house.now);
  assert_contains(admin->one(), "\"open\":1");
  house.later(61 * kSecond);
  house.escalations->tick(house.now);
  assert_int_equal(admin->read().size(), 0);
}

void nobody_is_asked_when_the_configuration_says_so(void**) {
  Options options;
  options.retry.acknowledge = {};
  House house(options);
  Client operators(house, "operator-token");
  (void)operators.read();
  house.emit(EventType::security_alert);
  house.later(1000 * kSecond);
  assert_int_equal(operators.read().size(), 0);
}

// A capture that is off costs named almost nothing; an alert table that takes every type must not switch it on.
void queries_are_not_captured_for_alerts_alone(void**) {
  House house;
  assert_false(house.hub.wanted(EventType::dns_query_log));
  assert_false(house.hub.wanted(EventType::dns_query_failed));
  assert_false(house.hub.wanted(EventType::dns_analytics_update));
  assert_true(house.hub.wanted(EventType::security_alert));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(an_unacknowledged_event_comes_again_with_growing_waits),
      cmocka_unit_test(an_acknowledgement_ends_it_and_every_viewer_is_told),
      cmocka_unit_test(faulty_acknowledgements_are_answered),
      cmocka_unit_test(a_client_that_comes_back_is_asked_again),
      cmocka_unit_test(the_ladder_is_climbed_until_somebody_acknowledges),
      cmocka_unit_test(who_asks_is_told_what_is_open_and_how_far_it_has_climbed),
      cmocka_unit_test(of_very_many_alerts_the_most_pressing_are_told),
      cmocka_unit_test(an_admins_alert_is_for_admins_alone),
      cmocka_unit_test(the_outcome_of_a_webhook_is_an_event),
      cmocka_unit_test(statistics_are_told_when_there_is_something_new),
      cmocka_unit_test(nobody_is_asked_when_the_configuration_says_so),
      cmocka_unit_test(queries_are_not_captured_for_alerts_alone),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
