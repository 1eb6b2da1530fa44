// The protocol of one connection, without a socket and with a hand-driven clock.

#include "session_house.hpp"

#include <zlib.h>

#include "config/options_table.hpp"
#include "plugin/server/secret.hpp"

namespace {

using namespace bindcast;
using namespace bindcast::test;
using namespace std::chrono_literals;

// ── Entry ────────────────────────────────────────────────────────────────────────────────────────────────────────────

void a_token_in_the_handshake_is_welcomed(void**) {
  House house;
  Client client(house, house.admin_token);
  const std::string welcome = client.one();
  assert_contains(welcome, "\"type\":\"connection_established\"");
  assert_contains(welcome, "\"roles\":[\"admin\"]");
  assert_contains(welcome, "\"may\":[\"watch\",\"acknowledge\",\"publish\",\"administer\"]");
  assert_contains(welcome, "\"hidden_types\":[]");
  assert_contains(welcome, "\"epoch\":\"e\"");
  assert_contains(welcome, "\"offset\":");
  assert_contains(welcome, "\"max_message_bytes\":65536");
  assert_false(holds(welcome, house.admin_token));
}

void a_viewer_is_told_what_he_may_not_ask_for(void**) {
  House house;
  const std::string welcome = Client(house, "viewer-token").one();
  assert_contains(welcome, "\"may\":[\"watch\"]");
  assert_contains(welcome, "\"hidden_types\":[\"");
  assert_contains(welcome, "\"config_change\"");
  assert_false(holds(welcome, "\"zone_created\""));
}

void a_token_in_the_first_message_is_welcomed(void**) {
  House house;
  Client client(house);
  assert_int_equal(client.read().size(), 0);
  const std::string welcome =
      client.ask(R"({"type":"authenticate","id":4,"data":{"token":")" + house.admin_token + R"("}})");
  assert_contains(welcome, "connection_established");
  assert_int_equal(client.close_code(), 0);
}

void a_wrong_token_ends_with_4401_and_is_told_to_admins_without_the_token(void**) {
  House house;
  const auto admin = Client::admin(house);
  admin->ask(R"({"type":"subscribe","data":{"event_types":["authentication_failed"]}})");
  Client in_header(house, "wrong-secret");
  assert_int_equal(in_header.close_code(), 4401);
  Client in_message(house);
  in_message.say(R"({"type":"authenticate","data":{"token":"wrong-secret"}})");
  assert_int_equal(in_message.close_code(), 4401);
  // Told at once; the second one by its number, later.
  std::string told = admin->one();
  assert_contains(told, "\"authentication_failed\"");
  house.later(60 * kSecond);
  house.identity->tick(house.now);
  told += admin->one();
  assert_contains(told, "192.0.2.7");
  assert_contains(told, "\"total\":2");
  assert_false(holds(told, "wrong-secret"));
}

void silence_ends_with_4408_after_five_seconds(void**) {
  House house;
  Client client(house);
  house.later(5 * kSecond - 1);
  client.session.tick(house.now);
  assert_int_equal(client.close_code(), 0);
  house.later(1);
  client.session.tick(house.now);
  assert_int_equal(client.close_code(), 4408);
}

void nothing_is_served_before_the_token(void**) {
  House house;
  Client client(house);
  client.say(R"({"type":"subscribe","data":{"event_types":["zone_created"]}})");
  house.emit(EventType::zone_created);
  for (const std::string& text : client.read()) assert_contains(text, "AUTH_FAILED");
  assert_int_equal(house.channels->all().size(), 0);
}

void one_user_too_many_ends_with_4429(void**) {
  Options options;
  options.server.max_connections_per_user = 2;
  House house(options);
  const auto one = Client::admin(house), two = Client::admin(house);
  Client client(house, house.admin_token);
  assert_int_equal(client.close_code(), 4429);
  assert_false(client.session.admitted());
  assert_int_equal(one->close_code(), 0);
}

// A page that is loaded again comes before its old connection is gone.
void one_too_many_of_a_login_session_replaces_the_oldest_one(void**) {
  Options options;
  options.server.max_connections_per_user = 2;
  House house(options);
  const Offered cookie{.bearer = {}, .cookie = house.log_in(), .query = {}};
  const Offered other_session{.bearer = {}, .cookie = house.log_in(), .query = {}};
  Client first(house, cookie);
  house.later(1);
  Client second(house, cookie);
  house.later(1);
  Client third(house, cookie);
  assert_int_equal(first.close_code(), 4409);
  assert_int_equal(second.close_code(), 0);
  assert_int_equal(third.close_code(), 0);
  assert_true(third.session.admitted());
  Client stranger(house, other_session);
  assert_int_equal(stranger.close_code(), 4429);
  assert_int_equal(second.close_code(), 0);
}

void a_logout_tells_and_ends_every_connection_of_its_session_and_no_other(void**) {
  House house;
  const std::string token = house.log_in();
  Client page(house, Offered{.bearer = {}, .cookie = token, .query = {}});
  Client script(house, token);
  Client other(house, house.log_in());
  for (Client* client : {&page, &script, &other}) (void)client->read();
  assert_true(house.identity->logout(token, "192.0.2.7", house.now).has_value());
  for (Client* client : {&page, &script}) {
    const std::string told = client->one();
    assert_contains(told, "\"session_expired\"");
    assert_contains(told, "\"reason\":\"logout\"");
    assert_int_equal(client->close_code(), 4401);
  }
  assert_int_equal(other.close_code(), 0);
}

void a_cookie_of_a_session_that_is_over_leaves_the_first_message(void**) {
  House house;
  Client client(house, Offered{.bearer = {}, .cookie = "gone", .query = {}});
  assert_contains(client.one(), "AUTH_FAILED");
  assert_int_equal(client.close_code(), 0);
  assert_contains(client.ask(R"({"type":"authenticate","data":{"token":")" + house.admin_token + R"("}})"),
                  "connection_established");
}

void a_token_that_is_taken_away_ends_its_connection(void**) {
  House house;
  Client client(house, "viewer-token");
  (void)client.read();
  house.options.auth.tokens.erase(house.options.auth.tokens.begin());
  house.identity->configure(house.options, house.now);
  client.session.options_changed(house.now);
  assert_contains(client.one(), "\"session_expired\"");
  assert_int_equal(client.close_code(), 4401);
}

void mode_open_that_ends_ends_the_connections_of_anybody(void**) {
  Options options;
  options.auth.mode = AuthOptions::Mode::open;
  House house(options);
  Client client(house);
  (void)client.read();
  house.identity->configure(Options{}, house.now);
  client.session.options_changed(house.now);
  assert_int_equal(client.close_code(), 4401);
}

// ── Admins ───────────────────────────────────────────────────────────────────────────────────────────────────────────

void only_an_admin_asks_for_connections_and_others_are_told_on(void**) {
  House house;
  const auto admin = Client::admin(house);
  admin->ask(R"({"type":"subscribe","data":{"event_types":["permission_denied"]}})");
  Client viewer(house, "viewer-token");
  (void)viewer.read();
  for (const char* request : {"get_connections", "disconnect_user", "broadcast", "get_configuration"})
    assert_contains(viewer.ask(std::string(R"({"type":")") + request + R"(","data":{"user":"olga","message":"x"}})"),
                    "PERMISSION_DENIED");
  const auto told = admin->read();
  assert_int_equal(told.size(), 4);
  assert_contains(told[0], "\"permission_denied\"");
  assert_contains(told[0], "\"action\":\"get_connections\"");
  assert_contains(told[0], "\"user\":\"vic\"");
}

void get_connections_tells_who_is_here_and_no_secret(void**) {
  House house;
  const auto admin = Client::admin(house);
  const std::string token = house.log_in();
  Client ann(house, token);
  Client stranger(house);
  const std::string answer = admin->ask(R"({"type":"get_connections"})");
  assert_contains(answer, "\"total\":2");
  assert_contains(answer, "\"user\":\"ann\"");
  assert_contains(answer, "\"known_by\":\"session\"");
  assert_contains(answer, "\"known_by\":\"generated_token\"");
  assert_contains(answer, "192.0.2.7");
  assert_false(holds(answer, token));
}

void get_connections_tells_how_each_queue_is(void**) {
  House house;
  const auto admin = Client::admin(house);
  Client vic(house, "viewer-token");
  (void)vic.read();
  vic.ask(R"({"type":"subscribe","data":{"event_types":["zone_created"]}})");
  for (int i = 0; i < 3; ++i) house.emit(EventType::zone_created);
  house.channels->run(house.now);
  std::string answer = admin->ask(R"({"type":"get_connections"})");
  assert_contains(answer, R"("queue":{"standing":"in_step","events":3,)");
  assert_int_equal(vic.read().size(), 3);
  answer = admin->ask(R"({"type":"get_connections"})");
  assert_contains(answer, R"("events":0,"bytes":0,"most_events":500,"delivered":3)");
}

// A thousand clients do not cut off the admin who asks for them, however long their names and roles are.
void get_connections_is_bounded(void**) {
  Options options;
  options.server.max_connections_per_user = 1000;
  options.auth.tokens.push_back({.name = std::string(60, 'n'), .sha256 = sha256_of("long"), .roles = {}});
  options.auth.tokens.back().roles.resize(20, std::string(60, 'r'));
  House house(options);
  const auto admin = Client::admin(house);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 999; ++i) clients.push_back(std::make_unique<Client>(house, "long"));
  const std::string answer = admin->ask(R"({"type":"get_connections"})");
  assert_int_equal(admin->close_code(), 0);
  assert_contains(answer, "\"total\":1000");
  assert_in_range(answer.size(), 512 * 1024, 600 * 1024);
}

void get_configuration_tells_what_differs_and_no_secret(void**) {
  Options options;
  options.server.max_connections = 7;
  options.escalation = {{1s, {}, false, {}, "https://hook.example/s3cret", ""}};
  House house(options);
  house.shared->origin = {.file = "/etc/bind/bindcast.yaml", .read_us = 1'795'442'531 * kSecond};
  const auto admin = Client::admin(house);
  admin->ask(R"({"type":"subscribe","data":{"event_types":["audit_log"]}})");
  admin->say(R"({"type":"get_configuration","id":1})");
  const auto told = admin->read();
  assert_int_equal(told.size(), 2);
  const std::string& answer = told[0];
  assert_contains(answer, R"("type":"configuration")");
  assert_contains(answer, R"("file":"/etc/bind/bindcast.yaml","read_at":"2026-11-23T14:02:11.000000Z")");
  assert_contains(
      answer, R"({"path":"server.max_connections","value":"7","default":"1000","differs":true,)"
              R"("accepts":"integer, 1 to 10000 connections","doc":"Clients at the same time; more are refused."})");
  assert_contains(answer, R"({"path":"server.insecure","value":"false","default":"false","differs":false,)");
  assert_contains(answer, R"j({"path":"auth.users[ann].password","value":"(hidden)","differs":true,)j");
  assert_contains(answer, R"j({"path":"escalation[0].webhook.url","value":"(hidden)")j");
  assert_contains(answer, R"("left_out":0)");
  for (const std::string& secret : {std::string("s3cret"), std::string("$1$ann$"), std::string(kViewerTokenSha256)})
    assert_false(holds(answer, secret));
  assert_contains(told[1], R"("action":"get_configuration")");
}

// The most that a file can hold does not cut off the admin who asks for it, and hides no other option.
void get_configuration_is_bounded(void**) {
  Options options;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = std::to_string(i) + std::string(60, 'n');
    options.auth.users.push_back({.name = name, .password = "$1$x$", .roles = std::vector<std::string>(20, name)});
    options.auth.tokens.push_back({.name = name, .sha256 = std::string(64, 'a'), .roles = {}});
    options.roles[name].filter = "qname = \"" + std::string(3900, 'n') + "\"";
    options.events.queries.ignore.push_back(std::string(60, '\xC3') + ".example");
    options.escalation.push_back({1s, {name}, false, {}, "", ""});
  }
  House house(options);
  const auto admin = Client::admin(house);
  const std::string answer = admin->ask(R"({"type":"get_configuration"})");
  assert_in_range(answer.size(), 100 * 1024, 900 * 1024);
  assert_int_equal(admin->close_code(), 0);
  assert_false(holds(answer, R"("left_out":0)"));
  for (const auto& item : options_table()) assert_contains(answer, R"({"path":")" + std::string(item.path));
}

void a_user_who_is_disconnected_has_to_log_in_again(void**) {
  House house;
  const auto admin = Client::admin(house);
  const std::string token = house.log_in();
  Client ann(house, token);
  Client vic(house, "viewer-token");
  const std::string answer = admin->ask(R"({"type":"disconnect_user","data":{"user":"ann"}})");
  assert_contains(answer, "\"connections\":1");
  assert_contains(answer, "\"sessions\":1");
  assert_int_equal(ann.close_code(), 4403);
  assert_int_equal(vic.close_code(), 0);
  Client again(house, token);
  assert_int_equal(again.close_code(), 4401);
}

void a_broadcast_reaches_everybody_and_can_be_an_event(void**) {
  House house;
  const auto admin = Client::admin(house);
  Client vic(house, "viewer-token");
  (void)vic.read();
  assert_contains(admin->ask(R"({"type":"broadcast","data":{"message":"tea","priority":"high"}})"), "\"broadcast\"");
  const std::string told = vic.one();
  assert_contains(told, "\"message\":\"tea\"");
  assert_contains(told, "\"from\":\"admin\"");
  assert_contains(told, "\"priority\":\"high\"");
  vic.ask(R"({"type":"subscribe","data":{"event_types":["backup_started"]}})");
  (void)admin->read();
  admin->say(R"({"type":"broadcast","data":{"message":"soon","event_type":"backup_started"}})");
  assert_int_equal(vic.read().size(), 2);
  for (const char* bad : {R"({})", R"({"message":""})", R"({"message":"x","priority":"most"})",
                          R"({"message":"x","event_type":"zone_created"})"}) {
    (void)admin->read();
    assert_contains(admin->ask(std::string(R"({"type":"broadcast","data":)") + bad + "}"), "INVALID_MESSAGE");
  }
}

void coming_and_going_are_events_for_admins(void**) {
  House house;
  const auto admin = Client::admin(house);
  admin->ask(R"({"type":"subscribe","data":{"categories":["connection"]}})");
  (void)admin->read();
  {
    Client guest(house, "viewer-token");
    (void)guest.read();
    const std::string came = admin->one();
    assert_contains(came, "\"connection_established\"");
    assert_contains(came, "\"user\":\"vic\"");
    guest.session.closed(1001, "bye", house.now);
  }
  const std::string went = admin->one();
  assert_contains(went, "\"connection_closed\"");
  assert_contains(went, "\"code\":1001");
  assert_contains(went, "\"messages\":1");
  assert_int_equal(house.channels->all().size(), 1);
}

// ── Subscriptions ────────────────────────────────────────────────────────────────────────────────────────────────────

void a_subscription_brings_what_it_names_and_nothing_else(void**) {
  House house;
  const auto client = Client::admin(house);
  const std::string answer = client->ask(
      R"({"type":"subscribe","id":"s1","data":{"event_types":["zone_created"],"categories":["security"]}})");
  assert_contains(answer, "\"type\":\"subscription_updated\"");
  assert_contains(answer, "\"reply_to\":\"s1\"");
  assert_contains(answer, "\"errors\":[]");
  house.emit(EventType::zone_created);
  house.emit(EventType::zone_deleted);
  house.emit(EventType::rpz_update);
  const auto events = client->read();
  assert_int_equal(events.size(), 2);
  assert_contains(events[0], "\"type\":\"zone_created\"");
  assert_contains(events[1], "\"type\":\"rpz_update\"");
}

void the_old_names_of_requests_do_the_same(void**) {
  House house;
  const auto client = Client::admin(house);
  client->ask(R"({"type":"subscribe_events","data":{"event_types":["zone_created"]}})");
  client->ask(R"({"type":"subscribe_category","data":{"categories":["security"]}})");
  house.emit(EventType::zone_created);
  house.emit(EventType::rpz_update);
  assert_int_equal(client->read().size(), 2);
  client->ask(R"({"type":"unsubscribe_events","data":{"event_types":["zone_created"]}})");
  house.emit(EventType::zone_created);
  assert_int_equal(client->read().size(), 0);
  assert_contains(client->ask(R"({"type":"get_subscription_info"})"), "\"subscription_info\"");
  assert_contains(client->ask(R"({"type":"set_message_preferences","data":{"batch":true}})"), "\"batch\":true");
}

void unknown_names_are_said_while_the_others_take_effect(void**) {
  House house;
  const auto client = Client::admin(house);
  const std::string answer = client->ask(
      R"({"type":"subscribe","data":{"event_types":["zone_created","no_such"],"categories":["nor_this"]}})");
  assert_contains(answer, "subscription_updated");
  assert_contains(answer, "no_such");
  assert_contains(answer, "nor_this");
  house.emit(EventType::zone_created);
  assert_int_equal(client->read().size(), 1);

  const std::string none = client->ask(R"({"type":"subscribe","data":{"event_types":["no_such"],"name":"x"}})");
  assert_contains(none, "SUBSCRIPTION_FAILED");
  assert_int_equal(client->session.subscriptions().size(), 1);
}

void a_bad_filter_is_refused_with_its_column_and_changes_nothing(void**) {
  House house;
  const auto client = Client::admin(house);
  const std::string answer =
      client->ask(R"({"type":"subscribe","id":1,"data":{"event_types":["zone_created"],"filter":"zone = "}})");
  assert_contains(answer, "SUBSCRIPTION_FAILED");
  assert_contains(answer, "\"column\":");
  assert_contains(answer, "\"reply_to\":1");
  assert_int_equal(client->session.subscriptions().size(), 0);
}

void conditions_of_a_subscription_hold(void**) {
  House house;
  const auto client = Client::admin(house);
  client->ask(
      R"({"type":"subscribe","data":{"categories":["dns"],"min_priority":"high","filter":"zone = \"a.test\""}})");
  house.emit(EventType::zone_deleted, "a.test");
  house.emit(EventType::zone_deleted, "b.test");
  house.emit(EventType::zone_created, "a.test");  // normal
  assert_contains(client->one(), "\"zone\":\"a.test\"");
}

