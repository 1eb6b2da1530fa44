#include "plugin/server/session.hpp"

#include <zlib.h>

#include <algorithm>
#include <utility>

#include "events/json.hpp"
#include "plugin/version.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kMaxReplyBytes = 1024 * 1024;  // a client that asks and never reads is cut off

// RFC 1950; empty when zlib fails.
std::string deflated(std::string_view text, int level) {
  uLongf size = compressBound(text.size());
  std::string out(size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(text.data()), text.size(),
                level) != Z_OK)
    return {};
  out.resize(size);
  return out;
}

std::string cloud_event(const Event& event, const StreamIdentity& stream) {
  std::string text = "{\"specversion\":\"1.0\",\"id\":";
  append_json_string(text, event_id(stream, event.offset));
  text += ",\"source\":";
  append_json_string(text, "/" + stream.service + "/" + stream.host);
  text += ",\"type\":";
  append_json_string(
      text, "bindcast." + std::string(event.custom_name.empty() ? to_text(event.type) : "custom." + event.custom_name));
  text += ",\"time\":\"";
  append_timestamp(text, event.timestamp_us);
  text += "\",\"datacontenttype\":\"application/json\"";
  if (!event.view.empty()) {
    text += ",\"subject\":";
    append_json_string(text, event.view);
  }
  text += ",\"data\":";
  append_json_value(text, event.data.root());
  text += '}';
  return text;
}

}  // namespace

Session::Session(SessionShared& shared, std::string peer, Subprotocol subprotocol)
    : shared_(shared),
      peer_(std::move(peer)),
      subprotocol_(subprotocol),
      batching_enabled_(subprotocol == Subprotocol::json || subprotocol == Subprotocol::deflate),
      batching_(shared.options.batching),
      queue_(shared.options.queues, shared.options.batching.priority_bypass),
      message_allowance_(shared.options.rate_limit.messages_per_minute) {}

Session::~Session() {
  if (admitted()) shared_.hub.remove_subscriber(*this);
}

void Session::open(std::optional<std::string> token, Now now) {
  allowance_at_us_ = now.mono_us;
  authentication_deadline_us_ = now.mono_us + kAuthenticationTimeoutUs;
  if (shared_.identity.open()) {
    admit(Identity::anybody(), now);
  } else if (token) {
    const auto user = shared_.identity.authenticate(*token);
    user ? admit(*user, now) : refuse(kBadToken, "bad token", now);
  }
}

void Session::admit(const User& user, Now now) {
  // In mode open all are the same user, which says nothing of who takes the connections.
  if (!shared_.identity.open() && shared_.sessions_of(user.name) >= shared_.options.server.max_connections_per_user) {
    refuse(kTooMany, "too many connections of this user", now);
    return;
  }
  user_ = user;
  sees_admin_events = user.is_admin();
  shared_.hub.add_subscriber(*this);

  Json data(json_object());
  set(data.get(), "user", user.name);
  Json roles(json_array());
  for (const std::string& role : user.roles) json_array_append_new(roles.get(), json_text(role).release());
  set_json(data.get(), "roles", std::move(roles));
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
  emit_connection_event(EventType::connection_established, now, [this](Fields& fields) {
    constexpr std::string_view kNames[] = {"", "bindcast.v1.json", "bindcast.v1.deflate", "cloudevents.json"};
    fields.add("subprotocol", kNames[static_cast<std::size_t>(subprotocol_)]);
  });
}

void Session::refuse(int code, std::string_view reason, Now now) {
  error(code == kTooMany ? "CONNECTION_LIMIT" : "AUTH_FAILED", reason, {}, {}, now);
  close(code, std::string(reason));
  if (code == kTooMany) return;
  emit_connection_event(EventType::authentication_failed, now,
                        [reason](Fields& fields) { fields.add("reason", reason); });
}

void Session::emit_connection_event(EventType type, Now now, const std::function<void(Fields&)>& add) {
  Event event = make_event(type);
  event.source_component = "server";
  event.source_user_id = user_name();
  event.data.add("client", peer_);
  if (user_) event.data.add("user", user_->name);
  add(event.data);
  shared_.hub.emit(std::move(event), now);
}

