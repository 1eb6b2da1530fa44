// The registered domain of a name: the public suffix it is under (com, co.uk, github.io) and one label more, by the
// public suffix list (https://publicsuffix.org) that libpsl has built in, so that no file is read.
//
// libpsl takes a fifth of a microsecond to say whether one suffix is public; what it said is remembered, in 256 KB.
// Where its library was built without a list, the last label is the suffix. Not thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "plugin/siphash.hpp"

namespace bindcast {

class RegisteredDomains {
 public:
  // `hash` must outlive it.
  explicit RegisteredDomains(const SipHash& hash);

  struct Domain {
    std::uint8_t at;    // where it begins in the name
    std::uint64_t key;  // its hash
  };
  // Of a name in wire form, in lower case, and its hash. Nothing when it has none: it is a public suffix itself, the
  // root, or no name.
  [[nodiscard]] std::optional<Domain> find(std::span<const std::uint8_t> name, std::uint64_t name_key) noexcept;

 private:
  [[nodiscard]] bool known_public(std::span<const std::uint8_t> suffix, std::uint64_t key) noexcept;

  const SipHash& hash_;
  std::vector<std::uint64_t> known_;  // by the hash of a suffix: that, its lowest bit set where it is public
};

}  // namespace bindcast