void values_of_the_wrong_kind_are_refused_and_answered(void**) {
  Options options;
  options.rate_limit.subscription_changes_per_minute = 1000;
  House house(options);
  const auto client = Client::admin(house);
  for (const char* data :
       {R"({"event_types":"zone_created"})", R"({"event_types":[1,null]})", R"({"sample":-1})", R"({"sample":0})",
        R"({"sample":1e300})", R"({"sample":"2"})", R"({"min_priority":"utmost"})", R"({"min_severity":7})",
        R"({"filter":5})", R"({"categories":[""]})", R"({"categories":{}})"}) {
    const std::string answer = client->ask(std::string(R"({"type":"subscribe","id":"q","data":)") + data + "}");
    assert_contains(answer, "SUBSCRIPTION_FAILED");
    assert_contains(answer, "\"reply_to\":\"q\"");
  }
  assert_int_equal(client->session.subscriptions().size(), 0);
  assert_int_equal(client->close_code(), 0);
}

void admin_events_are_refused_to_others(void**) {
  House house;
  Client viewer(house, "viewer-token");
  (void)viewer.read();
  const std::string answer = viewer.ask(R"({"type":"subscribe","data":{"event_types":["audit_log","zone_created"]}})");
  assert_contains(answer, "PERMISSION_DENIED");
  assert_contains(answer, "subscription_updated");
  viewer.ask(R"({"type":"subscribe","data":{"categories":["audit","connection"]}})");
  house.emit(EventType::audit_log);
  house.emit(EventType::connection_error);
  assert_int_equal(viewer.read().size(), 0);
  house.emit(EventType::zone_created);
  assert_int_equal(viewer.read().size(), 1);
}

