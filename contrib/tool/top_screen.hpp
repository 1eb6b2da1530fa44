// The screen of bindcast top, as lines, and the same in one line. Pure.
#pragma once

#include <jansson.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tool/top_model.hpp"

namespace bindcast::tool {

struct TopHead {
  const json_t* status = nullptr;  // the data of the server's last `status`, or nothing
  std::string time;                // of day
  std::string trouble;             // why there is nothing new, or empty
  std::uint32_t sample = 1;        // one in so many queries comes
};

// At most `height` lines of at most `width` characters.
[[nodiscard]] std::vector<std::string> top_screen(const TopModel& model, const TopHead& head, std::size_t width,
                                                  std::size_t height);
[[nodiscard]] std::string top_line(const TopModel& model, const TopHead& head);

}  // namespace bindcast::tool
