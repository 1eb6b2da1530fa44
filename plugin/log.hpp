// How every room of the runtime says something to the admin: one line, no newline. May be called from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace bindcast {

enum class LogLevel : std::uint8_t { debug, info, warning, error };
using Log = std::function<void(LogLevel, const std::string&)>;

}  // namespace bindcast