void names_keep_subscriptions_apart(void**) {
  House house;
  const auto client = Client::admin(house);
  client->ask(R"({"type":"subscribe","data":{"name":"a","event_types":["zone_created"]}})");
  client->ask(R"({"type":"subscribe","data":{"name":"b","event_types":["zone_deleted"]}})");
  client->ask(R"({"type":"subscribe","data":{"name":"a","event_types":["zone_updated"]}})");  // replaces
  assert_int_equal(client->session.subscriptions().size(), 2);
  house.emit(EventType::zone_created);
  assert_int_equal(client->read().size(), 0);
  house.emit(EventType::zone_updated);
  house.emit(EventType::zone_deleted);
  assert_int_equal(client->read().size(), 2);
  client->ask(R"({"type":"unsubscribe","data":{"name":"a"}})");
  house.emit(EventType::zone_updated);
  assert_int_equal(client->read().size(), 0);
  const std::string list = client->ask(R"({"type":"get_subscriptions"})");
  assert_contains(list, "zone_deleted");
  assert_false(holds(list, "zone_updated"));
}

void the_unnamed_subscription_grows(void**) {
  House house;
  const auto client = Client::admin(house);
  client->ask(R"({"type":"subscribe","data":{"event_types":["zone_created"]}})");
  client->ask(R"({"type":"subscribe","data":{"event_types":["zone_deleted"]}})");
  house.emit(EventType::zone_created);
  house.emit(EventType::zone_deleted);
  assert_int_equal(client->read().size(), 2);
}

