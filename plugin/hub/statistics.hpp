// The hub's counters, and the vocabulary of drop reasons. Loop thread only, but for the capture's own counters, which
// the loop collects.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "events/type.hpp"
#include "plugin/histogram.hpp"

namespace bindcast {

// Why a subscriber did not get an event it had asked for; the `reason` of a `gap` message.
enum class DropReason : std::uint8_t { queue_overflow, rate_limit, capture_overflow, sampled, retention, restart };
inline constexpr std::array<std::string_view, 6> kDropReasonNames{"queue_overflow", "rate_limit", "capture_overflow",
                                                                  "sampled",        "retention",  "restart"};
inline constexpr std::size_t kDropReasonCount = kDropReasonNames.size();
[[nodiscard]] constexpr std::string_view to_text(DropReason reason) noexcept {
  return kDropReasonNames[static_cast<std::size_t>(reason)];
}

struct Statistics {
  std::uint64_t events_emitted = 0;      // entered the hub
  std::uint64_t events_processed = 0;    // passed processors and the global filter
  std::uint64_t events_filtered = 0;     // refused by a processor, the global filter or a type's `enabled: false`
  std::uint64_t events_sampled_out = 0;  // never made, by events.queries.sample
  std::uint64_t events_failed = 0;       // could not be made or processed (a fault of ours, or malformed)
  std::array<std::uint64_t, kEventTypeCount> processed{};  // of events_processed, by type
  // By DropReason, over all subscribers; queue_overflow is the delivery's to count.
  std::array<std::uint64_t, kDropReasonCount> dropped{};
  std::uint64_t capture_lost = 0;    // queries and policy hits that found no room on their way out of the host
  std::uint64_t cold_lost = 0;       // events made away from the query path, likewise
  std::uint64_t drained_events = 0;  // out of the capture's rings,
  std::uint64_t drained_us = 0;      // in so much time of the loop, up to the clients' queues
  Histogram hook_ns;                 // what the host's hooks took for a query that was recorded, sampled
  std::int64_t started_us = 0;       // monotonic
  double events_per_second = 0;      // processed, mean of the last ten seconds

  // What a client can have got or missed: its losses by sampling are of both kinds.
  [[nodiscard]] std::uint64_t events_offered() const noexcept { return events_processed + events_sampled_out; }
};

}  // namespace bindcast
