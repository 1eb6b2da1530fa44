// The HTTP side of the listener: who may upgrade to a WebSocket, liveness, status.

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "plugin/server/server.hpp"
#include "plugin/server/statistics_json.hpp"
#include "plugin/version.hpp"

namespace bindcast {

namespace {

constexpr std::string_view kWebSocketPaths[] = {"/ws", "/api/websocket/ws"};
constexpr unsigned kUpgradeRequired = 426;
constexpr std::string_view kWebSocketVersion = "13";
constexpr std::size_t kMostSubprotocolBytes = 126;  // of the list that libwebsockets reads

std::optional<std::string> header(lws* wsi, lws_token_indexes token) {
  const int length = lws_hdr_total_length(wsi, token);
  if (length <= 0) return std::nullopt;
  std::string text(static_cast<std::size_t>(length) + 1, '\0');
  if (lws_hdr_copy(wsi, text.data(), static_cast<int>(text.size()), token) < 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(length));
  return text;
}

// Such a request is not followed by another one: nobody here reads its body, and libwebsockets 4.1 would spin on one
// that is announced by a request that was sent together with the one before it.
bool may_carry_body(lws* wsi) {
  return lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) <= 0 ||
         lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0 ||
         lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0;
}

bool equal_without_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

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

// "host", "host:port", "[v6]:port" without the port.
std::string_view host_part(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, std::min(authority.find(']') + 1, authority.size()));
  return authority.substr(0, authority.find(':'));
}

bool is_address_or_localhost(std::string_view host) {
  if (equal_without_case(host, "localhost")) return true;
  std::array<unsigned char, 16> bytes{};
  if (host.starts_with('[') && host.ends_with(']'))
    return inet_pton(AF_INET6, std::string(host.substr(1, host.size() - 2)).c_str(), bytes.data()) == 1;
  return inet_pton(AF_INET, std::string(host).c_str(), bytes.data()) == 1;
}

Json error_body(std::string_view message) {
  Json body(json_object());
  set(body.get(), "error", message);
  return body;
}

}  // namespace

// A page may connect from where it was served: its origin is our own host and port. A name as host counts only when the
// configuration allows it, because any name can be made to resolve to our address (DNS rebinding). Clients that are no
// browsers send no origin.
bool Server::origin_allowed(lws* wsi) const {
  const auto origin = header(wsi, WSI_TOKEN_ORIGIN);
  if (!origin) return true;
  const auto& allowed = shared_.options.server.allowed_origins;
  if (std::ranges::any_of(allowed, [&](const std::string& o) { return equal_without_case(o, *origin); })) return true;
  const auto host = header(wsi, WSI_TOKEN_HOST);
  if (!host || !is_address_or_localhost(host_part(*host))) return false;
  return equal_without_case(*origin, "http://" + *host) || equal_without_case(*origin, "https://" + *host);
}

