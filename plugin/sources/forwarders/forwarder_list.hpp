// Which forwarders there are, and where they are used: read from named.conf's statements and from our own
// configuration. Pure but for the names of network interfaces in link-local addresses; any thread.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin/changes/configuration_diff.hpp"

namespace bindcast {

struct Forwarder {
  std::string server;  // its address, as people write it: "192.0.2.1", "192.0.2.1:5300", "[2001:db8::1]:5300"
  sockaddr_storage address{};
  bool tls = false;  // asked over TLS
  // The statements that name it, the first kMostScopes: `options`, `view "inside"`, `zone "example.com"`,
  // `view "x".zone "y"`, or `sources.forwarders.servers`.
  std::vector<std::string> scopes;
  std::size_t more_scopes = 0;
};

class ForwarderList {
 public:
  static constexpr std::size_t kMostScopes = 16;

  // Adds what named forwards to, and the servers of sources.forwarders.servers: each address, port and transport once.
  void add_forwarders(const Statements& statements);
  void add_servers(const std::vector<std::string>& servers);
  void add(const ForwarderList& others);

  // In the order in which they were added.
  [[nodiscard]] const std::vector<Forwarder>& all() const noexcept { return all_; }

 private:
  void add_list(std::string_view value, std::uint16_t default_port, const std::string& scope);
  Forwarder& find_or_add(Forwarder&& forwarder);
  static void add_scope(Forwarder& forwarder, const std::string& scope);

  std::vector<Forwarder> all_;
  std::map<std::pair<std::string, bool>, std::size_t> places_;  // by address and transport
};

}  // namespace bindcast
