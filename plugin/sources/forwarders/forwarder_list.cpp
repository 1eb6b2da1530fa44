#include "plugin/sources/forwarders/forwarder_list.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <set>
#include <string_view>

namespace bindcast {

namespace {

constexpr std::uint16_t kDnsPort = 53, kDnsOverTlsPort = 853;
constexpr std::string_view kForwarders = "forwarders";

template <typename Number>
std::optional<Number> read_number(std::string_view text) {
  Number number = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || result.ec != std::errc() || result.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

// An interface by its number, as BIND prints it, or by its name.
std::uint32_t interface_of(const std::string& text) {
  const auto number = read_number<std::uint32_t>(text);
  return number ? *number : if_nametoindex(text.c_str());
}

// False: it is no address.
bool set_address(Forwarder& forwarder, std::string_view host, std::uint16_t port) {
  const std::size_t percent = host.find('%');
  const std::string address(host.substr(0, percent));
  const std::string interface(percent == std::string_view::npos ? "" : host.substr(percent + 1));
  const bool six = address.find(':') != std::string::npos;
  char written[INET6_ADDRSTRLEN] = "";
  if (six) {
    sockaddr_in6 v6{};
    if (inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) != 1) return false;
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v6.sin6_scope_id = interface.empty() ? 0 : interface_of(interface);
    std::memcpy(&forwarder.address, &v6, sizeof v6);
    inet_ntop(AF_INET6, &v6.sin6_addr, written, sizeof written);
  } else {
    sockaddr_in v4{};
    if (inet_pton(AF_INET, address.c_str(), &v4.sin_addr) != 1) return false;
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&forwarder.address, &v4, sizeof v4);
    inet_ntop(AF_INET, &v4.sin_addr, written, sizeof written);
  }
  forwarder.server = written;
  if (!interface.empty()) forwarder.server += "%" + interface;
  if (port == kDnsPort) return true;
  if (six) forwarder.server = "[" + forwarder.server + "]";
  forwarder.server += ":" + std::to_string(port);
  return true;
}

// The words of a value, its punctuation apart: `port 53 { 192.0.2.1; }` is port, 53, {, 192.0.2.1, ;, }.
std::vector<std::string_view> words_of(std::string_view value) {
  constexpr std::string_view kBlanks = " \t\r\n", kPunctuation = "{};";
  std::vector<std::string_view> words;
  for (std::size_t at = 0; (at = value.find_first_not_of(kBlanks, at)) != std::string_view::npos;) {
    std::size_t end = at + 1;
    if (value[at] == '"') {
      end = std::min(value.find('"', at + 1), value.size() - 1) + 1;
    } else if (kPunctuation.find(value[at]) == std::string_view::npos) {
      end = std::min(value.find_first_of(" \t\r\n{};", at), value.size());
    }
    words.push_back(value.substr(at, end - at));
    at = end;
  }
  return words;
}

// What may stand behind an address, and before the list for all of its addresses.
struct Manner {
  std::optional<std::uint16_t> port;
  bool tls = false;

  void take(std::string_view keyword, std::string_view value) {
    if (keyword == "port") port = read_number<std::uint16_t>(value);
    if (keyword == "tls") tls = value != "none" && value != "\"none\"";
  }
};

// `view "a.b" in.zone "x".forwarders` is view "a.b", zone "x", forwarders: a path's parts, without the classes.
std::vector<std::string> parts_of(std::string_view path) {
  std::vector<std::string> parts(1);
  bool quoted = false, named = false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (!quoted && c == '.') {
      parts.emplace_back();
      named = false;
      continue;
    }
    if (!named) parts.back().push_back(c);
    if (c == '"') {
      named = quoted;  // what follows a name is its class
      quoted = !quoted;
    } else if (quoted && c == '\\' && i + 1 < path.size()) {
      parts.back().push_back(path[++i]);
    }
  }
  return parts;
}