// What a handshake must have (RFC 6455 4.2.1). libwebsockets would take any version and key, and ends the connection
// without an answer where something is missing.
std::optional<Server::Refusal> Server::refusal_of_upgrade(lws* wsi) const {
  const auto fault = [](std::string_view reason) { return Refusal{HTTP_STATUS_BAD_REQUEST, reason}; };
  const auto path = header(wsi, WSI_TOKEN_GET_URI);
  if (!path) return Refusal{HTTP_STATUS_METHOD_NOT_ALLOWED, "only GET is served here"};
  if (std::ranges::find(kWebSocketPaths, *path) == std::end(kWebSocketPaths))
    return Refusal{HTTP_STATUS_NOT_FOUND, "the WebSocket is at /ws"};
  const auto upgrade = header(wsi, WSI_TOKEN_UPGRADE);
  if (!upgrade || !equal_without_case(*upgrade, "websocket")) return fault("an upgrade can only be to websocket");
  if (header(wsi, WSI_TOKEN_HTTP) != "HTTP/1.1") return fault("an upgrade wants HTTP/1.1");
  if (!header(wsi, WSI_TOKEN_HOST)) return fault("Host is missing");
  const auto is_upgrade = [](std::string_view token) { return equal_without_case(token, "upgrade"); };
  if (!any_token(header(wsi, WSI_TOKEN_CONNECTION).value_or(""), is_upgrade))
    return fault("Connection: Upgrade is missing");
  if (header(wsi, WSI_TOKEN_VERSION) != kWebSocketVersion)
    return Refusal{kUpgradeRequired, "Sec-WebSocket-Version must be 13"};
  if (!is_websocket_key(header(wsi, WSI_TOKEN_KEY).value_or("")))
    return fault("Sec-WebSocket-Key must be 16 bytes in base64");
  if (const auto offered = header(wsi, WSI_TOKEN_PROTOCOL)) {
    const auto is_known = [](std::string_view token) {
      return std::ranges::any_of(kProtocols, [token](const lws_protocols& p) { return p.name && token == p.name; });
    };
    if (offered->size() > kMostSubprotocolBytes || !any_token(*offered, is_known))
      return fault("of Sec-WebSocket-Protocol, bindcast.v1.json, bindcast.v1.deflate and cloudevents.json are known");
  }
  if (!origin_allowed(wsi)) return Refusal{HTTP_STATUS_FORBIDDEN, "server.allowed_origins does not have this Origin"};
  return std::nullopt;
}

// The value for libwebsockets of LWS_CALLBACK_HTTP_CONFIRM_UPGRADE.
int Server::confirm_upgrade(lws* wsi) {
  // Of an Upgrade that libwebsockets does not know it has answered, and forgotten the headers, by now.
  if (!header(wsi, WSI_TOKEN_UPGRADE)) return -1;
  const auto refusal = refusal_of_upgrade(wsi);
  if (!refusal) return 0;
  write_answer(wsi, refusal->status, error_body(refusal->reason));
  return -1;
}

std::optional<std::string> Server::offered_token(lws* wsi) const {
  constexpr std::string_view kBearer = "Bearer ";
  const auto authorization = header(wsi, WSI_TOKEN_HTTP_AUTHORIZATION);
  if (authorization && authorization->size() > kBearer.size() &&
      equal_without_case(std::string_view(*authorization).substr(0, kBearer.size()), kBearer))
    return authorization->substr(kBearer.size());
  if (identity_.query_token_allowed()) {
    std::array<char, 1024> value{};
    if (const char* token = lws_get_urlarg_by_name(wsi, "token=", value.data(), static_cast<int>(value.size())))
      return std::string(token);
  }
  return std::nullopt;
}

bool Server::may_read_status(lws* wsi) const {
  if (identity_.open()) return true;
  const auto token = offered_token(wsi);
  const auto user = token ? identity_.authenticate(*token) : std::nullopt;
  return user && user->may_watch();
}

bool Server::write_answer(lws* wsi, unsigned status, const Json& body) {
  const std::string text = dump(body.get()) + "\n";
  std::vector<unsigned char> buffer(LWS_PRE + 1024 + text.size());
  unsigned char* start = buffer.data() + LWS_PRE;
  unsigned char* at = start;
  unsigned char* end = buffer.data() + buffer.size();
  const auto add = [&](const char* name, std::string_view value) {
    return lws_add_http_header_by_name(wsi, reinterpret_cast<const unsigned char*>(name),
                                       reinterpret_cast<const unsigned char*>(value.data()),
                                       static_cast<int>(value.size()), &at, end) != 0;
  };
  if (lws_add_http_common_headers(wsi, status, "application/json", text.size(), &at, end) != 0 ||
      add("cache-control:", "no-store") || add("x-content-type-options:", "nosniff") ||
      (status == kUpgradeRequired &&
       (add("upgrade:", "websocket") || add("sec-websocket-version:", kWebSocketVersion))) ||
      lws_finalize_write_http_header(wsi, start, &at, end) != 0)
    return false;
  std::copy(text.begin(), text.end(), start);
  return lws_write(wsi, start, text.size(), LWS_WRITE_HTTP_FINAL) >= 0;
}

