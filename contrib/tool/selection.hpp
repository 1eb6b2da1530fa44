// Which events are asked for. Names and filters are checked here, so that a mistake is told at once and in the same
// words.
#pragma once

#include "plugin/json_parse.hpp"
#include "tool/commands.hpp"

namespace bindcast::tool {

// Throws Failure (usage) for a type, a category or a filter that is none.
void check_selection(const Selection& selection);

// The data of `subscribe`.
[[nodiscard]] Json subscription_of(const Selection& selection);

}  // namespace bindcast::tool
