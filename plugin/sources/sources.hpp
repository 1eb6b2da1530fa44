// All sources of one process: made at start, configured together. Loop thread only.
#pragma once

#include <uv.h>

#include <memory>
#include <vector>

#include "config/options.hpp"
#include "plugin/capture/intake.hpp"
#include "plugin/health/health.hpp"
#include "plugin/host_info.hpp"
#include "plugin/hub/hub.hpp"
#include "plugin/log.hpp"
#include "plugin/metrics/metrics.hpp"
#include "plugin/sources/host_state.hpp"
#include "plugin/sources/source.hpp"

namespace bindcast {

// What a source works with; all of it outlives the sources.
struct SourceTools {
  uv_loop_t* loop;
  Hub& hub;
  Intake& intake;
  Health& health;
  Metrics& metrics;
  const Log& log;
  const HostInfo& host;
  HostState::Told host_load = {};
};

class Sources {
 public:
  Sources(const SourceTools& tools, const Options& options, Now now);
  void configure(const Options& options, Now now);
  void host_configuration(const Statements& statements, Now now);
  void tick(Now now);  // once a second
  void end();
  // The host has told its counters.
  void take(HostReading&& reading, Now now);
  [[nodiscard]] const Fields& host_summary() const noexcept { return host_state_->summary(); }

 private:
  Faults& faults_;
  std::vector<std::unique_ptr<Source>> all_;
  HostState* host_state_;  // among them
};

}  // namespace bindcast
