#include "plugin/publish/turns.hpp"

#include <algorithm>
#include <limits>

namespace bindcast {

Turns::Turns(uv_loop_t* loop, Faults& faults) : faults_(faults) {
  uv_timer_init(loop, &timer_);
  timer_.data = this;
}

void Turns::add(Worker& worker) {
  if (std::ranges::find(waiting_, &worker) != waiting_.end()) return;
  waiting_.push_back(&worker);
  auto* handle = reinterpret_cast<uv_handle_t*>(&timer_);
  if (uv_is_active(handle) != 0 || uv_is_closing(handle) != 0) return;
  uv_timer_start(
      &timer_, [](uv_timer_t* timer) { static_cast<Turns*>(timer->data)->take(kStepsPerTurn, read_clock()); }, 0,
      kTurnEveryMs);
}

void Turns::remove(Worker& worker) noexcept {
  std::erase(waiting_, &worker);
}

void Turns::take(std::size_t most, Now now) {
  for (; most > 0 && !waiting_.empty(); --most) {
    Worker* const worker = waiting_.front();
    bool more = false;
    const bool done = faults_.contain([&] { more = worker->work(now); });
    if (!done) worker->failed();
    // One that is gone has removed itself.
    if (!waiting_.empty() && waiting_.front() == worker) {
      waiting_.pop_front();
      if (more) waiting_.push_back(worker);  // into the place that has just become free
    }
  }
  if (waiting_.empty()) uv_timer_stop(&timer_);
}

void Turns::finish_all(Now now) {
  take(std::numeric_limits<std::size_t>::max(), now);
}

void Turns::close() {
  waiting_.clear();
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_), nullptr);
}

}  // namespace bindcast
