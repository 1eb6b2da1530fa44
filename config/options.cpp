// What an address to listen on means and how it is written.
//
// Pure; any thread.
#include "config/options.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

namespace bindcast {

bool ListenAddress::loopback() const noexcept {
  if (kind == Kind::unix_path) return true;
  if (kind == Kind::ipv4) {
    in_addr address{};
    return inet_pton(AF_INET, host.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
  }
  in6_addr address{};
  if (inet_pton(AF_INET6, host.c_str(), &address) != 1) return false;
  // ::ffff:127.0.0.1 arrives on the IPv4 loopback.
  return IN6_IS_ADDR_LOOPBACK(&address) || (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
}

std::string ListenAddress::text() const {
  switch (kind) {
    case Kind::unix_path:
      return "unix:" + host;
    case Kind::ipv6:
      return "[" + host + "]:" + std::to_string(port);
    case Kind::ipv4:
      break;
  }
  return host + ":" + std::to_string(port);
}

}  // namespace bindcast
