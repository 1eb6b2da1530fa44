// A house for sessions without sockets: a hub, channels, escalations, an identity with an admin, an operator and a
// viewer, and a clock that is driven by hand.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <deque>
#include <fstream>
#include <memory>
#include <set>
#include <vector>

#include "harness.hpp"
#include "plugin/server/session.hpp"

namespace bindcast::test {

inline constexpr std::int64_t kSecond = 1'000'000;
inline constexpr char kPassword[] = "correct horse";  // of all users

// Of "viewer-token" and "operator-token".
inline constexpr char kViewerTokenSha256[] = "d036bd6d01a1cae081d39a2f8dab751dc042de814fd60df31fcb553170950f29";
inline constexpr char kOperatorTokenSha256[] = "0850123315d21ab90f4f7236408a52ef6dbd6a02a6550e5c10dc73f4d993680e";

// A store whose portions come when the test says so; none by itself.
struct HandDrivenPast : Past {
  bool there = false, stores = false;
  std::deque<std::function<void()>> answers, waiting;
  std::function<PastPortion(const PastRequest&)> portion;

  [[nodiscard]] bool readable() const override { return there; }
  [[nodiscard]] bool knows_epoch(std::string_view epoch) const override { return there && epoch == "d"; }
  [[nodiscard]] bool storing() const override { return stores; }
  bool read(PastRequest request, std::weak_ptr<void> alive, std::function<void(PastPortion&&)> done) override {
    answers.push_back([this, request = std::move(request), alive = std::move(alive), done = std::move(done)] {
      if (!alive.expired()) done(portion(request));
    });
    return true;
  }
  void when_stored(std::uint64_t, std::weak_ptr<void> alive, std::function<void()> done) override {
    waiting.push_back([alive = std::move(alive), done = std::move(done)] {
      if (!alive.expired()) done();
    });
  }
  // Does the first that waits; false: there is none.
  static bool run_one(std::deque<std::function<void()>>& queue) {
    if (queue.empty()) return false;
    const auto first = std::move(queue.front());
    queue.pop_front();
    first();
    return true;
  }
};

// A hub, an identity with an admin and a viewer, and a clock.
struct House {
  std::string folder;
  std::string admin_token;
  Hub hub{StreamIdentity{.epoch = "e", .host = "ns1", .service = "named"}, Now{}};
  Now now{.mono_us = 1'000 * kSecond, .wall_us = 1'795'442'531 * kSecond};
  Options options;
  HandDrivenPast past;
  std::unique_ptr<Identity> identity;
  std::unique_ptr<Roles> roles;
  Audit audit{hub};
  std::unique_ptr<Channels> channels;
  std::unique_ptr<Escalations> escalations;
  std::unique_ptr<Publishing> publishing;
  std::vector<Session*> sessions;
  std::vector<WebhookPost> posts;
  std::vector<std::string> cancelled;
  std::set<std::string> unsent;  // posts whose receivers have not been sent anything
  std::unique_ptr<SessionShared> shared;

