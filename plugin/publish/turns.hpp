// Work that comes in heaps (a list of events, a socket full of lines) done in portions: in each turn of the loop so
// many steps, in rounds over all who have some, and between two portions every client's socket is written to. So
// whoever publishes much at once makes no client lose what it keeps up with. Loop thread only.
#pragma once

#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <deque>

#include "plugin/clock.hpp"
#include "plugin/faults.hpp"

namespace bindcast {

class Worker {
 public:
  virtual ~Worker() = default;
  // One step; true: there is more. Without more it may be gone afterwards.
  virtual bool work(Now now) = 0;
  // A step ended by an exception, and it is not asked again. It may be gone afterwards.
  virtual void failed() noexcept = 0;
};

class Turns {
 public:
  static constexpr std::size_t kStepsPerTurn = 32;
  static constexpr std::uint64_t kTurnEveryMs = 2;

  Turns(uv_loop_t* loop, Faults& faults);
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  // Borrowed until it has no more work, or is removed; one that is in already stays where it is.
  void add(Worker& worker);
  void remove(Worker& worker) noexcept;
  // All there is, at once: the end is near.
  void finish_all(Now now);
  // The handle goes with the loop's next turn; no work is taken any more.
  void close();

 private:
  void take(std::size_t most, Now now);

  uv_timer_t timer_{};
  Faults& faults_;
  std::deque<Worker*> waiting_;
};

}  // namespace bindcast
