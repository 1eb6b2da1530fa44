// What others wrote, made safe for a terminal: nothing in it can move the cursor, change a colour, or turn the order of
// what is shown. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bindcast::tool {

inline constexpr std::size_t kMostShownBytes = 256;  // of one value; what is longer is cut, and ends in "..."

// `text` with each control character (C0, DEL, C1), bidirectional control, line separator, invisible character and byte
// that is no UTF-8 written as \xNN or \u{N}; cut after about `most` bytes.
[[nodiscard]] std::string safe_text(std::string_view text, std::size_t most = std::string_view::npos);

// A JSON text of the same meaning, on one line, with those characters written as \uNNNN.
[[nodiscard]] std::string safe_json(std::string_view json);

}  // namespace bindcast::tool
