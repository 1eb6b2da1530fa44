#include "plugin/server/session_cookie.hpp"

#include <algorithm>

namespace bindcast {

namespace {

constexpr std::string_view kName = "bindcast_session=";

}  // namespace

std::optional<std::string> session_cookie(std::string_view header) {
  while (!header.empty()) {
    const std::size_t end = std::min(header.find(';'), header.size());
    std::string_view pair = header.substr(0, end);
    header.remove_prefix(std::min(end + 1, header.size()));
    pair.remove_prefix(std::min(pair.find_first_not_of(' '), pair.size()));
    if (pair.starts_with(kName) && pair.size() > kName.size()) return std::string(pair.substr(kName.size()));
  }
  return std::nullopt;
}

std::string set_session_cookie(std::string_view token, std::int64_t seconds, bool encrypted) {
  return std::string(kName) + std::string(token) + "; Max-Age=" + std::to_string(seconds) +
         "; Path=/; HttpOnly; SameSite=Strict" + (encrypted ? "; Secure" : "");
}

}  // namespace bindcast
