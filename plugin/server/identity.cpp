#include "plugin/server/identity.hpp"

#include <algorithm>
#include <utility>

#include "config/roles.hpp"
#include "plugin/server/passwords.hpp"
#include "plugin/server/secret.hpp"

namespace bindcast {

namespace {

Admission admitted(User user, Credential::Kind kind) {
  Admission admission{.user = std::move(user), .credential = {}};
  admission.credential.kind = kind;
  return admission;
}

Rejection locked_out(std::int64_t wait_us) {
  return {.why = Rejection::Why::locked_out, .text = "too many failures; try again later", .wait_us = wait_us};
}

}  // namespace

std::string_view to_text(Credential::Kind kind) noexcept {
  switch (kind) {
    case Credential::Kind::open_mode:
      return "open_mode";
    case Credential::Kind::generated_token:
      return "generated_token";
    case Credential::Kind::token:
      return "token";
    case Credential::Kind::session:
      return "session";
    case Credential::Kind::jwt:
      return "jwt";
  }
  return {};
}

bool User::has_role(std::string_view role) const {
  return std::ranges::find(roles, role) != roles.end();
}

Identity::Identity(const Options& options, const std::string& state_dir, Log log, Ways ways)
    : log_(std::move(log)),
      ways_(std::move(ways)),
      decoy_key_(make_secret()),
      token_file_(state_dir, log_),
      jwt_(log_),
      sessions_(
          [this](const LoginSession& session, std::string_view why, Now now) { session_ended(session, why, now); }),
      failed_logins_([this](Event&& event, Now now) {
        if (ways_.emit) ways_.emit(std::move(event), now);
      }) {
  take(options);
}

void Identity::configure(const Options& options, Now now) {
  take(options);
  sessions_.end_if(
      [this](const LoginSession& session) {
        const UserOptions* user = user_named(session.user);
        return open() || user == nullptr || user->password != session.password_hash || user->roles != session.roles;
      },
      "the user was changed or removed", now);
}

void Identity::take(const Options& options) {
  const std::vector<UserOptions> before = std::exchange(options_, options.auth).users;
  roles_.clear();
  for (const auto& [name, role] : roles_in_force(options)) roles_.insert(name);
  addresses_.configure(options_.lockout);
  users_.configure(options_.lockout);
  jwt_.configure(options_.jwt);
  if (!open()) token_file_.load();
  for (const UserOptions& user : options_.users)
    if (const std::string fault = fault_of_hash(user.password);
        !fault.empty() && std::ranges::find(before, user) == before.end())
      log_(LogLevel::warning, "auth.users: the password hash of " + user.name + " " + fault + "; nobody can log in so");
}

Admission Identity::anybody() {
  return admitted({.name = "anybody", .roles = {"admin"}}, Credential::Kind::open_mode);
}

void Identity::tick(Now now) {
  if (!open()) token_file_.load();
  jwt_.tick();
  sessions_.tick(now);
  failed_logins_.tick(now);
}

const UserOptions* Identity::user_named(std::string_view name) const {
  const auto found = std::ranges::find(options_.users, name, &UserOptions::name);
  return found == options_.users.end() ? nullptr : &*found;
}

bool Identity::known_roles(const std::vector<std::string>& roles) const {
  return std::ranges::all_of(roles, [this](const std::string& role) { return roles_.contains(role); });
}

// ── Tokens ───────────────────────────────────────────────────────────────────────────────────────────────────────────

Outcome Identity::authenticate(std::string_view token, std::string_view client, Now now) {
  const std::string digest = sha256_of(token);
  std::optional<Admission> admission;
  // Every entry is compared, so that the time says nothing of which one fits.
  if (token_file_.holds(digest))
    admission = admitted({.name = "admin", .roles = {"admin"}}, Credential::Kind::generated_token);
  for (const TokenOptions& entry : options_.tokens) {
    if (!equal_in_constant_time(digest, entry.sha256)) continue;
    admission = admitted({.name = entry.name, .roles = entry.roles}, Credential::Kind::token);
    admission->credential.token_sha256 = entry.sha256;
  }
  if (!admission) admission = by_session(token, now);
  if (admission) return *admission;
  if (!jwt_.concerns(token)) return failed(client, {}, "token", "unknown token", now);

  JwtClaims claims;
  if (const std::string_view fault = jwt_.verify(token, now.wall_us, claims); !fault.empty())
    return failed(client, {}, "jwt", fault, now);
  std::erase_if(claims.roles, [this](const std::string& role) { return !roles_.contains(role); });
  if (claims.roles.empty())
    return Rejection{.why = Rejection::Why::forbidden, .text = "the token has no role that is known here"};
  Admission by_jwt =
      admitted({.name = std::move(claims.user), .roles = std::move(claims.roles)}, Credential::Kind::jwt);
  by_jwt.credential.ends_wall_us = claims.ends_wall_us;
  by_jwt.credential.jwt_generation = jwt_.generation();
  return by_jwt;
}

std::optional<Outcome> Identity::authenticate(const Offered& offered, std::string_view client, Now now) {
  if (open()) return anybody();
  if (offered.bearer) return authenticate(*offered.bearer, client, now);
  if (offered.cookie)
    if (auto admission = by_session(*offered.cookie, now)) return *std::move(admission);
  if (offered.query && options_.query_token) return authenticate(*offered.query, client, now);
  return std::nullopt;
}

std::optional<Admission> Identity::by_session(std::string_view token, Now now) const {
  const LoginSession* session = sessions_.find(token, now);
  if (session == nullptr) return std::nullopt;
  Admission admission = admitted({.name = session->user, .roles = session->roles}, Credential::Kind::session);
  admission.credential.session = session->number;
  return admission;
}

std::string_view Identity::end_of(const User& user, const Credential& credential, Now now) const {
  if (open() != (credential.kind == Credential::Kind::open_mode)) return "auth.mode was changed";
  switch (credential.kind) {
    case Credential::Kind::open_mode:
    case Credential::Kind::generated_token:
      return {};
    case Credential::Kind::token:
      return std::ranges::any_of(options_.tokens,
                                 [&](const TokenOptions& entry) {
                                   return entry.name == user.name && entry.sha256 == credential.token_sha256 &&
                                          entry.roles == user.roles;
                                 })
                 ? ""
                 : "the token was changed or removed";
    case Credential::Kind::session:
      return sessions_.find(credential.session) != nullptr ? "" : "the session has ended";
    case Credential::Kind::jwt:
      if (now.wall_us >= credential.ends_wall_us) return "expired";
      return credential.jwt_generation == jwt_.generation() && known_roles(user.roles) ? "" : "auth.jwt was changed";
  }
  return {};
}

// ── Users ────────────────────────────────────────────────────────────────────────────────────────────────────────────

// For a name that does not exist, the hash of one of the users that do, always the same one: so the time of an answer
// says nothing, whatever methods and costs are in use.
const std::string* Identity::decoy_hash(std::string_view name) const {
  if (options_.users.empty()) return nullptr;
  const std::string digest = sha256_of(decoy_key_ + std::string(name));
  const std::size_t number = std::stoul(digest.substr(0, 8), nullptr, 16);
  return &options_.users[number % options_.users.size()].password;
}

std::int64_t Identity::locked_us(std::string_view user, std::string_view client, Now now) const {
  return std::max(users_.wait_us(user, now), addresses_.wait_us(address_key(client), now));
}

void Identity::login(std::string name, std::string password, std::string client, Now now, LoginDone done) {
  if (const std::int64_t wait = locked_us(name, client, now); wait > 0) {
    done(locked_out(wait), now);
    return;
  }
  const UserOptions* user = user_named(name);
  const std::string* hash = user != nullptr ? &user->password : decoy_hash(name);
  if (hash == nullptr) {
    done(failed(client, name, "password", "wrong user or password", now), now);
    return;
  }
  const std::string origin = address_key(client);
  const bool started =
      ways_.check_password &&
      ways_.check_password(*hash, std::move(password), origin,
                           [this, name, client, hash = *hash, done, known = user != nullptr](bool right, Now then) {
                             password_checked(name, client, right && known, hash, then, done);
                           });
  if (!started)
    done(Rejection{.why = Rejection::Why::busy, .text = "too many logins at once; try again", .wait_us = 1'000'000},
         now);
}

// Meanwhile much may have happened: others may have failed until the user was locked, and the configuration changed.
void Identity::password_checked(const std::string& name, const std::string& client, bool right, const std::string& hash,
                                Now now, const LoginDone& done) {
  if (const std::int64_t wait = locked_us(name, client, now); wait > 0) {
    done(locked_out(wait), now);
    return;
  }
  const UserOptions* user = user_named(name);
  if (!right || user == nullptr || user->password != hash) {
    done(failed(client, name, "password", "wrong user or password", now), now);
    return;
  }
  users_.forgive(name);
  const std::int64_t ttl = options_.session_ttl.count();
  std::string token = sessions_.begin({.number = 0,
                                       .user = user->name,
                                       .roles = user->roles,
                                       .password_hash = user->password,
                                       .expires_us = now.mono_us + ttl,
                                       .digest = {}},
                                      now);
  if (token.empty()) {
    done(Rejection{.why = Rejection::Why::busy, .text = "there is no room for one more session", .wait_us = 60'000'000},
         now);
    return;
  }
  const User known{.name = user->name, .roles = user->roles};
  emit(EventType::user_login, name, client, now, [](Event& event) { event.data.add("method", "password"); });
  emit(EventType::session_created, name, client, now,
       [ttl](Event& event) { event.data.add_integer("ttl_seconds", ttl / 1'000'000); });
  this->done(name, client, "login", now);
  done(Login{.token = std::move(token), .user = known, .ttl_us = ttl, .expires_wall_us = now.wall_us + ttl}, now);
}

std::optional<User> Identity::logout(std::string_view token, std::string_view client, Now now) {
  const LoginSession* session = sessions_.find(token, now);
  if (session == nullptr) return std::nullopt;
  User user{.name = session->user, .roles = session->roles};
  sessions_.end(session->number, "logout", now);
  emit(EventType::user_logout, user.name, client, now);
  done(user.name, client, "logout", now);
  return user;
}

std::optional<Login> Identity::renew(std::string_view token, Now now) {
  const LoginSession* session = sessions_.find(token, now);
  if (session == nullptr) return std::nullopt;
  const std::int64_t ttl = options_.session_ttl.count();
  sessions_.renew(session->number, now.mono_us + ttl);
  return Login{.token = std::string(token),
               .user = {.name = session->user, .roles = session->roles},
               .ttl_us = ttl,
               .expires_wall_us = now.wall_us + ttl};
}

std::size_t Identity::revoke_sessions(std::string_view user, Now now) {
  return sessions_.end_if([user](const LoginSession& session) { return session.user == user; }, "revoked by an admin",
                          now);
}

// ── What is told ─────────────────────────────────────────────────────────────────────────────────────────────────────

Rejection Identity::failed(std::string_view client, std::string_view user, std::string_view method,
                           std::string_view reason, Now now) {
  const std::string address = address_key(client);
  const bool exists = user_named(user) != nullptr;
  // Guesses from an address that is locked already are refused alike, whatever they are.
  if (const std::int64_t wait = addresses_.wait_us(address, now); wait > 0) {
    failed_logins_.note({.client = client, .user = {}, .method = method, .reason = "locked out"}, now);
    return locked_out(wait);
  }
  bool locks = !address.empty() && addresses_.fail(address, false, now);
  if (!user.empty()) locks |= users_.fail(user, exists, now);
  failed_logins_.note({.client = client,
                       .user = exists ? user : "",
                       .method = method,
                       .reason = reason,
                       .locked_us = locks ? options_.lockout.duration.count() : 0},
                      now);
  return {.why = Rejection::Why::unknown,
          .text = method == "password"                     ? std::string(reason)
                  : method == "jwt" && reason == "expired" ? "expired token"
                                                           : "bad token",
          .wait_us = 0};
}

void Identity::note_silence(std::string_view client, Now now) {
  failed_logins_.note({.client = client, .user = {}, .method = "none", .reason = "no authentication in time"}, now);
}

void Identity::emit(EventType type, std::string_view user, std::string_view client, Now now,
                    const std::function<void(Event&)>& add) {
  if (!ways_.emit) return;
  Event event = make_event(type);
  event.source_component = "server";
  event.source_user_id = user;
  event.data.add("user", user);
  if (!client.empty()) event.data.add("client", client);
  if (add) add(event);
  ways_.emit(std::move(event), now);
}

void Identity::done(std::string_view user, std::string_view client, std::string_view action, Now now) {
  if (ways_.done) ways_.done({.user = user, .client = client, .action = action, .subject = {}}, now);
}

void Identity::session_ended(const LoginSession& session, std::string_view why, Now now) {
  if (ways_.session_ended) ways_.session_ended(session.number, why, now);
  if (why == "logout") return;  // has an event of its own
  emit(EventType::session_expired, session.user, {}, now, [&](Event& event) {
    event.target_user_id = session.user;
    event.data.add("reason", why);
  });
}

}  // namespace bindcast
