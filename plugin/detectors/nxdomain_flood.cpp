#include "plugin/detectors/nxdomain_flood.hpp"

#include "plugin/detectors/text.hpp"

namespace bindcast {

namespace {

constexpr std::uint64_t kOneAddressOf = 10;

TallyTable::Rules table_rules(const SourcesOptions::Detectors& options, std::uint32_t names) {
  return {.entries = options.entries,
          .window_us = options.nxdomain_flood.window.count(),
          .counts = TallyTable::Counts::names,
          .threshold = static_cast<double>(names),
          .sample_from = names / 2.0};
}

}  // namespace

NxdomainFlood::NxdomainFlood(const SourcesOptions::Detectors& options)
    : rules_(options.nxdomain_flood),
      strong_(options.strong),
      clients_(table_rules(options, rules_.client_names)),
      domains_(table_rules(options, rules_.domain_names)) {}

void NxdomainFlood::see(const SeenQuery& query, Now now) {
  const QueryRecord& record = query.record;
  if (record.dropped || record.has_rpz) return;
  if (record.rcode != kRcodeNxdomain || (query.of_an_address && query.name_hash % kOneAddressOf != 0)) {
    clients_.other(query.client_hash, query, now);
    domains_.other(query.domain_hash, query, now);
    return;
  }
  clients_.hit(query.client_hash, query, now);
  if (!query.before.empty()) domains_.hit(query.domain_hash, query, now);
}

void NxdomainFlood::tick(Now now, std::vector<Finding>& findings) {
  const auto look = [&](TallyTable& table, std::uint32_t threshold, bool of_client) {
    table.tick(
        now,
        [&](const Tally& tally, double names) {
          return tally.share() < rules_.share ? 0 : names < strong_ * threshold ? 1 : 2;
        },
        [&](const Tally& tally, int strength) {
          Finding finding = finding_of(name(), tally, strength);
          if (of_client)
            finding.client = tally.sample->client;
          else
            finding.domain = name_text(tally.sample->domain);
          finding.value = tally.different_names();
          finding.threshold = threshold;
          finding.measure = "names";
          finding.window_us = rules_.window.count();
          finding.counts.emplace_back("share", tally.share());
          findings.push_back(std::move(finding));
        });
  };
  look(clients_, rules_.client_names, true);
  look(domains_, rules_.domain_names, false);
}

Held NxdomainFlood::held() const noexcept {
  return clients_.held() + domains_.held();
}

}  // namespace bindcast
