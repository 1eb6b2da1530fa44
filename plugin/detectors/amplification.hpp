// Queries that bring large answers, over UDP, again and again for a few names: what arrives when somebody writes a
// victim's address into them. Who asks for himself keeps the answer.
#pragma once

#include "config/options.hpp"
#include "plugin/detectors/tally_table.hpp"

namespace bindcast {

class Amplification final : public Detector {
 public:
  Amplification(const SourcesOptions::Detectors& options, const SipHash& hash);
  [[nodiscard]] std::string_view name() const noexcept override { return "amplification"; }
  void see(const SeenQuery& query, Now now) override;
  void tick(Now now, std::vector<Finding>& findings) override;
  [[nodiscard]] Held held() const noexcept override { return networks_.held(); }

 private:
  SourcesOptions::Detectors::Amplification rules_;
  double strong_;
  const SipHash& hash_;
  TallyTable networks_;
};

}  // namespace bindcast
