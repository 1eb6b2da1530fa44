#include "events/utf8.hpp"

namespace bindcast {

Utf8Character first_character(std::string_view text) noexcept {
  using enum Utf8Character::State;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  std::size_t size;
  unsigned low = 0x80, high = 0xBF;  // what the second byte may be
  if (lead < 0x80) {
    size = 1;
  } else if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    size = 3;
    if (lead == 0xE0) low = 0xA0;   // overlong
    if (lead == 0xED) high = 0x9F;  // surrogates
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
    if (lead == 0xF0) low = 0x90;   // overlong
    if (lead == 0xF4) high = 0x8F;  // beyond U+10FFFF
  } else {
    return {.state = broken, .bytes = 1};
  }
  for (std::size_t i = 1; i < size; ++i) {
    if (i == text.size()) return {.state = cut_off, .bytes = i};
    if (byte(i) < low || byte(i) > high) return {.state = broken, .bytes = i};
    low = 0x80, high = 0xBF;
  }
  return {.state = whole, .bytes = size};
}

}  // namespace bindcast
