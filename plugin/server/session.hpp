// One client's side of the protocol, without its socket: what it said, what it is subscribed to, what waits for it.
//
// The listener hands in whole text messages and asks for the next frame to write; the clock is a parameter. Loop thread
// only. Owned by the listener. Its queue is in the channel of its wish from its first subscription to its end.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/clock.hpp"
#include "plugin/delivery/channels.hpp"
#include "plugin/delivery/client_queue.hpp"
#include "plugin/hub/hub.hpp"
#include "plugin/journal/past.hpp"
#include "plugin/publish/publishing.hpp"
#include "plugin/server/audit.hpp"
#include "plugin/server/escalations.hpp"
#include "plugin/server/identity.hpp"
#include "plugin/server/messages.hpp"
#include "plugin/server/replay.hpp"
#include "plugin/server/roles.hpp"

namespace bindcast {

enum CloseCode : int {
  kGoingAway = 1001,
  kNotUtf8 = 1007,
  kPolicyViolation = 1008,
  kTryAgainLater = 1013,
  kBadToken = 4401,  // or one that is over
  kNotPermitted = 4403,
  kAuthenticationTimeout = 4408,
  kReplaced = 4409,
  kTooMany = 4429
};

struct CloseOrder {
  int code;
  std::string reason;
};

// What all sessions share; owned by the server and outliving them.
class Session;
struct SessionShared {
  Hub& hub;
  Past& past;
  Channels& channels;
  Escalations& escalations;
  Identity& identity;
  Roles& roles;
  Audit& audit;
  Publishing& publishing;
  Options options;
  std::function<Json(Now)> status;                                         // the object of get_status
  std::function<void(const std::function<void(Session&)>&)> each_session;  // those that are admitted
};

// So many a minute, and as many at once after a quiet minute.
class Allowance {
 public:
  [[nodiscard]] bool take(std::uint32_t per_minute, Now now) noexcept;

 private:
  double used_ = 0;
  std::int64_t at_us_ = 0;
};

class Session {
 public:
  static constexpr std::int64_t kAuthenticationTimeoutUs = 5'000'000;
  static constexpr int kMaxOffences = 10;
  static constexpr std::size_t kMaxSubscriptions = 64;

  // `ready` is called when there may be something to write, or the session is to be closed.
  Session(SessionShared& shared, std::string peer, Format format, std::function<void()> ready);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // The socket is open. `offered`: what the handshake carried.
  void open(const Offered& offered, Now now);
  void receive(std::string_view text, Now now);
  // A message that did not even become text: too large, binary. Counts as an offence.
  void offend(std::string_view code, std::string_view message, Now now, std::string_view reply_to = {});
  // The socket is gone, or goes: with `code` and `reason`.
  void closed(int code, std::string_view reason, Now now);
  void close(int code, std::string reason);
  void options_changed(Now now);
  // What it was admitted by is over: its user is told before the close.
  void end_login(std::string_view why, Now now);
  // The end is near: what waits still goes out before the close.
  void flush();

  // Is there something to write?
  [[nodiscard]] bool due(Now now) const noexcept {
    return !replies_.empty() || ((!close_ || flushing_) && queue_.due(now));
  }
  // The next frame to write; empty when none is due. Call again until there is none.
  [[nodiscard]] FrameRef next(Now now);
  [[nodiscard]] const std::optional<CloseOrder>& close_order() const noexcept { return close_; }
  // Its queue's account is broken by an exception.
  [[nodiscard]] bool failed() const noexcept { return queue_.failed(); }
  // Once a second: ends a session that did not authenticate in time, tells a gap that has become due.
  void tick(Now now);

  [[nodiscard]] bool admitted() const noexcept { return user_.has_value(); }
  [[nodiscard]] bool closing() const noexcept { return close_.has_value(); }
  [[nodiscard]] const Credential& credential() const noexcept { return credential_; }
  [[nodiscard]] std::string_view user_name() const noexcept { return user_ ? std::string_view(user_->name) : ""; }
  [[nodiscard]] const std::vector<Subscription>& subscriptions() const noexcept { return subscriptions_; }
  [[nodiscard]] bool has_role(std::string_view role) const { return user_ && user_->has_role(role); }
  // How clearly may the client see an event? Nothing: not at all.
  [[nodiscard]] std::optional<PrivacyOptions> look(const Event& event) const;
  // Has it asked for this one, in the form in which it may see it?
  [[nodiscard]] bool subscribed_to(const Event& event) const;

