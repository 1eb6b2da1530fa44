#include "tool/server_address.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "tool/failure.hpp"
#include "tool/safe_text.hpp"

namespace bindcast::tool {

namespace {

constexpr int kDefaultPort = 8353;
constexpr std::string_view kForms = "write ws://host:port, wss://host:port or unix:/path";

struct Scheme {
  std::string_view start;
  bool encrypted;
};
constexpr Scheme kSchemes[] = {{"ws://", false}, {"wss://", true}, {"http://", false}, {"https://", true}};

[[noreturn]] void refuse(const std::string& what) {
  throw Failure(Exit::usage, "the server's address " + what + "; " + std::string(kForms));
}

std::optional<int> port_from(std::string_view text) {
  int port = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (fault != std::errc() || end != text.data() + text.size() || port < 1 || port > 65535) return std::nullopt;
  return port;
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

bool ServerAddress::is_local() const {
  return !unix_path.empty() || host == "localhost" || host == "::1" || host.starts_with("127.");
}

ServerAddress parse_server_address(std::string_view url) {
  ServerAddress address;
  address.url = url;
  constexpr std::string_view kUnix = "unix:";
  if (url.starts_with(kUnix)) {
    address.unix_path = url.substr(kUnix.size());
    address.authority = "localhost";
    if (!address.unix_path.starts_with('/')) refuse("has no path that begins with /");
    return address;
  }
  const auto* scheme = std::ranges::find_if(kSchemes, [&](const Scheme& s) { return url.starts_with(s.start); });
  if (scheme == std::end(kSchemes)) refuse("has no scheme that is known");
  url.remove_prefix(scheme->start.size());
  address.encrypted = scheme->encrypted;
  if (!is_printable(url)) refuse("has characters that are none of a URL's");
  if (url.find_first_of("?#@") != url.npos) refuse("is no place for a user, a token or a query");
  std::string_view path = url.substr(std::min(url.find('/'), url.size()));
  const std::string_view authority = url.substr(0, url.size() - path.size());
  for (const std::string_view end : {"/", "/ws"})
    if (path.ends_with(end)) path.remove_suffix(end.size());
  address.prefix = path;

  const bool brackets = authority.starts_with('[');
  const std::size_t closing = brackets ? authority.find(']') : 0;
  if (closing == authority.npos) refuse("has no ] after its [");
  const std::size_t colon = authority.find(':', closing);
  address.host = brackets ? authority.substr(1, closing - 1) : authority.substr(0, colon);
  if (address.host.empty()) refuse("has no host");
  const auto port = colon == authority.npos ? kDefaultPort : port_from(authority.substr(colon + 1));
  if (!port) refuse("has a port that is none of 1 to 65535");
  address.port = *port;
  address.authority = (brackets ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
  return address;
}

}  // namespace bindcast::tool
