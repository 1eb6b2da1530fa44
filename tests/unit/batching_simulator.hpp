// Plays a recorded load through decide_batch as the loop does: it polls every millisecond while something comes, asks
// after each poll and at the times that it was told, and takes batches in order until it is told to wait.
//
// Reports latency and the number of batches, and the first promise that was broken. Single thread, no clock.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/delivery/batching.hpp"
#include "plugin/delivery/rate.hpp"

namespace bindcast::simulator {

struct Arrival {
  std::int64_t at_us;
  Priority priority;
  std::size_t bytes;
};

// What comes, and how hard the host has it meanwhile.
struct Recording {
  std::string_view name;
  std::vector<Arrival> arrivals;  // in order of time
  std::int64_t loop_lag_us = 0;
  double drain_per_second = 0;
};

struct Outcome {
  std::string broken;  // the first promise that was not kept; empty: all were
  std::size_t events = 0, batches = 0;
  double mean_us = 0;
  std::int64_t longest_us = 0;

  [[nodiscard]] double batches_per_event() const noexcept {
    return static_cast<double>(batches) / static_cast<double>(events);
  }
};

// How long an event of that priority may wait, as doc/batching.md says.
inline std::int64_t longest_wait_us(const BatchingOptions& options, Priority priority, bool strained) {
  const std::int64_t plain_us = options.batch_timeout.count(), most_us = options.max_batch_timeout.count();
  const std::int64_t timeout_us = options.adaptive_sizing && strained ? most_us : plain_us;
  switch (options.strategy) {
    case BatchStrategy::time_based:
    case BatchStrategy::hybrid:
      return timeout_us;
    case BatchStrategy::size_based:
      return most_us;
    case BatchStrategy::priority_based:
      return priority == Priority::low      ? timeout_us
             : priority == Priority::normal ? timeout_us / 2
             : priority == Priority::high   ? timeout_us / 10
                                            : 0;
    case BatchStrategy::adaptive:
      return strained ? most_us : plain_us / 4;
  }
  return 0;
}

class Simulator {
 public:
  Simulator(const BatchingOptions& options, const Recording& recording, std::size_t queue_events)
      : options_(options), recording_(recording), queue_events_(static_cast<double>(queue_events)) {
    queued_us_.reserve(recording.arrivals.size());
  }

  Outcome run() {
    const auto& arrivals = recording_.arrivals;
    std::int64_t wake_us = 0;  // 0: only the next arrival wakes us
    while (outcome_.broken.empty() && (queued_us_.size() < arrivals.size() || wake_us != 0)) {
      const bool more = queued_us_.size() < arrivals.size();
      const std::int64_t poll_us = more ? (arrivals[queued_us_.size()].at_us / kPollUs + 1) * kPollUs : 0;
      const bool told = wake_us != 0 && (!more || wake_us < poll_us);
      now_.mono_us = told ? wake_us : poll_us;
      if (!told) poll();
      wake_us = send(told);
    }
    if (taken_ != arrivals.size()) broken("an event was never sent");
    outcome_.events = taken_;
    if (taken_ > 0) outcome_.mean_us = waited_us_ / static_cast<double>(taken_);
    return outcome_;
  }

 private:
  static constexpr std::int64_t kPollUs = 1000;

  void broken(const char* what) {
    if (outcome_.broken.empty()) outcome_.broken = what + (" at " + std::to_string(now_.mono_us) + " us");
  }

  void poll() {
    const auto& arrivals = recording_.arrivals;
    const std::size_t before = queued_us_.size();
    while (queued_us_.size() < arrivals.size() && arrivals[queued_us_.size()].at_us < now_.mono_us) {
      const Arrival& arrival = arrivals[queued_us_.size()];
      lanes_[static_cast<std::size_t>(arrival.priority)].push_back(queued_us_.size());
      bytes_ += arrival.bytes;
      queued_us_.push_back(now_.mono_us);
    }
    rate_.add(queued_us_.size() - before, now_);
  }

  QueueState state() const {
    QueueState queue{.count = queued_us_.size() - taken_, .bytes = bytes_, .oldest_us = {}, .last_sent_us = last_us_};
    for (std::size_t i = 0; i < kPriorityCount; ++i)
      if (!lanes_[i].empty()) queue.oldest_us[i] = queued_us_[lanes_[i].front()];
    return queue;
  }

  Load load(const QueueState& queue) {
    Load load{.arrival_per_second = rate_.per_second(now_),
              .drain_per_second = recording_.drain_per_second,
              .depth = std::min(1.0, static_cast<double>(queue.count) / queue_events_),
              .loop_lag_us = recording_.loop_lag_us};
    // The documented limits, half of which is no strain yet.
    strained_ = strained_ || load.depth > options_.load_threshold / 2 || load.loop_lag_us > 10'000 ||
                (load.drain_per_second > 0 && load.arrival_per_second > load.drain_per_second);
    return load;
  }

  // Until it is told to wait, and till when.
  std::int64_t send(bool told) {
    for (;; told = false) {
      const QueueState queue = state();
      const BatchDecision decision = decide_batch(options_, queue, load(queue), now_);
      if (decision.send_now > queue.count) broken("more than there is was to be sent");
      if (decision.send_now > options_.max_batch_size) broken("a batch was too large");
      if (decision.send_now == 0) {
        // Under pressure, adaptive gives a stream that broke off a few chances more.
        const bool patient = options_.strategy == BatchStrategy::adaptive && strained_;
        if (told && (!patient || decision.wait_until_us < now_.mono_us + options_.batch_timeout.count() / 4))
          broken("nothing was to be sent at the time that was named");
        if (queue.count == 0 && decision.wait_until_us != 0) broken("there was nothing to wait for");
        if (queue.count > 0 && decision.wait_until_us <= now_.mono_us) broken("it asked to be asked at once");
        return outcome_.broken.empty() ? decision.wait_until_us : 0;
      }
      if (!outcome_.broken.empty()) return 0;
      take(decision.send_now);
    }
  }

