// One event as one line for people. Pure but for the time zone.
#pragma once

#include <jansson.h>

#include <string>
#include <string_view>
#include <vector>

namespace bindcast::tool {

// What goes around a text of each severity; all empty without colours.
struct Palette {
  bool colours = false;
  [[nodiscard]] std::string painted(std::string_view text, std::string_view severity) const;
};

// A value of an event's data, safe for a terminal and cut to a bearable length: texts as they are, lists with commas.
[[nodiscard]] std::string shown(const json_t* value);

// The essentials of an event's data: who, what, what of it became.
[[nodiscard]] std::string essentials(const json_t* event);

// "15:04:05.123 type                   essentials", in local time.
[[nodiscard]] std::string event_line(const json_t* event, const Palette& palette);
// The same of a `gap` message.
[[nodiscard]] std::string gap_line(const json_t* gap, const Palette& palette);

// The types that essentials() has a form of its own for.
[[nodiscard]] std::vector<std::string_view> types_with_own_form();

}  // namespace bindcast::tool
