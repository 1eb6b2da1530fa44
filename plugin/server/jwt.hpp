// JSON Web Tokens (RFC 7519) of an issuer that the configuration trusts: signature, time, issuer, audience, and whom
// they name. Reads one key file. Loop thread only; the clock is a parameter.
//
// What a token says of how it is to be verified counts for nothing: `alg` must be the one algorithm that belongs to the
// key, `kid`, `jku`, `jwk`, `x5u` are not looked at, `crit` is refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/options.hpp"
#include "plugin/log.hpp"
#include "plugin/server/jwt_key.hpp"
#include "plugin/server/small_file.hpp"

namespace bindcast {

struct JwtClaims {
  std::string user;
  std::vector<std::string> roles;  // as it says them
  std::int64_t ends_wall_us = 0;   // the clock skew granted
};

class JwtVerifier {
 public:
  static constexpr std::int64_t kSkewSeconds = 60;
  static constexpr std::size_t kMaxBytes = 16 * 1024;
  static constexpr std::size_t kMaxRoles = 32;

  explicit JwtVerifier(Log log) : log_(std::move(log)) {}
  // Reads the key; what is wrong with it is logged once.
  void configure(const JwtOptions& options);
  // Once a second: reads the key again when its file has changed. The one in force stays until there is a good one.
  void tick();

  // Changes with the options and the key: what was verified under another is to be verified again.
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
  // Three parts with dots between them, and tokens are accepted at all: verify() has something to say about it.
  [[nodiscard]] bool concerns(std::string_view token) const noexcept;
  // Empty and `out`, or why not; without anything of the token in it.
  [[nodiscard]] std::string_view verify(std::string_view token, std::int64_t wall_us, JwtClaims& out) const;

 private:
  void read_key();

  Log log_;
  JwtOptions options_;
  JwtKey key_;
  bool usable_ = false;
  FileStamp stamp_;  // of the file when it was read
  std::string said_;
  std::uint64_t generation_ = 0;
};

}  // namespace bindcast
