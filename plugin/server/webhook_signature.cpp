#include "plugin/server/webhook_signature.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string_view>

#include "plugin/server/small_file.hpp"

namespace bindcast {

namespace {

constexpr std::string_view kPrefix = "whsec_";

}  // namespace

WebhookSecret::~WebhookSecret() {
  OPENSSL_cleanse(key_.data(), key_.size());
}

std::string WebhookSecret::read(const std::string& path) {
  if (const std::string fault = read_small_file(path, kMaxBytes, key_); !fault.empty())
    return "the secret file " + fault;
  if (key_.ends_with('\n')) key_.pop_back();
  if (key_.ends_with('\r')) key_.pop_back();
  if (key_.starts_with(kPrefix)) return decode();
  return key_.empty() ? "the secret file is empty" : "";
}

std::string WebhookSecret::decode() {
  std::string text = key_.substr(kPrefix.size());
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  // OpenSSL skips spaces and takes '=' anywhere for zero bits.
  const bool strict =
      text.size() % 4 == 0 && text.size() > padding && text.find_first_of("= \t\r\n") >= text.size() - padding;
  const int size =
      strict ? EVP_DecodeBlock(reinterpret_cast<unsigned char*>(key_.data()),
                               reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()))
             : -1;
  OPENSSL_cleanse(text.data(), text.size());
  if (size < 0) return "the secret file's base64 after whsec_ is none";
  key_.resize(static_cast<std::size_t>(size) - padding);
  return {};
}

std::string WebhookSecret::sign(const std::string& id, std::int64_t unix_seconds, const std::string& body) const {
  const std::string content = id + "." + std::to_string(unix_seconds) + "." + body;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), reinterpret_cast<const unsigned char*>(content.data()),
       content.size(), digest, &size);
  unsigned char text[EVP_MAX_MD_SIZE * 2];
  const int length = EVP_EncodeBlock(text, digest, static_cast<int>(size));
  return "v1," + std::string(reinterpret_cast<const char*>(text), static_cast<std::size_t>(length));
}

}  // namespace bindcast
