// One client meets policy zones of malware or phishing again and again: the sum of its single hits, for somebody to
// look after it. The kinds of zones come from events.rpz.feeds.
#pragma once

#include "config/options.hpp"
#include "plugin/detectors/tally_table.hpp"

namespace bindcast {

class InfectedClient final : public Detector {
 public:
  InfectedClient(const SourcesOptions::Detectors& options, std::vector<FeedRule> feeds);
  [[nodiscard]] std::string_view name() const noexcept override { return "infected_client"; }
  void see(const SeenQuery& query, Now now) override;
  void tick(Now now, std::vector<Finding>& findings) override;
  [[nodiscard]] Held held() const noexcept override { return clients_.held(); }

 private:
  SourcesOptions::Detectors::InfectedClient rules_;
  std::vector<FeedRule> feeds_;
  TallyTable clients_;
};

}  // namespace bindcast