  explicit House(Options wanted = {}) : options(std::move(wanted)) {
    char name[] = "/tmp/bindcast-session-XXXXXX";
    folder = mkdtemp(name);
    options.auth.tokens.push_back({.name = "vic", .sha256 = kViewerTokenSha256, .roles = {"viewer"}});
    options.auth.users.push_back({.name = "ann", .password = "$1$ann$", .roles = {"admin"}});
    options.auth.tokens.push_back({.name = "olga", .sha256 = kOperatorTokenSha256, .roles = {"operator"}});
    identity = std::make_unique<Identity>(
        options, folder, [](LogLevel, const std::string&) {},
        Identity::Ways{
            .emit = [this](Event&& event, Now at) { hub.emit(std::move(event), at); },
            .check_password =
                [this](const std::string&, const std::string& password, const std::string&, const auto& done) {
                  done(password == kPassword, now);
                  return true;
                },
            .session_ended =
                [this](std::uint64_t number, std::string_view why, Now at) {
                  each_session([&](Session& session) {
                    if (session.credential().session == number) session.end_login(why, at);
                  });
                },
            .done = [this](const Deed& deed, Now at) { audit.done(deed, at); }});
    std::ifstream(folder + "/bindcast.token") >> admin_token;
    roles = std::make_unique<Roles>(options);
    channels = std::make_unique<Channels>(hub, options);
    escalations = std::make_unique<Escalations>(
        hub, options,
        Escalations::Ways{.each_session = [this](const auto& visit) { each_session(visit); },
                          .post =
                              [this](WebhookPost post, Now) {
                                posts.push_back(std::move(post));
                                return true;
                              },
                          .cancel =
                              [this](const std::string& id) {
                                cancelled.push_back(id);
                                return unsent.contains(id);
                              }},
        [] { return 0.5; });
    publishing = std::make_unique<Publishing>(hub, *roles, options.publish);
    shared = std::make_unique<SessionShared>(
        SessionShared{.hub = hub,
                      .past = past,
                      .channels = *channels,
                      .escalations = *escalations,
                      .identity = *identity,
                      .roles = *roles,
                      .audit = audit,
                      .publishing = *publishing,
                      .options = options,
                      .origin = {},
                      .status = [](Now) { return Json(json_object()); },
                      .each_session = [this](const auto& visit) { each_session(visit); }});
    hub.configure(options);
  }
  ~House() {
    unlink((folder + "/bindcast.token").c_str());
    rmdir(folder.c_str());
  }
  void each_session(const std::function<void(Session&)>& visit) {
    for (Session* session : sessions)
      if (session->admitted()) visit(*session);
  }
  // Of ann, an admin with a password: the token of a new login session.
  std::string log_in() {
    std::string token;
    identity->login("ann", kPassword, "192.0.2.7", now,
                    [&](const auto& outcome, Now) { token = std::get<Login>(outcome).token; });
    return token;
  }
  void later(std::int64_t us) {
    now.mono_us += us;
    now.wall_us += us;
  }
  std::uint64_t emit(EventType type, const std::string& zone = "example.com",
                     std::optional<Priority> priority = std::nullopt) {
    Event event = make_event(type);
    if (priority) event.priority = *priority;
    event.data.add("zone", zone);
    return hub.emit(std::move(event), now);
  }
};

struct Client {
  House& house;
  Session session;

  explicit Client(House& h, std::optional<std::string> token = std::nullopt, Format format = Format::plain)
      : house(h), session(*h.shared, "192.0.2.7", format, [] {}) {
    house.sessions.push_back(&session);
    session.open({.bearer = std::move(token), .cookie = {}, .query = {}}, house.now);
  }
  // As a browser comes.
  explicit Client(House& h, const Offered& offered, Format format = Format::plain)
      : house(h), session(*h.shared, "192.0.2.7", format, [] {}) {
    house.sessions.push_back(&session);
    session.open(offered, house.now);
  }
  ~Client() { std::erase(house.sessions, &session); }
  // An admitted admin whose welcome has been read.
  static std::unique_ptr<Client> admin(House& h, Format format = Format::plain) {
    auto client = std::make_unique<Client>(h, h.admin_token, format);
    (void)client->read();
    return client;
  }
  void say(const std::string& text) { session.receive(text, house.now); }
  // Everything that is due now.
  std::vector<std::string> read() {
    house.escalations->run(house.now);
    house.channels->run(house.now);
    std::vector<std::string> texts;
    while (const FrameRef frame = session.next(house.now)) texts.emplace_back(frame->text());
    return texts;
  }
  std::string one() {
    auto texts = read();
    assert_int_equal(texts.size(), 1);
    return texts.empty() ? "" : texts[0];
  }
  // The answer; events may follow it.
  std::string ask(const std::string& text) {
    say(text);
    auto texts = read();
    assert_int_not_equal(texts.size(), 0);
    return texts.empty() ? "" : texts[0];
  }
  [[nodiscard]] int close_code() const { return session.close_order() ? session.close_order()->code : 0; }
};

inline bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace bindcast::test
