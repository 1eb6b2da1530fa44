// Where the server is: what --url and BINDCAST_URL say. Pure.
#pragma once

#include <string>
#include <string_view>

namespace bindcast::tool {

inline constexpr std::string_view kDefaultUrl = "ws://127.0.0.1:8353";

struct ServerAddress {
  std::string url;  // as given, without anything secret
  bool encrypted = false;
  std::string unix_path;  // or
  std::string host;       // without brackets
  int port = 0;
  std::string authority;  // what goes into Host
  std::string prefix;     // of all paths, where a proxy puts the server below one
  // Reached without leaving this machine.
  [[nodiscard]] bool is_local() const;
};

// ws, wss, http and https with an optional port and path (with or without the /ws at its end), or unix:/path. Throws
// Failure (usage), which does not repeat the text where a secret may be in it.
[[nodiscard]] ServerAddress parse_server_address(std::string_view url);

}  // namespace bindcast::tool
