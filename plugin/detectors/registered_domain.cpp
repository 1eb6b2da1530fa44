#include "plugin/detectors/registered_domain.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "plugin/hub/privacy.hpp"

namespace bindcast {

namespace {

// Below a country's two letters these are nobody's own (co.uk, com.au, ac.jp). In lower case.
constexpr std::array<std::string_view, 12> kOfCountries{"ac",  "co", "com", "edu", "go", "gob",
                                                        "gov", "gv", "ne",  "net", "or", "org"};

bool is_common(std::span<const std::uint8_t> two_labels) noexcept {
  const std::size_t size = two_labels[0];
  if (size > 3 || two_labels.size() != size + 5 || two_labels[size + 1] != 2) return false;
  char label[3];
  for (std::size_t i = 0; i < size; ++i) label[i] = static_cast<char>(two_labels[i + 1] | 0x20);
  return std::ranges::find(kOfCountries, std::string_view(label, size)) != kOfCountries.end();
}

}  // namespace

std::span<const std::uint8_t> registered_domain(std::span<const std::uint8_t> wire) noexcept {
  const auto two = domain_of(wire);
  if (two.size() == wire.size() || !is_common(two)) return two;
  // The label before them.
  const std::size_t end = wire.size() - two.size();
  std::size_t at = 0;
  while (at + wire[at] + std::size_t{1} < end) at += wire[at] + std::size_t{1};
  return wire.subspan(at);
}

}  // namespace bindcast