void everything_stays_everything(void**) {
  House house;
  const auto client = Client::admin(house);
  client->ask(R"({"type":"subscribe","data":{"event_types":["zone_created"]}})");
  client->ask(R"({"type":"subscribe"})");
  house.emit(EventType::rpz_update);
  assert_true(client->read().size() >= 1);
  client->ask(R"({"type":"subscribe","data":{"event_types":["zone_created"]}})");
  (void)client->read();
  house.emit(EventType::rpz_update);
  assert_int_equal(client->read().size(), 1);
}

void a_publisher_sees_nothing(void**) {
  Options options;
  options.auth.tokens.push_back({.name = "job", .sha256 = sha256_of("job-token"), .roles = {"publisher"}});
  House house(options);
  Client job(house, "job-token");
  (void)job.read();
  for (const char* type : {"subscribe", "subscribe_category", "get_status"})
    assert_contains(job.ask(std::string(R"({"type":")") + type + "\"}"), "PERMISSION_DENIED");
  house.emit(EventType::zone_created);
  assert_int_equal(job.read().size(), 0);
}

void a_faulty_message_is_answered_by_its_id(void**) {
  House house;
  const auto client = Client::admin(house);
  assert_contains(client->ask(R"({"type":"ping","id":"q1","data":[]})"), R"("reply_to":"q1")");
  assert_contains(client->ask(R"({"type":5,"id":"q2"})"), R"("reply_to":"q2")");
  const std::string nul = client->ask(R"({"type":"subscribe","id":"q3","data":{"name":"\u0000\u0000"}})");
  assert_contains(nul, R"("reply_to":"q3")");
}

