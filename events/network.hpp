// An address or a network of addresses, as text and as bits. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace bindcast {

// Addresses that begin with the first `prefix` bits of `bytes`.
struct Network {
  int family = 4;  // 4 or 6
  std::array<std::uint8_t, 16> bytes{};
  unsigned prefix = 0;

  [[nodiscard]] unsigned longest() const noexcept { return family == 4 ? 32 : 128; }
};

// "192.0.2.0/24", "2001:db8::/32", or an address alone: then every bit counts. False when it is neither.
[[nodiscard]] bool parse_network(std::string_view text, Network& out) noexcept;
// Does `outer` hold all of `inner`?
[[nodiscard]] bool contains(const Network& outer, const Network& inner) noexcept;
// The network of at most so many bits that it is in; bits beyond are zero.
[[nodiscard]] Network widened(Network network, unsigned prefix) noexcept;
// The address, without the length of the prefix.
[[nodiscard]] std::string address_text(const Network& network);

}  // namespace bindcast
