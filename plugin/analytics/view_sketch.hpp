// What was asked in one view since the last report, in bounded memory: counters, sketches, a histogram.
//
// Clients and names are kept as `privacy` has them, as far as it makes one of several: networks instead of addresses,
// the last two labels instead of names, or nothing. Hashes are made where events are (hub/masker); they keep apart what
// is different. How many different ones there were is counted before that: it tells of nobody.
//
// 0.75 MB with `top` up to 256, 2.9 MB with 1,000 (bytes()), all allocated by the constructor. Not thread safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/options.hpp"
#include "events/network.hpp"
#include "plugin/analytics/hyperloglog.hpp"
#include "plugin/analytics/space_saving.hpp"
#include "plugin/capture/records.hpp"
#include "plugin/histogram.hpp"
#include "plugin/registered_domains.hpp"
#include "plugin/siphash.hpp"

namespace bindcast {

class ViewSketch {
 public:
  // What all views of a process share; must outlive them.
  struct Shared {
    explicit Shared(const PrivacyOptions& how)
        : privacy(how), hash(SipHash::random()), domains(hash), code_factor(hash({}) | 1) {}
    const PrivacyOptions privacy;
    const SipHash hash;
    RegisteredDomains domains;
    const std::uint64_t code_factor;  // for the few different codes a random factor is hash enough
  };

  // A name in wire form, in lower case.
  struct Name {
    static constexpr std::uint8_t kNoDomain = 255;
    std::uint64_t domain_key;
    std::uint8_t domain_at;  // where its domain begins, or kNoDomain
    std::uint8_t size;
    std::array<std::uint8_t, 255> wire;
    [[nodiscard]] std::span<const std::uint8_t> text() const noexcept { return {wire.data(), size}; }
  };
  // IPv4 as ::ffff:a.b.c.d.
  using Address = std::array<std::uint8_t, 16>;
  // What such an address stands for: itself, or the network that it is the first of.
  [[nodiscard]] static Network client_of(const Address& address, ClientAddressPrivacy privacy) noexcept;

  ViewSketch(Shared& shared, std::string_view view, std::size_t top);

  void see(const QueryView& query) noexcept;
  void clear() noexcept;
  [[nodiscard]] std::size_t bytes() const noexcept;

  std::string view;
  // Since the last clear(). Each request counts for what it stands for.
  std::uint64_t queries = 0;
  std::uint64_t blocked = 0;  // a policy changed the answer, or kept it back
  std::uint64_t dropped = 0;  // without an answer: they have neither rcode nor latency
  double latency_us_sum = 0;
  Histogram latency_us;
  HyperLogLog distinct_names, distinct_clients;  // not multiplied by sampling
  SpaceSaving top_names, top_domains, top_clients, types, rcodes;
  // What stands in the slots of the sketches of that name; types and rcodes are in their keys' own.
  std::vector<Name> names, domains;
  std::vector<Address> clients;
  std::vector<std::uint16_t> type_codes, rcode_codes;

 private:
  void see_client(const QueryRecord& record, std::uint64_t weight) noexcept;
  void see_name(std::span<const std::uint8_t> wire, std::uint64_t weight) noexcept;
  void find_domain(Name& name, std::uint64_t key) noexcept;

  Shared& shared_;
};

}  // namespace bindcast
