// Who is asking? The token that the first start made, those of the configuration, login sessions, JSON Web Tokens;
// users and their passwords; who failed too often. What came of it is told as events, without any secret. Loop thread
// only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/options.hpp"
#include "events/event.hpp"
#include "plugin/clock.hpp"
#include "plugin/log.hpp"
#include "plugin/server/audit.hpp"
#include "plugin/server/failed_logins.hpp"
#include "plugin/server/jwt.hpp"
#include "plugin/server/lockout.hpp"
#include "plugin/server/login_sessions.hpp"
#include "plugin/server/token_file.hpp"

namespace bindcast {

struct User {
  std::string name;
  std::vector<std::string> roles;
  [[nodiscard]] bool has_role(std::string_view role) const;
};

// How somebody is known, and until when. Holds no secret.
struct Credential {
  enum class Kind : std::uint8_t { open_mode, generated_token, token, session, jwt } kind = Kind::open_mode;
  std::string token_sha256;          // of a token of the configuration
  std::uint64_t session = 0;         // LoginSession::number
  std::int64_t ends_wall_us = 0;     // of a JWT
  std::uint64_t jwt_generation = 0;  // that it was verified under
};
[[nodiscard]] std::string_view to_text(Credential::Kind kind) noexcept;

struct Admission {
  User user;
  Credential credential;
};

// Why somebody is not let in; the text tells him nothing that he could use.
struct Rejection {
  enum class Why : std::uint8_t { unknown, forbidden, locked_out, busy } why = Why::unknown;
  std::string text;
  std::int64_t wait_us = 0;  // before it makes sense to try again
};

using Outcome = std::variant<Admission, Rejection>;

// What a request carries, in the order in which it counts.
struct Offered {
  std::optional<std::string> bearer;  // of the Authorization header
  std::optional<std::string> cookie;  // only where the Origin is allowed
  std::optional<std::string> query;   // of the URL
};

// What a login gives: the token, once, and what it stands for.
struct Login {
  std::string token;
  User user;
  std::int64_t ttl_us = 0;
  std::int64_t expires_wall_us = 0;
};

class Identity {
 public:
  static constexpr std::size_t kMostLockedOut = 4096;  // addresses, and names of users that do not exist
  static constexpr std::size_t kMaxNameBytes = 64, kMaxPasswordBytes = 512;

  // How it reaches others; each may be missing.
  struct Ways {
    std::function<void(Event&&, Now)> emit;
    // Compares on a thread of its own and calls `done` later; false: no room.
    std::function<bool(std::string hash, std::string password, std::string origin,
                       std::function<void(bool right, Now)> done)>
        check_password;
    std::function<void(std::uint64_t session, std::string_view why, Now)> session_ended;
    std::function<void(const Deed&, Now)> done;  // for the audit
  };

  // Makes or reads the token file `state_dir`/bindcast.token (mode 0600) unless auth.mode is open. Its path is logged,
  // never the token. While it can be neither read nor made only the other ways in count; why is logged once.
  Identity(const Options& options, const std::string& state_dir, Log log, Ways ways = {});
  // Ends the sessions of users who are gone or have another password or other roles now.
  void configure(const Options& options, Now now);
  // Once a second: tries again what did not work, ends sessions, looks at the JWT's key.
  void tick(Now now);

  [[nodiscard]] bool open() const noexcept { return options_.mode == AuthOptions::Mode::open; }
  // Of mode open: everybody is admin.
  [[nodiscard]] static Admission anybody();

  // By a token of any kind, in time that does not depend on how much of it is right. A failure counts against the
  // address; a valid token is let in from a locked one too, since nobody guesses one, and others may be behind it.
  [[nodiscard]] Outcome authenticate(std::string_view token, std::string_view client, Now now);
  // By what a request carries; nothing when that is nothing, or the cookie of a session that is over: browsers keep
  // sending it, so it is no failure. A token in the URL counts only where auth.query_token is on.
  [[nodiscard]] std::optional<Outcome> authenticate(const Offered& offered, std::string_view client, Now now);
  // Nobody said who he is.
  void note_silence(std::string_view client, Now now);

  // `done` is called later, or at once.
  using LoginDone = std::function<void(std::variant<Login, Rejection>, Now)>;
  void login(std::string user, std::string password, std::string client, Now now, LoginDone done);
  // Ends the session of a token; whose it was, or nothing.
  std::optional<User> logout(std::string_view token, std::string_view client, Now now);
  // A new auth.session_ttl for the same token; nothing when it is none of a session.
  [[nodiscard]] std::optional<Login> renew(std::string_view token, Now now);
  // Ends all sessions of a user; how many there were.
  std::size_t revoke_sessions(std::string_view user, Now now);

  // Is what was admitted still good? Empty, or why not.
  [[nodiscard]] std::string_view end_of(const User& user, const Credential& credential, Now now) const;

  [[nodiscard]] std::size_t sessions() const noexcept { return sessions_.size(); }

 private:
  [[nodiscard]] std::optional<Admission> by_session(std::string_view token, Now now) const;
  [[nodiscard]] const UserOptions* user_named(std::string_view name) const;
  [[nodiscard]] const std::string* decoy_hash(std::string_view name) const;
  [[nodiscard]] bool known_roles(const std::vector<std::string>& roles) const;
  void take(const Options& options);
  void password_checked(const std::string& name, const std::string& client, bool right, const std::string& hash,
                        Now now, const LoginDone& done);
  [[nodiscard]] Rejection failed(std::string_view client, std::string_view user, std::string_view method,
                                 std::string_view reason, Now now);
  [[nodiscard]] std::int64_t locked_us(std::string_view user, std::string_view client, Now now) const;
  void emit(EventType type, std::string_view user, std::string_view client, Now now,
            const std::function<void(Event&)>& add = {});
  void done(std::string_view user, std::string_view client, std::string_view action, Now now);
  void session_ended(const LoginSession& session, std::string_view why, Now now);

  AuthOptions options_;
  std::set<std::string, std::less<>> roles_;
  Log log_;
  Ways ways_;
  std::string decoy_key_;
  TokenFile token_file_;
  JwtVerifier jwt_;
  LoginSessions sessions_;
  Lockout addresses_{kMostLockedOut}, users_{kMostLockedOut};
  FailedLogins failed_logins_;
};

}  // namespace bindcast
