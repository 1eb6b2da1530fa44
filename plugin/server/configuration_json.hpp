// The configuration in force as JSON, for get_configuration. Loop thread only.
#pragma once

#include "config/load.hpp"
#include "plugin/json_parse.hpp"

namespace bindcast {

// {"file", "read_at", "options": [{"path", "value", "default", "differs", "accepts", "doc"}], "left_out"}, without
// secrets. An answer stays well below what a client may have waiting: a value is cut after kMostShownValue bytes, and
// of the entries of each list or mapping those are left out, and counted, that are beyond kMostEntryBytes.
inline constexpr std::size_t kMostShownValue = 1000;
inline constexpr std::size_t kMostEntryBytes = 64 * 1024;
[[nodiscard]] Json configuration_json(const Options& options, const ConfigOrigin& origin);

}  // namespace bindcast
