#include "plugin/registered_domains.hpp"

#include <libpsl.h>

#include <algorithm>
#include <array>
#include <utility>

namespace bindcast {

namespace {

constexpr std::size_t kPairs = 16'384;
constexpr std::size_t kMostLabels = 127;
constexpr std::size_t kSuffixLabels = 6;  // no rule of the list has more than five
constexpr std::size_t kMostBytes = 255;

// `suffix`: a name in wire form, its final zero included.
bool is_public(std::span<const std::uint8_t> suffix) noexcept {
  std::array<char, kMostBytes + 1> text;
  std::size_t size = 0;
  for (std::size_t at = 0; suffix[at] != 0; at += suffix[at] + std::size_t{1}) {
    if (size != 0) text[size++] = '.';
    for (const std::uint8_t byte : suffix.subspan(at + 1, suffix[at])) {
      // What is in no rule, and would end the text or a label, or be taken for UTF-8.
      const bool odd = byte <= ' ' || byte == '.' || byte >= 0x7f;
      text[size++] = odd ? '?' : static_cast<char>(byte);
    }
  }
  text[size] = '\0';
  const psl_ctx_t* const list = psl_builtin();
  if (list == nullptr) return std::find(text.begin(), text.begin() + size, '.') == text.begin() + size;
  return psl_is_public_suffix(list, text.data()) != 0;
}

}  // namespace

RegisteredDomains::RegisteredDomains(const SipHash& hash) : hash_(hash), known_(2 * kPairs) {}

// Two places for each key: what is asked again and again is not pushed out by what comes once.
bool RegisteredDomains::known_public(std::span<const std::uint8_t> suffix, std::uint64_t key) noexcept {
  std::uint64_t* const pair = &known_[2 * ((key >> 1) % kPairs)];
  if (pair[0] >> 1 != key >> 1) {
    const std::uint64_t other = std::exchange(pair[1], pair[0]);
    pair[0] = other >> 1 == key >> 1 ? other : (key & ~std::uint64_t{1}) | (is_public(suffix) ? 1U : 0U);
  }
  return (pair[0] & 1) != 0;
}

std::optional<RegisteredDomains::Domain> RegisteredDomains::find(std::span<const std::uint8_t> name,
                                                                 std::uint64_t name_key) noexcept {
  std::array<std::uint8_t, kMostLabels> labels;  // where each begins
  std::size_t count = 0, at = 0;
  if (name.size() > kMostBytes) return std::nullopt;
  while (at < name.size() && name[at] != 0) {
    if (count == kMostLabels) return std::nullopt;
    labels[count++] = static_cast<std::uint8_t>(at);
    at += name[at] + std::size_t{1};
  }
  if (at + 1 != name.size()) return std::nullopt;
  // The longest public suffix counts, and then the one a label longer, which was looked at just before.
  std::optional<Domain> longer;
  for (std::size_t of = std::min(count, kSuffixLabels); of >= 1; --of) {
    const auto suffix = name.subspan(labels[count - of]);
    const std::uint64_t key = of == count ? name_key : hash_(suffix);
    if (known_public(suffix, key)) return longer;
    longer = {labels[count - of], key};
  }
  return longer;
}

}  // namespace bindcast
