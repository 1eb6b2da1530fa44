// Which web pages may use this server from a browser. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bindcast {

// By the request's headers Origin and Host. A page may connect from where it was served: its origin is our own host and
// port. A name as host counts only when the configuration allows it, because any name can be made to resolve to our
// address (DNS rebinding). Clients that are no browsers send no origin.
[[nodiscard]] bool origin_allowed(const std::optional<std::string>& origin, const std::optional<std::string>& host,
                                  const std::vector<std::string>& allowed);

}  // namespace bindcast
