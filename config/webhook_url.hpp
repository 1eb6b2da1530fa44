// Where a webhook is posted to, taken apart and checked. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bindcast {

struct WebhookUrl {
  // libwebsockets 4.1 writes the request into fixed lines: a longer host would lose its line's end.
  static constexpr std::size_t kMaxHostBytes = 100;
  static constexpr std::size_t kMaxBytes = 1900;

  bool encrypted = false;
  std::string host;  // a name, or an address without brackets
  bool is_address = false;
  std::uint16_t port = 0;
  std::string authority;  // as the Host header has it
  std::string path;       // with the query; never told to anybody but the receiver: it may be a secret

  [[nodiscard]] std::string target() const { return (encrypted ? "https://" : "http://") + authority; }
};

// Empty, or what is wrong; never quotes the text.
[[nodiscard]] std::string parse_webhook_url(std::string_view text, WebhookUrl& url);

}  // namespace bindcast
