#include "plugin/server/login_endpoints.hpp"

#include <openssl/crypto.h>

#include <utility>

#include "events/json.hpp"
#include "plugin/server/http_headers.hpp"
#include "plugin/server/messages.hpp"
#include "plugin/server/origin.hpp"
#include "plugin/server/session_cookie.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kMaxLoginBytes = 4096;
constexpr const char* kWrongOrigin = "server.allowed_origins does not have this Origin";

bool may_use(const HttpRequest& request, const ServerOptions& options) {
  return origin_allowed(request.origin, request.host, options.allowed_origins);
}

// The session's token that a request carries, in whatever way.
std::string session_token(const HttpRequest& request, const ServerOptions& options) {
  const Offered offered = offered_by(request, options);
  return offered.bearer ? *offered.bearer : offered.cookie.value_or("");
}

HttpAnswer welcome(const Login& login, bool with_token, bool encrypted) {
  Json body(json_object());
  if (with_token) set(body.get(), "token", login.token);
  set(body.get(), "user", login.user.name);
  Json roles(json_array());
  for (const std::string& role : login.user.roles) append(roles.get(), json_text(role));
  set_json(body.get(), "roles", std::move(roles));
  std::string expires;
  append_timestamp(expires, login.expires_wall_us);
  set(body.get(), "expires_at", expires);
  HttpAnswer answer{
      .status = kHttpOk, .body = dump(body.get()) + "\n", .content_type = "application/json", .headers = {}};
  answer.headers.emplace_back("set-cookie", set_session_cookie(login.token, login.ttl_us / 1'000'000, encrypted));
  return answer;
}

// The two texts of {"user": …, "password": …}, or what is wrong.
std::string_view read_login(std::string_view body, std::string& user, std::string& password) {
  json_error_t fault;
  if (nesting_depth(body) > kMaxMessageDepth) return "nested too deep";
  const Json root = parse_json(body, JSON_REJECT_DUPLICATES, fault);
  if (!json_is_object(root.get())) return "wants {\"user\": …, \"password\": …}";
  user = text_member(root.get(), "user");
  password = text_member(root.get(), "password");
  if (user.empty() || user.size() > Identity::kMaxNameBytes) return "user: a text of 1 to 64 bytes";
  if (password.empty() || password.size() > Identity::kMaxPasswordBytes) return "password: a text of 1 to 512 bytes";
  return {};
}

}  // namespace

Offered offered_by(const HttpRequest& request, const ServerOptions& options) {
  Offered offered;
  if (const auto token = bearer_token(request.authorization)) offered.bearer = *token;
  if (may_use(request, options)) offered.cookie = session_cookie(request.cookie);
  if (const auto token = request.argument("token")) offered.query = *token;
  return offered;
}

HttpAnswer http_refusal(const Rejection& refusal) {
  unsigned status = kHttpUnauthorized;
  switch (refusal.why) {
    case Rejection::Why::unknown:
      break;
    case Rejection::Why::forbidden:
      status = kHttpForbidden;
      break;
    case Rejection::Why::locked_out:
      status = kHttpTooManyRequests;
      break;
    case Rejection::Why::busy:
      status = kHttpUnavailable;
      break;
  }
  HttpAnswer answer = http_error(status, refusal.text);
  if (refusal.wait_us > 0)
    answer.headers.emplace_back("retry-after", std::to_string((refusal.wait_us + 999'999) / 1'000'000));
  return answer;
}

void serve_logins(Exchanges& exchanges, Identity& identity, const ServerOptions& options) {
  exchanges.serve(
      "POST", "/api/v1/login",
      [&identity, &options](HttpRequest&& request, const Reply& reply, Now now) {
        // A page elsewhere must not log its visitors in as somebody of its choice.
        if (!may_use(request, options)) return reply(http_error(kHttpForbidden, kWrongOrigin));
        if (identity.open()) return reply(http_error(kHttpConflict, "auth.mode is open: nobody needs to log in"));
        std::string user, password;
        const std::string_view fault = read_login(request.body, user, password);
        OPENSSL_cleanse(request.body.data(), request.body.size());
        if (!fault.empty()) return reply(http_error(kHttpBadRequest, fault));
        identity.login(
            std::move(user), std::move(password), request.peer, now,
            [reply, encrypted = request.encrypted](std::variant<Login, Rejection> outcome, Now) {
              const auto* login = std::get_if<Login>(&outcome);
              reply(login != nullptr ? welcome(*login, true, encrypted) : http_refusal(std::get<Rejection>(outcome)));
            });
      },
      kMaxLoginBytes);
  exchanges.serve("POST", "/api/v1/logout", [&identity, &options](HttpRequest&& request, const Reply& reply, Now now) {
    if (!may_use(request, options)) return reply(http_error(kHttpForbidden, kWrongOrigin));
    const auto user = identity.logout(session_token(request, options), request.peer, now);
    Json body(json_object());
    if (user) set(body.get(), "user", user->name);
    HttpAnswer answer = user ? HttpAnswer{.status = kHttpOk,
                                          .body = dump(body.get()) + "\n",
                                          .content_type = "application/json",
                                          .headers = {}}
                             : http_error(kHttpUnauthorized, "there is no such session");
    answer.headers.emplace_back("set-cookie", set_session_cookie("", 0, request.encrypted));
    reply(std::move(answer));
  });
  exchanges.serve("POST", "/api/v1/renew", [&identity, &options](HttpRequest&& request, const Reply& reply, Now now) {
    if (!may_use(request, options)) return reply(http_error(kHttpForbidden, kWrongOrigin));
    const auto login = identity.renew(session_token(request, options), now);
    reply(login ? welcome(*login, false, request.encrypted)
                : http_error(kHttpUnauthorized, "there is no such session"));
  });
}

}  // namespace bindcast
