// When what waits is turned into a batch: a pure function of options, queue, load and time.
//
// Called on the loop thread whenever something has come, and at the times that it named. Keeps nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "config/options.hpp"
#include "events/type.hpp"
#include "plugin/clock.hpp"

namespace bindcast {

// What waits for a batch. Events that must not wait (priority_bypass) are not among them.
struct QueueState {
  std::size_t count = 0;  // events
  std::size_t bytes = 0;  // their JSON
  // Monotonic time at which the oldest waiting event of each priority came; 0: none of that priority waits.
  std::array<std::int64_t, kPriorityCount> oldest_us{};
  std::int64_t last_sent_us = 0;  // monotonic time of the last batch; 0: never
};

// How hard it is to keep up, as measured. All of it may be unknown (0).
struct Load {
  double arrival_per_second = 0;  // events that come, smoothed
  double drain_per_second = 0;    // events that the slowest client in step takes while it has some waiting; 0: unknown
  double depth = 0;               // share of a client's queue that is in use, of the fullest in step; 0 to 1
  std::int64_t loop_lag_us = 0;   // how long the loop is busy before it looks at its sockets again
};

struct BatchDecision {
  std::size_t send_now = 0;        // so many of them may go as one batch; max_batch_bytes still bounds it
  std::int64_t wait_until_us = 0;  // when to ask again, if nothing else happens; 0: nothing waits
};

[[nodiscard]] BatchDecision decide_batch(const BatchingOptions& options, const QueueState& queue, const Load& load,
                                         Now now) noexcept;

}  // namespace bindcast