  // An event that wants an acknowledgement, once more, ahead of what waits.
  void send_again(const EncodedRef& event, Now now);
  // A message that was not asked for.
  void tell(std::string text) { push_reply(std::move(text)); }

 private:
  struct Request {
    std::string_view type;
    void (Session::*handle)(const ClientMessage&, Now);
    bool changes_subscriptions = false;
  };
  static const Request kRequests[];

  void handle(const ClientMessage& message, Now now);
  void authenticate(const ClientMessage& message, Now now);
  void subscribe(const ClientMessage& message, Now now);
  void unsubscribe(const ClientMessage& message, Now now);
  void resume(const ClientMessage& message, Now now);
  void tell_subscriptions(const ClientMessage& message, Now now);
  void set_preferences(const ClientMessage& message, Now now);
  void acknowledge(const ClientMessage& message, Now now);
  void publish(const ClientMessage& message, Now now);
  void tell_alerts(const ClientMessage& message, Now now);
  void tell_status(const ClientMessage& message, Now now);
  void tell_statistics(const ClientMessage& message, Now now);
  void tell_connections(const ClientMessage& message, Now now);
  void disconnect_user(const ClientMessage& message, Now now);
  void broadcast(const ClientMessage& message, Now now);
  void pong(const ClientMessage& message, Now now);
  void accept_pong(const ClientMessage& message, Now now);

  [[nodiscard]] bool may(Right right) const { return shared_.roles.may(*user_, right); }
  // Else it is told why not, and so are the admins.
  [[nodiscard]] bool permitted(Right right, const ClientMessage& message, Now now);
  void note_refusal(const ClientMessage& message, std::string_view subject, Now now);
  void deny(std::string_view text, std::string_view subject, const ClientMessage& message, Json details, Now now);
  // One more message in this minute? An offence if not.
  bool allowed(Now now);
  void take(const Outcome& outcome, Now now);
  void admit(const Admission& admission, Now now);
  [[nodiscard]] bool make_room(const Admission& admission, Now now);
  void refuse(int code, std::string_view reason, Now now);
  [[nodiscard]] Json connection_json(const Session& asking, Now now) const;
  void reply(std::string_view type, const ClientMessage& message, const Json& data, Now now);
  void error(std::string_view code, std::string_view text, std::string_view reply_to, Json details, Now now);
  void emit_connection_event(EventType type, Now now, const std::function<void(Fields&)>& add);
  void tell_subscribed(EventType type, const Subscription& made, Now now);
  void check_login(Now now);
  void push_reply(std::string text);
  void queue_ready();
  // Puts the queue into the channel of what the client wants now.
  void enter_channel(Now now);
  [[nodiscard]] Json subscriptions_json() const;

  SessionShared& shared_;
  std::string peer_;
  const Format format_;
  std::function<void()> ready_;
  std::optional<User> user_;
  std::shared_ptr<const Sight> sight_;  // the user's
  Credential credential_;               // of the user
  std::int64_t admitted_us_ = 0;
  std::int64_t authentication_deadline_us_ = 0;
  std::vector<Subscription> subscriptions_;
  bool batches_;
  bool fold_ = true;
  std::optional<BatchingOptions> own_batching_;  // of a client that has preferences
  ClientQueue queue_;
  Replay replay_;
  std::uint64_t emitted_before_ = 0;  // events of the hub before this client was admitted
  std::deque<std::string> replies_;
  std::size_t reply_bytes_ = 0;
  std::optional<CloseOrder> close_;
  bool flushing_ = false;
  int offences_ = 0;
  Allowance messages_, subscription_changes_;
  std::uint64_t messages_in_ = 0, messages_out_ = 0, bytes_out_ = 0;
};

}  // namespace bindcast
