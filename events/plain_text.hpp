// Text that JSON takes as it is, and copying it. Nearly all keys and texts of events are such, so what is asked of them
// here is asked eight bytes at a time. Pure; any thread.
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

template <typename Word>
std::uint64_t load(const char* at) noexcept {
  Word word;
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

// Can the whole text be copied as it is? Words at both ends of a short text overlap instead of a loop over its tail.
inline bool all_plain(std::string_view text) noexcept {
  using namespace plain_text;
  const char* const data = text.data();
  const std::size_t size = text.size();
  if (size >= 8) {
    for (std::size_t at = 0; at + 8 <= size; at += 8) {
      if (any_special(load<std::uint64_t>(data + at))) return false;
    }
    return !any_special(load<std::uint64_t>(data + size - 8));
  }
  if (size >= 4) {
    return !any_special(load<std::uint32_t>(data) << 32 | load<std::uint32_t>(data + size - 4));
  }
  if (size >= 2) {
    constexpr std::uint64_t kSpaces = (kOnes * ' ') << 32;
    return !any_special(kSpaces | load<std::uint16_t>(data) << 16 | load<std::uint16_t>(data + size - 2));
  }
  return size == 0 || is_plain(*data);
}

// The length of the leading part that can be copied as it is.
inline std::size_t plain_prefix(std::string_view text) noexcept {
  using namespace plain_text;
  std::size_t at = 0;
  while (at + 8 <= text.size() && !any_special(load<std::uint64_t>(text.data() + at))) at += 8;
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

// The same in whole blocks, where both sides have kBlockBytes more than the text: read and written past its end.
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

}  // namespace bindcast
