// Reading the headers of a request that libwebsockets has parsed.
#pragma once

#include <libwebsockets.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <string_view>

namespace bindcast {

// Only inside the callbacks that come before the first byte of a body, or of a WebSocket frame.
inline std::optional<std::string> header(lws* wsi, lws_token_indexes token) {
  const int length = lws_hdr_total_length(wsi, token);
  if (length <= 0) return std::nullopt;
  std::string text(static_cast<std::size_t>(length) + 1, '\0');
  if (lws_hdr_copy(wsi, text.data(), static_cast<int>(text.size()), token) < 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(length));
  return text;
}

inline bool equal_without_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// The token of "Bearer <token>".
inline std::optional<std::string_view> bearer_token(std::string_view authorization) {
  constexpr std::string_view kBearer = "Bearer ";
  if (authorization.size() <= kBearer.size() || !equal_without_case(authorization.substr(0, kBearer.size()), kBearer))
    return std::nullopt;
  return authorization.substr(kBearer.size());
}

}  // namespace bindcast
