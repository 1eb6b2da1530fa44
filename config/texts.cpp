// Texts that must follow a rule: names, addresses, expressions, and how a text is quoted in YAML.
//
// See values.hpp. Rules for secrets never repeat the secret.
#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "config/values.hpp"
#include "config/webhook_url.hpp"
#include "events/dns_text.hpp"
#include "events/network.hpp"

namespace bindcast {

namespace {

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kHexDigits = "0123456789abcdefABCDEF";
constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

bool only(std::string_view text, std::initializer_list<std::string_view> sets) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return std::any_of(sets.begin(), sets.end(), [&](std::string_view set) { return set.find(c) != set.npos; });
  });
}

bool control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

bool printable_ascii(char c) {
  return c > 0x20 && c < 0x7f;
}

constexpr std::string_view kNoControls = "control characters and line breaks are refused";

std::string quoted(std::string_view text) {
  return "\"" + shown(text) + "\"";
}

// The canonical text of an address of that family; empty when it is none.
std::string canonical_address(int family, std::string_view text) {
  std::array<unsigned char, sizeof(in6_addr)> binary{};
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  const std::string terminated(text);
  if (inet_pton(family, terminated.c_str(), binary.data()) != 1) return {};
  return inet_ntop(family, binary.data(), buffer.data(), buffer.size());
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

constexpr std::string_view kListenForms = "address:port, [v6]:port or unix:/path";

// `written`: how it stands in the file.
std::string unix_path_fault(std::string_view path, std::string_view written) {
  constexpr std::size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;
  if (path.empty() || path[0] != '/') return quoted(written) + ": the path of a unix socket must begin with /";
  if (path.size() <= kMaxPath) return {};
  return "the path of a unix socket has " + std::to_string(path.size()) + " bytes; accepted: at most " +
         std::to_string(kMaxPath);
}

// Reads an address to listen on, or says what is wrong.
std::string parse_listen(std::string_view text, ListenAddress& out) {
  constexpr std::string_view kUnix = "unix:";
  if (text.substr(0, kUnix.size()) == kUnix) {
    const auto path = text.substr(kUnix.size());
    if (auto wrong = unix_path_fault(path, text); !wrong.empty()) return wrong;
    out = {ListenAddress::Kind::unix_path, std::string(path), 0};
    return {};
  }
  const bool six = !text.empty() && text[0] == '[';
  const auto colon = text.rfind(':');
  const bool split = colon != std::string_view::npos && (!six || (colon >= 2 && text[colon - 1] == ']'));
  if (!split || (!six && text.find(':') != colon)) {
    return quoted(text) + " is not an address to listen on; write " + std::string(kListenForms);
  }
  const auto host = six ? text.substr(1, colon - 2) : text.substr(0, colon);
  const std::string canonical = canonical_address(six ? AF_INET6 : AF_INET, host);
  if (canonical.empty()) {
    return quoted(host) + " is not an " + (six ? "IPv6" : "IPv4") + " address (names are not looked up); write " +
           std::string(kListenForms);
  }
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return quoted(text.substr(colon + 1)) + " is not a port; accepted: 0 to 65535, where 0 is any free one";
  out = {six ? ListenAddress::Kind::ipv6 : ListenAddress::Kind::ipv4, canonical, *port};
  return {};
}

// What is wrong with a domain name in presentation form; labels are counted with their escapes undone.
std::string domain_fault(std::string_view text) {
  constexpr std::size_t kMaxLabel = 63, kMaxName = 253;
  if (text == ".") return {};
  if (!text.empty() && text.back() == '.') text.remove_suffix(1);
  std::size_t label = 0, name = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || text[i] == '.') {
      if (label == 0) return "has an empty label";
      if (label > kMaxLabel) return "has a label of more than 63 bytes";
      label = 0;
    } else {
      if (text[i] == '\\') {
        const bool decimal = i + 3 < text.size() && only(text.substr(i + 1, 3), {kDigits});
        i += decimal ? 3 : 1;
        if (i >= text.size()) return "ends in a backslash";
      }
      ++label;
    }
    ++name;
  }
  return name > kMaxName + 1 ? "has more than 253 bytes" : "";
}

}  // namespace

std::string any_text(std::string_view) {
  return {};
}

std::string socket_path(std::string_view text) {
  return text.empty() ? "" : unix_path_fault(text, text);
}

std::string filled_text(std::string_view text) {
  return text.empty() ? "must not be empty" : "";
}

std::string name_text(std::string_view text) {
  if (!text.empty() && text.size() <= 64 && only(text, {kLower, kUpper, kDigits, "._@-"})) return {};
  return quoted(text) + " is not a name; accepted: 1 to 64 letters, digits and . _ @ -";
}

std::string password_hash(std::string_view text) {
  if (text.size() > 3 && text[0] == '$' && text.find('$', 1) != std::string_view::npos &&
      std::all_of(text.begin(), text.end(), printable_ascii)) {
    return {};
  }
  return "not a crypt(5) hash; write one such as $y$..., never the password itself";
}

std::string sha256_hex(std::string_view text) {
  if (text.size() != 64) {
    return "has " + std::to_string(text.size()) + " characters; accepted: the 64 hex digits of the token's SHA-256";
  }
  return only(text, {kHexDigits}) ? "" : "not hex; accepted: the 64 hex digits of the token's SHA-256";
}

