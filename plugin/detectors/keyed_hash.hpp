// SipHash-1-3 with a key of its own: nobody outside can choose names or addresses that fall into one place of a table.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <span>

namespace bindcast {

class KeyedHash {
 public:
  KeyedHash();  // a random key
  KeyedHash(std::uint64_t key0, std::uint64_t key1) noexcept : key0_(key0), key1_(key1) {}

  [[nodiscard]] std::uint64_t operator()(std::span<const std::uint8_t> bytes) const noexcept;

 private:
  std::uint64_t key0_ = 0, key1_ = 0;
};

// Of two hashes, one for both, in that order.
[[nodiscard]] constexpr std::uint64_t joined_hash(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t mixed = (a ^ (b << 29 | b >> 35)) * 0x9e3779b97f4a7c15;
  mixed ^= mixed >> 32;
  return mixed * 0xd6e8feb86659fd93;
}

}  // namespace bindcast
