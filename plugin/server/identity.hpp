// Who is asking? Tokens for now: the one made at first start, and those of the configuration. Sessions and JWT will be
// further ways inside authenticate(). Loop thread only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/options.hpp"
#include "plugin/log.hpp"

namespace bindcast {

struct User {
  std::string name;
  std::vector<std::string> roles;
  [[nodiscard]] bool has_role(std::string_view role) const;
};

class Identity {
 public:
  // Makes or reads the token file `state_dir`/bindcast.token (mode 0600) unless auth.mode is open. Its path is logged,
  // never the token. While it can be neither read nor made only the configuration's tokens count; why is logged once.
  Identity(const AuthOptions& options, const std::string& state_dir, Log log);
  void configure(const AuthOptions& options);
  // Once a second: tries again what did not work.
  void tick();

  [[nodiscard]] bool open() const noexcept { return options_.mode == AuthOptions::Mode::open; }
  [[nodiscard]] bool query_token_allowed() const noexcept { return options_.query_token; }
  // The user of mode open: everybody is admin.
  [[nodiscard]] static User anybody();
  // In time that does not depend on how much of a token is right.
  [[nodiscard]] std::optional<User> authenticate(std::string_view token) const;

 private:
  void load_generated_token();
  [[nodiscard]] bool read_generated_token(int fd);
  [[nodiscard]] bool make_generated_token();
  bool fail(const std::string& what);

  AuthOptions options_;
  std::string token_path_;
  Log log_;
  std::string generated_sha256_;  // hex; empty: there is none
  std::string said_;              // the last fault
};

// Lower-case hex.
[[nodiscard]] std::string sha256_of(std::string_view text);

}  // namespace bindcast
