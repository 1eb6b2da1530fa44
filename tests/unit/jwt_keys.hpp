// Keys and JSON Web Tokens for tests, made with OpenSSL alone.
#pragma once

#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>

#include "plugin/server/secret.hpp"

namespace bindcast::test {

struct Key {
  EVP_PKEY* pair;
  explicit Key(EVP_PKEY* made) : pair(made) {}
  ~Key() { EVP_PKEY_free(pair); }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;

  [[nodiscard]] std::string pem(bool secret = false) const {
    BIO* out = BIO_new(BIO_s_mem());
    if (secret)
      PEM_write_bio_PrivateKey(out, pair, nullptr, nullptr, 0, nullptr, nullptr);
    else
      PEM_write_bio_PUBKEY(out, pair);
    char* text = nullptr;
    const long size = BIO_get_mem_data(out, &text);
    const std::string pem(text, static_cast<std::size_t>(size));
    BIO_free(out);
    return pem;
  }
  [[nodiscard]] std::string der() const {
    unsigned char* bytes = nullptr;
    const int size = i2d_PUBKEY(pair, &bytes);
    const std::string der(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    return der;
  }
  // As JWS has it: of ECDSA both numbers, 32 bytes each.
  [[nodiscard]] std::string sign(const std::string& text) const {
    const bool pure = EVP_PKEY_is_a(pair, "ED25519") == 1;
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    std::string signature(1024, '\0');
    std::size_t size = signature.size();
    EVP_DigestSignInit(context, nullptr, pure ? nullptr : EVP_sha256(), nullptr, pair);
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                   reinterpret_cast<const unsigned char*>(text.data()), text.size());
    EVP_MD_CTX_free(context);
    signature.resize(size);
    if (EVP_PKEY_is_a(pair, "EC") != 1) return signature;
    const auto* at = reinterpret_cast<const unsigned char*>(signature.data());
    ECDSA_SIG* numbers = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size));
    std::string raw(64, '\0');
    BN_bn2binpad(ECDSA_SIG_get0_r(numbers), reinterpret_cast<unsigned char*>(raw.data()), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(numbers), reinterpret_cast<unsigned char*>(raw.data()) + 32, 32);
    ECDSA_SIG_free(numbers);
    return raw;
  }
};

inline std::string hmac(const std::string& secret, const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return {reinterpret_cast<char*>(digest), size};
}

// The parts as JSON text; `sign` gives the raw signature of what is signed.
template <typename Sign>
std::string make_jwt(const std::string& header, const std::string& claims, Sign&& sign) {
  const std::string text = base64url(header) + "." + base64url(claims);
  return text + "." + base64url(sign(text));
}

}  // namespace bindcast::test