void Session::closed(int code, std::string_view reason, Now now) {
  if (!admitted()) return;
  shared_.hub.remove_subscriber(*this);
  emit_connection_event(EventType::connection_closed, now, [&](Fields& fields) {
    fields.add_integer("code", code);
    fields.add("reason", reason);
    fields.add_integer("messages", static_cast<std::int64_t>(messages_out_));
    fields.add_integer("bytes", static_cast<std::int64_t>(bytes_out_));
    fields.begin_object("dropped");
    for (std::size_t i = 0; i < kDropReasonCount; ++i)
      if (lost_[i] != 0) fields.add_integer(kDropReasonNames[i], static_cast<std::int64_t>(lost_[i]));
    fields.end();
  });
  user_.reset();
}

void Session::close(int code, std::string reason) {
  if (!close_) close_ = CloseOrder{code, std::move(reason)};
  shared_.touched = true;
}

void Session::options_changed() {
  if (!own_batching_) batching_ = shared_.options.batching;
  queue_.configure(shared_.options.queues, shared_.options.batching.priority_bypass);
}

void Session::flush() {
  flushing_ = true;
}

void Session::tick(Now now) {
  if (!admitted() && !close_ && now.mono_us >= authentication_deadline_us_)
    refuse(kAuthenticationTimeout, "no authentication in time", now);
}

bool Session::within_message_rate(Now now) {
  const double per_minute = shared_.options.rate_limit.messages_per_minute;
  message_allowance_ = std::min(
      per_minute, message_allowance_ + per_minute * static_cast<double>(now.mono_us - allowance_at_us_) / 60e6);
  allowance_at_us_ = now.mono_us;
  if (message_allowance_ < 1) return false;
  message_allowance_ -= 1;
  return true;
}

void Session::offend(std::string_view code, std::string_view message, Now now, std::string_view reply_to) {
  error(code, message, reply_to, {}, now);
  if (++offences_ >= kMaxOffences) close(kPolicyViolation, "too many faulty messages");
}

