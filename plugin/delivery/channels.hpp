// The channels by what their clients want, and what they share: the frame writer, the options, the load of the loop.
//
// Loop thread only. Queues are borrowed: they leave before they die.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/options.hpp"
#include "plugin/delivery/channel.hpp"
#include "plugin/delivery/frame_writer.hpp"
#include "plugin/hub/hub.hpp"

namespace bindcast {

class Channels {
 public:
  Channels(Hub& hub, const Options& options);
  ~Channels();
  Channels(const Channels&) = delete;
  Channels& operator=(const Channels&) = delete;

  // Takes queues, rate_limit and batching.compression.cache. Batching is each client's own (Wish).
  void configure(const Options& options);

  // Puts the client into the channel of its wish, out of the one where it is; a wish without subscriptions: into none.
  // What either channel holds is handed over first, so nothing is lost or comes twice.
  void enter(ClientQueue& client, const Wish& wish, Now now);
  void leave(ClientQueue& client, Now now);
  // A client that is gone: what the channel holds stays for the others.
  void forget(ClientQueue& client);

  // Hands over what is due. Call before the loop waits, and when due_us() has come.
  void run(Now now);
  [[nodiscard]] std::int64_t due_us() const noexcept { return next_due_us_; }  // 0: nothing waits
  // Everything, due or not: at the end.
  void flush(Now now);

  [[nodiscard]] QueueHouse& queues() noexcept { return house_; }
  [[nodiscard]] const QueueHouse& queues() const noexcept { return house_; }
  [[nodiscard]] FrameWriter& writer() noexcept { return house_.writer; }
  [[nodiscard]] const DeliveryStatistics& statistics() const noexcept { return house_.statistics; }
  // How long the loop was busy in its last turn.
  void loop_was_busy(std::int64_t us) noexcept;
  [[nodiscard]] std::int64_t loop_lag_us() const noexcept { return static_cast<std::int64_t>(lag_us_); }
  [[nodiscard]] const Histogram& loop_busy_us() const noexcept { return loop_busy_us_; }

  [[nodiscard]] const std::unordered_map<std::string, std::unique_ptr<Channel>>& all() const noexcept {
    return channels_;
  }

 private:
  friend class Channel;
  void touch(Channel& channel);
  void remove_if_empty(Channel& channel);
  [[nodiscard]] bool frames_repeat() const noexcept { return deflate_channels_ > 1; }

  Hub& hub_;
  QueueHouse house_;
  QueueOptions queue_options_;
  RateLimitOptions rate_limit_;
  std::unordered_map<std::string, std::unique_ptr<Channel>> channels_;
  std::size_t deflate_channels_ = 0;
  std::vector<Channel*> touched_;
  std::int64_t next_due_us_ = 0;
  double lag_us_ = 0;
  Histogram loop_busy_us_;
};

}  // namespace bindcast
