// SipHash-1-3, after the reference implementation of its authors, J.-P. Aumasson and D. J. Bernstein (public domain,
// https://github.com/veorq/SipHash); one round and three instead of two and four, as hash tables have it. With a key
// that nobody outside knows, nobody can choose names that meet in a table or that look few or many to a sketch.
// OpenSSL's takes a microsecond for each of them. A plain value; any thread.
#pragma once

#include <openssl/rand.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>

namespace bindcast {

class SipHash {
 public:
  using Key = std::array<std::uint64_t, 2>;

  explicit SipHash(const Key& key) noexcept : key_(key) {}
  // With a random key. Throws where there is none to be had.
  static SipHash random() {
    Key key;
    if (RAND_bytes(reinterpret_cast<unsigned char*>(key.data()), sizeof key) != 1)
      throw std::runtime_error("no random bytes");
    return SipHash(key);
  }

  [[nodiscard]] std::uint64_t operator()(std::span<const std::uint8_t> bytes) const noexcept {
    State state{key_[0] ^ 0x736f6d6570736575, key_[1] ^ 0x646f72616e646f6d, key_[0] ^ 0x6c7967656e657261,
                key_[1] ^ 0x7465646279746573};
    const std::uint64_t last = std::uint64_t{bytes.size()} << 56;
    const std::uint8_t* at = bytes.data();
    for (const std::uint8_t* const end = at + bytes.size() / 8 * 8; at != end; at += 8) state.take(word(at, 8));
    state.take(last | rest(bytes));
    state.v2 ^= 0xff;
    for (int i = 0; i < 3; ++i) state.round();
    return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
  }

 private:
  struct State {
    std::uint64_t v0, v1, v2, v3;

    void round() noexcept {
      v0 += v1, v1 = std::rotl(v1, 13), v1 ^= v0, v0 = std::rotl(v0, 32);
      v2 += v3, v3 = std::rotl(v3, 16), v3 ^= v2;
      v0 += v3, v3 = std::rotl(v3, 21), v3 ^= v0;
      v2 += v1, v1 = std::rotl(v1, 17), v1 ^= v2, v2 = std::rotl(v2, 32);
    }
    void take(std::uint64_t word) noexcept {
      v3 ^= word;
      round();
      v0 ^= word;
    }
  };

  // Little endian, as it is specified.
  static std::uint64_t word(const std::uint8_t* at, std::size_t size) noexcept {
    std::uint64_t word = 0;
    if (std::endian::native == std::endian::little && size == 8) {
      std::memcpy(&word, at, 8);
      return word;
    }
    for (std::size_t i = 0; i < size; ++i) word |= std::uint64_t{at[i]} << (8 * i);
    return word;
  }
  // What is behind the last whole word, without a loop wherever there is a word before it.
  static std::uint64_t rest(std::span<const std::uint8_t> bytes) noexcept {
    const std::size_t size = bytes.size() % 8;
    if (size == 0) return 0;
    if (bytes.size() < 8) return word(bytes.data(), size);
    return word(bytes.data() + bytes.size() - 8, 8) >> (64 - 8 * size);
  }

  Key key_;
};

}  // namespace bindcast
