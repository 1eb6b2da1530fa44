// The cookie of a login: its name, how it is read and set. Scripts cannot read it, other sites' pages do not send it.
// Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bindcast {

// The token in a Cookie header, if there is one.
[[nodiscard]] std::optional<std::string> session_cookie(std::string_view header);
// The value of Set-Cookie; of 0 seconds the browser forgets it. `encrypted`: sent back over TLS only.
[[nodiscard]] std::string set_session_cookie(std::string_view token, std::int64_t seconds, bool encrypted);

}  // namespace bindcast
