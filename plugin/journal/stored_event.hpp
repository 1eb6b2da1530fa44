// An event's JSON, as events/json.hpp writes it, back into an Event. Any thread.
#pragma once

#include <string_view>

#include "events/event.hpp"

namespace bindcast {

// Holds what it borrows. Empty when the text is no event of a type that is known here. Throws std::bad_alloc.
[[nodiscard]] EventRef event_from_json(std::string_view json, std::uint64_t offset);

}  // namespace bindcast
