#include "plugin/sources/sources.hpp"

#include "plugin/analytics/analytics.hpp"
#include "plugin/detectors/detectors.hpp"
#include "plugin/sources/forwarders/forwarders.hpp"
#include "plugin/sources/named_log/named_log.hpp"
#include "plugin/sources/system/system_metrics.hpp"

namespace bindcast {

Sources::Sources(const SourceTools& tools, const Options& options, Now now) : faults_(tools.hub.faults()) {
  auto host_state = std::make_unique<HostState>(tools.hub, tools.host, tools.metrics, tools.host_load);
  host_state_ = host_state.get();
  all_.push_back(std::move(host_state));
  all_.push_back(std::make_unique<Forwarders>(tools));
  all_.push_back(std::make_unique<Analytics>(tools.hub, tools.intake, tools.metrics));
  all_.push_back(std::make_unique<Detectors>(tools));
  all_.push_back(std::make_unique<NamedLog>(tools));
  all_.push_back(std::make_unique<SystemMetrics>(tools, *host_state_));
  configure(options, now);
}

// One that fails does not keep the others from their work.
void Sources::configure(const Options& options, Now now) {
  for (const auto& source : all_) faults_.contain([&] { source->configure(options, now); });
}

void Sources::host_configuration(const Statements& statements, Now now) {
  for (const auto& source : all_) faults_.contain([&] { source->host_configuration(statements, now); });
}

void Sources::tick(Now now) {
  for (const auto& source : all_) faults_.contain([&] { source->tick(now); });
}

void Sources::end() {
  for (const auto& source : all_) faults_.contain([&] { source->end(); });
}

void Sources::take(HostReading&& reading, Now now) {
  faults_.contain([&] { host_state_->take(std::move(reading), now); });
}

}  // namespace bindcast
