#include "plugin/server/exchanges.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "plugin/server/http_headers.hpp"
#include "plugin/server/messages.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kMostArguments = 32;
constexpr std::size_t kChunkBytes = 64 * 1024;
constexpr std::size_t kChunksPerTurn = 8;
constexpr int kPatienceSeconds = 10;  // with a client that takes nothing

struct Method {
  lws_token_indexes token;
  const char* name;
};
constexpr Method kMethods[] = {{WSI_TOKEN_GET_URI, "GET"},         {WSI_TOKEN_POST_URI, "POST"},
                               {WSI_TOKEN_HEAD_URI, "HEAD"},       {WSI_TOKEN_PUT_URI, "PUT"},
                               {WSI_TOKEN_DELETE_URI, "DELETE"},   {WSI_TOKEN_PATCH_URI, "PATCH"},
                               {WSI_TOKEN_OPTIONS_URI, "OPTIONS"}, {WSI_TOKEN_CONNECT, "CONNECT"}};

std::string method_of(lws* wsi) {
  for (const Method& method : kMethods)
    if (lws_hdr_total_length(wsi, method.token) > 0) return method.name;
  return {};
}

std::vector<std::string> arguments_of(lws* wsi) {
  std::vector<std::string> arguments;
  for (std::size_t i = 0; i < kMostArguments; ++i) {
    const int length = lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, static_cast<int>(i));
    if (length <= 0) break;
    std::string text(static_cast<std::size_t>(length) + 1, '\0');
    if (lws_hdr_copy_fragment(wsi, text.data(), static_cast<int>(text.size()), WSI_TOKEN_HTTP_URI_ARGS,
                              static_cast<int>(i)) < 0)
      break;
    text.resize(static_cast<std::size_t>(length));
    arguments.push_back(std::move(text));
  }
  return arguments;
}

// A header that libwebsockets has no number for; by its lower-case name with the colon.
std::string custom_header(lws* wsi, std::string_view name) {
  const int length = lws_hdr_custom_length(wsi, name.data(), static_cast<int>(name.size()));
  if (length <= 0) return {};
  std::string text(static_cast<std::size_t>(length) + 1, '\0');
  if (lws_hdr_custom_copy(wsi, text.data(), static_cast<int>(text.size()), name.data(), static_cast<int>(name.size())) <
      0)
    return {};
  text.resize(static_cast<std::size_t>(length));
  return text;
}

std::optional<std::size_t> number(std::string_view digits) {
  std::size_t value = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || fault != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

// LWS_PRE bytes, then the status line and the headers; empty: libwebsockets cannot.
std::vector<unsigned char> head_of(lws* wsi, const HttpAnswer& answer) {
  std::size_t room = LWS_PRE + 1024;
  for (const auto& [name, value] : answer.headers) room += name.size() + value.size() + 8;
  std::vector<unsigned char> head(room);
  unsigned char* at = head.data() + LWS_PRE;
  unsigned char* end = head.data() + head.size();
  const auto add = [&](const std::string& name, std::string_view value) {
    return lws_add_http_header_by_name(wsi, reinterpret_cast<const unsigned char*>((name + ':').c_str()),
                                       reinterpret_cast<const unsigned char*>(value.data()),
                                       static_cast<int>(value.size()), &at, end) != 0;
  };
  const bool says_caching =
      std::ranges::any_of(answer.headers, [](const auto& one) { return one.first == "cache-control"; });
  // A 304 has the length of what it stands for, or none; without one libwebsockets says by itself that it closes.
  const bool says_length = answer.status != kHttpNotModified;
  const lws_filepos_t length = says_length ? answer.body.size() : LWS_ILLEGAL_HTTP_CONTENT_LEN;
  bool broken = lws_add_http_common_headers(wsi, answer.status, answer.content_type.c_str(), length, &at, end) != 0 ||
                (says_length && add("connection", "close")) || add("x-content-type-options", "nosniff") ||
                (!says_caching && add("cache-control", "no-store"));
  for (const auto& [name, value] : answer.headers) broken = broken || add(name, value);
  if (broken || lws_finalize_http_header(wsi, &at, end) != 0) return {};
  head.resize(static_cast<std::size_t>(at - head.data()));
  return head;
}

bool write_head(lws* wsi, const HttpAnswer& answer) {
  std::vector<unsigned char> head = head_of(wsi, answer);
  return !head.empty() && lws_write(wsi, head.data() + LWS_PRE, head.size() - LWS_PRE, LWS_WRITE_HTTP_HEADERS) >= 0;
}

bool write_body(lws* wsi, std::string_view part, bool last) {
  std::vector<unsigned char> chunk(LWS_PRE + part.size());
  std::ranges::copy(part, chunk.begin() + LWS_PRE);
  return lws_write(wsi, chunk.data() + LWS_PRE, part.size(), last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) >= 0;
}

}  // namespace

