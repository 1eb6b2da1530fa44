// Where named's log is, as its own configuration says. Pure; any thread.
#pragma once

#include <string>

#include "plugin/changes/configuration_diff.hpp"

namespace bindcast {

// The file of the channel that is called "bindcast" in logging { }; empty: there is none.
[[nodiscard]] std::string bindcast_channel_file(const Statements& statements);

}  // namespace bindcast
