#include "plugin/analytics/view_sketch.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "plugin/hub/privacy.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kFewestSlots = 1024;
constexpr std::size_t kCodeSlots = 64;  // query types and rcodes that occur are fewer, but for mischief

constexpr std::size_t slots_for(std::size_t top) noexcept {
  return std::max(kFewestSlots, std::bit_ceil(4 * top));
}

constexpr ViewSketch::Address kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t kMappedAt = 12;

ViewSketch::Address address_of(int family, const std::array<std::uint8_t, 16>& bytes) noexcept {
  if (family == 6) return bytes;
  ViewSketch::Address address = kMapped;
  std::copy_n(bytes.begin(), 4, address.begin() + kMappedAt);
  return address;
}

// An upper case letter is 32 below its lower case; eight bytes at a time, because every name of every query comes here.
// The lengths of labels are below 'A'.
std::uint64_t lower(std::uint64_t word) noexcept {
  constexpr std::uint64_t kEach = 0x0101010101010101;
  const std::uint64_t low = word & (0x7f * kEach);
  const std::uint64_t from_a = low + (0x80 - 'A') * kEach, beyond_z = low + (0x7f - 'Z') * kEach;
  return word | (((from_a ^ beyond_z) & ~word & (0x80 * kEach)) >> 2);
}

// `out` has room for whole words.
void copy_lower(std::span<const std::uint8_t> wire, std::uint8_t* out) noexcept {
  std::memset(out + wire.size() / 8 * 8, 0, 8);
  std::memcpy(out, wire.data(), wire.size());
  for (std::size_t at = 0; at < wire.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, out + at, 8);
    word = lower(word);
    std::memcpy(out + at, &word, 8);
  }
}

void copy(std::span<const std::uint8_t> wire, ViewSketch::Name& to) noexcept {
  to.size = static_cast<std::uint8_t>(wire.size());
  std::memcpy(to.wire.data(), wire.data(), wire.size());
}

}  // namespace

Network ViewSketch::client_of(const Address& address, ClientAddressPrivacy privacy) noexcept {
  Network client{.family = 6, .bytes = address, .prefix = 128};
  if (std::equal(address.begin(), address.begin() + kMappedAt, kMapped.begin())) {
    client = {.family = 4, .bytes = {}, .prefix = 32};
    std::copy_n(address.begin() + kMappedAt, 4, client.bytes.begin());
  }
  return privacy == ClientAddressPrivacy::prefix ? network_of_client(client) : client;
}

ViewSketch::ViewSketch(Shared& shared, std::string_view name, std::size_t top)
    : view(name),
      top_names(slots_for(top)),
      top_domains(slots_for(top)),
      top_clients(slots_for(top)),
      types(kCodeSlots),
      rcodes(kCodeSlots),
      names(slots_for(top)),
      domains(slots_for(top)),
      clients(slots_for(top)),
      type_codes(kCodeSlots),
      rcode_codes(kCodeSlots),
      shared_(shared) {}

void ViewSketch::clear() noexcept {
  queries = blocked = dropped = 0;
  latency_us_sum = 0;
  latency_us.reset();
  for (HyperLogLog* distinct : {&distinct_names, &distinct_clients}) distinct->clear();
  for (SpaceSaving* top : {&top_names, &top_domains, &top_clients, &types, &rcodes}) top->clear();
}

std::size_t ViewSketch::bytes() const noexcept {
  constexpr std::size_t kSlot = 24 + 16 + 4;
  return sizeof *this + (names.size() + domains.size()) * (kSlot + sizeof(Name)) +
         clients.size() * (kSlot + sizeof(Address)) + (types.capacity() + rcodes.capacity()) * (kSlot + 2);
}

void ViewSketch::see(const QueryView& query) noexcept {
  const QueryRecord& record = query.fixed;
  const std::uint64_t weight = std::max<std::uint32_t>(record.sample, 1);
  queries += weight;
  if (record.has_rpz && record.action != RpzAction::passthru) blocked += weight;
  const auto see_code = [&](SpaceSaving& top, std::vector<std::uint16_t>& codes, std::uint16_t code) {
    const auto added = top.add(std::rotl((code + 1U) * shared_.code_factor, 32), weight);
    codes[added.slot] = code;
  };
  see_code(types, type_codes, record.qtype);
  if (record.dropped) {
    dropped += weight;
  } else {
    see_code(rcodes, rcode_codes, record.rcode);
    const auto us = static_cast<std::int64_t>(record.latency_ns / 1000);
    latency_us.record(us, weight);
    latency_us_sum += static_cast<double>(us) * static_cast<double>(weight);
  }
  if (record.client_family != 0) see_client(record, weight);
  if (!query.qname.empty()) see_name(query.qname, weight);
}

void ViewSketch::see_client(const QueryRecord& record, std::uint64_t weight) noexcept {
  Address address = address_of(record.client_family, record.client);
  std::uint64_t key = shared_.hash(address);
  distinct_clients.add(key);
  if (shared_.privacy.client_address == ClientAddressPrivacy::none) return;
  if (shared_.privacy.client_address == ClientAddressPrivacy::prefix) {
    const Network network = client_of(address, ClientAddressPrivacy::prefix);
    address = address_of(network.family, network.bytes);
    key = shared_.hash(address);
  }
  const auto added = top_clients.add(key, weight);
  if (added.fresh) clients[added.slot] = address;
}

void ViewSketch::see_name(std::span<const std::uint8_t> wire, std::uint64_t weight) noexcept {
  std::array<std::uint8_t, 256> buffer;
  copy_lower(wire, buffer.data());
  std::span<const std::uint8_t> name(buffer.data(), wire.size());
  std::uint64_t key = shared_.hash(name);
  distinct_names.add(key);
  if (shared_.privacy.query_name == QueryNamePrivacy::none) return;
  if (shared_.privacy.query_name == QueryNamePrivacy::domain) {
    name = domain_of(name);
    key = shared_.hash(name);
  }
  const auto added = top_names.add(key, weight);
  Name& kept = names[added.slot];
  if (added.fresh) {
    copy(name, kept);
    find_domain(kept, key);
  }
  if (kept.domain_at == Name::kNoDomain) return;
  const auto of_domain = top_domains.add(kept.domain_key, weight);
  if (of_domain.fresh) copy(kept.text().subspan(kept.domain_at), domains[of_domain.slot]);
}

void ViewSketch::find_domain(Name& name, std::uint64_t key) noexcept {
  name.domain_at = Name::kNoDomain;
  if (shared_.privacy.query_name == QueryNamePrivacy::domain) {
    // Where only the last two labels may be known, they are what is left of the domain too.
    if (name.size > 1) {
      name.domain_at = 0;
      name.domain_key = key;
    }
  } else if (const auto domain = shared_.domains.find(name.text(), key)) {
    name.domain_at = domain->at;
    name.domain_key = domain->key;
  }
}

}  // namespace bindcast
