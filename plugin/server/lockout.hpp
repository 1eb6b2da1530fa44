// Who failed too often has to wait. One table, for addresses or for users; the clock is a parameter. Loop thread only.
//
// Bounded: of more than `most` keys the one that failed longest ago is forgotten, but never one that is locked, so that
// nobody gets free by failing under many other names. While all are locked, a new one is not counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "config/options.hpp"
#include "plugin/clock.hpp"

namespace bindcast {

// What an address is counted as: itself, or its /64 of IPv6, where one host has as many as it likes. Empty for what is
// no address (a unix socket), which is not counted.
[[nodiscard]] std::string address_key(std::string_view address);

class Lockout {
 public:
  explicit Lockout(std::size_t most) : most_(most) {}
  void configure(const AuthOptions::Lockout& options) { options_ = options; }

  // So long it still has to wait, in microseconds; 0: it is not locked.
  [[nodiscard]] std::int64_t wait_us(std::string_view key, Now now) const;
  // One more failure of it. True when it is locked by this one. `always`: beside the bound, for keys of which there are
  // not many (the configuration's users).
  bool fail(std::string_view key, bool always, Now now);
  void forgive(std::string_view key);
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct Entry {
    std::uint32_t failures = 0;  // since `since_us`
    std::int64_t since_us = 0;
    std::int64_t until_us = 0;  // locked
  };
  [[nodiscard]] bool make_room(Now now);

  std::size_t most_;
  AuthOptions::Lockout options_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace bindcast
