// How a command gets at the server: where it is, what is trusted, and with which token.
#pragma once

#include <optional>
#include <string>

#include "tool/server_address.hpp"

namespace bindcast::tool {

// What the options of every command that talks to a server say.
struct Access {
  std::string url;         // empty: BINDCAST_URL, else kDefaultUrl
  std::string token_file;  // empty: BINDCAST_TOKEN, else the session that login has made, else kNamedTokenFile
  std::string ca_file;     // PEM; empty: the system's authorities
  bool insecure = false;
  bool says_token = true;

  [[nodiscard]] ServerAddress server() const;
  // The token to say to that server, read anew at each call, because files change; nothing: there is none. Throws
  // Failure when there is one that cannot be read, or that would go over the network for all to read.
  [[nodiscard]] std::optional<std::string> token(const ServerAddress& server) const;
};

// Where named puts the token that it makes itself.
inline constexpr const char* kNamedTokenFile = "/var/cache/bind/bindcast.token";

// A file of this user's own, below $XDG_STATE_HOME/bindcast; the folder is made (0700) where `make` says so.
[[nodiscard]] std::string state_file(const std::string& name, const ServerAddress& server, bool make);

// The first line of a file; nothing when there is no such file, Failure when it cannot be read.
[[nodiscard]] std::optional<std::string> first_line(const std::string& path);
// Puts a file with one line in its place, whole, for its owner alone. Throws Failure.
void write_line(const std::string& path, const std::string& line);

}  // namespace bindcast::tool
