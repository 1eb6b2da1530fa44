// The one door of publishing, with a hub behind it and the clock by hand: rights, rates, repetitions, bulk operations.
#include "harness.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "plugin/publish/answer_json.hpp"
#include "plugin/publish/publishing.hpp"
#include "plugin/server/messages.hpp"
#include "plugin/server/roles.hpp"

namespace {

using namespace bindcast;

constexpr std::int64_t kSecond = 1'000'000;

// Collects the events of all types as JSON.
struct Witness : Subscriber {
  std::vector<std::string> events;
  Witness() { subscriptions.resize(1); }
  void deliver(const EncodedRef& event, Now) override { events.emplace_back(event->json()); }
  void lost(DropReason, EventType, std::uint64_t, Now) override {}
  void failed() noexcept override {}
};

struct House {
  Hub hub{StreamIdentity{.epoch = "e", .host = "ns1", .service = "named"}, Now{}};
  Now now{.mono_us = 1'000 * kSecond, .wall_us = 1'795'442'531 * kSecond};
  Witness witness;
  Roles roles{Options{}};
  std::unique_ptr<Publishing> publishing;
  User job{.name = "job", .roles = {"publisher"}};

  explicit House(const std::function<void(PublishOptions&)>& change = [](auto&) {}) {
    PublishOptions options;
    change(options);
    publishing = std::make_unique<Publishing>(hub, roles, options);
    hub.configure({});
    hub.add_subscriber(witness);
  }
  ~House() { hub.remove_subscriber(witness); }

  PublishAnswer publish(const std::string& text, const User& user, std::string_view header_id = {}) {
    std::string fault;
    const Json json = parse_published(text, fault);
    return publishing->publish(
        json.get(), {.user = user, .by = PublishedBy::http, .form = PublishedForm::own, .id = header_id}, now);
  }
  PublishAnswer publish(const std::string& text) { return publish(text, job); }
  // What it was refused for; empty: it was not.
  std::string refusal(const std::string& text, std::string_view header_id = {}) {
    const PublishAnswer answer = publish(text, job, header_id);
    return answer.refusal ? std::string(code_of(answer.refusal->because)) + " " + answer.refusal->message : "";
  }
  PublishAnswer step(const std::string& type, const std::string& data = "{}", const std::string& id = "c") {
    return publish(R"({"type":")" + type + R"(","data":)" + data + R"(,"metadata":{"correlation_id":")" + id +
                   R"("}})");
  }
  void later(std::int64_t us) {
    now.mono_us += us;
    now.wall_us += us;
  }
  // Time passes, as on the loop: what is due is told when it is due.
  void pass(std::int64_t us) {
    for (const std::int64_t end = now.mono_us + us; now.mono_us < end;) {
      const std::int64_t due = publishing->due_us();
      const std::int64_t next =
          due > now.mono_us ? std::min(due, now.mono_us + kSecond / 2) : now.mono_us + kSecond / 2;
      later(std::min(next, end) - now.mono_us);
      publishing->run(now);
    }
  }
  std::vector<std::string> take() { return std::exchange(witness.events, {}); }
  std::string one() {
    const auto events = take();
    assert_int_equal(events.size(), 1);
    return events[0];
  }
};

// ── Who, and how many ────────────────────────────────────────────────────────────────────────────────────────────────

void the_server_says_who_and_when(void**) {
  House house;
  const PublishAnswer answer =
      house.publish(R"({"type":"custom.x","timestamp":"2020-01-01T00:00:00Z","data":{"a":1}})");
  assert_text(answer.id, "e-000000000001");
  assert_text(house.one(),
              R"({"id":"e-000000000001","type":"custom.x","category":"custom","priority":"normal","severity":"info",)"
              R"("timestamp":"2026-11-23T14:02:11.000000Z","data":{"a":1},"source_user_id":"job",)"
              R"("metadata":{"source_service":"publisher","source_component":"http","host":"ns1",)"
              R"("custom_fields":{"publisher_time":"2020-01-01T00:00:00.000000Z"}}})");
}

