// Probes the servers that named forwards to, and those of the configuration: forwarder_health_check for each probe,
// forwarder_status_change when one goes up, down or slow, a component of the health and numbers for each.
//
// Each server has at most one probe under way, so there are at most kMostServers sockets; one timer drives them all.
#pragma once

#include <uv.h>

#include <array>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "plugin/sources/forwarders/forwarder_list.hpp"
#include "plugin/sources/forwarders/forwarder_state.hpp"
#include "plugin/sources/forwarders/probe.hpp"
#include "plugin/sources/forwarders/probe_question.hpp"
#include "plugin/sources/source.hpp"
#include "plugin/sources/sources.hpp"

namespace bindcast {

class Forwarders : public Source {
 public:
  static constexpr std::size_t kMostServers = 64;

  explicit Forwarders(const SourceTools& tools);

  void configure(const Options& options, Now now) override;
  void host_configuration(const Statements& statements, Now now) override;
  void tick(Now) override {}
  void end() override;

 private:
  struct Server {
    Server(Forwarder forwarder, Now now) : of(std::move(forwarder)), track(now) {}

    Forwarder of;
    ForwarderTrack track;
    std::unique_ptr<Probe> probe;  // the one under way
    std::int64_t begin_us = 0;     // the next one begins
    std::int64_t deadline_us = 0;  // of the one under way
    std::uint64_t probes = 0, rejected = 0, answers = 0;
    double rtt_seconds = 0;  // of all answers
    std::array<std::uint64_t, 16> by_rcode{};
    std::array<std::uint64_t, std::size(kProbeFailureNames)> by_failure{};
  };

  void probe_what_is_configured(Now now);
  void run_due(Now now) noexcept;
  void begin_probe(Server& server, Now now);
  void take(Server& server, const ProbeResult& result, Now now);
  void tell_check(const Server& server, const ProbeResult& result, Now now);
  void tell_change(const Server& server, const ForwarderChange& change, Now now);
  void report_health(const Server& server, Now now);
  void wake_when_due(Now now) noexcept;
  void write_metrics(MetricsText& text) const;
  [[nodiscard]] std::int64_t random_up_to(std::int64_t most_us);

  SourceTools tools_;
  SourcesOptions::Forwarders options_;
  ForwarderList of_host_;  // what named forwards to
  ForwarderLimits limits_;
  ProbeQuestion question_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::size_t not_probed_tls_ = 0, not_probed_too_many_ = 0;
  std::minstd_rand spread_;  // when, not what: nothing depends on its being guessed
  uv_timer_t timer_{};
  bool timer_open_ = false, ended_ = false;
};

}  // namespace bindcast