int Server::answer(lws* wsi, unsigned status, const Json& body) {
  if (!write_answer(wsi, status, body)) return -1;
  return may_carry_body(wsi) || lws_http_transaction_completed(wsi) != 0 ? -1 : 0;
}

int Server::http(lws* wsi, std::string_view path, Now now) {
  if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) <= 0)
    return answer(wsi, HTTP_STATUS_METHOD_NOT_ALLOWED, error_body("only GET is served here"));
  if (path == "/healthz") {
    Json body(json_object());
    set(body.get(), "status", "ok");
    return answer(wsi, HTTP_STATUS_OK, body);
  }
  if (path == "/api/v1/status") {
    if (!may_read_status(wsi))
      return answer(wsi, HTTP_STATUS_UNAUTHORIZED, error_body("wants Authorization: Bearer with a valid token"));
    return answer(wsi, HTTP_STATUS_OK, status(now));
  }
  if (std::ranges::find(kWebSocketPaths, path) != std::end(kWebSocketPaths))
    return answer(wsi, kUpgradeRequired, error_body("this is a WebSocket: ask for an upgrade"));
  return answer(wsi, HTTP_STATUS_NOT_FOUND, error_body("there is nothing here; /ws, /healthz and /api/v1/status are"));
}

Json Server::status(Now now) const {
  const Hub& hub = shared_.hub;
  const Statistics& statistics = shared_.hub.statistics();
  Json body(json_object());
  json_t* o = body.get();
  set(o, "version", kVersion);
  set(o, "host", hub.identity().host);
  set(o, "service", hub.identity().service);
  set(o, "epoch", hub.identity().epoch);
  set(o, "offset", hub.last_offset());
  set(o, "uptime_seconds", static_cast<std::uint64_t>((now.mono_us - statistics.started_us) / 1'000'000));
  set(o, "events_emitted", statistics.events_emitted);
  set(o, "events_processed", statistics.events_processed);
  set(o, "events_filtered", statistics.events_filtered);
  set(o, "events_failed", statistics.events_failed);
  set_json(o, "events_per_second", Json(json_real(statistics.events_per_second)));
  auto dropped = statistics.dropped;
  dropped[static_cast<std::size_t>(DropReason::queue_overflow)] = channels_.statistics().dropped;
  set_json(o, "events_dropped", by_reason_json(dropped));
  set(o, "faults", hub.faults().count());
  set(o, "connections", std::uint64_t{connections_.size()});
  set(o, "connections_turned_away", turned_away_);
  set(o, "channels", std::uint64_t{channels_.all().size()});
  set_json(o, "delivery", delivery_json(channels_.statistics()));
  set_json(o, "alerts", escalations_.statistics_json());
  set_json(o, "webhooks", webhooks_json(webhooks_.counters(), webhooks_.pending()));
  set(o, "held_bytes", std::uint64_t{channels_.queues().held});
  set_json(o, "loop_busy_us", histogram_json(channels_.loop_busy_us()));
  const double drained = static_cast<double>(statistics.drained_events);
  const double each = drained > 0 ? static_cast<double>(statistics.drained_us) / drained : 0;
  set_json(o, "processing_us_per_event", Json(json_real(each)));
  set_json(o, "hook_ns", histogram_json(statistics.hook_ns));
  set(o, "frame_cache_bytes", std::uint64_t{channels_.queues().writer.cache().bytes()});
  set(o, "frame_cache_hits", channels_.queues().writer.cache().hits());
  Json listeners(json_array()), failing(json_array());
  for (const Listener& listener : listeners_) {
    if (listener.acceptor) {
      append(listeners.get(), json_text(listener.acceptor->bound().text()));
      continue;
    }
    Json entry(json_object());
    set(entry.get(), "address", listener.address.text());
    set(entry.get(), "fault", listener.fault);
    append(failing.get(), std::move(entry));
  }
  set_json(o, "listeners", std::move(listeners));
  set_json(o, "listeners_failing", std::move(failing));
  return body;
}

}  // namespace bindcast