void the_roles_that_may(void**) {
  House house;
  for (const auto& [role, may] : {std::pair("admin", true), std::pair("publisher", true), std::pair("operator", false),
                                  std::pair("viewer", false), std::pair("helpdesk", false)}) {
    const PublishAnswer answer = house.publish(R"({"type":"custom.x"})", {.name = "u", .roles = {role}});
    assert_int_equal(!answer.refusal, may);
    if (!may) assert_true(answer.refusal->because == RefusedBecause::not_permitted);
  }
  // What the server itself tells is an admin's to say, and nobody else's.
  assert_false(house.publish(R"({"type":"security_alert"})", {.name = "u", .roles = {"admin"}}).refusal.has_value());
  assert_contains(house.refusal(R"({"type":"security_alert"})"), "PERMISSION_DENIED type: security_alert");
  assert_int_equal(house.publishing->counters().refused[static_cast<int>(RefusedBecause::not_permitted)], 4);
}

void a_rate_for_each_publisher(void**) {
  House house([](auto& o) {
    o.events_per_second = 10;
    o.burst = 20;
  });
  const User other{.name = "other", .roles = {"publisher"}};
  int taken = 0;
  for (int i = 0; i < 30; ++i) taken += !house.publish(R"({"type":"custom.x"})").refusal;
  assert_int_equal(taken, 20);
  const PublishAnswer refused = house.publish(R"({"type":"custom.x"})");
  assert_true(refused.refusal->because == RefusedBecause::rate_limited);
  assert_in_range(refused.refusal->retry_after_us, 99'000, 101'000);
  assert_false(house.publish(R"({"type":"custom.x"})", other).refusal.has_value());
  house.later(refused.refusal->retry_after_us);
  assert_false(house.publish(R"({"type":"custom.x"})").refusal.has_value());
  // Faulty ones count, or they would be for free.
  assert_contains(house.refusal(R"({"type":"custom.x"})"), "RATE_LIMITED");
  house.later(kSecond / 10);
  assert_contains(house.refusal("{}"), "INVALID_EVENT");
  assert_contains(house.refusal(R"({"type":"custom.x"})"), "RATE_LIMITED");
  // A long rest fills no more than the burst, and a bucket that was forgotten is full.
  house.later(3600 * kSecond);
  house.publishing->tick(house.now);
  taken = 0;
  for (int i = 0; i < 30; ++i) taken += !house.publish(R"({"type":"custom.x"})").refusal;
  assert_int_equal(taken, 20);
}

void the_largest_event(void**) {
  House house([](auto& o) { o.max_event_bytes = 1024; });
  const std::string head = R"({"data":{"t":")", tail = R"("},"type":"custom.x"})";
  const std::string fits(1024 - head.size() - tail.size(), 'x');
  assert_text(house.refusal(head + fits + tail), "");
  assert_text(house.refusal(head + fits + " " + tail),
              "TOO_LARGE the event has 1025 bytes; accepted: 1024 (publish.max_event_bytes)");
  assert_text(house.refusal(std::string(5000, ' ') + head + fits + tail), "");  // blanks are not the event
}

void what_the_configuration_leaves_out_is_said(void**) {
  House house;
  Options options;
  options.events.types[EventType::zone_imported].enabled = false;
  options.events.filter = R"(not (type = "backup_started"))";
  house.hub.configure(options);
  for (const char* type : {"zone_imported", "backup_started"})
    assert_contains(house.refusal(R"({"type":")" + std::string(type) + R"(","id":"1"})"), "FILTERED ");
  assert_int_equal(house.take().size(), 0);
  assert_int_equal(house.publishing->bulk().open(), 0);  // nobody knows that it began
  // Once it is let through it is not taken for a repetition.
  house.hub.configure({});
  assert_text(house.refusal(R"({"type":"zone_imported","id":"1"})"), "");
  assert_int_equal(house.publishing->counters().refused[static_cast<int>(RefusedBecause::filtered)], 2);
  assert_int_equal(house.publishing->counters().published, 1);
}

// ── The same again ───────────────────────────────────────────────────────────────────────────────────────────────────

