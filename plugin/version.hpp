// This build's version, as CMakeLists.txt says it.
#pragma once

#include <string_view>

namespace bindcast {
inline constexpr std::string_view kVersion = BINDCAST_VERSION;
}  // namespace bindcast