void Session::receive(std::string_view text, Now now) {
  if (close_) return;
  ++messages_in_;
  if (!within_message_rate(now)) {
    offend("RATE_LIMITED",
           "more than " + std::to_string(shared_.options.rate_limit.messages_per_minute) + " messages a minute", now);
    return;
  }
  ClientMessage message;
  std::string fault;
  if (!parse_client_message(text, message, fault)) {
    offend("INVALID_MESSAGE", fault, now, message.id);
    return;
  }
  if (!admitted() && message.type != "authenticate") {
    offend("AUTH_FAILED", "authenticate first: {\"type\":\"authenticate\",\"data\":{\"token\":\"…\"}}", now);
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
  shared_.touched = true;
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

void Session::deliver(const EncodedRef& event, Now now) {
  if (close_) return;
  shared_.touched = true;
  std::uint64_t dropped = 0;
  const ClientQueue::Offered offered = queue_.offer(event, now, dropped);
  count_lost(DropReason::queue_overflow, dropped);
  shared_.hub.statistics().dropped[static_cast<std::size_t>(DropReason::queue_overflow)] += dropped;
  if (offered == ClientQueue::Offered::overflow)
    close(kTryAgainLater, "the client reads too slowly (queues.overflow: disconnect)");
}

void Session::lost(DropReason reason, EventType type, std::uint64_t count, Now) {
  shared_.touched = true;
  count_lost(reason, count);
  queue_.losses().record(reason, type, count, 0);
}

void Session::count_lost(DropReason reason, std::uint64_t count) {
  lost_[static_cast<std::size_t>(reason)] += count;
}

// ── What to write next ───────────────────────────────────────────────────────────────────────────────────────────────

BatchDecision Session::decision(Now now) const noexcept {
  const QueueState state = queue_.state();
  if (flushing_ || !batches()) return {.send_bypass = state.has_bypass, .send_now = state.count, .wait_until_us = 0};
  return decide_batch(batching_, state, queue_.load(), now);
}

// A loss is told before the next event, and also when no event follows it.
bool Session::gap_due(Now now) const noexcept {
  const std::int64_t due = queue_.losses().due_at_us();
  return due != 0 && due <= now.mono_us;
}

std::int64_t Session::due_us(Now now) const {
  const BatchDecision batch = decision(now);
  if (!replies_.empty() || batch.send_bypass || batch.send_now > 0 || gap_due(now)) return now.mono_us;
  std::int64_t due = -1;
  const auto earlier = [&due](std::int64_t at) {
    if (at > 0 && (due < 0 || at < due)) due = at;
  };
  earlier(batch.wait_until_us);
  earlier(queue_.losses().due_at_us());
  if (!admitted() && !close_) earlier(authentication_deadline_us_);
  return due;
}

std::optional<Outgoing> Session::next(Now now) {
  std::optional<Outgoing> out;
  if (!replies_.empty()) {
    reply_bytes_ -= replies_.front().size();
    out = frame(std::move(replies_.front()));
    replies_.pop_front();
  } else if (!close_ || flushing_) {
    out = next_events(now);
  }
  if (out) {
    ++messages_out_;
    bytes_out_ += out->bytes.size();
  }
  return out;
}

// A gap first, then what must not wait, then the others.
std::optional<Outgoing> Session::next_events(Now now) {
  if (gap_due(now))
    if (const auto gap = queue_.losses().take(now)) return frame(gap_text(*gap, now));
  const BatchDecision batch = decision(now);
  Statistics& statistics = shared_.hub.statistics();
  if (batch.send_bypass) {
    ++statistics.events_immediate;
    return single(queue_.take_bypass(now));
  }
  if (batch.send_now == 0) return std::nullopt;
  std::vector<EncodedRef> events;
  if (!batches()) {
    queue_.take(1, SIZE_MAX, now, events);
    ++statistics.events_immediate;
    return single(events.front());
  }
  const std::size_t most = std::min<std::size_t>(batch.send_now, batching_.max_batch_size);
  const std::int64_t created_us =
      now.wall_us - (now.mono_us - queue_.take(most, batching_.max_batch_bytes, now, events));
  statistics.events_batched += events.size();
  ++batches_;
  return batch_frame(events, created_us, now);
}

Outgoing Session::frame(std::string text) const {
  const CompressionOptions& compression = shared_.options.batching.compression;
  if (subprotocol_ == Subprotocol::deflate && compression.enabled && text.size() > compression.threshold) {
    std::string compressed = deflated(text, compression.level);
    if (!compressed.empty() && compressed.size() < text.size()) return {.bytes = std::move(compressed), .binary = true};
  }
  return {.bytes = std::move(text), .binary = false};
}

Outgoing Session::single(const EncodedRef& event) const {
  if (subprotocol_ == Subprotocol::cloudevents) return frame(cloud_event(*event->event, shared_.hub.identity()));
  return frame(event->json);
}

Outgoing Session::batch_frame(const std::vector<EncodedRef>& events, std::int64_t created_us, Now now) const {
  Priority highest = Priority::low;
  std::size_t bytes = 256;
  for (const EncodedRef& event : events) {
    highest = std::max(highest, event->event->priority);
    bytes += event->bytes() + 1;
  }
  std::string text;
  text.reserve(bytes);
  text += "{\"type\":\"batched_events\",\"id\":\"";
  text += "b-" + event_id(shared_.hub.identity(), events.front()->event->offset);
  text += "\",\"batch_size\":" + std::to_string(events.size());
  text += ",\"priority\":\"";
  text += to_text(highest);
  text += "\",\"created_at\":\"";
  append_timestamp(text, created_us);
  text += "\",\"timestamp\":\"";
  append_timestamp(text, now.wall_us);
  text += "\",\"events\":[";
  for (const EncodedRef& event : events) {
    text += event->json;
    text += ',';
  }
  text.back() = ']';
  text += '}';
  return frame(std::move(text));
}

std::string Session::gap_text(const Gap& gap, Now now) const {
  Json data(json_object());
  set(data.get(), "reason", to_text(gap.reason));
  set(data.get(), "count", gap.count);
  Json by_type(json_object());
  for (std::size_t i = 0; i < kEventTypeCount; ++i)
    if (gap.by_type[i] != 0)
      set(by_type.get(), std::string(to_text(static_cast<EventType>(i))).c_str(), gap.by_type[i]);
  set_json(data.get(), "by_type", std::move(by_type));
  if (gap.from != 0) {
    set(data.get(), "from", event_id(shared_.hub.identity(), gap.from));
    set(data.get(), "to", event_id(shared_.hub.identity(), gap.to));
  }
  return server_message("gap", now, {}, data);
}

}  // namespace bindcast