void a_repetition_is_answered_and_not_told(void**) {
  House house;
  const PublishAnswer first = house.publish(R"({"type":"custom.x","id":"1","data":{"a":1,"b":2}})");
  assert_false(first.duplicate);
  const PublishAnswer again =
      house.publish(R"({"data":{"b":2,"a":1}, "type":"custom.x","id":"1"})");  // the same content
  assert_true(again.duplicate);
  assert_text(again.id, first.id);
  assert_int_equal(house.take().size(), 1);
  assert_text(house.refusal(R"({"type":"custom.x","id":"1","data":{"a":1}})"),
              "CONFLICT id: something else was published under it before");
  // Of another publisher it is another id.
  assert_false(
      house.publish(R"({"type":"custom.x","id":"1","data":{}})", {.name = "b", .roles = {"publisher"}}).duplicate);
  // What was refused was not published.
  assert_contains(house.refusal(R"({"type":"custom.x","id":"2","priority":"?"})"), "INVALID_EVENT");
  assert_text(house.refusal(R"({"type":"custom.x","id":"2"})"), "");
  assert_int_equal(house.publishing->counters().duplicates, 1);
}

void an_id_from_a_header(void**) {
  House house;
  const PublishAnswer first = house.publish(R"({"type":"custom.x"})", house.job, "k");
  assert_contains(house.one(), R"("custom_fields":{"publisher_id":"k"})");
  assert_text(house.publish(R"({"type":"custom.x"})", house.job, "k").id, first.id);
  assert_text(house.refusal(R"({"type":"custom.x","id":"other"})", "k"),
              "INVALID_EVENT id: is not that of Idempotency-Key");
  assert_text(house.refusal(R"({"type":"custom.y","id":"both"})", "both"), "");
  assert_contains(house.refusal(R"({"type":"custom.z"})", "k"), "CONFLICT");
}

void ids_are_forgotten_by_age(void**) {
  House house([](auto& o) { o.remember_ids = std::chrono::seconds(60); });
  const std::string text = R"({"type":"custom.x","id":"1"})";
  (void)house.publish(text);
  house.later(60 * kSecond);
  assert_true(house.publish(text).duplicate);
  house.later(1);
  assert_false(house.publish(text).duplicate);  // without a tick between
  house.later(61 * kSecond);
  house.publishing->tick(house.now);
  assert_int_equal(house.publishing->known_ids().entries(), 0);
  assert_int_equal(house.publishing->known_ids().bytes(), 0);
}

void ids_are_bounded(void**) {
  KnownIds ids(3600 * kSecond);
  const Now now{.mono_us = kSecond, .wall_us = 0};
  for (std::size_t i = 0; i < KnownIds::kMaxEntries + 5; ++i)
    ids.remember("loud", "id-" + std::to_string(i), {.content = "c", .offset = i, .correlation_id = {}}, now);
  ids.remember("quiet", "mine", {.content = "c", .offset = 7, .correlation_id = {}}, now);
  assert_int_equal(ids.entries(), KnownIds::kMaxEntries + 1);
  assert_int_equal(ids.forgotten_early(), 5);
  assert_null(ids.find("loud", "id-4", now));
  assert_non_null(ids.find("loud", "id-5", now));
  // By bytes, the loudest first.
  for (int i = 0; ids.bytes() < KnownIds::kMaxBytes - 2000; ++i)
    ids.remember("p" + std::to_string(i / 9000), std::to_string(i) + std::string(600, 'x'),
                 {.content = "c", .offset = 1, .correlation_id = {}}, now);
  const auto before = ids.forgotten_early();
  for (int i = 0; i < 1000; ++i)
    ids.remember("last", std::to_string(i) + std::string(600, 'x'), {.content = "c", .offset = 1, .correlation_id = {}},
                 now);
  assert_true(ids.forgotten_early() > before);
  assert_true(ids.bytes() <= KnownIds::kMaxBytes);
  assert_int_equal(ids.find("quiet", "mine", now)->offset, 7);
}

// ── Bulk operations ──────────────────────────────────────────────────────────────────────────────────────────────────

