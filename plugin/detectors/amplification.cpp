#include "plugin/detectors/amplification.hpp"

#include "plugin/hub/privacy.hpp"

namespace bindcast {

namespace {

constexpr bool brings_much(std::uint16_t type) noexcept {
  return type == kTypeAny || type == kTypeDnskey || type == kTypeRrsig || type == kTypeTxt;
}

}  // namespace

Amplification::Amplification(const SourcesOptions::Detectors& options, const SipHash& hash)
    : rules_(options.amplification),
      strong_(options.strong),
      hash_(hash),
      networks_({.entries = options.entries,
                 .window_us = rules_.window.count(),
                 .counts = TallyTable::Counts::hits,
                 .threshold = static_cast<double>(rules_.queries),
                 .sample_from = rules_.queries / 2.0}) {}

void Amplification::see(const SeenQuery& query, Now now) {
  if (query.record.transport != Transport::udp || !brings_much(query.record.qtype)) return;
  const Network network = network_of_client(query.client());
  networks_.hit(hash_(network.bytes), query, now);
}

void Amplification::tick(Now now, std::vector<Finding>& findings) {
  networks_.tick(
      now,
      [&](const Tally& tally, double queries) {
        if (tally.different_names() > rules_.names) return 0;
        return queries < strong_ * rules_.queries ? 1 : 2;
      },
      [&](const Tally& tally, int strength) {
        Finding finding = finding_of(name(), tally, strength);
        finding.client = network_of_client(tally.sample->client);
        finding.value = tally.hits;
        finding.threshold = rules_.queries;
        finding.measure = "queries";
        finding.window_us = rules_.window.count();
        findings.push_back(std::move(finding));
      });
}

}  // namespace bindcast