void in_mode_open_all_connections_are_nobodys(void**) {
  Options options;
  options.auth.mode = AuthOptions::Mode::open;
  options.server.max_connections_per_user = 1;
  House house(options);
  Client other(house), client(house);
  assert_int_equal(client.close_code(), 0);
  assert_true(client.session.admitted());
}

// An emptied subscription would otherwise mean every event.
void taking_the_last_type_away_takes_everything_away(void**) {
  House house;
  const auto client = Client::admin(house);
  client->ask(R"({"type":"subscribe","data":{"categories":["dns"]}})");
  client->ask(R"({"type":"unsubscribe","data":{"event_types":["zone_created"]}})");
  house.emit(EventType::zone_created);
  assert_int_equal(client->read().size(), 0);
  house.emit(EventType::zone_deleted);
  assert_int_equal(client->read().size(), 1);
  client->ask(R"({"type":"unsubscribe","data":{"categories":["dns"]}})");
  assert_int_equal(client->session.subscriptions().size(), 0);
  house.emit(EventType::zone_deleted);
  house.emit(EventType::rpz_update);
  assert_int_equal(client->read().size(), 0);
}

void there_is_an_end_to_subscriptions(void**) {
  Options options;
  options.rate_limit.messages_per_minute = options.rate_limit.subscription_changes_per_minute = 1000;
  House house(options);
  const auto client = Client::admin(house);
  for (int i = 0; i < 64; ++i)
    assert_contains(client->ask(R"({"type":"subscribe","data":{"name":"n)" + std::to_string(i) + "\"}}"),
                    "subscription_updated");
  assert_contains(client->ask(R"({"type":"subscribe","data":{"name":"one more"}})"), "SUBSCRIPTION_FAILED");
}

