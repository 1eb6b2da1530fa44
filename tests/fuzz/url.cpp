// A webhook's URL: what is accepted can be put into a request as it is, and is the same when it is read again.
#include "config/values.hpp"
#include "config/webhook_url.hpp"
#include "fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bindcast;
  using fuzz::require;
  const std::string text(reinterpret_cast<const char*>(data), size);
  WebhookUrl url;
  const std::string fault = parse_webhook_url(text, url);
  require(http_url(text).empty() == fault.empty(), "named-checkconf refuses what cannot be posted to", fault);
  // A configuration is UTF-8 before its values are looked at.
  if (const std::string wrong = origin_text(text); !wrong.empty() && fuzz::is_utf8(text))
    fuzz::require_line(wrong, 400);
  if (!fault.empty()) {
    fuzz::require_line(fault, 200);
    return 0;
  }
  const auto printable = [](std::string_view part) {
    return std::ranges::all_of(part, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  };
  require(!url.host.empty() && url.host.size() <= WebhookUrl::kMaxHostBytes && printable(url.host), "a host", url.host);
  require(url.host.find_first_of("/?#@") == std::string::npos, "a host is no more than that", url.host);
  require(url.port != 0, "a port");
  require(url.path.starts_with('/') && url.path.size() <= WebhookUrl::kMaxBytes + 1 && printable(url.path), "a path",
          url.path);
  require(url.path.find('#') == std::string::npos, "a fragment stays here", url.path);
  require(url.authority.size() <= WebhookUrl::kMaxHostBytes + 8 && printable(url.authority), "an authority");
  if (url.target().size() + url.path.size() > WebhookUrl::kMaxBytes) return 0;
  WebhookUrl again;
  require(parse_webhook_url(url.target() + url.path, again).empty(), "what was made of a URL is one", url.target());
  require(again.host == url.host && again.port == url.port && again.encrypted == url.encrypted &&
              again.is_address == url.is_address && again.path == url.path && again.authority == url.authority,
          "what was made of a URL says the same", url.target());
  return 0;
}
