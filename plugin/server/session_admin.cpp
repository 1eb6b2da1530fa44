// What only an admin may ask for, by message type: who is connected, how all is configured, who shall not be there,
// what everybody is to know.

#include <algorithm>
#include <utility>

#include "plugin/server/configuration_json.hpp"
#include "plugin/server/session.hpp"
#include "plugin/server/statistics_json.hpp"

namespace bindcast {

namespace {

// In one answer, which waits with others of at most 1 MiB for its client.
constexpr std::size_t kMostConnectionsTold = 1000;
constexpr std::size_t kMostConnectionBytes = std::size_t{512} * 1024;
constexpr std::size_t kLongestBroadcast = 4000;  // bytes

}  // namespace

Json Session::connection_json(const Session& asking, Now now) {
  Json entry(json_object());
  json_t* o = entry.get();
  set(o, "user", user_->name);
  Json roles(json_array());
  for (const std::string& role : user_->roles) append(roles.get(), json_text(role));
  set_json(o, "roles", std::move(roles));
  // As clearly as the event of its coming would tell it.
  Event came = make_event(EventType::connection_established);
  came.data.add("client", peer_);
  Hub& hub = shared_.hub;
  hub.masker().mask(came, hub.privacy(), now);
  if (const auto clearness = asking.look(came)) {
    hub.masker().mask(came, *clearness, now);
    if (const auto client = came.data.find("client")) set(o, "client", client.text());
  }
  set(o, "known_by", to_text(credential_.kind));
  set(o, "subprotocol", subprotocol_of(format_));
  set(o, "connected_seconds", static_cast<std::uint64_t>((now.mono_us - admitted_us_) / 1'000'000));
  set(o, "subscriptions", std::uint64_t{subscriptions_.size()});
  set(o, "messages_received", messages_in_);
  set(o, "messages_sent", messages_out_);
  set(o, "bytes_sent", bytes_out_);
  if (Channel* channel = queue_.channel()) channel->settle(queue_, now);
  set_json(o, "queue", queue_json(queue_));
  return entry;
}

void Session::tell_connections(const ClientMessage& message, Now now) {
  if (!permitted(Right::administer, message, now)) return;
  Json list(json_array());
  std::uint64_t total = 0;
  std::size_t bytes = 0;
  shared_.each_session([&](Session& session) {
    if (session.closing()) return;
    ++total;
    if (json_array_size(list.get()) == kMostConnectionsTold || bytes >= kMostConnectionBytes) return;
    Json entry = session.connection_json(*this, now);
    bytes += dump(entry.get()).size();
    append(list.get(), std::move(entry));
  });
  Json answer(json_object());
  set(answer.get(), "total", total);
  set_json(answer.get(), "connections", std::move(list));
  reply("connections", message, answer, now);
  shared_.audit.done({.user = user_->name, .client = peer_, .action = message.type, .subject = {}}, now);
}

void Session::tell_configuration(const ClientMessage& message, Now now) {
  if (!permitted(Right::administer, message, now)) return;
  reply("configuration", message, configuration_json(shared_.options, shared_.origin), now);
  shared_.audit.done({.user = user_->name, .client = peer_, .action = message.type, .subject = {}}, now);
}

// His sessions end, too, or his page would be back at once. A program with a token may come again: taking the token
// away is for the configuration.
void Session::disconnect_user(const ClientMessage& message, Now now) {
  if (!permitted(Right::administer, message, now)) return;
  const std::string user(text_member(message.data.get(), "user"));
  if (user.empty() || user.size() > 128) {
    error("INVALID_MESSAGE", "user: the name of a user", message.id, {}, now);
    return;
  }
  shared_.audit.done({.user = user_->name, .client = peer_, .action = message.type, .subject = user}, now);
  std::uint64_t connections = 0;
  shared_.each_session([&](Session& session) {
    if (session.closing() || session.user_name() != user) return;
    ++connections;
    session.close(kNotPermitted, "disconnected by an admin");
  });
  const std::size_t sessions = shared_.identity.revoke_sessions(user, now);
  Json answer(json_object());
  set(answer.get(), "user", user);
  set(answer.get(), "connections", connections);
  set(answer.get(), "sessions", std::uint64_t{sessions});
  reply("disconnected", message, answer, now);
}

// To every client, whatever it subscribes to; with `event_type` it is an event as well.
void Session::broadcast(const ClientMessage& message, Now now) {
  if (!permitted(Right::administer, message, now)) return;
  const json_t* data = message.data.get();
  const std::string_view text = text_member(data, "message"), type_name = text_member(data, "event_type"),
                         priority_name = text_member(data, "priority");
  const auto type = type_from(type_name);
  const auto priority = priority_from(priority_name);
  std::string fault;
  if (text.empty() || text.size() > kLongestBroadcast)
    fault = "message: a text of at most " + std::to_string(kLongestBroadcast) + " bytes";
  else if (!type_name.empty() &&
           (!type || type_info(*type).origin != Origin::published || *type == EventType::custom_event))
    fault = "event_type: one of those that may be published";
  else if (!priority_name.empty() && !priority)
    fault = "priority: low, normal, high, critical or urgent";
  if (!fault.empty()) {
    error("INVALID_MESSAGE", fault, message.id, {}, now);
    return;
  }
  Json said(json_object());
  set(said.get(), "message", text);
  set(said.get(), "from", user_->name);
  set(said.get(), "priority", to_text(priority.value_or(Priority::normal)));
  const std::string whole = server_message("broadcast", now, {}, said);
  std::uint64_t clients = 0;
  shared_.each_session([&](Session& session) {
    if (session.closing()) return;
    ++clients;
    session.tell(whole);
  });
  if (type) {
    Event event = make_event(*type);
    if (priority) event.priority = *priority;
    event.source_component = "server";
    event.source_user_id = user_->name;
    event.data.add("message", text);
    shared_.hub.emit(std::move(event), now);
  }
  shared_.audit.done({.user = user_->name, .client = peer_, .action = message.type, .subject = {}}, now);
  Json answer(json_object());
  set(answer.get(), "clients", clients);
  reply("broadcasted", message, answer, now);
}

}  // namespace bindcast
