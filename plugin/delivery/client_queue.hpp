// The events that wait for one client, bounded in number and bytes, with what is lost when it is full.
//
// One lane per priority, so that the least important event is found at once; the stream's offsets put the lanes
// together again in the order of emission. The lanes of critical and urgent events are the bypass: they are taken ahead
// of all others, when that is switched on. Holds references to shared events. Loop thread only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "config/options.hpp"
#include "plugin/delivery/batching.hpp"
#include "plugin/delivery/losses.hpp"
#include "plugin/hub/hub.hpp"

namespace bindcast {

class ClientQueue {
 public:
  // What happened to the queue when an event was offered.
  enum class Offered : std::uint8_t {
    queued,   // taken, though others may have been dropped for it
    dropped,  // refused: it was the least important, or the newest
    overflow  // refused, and the policy says that the client must go
  };

  ClientQueue(const QueueOptions& options, bool bypass);

  // New bounds; what no longer fits is dropped by the policy (by `disconnect` nothing is).
  void configure(const QueueOptions& options, bool bypass);

  // `dropped` is increased by the number of events that were lost, the offered one included. An event that waits here
  // already is not taken twice and not counted again.
  Offered offer(const EncodedRef& event, Now now, std::uint64_t& dropped);

  // The first event that must not wait; empty when there is none.
  [[nodiscard]] EncodedRef take_bypass(Now now);
  // The first events of all others, in order: at most so many, and at most so many bytes but at least one. Returns the
  // monotonic time at which the first of them came.
  std::int64_t take(std::size_t max_events, std::size_t max_bytes, Now now, std::vector<EncodedRef>& out);

  [[nodiscard]] QueueState state() const noexcept;
  [[nodiscard]] double load() const noexcept;  // share of the bounds in use, 0 to 1
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] Losses& losses() noexcept { return losses_; }
  [[nodiscard]] const Losses& losses() const noexcept { return losses_; }

  // accepted() = delivered() + dropped() + size(), always.
  [[nodiscard]] std::uint64_t accepted() const noexcept { return accepted_; }
  [[nodiscard]] std::uint64_t delivered() const noexcept { return delivered_; }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  struct Entry {
    EncodedRef event;
    std::int64_t queued_us;
  };
  struct Lane {
    std::deque<Entry> entries;
    std::size_t bytes = 0;
  };
  static constexpr std::size_t kFirstBypass = static_cast<std::size_t>(Priority::critical);

  [[nodiscard]] bool fits(std::size_t bytes) const noexcept;
  [[nodiscard]] bool room_for(const EncodedEvent& event, std::size_t lane) const noexcept;
  [[nodiscard]] std::size_t first_bypass() const noexcept { return bypass_ ? kFirstBypass : kPriorityCount; }
  // The lane in [begin, end) whose first event is the oldest; `end` when all are empty.
  [[nodiscard]] std::size_t oldest_lane(std::size_t begin, std::size_t end) const noexcept;
  Entry pop(std::size_t lane);
  void drop_one(std::uint64_t& dropped);
  void lose(const EncodedEvent& event, std::uint64_t& dropped);

  QueueOptions options_;
  bool bypass_;
  std::array<Lane, kPriorityCount> lanes_;
  std::size_t size_ = 0;
  std::size_t bytes_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t dropped_ = 0;
  std::int64_t last_sent_us_ = 0;
  Losses losses_;
};

}  // namespace bindcast
