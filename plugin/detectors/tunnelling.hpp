// Data carried in names: one client asks for many different, long, random looking names under one domain. Answers carry
// data too, so types that hold much make it more likely.
#pragma once

#include "config/options.hpp"
#include "plugin/detectors/tally_table.hpp"

namespace bindcast {

class Tunnelling final : public Detector {
 public:
  explicit Tunnelling(const SourcesOptions::Detectors& options);
  [[nodiscard]] std::string_view name() const noexcept override { return "tunnelling"; }
  void see(const SeenQuery& query, Now now) override;
  void tick(Now now, std::vector<Finding>& findings) override;
  [[nodiscard]] Held held() const noexcept override { return pairs_.held(); }

  // Bits per character of what stands in labels; case and label borders do not count.
  [[nodiscard]] static double entropy(std::span<const std::uint8_t> labels) noexcept;

 private:
  SourcesOptions::Detectors::Tunnelling rules_;
  double strong_;
  TallyTable pairs_;  // of a client and a domain
};

}  // namespace bindcast
