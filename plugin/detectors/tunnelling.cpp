#include "plugin/detectors/tunnelling.hpp"

#include <array>
#include <cmath>

#include "plugin/detectors/text.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kBytesOfText = 16;  // of TXT and NULL, which clients ask for seldom
constexpr double kMostShare = 0.5;        // of queries that look like it, and of types that carry much

constexpr bool carries_much(std::uint16_t type) noexcept {
  return type == kTypeTxt || type == kTypeNull || type == kTypeCname || type == kTypeMx || type == kTypeSrv;
}

// n log2 n, for counts of characters.
const std::array<float, 256>& weights() noexcept {
  static const auto made = [] {
    std::array<float, 256> table{};
    for (std::size_t n = 2; n < table.size(); ++n) table[n] = static_cast<float>(n) * std::log2(static_cast<float>(n));
    return table;
  }();
  return made;
}

// Without the lengths of labels.
std::size_t characters(std::span<const std::uint8_t> labels) noexcept {
  std::size_t count = 0;
  for (std::size_t at = 0; at < labels.size(); at += labels[at] + std::size_t{1}) count += labels[at];
  return count;
}

}  // namespace

double Tunnelling::entropy(std::span<const std::uint8_t> labels) noexcept {
  std::array<std::uint8_t, 256> counts{};
  std::size_t all = 0;
  for (std::size_t at = 0; at < labels.size(); at += labels[at] + std::size_t{1})
    for (std::size_t i = at + 1; i <= at + labels[at] && i < labels.size(); ++i, ++all) ++counts[labels[i]];
  if (all == 0) return 0;
  float sum = 0;
  for (const std::uint8_t count : counts) sum += weights()[count];
  return static_cast<double>(weights()[all] - sum) / static_cast<double>(all);
}

Tunnelling::Tunnelling(const SourcesOptions::Detectors& options)
    : rules_(options.tunnelling),
      strong_(options.strong),
      pairs_({.entries = options.entries,
              .window_us = rules_.window.count(),
              .counts = TallyTable::Counts::names,
              .threshold = rules_.names / 2.0,
              .sample_from = rules_.names / 4.0}) {}

void Tunnelling::see(const SeenQuery& query, Now now) {
  if (query.before.empty() || query.of_an_address) return;
  const std::uint64_t pair = joined_hash(query.client_hash, query.domain_hash);
  const std::uint16_t type = query.record.qtype;
  const std::size_t least = type == kTypeTxt || type == kTypeNull ? kBytesOfText : rules_.name_bytes;
  // The lengths of labels are in before.size(); what is too short with them needs no second look.
  const std::size_t length = query.before.size() < least ? 0 : characters(query.before);
  if (length < least || entropy(query.before) < rules_.entropy)
    pairs_.other(pair, query, now);
  else
    pairs_.hit(pair, query, now, {.special = carries_much(type), .bytes = static_cast<std::uint32_t>(length)});
}

void Tunnelling::tick(Now now, std::vector<Finding>& findings) {
  const auto threshold = [&](const Tally& tally) {
    const bool much = static_cast<double>(tally.special) >= kMostShare * static_cast<double>(tally.hits);
    return much ? rules_.names / 2.0 : static_cast<double>(rules_.names);
  };
  pairs_.tick(
      now,
      [&](const Tally& tally, double names) {
        if (names < threshold(tally) || tally.share() < kMostShare) return 0;
        return names < strong_ * threshold(tally) ? 1 : 2;
      },
      [&](const Tally& tally, int strength) {
        Finding finding = finding_of(name(), tally, strength);
        finding.client = tally.sample->client;
        finding.domain = name_text(tally.sample->domain);
        finding.value = tally.different_names();
        finding.threshold = threshold(tally);
        finding.measure = "names";
        finding.window_us = rules_.window.count();
        finding.counts.emplace_back("mean_bytes", static_cast<double>(tally.bytes) / static_cast<double>(tally.hits));
        finding.counts.emplace_back("share", tally.share());
        finding.counts.emplace_back("text_share", static_cast<double>(tally.special) / static_cast<double>(tally.hits));
        findings.push_back(std::move(finding));
      });
}

}  // namespace bindcast
