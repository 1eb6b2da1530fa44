// When a client's queue is turned into messages: a pure function of options, queue, load and time.
//
// Called on the loop thread whenever a client may be written to, and to find out when to look again. Keeps nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "config/options.hpp"
#include "plugin/clock.hpp"

namespace bindcast {

struct QueueState {
  std::size_t count = 0;            // events that may wait for a batch
  std::size_t bytes = 0;            // their JSON
  std::int64_t oldest_us = 0;       // monotonic time at which the oldest of them came; 0: none
  std::int64_t quiet_since_us = 0;  // monotonic time of the last event sent; 0: never
  bool has_bypass = false;          // events that must not wait are there as well
};

struct BatchDecision {
  bool send_bypass = false;        // send those that must not wait, each by itself, before all others
  std::size_t send_now = 0;        // so many of the others may go as one batch; max_batch_bytes still bounds it
  std::int64_t wait_until_us = 0;  // when to ask again, if nothing else happens; 0: nothing waits
};

// `load` is the share of the queue's bound that is in use, 0 to 1: for strategies that adapt.
[[nodiscard]] BatchDecision decide_batch(const BatchingOptions& options, const QueueState& queue, double load,
                                         Now now) noexcept;

}  // namespace bindcast
