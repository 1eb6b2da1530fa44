// One request over a WebSocket of its own, for what has no HTTP interface.
#pragma once

#include <string>

#include "plugin/json_parse.hpp"
#include "tool/network.hpp"

namespace bindcast::tool {

// The server's answer. Throws Failure when there is none, or when it is an error.
[[nodiscard]] Json ask(Network& network, const std::string& type, const Json& data);

}  // namespace bindcast::tool
