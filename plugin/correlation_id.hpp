// What joins events of one cause.
#pragma once

#include <string>

namespace bindcast {

// A new correlation id: 26 characters that sort by time (ULID). Any thread.
[[nodiscard]] std::string new_correlation_id();

}  // namespace bindcast
