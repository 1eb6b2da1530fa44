#include "plugin/server/session.hpp"

#include <algorithm>
#include <utility>

#include "config/names.hpp"
#include "plugin/version.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kMaxReplyBytes = 1024 * 1024;  // a client that asks and never reads is cut off

}  // namespace

Session::Session(SessionShared& shared, std::string peer, Format format, std::function<void()> ready)
    : shared_(shared),
      peer_(std::move(peer)),
      format_(format),
      ready_(std::move(ready)),
      batches_(batches_by_default(format)),
      queue_(shared.channels.queues(), shared.options.queues,
             {.format = format, .batches = batches_, .batching = shared.options.batching}, [this] { queue_ready(); }),
      replay_(
          shared.hub, shared.past, queue_,
          [this] { return PastViewer{.sight = sight_, .user = std::string(user_name())}; },
          [this](Now now) { enter_channel(now); }) {}

Session::~Session() {
  shared_.channels.forget(queue_);
}

void Session::open(const Offered& offered, Now now) {
  authentication_deadline_us_ = now.mono_us + kAuthenticationTimeoutUs;
  if (const auto outcome = shared_.identity.authenticate(offered, peer_, now))
    take(*outcome, now);
  else if (offered.cookie)  // it may still authenticate by a message
    error("AUTH_FAILED", "the session of the cookie has ended", {}, {}, now);
}

void Session::take(const Outcome& outcome, Now now) {
  if (const auto* admission = std::get_if<Admission>(&outcome)) {
    admit(*admission, now);
    return;
  }
  const Rejection& refusal = std::get<Rejection>(outcome);
  switch (refusal.why) {
    case Rejection::Why::unknown:
      return refuse(kBadToken, refusal.text, now);
    case Rejection::Why::forbidden:
      return refuse(kNotPermitted, refusal.text, now);
    case Rejection::Why::locked_out:
    case Rejection::Why::busy:
      return refuse(kTooMany, refusal.text, now);
  }
}

// A page that is loaded again comes before its old connection is known to be gone: of a login session the oldest one
// makes room. Whoever has a token is refused instead, or two programs with the same one would throw each other out for
// ever. In mode open all are the same user, which says nothing of who takes the connections.
bool Session::make_room(const Admission& admission, Now now) {
  if (admission.credential.kind == Credential::Kind::open_mode) return true;
  std::size_t count = 0;
  Session* oldest = nullptr;
  shared_.each_session([&](Session& other) {
    if (other.closing() || other.user_name() != admission.user.name) return;
    ++count;
    if (admission.credential.kind == Credential::Kind::session &&
        other.credential_.session == admission.credential.session &&
        (oldest == nullptr || other.admitted_us_ < oldest->admitted_us_))
      oldest = &other;
  });
  if (count < shared_.options.server.max_connections_per_user) return true;
  if (oldest == nullptr) return false;
  oldest->error("CONNECTION_LIMIT", "replaced by a newer connection of the same session", {}, {}, now);
  oldest->close(kReplaced, "replaced by a newer connection of the same session");
  return true;
}

void Session::admit(const Admission& admission, Now now) {
  if (!make_room(admission, now)) {
    refuse(kTooMany, "too many connections of this user", now);
    return;
  }
  const User& user = admission.user;
  user_ = user;
  sight_ = shared_.roles.sight(user);
  queue_.belongs_to(user.name);
  subscriptions_ = shared_.roles.subscriptions(user);
  credential_ = admission.credential;
  admitted_us_ = now.mono_us;
  for (const Subscription& made : subscriptions_) replay_.subscribed(made);
  emitted_before_ = shared_.hub.statistics().events_offered();

  Json data(json_object());
  set(data.get(), "user", user.name);
  Json roles(json_array());
  for (const std::string& role : user.roles) append(roles.get(), json_text(role));
  set_json(data.get(), "roles", std::move(roles));
  Json rights(json_array());
  for (std::size_t i = 0; i < kRightCount; ++i)
    if (may(static_cast<Right>(i))) append(rights.get(), json_text(names_of<Right>()[i]));
  set_json(data.get(), "may", std::move(rights));
  Json hidden(json_array());
  for (std::size_t i = 0; i < kEventTypeCount; ++i)
    if (!sight_->types().test(i)) append(hidden.get(), json_text(to_text(static_cast<EventType>(i))));
  set_json(data.get(), "hidden_types", std::move(hidden));
  set_json(data.get(), "subscriptions", subscriptions_json());
  set(data.get(), "version", kVersion);
  set(data.get(), "epoch", shared_.hub.identity().epoch);
  set(data.get(), "offset", shared_.hub.last_offset());
  Json limits(json_object());
  const Options& options = shared_.options;
  set(limits.get(), "max_message_bytes", std::uint64_t{options.server.max_message_bytes});
  set(limits.get(), "max_subscriptions", std::uint64_t{kMaxSubscriptions});
  set(limits.get(), "messages_per_minute", std::uint64_t{options.rate_limit.messages_per_minute});
  set(limits.get(), "queue_max_events", std::uint64_t{options.queues.max_events});
  set(limits.get(), "queue_max_bytes", std::uint64_t{options.queues.max_bytes});
  set_json(data.get(), "limits", std::move(limits));
  reply("connection_established", ClientMessage{}, data, now);
  emit_connection_event(EventType::connection_established, now,
                        [this](Fields& fields) { fields.add("subprotocol", subprotocol_of(format_)); });
  enter_channel(now);
  shared_.escalations.welcome(*this, nullptr, now);
  for (const Subscription& made : subscriptions_) {
    shared_.escalations.welcome(*this, &made, now);
    tell_subscribed(EventType::subscription_created, made, now);
  }
}

