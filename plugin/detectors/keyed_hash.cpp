#include "plugin/detectors/keyed_hash.hpp"

#include <openssl/rand.h>

#include <bit>
#include <cstring>
#include <stdexcept>

namespace bindcast {

KeyedHash::KeyedHash() {
  unsigned char bytes[16];
  if (RAND_bytes(bytes, sizeof bytes) != 1) throw std::runtime_error("no random bytes");
  std::memcpy(&key0_, bytes, sizeof key0_);
  std::memcpy(&key1_, bytes + sizeof key0_, sizeof key1_);
}

std::uint64_t KeyedHash::operator()(std::span<const std::uint8_t> bytes) const noexcept {
  std::uint64_t v0 = key0_ ^ 0x736f6d6570736575, v1 = key1_ ^ 0x646f72616e646f6d;
  std::uint64_t v2 = key0_ ^ 0x6c7967656e657261, v3 = key1_ ^ 0x7465646279746573;
  const auto round = [&] {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  };
  const auto take = [&](std::uint64_t word) {
    v3 ^= word;
    round();
    v0 ^= word;
  };
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    take(word);
  }
  std::uint64_t last = std::uint64_t{bytes.size()} << 56;
  for (std::size_t i = 0; i < left; ++i) last |= std::uint64_t{at[i]} << 8 * i;
  take(last);
  v2 ^= 0xff;
  round();
  round();
  round();
  return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace bindcast
