// One connection's way from the past to the present: what it missed, then live, in order, none lost and none twice.
//
// While it runs, the connection gets no durable event live (live_part); what the store has comes in portions, the next
// one when the client has taken most of the last. At the end the store has nothing more and the hub still remembers all
// that came after: what is left is taken from there and the connection goes live, in one call, in which nothing else
// can happen. The events that come before that are in the store, or remembered: so nothing has to be kept here.
//
// Loop thread only. doc/journal.md says what a client may rely on.
#pragma once

#include <bitset>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/clock.hpp"
#include "plugin/delivery/client_queue.hpp"
#include "plugin/hub/hub.hpp"
#include "plugin/journal/past.hpp"
#include "plugin/server/past_view.hpp"

namespace bindcast {

// An id of this process, or of one before it. Nothing: it is none, or of an epoch that nobody knows.
[[nodiscard]] std::optional<StreamPlace> past_place_from(std::string_view id, const Hub& hub, const Past& past);

class Replay {
 public:
  // What began a replay, once it is known.
  struct Recovered {
    bool whole = true;                   // nothing that was missed is gone
    std::optional<std::uint64_t> count;  // events that come; nothing: more than could be looked at at once
    std::uint64_t through = 0;           // the last offset when it was asked for
  };
  // `enter_channel` is called when running() has changed.
  Replay(Hub& hub, Past& past, ClientQueue& queue, std::function<PastViewer()> viewer,
         std::function<void(Now)> enter_channel);
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  // The connection has this subscription from now on, instead of one of the same name.
  void subscribed(const Subscription& subscription);
  // These are left.
  void unsubscribed(const std::vector<Subscription>& left);

  // What came after `since` and one of `names` wants (nothing: any subscription of the connection, of which it does not
  // want again what it had live). Runs at once, or after the one that runs.
  void begin(StreamPlace since, std::optional<std::string> name, std::function<void(const Recovered&, Now)> told,
             Now now);
  // The client has taken something.
  void drained(Now now);

  [[nodiscard]] bool running() const noexcept { return running_; }
  [[nodiscard]] std::size_t waiting() const noexcept { return next_.size(); }
  // What of the subscriptions may come live while it runs.
  [[nodiscard]] static std::vector<Subscription> live_part(const std::vector<Subscription>& subscriptions);

 private:
  struct Want {
    Subscription subscription;
    std::uint64_t after = 0, through = 0;  // of the offsets of this epoch
  };
  // What is wanted of the past; never changed once it is made, so that readers may look at it.
  struct Wants : PastWish {
    std::vector<Want> missed;  // of any epoch, up to `through`
    std::vector<Want> since;   // of this one, what came since the replay began
    std::vector<Want> had;     // of the missed ones, what came live
    [[nodiscard]] bool has(const PastLook& event, bool filters) const override;
    [[nodiscard]] std::bitset<kEventTypeCount> types() const;
  };
  struct Request {
    StreamPlace since;
    std::optional<std::string> name;
    std::function<void(const Recovered&, Now)> told;
  };

  void start(Request request, Now now);
  void changed() { wants_.reset(); }
  [[nodiscard]] const std::shared_ptr<const Wants>& wants();
  void ask(Now now);
  void take(PastPortion portion, const std::shared_ptr<const Wants>& wanted, const PastViewer& viewer, Now now);
  void go_on(bool end, Now now);
  void give_up(Now now);
  void hand_over(Now now);
  void lose(DropReason reason, std::uint64_t count, std::uint64_t from = 0, std::uint64_t to = 0);
  void tell(std::optional<std::uint64_t> more, Now now);

  Hub& hub_;
  Past& past_;
  PastView view_;
  ClientQueue& queue_;
  const std::function<PastViewer()> viewer_;
  const std::function<void(Now)> enter_channel_;

  std::vector<Want> live_;         // the connection's subscriptions, since when they come live or would
  std::deque<Want> had_;           // those before them
  std::uint64_t lost_before_ = 0;  // of this client's events; when more are, what it had live is not known
  bool running_ = false;
  std::deque<Request> next_;

  // Of the one that runs.
  StreamPlace since_;
  std::optional<std::int64_t> position_;  // none: nothing has been read yet
  std::uint64_t generation_ = 0;
  std::uint64_t through_ = 0;  // of this epoch, everything up to here has been taken from the store
  std::uint64_t began_ = 0;    // the last offset when it began
  std::vector<Want> missed_, retired_;
  bool resumes_ = false;
  bool asking_ = false, for_room_ = false;
  bool whole_ = true;
  std::uint64_t count_ = 0;
  std::function<void(const Recovered&, Now)> told_;
  std::shared_ptr<const Wants> wants_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace bindcast