std::string origin_text(std::string_view text) {
  const auto scheme = text.find("://");
  if (scheme != std::string_view::npos && only(text.substr(0, scheme), {kLower, "+.-"}) && scheme > 0) {
    const auto host = text.substr(scheme + 3);
    if (!host.empty() && only(host, {kLower, kUpper, kDigits, ".-_:[]"})) return {};
  }
  return quoted(text) + " is not an origin; write scheme://host or scheme://host:port, without a path";
}

std::string domain_name(std::string_view text) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), printable_ascii)) {
    return quoted(text) + " is not a domain name";
  }
  const auto wrong = domain_fault(text);
  return wrong.empty() ? "" : quoted(text) + " is not a domain name: it " + wrong;
}

std::string zone_pattern(std::string_view text) {
  if (!text.empty() && text.size() <= 1024 && std::all_of(text.begin(), text.end(), printable_ascii)) return {};
  return quoted(text) + " is not a zone's name or a pattern with * and ?";
}

std::string feed_category(std::string_view text) {
  if (!text.empty() && text.size() <= 32 && only(text, {kLower, kDigits, "_-"})) return {};
  return quoted(text) +
         " is not a category; accepted: malware, phishing, or a word of your own of 1 to 32 characters of a-z 0-9 _ -";
}

std::string probe_text(std::string_view text) {
  const auto space = text.find(' ');
  std::array<std::uint8_t, kMaxNameBytes> name{};
  if (space != 0 && space != std::string_view::npos && read_name(name, text.substr(0, space)) != 0 &&
      read_rrtype(text.substr(space + 1)))
    return {};
  return quoted(text) + " is not a question; write an owner name and a type, such as \". NS\"";
}

std::string server_address(std::string_view text) {
  ListenAddress address;
  const bool with_port =
      parse_listen(text, address).empty() && address.kind != ListenAddress::Kind::unix_path && address.port != 0;
  if (with_port || !canonical_address(AF_INET, text).empty() || !canonical_address(AF_INET6, text).empty()) return {};
  return quoted(text) + " is not an address; write an IPv4 or IPv6 address, address:port or [v6]:port";
}

std::string network_text(std::string_view text) {
  Network network;
  if (parse_network(text, network)) return {};
  return quoted(text) + " is neither an address nor a network such as 192.0.2.0/24 or 2001:db8::/32";
}

std::string http_url(std::string_view text) {
  WebhookUrl url;
  const std::string wrong = parse_webhook_url(text, url);
  return wrong.empty() ? "" : wrong + "; accepted: https://host/... or http://host/...";
}

std::optional<std::string> read_text(const YamlNode& node, Reader& reader, const std::string& key, TextRule rule) {
  const auto text = read_scalar(node, reader, key, "a text");
  if (!text) return std::nullopt;
  std::string wrong;
  if (text->size() > kMaxTextBytes) {
    wrong = std::to_string(text->size()) + " bytes; accepted: at most " + std::to_string(kMaxTextBytes);
  } else if (std::any_of(text->begin(), text->end(), control)) {
    wrong = kNoControls;
  } else {
    wrong = rule(*text);
  }
  if (wrong.empty()) return std::string(*text);
  reader.fault(node.line, key, std::move(wrong));
  return std::nullopt;
}

std::optional<ListenAddress> read_listen_address(const YamlNode& node, Reader& reader, const std::string& key) {
  const auto text = read_text(node, reader, key, any_text);
  if (!text) return std::nullopt;
  ListenAddress address;
  auto wrong = parse_listen(*text, address);
  if (wrong.empty()) return address;
  reader.fault(node.line, key, std::move(wrong));
  return std::nullopt;
}

std::optional<std::string> read_expression(const YamlNode& node, Reader& reader, const std::string& key) {
  const auto text = read_scalar(node, reader, key, "a filter expression");
  if (!text) return std::nullopt;
  std::string expression(*text);
  std::replace_if(
      expression.begin(), expression.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  while (!expression.empty() && expression.back() == ' ') expression.pop_back();
  if (std::any_of(expression.begin(), expression.end(), control)) {
    reader.fault(node.line, key, std::string(kNoControls));
    return std::nullopt;
  }
  Filter filter;
  Filter::Error error;
  if (Filter::compile(expression, filter, error)) return expression;
  reader.fault(node.line, key, "column " + std::to_string(error.column) + ": " + error.message);
  return std::nullopt;
}

std::string quote_text(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    if (control(c)) {
      const auto byte = static_cast<unsigned char>(c);
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string write_text(std::string_view text) {
  constexpr std::array<std::string_view, 9> kWords{"true", "false", "null", "Null", "NULL", "yes", "no", "on", "off"};
  const bool plain = !text.empty() && only(text.substr(0, 1), {kLower, kUpper, kDigits, "/"}) &&
                     only(text, {kLower, kUpper, kDigits, "/_.:@-"}) && text.back() != ':' &&
                     std::find(kWords.begin(), kWords.end(), text) == kWords.end();
  return plain ? std::string(text) : quote_text(text);
}

std::string write_list(const std::vector<std::string>& written) {
  std::string out;
  for (const auto& one : written) {
    if (!out.empty()) out += ", ";
    out += one;
  }
  return "[" + out + "]";
}

}  // namespace bindcast
