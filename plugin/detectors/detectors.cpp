#include "plugin/detectors/detectors.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "events/dns_text.hpp"
#include "plugin/detectors/amplification.hpp"
#include "plugin/detectors/beaconing.hpp"
#include "plugin/detectors/infected_client.hpp"
#include "plugin/detectors/nxdomain_flood.hpp"
#include "plugin/detectors/tunnelling.hpp"

namespace bindcast {

Detectors::Detectors(const SourceTools& tools, const SipHash& hash)
    : hub_(tools.hub),
      judgement_([this](Event&& event, Now now) { hub_.emit(std::move(event), now); },
                 {.address =
                      [this](const Network& network, Now now) {
                        return hub_.masker()
                            .address(address_text(network), hub_.privacy().client_address, now)
                            .value_or(std::string());
                      },
                  .name =
                      [this](std::string_view name, Now now) {
                        return hub_.masker().name(name, hub_.privacy().query_name, now).value_or(std::string());
                      }}),
      hash_(hash) {
  tools.intake.add_observer(*this);
  tools.metrics.add([this](MetricsText& text) { write(text); });
}

void Detectors::configure(const Options& options, Now) {
  const SourcesOptions::Detectors& wanted = options.sources.detectors;
  if (options_ == wanted && feeds_ == options.events.rpz.feeds) return;
  options_ = wanted;
  feeds_ = options.events.rpz.feeds;
  qps_change_ = nullptr;
  all_.clear();
  ignored_clients_.clear();
  judgement_.set_cooldown(wanted.cooldown.count());
  if (!wanted.enabled) {
    judgement_.forget();
    domains_.reset();
    return;
  }
  domains_ = std::make_unique<RegisteredDomains>(hash_);
  for (const std::string& text : wanted.ignore_clients)
    if (Network network; parse_network(text, network)) ignored_clients_.push_back(network);
  if (wanted.nxdomain_flood.enabled) all_.push_back(std::make_unique<NxdomainFlood>(wanted));
  if (wanted.tunnelling.enabled) all_.push_back(std::make_unique<Tunnelling>(wanted));
  if (wanted.amplification.enabled) all_.push_back(std::make_unique<Amplification>(wanted, hash_));
  if (wanted.beaconing.enabled) all_.push_back(std::make_unique<Beaconing>(wanted));
  if (wanted.infected_client.enabled) all_.push_back(std::make_unique<InfectedClient>(wanted, feeds_));
  if (wanted.qps_change.enabled) {
    auto qps_change = std::make_unique<QpsChange>(wanted);
    qps_change_ = qps_change.get();
    all_.push_back(std::move(qps_change));
  }
}

bool Detectors::ignored(const SeenQuery& query) const noexcept {
  if (!ignored_clients_.empty()) {
    const Network client = query.client();
    if (std::ranges::any_of(ignored_clients_, [&](const Network& network) { return contains(network, client); }))
      return true;
  }
  if (options_.ignore_domains.empty()) return false;
  char text[kMaxNameText];
  const std::string_view name(text, write_name(text, query.name));
  return std::ranges::any_of(options_.ignore_domains,
                             [&](const std::string& above) { return name_under(name, above); });
}

void Detectors::see(const QueryView& query, Now now) {
  const SeenQuery seen(query, hash_, *domains_);
  const bool only_counts = ignored(seen);
  for (const auto& detector : all_)
    if (!only_counts || detector.get() == qps_change_) detector->see(seen, now);
}

void Detectors::missed(std::uint64_t count, Now) noexcept {
  if (qps_change_ != nullptr) qps_change_->add(count);
}

void Detectors::tick(Now now) {
  if (!options_.enabled) return;
  findings_.clear();
  for (const auto& detector : all_) detector->tick(now, findings_);
  for (const Finding& finding : findings_) judgement_.take(finding, now);
  judgement_.tick(now);
}

void Detectors::write(MetricsText& text) const {
  using Kind = MetricsText::Kind;
  if (!options_.enabled) return;
  static constexpr std::string_view kStrengths[] = {"suspicious_activity", "threat_detected", "security_alert"};
  text.family(Kind::counter, "detector_findings", "Findings that were told, by the type of their event.");
  for (const auto& [detector, counters] : judgement_.counters())
    for (std::size_t i = 0; i < counters.told.size(); ++i)
      text.sample(counters.told[i], {{"detector", detector}, {"type", kStrengths[i]}});
  text.family(Kind::counter, "detector_findings_suppressed", "Findings not told: their subject was cooling down.");
  for (const auto& [detector, counters] : judgement_.counters())
    text.sample(counters.suppressed, {{"detector", detector}});
  text.family(Kind::counter, "detector_findings_untold", "Findings not told: there were too many other subjects.");
  for (const auto& [detector, counters] : judgement_.counters()) text.sample(counters.untold, {{"detector", detector}});
  text.family(Kind::gauge, "detector_tracked_entries", "Clients, domains, names that the tables of a detector hold.");
  for (const auto& detector : all_)
    text.sample(std::uint64_t{detector->held().tracked}, {{"detector", detector->name()}});
  text.family(Kind::gauge, "detector_table_bytes", "Memory of the tables of a detector.", "bytes");
  for (const auto& detector : all_)
    text.sample(std::uint64_t{detector->held().bytes}, {{"detector", detector->name()}});
  text.family(Kind::counter, "detector_table_evictions", "Entries that others pushed out of a full table.");
  for (const auto& detector : all_) text.sample(detector->held().evictions, {{"detector", detector->name()}});
}

}  // namespace bindcast
