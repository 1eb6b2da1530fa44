// One HTTP request and its answer, without a socket: what an endpoint is given and gives. Loop thread only.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin/clock.hpp"

namespace bindcast {

enum HttpStatus : unsigned {
  kHttpOk = 200,
  kHttpCreated = 201,
  kHttpAccepted = 202,
  kHttpMultiStatus = 207,
  kHttpNotModified = 304,
  kHttpBadRequest = 400,
  kHttpUnauthorized = 401,
  kHttpForbidden = 403,
  kHttpNotFound = 404,
  kHttpMethodNotAllowed = 405,
  kHttpTimeout = 408,
  kHttpConflict = 409,
  kHttpLengthRequired = 411,
  kHttpTooLarge = 413,
  kHttpUnsupportedMediaType = 415,
  kHttpUnprocessable = 422,
  kHttpUpgradeRequired = 426,
  kHttpTooManyRequests = 429,
  kHttpInternalError = 500,
  kHttpUnavailable = 503
};

struct HttpRequest {
  std::string method;  // GET or POST
  std::string path;
  std::vector<std::string> arguments;  // of the query, decoded: "name=value"
  std::string authorization;           // headers; empty: not there
  std::string cookie;
  std::string accept, accept_encoding;
  std::string if_none_match;
  std::string content_type;
  std::optional<std::string> origin, host;
  std::string idempotency_key;
  std::string peer;        // the client's address
  bool encrypted = false;  // came by TLS
  std::string body;

  [[nodiscard]] std::optional<std::string_view> argument(std::string_view name) const;
};

struct HttpAnswer {
  unsigned status = kHttpOk;
  std::string body;
  std::string content_type = "application/json";
  // More of them, by lower-case names; no line breaks. An answer without `cache-control` is not to be stored by
  // anybody.
  std::vector<std::pair<std::string, std::string>> headers;
};

// {"error": message}
[[nodiscard]] HttpAnswer http_error(unsigned status, std::string_view message);
// The same with 426, and what is to be upgraded to.
[[nodiscard]] HttpAnswer upgrade_required(std::string_view message);
inline constexpr std::string_view kWebSocketVersion = "13";

// To be called once, now or later, on the loop thread; more often it does nothing, nor when the client is gone. A
// request that nobody answers is ended after Exchanges::kAnswerUs.
using Reply = std::function<void(HttpAnswer)>;
using Endpoint = std::function<void(HttpRequest&&, const Reply&, Now)>;

}  // namespace bindcast
