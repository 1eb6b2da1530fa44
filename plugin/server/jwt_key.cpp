#include "plugin/server/jwt_key.hpp"

#include <cjose/cjose.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <new>
#include <utility>
#include <vector>

#include "plugin/json_parse.hpp"

namespace bindcast {

namespace {

using Bytes = std::vector<std::uint8_t>;

struct FreeBio {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};

EVP_PKEY* read_pem(std::string_view file) {
  const auto source = [&] {
    return std::unique_ptr<BIO, FreeBio>(BIO_new_mem_buf(file.data(), static_cast<int>(file.size())));
  };
  if (EVP_PKEY* key = PEM_read_bio_PUBKEY(source().get(), nullptr, nullptr, nullptr)) return key;
  X509* certificate = PEM_read_bio_X509(source().get(), nullptr, nullptr, nullptr);
  EVP_PKEY* key = certificate == nullptr ? nullptr : X509_get_pubkey(certificate);
  X509_free(certificate);
  return key;
}

// Whatever else a public key comes in: the secret of HS256 must be none that others may know.
bool is_public_key(std::string_view file) {
  if (file.find("-----BEGIN") != std::string_view::npos || file.starts_with("ssh-") || file.starts_with("ecdsa-") ||
      file.starts_with('{'))
    return true;
  const auto* at = reinterpret_cast<const unsigned char*>(file.data());
  EVP_PKEY* key = d2i_PUBKEY(nullptr, &at, static_cast<long>(file.size()));
  at = reinterpret_cast<const unsigned char*>(file.data());
  X509* certificate = key != nullptr ? nullptr : d2i_X509(nullptr, &at, static_cast<long>(file.size()));
  const bool found = key != nullptr || certificate != nullptr;
  EVP_PKEY_free(key);
  X509_free(certificate);
  return found;
}

Bytes number_of(const EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &number) != 1) throw std::bad_alloc();
  Bytes bytes(static_cast<std::size_t>(BN_num_bytes(number)));
  BN_bn2bin(number, bytes.data());
  BN_free(number);
  return bytes;
}

}  // namespace

void JwtKey::FreeKey::operator()(_cjose_jwk_int* key) const noexcept {
  cjose_jwk_release(key);
}

std::string JwtKey::read(std::string_view file) {
  std::unique_ptr<EVP_PKEY, FreeKey> key(read_pem(file));
  if (key) return take_public(std::move(key));
  ERR_clear_error();
  if (file.find("PRIVATE KEY-----") != std::string_view::npos)
    return "holds a private key; give the public one (`openssl pkey -pubout`)";
  const bool is_public = is_public_key(file);
  ERR_clear_error();
  if (is_public) return "holds no public key or certificate in PEM, and a public key in another form is no secret";
  return take_secret(file);
}

std::string JwtKey::take_public(std::unique_ptr<EVP_PKEY, FreeKey> key) {
  if (EVP_PKEY_is_a(key.get(), "ED25519") == 1) {
    jwk_.reset();
    ed25519_ = std::move(key);
    algorithm_ = "EdDSA";
    return {};
  }
  cjose_err fault{};
  std::unique_ptr<_cjose_jwk_int, FreeKey> made;
  std::string_view algorithm;
  if (EVP_PKEY_is_a(key.get(), "RSA") == 1) {
    if (EVP_PKEY_get_bits(key.get()) < kMinRsaBits)
      return "holds an RSA key of less than " + std::to_string(kMinRsaBits) + " bits";
    Bytes e = number_of(key.get(), OSSL_PKEY_PARAM_RSA_E), n = number_of(key.get(), OSSL_PKEY_PARAM_RSA_N);
    cjose_jwk_rsa_keyspec spec{};
    spec.e = e.data();
    spec.elen = e.size();
    spec.n = n.data();
    spec.nlen = n.size();
    made.reset(cjose_jwk_create_RSA_spec(&spec, &fault));
    algorithm = "RS256";
  } else if (char group[64] = ""; EVP_PKEY_is_a(key.get(), "EC") == 1 &&
                                  EVP_PKEY_get_group_name(key.get(), group, sizeof group, nullptr) == 1 &&
                                  std::string_view(group) == "prime256v1") {
    Bytes x = number_of(key.get(), OSSL_PKEY_PARAM_EC_PUB_X), y = number_of(key.get(), OSSL_PKEY_PARAM_EC_PUB_Y);
    cjose_jwk_ec_keyspec spec{};
    spec.crv = CJOSE_JWK_EC_P_256;
    spec.x = x.data();
    spec.xlen = x.size();
    spec.y = y.data();
    spec.ylen = y.size();
    made.reset(cjose_jwk_create_EC_spec(&spec, &fault));
    algorithm = "ES256";
  } else {
    return "holds a key of another kind than RSA, P-256 or Ed25519";
  }
  if (!made) return std::string("cannot be used: ") + fault.message;
  ed25519_.reset();
  jwk_ = std::move(made);
  algorithm_ = algorithm;
  return {};
}

std::string JwtKey::take_secret(std::string_view file) {
  if (file.ends_with('\n')) file.remove_suffix(1);
  if (file.ends_with('\r')) file.remove_suffix(1);
  if (file.size() < kMinSecretBytes) return "holds a secret of less than " + std::to_string(kMinSecretBytes) + " bytes";
  cjose_err fault{};
  std::unique_ptr<_cjose_jwk_int, FreeKey> made(
      cjose_jwk_create_oct_spec(reinterpret_cast<const std::uint8_t*>(file.data()), file.size(), &fault));
  if (!made) return std::string("cannot be used: ") + fault.message;
  ed25519_.reset();
  jwk_ = std::move(made);
  algorithm_ = "HS256";
  return {};
}

bool JwtKey::verifies(const std::string& compact, std::string_view signed_text, std::string_view signature) const {
  bool right = false;
  if (ed25519_) {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    if (context == nullptr) throw std::bad_alloc();
    right = EVP_DigestVerifyInit(context, nullptr, nullptr, nullptr, ed25519_.get()) == 1 &&
            EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                             reinterpret_cast<const unsigned char*>(signed_text.data()), signed_text.size()) == 1;
    EVP_MD_CTX_free(context);
  } else if (jwk_) {
    with_json_reserve(compact.size(), [&] {  // cjose parses the header once more
      cjose_err fault{};
      cjose_jws_t* token = cjose_jws_import(compact.data(), compact.size(), &fault);
      right = token != nullptr && cjose_jws_verify(token, jwk_.get(), &fault);
      cjose_jws_release(token);
    });
  }
  ERR_clear_error();
  return right;
}

}  // namespace bindcast
