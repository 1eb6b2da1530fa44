// UTF-8 (RFC 3629), character by character. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bindcast {

struct Utf8Character {
  enum class State : std::uint8_t {
    whole,
    cut_off,  // the text ends within a character that could still become one
    broken
  } state = State::whole;
  // What it covers; of a broken one the longest start of a character that could have been, as the Unicode standard
  // advises.
  std::size_t bytes = 0;
};

// The character at the front of a text that is not empty.
[[nodiscard]] Utf8Character first_character(std::string_view text) noexcept;

}  // namespace bindcast
