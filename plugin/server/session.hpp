// One client's side of the protocol, without its socket: what it said, what it is subscribed to, what waits for it.
//
// The listener hands in whole text messages and asks for the next one to write; the clock is a parameter. Loop thread
// only. Owned by the listener; a Subscriber of the hub from its admission to its end.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "plugin/clock.hpp"
#include "plugin/delivery/client_queue.hpp"
#include "plugin/hub/hub.hpp"
#include "plugin/server/identity.hpp"
#include "plugin/server/messages.hpp"

namespace bindcast {

enum class Subprotocol : std::uint8_t { plain, json, deflate, cloudevents };

enum CloseCode : int {
  kGoingAway = 1001,
  kPolicyViolation = 1008,
  kTryAgainLater = 1013,
  kBadToken = 4401,
  kAuthenticationTimeout = 4408,
  kTooMany = 4429
};

struct CloseOrder {
  int code;
  std::string reason;
};

struct Outgoing {
  std::string bytes;
  bool binary = false;
};

// What all sessions share; owned by the server and outliving them.
struct SessionShared {
  Hub& hub;
  Identity& identity;
  Options options;
  std::function<Json(Now)> status;                                // the object of get_status
  std::function<std::size_t(std::string_view user)> sessions_of;  // admitted sessions of a user
  bool touched = false;  // something waits in some session since the listener looked last
};

class Session : public Subscriber {
 public:
  static constexpr std::int64_t kAuthenticationTimeoutUs = 5'000'000;
  static constexpr int kMaxOffences = 10;
  static constexpr std::size_t kMaxSubscriptions = 64;

  Session(SessionShared& shared, std::string peer, Subprotocol subprotocol);
  ~Session() override;

  // The socket is open. `token`: what the handshake carried, or none.
  void open(std::optional<std::string> token, Now now);
  void receive(std::string_view text, Now now);
  // A message that did not even become text: too large, binary. Counts as an offence.
  void offend(std::string_view code, std::string_view message, Now now, std::string_view reply_to = {});
  // The socket is gone, or goes: with `code` and `reason`.
  void closed(int code, std::string_view reason, Now now);
  void close(int code, std::string reason);
  void options_changed();
  // The end is near: whatever waits is due now, and still goes out before the close.
  void flush();

  // The next message to write, if one is due. Call again until there is none.
  [[nodiscard]] std::optional<Outgoing> next(Now now);
  // When something will be due: now or earlier means call next; -1: not before something happens.
  [[nodiscard]] std::int64_t due_us(Now now) const;
  [[nodiscard]] const std::optional<CloseOrder>& close_order() const noexcept { return close_; }
  // Ends a session that did not authenticate in time.
  void tick(Now now);

  [[nodiscard]] bool admitted() const noexcept { return user_.has_value(); }
  [[nodiscard]] std::string_view user_name() const noexcept { return user_ ? std::string_view(user_->name) : ""; }

  void deliver(const EncodedRef& event, Now now) override;
  void lost(DropReason reason, EventType type, std::uint64_t count, Now now) override;

 private:
  struct Request {
    std::string_view type;
    void (Session::*handle)(const ClientMessage&, Now);
  };
  static const Request kRequests[];

  void handle(const ClientMessage& message, Now now);
  void authenticate(const ClientMessage& message, Now now);
  void subscribe(const ClientMessage& message, Now now);
  void unsubscribe(const ClientMessage& message, Now now);
  void tell_subscriptions(const ClientMessage& message, Now now);
  void set_preferences(const ClientMessage& message, Now now);
  void tell_status(const ClientMessage& message, Now now);
  void tell_statistics(const ClientMessage& message, Now now);
  void pong(const ClientMessage& message, Now now);
  void accept_pong(const ClientMessage& message, Now now);

  void admit(const User& user, Now now);
  void refuse(int code, std::string_view reason, Now now);
  void reply(std::string_view type, const ClientMessage& message, const Json& data, Now now);
  void error(std::string_view code, std::string_view text, std::string_view reply_to, Json details, Now now);
  bool within_message_rate(Now now);
  void emit_connection_event(EventType type, Now now, const std::function<void(Fields&)>& add);
  void count_lost(DropReason reason, std::uint64_t count);
  void replay(Subscription& subscription, std::uint64_t since, Now now);
  void tell_forgotten(std::uint64_t from, std::uint64_t to, Now now);
  void push_reply(std::string text);
  [[nodiscard]] Json subscriptions_json() const;

  [[nodiscard]] Outgoing frame(std::string text) const;
  [[nodiscard]] std::optional<Outgoing> next_events(Now now);
  [[nodiscard]] Outgoing single(const EncodedRef& event) const;
  [[nodiscard]] Outgoing batch_frame(const std::vector<EncodedRef>& events, std::int64_t created_us, Now now) const;
  [[nodiscard]] std::string gap_text(const Gap& gap, Now now) const;
  [[nodiscard]] BatchDecision decision(Now now) const noexcept;
  [[nodiscard]] bool gap_due(Now now) const noexcept;
  [[nodiscard]] bool batches() const noexcept { return batching_enabled_ && subprotocol_ != Subprotocol::cloudevents; }

  SessionShared& shared_;
  std::string peer_;
  Subprotocol subprotocol_;
  std::optional<User> user_;
  std::int64_t authentication_deadline_us_ = 0;
  bool batching_enabled_;
  bool own_batching_ = false;  // the client has preferences of its own
  BatchingOptions batching_;
  ClientQueue queue_;
  std::deque<std::string> replies_;
  std::size_t reply_bytes_ = 0;
  std::optional<CloseOrder> close_;
  bool flushing_ = false;
  int offences_ = 0;
  double message_allowance_;
  std::int64_t allowance_at_us_ = 0;
  std::array<std::uint64_t, kDropReasonCount> lost_{};  // by DropReason, over the whole connection
  std::uint64_t messages_in_ = 0, messages_out_ = 0, bytes_out_ = 0, batches_ = 0;
};

}  // namespace bindcast
