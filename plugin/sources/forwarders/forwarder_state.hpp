// What a forwarder's probes say of it, and when that is worth telling. Pure; driven by its caller's clock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "plugin/clock.hpp"
#include "plugin/histogram.hpp"

namespace bindcast {

enum class ForwarderState : std::uint8_t {
  unknown,  // not probed often enough yet
  up,
  slow,      // answers, but late
  degraded,  // answers with errors, or loses many probes
  down,
  flapping,  // changes too often to be told each time
};
inline constexpr std::string_view kForwarderStateNames[] = {"unknown", "up", "slow", "degraded", "down", "flapping"};

struct ForwarderLimits {
  std::uint32_t slow_us = 200'000;
  std::uint32_t down_after = 3;  // probes without an answer, in a row
  std::uint32_t up_after = 2;    // good ones, in a row
};

// How one probe ended.
struct ProbeOutcome {
  bool answered = false;
  bool error = false;        // the answer was one: neither NOERROR nor NXDOMAIN
  std::uint32_t rtt_us = 0;  // of an answer
  std::string_view what;     // the rcode, or why there is no answer
};

struct ForwarderChange {
  ForwarderState before, after;
  std::int64_t since_wall_us;  // when the first of the probes ended that led to this
  std::int64_t lasted_us;      // how long it had been as before
  std::string why;
};

// Damped three times. A single lost, failed or late probe changes nothing. What begins at one limit ends at a lower
// one. And who changes kFlapChanges times within kFlapProbes probes is `flapping` until nothing has changed for
// kSteadyProbes.
class ForwarderTrack {
 public:
  static constexpr std::size_t kLossProbes = 32;     // the loss is of the last so many
  static constexpr std::size_t kFewestForLoss = 10;  // fewer do not make it degraded
  static constexpr double kLossy = 0.3, kNoMoreLossy = 0.1;
  static constexpr std::size_t kMedianOf = 5, kFewestForMedian = 3;  // answers whose median is slow or not
  static constexpr double kNoMoreSlow = 0.75;                        // of the limit
  static constexpr std::size_t kFlapChanges = 6, kFlapProbes = 60, kSteadyProbes = 20;
  static constexpr std::size_t kRttAnswers = 256;  // the percentiles are of the last so many

  explicit ForwarderTrack(Now now) : changed_us_(now.mono_us) {}

  std::optional<ForwarderChange> take(const ProbeOutcome& outcome, const ForwarderLimits& limits, Now now);
  // It is probed no more. Of one that was up, or never known, there is nothing to tell.
  std::optional<ForwarderChange> end(Now now);

  [[nodiscard]] ForwarderState state() const noexcept { return told_; }
  [[nodiscard]] const std::string& why() const noexcept { return why_; }
  // Does it answer, flapping or not? Nothing is known before the first change.
  [[nodiscard]] bool answers() const noexcept { return judged_ != ForwarderState::down; }
  // The share of the last probes that got no answer, and how many probes that is of.
  [[nodiscard]] double loss() const noexcept { return loss_of(probes_in_window()); }
  [[nodiscard]] std::size_t probes_in_window() const noexcept;
  // Of the last good answers, in microseconds.
  [[nodiscard]] Histogram round_trips() const noexcept;

 private:
  struct Judgement {
    ForwarderState state;
    std::int64_t since_wall_us;
    std::string why;
  };
  void note(const ProbeOutcome& outcome, Now now);
  [[nodiscard]] Judgement judge(const ProbeOutcome& outcome, const ForwarderLimits& limits, Now now);
  [[nodiscard]] std::optional<ForwarderChange> damp(Judgement judgement, Now now);
  [[nodiscard]] ForwarderChange tell(Judgement judgement, Now now);
  [[nodiscard]] double loss_of(std::size_t probes) const noexcept;
  [[nodiscard]] std::uint32_t median_us() const noexcept;  // 0: of too few

  // Rows of one kind that go on now, and when they began.
  std::uint32_t failed_ = 0, answered_ = 0, good_ = 0, not_good_ = 0;
  std::int64_t failed_since_us_ = 0, good_since_us_ = 0, not_good_since_us_ = 0;
  std::string last_error_;  // the rcode

  std::uint64_t probes_ = 0;
  std::uint32_t lost_ = 0;             // one bit for each of the last probes, the newest is the lowest
  std::size_t probes_since_down_ = 0;  // those before say nothing of a server that is back
  std::size_t answers_since_down_ = 0;
  std::array<std::uint32_t, kRttAnswers> rtts_us_{};  // a ring
  std::uint64_t rtts_ = 0;                            // so many were ever put there

  bool erring_ = false, lossy_ = false, slow_ = false;
  ForwarderState judged_ = ForwarderState::unknown;  // by itself
  ForwarderState told_ = ForwarderState::unknown;    // damped
  std::int64_t changed_us_;                          // when told_ began, by the monotonic clock
  std::string why_;
  std::deque<std::uint64_t> changes_;  // at which probes judged_ changed, the last kFlapChanges
};

}  // namespace bindcast
