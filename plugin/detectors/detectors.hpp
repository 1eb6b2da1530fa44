// All detectors: looks at every query while `sources.detectors.enabled`, and tells what they find. Loop thread only.
#pragma once

#include <memory>
#include <vector>

#include "plugin/capture/query_observer.hpp"
#include "plugin/detectors/detector.hpp"
#include "plugin/detectors/judgement.hpp"
#include "plugin/detectors/qps_change.hpp"
#include "plugin/siphash.hpp"
#include "plugin/sources/source.hpp"
#include "plugin/sources/sources.hpp"

namespace bindcast {

class Detectors final : public Source, public QueryObserver {
 public:
  // `hash`: by which all tables know their entries; tests give it a key of their own.
  explicit Detectors(const SourceTools& tools, const SipHash& hash = SipHash::random());

  // New thresholds begin with nothing counted; what was told stays known.
  void configure(const Options& options, Now now) override;
  void tick(Now now) override;
  void end() override {}

  [[nodiscard]] bool watches() const noexcept override { return options_.enabled; }
  void see(const QueryView& query, Now now) override;
  void missed(std::uint64_t count, Now now) noexcept override;

 private:
  [[nodiscard]] bool ignored(const SeenQuery& query) const noexcept;
  void write(MetricsText& text) const;

  Hub& hub_;
  Judgement judgement_;
  SourcesOptions::Detectors options_;
  std::vector<FeedRule> feeds_;
  std::vector<Network> ignored_clients_;
  const SipHash hash_;
  std::unique_ptr<RegisteredDomains> domains_;
  std::vector<std::unique_ptr<Detector>> all_;
  QpsChange* qps_change_ = nullptr;  // one of them, or none
  std::vector<Finding> findings_;
};

}  // namespace bindcast
