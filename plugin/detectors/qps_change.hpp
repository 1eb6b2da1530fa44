// The server's queries per second change suddenly, up or down, against what is usual: a short average against a long
// one, both exponentially weighted. While the change lasts the long one learns slower, so that a new level becomes the
// usual one in the end; it is over when half of the change (as a ratio) is gone.
#pragma once

#include "config/options.hpp"
#include "plugin/detectors/detector.hpp"

namespace bindcast {

class QpsChange final : public Detector {
 public:
  explicit QpsChange(const SourcesOptions::Detectors& options) : rules_(options.qps_change), strong_(options.strong) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "qps_change"; }
  void see(const SeenQuery& query, Now) override { add(query.record.sample); }
  // Requests of which nothing but their number is known.
  void add(std::uint64_t count) noexcept { count_ += count; }
  void tick(Now now, std::vector<Finding>& findings) override;
  [[nodiscard]] Held held() const noexcept override { return {.tracked = 0, .bytes = sizeof *this, .evictions = 0}; }

 private:
  enum class State : std::uint8_t { usual, up, down };
  [[nodiscard]] Finding found(double ratio, Now now) const;

  SourcesOptions::Detectors::QpsChange rules_;
  double strong_;
  std::uint64_t count_ = 0;
  std::int64_t began_us_ = -1, counted_us_ = 0;
  double rate_ = 0, usual_ = 0;  // queries per second
  State state_ = State::usual;
  std::int64_t since_us_ = 0, found_us_ = 0;
  double found_ratio_ = 0;
};

}  // namespace bindcast
