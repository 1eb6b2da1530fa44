// What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput, built by clang with libFuzzer,
// AddressSanitizer and UndefinedBehaviorSanitizer; tests/fuzz/run builds and runs them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "events/utf8.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace bindcast::fuzz {

// A property of the code under test. What breaks it is told, and ends the process: libFuzzer then keeps the input.
inline void require(bool holds, std::string_view property, std::string_view seen = {},
                    const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (holds) return;
  std::fprintf(stderr, "%s:%d: does not hold: %.*s\n  %.*s\n", file, line, static_cast<int>(property.size()),
               property.data(), static_cast<int>(seen.size()), seen.data());
  std::abort();
}

// An input taken apart from its front; when it is used up, everything is zero or empty.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}
  [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
  std::uint8_t byte() noexcept {
    const std::string_view one = bytes(1);
    return one.empty() ? 0 : static_cast<std::uint8_t>(one[0]);
  }
  std::uint64_t number(std::size_t size) noexcept {
    std::uint64_t value = 0;
    for (; size > 0; --size) value = value << 8 | byte();
    return value;
  }
  // At most so many.
  std::string_view bytes(std::size_t most) noexcept {
    const std::string_view taken = rest_.substr(0, most);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  // A text of at most 255 bytes, with its length before it.
  std::string_view text() noexcept { return bytes(byte()); }
  // Up to the next such byte, which is skipped.
  std::string_view until(char end) noexcept {
    const std::string_view taken = rest_.substr(0, rest_.find(end));
    rest_.remove_prefix(std::min(taken.size() + 1, rest_.size()));
    return taken;
  }
  std::string_view rest() noexcept { return bytes(rest_.size()); }

 private:
  std::string_view rest_;
};

inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Character next = first_character(text);
    if (next.state != Utf8Character::State::whole) return false;
    text.remove_prefix(next.bytes);
  }
  return true;
}

// Fit for one line of a log or of an answer: bounded, UTF-8, nothing that would disturb a terminal.
inline void require_line(std::string_view text, std::size_t most_bytes, int line = __builtin_LINE()) {
  require(text.size() <= most_bytes, "a message is bounded", text, __builtin_FILE(), line);
  require(std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }),
          "a message has no control characters", text, __builtin_FILE(), line);
  require(is_utf8(text), "a message is UTF-8", text, __builtin_FILE(), line);
}

}  // namespace bindcast::fuzz
