// What waits for one client, bounded in events and bytes, and what was lost when it was full.
//
// A client in step holds frames that its channel made for all its clients: a pointer each. One that falls behind is
// taken off that path by its channel (channel.hpp) until it has drained; what it is owed meanwhile waits here event by
// event, and is packed for it alone. The lanes, in the order in which they are written: urgent (events that must not
// wait), backlog (a replay that the client asked for), normal. Within a lane the order is the stream's.
//
// Holds references to shared frames and events. Loop thread only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config/options.hpp"
#include "plugin/delivery/delivery_statistics.hpp"
#include "plugin/delivery/frame_writer.hpp"
#include "plugin/delivery/losses.hpp"
#include "plugin/delivery/packing.hpp"
#include "plugin/delivery/rate.hpp"

namespace bindcast {

class Channel;

// Every event that was meant for a client is in exactly one of these:
// accepted = delivered + folded + dropped[queue_overflow] + waiting.
struct Account {
  std::uint64_t accepted = 0;
  std::uint64_t repeated = 0;  // of these: past events, by a replay
  std::uint64_t delivered = 0;
  std::uint64_t folded = 0;                               // told as the count of a dns_query_batch
  std::uint64_t waiting = 0;                              // in this queue
  std::array<std::uint64_t, kDropReasonCount> dropped{};  // only those of queue_overflow were ever accepted
  std::array<std::uint64_t, kDropReasonCount> untold{};   // of the dropped: not yet told in a gap
};

// What all queues share.
struct QueueHouse {
  FrameWriter writer;
  DeliveryStatistics statistics;  // of all clients there were
  const std::size_t& held;        // bytes of all events and frames alive
  std::size_t queues = 0;         // that there are
  bool failed = false;            // one of them has, since this was last set to false

  QueueHouse(const StreamIdentity& stream, std::size_t& held_bytes) : writer(stream, held_bytes), held(held_bytes) {}
};

class ClientQueue {
 public:
  // How the client keeps up; decided by its channel.
  enum class Standing : std::uint8_t {
    in_step,
    behind,  // gets like queries folded, and everything else by itself
    full     // gets only what matters more than the flood; the rest is counted
  };

  // `house` counts what goes out of every queue, and what is held. `ready` is called when something waits that next()
  // has not been asked for yet.
  ClientQueue(QueueHouse& house, const QueueOptions& options, Packing packing, std::function<void()> ready);
  ~ClientQueue();
  ClientQueue(const ClientQueue&) = delete;
  ClientQueue& operator=(const ClientQueue&) = delete;

  // New bounds; what no longer fits is dropped by the policy (by `disconnect` nothing is).
  void configure(const QueueOptions& options);
  void pack_as(const Packing& packing) { packing_ = packing; }
  [[nodiscard]] const Packing& packing() const noexcept { return packing_; }

  // Whose it is, for events that are for one user.
  void belongs_to(std::string_view user) { user_ = user; }
  [[nodiscard]] const std::string& user() const noexcept { return user_; }

  // ── What comes in ──
  // A frame, as it is if there is room, else what of it the policy lets in. `urgent`: ahead of what waits. False when
  // something was lost.
  bool push(const FrameRef& frame, bool urgent, Now now);
  // One event by itself; false when it was lost.
  bool offer(const EncodedRef& event, bool urgent, Now now);
  // One event that is to be lost, whether there is room or not.
  void refuse(const EncodedRef& event);
  // An event that has come before and is sent again: ahead of what waits.
  void repeat(const EncodedRef& event, Now now);
  // Past events, in order, ahead of what waits and without being counted against the bounds: they are bounded where
  // they come from and shared with it. What waits here already comes once.
  // An offset of 0: of an earlier stream, so before everything of this one.
  void replay(std::vector<EncodedRef> events, Now now);
  // While it holds, what came live waits, but for what is urgent: a replay is on its way, in portions.
  void hold(bool yes);
  [[nodiscard]] std::size_t backlog() const noexcept { return backlog_.size(); }  // events
  // Events that were lost before they came here; `accepted`: because this queue was full.
  void lose(const Gap& gap, bool accepted);

