// What is done about events that want an acknowledgement: sent again, to whom, by which way, and what ends it. The
// rules are Alerts'; here they meet sessions, webhooks and the hub.
//
// A subscriber of the hub. Owned by the server, between its sessions and its webhooks. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/clock.hpp"
#include "plugin/delivery/alerts.hpp"
#include "plugin/hub/hub.hpp"
#include "plugin/server/messages.hpp"
#include "plugin/server/webhooks.hpp"

namespace bindcast {

class Session;

class Escalations : public Subscriber {
 public:
  // How others are reached.
  struct Ways {
    std::function<void(const std::function<void(Session&)>&)> each_session;  // those that are admitted
    std::function<bool(WebhookPost, Now)> post;                              // false: no room
    std::function<void(const std::string& id)> cancel;                       // a post that is no longer needed
  };

  Escalations(Hub& hub, const Options& options, Ways ways, std::function<double()> random);
  ~Escalations() override;
  Escalations(const Escalations&) = delete;
  Escalations& operator=(const Escalations&) = delete;

  void configure(const Options& options);

  void deliver(const EncodedRef& event, Now now) override;
  void lost(DropReason, EventType, std::uint64_t, Now) override {}  // what was never seen wants no acknowledgement
  void failed() noexcept override {}  // the event went to its subscribers, but nobody is asked to acknowledge it

  // Does what is due: call before the loop waits, and when due_us() has come.
  void run(Now now);
  [[nodiscard]] std::int64_t due_us() const noexcept;  // 0: nothing waits
  void tick(Now now);                                  // once a second: statistics, when there is something new

  // A client came, or made this subscription: what is open and meant for it is sent to it again.
  void welcome(Session& session, const Subscription* made, Now now);
  // Ends the alerts that these events belong to, as far as the session may see them, and tells every viewer. Returns
  // the offsets that ended none.
  std::vector<std::uint64_t> acknowledge(const std::vector<std::uint64_t>& offsets, Session& by, std::string_view note,
                                         Now now);
  void webhook_told(const WebhookOutcome& outcome, Now now);

  // The open alerts that the session may see, as it sees them, the most pressing and oldest first, and the ladder that
  // they climb: the data of the message `alerts`. Bounded in alerts and bytes; those left out are counted.
  [[nodiscard]] Json alerts_json(const Session& session, Now now);
  [[nodiscard]] Json statistics_json() const;
  [[nodiscard]] const Alerts::Counters& counters() const noexcept { return alerts_.counters(); }
  [[nodiscard]] std::size_t open() const noexcept { return alerts_.open(); }

 private:
  [[nodiscard]] EventForms forms_of(const EventRef& event, Now now);
  void perform(const Alerts::Action& action, Now now);
  void notify(const Alerts::Action& action, std::size_t step, std::uint64_t clients, Now now);
  void post(const Alerts::Action& action, std::size_t step, Now now);
  [[nodiscard]] std::string webhook_id(std::uint64_t alert, std::size_t step) const;

  Hub& hub_;
  Ways ways_;
  Alerts alerts_;
  std::string told_statistics_;
  std::int64_t statistics_due_us_ = 0;
};

}  // namespace bindcast
