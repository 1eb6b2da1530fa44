// Secrets: made, hashed, compared, and the text they travel in. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bindcast {

// Lower-case hex.
[[nodiscard]] std::string sha256_of(std::string_view text);
// In time that does not depend on how much of it is equal.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b);

// 256 random bits in base64url; empty, with errno set, where the system has none.
[[nodiscard]] std::string make_secret();

// RFC 4648 section 5, without padding.
[[nodiscard]] std::string base64url(std::string_view bytes);
// Nothing but exactly what base64url() writes is accepted: no padding, no spaces, no bits left over.
[[nodiscard]] std::optional<std::string> from_base64url(std::string_view text);

}  // namespace bindcast