bool Session::permitted(Right right, const ClientMessage& message, Now now) {
  if (may(right)) return true;
  deny("none of your roles may " + std::string(name_of(right)), {}, message, {}, now);
  return false;
}

void Session::deny(std::string_view text, std::string_view subject, const ClientMessage& message, Json details,
                   Now now) {
  error("PERMISSION_DENIED", text, message.id, std::move(details), now);
  note_refusal(message, subject, now);
}

void Session::note_refusal(const ClientMessage& message, std::string_view subject, Now now) {
  shared_.audit.refused({.user = user_->name, .client = peer_, .action = message.type, .subject = subject}, now);
}

void Session::refuse(int code, std::string_view reason, Now now) {
  error(code == kTooMany ? "CONNECTION_LIMIT" : "AUTH_FAILED", reason, {}, {}, now);
  close(code, std::string(reason));
}

void Session::end_login(std::string_view why, Now now) {
  if (!admitted() || close_) return;
  Json data(json_object());
  set(data.get(), "user", user_->name);
  set(data.get(), "reason", why);
  reply("session_expired", ClientMessage{}, data, now);
  close(kBadToken, std::string(why));
}

void Session::emit_connection_event(EventType type, Now now, const std::function<void(Fields&)>& add) {
  Event event = make_event(type);
  event.source_component = "server";
  event.source_user_id = user_name();
  if (type == EventType::session_expired) event.target_user_id = user_name();
  event.data.add("client", peer_);
  if (user_) event.data.add("user", user_->name);
  add(event.data);
  shared_.hub.emit(std::move(event), now);
}

void Session::closed(int code, std::string_view reason, Now now) {
  if (Channel* channel = queue_.channel()) channel->settle(queue_, now);
  Account account = queue_.account();
  if (const Channel* channel = queue_.channel()) account.waiting += channel->pending(queue_);
  shared_.channels.forget(queue_);
  if (!admitted()) return;
  emit_connection_event(EventType::connection_closed, now, [&](Fields& fields) {
    fields.add_integer("code", code);
    fields.add("reason", reason);
    fields.add_integer("messages", static_cast<std::int64_t>(messages_out_));
    fields.add_integer("bytes", static_cast<std::int64_t>(bytes_out_));
    fields.add_integer("events", static_cast<std::int64_t>(account.delivered));
    if (account.waiting != 0) fields.add_integer("undelivered", static_cast<std::int64_t>(account.waiting));
    fields.begin_object("dropped");
    for (std::size_t i = 0; i < kDropReasonCount; ++i)
      if (account.dropped[i] != 0)
        fields.add_integer(kDropReasonNames[i], static_cast<std::int64_t>(account.dropped[i]));
    fields.end();
  });
  user_.reset();
}

void Session::close(int code, std::string reason) {
  if (!close_) close_ = CloseOrder{code, std::move(reason)};
  ready_();
}

std::optional<PrivacyOptions> Session::look(const Event& event) const {
  if (!user_ || !sight_->meant_for(user_->name, event)) return std::nullopt;
  return sight_->look(event, shared_.hub.identity());
}

bool Session::subscribed_to(const Event& event) const {
  return std::ranges::any_of(subscriptions_,
                             [&](const Subscription& s) { return s.matches(event, shared_.hub.identity()); });
}

void Session::send_again(const EncodedRef& event, Now now) {
  if (!close_) queue_.repeat(event, now);
}

