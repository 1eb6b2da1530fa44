// Somebody who looks at finished requests as they come out of the rings, before any event is made of them: what counts
// and judges queries needs no text of them. Loop thread only.
#pragma once

#include <cstdint>

#include "plugin/capture/records.hpp"
#include "plugin/clock.hpp"

namespace bindcast {

class QueryObserver {
 public:
  virtual ~QueryObserver() = default;
  // Does it want to see them now? While nobody does, and nobody subscribed, named does not capture.
  [[nodiscard]] virtual bool watches() const noexcept = 0;
  // Each request once, rewritten or not; it stands for fixed.sample requests. Those that events.queries leaves out are
  // not shown. What the view borrows ends with the call. May throw: the request is not counted further.
  virtual void see(const QueryView& query, Now now) = 0;
  // So many requests happened that nobody could be shown, because a ring was full.
  virtual void missed(std::uint64_t count, Now now) noexcept = 0;
};

}  // namespace bindcast
