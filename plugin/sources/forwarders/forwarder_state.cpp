#include "plugin/sources/forwarders/forwarder_state.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace bindcast {

namespace {

std::string milliseconds(std::uint32_t us) {
  const auto tenths = static_cast<std::uint32_t>(std::lround(us / 100.0));
  return std::to_string(tenths / 10) + (tenths < 1000 ? "." + std::to_string(tenths % 10) : "") + " ms";
}

std::string percent(double share) {
  return std::to_string(std::lround(share * 100)) + " %";
}

}  // namespace

std::optional<ForwarderChange> ForwarderTrack::take(const ProbeOutcome& outcome, const ForwarderLimits& limits,
                                                    Now now) {
  note(outcome, now);
  return damp(judge(outcome, limits, now), now);
}

void ForwarderTrack::note(const ProbeOutcome& outcome, Now now) {
  static_assert(kLossProbes == 32, "a bit of lost_ each");
  ++probes_;
  ++probes_since_down_;
  lost_ = lost_ << 1 | (outcome.answered ? 0U : 1U);
  if (outcome.answered) {
    failed_ = 0;
    ++answered_;
  } else {
    answered_ = 0;
    if (failed_++ == 0) failed_since_us_ = now.wall_us;
  }
  if (outcome.answered && !outcome.error) {
    not_good_ = 0;
    if (good_++ == 0) good_since_us_ = now.wall_us;
    ++answers_since_down_;
    rtts_us_[rtts_++ % kRttAnswers] = outcome.rtt_us;
  } else {
    good_ = 0;
    if (not_good_++ == 0) not_good_since_us_ = now.wall_us;
    if (outcome.answered) last_error_ = outcome.what;
  }
}

ForwarderTrack::Judgement ForwarderTrack::judge(const ProbeOutcome& outcome, const ForwarderLimits& limits, Now now) {
  using enum ForwarderState;
  const bool was_down = judged_ == down;
  if (failed_ >= limits.down_after) {
    probes_since_down_ = answers_since_down_ = 0;
    erring_ = lossy_ = slow_ = false;
    return {down, failed_since_us_,
            failed_ == 1 ? "a probe failed: " + std::string(outcome.what)
                         : std::to_string(failed_) + " probes failed in a row, the last: " + std::string(outcome.what)};
  }
  if (was_down && answered_ < limits.up_after)
    return {down, failed_since_us_, "answers only since " + std::to_string(answered_) + " probes"};
  if (judged_ == unknown && good_ == 0 && not_good_ < limits.down_after) return {unknown, now.wall_us, {}};

  // Back, but with errors among its answers; or nothing but errors and losses; or that not yet over.
  const bool not_yet_good = good_ < limits.up_after;
  erring_ = not_good_ >= limits.down_after || ((erring_ || was_down) && not_yet_good);
  if (erring_) return {degraded, not_good_since_us_, "answers with " + last_error_};

  const double loss = loss_of(std::min(probes_since_down_, kLossProbes));
  lossy_ = probes_since_down_ >= kFewestForLoss && loss >= (lossy_ ? kNoMoreLossy : kLossy);
  if (lossy_) return {degraded, now.wall_us, "loses " + percent(loss) + " of the probes"};

  const std::uint32_t median = median_us();
  slow_ = median > (slow_ ? kNoMoreSlow : 1.0) * limits.slow_us;
  if (slow_) return {slow, now.wall_us, "takes " + milliseconds(median) + ", the median of its last answers"};
  return {up, judged_ == slow ? now.wall_us : good_since_us_, was_down ? "answers again" : "answers"};
}

std::optional<ForwarderChange> ForwarderTrack::damp(Judgement judgement, Now now) {
  if (const ForwarderState before = std::exchange(judged_, judgement.state); before != judged_) {
    changes_.push_back(probes_);
    if (changes_.size() > kFlapChanges) changes_.pop_front();
    if (told_ == ForwarderState::flapping) return std::nullopt;
    if (changes_.size() == kFlapChanges && probes_ - changes_.front() < kFlapProbes)
      return tell({ForwarderState::flapping, now.wall_us,
                   "changed " + std::to_string(kFlapChanges) + " times within " +
                       std::to_string(probes_ - changes_.front() + 1) + " probes, now " +
                       std::string(kForwarderStateNames[static_cast<std::size_t>(judged_)])},
                  now);
    return tell(std::move(judgement), now);
  }
  if (told_ == ForwarderState::flapping && probes_ - changes_.back() >= kSteadyProbes) {
    changes_.clear();
    judgement.why += (judgement.why.empty() ? "" : "; ") + ("steady for " + std::to_string(kSteadyProbes) + " probes");
    return tell(std::move(judgement), now);
  }
  return std::nullopt;
}

ForwarderChange ForwarderTrack::tell(Judgement judgement, Now now) {
  ForwarderChange change{.before = std::exchange(told_, judgement.state),
                         .after = judgement.state,
                         .since_wall_us = judgement.since_wall_us,
                         .lasted_us = now.mono_us - changed_us_,
                         .why = judgement.why};
  changed_us_ = now.mono_us;
  why_ = std::move(judgement.why);
  return change;
}

std::optional<ForwarderChange> ForwarderTrack::end(Now now) {
  if (told_ == ForwarderState::unknown || told_ == ForwarderState::up) return std::nullopt;
  return tell({.state = ForwarderState::unknown, .since_wall_us = now.wall_us, .why = "no longer probed"}, now);
}

std::size_t ForwarderTrack::probes_in_window() const noexcept {
  return static_cast<std::size_t>(std::min<std::uint64_t>(probes_, kLossProbes));
}

double ForwarderTrack::loss_of(std::size_t probes) const noexcept {
  if (probes == 0) return 0;
  const std::uint32_t last = lost_ & (~std::uint32_t{0} >> (kLossProbes - probes));
  return std::popcount(last) / static_cast<double>(probes);
}

std::uint32_t ForwarderTrack::median_us() const noexcept {
  const std::size_t count = std::min(answers_since_down_, kMedianOf);
  if (count < kFewestForMedian) return 0;
  std::array<std::uint32_t, kMedianOf> last{};
  for (std::size_t i = 0; i < count; ++i) last[i] = rtts_us_[(rtts_ - 1 - i) % kRttAnswers];
  const auto middle = last.begin() + count / 2;
  std::nth_element(last.begin(), middle, last.begin() + count);
  return *middle;
}

Histogram ForwarderTrack::round_trips() const noexcept {
  Histogram histogram;
  const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(rtts_, kRttAnswers));
  for (std::size_t i = 0; i < count; ++i) histogram.record(rtts_us_[i]);
  return histogram;
}

}  // namespace bindcast
