// Standard output and standard error, a line at a time and each line at once, so that lines of several programs do not
// mix. One thread.
#pragma once

#include <string>
#include <string_view>

#include "tool/event_line.hpp"

namespace bindcast::tool {

[[nodiscard]] bool is_terminal(int fd);
// Colours only for a terminal that wants them: not with --no-color, NO_COLOR or TERM=dumb.
[[nodiscard]] Palette palette_for(int fd, bool no_color);

// Writes what print() has kept. Throws OutputClosed when nobody reads any more, Failure when it cannot be written.
void flush();
// Keeps a line (or any text) for standard output; what is kept is written when it has become much.
void print(std::string_view text);
void print_line(std::string_view line);
// JSON as it came; made safe where it is a terminal that gets it.
void print_json(std::string_view json);

// "bindcast: text" on standard error, made safe.
void complain(std::string_view text);

}  // namespace bindcast::tool