  // As a client's queue does: the oldest of all first, and at least one.
  void take(std::size_t most) {
    std::size_t bytes = 0;
    for (std::size_t n = 0; n < most; ++n) {
      const Arrival& arrival = recording_.arrivals[taken_];
      if (n > 0 && bytes + arrival.bytes > options_.max_batch_bytes) break;
      auto& lane = lanes_[static_cast<std::size_t>(arrival.priority)];
      if (lane.empty() || lane.front() != taken_) return broken("the order was lost");
      lane.pop_front();
      bytes += arrival.bytes;
      const std::int64_t waited_us = now_.mono_us - queued_us_[taken_];
      if (waited_us > longest_wait_us(options_, arrival.priority, strained_)) broken("an event waited too long");
      waited_us_ += static_cast<double>(waited_us);
      outcome_.longest_us = std::max(outcome_.longest_us, waited_us);
      ++taken_;
    }
    bytes_ -= bytes;
    last_us_ = now_.mono_us;
    ++outcome_.batches;
  }

  const BatchingOptions& options_;
  const Recording& recording_;
  double queue_events_;
  Now now_;
  Rate rate_;
  std::array<std::deque<std::size_t>, kPriorityCount> lanes_;  // places in the recording
  std::vector<std::int64_t> queued_us_;                        // of every arrival so far
  std::size_t taken_ = 0, bytes_ = 0;
  std::int64_t last_us_ = 0;
  double waited_us_ = 0;
  bool strained_ = false;
  Outcome outcome_;
};

// Events from `from_per_second` to `to_per_second`, at random distances; the same on every run and machine.
class Recorder {
 public:
  explicit Recorder(std::string_view name) { recording_.name = name; }

  Recorder& stream(double seconds, double from_per_second, double to_per_second) {
    const double begin = at_s_;
    while (at_s_ < begin + seconds) {
      const double rate = from_per_second + (to_per_second - from_per_second) * (at_s_ - begin) / seconds;
      // The sum of two dice: irregular, yet neither very near nor very far.
      at_s_ += (dice() + dice()) / rate;
      add();
    }
    return *this;
  }
  Recorder& burst(int count, double seconds) {
    for (int i = 0; i < count; ++i) {
      at_s_ += seconds / count;
      add();
    }
    return *this;
  }
  Recorder& silence(double seconds) {
    at_s_ += seconds;
    return *this;
  }
  // From here on, every priority; some events are larger than a batch may be.
  Recorder& mixed() {
    mixed_ = true;
    return *this;
  }
  Recorder& lag(std::int64_t loop_lag_us) {
    recording_.loop_lag_us = loop_lag_us;
    return *this;
  }
  Recorder& drain(double per_second) {
    recording_.drain_per_second = per_second;
    return *this;
  }
  [[nodiscard]] Recording done() { return std::move(recording_); }

 private:
  double dice() { return static_cast<double>(random_()) / 2147483646.0; }

  void add() {
    Arrival arrival{.at_us = kStartUs + static_cast<std::int64_t>(at_s_ * 1e6),
                    .priority = Priority::normal,
                    .bytes = 200 + static_cast<std::size_t>(dice() * 400)};
    if (mixed_) {
      const double pick = dice();
      arrival.priority = pick < 0.60   ? Priority::low
                         : pick < 0.85 ? Priority::normal
                         : pick < 0.95 ? Priority::high
                         : pick < 0.99 ? Priority::critical
                                       : Priority::urgent;
      if (dice() < 0.01) arrival.bytes = 200'000;
    }
    recording_.arrivals.push_back(arrival);
  }

  static constexpr std::int64_t kStartUs = 3'600'000'000;
  Recording recording_;
  std::minstd_rand random_{4711};
  double at_s_ = 0;
  bool mixed_ = false;
};

inline std::vector<Recording> recordings() {
  std::vector<Recording> all;
  Recorder lone("lone events, one in 3 s");
  for (int i = 0; i < 20; ++i) lone.burst(1, 3);
  all.push_back(lone.done());
  all.push_back(Recorder("3/s").stream(40, 3, 3).done());
  all.push_back(Recorder("50/s").stream(20, 50, 50).done());
  Recorder bursts("bursts of 200 in 20 ms every 2 s");
  for (int i = 0; i < 10; ++i) bursts.burst(200, 0.02).silence(1.98);
  all.push_back(bursts.done());
  all.push_back(Recorder("10,000/s").stream(1, 10'000, 10'000).done());
  all.push_back(Recorder("1/s, rising to 500/s in 20 s").stream(20, 1, 500).done());
  all.push_back(Recorder("100/s, all priorities and sizes").mixed().stream(20, 100, 100).done());
  all.push_back(Recorder("200/s, loop lag 16 ms").lag(16'000).stream(10, 200, 200).done());
  all.push_back(Recorder("200/s, client takes 120/s").drain(120).stream(10, 200, 200).done());
  return all;
}

}  // namespace bindcast::simulator
