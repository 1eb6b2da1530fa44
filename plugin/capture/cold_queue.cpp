#include "plugin/capture/cold_queue.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace bindcast {

void ColdQueue::push(std::vector<Event>&& events, WhenFull when_full) {
  std::size_t bytes = 0;
  for (const Event& event : events) bytes += event.bytes();
  std::unique_lock lock(mutex_);
  // One push larger than the whole queue still goes in when the queue is empty: it is bounded by its maker.
  const auto has_room = [&] { return closed_ || bytes_ == 0 || bytes_ + bytes <= kMaxBytes; };
  const std::chrono::milliseconds patience(when_full == WhenFull::wait ? kMaxWaitMs : 0);
  if (!room_.wait_for(lock, patience, has_room) || closed_) {
    for (const Event& event : events) ++dropped_[static_cast<std::size_t>(event.type)];
    return;
  }
  events_.insert(events_.end(), std::make_move_iterator(events.begin()), std::make_move_iterator(events.end()));
  bytes_ += bytes;
}

void ColdQueue::lose(EventType type) noexcept {
  const std::lock_guard lock(mutex_);
  ++dropped_[static_cast<std::size_t>(type)];
}

std::vector<Event> ColdQueue::take(std::size_t most, bool& more) {
  std::vector<Event> taken;
  {
    const std::lock_guard lock(mutex_);
    const std::size_t count = std::min(most, events_.size());
    taken.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      bytes_ -= std::min(bytes_, events_.front().bytes());
      taken.push_back(std::move(events_.front()));
      events_.pop_front();
    }
    more = !events_.empty();
    if (!more) bytes_ = 0;
  }
  room_.notify_all();
  return taken;
}

std::array<std::uint64_t, kEventTypeCount> ColdQueue::take_dropped() {
  const std::lock_guard lock(mutex_);
  return std::exchange(dropped_, {});
}

void ColdQueue::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  room_.notify_all();
}

}  // namespace bindcast
