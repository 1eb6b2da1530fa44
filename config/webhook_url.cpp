#include "config/webhook_url.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace bindcast {

namespace {

bool is_address(int family, const std::string& host) {
  unsigned char bytes[sizeof(in6_addr)];
  return inet_pton(family, host.c_str(), bytes) == 1;
}

bool take_scheme(std::string_view& text, std::string_view scheme) {
  if (text.size() < scheme.size()) return false;
  const bool same = std::ranges::equal(text.substr(0, scheme.size()), scheme,
                                       [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
  if (same) text.remove_prefix(scheme.size());
  return same;
}

bool is_name(std::string_view host) {
  if (host.empty() || host.front() == '.' || host.find("..") != std::string_view::npos) return false;
  const bool known = std::ranges::all_of(
      host, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_'; });
  if (!known) return false;
  // "127.1" and "0x7f000001" would be taken for addresses by the resolver.
  const auto last = host.substr(host.rfind('.') == std::string_view::npos ? 0 : host.rfind('.') + 1);
  return last.empty() || std::isdigit(static_cast<unsigned char>(last.front())) == 0;
}

}  // namespace

std::string parse_webhook_url(std::string_view text, WebhookUrl& url) {
  url = {};
  if (text.size() > WebhookUrl::kMaxBytes) return "the URL is longer than " + std::to_string(WebhookUrl::kMaxBytes);
  if (!std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c < 0x7f; }))
    return "the URL has a space, a control or a non-ASCII character";
  if (take_scheme(text, "https://"))
    url.encrypted = true;
  else if (!take_scheme(text, "http://"))
    return "the URL begins with neither http:// nor https://";

  text = text.substr(0, text.find('#'));
  const std::size_t authority_end = std::min(text.find_first_of("/?"), text.size());
  std::string_view authority = text.substr(0, authority_end);
  url.path = text.substr(authority_end);
  if (url.path.empty() || url.path.front() != '/') url.path.insert(0, 1, '/');

  if (authority.find('@') != std::string_view::npos) return "the URL names a user, which is not supported";
  std::string_view port;
  bool has_port = false;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return "the URL's IPv6 address has no end";
    url.host = authority.substr(1, end - 1);
    if (!is_address(AF_INET6, url.host)) return "the URL's IPv6 address is none";
    url.is_address = true;
    port = authority.substr(end + 1);
    if (!port.empty() && port.front() != ':') return "the URL has text after its IPv6 address";
    has_port = !port.empty();
    if (has_port) port.remove_prefix(1);
  } else {
    const std::size_t colon = authority.find(':');
    has_port = colon != std::string_view::npos;
    if (has_port) port = authority.substr(colon + 1);
    url.host = authority.substr(0, colon);
    if (url.host.empty()) return "the URL has no host";
    if (url.host.size() > WebhookUrl::kMaxHostBytes)
      return "the URL's host is longer than " + std::to_string(WebhookUrl::kMaxHostBytes);
    url.is_address = is_address(AF_INET, url.host);
    if (!url.is_address && !is_name(url.host)) return "the URL's host is neither a name nor an address";
  }
  const std::uint16_t usual = url.encrypted ? 443 : 80;
  url.port = usual;
  if (has_port) {
    const auto [end, fault] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (fault != std::errc() || end != port.data() + port.size() || url.port == 0)
      return "the URL's port is not from 1 to 65535";
  }
  url.authority = authority.starts_with('[') ? "[" + url.host + "]" : url.host;
  if (url.port != usual) url.authority += ":" + std::to_string(url.port);
  return {};
}

}  // namespace bindcast
