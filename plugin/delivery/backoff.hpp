// How long to wait before something is tried again: exponential, bounded, and spread so that many do not try at once.
// Pure; any thread.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "config/options.hpp"

namespace bindcast {

// The wait before repetition number `attempt` (1 is the first), in microseconds: initial × factor^(attempt-1), at most
// `max`, of which the last half is left to chance. `random` is from [0, 1).
[[nodiscard]] inline std::int64_t backoff_us(const RetryOptions& retry, std::uint32_t attempt, double random) noexcept {
  const double exponent = attempt > 1 ? static_cast<double>(attempt - 1) : 0.0;
  const double wait = std::min(static_cast<double>(retry.initial.count()) * std::pow(retry.factor, exponent),
                               static_cast<double>(retry.max.count()));
  return static_cast<std::int64_t>(wait / 2 + wait / 2 * random);
}

}  // namespace bindcast