void the_story_of_an_import(void**) {
  House house;
  const PublishAnswer started = house.publish(R"({"type":"import_started","data":{"total":1000}})");
  assert_int_equal(started.correlation_id.size(), 26);
  assert_contains(house.one(), R"("correlation_id":")" + started.correlation_id);
  const auto progress = [&](int done) {
    return house.step("import_progress", R"({"done":)" + std::to_string(done) + "}", started.correlation_id);
  };
  house.later(2 * kSecond);
  (void)progress(100);
  assert_contains(house.one(), R"("data":{"done":100,"percent":10,"rate_per_second":50,"eta_seconds":18})");
  // The rate is a mean of the last seconds: it goes towards 200, not at once.
  house.later(2 * kSecond);
  (void)progress(500);
  assert_contains(house.one(), R"("data":{"done":500,"percent":50,"rate_per_second":77.19,"eta_seconds":6.477})");
  house.later(4 * kSecond);
  const PublishAnswer completed = house.step("import_completed", R"({"done":1000})", started.correlation_id);
  assert_text(completed.correlation_id, started.correlation_id);
  assert_contains(house.one(), R"("data":{"done":1000,"duration_seconds":8,"rate_per_second":125,"percent":100})");
  assert_int_equal(house.publishing->bulk().open(), 0);
}

void progress_in_moderation(void**) {
  House house([](auto& o) { o.progress_per_second = 2; });
  (void)house.step("export_started", R"({"total":100})");
  house.take();
  for (int i = 1; i <= 20; ++i) {  // every 100 ms
    house.pass(kSecond / 10);
    const PublishAnswer answer = house.step("export_progress", R"({"done":)" + std::to_string(i) + "}");
    assert_int_equal(answer.held_back, answer.id.empty());
  }
  // At once, and then every half second the newest.
  const auto told = house.take();
  assert_int_equal(told.size(), 4);
  const char* done[] = {R"("done":1,)", R"("done":5,)", R"("done":10,)", R"("done":15,)"};
  for (std::size_t i = 0; i < told.size(); ++i) assert_contains(told[i], done[i]);
  // The last one before the end comes, whenever that is.
  (void)house.step("export_completed");
  const auto end = house.take();
  assert_int_equal(end.size(), 2);
  assert_contains(end[0], R"("done":20,)");
  assert_contains(end[1], R"("type":"export_completed")");
  assert_int_equal(house.publishing->counters().held_back, house.publishing->bulk().overtaken() + 4);
  house.pass(kSecond);
  assert_int_equal(house.publishing->due_us(), 0);
}

