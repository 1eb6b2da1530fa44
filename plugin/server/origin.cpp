#include "plugin/server/origin.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "plugin/server/http_headers.hpp"

namespace bindcast {

namespace {

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

}  // namespace

bool origin_allowed(const std::optional<std::string>& origin, const std::optional<std::string>& host,
                    const std::vector<std::string>& allowed) {
  if (!origin) return true;
  if (std::ranges::any_of(allowed, [&](const std::string& o) { return equal_without_case(o, *origin); })) return true;
  if (!host || !is_address_or_localhost(host_part(*host))) return false;
  return equal_without_case(*origin, "http://" + *host) || equal_without_case(*origin, "https://" + *host);
}

}  // namespace bindcast
