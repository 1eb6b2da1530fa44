// The latest durable events of this process, so that a client that comes late, or comes back, can still have them
// (`since`). In memory, bounded in events and bytes. Loop thread only.
#pragma once

#include <cstdint>
#include <deque>

#include "plugin/hub/encoded_event.hpp"

namespace bindcast {

class RecentEvents {
 public:
  static constexpr std::size_t kMaxEvents = 2000;
  static constexpr std::size_t kMaxBytes = 2 * 1024 * 1024;

  void push(const EncodedRef& event) {
    bytes_ += event->json_bytes;
    events_.push_back(event);
    while (events_.size() > kMaxEvents || bytes_ > kMaxBytes) {
      bytes_ -= events_.front()->json_bytes;
      forgotten_through_ = events_.front()->offset;
      events_.pop_front();
    }
  }
  [[nodiscard]] const std::deque<EncodedRef>& events() const noexcept { return events_; }
  // The offset of the newest durable event that is no longer here; 0: none was forgotten.
  [[nodiscard]] std::uint64_t forgotten_through() const noexcept { return forgotten_through_; }

 private:
  std::deque<EncodedRef> events_;
  std::size_t bytes_ = 0;
  std::uint64_t forgotten_through_ = 0;
};

}  // namespace bindcast
