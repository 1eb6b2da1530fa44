// Who may come in: the token file, the configuration's tokens, users with passwords; what is told of it.

#include "harness.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "events/json.hpp"
#include "plugin/server/identity.hpp"
#include "plugin/server/secret.hpp"

namespace {

using namespace bindcast;

struct Folder {
  std::string path;
  std::vector<std::pair<LogLevel, std::string>> lines;
  Folder() {
    char name[] = "/tmp/bindcast-identity-XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() {
    unlink(file().c_str());
    unlink((path + "/elsewhere").c_str());
    rmdir(path.c_str());
  }
  [[nodiscard]] std::string file() const { return path + "/bindcast.token"; }
  Log log() {
    return [this](LogLevel level, const std::string& line) { lines.emplace_back(level, line); };
  }
  [[nodiscard]] std::string token() const {
    std::ifstream in(file());
    std::string text;
    std::getline(in, text);
    return text;
  }
  void write(const std::string& text, mode_t mode) const {
    std::ofstream(file()) << text;
    chmod(file().c_str(), mode);
  }
  [[nodiscard]] mode_t mode() const {
    struct stat status {};
    stat(file().c_str(), &status);
    return status.st_mode & 07777;
  }
  [[nodiscard]] bool logged(LogLevel level, const std::string& part) const {
    for (const auto& [l, line] : lines)
      if (l == level && line.find(part) != std::string::npos) return true;
    return false;
  }
  [[nodiscard]] bool told(const std::string& secret) const {
    for (const auto& [l, line] : lines)
      if (line.find(secret) != std::string::npos) return true;
    return false;
  }
};

constexpr Now kNow{.mono_us = 1'000'000'000, .wall_us = 1'795'442'531'000'000};

std::optional<User> user_of(Identity& identity, std::string_view token) {
  const Outcome outcome = identity.authenticate(token, "192.0.2.1", kNow);
  const auto* admission = std::get_if<Admission>(&outcome);
  return admission == nullptr ? std::nullopt : std::optional(admission->user);
}

bool admits(Identity& identity, std::string_view token) {
  return user_of(identity, token).has_value();
}

constexpr char kOwnToken[] = "an-admin-made-this-token-0123456789";

// Of "backup-secret".
constexpr char kBackupSecretSha256[] = "d02145a17d552f6c32f2659e631c1fc1f39214df9f481e254402720e4b045647";

void the_first_start_makes_a_token_for_its_owner_alone(void**) {
  Folder folder;
  Identity identity(Options{}, folder.path, folder.log());
  const std::string token = folder.token();
  assert_int_equal(token.size(), 43);  // 32 bytes in base64url
  assert_int_equal(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                   std::string::npos);
  assert_int_equal(folder.mode(), 0600);
  const auto user = user_of(identity, token);
  assert_true(user.has_value());
  assert_true(user->has_role("admin"));
  assert_true(folder.logged(LogLevel::info, "bindcast.token"));
  assert_false(folder.told(token));
}

void two_first_starts_make_two_tokens(void**) {
  Folder a, b;
  Identity first(Options{}, a.path, a.log()), second(Options{}, b.path, b.log());
  assert_string_not_equal(a.token().c_str(), b.token().c_str());
  assert_false(admits(first, b.token()));
}

void a_later_start_keeps_the_token(void**) {
  Folder folder;
  folder.write(std::string(kOwnToken) + "\n", 0600);
  Identity identity(Options{}, folder.path, folder.log());
  assert_text(folder.token(), kOwnToken);
  assert_true(admits(identity, kOwnToken));
}

void whatever_is_not_the_token_is_refused(void**) {
  Folder folder;
  folder.write(std::string(kOwnToken) + "\n", 0600);
  Identity identity(Options{}, folder.path, folder.log());
  const std::string token = kOwnToken;
  const std::string wrong[] = {"",          token + "x",  token.substr(1),           token.substr(0, token.size() - 1),
                               token + " ", token + "\n", std::string(100'000, 'x'), token + std::string(1, '\0')};
  for (const std::string& text : wrong) assert_false(admits(identity, text));
}

void a_file_that_others_could_read_is_mended_and_said(void**) {
  Folder folder;
  folder.write(std::string(kOwnToken) + "\n", 0644);
  Identity identity(Options{}, folder.path, folder.log());
  assert_int_equal(folder.mode(), 0600);
  assert_true(folder.logged(LogLevel::warning, "bindcast.token"));
  assert_true(admits(identity, kOwnToken));
}

void a_file_without_a_token_is_said_and_left_alone(void**) {
  for (const std::string& text : {std::string(), std::string("short\n"), std::string(4000, 'x'),
                                  std::string("a token with blanks is no token at all....")}) {
    Folder folder;
    folder.write(text, 0600);
    Identity identity(Options{}, folder.path, folder.log());
    assert_true(folder.logged(LogLevel::error, "bindcast.token"));
    assert_false(admits(identity, text));
    std::ifstream in(folder.file());
    assert_text(std::string(std::istreambuf_iterator<char>(in), {}), text);
  }
}

// Somebody who can write to the directory must not make us read or write another file.
void a_symbolic_link_is_not_followed(void**) {
  Folder folder;
  std::ofstream(folder.path + "/elsewhere") << kOwnToken << "\n";
  assert_int_equal(symlink((folder.path + "/elsewhere").c_str(), folder.file().c_str()), 0);
  Identity identity(Options{}, folder.path, folder.log());
  assert_false(admits(identity, kOwnToken));
  assert_true(folder.logged(LogLevel::error, "bindcast.token"));
}

void a_directory_that_is_not_there_is_an_error_and_no_token(void**) {
  Folder folder;
  Identity identity(Options{}, folder.path + "/none", folder.log());
  assert_true(folder.logged(LogLevel::error, "none/bindcast.token"));
  assert_false(admits(identity, ""));
}

void tokens_of_the_configuration_carry_their_roles_and_can_change(void**) {
  Folder folder;
  Options options;
  options.auth.tokens.push_back(
      {.name = "backup-job", .sha256 = kBackupSecretSha256, .roles = {"publisher", "viewer"}});
  Identity identity(options, folder.path, folder.log());
  const auto user = user_of(identity, "backup-secret");
  assert_true(user.has_value());
  assert_text(user->name, "backup-job");
  assert_true(user->has_role("publisher"));
  assert_false(user->has_role("admin"));
  assert_false(admits(identity, options.auth.tokens[0].sha256));  // the hash is not the token

  identity.configure(Options{}, kNow);
  assert_false(admits(identity, "backup-secret"));
  assert_true(admits(identity, folder.token()));
}

void open_mode_makes_no_file_until_it_ends(void**) {
  Folder folder;
  Options options;
  options.auth.mode = AuthOptions::Mode::open;
  Identity identity(options, folder.path, folder.log());
  assert_true(identity.open());
  assert_int_not_equal(access(folder.file().c_str(), F_OK), 0);
  assert_true(Identity::anybody().user.has_role("admin"));
  identity.configure(Options{}, kNow);
  assert_false(identity.open());
  assert_true(admits(identity, folder.token()));
}

// ── Users ────────────────────────────────────────────────────────────────────────────────────────────────────────────

// An identity whose passwords are compared when the test says so: right is "right of NAME".
struct House {
  struct Check {
    std::string hash, password;
    std::function<void(bool, Now)> done;
  };
  Folder folder;
  Options options;
  std::vector<Check> checks;
  std::vector<Event> events;
  std::vector<std::string> ended, deeds;
  std::unique_ptr<Identity> identity;
  Now now = kNow;
  bool room = true;

  House() {
    options.auth.users = {{.name = "ann", .password = "$1$of-ann$", .roles = {"admin"}},
                          {.name = "bob", .password = "$1$of-bob$", .roles = {"viewer"}}};
    identity = std::make_unique<Identity>(
        options, folder.path, folder.log(),
        Identity::Ways{
            .emit = [this](Event&& event, Now) { events.push_back(std::move(event)); },
            .check_password =
                [this](std::string hash, std::string password, const std::string&, auto done) {
                  if (room) checks.push_back({std::move(hash), std::move(password), std::move(done)});
                  return room;
                },
            .session_ended = [this](std::uint64_t, std::string_view why, Now) { ended.emplace_back(why); },
            .done = [this](const Deed& deed,
                           Now) { deeds.push_back(std::string(deed.user) + ": " + std::string(deed.action)); }});
  }
  std::variant<Login, Rejection> begin(const std::string& user, const std::string& password,
                                       const std::string& client = "192.0.2.9") {
    std::variant<Login, Rejection> result = Rejection{.why = Rejection::Why::busy, .text = "not yet", .wait_us = -1};
    auto out = std::make_shared<std::variant<Login, Rejection>>(result);
    identity->login(user, password, client, now, [out](const auto& outcome, Now) { *out = outcome; });
    while (!checks.empty()) {
      const Check check = std::move(checks.back());
      checks.pop_back();
      check.done(check.hash.find("of-" + user) != std::string::npos && check.password == "right of " + user, now);
    }
    return *out;
  }
  std::string log_in(const std::string& user) {
    const auto outcome = begin(user, "right of " + user);
    return std::holds_alternative<Login>(outcome) ? std::get<Login>(outcome).token : "";
  }
  std::string refusal(const std::string& user, const std::string& password, const std::string& client = "192.0.2.9") {
    const auto outcome = begin(user, password, client);
    return std::holds_alternative<Rejection>(outcome) ? std::get<Rejection>(outcome).text : "";
  }
  [[nodiscard]] std::size_t count(EventType type) const {
    return static_cast<std::size_t>(std::ranges::count(events, type, &Event::type));
  }
  [[nodiscard]] std::string told() const {
    const StreamIdentity stream{.epoch = "e", .host = "h", .service = "named"};
    std::string text;
    EventWriter writer(stream);
    for (const Event& event : events) text += writer.write(event);
    for (const auto& [level, line] : folder.lines) text += line;
    return text;
  }
};

void a_login_gives_a_token_that_is_known_and_told_to_nobody(void**) {
  House house;
  const std::string token = house.log_in("ann");
  assert_int_equal(token.size(), 43);
  const auto user = user_of(*house.identity, token);
  assert_true(user.has_value());
  assert_text(user->name, "ann");
  assert_true(user->has_role("admin"));
  assert_int_equal(house.count(EventType::user_login), 1);
  assert_int_equal(house.count(EventType::session_created), 1);
  assert_int_equal(house.deeds.size(), 1);
  assert_text(house.deeds[0], "ann: login");
  for (const std::string& secret : {token, sha256_of(token), std::string("right of ann"), std::string("of-ann")})
    assert_int_equal(house.told().find(secret), std::string::npos);
}

void two_logins_give_two_tokens_and_one_logout_ends_one(void**) {
  House house;
  const std::string one = house.log_in("ann"), other = house.log_in("ann");
  assert_true(one != other);
  assert_true(house.identity->logout(one, "192.0.2.9", house.now).has_value());
  assert_false(admits(*house.identity, one));
  assert_true(admits(*house.identity, other));
  assert_int_equal(house.ended.size(), 1);
  assert_text(house.ended[0], "logout");
  assert_int_equal(house.count(EventType::user_logout), 1);
  assert_int_equal(house.count(EventType::session_expired), 0);
  assert_false(house.identity->logout(one, "192.0.2.9", house.now).has_value());
}

// The same text, the same work: by neither can one find out who exists.
void an_unknown_user_is_answered_as_a_wrong_password_is(void**) {
  House house;
  const std::string wrong = house.refusal("ann", "wrong");
  assert_false(wrong.empty());
  assert_text(house.refusal("nobody", "wrong"), wrong);
  auto quiet = [](const auto&, Now) {};
  house.identity->login("nobody", "x", "192.0.2.10", house.now, quiet);
  house.identity->login("nobody", "x", "192.0.2.10", house.now, quiet);
  house.identity->login("ann", "x", "192.0.2.10", house.now, quiet);
  assert_int_equal(house.checks.size(), 3);
  assert_true(house.checks[0].hash == house.checks[1].hash);  // always of the same cost
  // Even where the decoy's password was found.
  house.checks[0].done(true, house.now);
  assert_false(house.told().find("user_login") != std::string::npos);
  // What was typed as a name may be a password: it is told only where there is such a user.
  assert_int_equal(house.told().find("nobody"), std::string::npos);
}

void a_user_is_locked_out_from_everywhere_and_his_sessions_go_on(void**) {
  House house;
  const std::string token = house.log_in("ann");
  for (int i = 0; i < 5; ++i) house.refusal("ann", "wrong", "192.0.2." + std::to_string(100 + i));
  const auto outcome = house.begin("ann", "right of ann", "192.0.2.200");
  const auto& refusal = std::get<Rejection>(outcome);
  assert_true(refusal.why == Rejection::Why::locked_out);
  assert_int_equal(refusal.wait_us, house.options.auth.lockout.duration.count());
  assert_true(admits(*house.identity, token));
  assert_false(house.log_in("bob").empty());
  house.now.mono_us += house.options.auth.lockout.duration.count();
  assert_false(house.log_in("ann").empty());
}

void a_right_password_makes_earlier_failures_of_the_user_good(void**) {
  House house;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i)
      house.refusal("ann", "wrong", "192.0." + std::to_string(round) + "." + std::to_string(i));
    assert_false(house.log_in("ann").empty());
  }
}

void an_address_is_locked_out_for_passwords_but_not_for_valid_tokens(void**) {
  House house;
  const std::string token = house.log_in("bob");
  for (int i = 0; i < 5; ++i) house.refusal("user" + std::to_string(i), "wrong", "192.0.2.66");
  assert_true(std::get<Rejection>(house.begin("ann", "right of ann", "192.0.2.66")).why == Rejection::Why::locked_out);
  assert_true(std::holds_alternative<Admission>(house.identity->authenticate(token, "192.0.2.66", house.now)));
  const Outcome bad = house.identity->authenticate("bad", "192.0.2.66", house.now);
  assert_true(std::get<Rejection>(bad).why == Rejection::Why::locked_out);
  assert_true(std::get<Rejection>(house.identity->authenticate("bad", "192.0.2.67", house.now)).why ==
              Rejection::Why::unknown);
}

// Who sends many at once must not have them all tried before the first one has failed.
void passwords_that_were_under_way_when_the_lock_fell_do_not_count(void**) {
  House house;
  std::vector<std::string> got;
  for (int i = 0; i < 6; ++i)
    house.identity->login(
        "ann", i == 5 ? "right of ann" : "wrong", "192.0.2.66", house.now, [&](const auto& outcome, Now) {
          got.push_back(std::holds_alternative<Login>(outcome) ? "in" : std::get<Rejection>(outcome).text);
        });
  const auto checks = std::exchange(house.checks, {});
  for (const auto& check : checks) check.done(check.password == "right of ann", house.now);
  assert_int_equal(got.size(), 6);
  assert_contains(got[4], "wrong");
  assert_contains(got[5], "too many failures");
}

void a_full_queue_says_try_again(void**) {
  House house;
  house.room = false;
  const auto outcome = house.begin("ann", "right of ann");
  assert_true(std::get<Rejection>(outcome).why == Rejection::Why::busy);
  assert_true(std::get<Rejection>(outcome).wait_us > 0);
}

void a_brute_force_is_told_once_and_then_by_its_number(void**) {
  House house;
  for (int i = 0; i < 1000; ++i)
    (void)house.identity->authenticate("guess" + std::to_string(i), "192.0.2.66", house.now);
  assert_int_equal(house.count(EventType::authentication_failed), 2);  // the first one, and the one that locked
  house.now.mono_us += 60'000'000;
  house.identity->tick(house.now);
  assert_int_equal(house.count(EventType::authentication_failed), 3);
  assert_contains(house.told(), "\"total\":1000");
  assert_contains(house.told(), "\"count\":995");
  assert_int_equal(house.told().find("guess"), std::string::npos);
  house.now.mono_us += 120'000'000;
  house.identity->tick(house.now);
  assert_int_equal(house.count(EventType::authentication_failed), 3);
}

void a_brute_force_from_very_many_addresses_does_not_flood_either(void**) {
  House house;
  for (int i = 0; i < 5000; ++i)
    (void)house.identity->authenticate("guess", "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250),
                                       house.now);
  assert_true(house.count(EventType::authentication_failed) <= FailedLogins::kMostAddresses + 1);
}

void a_session_ends_by_its_time_unless_it_is_renewed(void**) {
  House house;
  const std::int64_t ttl = house.options.auth.session_ttl.count();
  const std::string kept = house.log_in("ann"), left = house.log_in("ann");
  house.now.mono_us += ttl - 1;
  assert_true(house.identity->renew(kept, house.now).has_value());
  house.now.mono_us += 1;
  assert_true(std::holds_alternative<Rejection>(house.identity->authenticate(left, "192.0.2.9", house.now)));
  assert_false(house.identity->renew(left, house.now).has_value());
  house.identity->tick(house.now);
  assert_int_equal(house.ended.size(), 1);
  assert_text(house.ended[0], "expired");
  assert_int_equal(house.count(EventType::session_expired), 1);
  assert_text(house.events.back().target_user_id, "ann");
  assert_true(std::holds_alternative<Admission>(house.identity->authenticate(kept, "192.0.2.9", house.now)));
}

void who_is_changed_or_removed_in_the_configuration_is_logged_out(void**) {
  House house;
  const std::string ann = house.log_in("ann"), bob = house.log_in("bob");
  Options changed = house.options;
  changed.auth.users[1].roles = {"operator"};
  house.identity->configure(changed, house.now);
  assert_true(admits(*house.identity, ann));
  assert_false(admits(*house.identity, bob));
  changed.auth.users[0].password = "$1$another$";
  house.identity->configure(changed, house.now);
  assert_false(admits(*house.identity, ann));
  assert_int_equal(house.identity->sessions(), 0);
  assert_int_equal(house.ended.size(), 2);
}

void a_token_that_is_removed_ends_what_it_admitted(void**) {
  House house;
  house.options.auth.tokens = {{.name = "job", .sha256 = kBackupSecretSha256, .roles = {"viewer"}}};
  house.identity->configure(house.options, house.now);
  const auto admission = std::get<Admission>(house.identity->authenticate("backup-secret", "", house.now));
  assert_text(house.identity->end_of(admission.user, admission.credential, house.now), "");
  house.options.auth.tokens[0].roles = {"admin"};
  house.identity->configure(house.options, house.now);
  assert_contains(house.identity->end_of(admission.user, admission.credential, house.now), "token");
}

void the_order_of_what_a_request_carries(void**) {
  House house;
  const std::string ann = house.log_in("ann"), bob = house.log_in("bob"), generated = house.folder.token();
  const auto who = [&](const Offered& offered) -> std::string {
    const auto outcome = house.identity->authenticate(offered, "192.0.2.9", house.now);
    if (!outcome) return "nobody";
    const auto* admission = std::get_if<Admission>(&*outcome);
    return admission != nullptr ? admission->user.name : "refused";
  };
  assert_text(who({.bearer = ann, .cookie = bob, .query = generated}), "ann");
  assert_text(who({.bearer = {}, .cookie = bob, .query = generated}), "bob");
  assert_text(who({.bearer = "bad", .cookie = bob, .query = {}}), "refused");
  assert_text(who({.bearer = {}, .cookie = "old", .query = {}}), "nobody");
  assert_text(who({.bearer = {}, .cookie = generated, .query = {}}), "nobody");  // a cookie is of a session
  assert_text(who({.bearer = {}, .cookie = {}, .query = generated}), "nobody");
  house.options.auth.query_token = true;
  house.identity->configure(house.options, house.now);
  assert_text(who({.bearer = {}, .cookie = {}, .query = generated}), "admin");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(the_first_start_makes_a_token_for_its_owner_alone),
      cmocka_unit_test(two_first_starts_make_two_tokens),
      cmocka_unit_test(a_later_start_keeps_the_token),
      cmocka_unit_test(whatever_is_not_the_token_is_refused),
      cmocka_unit_test(a_file_that_others_could_read_is_mended_and_said),
      cmocka_unit_test(a_file_without_a_token_is_said_and_left_alone),
      cmocka_unit_test(a_symbolic_link_is_not_followed),
      cmocka_unit_test(a_directory_that_is_not_there_is_an_error_and_no_token),
      cmocka_unit_test(tokens_of_the_configuration_carry_their_roles_and_can_change),
      cmocka_unit_test(open_mode_makes_no_file_until_it_ends),
      cmocka_unit_test(a_login_gives_a_token_that_is_known_and_told_to_nobody),
      cmocka_unit_test(two_logins_give_two_tokens_and_one_logout_ends_one),
      cmocka_unit_test(an_unknown_user_is_answered_as_a_wrong_password_is),
      cmocka_unit_test(a_user_is_locked_out_from_everywhere_and_his_sessions_go_on),
      cmocka_unit_test(a_right_password_makes_earlier_failures_of_the_user_good),
      cmocka_unit_test(an_address_is_locked_out_for_passwords_but_not_for_valid_tokens),
      cmocka_unit_test(passwords_that_were_under_way_when_the_lock_fell_do_not_count),
      cmocka_unit_test(a_full_queue_says_try_again),
      cmocka_unit_test(a_brute_force_is_told_once_and_then_by_its_number),
      cmocka_unit_test(a_brute_force_from_very_many_addresses_does_not_flood_either),
      cmocka_unit_test(a_session_ends_by_its_time_unless_it_is_renewed),
      cmocka_unit_test(who_is_changed_or_removed_in_the_configuration_is_logged_out),
      cmocka_unit_test(a_token_that_is_removed_ends_what_it_admitted),
      cmocka_unit_test(the_order_of_what_a_request_carries),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
