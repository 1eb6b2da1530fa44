// Writes events as JSON text, straight into a growing string. Pure; any thread.
//
// The output is valid UTF-8 whatever bytes come in: invalid sequences are written as U+FFFD.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "events/event.hpp"
#include "events/timestamp.hpp"

namespace bindcast {

// A quoted, escaped JSON string.
void append_json_string(std::string& out, std::string_view text);
void append_json_value(std::string& out, Fields::Value value);
// One whole event object, without a newline. Absent members are left out; `data` is always there. An event that stands
// for more than itself has its number as "sampled" in metadata.
void append_event_json(std::string& out, const Event& event, const StreamIdentity& stream);

}  // namespace bindcast
