// Signs a webhook as the Standard Webhooks specification says (symmetric, "v1"). Any thread; reads a file.
#pragma once

#include <cstdint>
#include <string>

namespace bindcast {

// The key of a delivery. Read each time, so that a new one is in force at once; wiped at the end.
class WebhookSecret {
 public:
  static constexpr std::size_t kMaxBytes = 4096;

  WebhookSecret() = default;
  ~WebhookSecret();
  WebhookSecret(const WebhookSecret&) = delete;
  WebhookSecret& operator=(const WebhookSecret&) = delete;

  // The file holds "whsec_" and base64, or the key's bytes; one line end after it is no part of it. Empty, or what is
  // wrong (never what was read).
  [[nodiscard]] std::string read(const std::string& path);
  // The value of webhook-signature.
  [[nodiscard]] std::string sign(const std::string& id, std::int64_t unix_seconds, const std::string& body) const;

 private:
  [[nodiscard]] std::string decode();
  std::string key_;
};

}  // namespace bindcast