void a_sample_says_what_it_left_out(void**) {
  House house;
  const auto client = Client::admin(house);
  client->ask(R"({"type":"subscribe","data":{"event_types":["zone_created"],"sample":5}})");
  for (int i = 0; i < 10; ++i) house.emit(EventType::zone_created);
  house.later(2 * kSecond);
  int events = 0, gaps = 0;
  for (const std::string& text : client->read()) {
    if (holds(text, "\"type\":\"gap\"")) {
      ++gaps;
      assert_contains(text, "\"reason\":\"sampled\"");
      assert_contains(text, "\"count\":8");
    } else {
      ++events;
    }
  }
  assert_int_equal(events, 2);
  assert_int_equal(gaps, 1);
}

// ── Requests ─────────────────────────────────────────────────────────────────────────────────────────────────────────

void unknown_requests_get_the_list_of_known_ones(void**) {
  House house;
  const auto client = Client::admin(house);
  const std::string answer = client->ask(R"({"type":"make_coffee","id":"x1"})");
  assert_contains(answer, "UNKNOWN_TYPE");
  assert_contains(answer, "\"reply_to\":\"x1\"");
  assert_contains(answer, "\"subscribe\"");
  assert_int_equal(client->close_code(), 0);
}

void small_requests_are_answered(void**) {
  House house;
  const auto client = Client::admin(house);
  assert_contains(client->ask(R"({"type":"ping","id":1})"), R"("type":"pong")");
  assert_contains(client->ask(R"({"type":"get_status","id":2})"), R"("type":"status")");
  const std::string statistics = client->ask(R"({"type":"get_statistics","id":3})");
  assert_contains(statistics, R"("type":"statistics")");
  assert_contains(statistics, R"("messages_received":3)");
  client->say(R"({"type":"pong"})");
  assert_int_equal(client->read().size(), 0);
}

void offences_are_answered_and_too_many_close_with_1008(void**) {
  House house;
  const auto client = Client::admin(house);
  int answered = 0;
  for (int i = 0; i < 20 && client->close_code() == 0; ++i) {
    client->say("no json");
    answered += static_cast<int>(client->read().size());
  }
  assert_int_equal(client->close_code(), 1008);
  assert_int_equal(answered, 10);
  // After that nothing is read any more.
  client->say(R"({"type":"ping"})");
  assert_int_equal(client->read().size(), 0);
}

void a_flood_is_limited_and_a_patient_client_is_not(void**) {
  Options options;
  options.rate_limit.messages_per_minute = 20;
  House house(options);
  const auto client = Client::admin(house);
  for (int i = 0; i < 20; ++i) assert_contains(client->ask(R"({"type":"ping"})"), "pong");
  assert_contains(client->ask(R"({"type":"ping"})"), "RATE_LIMITED");
  house.later(60 * kSecond);
  for (int i = 0; i < 20; ++i) assert_contains(client->ask(R"({"type":"ping"})"), "pong");
  for (int i = 0; i < 20; ++i) client->say(R"({"type":"ping"})");
  assert_int_equal(client->close_code(), 1008);
}

// ── Delivery ─────────────────────────────────────────────────────────────────────────────────────────────────────────

void changes_of_subscriptions_are_limited_and_a_patient_client_is_not(void**) {
  House house;
  const auto client = Client::admin(house);
  const std::string subscribe = R"({"type":"subscribe","data":{"event_types":["zone_created"]}})";
  for (int i = 0; i < 10; ++i) assert_contains(client->ask(subscribe), "subscription_updated");
  assert_contains(client->ask(subscribe), "RATE_LIMITED");
  assert_contains(client->ask(R"({"type":"set_preferences","data":{"batch":true}})"), "RATE_LIMITED");
  assert_contains(client->ask(R"({"type":"get_subscriptions"})"), "subscription_info");
  assert_int_equal(client->close_code(), 0);
  house.later(6 * kSecond);
  assert_contains(client->ask(subscribe), "subscription_updated");
  assert_contains(client->ask(subscribe), "RATE_LIMITED");
}

