// Numbers of a fixed count of decimal digits, two at a time. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

namespace bindcast {

inline constexpr auto kDigitPairs = [] {
  std::array<std::array<char, 2>, 100> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i)
    pairs[i] = {static_cast<char>('0' + i / 10), static_cast<char>('0' + i % 10)};
  return pairs;
}();

// Below 100. Each returns the end of what it wrote.
inline char* write_2_digits(char* out, std::uint32_t value) noexcept {
  std::memcpy(out, kDigitPairs[value].data(), 2);
  return out + 2;
}

// Below 1,000,000.
inline char* write_6_digits(char* out, std::uint32_t value) noexcept {
  out = write_2_digits(out, value / 10'000);
  out = write_2_digits(out, value / 100 % 100);
  return write_2_digits(out, value % 100);
}

}  // namespace bindcast
