// Text that JSON takes as it is, and copying it. Nearly all keys and texts of events are such, and short. Pure; any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace bindcast {

// ASCII without control characters, quotes and backslashes. DEL is plain: JSON does not mind it.
constexpr bool is_plain(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

namespace plain_text {

inline constexpr std::uint64_t kOnes = 0x0101010101010101;
inline constexpr std::uint64_t kTops = 0x8080808080808080;

// Does any of eight bytes need a closer look? Each term sets the top bit of a byte that is: not ASCII, a control
// character, a quote, a backslash.
constexpr bool any_special(std::uint64_t bytes) noexcept {
  const std::uint64_t quote = bytes ^ (kOnes * '"');
  const std::uint64_t slash = bytes ^ (kOnes * '\\');
  return ((bytes | (bytes - kOnes * 0x20) | (quote - kOnes) | (slash - kOnes)) & kTops) != 0;
}

inline std::uint64_t load(const char* at) noexcept {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

template <std::size_t bytes>
void copy_ends(char* to, const char* from, std::size_t size) noexcept {
  char first[bytes], last[bytes];
  std::memcpy(first, from, bytes);
  std::memcpy(last, from + size - bytes, bytes);
  std::memcpy(to, first, bytes);
  std::memcpy(to + size - bytes, last, bytes);
}

}  // namespace plain_text

// The length of the leading part that can be copied as it is.
inline std::size_t plain_prefix(std::string_view text) noexcept {
  using namespace plain_text;
  std::size_t at = 0;
  while (at + 8 <= text.size() && !any_special(load(text.data() + at))) at += 8;
  while (at < text.size() && is_plain(text[at])) ++at;
  return at;
}

// Copies a text that is mostly short, without a call; returns its end. The two must not overlap.
inline char* copy_text(char* to, std::string_view text) noexcept {
  using namespace plain_text;
  const char* const from = text.data();
  const std::size_t size = text.size();
  if (size > 32) {
    std::memcpy(to, from, size);
  } else if (size >= 16) {
    copy_ends<16>(to, from, size);
  } else if (size >= 8) {
    copy_ends<8>(to, from, size);
  } else if (size >= 4) {
    copy_ends<4>(to, from, size);
  } else if (size >= 2) {
    copy_ends<2>(to, from, size);
  } else if (size == 1) {
    *to = *from;
  }
  return to + size;
}

// For text in a buffer that goes on for kBlockBytes behind it: read and written past its end, which spares telling
// lengths apart.
inline constexpr std::size_t kBlockBytes = 32;

inline char* copy_blocks(char* to, const char* from, std::size_t size) noexcept {
  char* const end = to + size;
  do {
    std::memcpy(to, from, kBlockBytes);
    to += kBlockBytes;
    from += kBlockBytes;
  } while (to < end);
  return end;
}

// Can the whole text be copied as it is?
inline bool all_plain(const char* text, std::size_t size) noexcept {
  using namespace plain_text;
  for (; size > 8; text += 8, size -= 8) {
    if (any_special(load(text))) return false;
  }
  // What lies behind the text counts as spaces.
  static constexpr char kMasks[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
  const std::uint64_t mask = load(kMasks + 8 - size);
  return !any_special((load(text) & mask) | (kOnes * ' ' & ~mask));
}

}  // namespace bindcast
