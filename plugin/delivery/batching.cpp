#include "plugin/delivery/batching.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace bindcast {

namespace {

// A loop that is away from its sockets for so long can take no more.
constexpr double kLoopLagLimitUs = 20'000;
// The share of batch_timeout that `adaptive` lets an event wait while all is calm.
constexpr double kCalmShare = 0.25;
// The share of the timeout that an event of each priority waits, by `priority_based`.
constexpr std::array<double, kPriorityCount> kPatience{1, 0.5, 0.1, 0, 0};

// The options as every strategy uses them. A contradiction among them ends here: a client's wishes are not checked
// against each other as the configuration is.
struct Limits {
  explicit Limits(const BatchingOptions& options) noexcept
      : max_events(std::max<std::size_t>(options.max_batch_size, 1)),
        min_events(std::min<std::size_t>(options.min_batch_size, max_events)),
        max_bytes(options.max_batch_bytes),
        timeout_us(options.batch_timeout.count()),
        max_timeout_us(options.max_batch_timeout.count()) {}

  std::size_t max_events, min_events, max_bytes;
  std::int64_t timeout_us, max_timeout_us;
};

// A batch goes when it is full, and at `due_us` at the latest.
struct Plan {
  bool full = false;
  std::int64_t due_us = 0;
};

// 0 where either is unknown.
double share(double value, double limit) noexcept {
  return value > 0 && limit > 0 ? std::min(1.0, value / limit) : 0;
}

// From 0, calm, to 1. The measure that is nearest to its limit counts: the depth of the queue at load_threshold, the
// loop's lag at 20 ms, arrivals at twice of what the client takes. Up to half of that nothing is wrong: no pressure.
double pressure_of(const BatchingOptions& options, const Load& load) noexcept {
  const double strain = std::max({share(load.depth, options.load_threshold),
                                  share(static_cast<double>(load.loop_lag_us), kLoopLagLimitUs),
                                  share(load.arrival_per_second, 2 * load.drain_per_second)});
  return std::max(0.0, 2 * strain - 1);
}

std::int64_t stretched(std::int64_t from_us, std::int64_t to_us, double pressure) noexcept {
  return from_us + std::llround(static_cast<double>(to_us - from_us) * pressure);
}

double expected_events(const Load& load, std::int64_t period_us) noexcept {
  return load.arrival_per_second * static_cast<double>(period_us) / 1e6;
}

bool is_full(const QueueState& queue, const Limits& limits, double events) noexcept {
  const double enough =
      std::min(std::max(events, static_cast<double>(limits.min_events)), static_cast<double>(limits.max_events));
  return static_cast<double>(queue.count) >= enough || queue.bytes >= limits.max_bytes;
}

// 0, long ago, if the caller names none.
std::int64_t oldest_of(const QueueState& queue) noexcept {
  std::int64_t oldest_us = 0;
  for (const std::int64_t us : queue.oldest_us)
    if (us != 0 && (oldest_us == 0 || us < oldest_us)) oldest_us = us;
  return oldest_us;
}

// Nobody gains from waiting after a quiet time that was as long as the wait would be.
std::int64_t due_or_quiet(const QueueState& queue, std::int64_t wait_us) noexcept {
  return queue.last_sent_us == 0 ? 0 : std::min(oldest_of(queue), queue.last_sent_us) + wait_us;
}

// A steady beat, whatever comes: no batch is ever full. At the beat all goes, in as many batches as it takes: what
// waited already when the last batch went belongs to the same beat. (What comes at that very moment does not.)
Plan plan_time_based(const QueueState& queue, std::int64_t timeout_us) noexcept {
  const std::int64_t oldest_us = oldest_of(queue);
  return {.full = false, .due_us = oldest_us < queue.last_sent_us ? 0 : oldest_us + timeout_us};
}

// The event that runs out of patience first takes all others with it.
std::int64_t due_by_priority(const QueueState& queue, std::int64_t timeout_us) noexcept {
  std::int64_t due_us = oldest_of(queue) + timeout_us;
  for (std::size_t i = 0; i < kPriorityCount; ++i) {
    if (queue.oldest_us[i] == 0) continue;
    const auto patience_us = static_cast<std::int64_t>(kPatience[i] * static_cast<double>(timeout_us));
    due_us = std::min(due_us, queue.oldest_us[i] + patience_us);
  }
  return due_us;
}

// How long an event may wait for `adaptive`. While all is calm a share of batch_timeout; under pressure longer, up to
// max_batch_timeout, yet not much longer than twice the time in which the largest batch fills: more buys nothing.
// That time grows as the measured rate of a stream that broke off falls, and who asks again may be told to wait on. It
// is taken in doublings, so that this happens a few times at most.
std::int64_t adaptive_budget_us(const Load& load, const Limits& limits, double pressure) noexcept {
  const auto calm_us = static_cast<std::int64_t>(kCalmShare * static_cast<double>(limits.timeout_us));
  const std::int64_t most_us = stretched(calm_us, limits.max_timeout_us, pressure);
  std::int64_t budget_us = std::max<std::int64_t>(calm_us, 1);
  while (budget_us < most_us && expected_events(load, budget_us) < 2 * static_cast<double>(limits.max_events))
    budget_us *= 2;
  return std::min(budget_us, most_us);
}

// Latency is bought only where it brings larger batches. A stream so thin that not even min_batch_size would come in
// time is not held up at all; any other fills batches with what comes in the budget of time.
Plan plan_adaptive(const QueueState& queue, const Load& load, const Limits& limits, double pressure) noexcept {
  const std::int64_t budget_us = adaptive_budget_us(load, limits, pressure);
  const bool thin =
      expected_events(load, std::max(limits.timeout_us, budget_us)) < static_cast<double>(limits.min_events);
  if (thin) return {.full = true, .due_us = 0};
  return {.full = is_full(queue, limits, expected_events(load, budget_us)), .due_us = due_or_quiet(queue, budget_us)};
}

Plan plan(const BatchingOptions& options, const QueueState& queue, const Load& load, const Limits& limits) noexcept {
  const double pressure = pressure_of(options, load);
  if (options.strategy == BatchStrategy::adaptive) return plan_adaptive(queue, load, limits, pressure);

  // adaptive_sizing: pressure buys fuller batches with time; and a batch is full when it holds what the stream brings
  // in that time, so that a slow one need not fill max_batch_size.
  std::int64_t timeout_us = limits.timeout_us;
  bool full = is_full(queue, limits, static_cast<double>(limits.max_events));
  if (options.adaptive_sizing) {
    timeout_us = stretched(limits.timeout_us, limits.max_timeout_us, pressure);
    full = is_full(queue, limits, expected_events(load, timeout_us));
  }
  switch (options.strategy) {
    case BatchStrategy::time_based:
      return plan_time_based(queue, timeout_us);
    case BatchStrategy::size_based:  // the clock is only for streams that never fill a batch
      return {.full = full, .due_us = oldest_of(queue) + limits.max_timeout_us};
    case BatchStrategy::priority_based:
      return {.full = full, .due_us = due_by_priority(queue, timeout_us)};
    case BatchStrategy::hybrid:
    case BatchStrategy::adaptive:
      break;
  }
  return {.full = full, .due_us = due_or_quiet(queue, timeout_us)};
}

}  // namespace

BatchDecision decide_batch(const BatchingOptions& options, const QueueState& queue, const Load& load,
                           Now now) noexcept {
  BatchDecision decision;
  if (queue.count == 0) return decision;
  const Limits limits(options);
  const Plan next = plan(options, queue, load, limits);
  // What is held back fills the queue; once that is nearly full, events would be lost for the sake of a larger batch.
  const bool crowded = load.depth >= options.load_threshold;
  if (crowded || next.full || now.mono_us >= next.due_us)
    decision.send_now = std::min(queue.count, limits.max_events);
  else
    decision.wait_until_us = next.due_us;
  return decision;
}

}  // namespace bindcast
