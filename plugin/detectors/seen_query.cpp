#include "plugin/detectors/seen_query.hpp"

#include <algorithm>

namespace bindcast {

namespace {

constexpr bool is_digit(std::uint8_t c) noexcept {
  return c >= '0' && c <= '9';
}

bool made_of_an_address(std::span<const std::uint8_t> labels) noexcept {
  constexpr int kBytesOfIpv4 = 4, kNibblesAtLeast = 16;
  int numbers = 0, nibbles = 0;
  for (std::size_t at = 0; at < labels.size() && labels[at] != 0; at += labels[at] + std::size_t{1}) {
    const auto label = labels.subspan(at + 1, std::min<std::size_t>(labels[at], labels.size() - at - 1));
    const bool number = label.size() <= 3 && std::ranges::all_of(label, is_digit);
    const bool nibble = label.size() == 1 && (is_digit(label[0]) || (label[0] >= 'a' && label[0] <= 'f'));
    if (!number && !nibble) return false;
    numbers = number && numbers >= 0 ? numbers + 1 : -1;
    nibbles = nibble && nibbles >= 0 ? nibbles + 1 : -1;
    if (numbers == kBytesOfIpv4 || nibbles == kNibblesAtLeast) return true;
    if (numbers < 0 && nibbles < 0) return false;
  }
  return false;
}

// The reverse zones, where a name may be shorter than an address.
bool is_reverse(std::span<const std::uint8_t> name) noexcept {
  using namespace std::string_view_literals;
  const std::string_view text(reinterpret_cast<const char*>(name.data()), name.size());
  return text.ends_with("\7in-addr\4arpa\0"sv) || text.ends_with("\3ip6\4arpa\0"sv);
}

}  // namespace

SeenQuery::SeenQuery(const QueryView& query, const SipHash& hash, RegisteredDomains& domains)
    : record(query.fixed), view(query.view), policy_zone(query.policy_zone) {
  // No byte of a label's length is a capital letter.
  std::ranges::transform(query.qname, lower_.begin(), [](std::uint8_t c) {
    return static_cast<std::uint8_t>(c + (static_cast<unsigned>(c - 'A') < 26 ? 32 : 0));
  });
  name = {lower_.data(), query.qname.size()};
  name_hash = domain_hash = hash(name);
  std::size_t domain_at = 0;
  if (const auto found = domains.find(name, name_hash)) {
    domain_at = found->at;
    domain_hash = found->key;
  }
  domain = name.subspan(domain_at);
  before = name.first(name.size() - domain.size());
  of_an_address = made_of_an_address(before) || is_reverse(name);
  client_hash = hash({record.client.data(), record.client_family == 6 ? 16U : 4U});
}

Network SeenQuery::client() const noexcept {
  const bool six = record.client_family == 6;
  return {.family = six ? 6 : 4, .bytes = record.client, .prefix = six ? 128U : 32U};
}

}  // namespace bindcast
