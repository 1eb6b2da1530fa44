#include "plugin/detectors/infected_client.hpp"

#include "plugin/capture/query_event.hpp"
#include "plugin/detectors/text.hpp"

namespace bindcast {

InfectedClient::InfectedClient(const SourcesOptions::Detectors& options, std::vector<FeedRule> feeds)
    : rules_(options.infected_client),
      feeds_(std::move(feeds)),
      clients_({.entries = options.entries,
                .window_us = rules_.window.count(),
                .counts = TallyTable::Counts::hits,
                .threshold = static_cast<double>(rules_.hits),
                .sample_from = 1}) {}

void InfectedClient::see(const SeenQuery& query, Now now) {
  if (!query.record.has_rpz || query.record.action == RpzAction::passthru) return;
  char zone[kMaxNameText];
  const std::string_view category = feed_category(feeds_, {zone, write_name(zone, query.policy_zone)});
  if (category != kMalwareFeed && category != kPhishingFeed) return;
  clients_.hit(query.client_hash, query, now, {.special = category == kMalwareFeed, .bytes = 0});
}

void InfectedClient::tick(Now now, std::vector<Finding>& findings) {
  clients_.tick(
      now, [](const Tally&, double) { return 2; },
      [&](const Tally& tally, int strength) {
        Finding finding = finding_of(name(), tally, strength);
        finding.strength = Strength::alarm;
        finding.client = tally.sample->client;
        finding.value = tally.hits;
        finding.threshold = rules_.hits;
        finding.measure = "hits";
        finding.window_us = rules_.window.count();
        finding.counts.emplace_back("malware", tally.special);
        finding.counts.emplace_back("phishing", tally.hits - tally.special);
        findings.push_back(std::move(finding));
      });
}

}  // namespace bindcast