void events_come_one_by_one_unless_batches_were_asked_for(void**) {
  House house;
  const auto client = Client::admin(house);
  client->ask(R"({"type":"subscribe","data":{"event_types":["zone_created"]}})");
  for (int i = 0; i < 3; ++i) house.emit(EventType::zone_created);
  assert_int_equal(client->read().size(), 3);
  assert_contains(
      client->ask(R"({"type":"set_preferences","data":{"batch":true,"max_batch_size":2,"batch_timeout_ms":100}})"),
      "\"max_batch_size\":2");
  for (int i = 0; i < 2; ++i) house.emit(EventType::zone_created);
  const std::string batch = client->one();
  assert_contains(batch, "\"type\":\"batched_events\"");
  assert_contains(batch, "\"batch_size\":2");
  Json parsed(json_loadb(batch.data(), batch.size(), 0, nullptr));
  assert_int_equal(json_array_size(json_object_get(parsed.get(), "events")), 2);
  house.emit(EventType::zone_created);
  assert_int_equal(client->read().size(), 0);
  assert_int_equal(house.channels->due_us(), house.now.mono_us + 100'000);
  house.later(100'000);
  assert_contains(client->one(), "\"batch_size\":1");
  assert_int_equal(house.channels->statistics().batched_events, 3);
  assert_int_equal(house.channels->statistics().single_events, 3);
}

void an_urgent_event_overtakes_the_batch(void**) {
  Options options;
  options.retry.acknowledge = {};
  House house(options);
  const auto client = Client::admin(house, Format::json);
  client->ask(R"({"type":"subscribe","data":{"event_types":["zone_created","security_alert"]}})");
  house.emit(EventType::zone_created);
  (void)client->read();  // the line is not quiet any more
  house.emit(EventType::zone_created);
  house.emit(EventType::security_alert);
  assert_contains(client->one(), "\"type\":\"security_alert\"");
  house.later(kSecond);
  assert_contains(client->one(), "\"zone_created\"");
}

void preferences_are_bounded(void**) {
  House house;
  const auto client = Client::admin(house);
  for (const char* data : {R"({"max_batch_size":0})", R"({"max_batch_size":"5"})", R"({"max_batch_size":100000000})",
                           R"({"batch_timeout_ms":0})", R"({"batch_timeout_ms":600000})", R"({"batch":1})",
                           R"({"profile":"fastest"})", R"({"profile":3})"})
    assert_contains(client->ask(std::string(R"({"type":"set_preferences","data":)") + data + "}"), "INVALID_MESSAGE");
  assert_contains(client->ask(R"({"type":"set_preferences","data":{"profile":"low_latency"}})"),
                  "\"batch_timeout_ms\":100");
}

void a_full_queue_becomes_a_gap_before_the_next_event(void**) {
  Options options;
  options.queues.max_events = 4;
  House house(options);
  const auto client = Client::admin(house);
  client->ask(R"({"type":"subscribe","data":{"event_types":["zone_created"]}})");
  const std::uint64_t first = house.emit(EventType::zone_created);
  for (int i = 0; i < 9; ++i) house.emit(EventType::zone_created);
  const auto texts = client->read();
  assert_int_equal(texts.size(), 5);
  assert_contains(texts[0], "\"type\":\"gap\"");
  assert_contains(texts[0], "\"reason\":\"queue_overflow\"");
  assert_contains(texts[0], "\"count\":6");
  assert_contains(texts[0], "\"by_type\":{\"zone_created\":6}");
  assert_contains(texts[0], "\"from\":\"" + event_id(house.hub.identity(), first + 4) + "\"");
  assert_contains(texts[0], "\"to\":\"" + event_id(house.hub.identity(), first + 9) + "\"");
  assert_contains(texts[1], event_id(house.hub.identity(), first));
  assert_int_equal(house.channels->statistics().dropped, 6);
}

void the_policy_disconnect_closes(void**) {
  Options options;
  options.queues = {.max_events = 2, .max_bytes = 1024 * 1024, .overflow = OverflowPolicy::disconnect};
  House house(options);
  const auto client = Client::admin(house);
  client->ask(R"({"type":"subscribe","data":{"event_types":["zone_created"]}})");
  for (int i = 0; i < 3; ++i) house.emit(EventType::zone_created);
  assert_int_not_equal(client->close_code(), 0);
}

void what_the_capture_lost_is_told(void**) {
  House house;
  const auto client = Client::admin(house);
  client->ask(R"({"type":"subscribe","data":{"event_types":["dns_query_log"]}})");
  house.hub.report_lost(DropReason::capture_overflow, {EventType::dns_query_log}, 1234, house.now);
  const std::string gap = client->one();
  assert_contains(gap, "\"reason\":\"capture_overflow\"");
  assert_contains(gap, "\"count\":1234");
  assert_false(holds(gap, "\"from\""));
}

void the_end_delivers_what_waits(void**) {
  House house;
  const auto client = Client::admin(house, Format::json);
  client->ask(R"({"type":"subscribe","data":{"event_types":["zone_created"]}})");
  house.emit(EventType::zone_created);
  (void)client->read();
  house.emit(EventType::zone_created);
  assert_int_equal(client->read().size(), 0);  // waits for its batch
  house.channels->flush(house.now);
  client->session.flush();
  client->session.close(1001, "going away");
  std::size_t events = 0;
  for (const std::string& text : client->read()) events += holds(text, "zone_created");
  assert_int_equal(events, 1);
}

void deflate_is_one_zlib_stream_above_the_threshold(void**) {
  Options options;
  options.batching.compression.threshold = 300;
  House house(options);
  Client client(house, house.admin_token, Format::deflate);
  (void)client.read();
  client.say(R"({"type":"ping"})");
  const FrameRef small = client.session.next(house.now);
  assert_true(small && !small->binary);
  client.ask(R"({"type":"subscribe","data":{"event_types":["zone_created"]}})");
  house.emit(EventType::zone_created, std::string(2000, 'z'));
  house.channels->run(house.now);
  const FrameRef large = client.session.next(house.now);
  assert_true(large && large->binary);
  std::string text(10'000, '\0');
  uLongf size = text.size();
  assert_int_equal(uncompress(reinterpret_cast<Bytef*>(text.data()), &size,
                              reinterpret_cast<const Bytef*>(large->text().data()), large->size),
                   Z_OK);
  text.resize(size);
  assert_contains(text, "\"zone_created\"");
  assert_contains(text, std::string(2000, 'z'));
}

void cloud_events_are_cloud_events(void**) {
  House house;
  const auto client = Client::admin(house, Format::cloudevents);
  client->ask(R"({"type":"subscribe","data":{"event_types":["zone_created"]}})");
  const std::uint64_t offset = house.emit(EventType::zone_created);
  house.emit(EventType::zone_created);
  const auto texts = client->read();
  assert_int_equal(texts.size(), 2);  // never a batch
  const Json event(json_loadb(texts[0].data(), texts[0].size(), 0, nullptr));
  assert_text(text_member(event.get(), "specversion"), "1.0");
  assert_text(text_member(event.get(), "id"), event_id(house.hub.identity(), offset));
  assert_text(text_member(event.get(), "source"), "/named/ns1");
  assert_text(text_member(event.get(), "type"), "bindcast.zone_created");
  assert_text(text_member(event.get(), "datacontenttype"), "application/json");
  assert_text(text_member(json_object_get(event.get(), "data"), "zone"), "example.com");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_token_in_the_handshake_is_welcomed),
      cmocka_unit_test(a_viewer_is_told_what_he_may_not_ask_for),
      cmocka_unit_test(a_token_in_the_first_message_is_welcomed),
      cmocka_unit_test(a_wrong_token_ends_with_4401_and_is_told_to_admins_without_the_token),
      cmocka_unit_test(silence_ends_with_4408_after_five_seconds),
      cmocka_unit_test(nothing_is_served_before_the_token),
      cmocka_unit_test(one_user_too_many_ends_with_4429),
      cmocka_unit_test(one_too_many_of_a_login_session_replaces_the_oldest_one),
      cmocka_unit_test(a_logout_tells_and_ends_every_connection_of_its_session_and_no_other),
      cmocka_unit_test(a_cookie_of_a_session_that_is_over_leaves_the_first_message),
      cmocka_unit_test(a_token_that_is_taken_away_ends_its_connection),
      cmocka_unit_test(mode_open_that_ends_ends_the_connections_of_anybody),
      cmocka_unit_test(only_an_admin_asks_for_connections_and_others_are_told_on),
      cmocka_unit_test(get_connections_tells_who_is_here_and_no_secret),
      cmocka_unit_test(get_connections_tells_how_each_queue_is),
      cmocka_unit_test(get_connections_is_bounded),
      cmocka_unit_test(get_configuration_tells_what_differs_and_no_secret),
      cmocka_unit_test(get_configuration_is_bounded),
      cmocka_unit_test(a_user_who_is_disconnected_has_to_log_in_again),
      cmocka_unit_test(a_broadcast_reaches_everybody_and_can_be_an_event),
      cmocka_unit_test(coming_and_going_are_events_for_admins),
      cmocka_unit_test(a_subscription_brings_what_it_names_and_nothing_else),
      cmocka_unit_test(the_old_names_of_requests_do_the_same),
      cmocka_unit_test(unknown_names_are_said_while_the_others_take_effect),
      cmocka_unit_test(a_bad_filter_is_refused_with_its_column_and_changes_nothing),
      cmocka_unit_test(conditions_of_a_subscription_hold),
      cmocka_unit_test(values_of_the_wrong_kind_are_refused_and_answered),
      cmocka_unit_test(admin_events_are_refused_to_others),
      cmocka_unit_test(names_keep_subscriptions_apart),
      cmocka_unit_test(the_unnamed_subscription_grows),
      cmocka_unit_test(everything_stays_everything),
      cmocka_unit_test(a_publisher_sees_nothing),
      cmocka_unit_test(a_faulty_message_is_answered_by_its_id),
      cmocka_unit_test(in_mode_open_all_connections_are_nobodys),
      cmocka_unit_test(taking_the_last_type_away_takes_everything_away),
      cmocka_unit_test(there_is_an_end_to_subscriptions),
      cmocka_unit_test(a_sample_says_what_it_left_out),
      cmocka_unit_test(unknown_requests_get_the_list_of_known_ones),
      cmocka_unit_test(small_requests_are_answered),
      cmocka_unit_test(offences_are_answered_and_too_many_close_with_1008),
      cmocka_unit_test(a_flood_is_limited_and_a_patient_client_is_not),
      cmocka_unit_test(changes_of_subscriptions_are_limited_and_a_patient_client_is_not),
      cmocka_unit_test(events_come_one_by_one_unless_batches_were_asked_for),
      cmocka_unit_test(an_urgent_event_overtakes_the_batch),
      cmocka_unit_test(preferences_are_bounded),
      cmocka_unit_test(a_full_queue_becomes_a_gap_before_the_next_event),
      cmocka_unit_test(the_policy_disconnect_closes),
      cmocka_unit_test(what_the_capture_lost_is_told),
      cmocka_unit_test(the_end_delivers_what_waits),
      cmocka_unit_test(deflate_is_one_zlib_stream_above_the_threshold),
      cmocka_unit_test(cloud_events_are_cloud_events),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
