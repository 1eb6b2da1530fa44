// Many different names that do not exist: of one client (something that tries names, or makes them up), or under one
// domain by whomever (a random subdomain attack on its servers).
//
// A name made of an address counts a tenth: reverse zones and blocklists answer most of them with NXDOMAIN. What a
// policy zone made NXDOMAIN does not count.
#pragma once

#include "config/options.hpp"
#include "plugin/detectors/tally_table.hpp"

namespace bindcast {

class NxdomainFlood final : public Detector {
 public:
  explicit NxdomainFlood(const SourcesOptions::Detectors& options);
  [[nodiscard]] std::string_view name() const noexcept override { return "nxdomain_flood"; }
  void see(const SeenQuery& query, Now now) override;
  void tick(Now now, std::vector<Finding>& findings) override;
  [[nodiscard]] Held held() const noexcept override;

 private:
  SourcesOptions::Detectors::NxdomainFlood rules_;
  double strong_;
  TallyTable clients_, domains_;
};

}  // namespace bindcast
