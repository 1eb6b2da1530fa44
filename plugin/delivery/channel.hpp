// All clients that want the same events in the same form: their events are batched once, encoded once and compressed
// once, and each client's queue holds a pointer to the same frames.
//
//   hub ─▶ rate limit ─▶ open batch ─▶ frame ─▶ in step: the frame itself
//                 │                        └─▶ behind: like queries folded, the others one by one
//                 └─ too many: folded or lost └▶ full: what matters more than the flood; the rest is only counted
//
// A client that falls behind leaves the shared path and comes back to it once it has drained, without a loss or a
// double: each frame reaches each client in exactly one of these ways, and what is folded is handed over before anybody
// comes or goes. A full client costs nothing per frame, so a thousand stalled ones do not slow the loop.
//
// Made and owned by Channels (channels.hpp). Loop thread only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "plugin/delivery/batching.hpp"
#include "plugin/delivery/client_queue.hpp"
#include "plugin/delivery/packing.hpp"
#include "plugin/delivery/query_fold.hpp"
#include "plugin/delivery/rate.hpp"
#include "plugin/delivery/token_bucket.hpp"
#include "plugin/hub/hub.hpp"

namespace bindcast {

class Channels;

// What a client wants. Clients whose wishes have the same key share a channel.
struct Wish {
  std::vector<Subscription> subscriptions;
  std::shared_ptr<const Sight> sight;  // none: it sees nothing
  bool fold = true;                    // like queries may be folded when there are too many
  Packing packing;
  [[nodiscard]] std::string key() const;
};

class Channel : public Subscriber {
 public:
  Channel(Channels& house, Wish wish);
  ~Channel() override;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  void join(ClientQueue& client, Now now);
  void leave(ClientQueue& client, Now now);
  void forget(ClientQueue& client);
  [[nodiscard]] bool empty() const noexcept { return in_step_.empty() && behind_.empty() && full_.empty(); }

  void deliver(const EncodedRef& event, Now now) override;
  void lost(DropReason reason, EventType type, std::uint64_t count, Now now) override;
  [[nodiscard]] bool only_counts(EventType type, Priority priority, Severity severity) const noexcept override;
  void passed_by(EventType type, std::uint64_t count, std::uint64_t first_offset, Now now) override;
  // Nobody knows any more what its clients have been given, so all of them go, and whoever comes before the last has.
  void failed() noexcept override;

  // What is due: a batch, what was folded, what was lost.
  void run(Now now);
  [[nodiscard]] std::int64_t due_us() const noexcept;  // 0: nothing waits
  // Everything that waits, due or not.
  void flush(Now now);

  // The client is about to be told what it missed: what has passed it by since the last time becomes its loss.
  void settle(ClientQueue& client, Now now);
  // The client has taken something: it may have caught up.
  void drained(ClientQueue& client, Now now);

  // Events that came and are in no client's queue yet; of a client: not in its own.
  [[nodiscard]] std::uint64_t pending() const noexcept;
  [[nodiscard]] std::uint64_t pending(const ClientQueue& client) const noexcept {
    return pending() + (client.standing_ == ClientQueue::Standing::behind ? fold_.folded() : 0);
  }
  [[nodiscard]] std::size_t clients() const noexcept { return in_step_.size() + behind_.size() + full_.size(); }
  [[nodiscard]] std::size_t clients_behind() const noexcept { return behind_.size() + full_.size(); }
  [[nodiscard]] std::uint64_t matched() const noexcept { return matched_; }
  [[nodiscard]] double arrival_per_second(Now now) const noexcept { return arrivals_.per_second(now); }
  [[nodiscard]] const Wish& wish() const noexcept { return wish_; }
  // Of the frames made here, each counted once however many clients got it.
  [[nodiscard]] const DeliveryStatistics& statistics() const noexcept { return statistics_; }

 private:
  friend class Channels;

  struct Waiting {
    EncodedRef event;
    std::int64_t queued_us;
  };
  using Clients = std::vector<ClientQueue*>;

  void push_to_its_user(const EncodedRef& event, Now now);
  [[nodiscard]] bool bypasses(Priority priority) const noexcept;
  void limited(const EncodedRef& event, Now now);
  void enqueue(const EncodedRef& event, Now now);
  void run_batches(Now now);
  [[nodiscard]] QueueState open_state() const noexcept;
  void seal(std::size_t count, Now now);
  void push_single(const EncodedRef& event, bool urgent, Now now);
  void push_frame(const FrameRef& frame, bool urgent, Now now);
  template <typename Push>
  void push_to_those_in_step(Now now, Push push);
  void push_to_those_behind(std::span<const EncodedRef> events, bool urgent, Now now);
  void standings_changed() noexcept;
  [[nodiscard]] bool passes(Priority priority) const noexcept;
  void pass_by(EventType type, std::uint64_t count, std::uint64_t first_offset, std::uint64_t last_offset);
  void tell_losses(Now now, bool all);
  void flush_fold(Now now);
  void flush_excess(Now now);
  [[nodiscard]] std::vector<EncodedRef> folded_events(QueryFold& fold, Now now);
  void look_at(ClientQueue& client, bool lost);
  void change_standings(Now now);
  void catch_up(ClientQueue& client, Now now);

  Channels& house_;
  Wish wish_;
  const std::string key_;
  bool touched_ = false;  // waits for run()
  bool failed_ = false;   // by an exception; nothing is handed over any more

  Clients in_step_, behind_, full_;
  Clients changing_;  // whose standing is to be looked at once no frame is on its way

  std::deque<Waiting> open_;  // the batch under way
  std::size_t open_bytes_ = 0;
  std::array<std::size_t, kPriorityCount> open_by_priority_{};
  std::int64_t last_sent_us_ = 0;
  std::int64_t batch_due_us_ = 0;
  CompressionTrial trial_;

  Rate arrivals_;
  double depth_ = 0;  // of the fullest client in step, at the last frame
  double drain_per_second_ = 0;
  std::int64_t measured_us_ = 0;

  QueryFold fold_;  // for those behind
  std::int64_t fold_due_us_ = 0;
  TokenBucket bucket_;
  QueryFold excess_;  // what the rate limit did not let through
  std::int64_t excess_due_us_ = 0;

  Losses losses_;      // of all clients
  Gap passed_;         // what has passed by the full ones since the channel was made
  Clients untouched_;  // full ones that nothing has passed by since they last took note

  std::uint64_t matched_ = 0;
  DeliveryStatistics statistics_;
};

}  // namespace bindcast