  // ── What goes out ──
  // The next frame to write; empty when nothing is due. A gap comes before the events that follow it.
  [[nodiscard]] FrameRef next(Now now);
  [[nodiscard]] bool due(Now now) const noexcept;
  // The policy says that the client must go.
  [[nodiscard]] bool overflowed() const noexcept { return overflowed_; }
  // Its account is broken by an exception, and the client must go.
  void fail() noexcept {
    failed_ = true;
    house_.failed = true;
  }
  [[nodiscard]] bool failed() const noexcept { return failed_; }
  // From here on gaps are told at once: the end is near, or the client has caught up.
  void tell_all_losses() noexcept { tell_all_ = true; }

  [[nodiscard]] Standing standing() const noexcept { return standing_; }
  [[nodiscard]] Channel* channel() const noexcept { return channel_; }  // where it is; nullptr: in none
  [[nodiscard]] std::size_t size() const noexcept { return size_; }     // events that count against the bounds
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] double load() const noexcept;  // share of the bounds in use, 0 to 1
  // Events a second that the client takes while it has some waiting; 0: not known.
  [[nodiscard]] double drain_per_second(Now now) const noexcept;
  [[nodiscard]] Account account() const noexcept;
  [[nodiscard]] const DeliveryStatistics& statistics() const noexcept { return statistics_; }
  [[nodiscard]] const QueueOptions& options() const noexcept { return options_; }

 private:
  friend class Channel;

  struct Entry {
    FrameRef frame;    // whole, or
    EncodedRef event;  // one event by itself
    std::int64_t queued_us;
  };
  using Lane = std::deque<Entry>;

  [[nodiscard]] bool fits(std::size_t events, std::size_t bytes) const noexcept;
  [[nodiscard]] bool make_room_below(Priority priority, std::size_t bytes);
  [[nodiscard]] bool drop_newest_of(Priority priority);
  void drop_oldest();
  void append(Lane& lane, Entry entry);
  void uncount(const Entry& entry);
  void expand(Lane& lane, std::size_t at);
  void lose_event(const EncodedEvent& event);
  [[nodiscard]] FrameRef take(Lane& lane, bool counted, Now now);
  void delivered(const Frame& frame, bool urgent, Now now);
  [[nodiscard]] static bool is_gap(const Entry& entry) noexcept { return entry.frame && entry.frame->gap; }

  QueueHouse& house_;
  QueueOptions options_;
  Packing packing_;
  std::function<void()> ready_;
  std::string user_;

  Lane urgent_, backlog_, normal_;
  std::size_t size_ = 0, bytes_ = 0;                       // of urgent_ and normal_
  std::array<std::size_t, kPriorityCount> by_priority_{};  // events in them
  std::size_t gap_frames_ = 0;                             // in normal_
  std::uint64_t waiting_ = 0;                              // by weight, the backlog too
  Account account_;
  Losses losses_;
  bool tell_all_ = false;
  bool holds_ = false;
  bool overflowed_ = false;
  bool failed_ = false;
  CompressionTrial trial_;
  Rate drained_;
  std::int64_t backlogged_since_us_ = 0;  // 0: it was empty after the last write
  DeliveryStatistics statistics_;

  // The channel's.
  Channel* channel_ = nullptr;
  Standing standing_ = Standing::in_step;
  bool changing_ = false;          // its standing is about to be looked at
  bool lost_ = false;              // something found no room since its standing was last looked at
  Gap passed_;                     // the channel's count of what passed by, when this client last took note of it
  std::uint64_t passed_from_ = 0;  // the first event that has passed by since; 0: none yet
};

}  // namespace bindcast
