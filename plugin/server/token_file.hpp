// The admin token that the first start makes: `<state_dir>/bindcast.token`, mode 0600. Its path is logged, never the
// token. Loop thread only.
#pragma once

#include <string>
#include <string_view>

#include "plugin/log.hpp"

namespace bindcast {

class TokenFile {
 public:
  TokenFile(const std::string& state_dir, Log log);

  // Reads the file, or makes it, unless that was done. What is in the way is logged once; call again to try again.
  void load();
  // Is it the token, by its SHA-256? In time that does not depend on how much of it is right.
  [[nodiscard]] bool holds(std::string_view sha256) const;

 private:
  [[nodiscard]] bool read(int fd);
  [[nodiscard]] bool make();
  bool fail(const std::string& what);

  std::string path_;
  Log log_;
  std::string sha256_;  // hex; empty: there is none
  std::string said_;    // the last fault
};

}  // namespace bindcast
