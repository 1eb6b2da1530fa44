#include "tool/safe_text.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "events/utf8.hpp"

namespace bindcast::tool {

namespace {

struct Range {
  std::uint32_t first, last;
};

// In ascending order.
constexpr Range kUnsafe[] = {
    {0x0000, 0x001F},    // C0
    {0x007F, 0x009F},    // DEL and C1: a terminal takes U+009B for ESC [
    {0x00AD, 0x00AD},    // soft hyphen
    {0x061C, 0x061C},    // Arabic letter mark
    {0x115F, 0x1160},    // Hangul fillers: blank letters
    {0x180E, 0x180E},    // Mongolian vowel separator
    {0x200B, 0x200F},    // zero width, and marks of direction
    {0x2028, 0x202E},    // line and paragraph separators, bidirectional embeddings and overrides
    {0x2060, 0x206F},    // invisible operators, bidirectional isolates
    {0x3164, 0x3164},    // Hangul filler
    {0xFEFF, 0xFEFF},    // byte order mark
    {0xFFA0, 0xFFA0},    // Hangul filler
    {0xFFF0, 0xFFFB},    // interlinear annotations
    {0xFFFE, 0xFFFF},    // no characters
    {0xE0000, 0xE0FFF},  // tags: text that nobody sees
};

bool is_unsafe(std::uint32_t code) {
  const auto* range = std::ranges::lower_bound(kUnsafe, code, {}, &Range::last);
  return range != std::end(kUnsafe) && range->first <= code;
}

// The code point of a character that first_character() found whole.
std::uint32_t code_point(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(character[i])); };
  constexpr std::uint32_t kLeadBits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
  std::uint32_t code = byte(0) & kLeadBits[character.size()];
  for (std::size_t i = 1; i < character.size(); ++i) code = code << 6 | (byte(i) & 0x3F);
  return code;
}

std::string hex(std::uint32_t number, std::size_t digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (; number != 0 || out.size() < digits; number >>= 4) out.insert(out.begin(), kDigits[number & 15]);
  return out;
}

std::string json_escape(std::uint32_t code) {
  if (code <= 0xFFFF) return "\\u" + hex(code, 4);
  return "\\u" + hex(0xD800 + ((code - 0x10000) >> 10), 4) + "\\u" + hex(0xDC00 + ((code - 0x10000) & 0x3FF), 4);
}

}  // namespace

std::string safe_text(std::string_view text, std::size_t most) {
  std::string out;
  out.reserve(std::min(text.size(), most));
  while (!text.empty()) {
    if (out.size() >= most) return out + "...";
    const Utf8Character next = first_character(text);
    const std::string_view character = text.substr(0, next.bytes);
    text.remove_prefix(next.bytes);
    if (next.state != Utf8Character::State::whole) {
      for (const char c : character) out += "\\x" + hex(static_cast<unsigned char>(c), 2);
    } else if (const std::uint32_t code = code_point(character); !is_unsafe(code)) {
      out += character;
    } else {
      out += code < 0x100 ? "\\x" + hex(code, 2) : "\\u{" + hex(code, 1) + "}";
    }
  }
  return out;
}

std::string safe_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  while (!json.empty()) {
    const Utf8Character next = first_character(json);
    const std::string_view character = json.substr(0, next.bytes);
    json.remove_prefix(next.bytes);
    if (next.state != Utf8Character::State::whole) {
      out += "\\ufffd";
    } else if (const std::uint32_t code = code_point(character); !is_unsafe(code)) {
      out += character;
    } else if (code < 0x20) {
      out += ' ';  // in JSON it can only stand between the tokens
    } else {
      out += json_escape(code);
    }
  }
  return out;
}

}  // namespace bindcast::tool
