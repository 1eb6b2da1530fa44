#include "events/network.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace bindcast {

bool parse_network(std::string_view text, Network& out) noexcept {
  const std::size_t slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  char terminated[INET6_ADDRSTRLEN];
  if (address.size() >= sizeof terminated || address.find('\0') != std::string_view::npos) return false;
  address.copy(terminated, address.size());
  terminated[address.size()] = '\0';
  Network network;
  network.family = address.find(':') == std::string_view::npos ? 4 : 6;
  if (inet_pton(network.family == 4 ? AF_INET : AF_INET6, terminated, network.bytes.data()) != 1) return false;
  network.prefix = network.longest();
  if (slash != std::string_view::npos) {
    const char* const end = text.data() + text.size();
    const auto result = std::from_chars(text.data() + slash + 1, end, network.prefix);
    if (result.ec != std::errc() || result.ptr != end || network.prefix > network.longest()) return false;
  }
  out = network;
  return true;
}

bool contains(const Network& outer, const Network& inner) noexcept {
  if (outer.family != inner.family || outer.prefix > inner.prefix) return false;
  const std::size_t whole = outer.prefix / 8;
  if (std::memcmp(outer.bytes.data(), inner.bytes.data(), whole) != 0) return false;
  const unsigned rest = outer.prefix % 8;
  if (rest == 0) return true;
  const unsigned differing = static_cast<unsigned>(outer.bytes[whole] ^ inner.bytes[whole]);
  return differing >> (8 - rest) == 0;
}

Network widened(Network network, unsigned prefix) noexcept {
  network.prefix = std::min(network.prefix, prefix);
  for (std::size_t i = 0; i < network.bytes.size(); ++i) {
    const unsigned before = static_cast<unsigned>(8 * i);
    const unsigned kept = network.prefix <= before ? 0 : std::min(network.prefix - before, 8U);
    network.bytes[i] = static_cast<std::uint8_t>(network.bytes[i] & (0xff00U >> kept));
  }
  return network;
}

std::string address_text(const Network& network) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(network.family == 4 ? AF_INET : AF_INET6, network.bytes.data(), text, sizeof text);
  return text;
}

}  // namespace bindcast
