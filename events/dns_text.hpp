// DNS data as text: names, types, rcodes, addresses (RFC 1035, RFC 3597, RFC 5952). Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bindcast {

// Appends an uncompressed wire-form name in presentation form without the final dot ("." for the root), lower case is
// not forced; dots, backslashes and unprintable bytes inside labels are escaped as in RFC 1035 section 5.1.
// Returns false, appending nothing, when the bytes are not a name.
bool append_name(std::string& out, std::span<const std::uint8_t> wire);

// "A", "TYPE65280"; "IN", "CLASS300"; "NOERROR", "BADVERS", "RCODE77".
void append_rrtype(std::string& out, std::uint16_t type);
void append_rrclass(std::string& out, std::uint16_t rrclass);
void append_rcode(std::string& out, std::uint16_t rcode);

// family: 4 or 6; `bytes` holds 4 or 16 bytes.
void append_address(std::string& out, int family, const std::uint8_t* bytes);

// Is `name` equal to or below `ancestor`? Both in presentation form, a final dot is ignored, ASCII case is ignored,
// escapes are respected ("a\.b" is one label). Everything is under the root "." (and "").
[[nodiscard]] bool name_under(std::string_view name, std::string_view ancestor) noexcept;
[[nodiscard]] bool name_equal(std::string_view a, std::string_view b) noexcept;

// Shell-like match without case: '*' any run of characters, '?' one character. Linear in time times pattern length.
[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view text) noexcept;

}  // namespace bindcast
