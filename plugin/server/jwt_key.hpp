// The key that JSON Web Tokens are verified with, and what of it fits which algorithm. An algorithm belongs to a kind
// of key, never to what a token says of itself: a public key is no secret, so it never verifies HS256. Any thread.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

struct _cjose_jwk_int;

namespace bindcast {

class JwtKey {
 public:
  static constexpr std::size_t kMaxBytes = 64 * 1024;
  static constexpr std::size_t kMinSecretBytes = 32;  // RFC 7518, 3.2
  static constexpr int kMinRsaBits = 2048;            // RFC 7518, 3.3

  // What a key file holds: PEM of a public key or certificate (RSA, P-256, Ed25519), or the bytes of a secret, one line
  // end after them being no part of it. Returns what is wrong, never what was read; then the key is as it was.
  [[nodiscard]] std::string read(std::string_view file);

  // RS256, ES256, EdDSA or HS256; empty: there is no key.
  [[nodiscard]] std::string_view algorithm() const noexcept { return algorithm_; }
  // Is `signature` (raw) that of `signed_text` by algorithm()? `compact` is the whole token, well-formed, whose header
  // names that algorithm. Throws std::bad_alloc.
  [[nodiscard]] bool verifies(const std::string& compact, std::string_view signed_text,
                              std::string_view signature) const;

 private:
  struct FreeKey {
    void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
    void operator()(_cjose_jwk_int* key) const noexcept;
  };
  [[nodiscard]] std::string take_public(std::unique_ptr<EVP_PKEY, FreeKey> key);
  [[nodiscard]] std::string take_secret(std::string_view file);

  std::string_view algorithm_;
  std::unique_ptr<EVP_PKEY, FreeKey> ed25519_;  // cjose 0.6 does not know it
  std::unique_ptr<_cjose_jwk_int, FreeKey> jwk_;
};

}  // namespace bindcast