// Views without forwarders of their own have those of the options.
bool options_are_used(const Statements& statements) {
  constexpr std::string_view kView = "view ";
  std::set<std::string> views, with_own;
  for (auto entry = statements.lower_bound(kView); entry != statements.end() && entry->first.starts_with(kView);
       ++entry) {
    const std::vector<std::string> parts = parts_of(entry->first);
    views.insert(parts.front());
    if (parts.size() == 2 && parts.back() == kForwarders) with_own.insert(parts.front());
  }
  return views.empty() || views != with_own;
}

}  // namespace

void ForwarderList::add_forwarders(const Statements& statements) {
  std::uint16_t default_port = kDnsPort;
  if (const auto port = statements.find("options.port"); port != statements.end() && !port->second.empty())
    default_port = read_number<std::uint16_t>(port->second.front()).value_or(kDnsPort);
  const bool options_used = options_are_used(statements);
  for (const auto& [path, values] : statements) {
    if (!path.ends_with(kForwarders)) continue;
    std::vector<std::string> parts = parts_of(path);
    if (parts.back() != kForwarders || (parts.front() == "options" && !options_used)) continue;
    parts.pop_back();
    std::string scope;
    for (const std::string& part : parts) scope += (scope.empty() ? "" : ".") + part;
    for (const std::string& value : values) add_list(value, default_port, scope);
  }
}

// `[port N] [tls NAME] { ADDRESS [port N] [tls NAME]; … }`
void ForwarderList::add_list(std::string_view value, std::uint16_t default_port, const std::string& scope) {
  const std::vector<std::string_view> words = words_of(value);
  Manner of_all;
  std::size_t at = 0;
  for (; at + 1 < words.size() && words[at] != "{"; at += 2) of_all.take(words[at], words[at + 1]);
  while (++at < words.size() && words[at] != "}") {
    const std::string_view host = words[at];
    Manner manner = of_all;
    while (++at < words.size() && words[at] != ";") {
      const std::string_view keyword = words[at];
      if (at + 1 < words.size() && words[at + 1] != ";") manner.take(keyword, words[++at]);
    }
    Forwarder forwarder;
    forwarder.tls = manner.tls;
    if (set_address(forwarder, host, manner.port.value_or(manner.tls ? kDnsOverTlsPort : default_port)))
      add_scope(find_or_add(std::move(forwarder)), scope);
  }
}

void ForwarderList::add_servers(const std::vector<std::string>& servers) {
  for (std::string_view text : servers) {
    // "address", "address:port" or "[address]:port"; the configuration has no others.
    std::uint16_t port = kDnsPort;
    const std::size_t colon = text.rfind(':');
    const bool bracketed = text.starts_with('[');
    if (colon != std::string_view::npos && (bracketed || text.find(':') == colon)) {
      port = read_number<std::uint16_t>(text.substr(colon + 1)).value_or(kDnsPort);
      text = bracketed ? text.substr(1, colon - 2) : text.substr(0, colon);
    }
    Forwarder forwarder;
    if (set_address(forwarder, text, port)) add_scope(find_or_add(std::move(forwarder)), "sources.forwarders.servers");
  }
}

void ForwarderList::add(const ForwarderList& others) {
  for (const Forwarder& other : others.all_) {
    Forwarder& kept = find_or_add({.server = other.server, .address = other.address, .tls = other.tls, .scopes = {}});
    for (const std::string& scope : other.scopes) add_scope(kept, scope);
    kept.more_scopes += other.more_scopes;
  }
}

Forwarder& ForwarderList::find_or_add(Forwarder&& forwarder) {
  const auto [place, is_new] = places_.try_emplace({forwarder.server, forwarder.tls}, all_.size());
  if (is_new) all_.push_back(std::move(forwarder));
  return all_[place->second];
}

void ForwarderList::add_scope(Forwarder& forwarder, const std::string& scope) {
  if (!forwarder.scopes.empty() && forwarder.scopes.back() == scope) return;
  if (forwarder.scopes.size() < kMostScopes)
    forwarder.scopes.push_back(scope);
  else
    ++forwarder.more_scopes;
}

}  // namespace bindcast
