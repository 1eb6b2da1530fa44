// Events made away from the query path (zones, records, configuration, emits), on their way to the loop. Bounded in
// bytes; a full queue lets the caller wait a bounded time before it drops, because these events are rare and durable.
// Never called while a query is being answered.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "events/event.hpp"

namespace bindcast {

class ColdQueue {
 public:
  static constexpr std::size_t kMaxBytes = 16 * 1024 * 1024;
  static constexpr int kMaxWaitMs = 1000;

  // What a caller may do while the queue is full: wait up to kMaxWaitMs, or drop at once (in named's exclusive mode).
  enum class WhenFull { wait, drop };

  // Any thread but the loop's. All of `events` or, when there was no room in time, none of them (counted by type).
  void push(std::vector<Event>&& events, WhenFull when_full);
  // One that could not be made. Any thread but the loop's.
  void lose(EventType type) noexcept;
  // The oldest ones, at most so many; `more` tells whether others are left. Loop thread.
  [[nodiscard]] std::vector<Event> take(std::size_t most, bool& more);
  // How many were dropped since the last call, by type. Loop thread.
  [[nodiscard]] std::array<std::uint64_t, kEventTypeCount> take_dropped();
  // Nobody waits any more; what comes later is dropped. Any thread.
  void close();

 private:
  std::mutex mutex_;
  std::condition_variable room_;
  std::deque<Event> events_;  // guarded by mutex_, as all below
  std::size_t bytes_ = 0;
  bool closed_ = false;
  std::array<std::uint64_t, kEventTypeCount> dropped_{};
};

}  // namespace bindcast