void what_was_held_back_comes_by_itself(void**) {
  House house([](auto& o) { o.progress_per_second = 1; });
  (void)house.step("import_started");
  (void)house.step("import_progress", R"({"done":1})");
  house.later(kSecond / 10);
  assert_true(house.step("import_progress", R"({"done":2})").held_back);
  house.take();
  assert_int_equal(house.publishing->due_us(), house.now.mono_us + 900'000);
  house.pass(900'000);
  assert_contains(house.one(), R"("done":2)");
  assert_int_equal(house.publishing->due_us(), 0);
}

void silence_is_failure(void**) {
  House house([](auto& o) { o.bulk_silence = std::chrono::seconds(60); });
  (void)house.step("backup_started", R"({"total":10,"done":4})");
  house.pass(59 * kSecond);
  (void)house.publish(R"({"type":"custom.alive","metadata":{"correlation_id":"c"}})");  // a sign of life
  house.take();
  house.pass(59 * kSecond + kSecond / 2);
  assert_int_equal(house.take().size(), 0);
  house.pass(kSecond);
  const std::string failed = house.one();
  assert_contains(failed, R"("type":"backup_failed")");
  assert_contains(failed, R"("data":{"reason":"silent","silent_seconds":60,"duration_seconds":119,"done":4,"total":10,)"
                          R"("percent":40},"source_user_id":"job")");
  assert_contains(failed, R"("correlation_id":"c")");
  // It comes back: what it says is true, and told.
  (void)house.step("backup_completed");
  assert_contains(house.one(), R"("type":"backup_completed")");
}

void an_operation_may_be_silent_for_as_long_as_it_said(void**) {
  House house([](auto& o) { o.bulk_silence = std::chrono::seconds(10); });
  (void)house.step("restore_started", R"({"silence_seconds":7200})");
  house.take();
  house.pass(7199 * kSecond);
  assert_int_equal(house.take().size(), 0);
  house.pass(2 * kSecond);
  assert_contains(house.one(), R"("type":"restore_failed")");
  assert_contains(house.refusal(R"({"type":"backup_started","data":{"silence_seconds":0}})"),
                  "data.silence_seconds: must be a number from 1 to 604800");
}

void out_of_order(void**) {
  House house;
  assert_contains(house.refusal(R"({"type":"import_progress","data":{"done":1}})"),
                  "INVALID_EVENT metadata.correlation_id: is missing");
  assert_contains(house.refusal(R"({"type":"import_completed"})"), "metadata.correlation_id: is missing");
  // Not known, as after a restart of named: adopted.
  (void)house.step("import_progress", R"({"done":50,"total":100})");
  assert_contains(house.one(), R"("data":{"done":50,"total":100,"percent":50,"adopted":true})");
  assert_contains(house.step("import_started").refusal->message, "is under way under it already");
  (void)house.step("backup_started");  // of another kind
  (void)house.step("import_completed");
  assert_contains(house.step("import_completed").refusal->message, "has ended already");
  assert_true(house.step("import_progress").refusal->because == RefusedBecause::conflict);
  // It may begin anew under the same id.
  assert_false(house.step("import_started").refusal.has_value());
  // Somebody else's is not touched.
  const User other{.name = "other", .roles = {"publisher"}};
  (void)house.publish(R"({"type":"import_failed","metadata":{"correlation_id":"c"}})", other);
  assert_false(house.step("import_progress").refusal.has_value());
  assert_contains(house.step("import_progress", R"({"done":"x"})").refusal->message, "data.done: must be a number");
  assert_contains(house.step("import_progress", R"({"total":-1})").refusal->message, "data.total: must be a number");
}

void the_publishers_own_numbers_stay(void**) {
  House house;
  (void)house.step("import_started", R"({"total":10})");
  house.later(kSecond);
  house.take();
  (void)house.step("import_progress", R"({"done":5,"percent":"half","eta_seconds":99})");
  assert_contains(house.one(), R"("data":{"done":5,"percent":"half","eta_seconds":99,"rate_per_second":5})");
}

void numbers_that_make_no_sense(void**) {
  House house([](auto& o) { o.progress_per_second = 1000; });
  (void)house.step("import_started", R"({"total":0})");
  for (const char* data : {R"({"done":5})", R"({"done":3})", R"({"done":1e308,"total":1e308})",
                           R"({"done":9223372036854775807,"total":1})", R"({"done":0.001,"total":3})"}) {
    house.later(kSecond);
    assert_false(house.step("import_progress", data).refusal.has_value());
  }
  const auto told = house.take();
  assert_contains(told[1], R"("data":{"done":5,"rate_per_second":5})");
  assert_contains(told[2], R"("data":{"done":3})");  // it went back: no rate until it goes on
  assert_contains(told[4], R"("percent":100)");      // never more
  assert_contains(told[5], R"("percent":0.033})");
}

void a_repeated_start_is_the_same_operation(void**) {
  House house;
  const std::string text = R"({"type":"import_started","id":"s1"})";
  const PublishAnswer first = house.publish(text), again = house.publish(text);
  assert_true(again.duplicate);
  assert_text(again.correlation_id, first.correlation_id);
  assert_int_equal(house.publishing->bulk().open(), 1);
  // Progress that was held back is known, too.
  const std::string progress =
      R"({"type":"import_progress","id":"p2","metadata":{"correlation_id":")" + first.correlation_id;
  (void)house.step("import_progress", "{}", first.correlation_id);
  assert_true(house.publish(progress + R"("}})").held_back);
  const PublishAnswer repeated = house.publish(progress + R"("}})");
  assert_true(repeated.duplicate && repeated.held_back);
}