void Session::queue_ready() {
  if (queue_.overflowed() && !close_)
    close(kTryAgainLater, "the client reads too slowly (queues.overflow: disconnect)");
  else
    ready_();
}

void Session::enter_channel(Now now) {
  shared_.channels.enter(queue_,
                         {.subscriptions = replay_.running() ? Replay::live_part(subscriptions_) : subscriptions_,
                          .sight = sight_,
                          .fold = fold_,
                          .packing = {.format = format_,
                                      .batches = batches_,
                                      .batching = own_batching_.value_or(shared_.options.batching)}},
                         now);
}

void Session::options_changed(Now now) {
  queue_.configure(shared_.options.queues);
  check_login(now);
  if (!admitted()) return;
  sight_ = shared_.roles.sight(*user_);
  if (!close_) enter_channel(now);
}

void Session::flush() {
  flushing_ = true;
  queue_.hold(false);
  queue_.tell_all_losses();
}

// A login session's end is told by end_login(), at once.
void Session::check_login(Now now) {
  if (!admitted() || close_ || credential_.kind == Credential::Kind::session) return;
  const std::string_view why = shared_.identity.end_of(*user_, credential_, now);
  if (why.empty()) return;
  emit_connection_event(EventType::session_expired, now, [&](Fields& fields) { fields.add("reason", why); });
  end_login(why, now);
}

void Session::tick(Now now) {
  if (!admitted() && !close_ && now.mono_us >= authentication_deadline_us_) {
    shared_.identity.note_silence(peer_, now);
    refuse(kAuthenticationTimeout, "no authentication in time", now);
  }
  check_login(now);
  if (queue_.due(now)) ready_();
}

bool Allowance::take(std::uint32_t per_minute, Now now) noexcept {
  const double passed = static_cast<double>(now.mono_us - at_us_) / 60e6;
  used_ = std::max(0.0, used_ - passed * per_minute);
  at_us_ = now.mono_us;
  if (used_ + 1 > per_minute) return false;
  used_ += 1;
  return true;
}

void Session::offend(std::string_view code, std::string_view message, Now now, std::string_view reply_to) {
  error(code, message, reply_to, {}, now);
  if (++offences_ >= kMaxOffences) close(kPolicyViolation, "too many faulty messages");
}

bool Session::allowed(Now now) {
  const std::uint32_t per_minute = shared_.options.rate_limit.messages_per_minute;
  if (messages_.take(per_minute, now)) return true;
  offend("RATE_LIMITED", "more than " + std::to_string(per_minute) + " messages a minute", now);
  return false;
}

void Session::receive(std::string_view text, Now now) {
  if (close_) return;
  ++messages_in_;
  // What a publisher publishes has a limit of its own, so of him a message is read before it is counted.
  const bool read_first = user_ && may(Right::publish);
  if (!read_first && !allowed(now)) return;
  ClientMessage message;
  std::string fault;
  const bool readable = parse_client_message(text, message, fault);
  if (read_first && !(readable && message.type == "publish") && !allowed(now)) return;
  if (!readable) {
    offend("INVALID_MESSAGE", fault, now, message.id);
    return;
  }
  if (!admitted() && message.type != "authenticate") {
    offend("AUTH_FAILED", "authenticate first: {\"type\":\"authenticate\",\"data\":{\"token\":\"…\"}}", now,
           message.id);
    return;
  }
  handle(message, now);
}

void Session::reply(std::string_view type, const ClientMessage& message, const Json& data, Now now) {
  push_reply(server_message(type, now, message.id, data));
}

void Session::push_reply(std::string text) {
  replies_.push_back(std::move(text));
  reply_bytes_ += replies_.back().size();
  ready_();
  if (reply_bytes_ > kMaxReplyBytes) close(kPolicyViolation, "answers are not read");
}

void Session::error(std::string_view code, std::string_view text, std::string_view reply_to, Json details, Now now) {
  Json data(json_object());
  set(data.get(), "code", code);
  set(data.get(), "message", text);
  if (details) set_json(data.get(), "details", std::move(details));
  ClientMessage message;
  message.id = reply_to;
  reply("error", message, data, now);
}

FrameRef Session::next(Now now) {
  FrameRef frame;
  if (!replies_.empty()) {
    frame = shared_.channels.writer().message(replies_.front(), format_, queue_.packing().batching.compression);
    reply_bytes_ -= replies_.front().size();
    replies_.pop_front();
  } else if (!close_ || flushing_) {
    frame = queue_.next(now);
    replay_.drained(now);
  }
  if (frame) {
    ++messages_out_;
    bytes_out_ += frame->size;
  }
  return frame;
}

}  // namespace bindcast
