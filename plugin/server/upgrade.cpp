// Who may upgrade to a WebSocket.

#include <algorithm>
#include <array>
#include <optional>

#include "plugin/server/exchanges.hpp"
#include "plugin/server/http_headers.hpp"
#include "plugin/server/origin.hpp"
#include "plugin/server/server.hpp"
#include "plugin/server/session_cookie.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kMostSubprotocolBytes = 126;  // of the list that libwebsockets reads

bool is_base64(unsigned char c) {
  return std::isalnum(c) != 0 || c == '+' || c == '/';
}

// 16 bytes in base64 (RFC 6455 4.2.1).
bool is_websocket_key(std::string_view key) {
  return key.size() == 24 && key.ends_with("==") && std::ranges::all_of(key.substr(0, 22), is_base64);
}

// Does accept(token) hold for one of a list, as in "keep-alive, Upgrade"?
template <typename Accept>
bool any_token(std::string_view list, Accept accept) {
  constexpr std::string_view kSpace = " \t";
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view token = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    token.remove_prefix(std::min(token.find_first_not_of(kSpace), token.size()));
    token = token.substr(0, token.find_last_not_of(kSpace) + 1);
    if (accept(token)) return true;
  }
  return false;
}

}  // namespace

// What a handshake must have (RFC 6455 4.2.1). libwebsockets would take any version and key, and ends the connection
// without an answer where something is missing.
std::optional<Server::UpgradeRefusal> Server::refusal_of_upgrade(lws* wsi) const {
  const auto fault = [](std::string_view reason) { return UpgradeRefusal{kHttpBadRequest, reason}; };
  const auto path = header(wsi, WSI_TOKEN_GET_URI);
  if (!path) return UpgradeRefusal{kHttpMethodNotAllowed, "only GET is served here"};
  if (std::ranges::find(kWebSocketPaths, *path) == std::end(kWebSocketPaths))
    return UpgradeRefusal{kHttpNotFound, "the WebSocket is at /ws"};
  const auto upgrade = header(wsi, WSI_TOKEN_UPGRADE);
  if (!upgrade || !equal_without_case(*upgrade, "websocket")) return fault("an upgrade can only be to websocket");
  if (header(wsi, WSI_TOKEN_HTTP) != "HTTP/1.1") return fault("an upgrade wants HTTP/1.1");
  if (!header(wsi, WSI_TOKEN_HOST)) return fault("Host is missing");
  const auto is_upgrade = [](std::string_view token) { return equal_without_case(token, "upgrade"); };
  if (!any_token(header(wsi, WSI_TOKEN_CONNECTION).value_or(""), is_upgrade))
    return fault("Connection: Upgrade is missing");
  if (header(wsi, WSI_TOKEN_VERSION) != kWebSocketVersion)
    return UpgradeRefusal{kHttpUpgradeRequired, "Sec-WebSocket-Version must be 13"};
  if (!is_websocket_key(header(wsi, WSI_TOKEN_KEY).value_or("")))
    return fault("Sec-WebSocket-Key must be 16 bytes in base64");
  if (const auto offered = header(wsi, WSI_TOKEN_PROTOCOL)) {
    const auto is_known = [](std::string_view token) {
      return std::ranges::any_of(kProtocols, [token](const lws_protocols& p) { return p.name && token == p.name; });
    };
    if (offered->size() > kMostSubprotocolBytes || !any_token(*offered, is_known))
      return fault("of Sec-WebSocket-Protocol, bindcast.v1.json, bindcast.v1.deflate and cloudevents.json are known");
  }
  // From here on a cookie counts, too.
  if (!origin_allowed(header(wsi, WSI_TOKEN_ORIGIN), header(wsi, WSI_TOKEN_HOST),
                      shared_.options.server.allowed_origins))
    return UpgradeRefusal{kHttpForbidden, "server.allowed_origins does not have this Origin"};
  return std::nullopt;
}

// The value for libwebsockets of LWS_CALLBACK_HTTP_CONFIRM_UPGRADE.
int Server::confirm_upgrade(lws* wsi) {
  // Of an Upgrade that libwebsockets does not know it has answered, and forgotten the headers, by now.
  if (!header(wsi, WSI_TOKEN_UPGRADE)) return -1;
  const auto refusal = refusal_of_upgrade(wsi);
  if (!refusal) return 0;
  write_at_once(wsi, refusal->status == kHttpUpgradeRequired ? upgrade_required(refusal->reason)
                                                             : http_error(refusal->status, refusal->reason));
  return -1;
}

Offered Server::offered_by_handshake(lws* wsi) {
  Offered offered;
  const std::string authorization = header(wsi, WSI_TOKEN_HTTP_AUTHORIZATION).value_or("");
  if (const auto token = bearer_token(authorization)) offered.bearer = *token;
  std::array<char, 1024> value{};
  const auto argument = [&](const char* name) {
    return lws_get_urlarg_by_name(wsi, name, value.data(), static_cast<int>(value.size()));
  };
  // A page whose user typed in a token is that user, whoever has logged in by the same browser.
  const char* const with_cookie = argument("cookie=");
  if (with_cookie == nullptr || std::string_view(with_cookie) != "no")
    offered.cookie = session_cookie(header(wsi, WSI_TOKEN_HTTP_COOKIE).value_or(""));
  if (const char* token = argument("token=")) offered.query = token;
  return offered;
}

}  // namespace bindcast