void there_is_an_end_to_operations(void**) {
  House house([](auto& o) { o.events_per_second = 0; });
  const User other{.name = "other", .roles = {"publisher"}};
  (void)house.publish(R"({"type":"import_started","metadata":{"correlation_id":"mine"}})", other);
  for (std::size_t i = 0; i < BulkOperations::kMaxOperations - 1; ++i) {
    house.later(1);
    (void)house.step("import_started", "{}", "c" + std::to_string(i));
  }
  (void)house.step("import_progress", "{}", "c0");
  house.take();
  (void)house.step("import_started", "{}", "one-more");
  const auto told = house.take();
  assert_int_equal(told.size(), 2);
  assert_contains(told[0], R"("type":"import_failed")");
  assert_contains(told[0], R"("reason":"too_many_operations")");
  assert_contains(told[0], R"("correlation_id":"c1")");  // the longest silent of who has most
  assert_int_equal(house.publishing->bulk().open(), BulkOperations::kMaxOperations);
}

void at_the_end_of_the_server(void**) {
  House house([](auto& o) { o.progress_per_second = 1; });
  (void)house.step("import_started");
  (void)house.step("import_progress", R"({"done":1})");
  (void)house.step("import_progress", R"({"done":2})");
  house.take();
  house.publishing->stop(house.now);
  const auto told = house.take();
  assert_int_equal(told.size(), 2);
  assert_contains(told[0], R"("done":2)");
  assert_contains(told[1], R"("reason":"server_stopped")");
  assert_text(house.refusal(R"({"type":"custom.x"})"), "UNAVAILABLE the server stops");
}

void what_the_host_says(void**) {
  House house;
  const auto say = [&](EventType type, const std::string& correlation_id) {
    Event event = make_event(type);
    event.correlation_id = correlation_id;
    house.publishing->publish_from_host(std::move(event), house.now);
  };
  say(EventType::zone_loaded, "c");
  say(EventType::import_progress, "");  // cannot be answered, so it is told as it is
  say(EventType::import_started, "c");
  say(EventType::import_started, "c");
  assert_int_equal(house.take().size(), 4);
  assert_int_equal(house.publishing->bulk().open(), 1);
}

void the_answers_as_json(void**) {
  House house;
  const auto json = [](const PublishAnswer& answer) { return dump(publish_answer_json(answer).get()); };
  assert_text(json(house.publish(R"({"type":"custom.x","id":"1"})")), R"({"id":"e-000000000001"})");
  assert_text(json(house.publish(R"({"type":"custom.x","id":"1"})")), R"({"id":"e-000000000001","duplicate":true})");
  assert_text(json(house.publish(R"({"type":"custom.x","prio":1})")),
              R"({"error":"prio: is not known","code":"INVALID_EVENT","field":"prio"})");
  assert_contains(dump(publishing_json(*house.publishing).get()),
                  R"("published":1,"duplicates":1,"refused":{"invalid":1,"not_permitted":0,)");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(the_server_says_who_and_when),
      cmocka_unit_test(the_roles_that_may),
      cmocka_unit_test(a_rate_for_each_publisher),
      cmocka_unit_test(the_largest_event),
      cmocka_unit_test(what_the_configuration_leaves_out_is_said),
      cmocka_unit_test(a_repetition_is_answered_and_not_told),
      cmocka_unit_test(an_id_from_a_header),
      cmocka_unit_test(ids_are_forgotten_by_age),
      cmocka_unit_test(ids_are_bounded),
      cmocka_unit_test(the_story_of_an_import),
      cmocka_unit_test(progress_in_moderation),
      cmocka_unit_test(what_was_held_back_comes_by_itself),
      cmocka_unit_test(silence_is_failure),
      cmocka_unit_test(an_operation_may_be_silent_for_as_long_as_it_said),
      cmocka_unit_test(out_of_order),
      cmocka_unit_test(the_publishers_own_numbers_stay),
      cmocka_unit_test(numbers_that_make_no_sense),
      cmocka_unit_test(a_repeated_start_is_the_same_operation),
      cmocka_unit_test(there_is_an_end_to_operations),
      cmocka_unit_test(at_the_end_of_the_server),
      cmocka_unit_test(what_the_host_says),
      cmocka_unit_test(the_answers_as_json),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
