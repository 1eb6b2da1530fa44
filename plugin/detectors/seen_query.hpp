// A query as the detectors look at it: its name in lower case, and the hashes by which they know it. Made once for all.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "events/network.hpp"
#include "plugin/capture/records.hpp"
#include "plugin/registered_domains.hpp"
#include "plugin/siphash.hpp"

namespace bindcast {

// DNS numbers that detectors speak of (IANA).
inline constexpr std::uint16_t kRcodeNxdomain = 3;
inline constexpr std::uint16_t kTypeCname = 5, kTypeNull = 10, kTypeMx = 15, kTypeTxt = 16, kTypeSrv = 33,
                               kTypeRrsig = 46, kTypeDnskey = 48, kTypeAny = 255;

// Of two hashes, one for both, in that order.
[[nodiscard]] constexpr std::uint64_t joined_hash(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t mixed = (a ^ (b << 29 | b >> 35)) * 0x9e3779b97f4a7c15;
  mixed ^= mixed >> 32;
  return mixed * 0xd6e8feb86659fd93;
}

class SeenQuery {
 public:
  // Borrows `query` as long as this is used.
  SeenQuery(const QueryView& query, const SipHash& hash, RegisteredDomains& domains);
  SeenQuery(const SeenQuery&) = delete;
  SeenQuery& operator=(const SeenQuery&) = delete;

  const QueryRecord& record;
  std::string_view view;
  std::span<const std::uint8_t> policy_zone;  // wire form; empty unless a policy was met
  std::span<const std::uint8_t> name;         // wire form, lower case
  std::span<const std::uint8_t> domain;       // the registered domain: the end of `name`, or all of it
  std::span<const std::uint8_t> before;       // what stands before it: labels, without a final root
  std::uint64_t client_hash, name_hash, domain_hash;
  // Made of an address, as names of reverse zones and of blocklists are: four numbers or sixteen hex digits in front.
  bool of_an_address;

  [[nodiscard]] Network client() const noexcept;
  // When it was asked, by the monotonic clock.
  [[nodiscard]] std::int64_t asked_us() const noexcept {
    return static_cast<std::int64_t>((record.ended_ns - record.latency_ns) / 1000);
  }

 private:
  std::array<std::uint8_t, 256> lower_;
};

}  // namespace bindcast
