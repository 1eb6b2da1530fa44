// Event types by name, as publishers write them. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "events/event.hpp"

namespace bindcast {

// A new event of the type of that name: one of the table's, or "custom.<name>". False, with the reason, for any other.
[[nodiscard]] bool make_event_of(std::string_view name, Event& event, std::string& fault);

}  // namespace bindcast