std::optional<std::string_view> HttpRequest::argument(std::string_view name) const {
  for (const std::string_view argument : arguments)
    if (argument.size() > name.size() && argument.starts_with(name) && argument[name.size()] == '=')
      return argument.substr(name.size() + 1);
  return std::nullopt;
}

HttpAnswer http_error(unsigned status, std::string_view message) {
  Json body(json_object());
  set(body.get(), "error", message);
  return {.status = status, .body = dump(body.get()) + "\n", .content_type = "application/json", .headers = {}};
}

HttpAnswer upgrade_required(std::string_view message) {
  HttpAnswer answer = http_error(kHttpUpgradeRequired, message);
  answer.headers.emplace_back("upgrade", "websocket");
  answer.headers.emplace_back("sec-websocket-version", kWebSocketVersion);
  return answer;
}

bool write_at_once(lws* wsi, const HttpAnswer& answer) {
  return write_head(wsi, answer) && (answer.body.empty() || write_body(wsi, answer.body, true));
}

void Exchanges::serve(std::string method, std::string path, Endpoint endpoint, std::size_t max_body) {
  served_.push_back(
      std::make_unique<Served>(Served{std::move(method), std::move(path), std::move(endpoint), max_body}));
}

// Nothing is served at `path`, or not by that method.
HttpAnswer Exchanges::refusal(std::string_view method, std::string_view path) const {
  std::string allowed, paths;
  for (const auto& served : served_) {
    if (served->path == path) allowed += (allowed.empty() ? "" : ", ") + served->method;
    if (paths.find(served->path) == std::string::npos) paths += ", " + served->path;
  }
  if (allowed.empty()) {
    if (method == "GET") return http_error(kHttpNotFound, "there is nothing here; /ws" + paths + " are");
    return http_error(kHttpMethodNotAllowed, "there is nothing here to " + std::string(method));
  }
  HttpAnswer answer = http_error(kHttpMethodNotAllowed, "only " + allowed + " is served here");
  answer.headers.emplace_back("allow", allowed);
  return answer;
}

int Exchanges::begin(lws* wsi, std::string_view path, Now now) {
  if (under_way_.contains(wsi)) return -1;  // a second request on the connection
  auto exchange = std::make_shared<Exchange>();
  under_way_.emplace(wsi, exchange);
  exchange->wsi = wsi;
  exchange->total = &held_;
  exchange->deadline_us = now.mono_us + kBodyUs;
  HttpRequest& request = exchange->request;
  request.method = method_of(wsi);
  request.path = path;
  const auto served = std::ranges::find_if(
      served_, [&](const auto& s) { return s->path == request.path && s->method == request.method; });
  const std::string length = header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH).value_or("");
  const auto body_bytes = number(length);
  exchange->inside = true;
  if (served == served_.end()) {
    answer(*exchange, refusal(request.method, path));
  } else if (!length.empty() && !body_bytes) {
    answer(*exchange, http_error(kHttpBadRequest, "Content-Length is no number"));
  } else if ((*served)->max_body != 0 && !body_bytes) {
    answer(*exchange, http_error(kHttpLengthRequired, "Content-Length is missing"));
  } else if (body_bytes.value_or(0) > (*served)->max_body) {
    answer(*exchange,
           http_error(kHttpTooLarge, "a body here has at most " + std::to_string((*served)->max_body) + " bytes"));
  } else if (body_bytes.value_or(0) > kMostBytes - std::min(held_, kMostBytes)) {
    HttpAnswer full = http_error(kHttpUnavailable, "too many requests are under way; try again");
    full.headers.emplace_back("retry-after", "1");
    answer(*exchange, std::move(full));
  } else {
    exchange->served = served->get();
    exchange->hold(body_bytes.value_or(0));
    request.arguments = arguments_of(wsi);
    request.accept = header(wsi, WSI_TOKEN_HTTP_ACCEPT).value_or("");
    request.accept_encoding = header(wsi, WSI_TOKEN_HTTP_ACCEPT_ENCODING).value_or("");
    request.if_none_match = header(wsi, WSI_TOKEN_HTTP_IF_NONE_MATCH).value_or("");
    request.authorization = header(wsi, WSI_TOKEN_HTTP_AUTHORIZATION).value_or("");
    request.cookie = header(wsi, WSI_TOKEN_HTTP_COOKIE).value_or("");
    request.content_type = header(wsi, WSI_TOKEN_HTTP_CONTENT_TYPE).value_or("");
    request.origin = header(wsi, WSI_TOKEN_ORIGIN);
    request.host = header(wsi, WSI_TOKEN_HOST);
    request.idempotency_key = custom_header(wsi, "idempotency-key:");
    request.encrypted = lws_is_ssl(wsi) != 0;
    std::array<char, 64> peer{};
    lws_get_peer_simple(wsi, peer.data(), peer.size());
    request.peer = peer.data();
    // Of a POST the end of the body is told, even of an empty one.
    if ((*served)->max_body == 0) ask(exchange, now);
  }
  exchange->inside = false;
  return exchange->answered ? write(*exchange) : 0;
}

