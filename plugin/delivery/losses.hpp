// What one client, or all clients of a channel, have missed and have not yet been told of: one gap per reason, never
// merged.
//
// Loop thread only. A few hundred bytes for each reason that ever had a loss.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "events/type.hpp"
#include "plugin/clock.hpp"
#include "plugin/hub/statistics.hpp"

namespace bindcast {

struct Gap {
  DropReason reason = DropReason::queue_overflow;
  std::uint64_t count = 0;
  std::array<std::uint64_t, kEventTypeCount> by_type{};
  std::uint64_t from = 0, to = 0;  // offsets of the first and the last event missed; 0: not known
};

class Losses {
 public:
  // `offset`: the event's, or 0 when it never got one; a gap with such an event has no known range.
  void record(DropReason reason, EventType type, std::uint64_t count, std::uint64_t offset);
  void record(const Gap& gap);

  // When the next gap is to be told: 0 when there is none. The first one is told at the first chance, which is any
  // time in the past; while losses go on, one gap tells those of kEveryUs (of a second for a client that asked for a
  // sample), so that a flood of losses is no flood of gaps.
  [[nodiscard]] std::int64_t due_at_us() const noexcept;
  // A gap that is due, and forgets it. With `all`, one that is not due too.
  [[nodiscard]] std::optional<Gap> take(Now now, bool all = false);
  [[nodiscard]] std::uint64_t untold(DropReason reason) const noexcept;

  static constexpr std::int64_t kEveryUs = 250'000;
  static constexpr std::int64_t kSampledEveryUs = 1'000'000;

 private:
  struct Pending {
    Gap gap;
    bool range_known = true;
    std::int64_t tell_at_us = 1;
  };
  [[nodiscard]] Pending& pending(DropReason reason);

  std::array<std::unique_ptr<Pending>, kDropReasonCount> pending_;
};

}  // namespace bindcast
