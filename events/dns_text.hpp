// DNS data as text: names, types, rcodes, addresses (RFC 1035, RFC 3597, RFC 5952). Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace bindcast {

// Each write_… puts text at `out` and returns its end. There must be room for as many bytes as is said with it, all of
// which may be used.

// An uncompressed wire-form name in presentation form without the final dot ("." for the root), lower case is not
// forced; dots, backslashes and unprintable bytes inside labels are escaped as in RFC 1035 section 5.1. Nothing, which
// no name is, when the bytes are not a name.
inline constexpr std::size_t kMaxNameBytes = 255;  // in wire form
[[nodiscard]] constexpr std::size_t max_name_text(std::size_t wire_bytes) noexcept {
  return 4 * wire_bytes;
}
inline constexpr std::size_t kMaxNameText = max_name_text(kMaxNameBytes);
[[nodiscard]] char* write_name(char* out, std::span<const std::uint8_t> wire) noexcept;
// The other way: a name in presentation form, with or without the final dot, as wire form in lower case at `out`. Its
// length, or 0: it is no name.
[[nodiscard]] std::size_t read_name(std::span<std::uint8_t, kMaxNameBytes> out, std::string_view text) noexcept;

// "A", "TYPE65280"; "IN", "CLASS300"; "NOERROR", "BADVERS", "RCODE77".
inline constexpr std::size_t kMaxCodeText = 15;
[[nodiscard]] char* write_rrtype(char* out, std::uint16_t type) noexcept;
[[nodiscard]] std::optional<std::uint16_t> read_rrtype(std::string_view text) noexcept;  // in upper case
[[nodiscard]] char* write_rrclass(char* out, std::uint16_t rrclass) noexcept;
[[nodiscard]] char* write_rcode(char* out, std::uint16_t rcode) noexcept;

// family: 4 or 6, else nothing is written; `bytes` holds 4 or 16 bytes.
inline constexpr std::size_t kMaxAddressText = 48;
[[nodiscard]] char* write_address(char* out, int family, const std::uint8_t* bytes) noexcept;

// Is `name` equal to or below `ancestor`? Both in presentation form, a final dot is ignored, ASCII case is ignored,
// escapes are respected ("a\.b" is one label). Everything is under the root "." (and "").
[[nodiscard]] bool name_under(std::string_view name, std::string_view ancestor) noexcept;
[[nodiscard]] bool name_equal(std::string_view a, std::string_view b) noexcept;

// Shell-like match without case: '*' any run of characters, '?' one character. Linear in time times pattern length.
[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view text) noexcept;

}  // namespace bindcast