int Exchanges::body(lws* wsi, std::string_view part) {
  const auto found = under_way_.find(wsi);
  if (found == under_way_.end()) return -1;
  Exchange& exchange = *found->second;
  if (exchange.served == nullptr || exchange.asked) return 0;
  if (exchange.request.body.size() + part.size() > exchange.served->max_body) return -1;
  exchange.request.body += part;
  return 0;
}

int Exchanges::body_complete(lws* wsi, Now now) {
  const auto found = under_way_.find(wsi);
  // Told again, it is about bytes that follow the body; libwebsockets 4.1 would tell so for ever.
  if (found == under_way_.end() || found->second->asked) return -1;
  const auto exchange = found->second;
  if (exchange->served == nullptr) return 0;
  exchange->inside = true;
  ask(exchange, now);
  exchange->inside = false;
  return exchange->answered ? write(*exchange) : 0;
}

void Exchanges::ask(const std::shared_ptr<Exchange>& exchange, Now now) {
  exchange->asked = true;
  exchange->deadline_us = now.mono_us + kAnswerUs;
  lws_set_timeout(exchange->wsi, NO_PENDING_TIMEOUT, 0);  // from here on it is not the client who is waited for
  exchange->served->endpoint(
      std::move(exchange->request),
      [this, weak = std::weak_ptr(exchange)](HttpAnswer given) {
        if (const auto waiting = weak.lock(); waiting && !waiting->answered) answer(*waiting, std::move(given));
      },
      now);
}

void Exchanges::answer(Exchange& exchange, HttpAnswer answer) {
  exchange.answer = std::move(answer);
  exchange.answered = true;
  exchange.hold(exchange.answer.body.size());
  if (!exchange.inside) lws_callback_on_writable(exchange.wsi);
}

int Exchanges::writeable(lws* wsi) {
  const auto found = under_way_.find(wsi);
  return found == under_way_.end() || !found->second->answered ? 0 : write(*found->second);
}

// Ends the connection with the last byte.
int Exchanges::write(Exchange& exchange) {
  lws* wsi = exchange.wsi;
  const std::string_view body = exchange.answer.body;
  if (!std::exchange(exchange.head_written, true) && !write_head(wsi, exchange.answer)) return -1;
  for (std::size_t chunk = 0; exchange.written < body.size(); ++chunk) {
    if (chunk == kChunksPerTurn || lws_send_pipe_choked(wsi) != 0) {
      lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, kPatienceSeconds);
      lws_callback_on_writable(wsi);
      return 0;
    }
    const std::string_view part = body.substr(exchange.written, kChunkBytes);
    exchange.written += part.size();
    if (!write_body(wsi, part, exchange.written == body.size())) return -1;
  }
  return -1;
}

void Exchanges::tick(Now now) {
  for (const auto& [wsi, exchange] : under_way_) {
    if (exchange->answered || exchange->deadline_us > now.mono_us) continue;
    answer(*exchange, exchange->asked ? http_error(kHttpUnavailable, "the answer took too long; try again")
                                      : http_error(kHttpTimeout, "the request took too long to come"));
  }
}

}  // namespace bindcast
