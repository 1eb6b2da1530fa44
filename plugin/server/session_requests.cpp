// What a client may ask for, by message type. The answers' forms stand in doc/protocol.md.

#include <algorithm>
#include <charconv>
#include <iterator>

#include "config/profiles.hpp"
#include "plugin/publish/answer_json.hpp"
#include "plugin/server/session.hpp"
#include "plugin/server/statistics_json.hpp"

namespace bindcast {

const Session::Request Session::kRequests[] = {
    {"authenticate", &Session::authenticate},
    {"subscribe", &Session::subscribe, true},
    {"subscribe_events", &Session::subscribe, true},
    {"subscribe_category", &Session::subscribe, true},
    {"unsubscribe", &Session::unsubscribe, true},
    {"unsubscribe_events", &Session::unsubscribe, true},
    {"get_subscriptions", &Session::tell_subscriptions},
    {"get_subscription_info", &Session::tell_subscriptions},
    {"resume", &Session::resume, true},
    {"set_preferences", &Session::set_preferences, true},
    {"set_message_preferences", &Session::set_preferences, true},
    {"acknowledge", &Session::acknowledge},
    {"publish", &Session::publish},
    {"get_alerts", &Session::tell_alerts},
    {"get_status", &Session::tell_status},
    {"get_statistics", &Session::tell_statistics},
    {"get_connections", &Session::tell_connections},
    {"disconnect_user", &Session::disconnect_user},
    {"broadcast", &Session::broadcast},
    {"ping", &Session::pong},
    {"pong", &Session::accept_pong},
};

namespace {

constexpr std::size_t kMostAcknowledged = 32;  // ids in one message
constexpr std::size_t kMostChannelsTold = 100;
constexpr std::size_t kLongestNote = 1000;  // bytes

constexpr json_int_t kMostBatchSize = 1000;  // that a client may ask for, unless the server's own is larger

using ProfileName = std::pair<std::string_view, BatchingOptions::Profile>;
constexpr ProfileName kProfiles[] = {{"default", BatchingOptions::Profile::standard},
                                     {"production", BatchingOptions::Profile::production},
                                     {"high_volume", BatchingOptions::Profile::high_volume},
                                     {"low_latency", BatchingOptions::Profile::low_latency}};

// The names in data[key], each handed to `take`, which says whether it knew the name. Names it did not know, and
// members that are no text, go to `errors`. False when data[key] is there and is no list.
bool read_names(const json_t* data, const char* key, json_t* errors,
                const std::function<std::string(std::string_view)>& take) {
  const json_t* list = json_object_get(data, key);
  if (list == nullptr || json_is_null(list)) return true;
  const auto complain = [&](std::string_view value, const std::string& what) {
    Json entry(json_object());
    set(entry.get(), "in", key);
    set(entry.get(), "value", value.substr(0, 64));
    set(entry.get(), "message", what);
    append(errors, std::move(entry));
  };
  if (!json_is_array(list)) {
    complain({}, "is a list of names");
    return false;
  }
  std::size_t index = 0;
  const json_t* item = nullptr;
  json_array_foreach(const_cast<json_t*>(list), index, item) {
    const std::string_view name = text_of(item);
    const std::string fault = json_is_string(item) ? take(name) : "is a text";
    if (!fault.empty()) complain(name, fault);
    if (json_array_size(errors) >= 32) break;
  }
  return true;
}

template <typename Value, typename From>
std::string read_rank(const json_t* data, const char* key, Value& out, From from) {
  const json_t* value = json_object_get(data, key);
  if (value == nullptr || json_is_null(value)) return {};
  const auto known = json_is_string(value) ? from(json_string_value(value)) : std::nullopt;
  if (!known) return std::string(key) + ": unknown name";
  out = *known;
  return {};
}

std::optional<std::uint64_t> number_in(std::string_view digits, int base) {
  std::uint64_t number = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (fault != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

// "<epoch>-<offset>" of this epoch, or nothing.
std::optional<std::uint64_t> offset_in(std::string_view id, std::string_view epoch) {
  if (!id.starts_with(epoch) || id.size() <= epoch.size() + 1 || id[epoch.size()] != '-') return std::nullopt;
  return number_in(id.substr(epoch.size() + 1), 10);
}

EventTypes types_in(Category category) {
  EventTypes types;
  for (std::size_t i = 0; i < kEventTypeCount; ++i)
    types.set(i, type_info(static_cast<EventType>(i)).category == category);
  return types;
}

// Every type that the subscription covers by name, so that single ones can be taken away.
void expand(Subscription& subscription) {
  for (std::size_t i = 0; i < kEventTypeCount; ++i)
    if (subscription.covers(static_cast<EventType>(i))) subscription.types.set(i);
  subscription.categories.reset();
}

}  // namespace

void Session::handle(const ClientMessage& message, Now now) {
  const auto known = std::ranges::find(kRequests, message.type, &Request::type);
  if (known != std::end(kRequests)) {
    const std::uint32_t changes = shared_.options.rate_limit.subscription_changes_per_minute;
    if (known->changes_subscriptions && !subscription_changes_.take(changes, now)) {
      error("RATE_LIMITED", "more than " + std::to_string(changes) + " changes of subscriptions a minute", message.id,
            {}, now);
      return;
    }
    (this->*known->handle)(message, now);
    return;
  }
  Json details(json_object());
  Json supported(json_array());
  for (const Request& request : kRequests) append(supported.get(), json_text(request.type));
  set_json(details.get(), "supported_types", std::move(supported));
  error("UNKNOWN_TYPE", "unknown message type", message.id, std::move(details), now);
}

void Session::authenticate(const ClientMessage& message, Now now) {
  if (admitted()) {
    error("INVALID_MESSAGE", "this connection is authenticated already", message.id, {}, now);
    return;
  }
  take(shared_.identity.authenticate(text_member(message.data.get(), "token"), peer_, now), now);
}

void Session::subscribe(const ClientMessage& message, Now now) {
  if (!permitted(Right::watch, message, now)) return;
  const json_t* data = message.data.get();
  const std::string name(text_member(data, "name"));
  if (name.size() > 64) {
    error("SUBSCRIPTION_FAILED", "name: at most 64 bytes", message.id, {}, now);
    return;
  }
  const auto existing = std::ranges::find(subscriptions_, name, &Subscription::name);
  if (existing == subscriptions_.end() && subscriptions_.size() >= kMaxSubscriptions) {
    error("SUBSCRIPTION_FAILED", "at most " + std::to_string(kMaxSubscriptions) + " subscriptions", message.id, {},
          now);
    return;
  }
  // The unnamed subscription grows; a named one is replaced.
  Subscription made = existing != subscriptions_.end() && name.empty() ? *existing : Subscription{};
  made.name = name;

  // Naming nothing means everything, and everything does not become less by naming more.
  const bool had_everything =
      existing != subscriptions_.end() && made.types.none() && made.categories.none() && name.empty();

  Json errors(json_array());
  std::size_t asked = 0, taken = 0;
  std::string forbidden;  // the first name that the roles do not let see
  const auto forbid = [&forbidden](std::string_view what) -> std::string {
    if (forbidden.empty()) forbidden = what;
    return "PERMISSION_DENIED: none of your roles lets you see it";
  };
  read_names(data, "event_types", errors.get(), [&](std::string_view text) -> std::string {
    ++asked;
    const auto type = type_from(text);
    if (!type) return "unknown event type";
    if (!sight_->types().test(static_cast<std::size_t>(*type))) return forbid(text);
    made.types.set(static_cast<std::size_t>(*type));
    ++taken;
    return {};
  });
  read_names(data, "categories", errors.get(), [&](std::string_view text) -> std::string {
    ++asked;
    const auto category = category_from(text);
    if (!category) return "unknown category";
    if ((sight_->types() & types_in(*category)).none()) return forbid(text);
    made.categories.set(static_cast<std::size_t>(*category));
    ++taken;
    return {};
  });
  const auto fail = [&](std::string_view text, Json details) {
    if (!details) details.reset(json_object());
    if (json_array_size(errors.get()) != 0) set_json(details.get(), "errors", Json(json_incref(errors.get())));
    if (forbidden.empty())
      error("SUBSCRIPTION_FAILED", text, message.id, std::move(details), now);
    else
      deny(text, forbidden, message, std::move(details), now);
  };
  if (taken == 0 && (asked != 0 || json_array_size(errors.get()) != 0)) {
    fail("none of the names can be subscribed to", {});
    return;
  }
  if (message.type == "subscribe_category" && taken == 0) {
    fail("categories: name at least one", {});
    return;
  }
  if (taken == 0 || had_everything) {
    made.types.reset();
    made.categories.reset();
  }
  for (const std::string& fault : {read_rank(data, "min_priority", made.min_priority, priority_from),
                                   read_rank(data, "min_severity", made.min_severity, severity_from)})
    if (!fault.empty()) {
      fail(fault, {});
      return;
    }
  if (const json_t* filter = json_object_get(data, "filter"); filter != nullptr && !json_is_null(filter)) {
    Filter::Error fault;
    if (!json_is_string(filter)) fault = {.column = 1, .message = "a filter is a text"};
    if (!fault.message.empty() || !Filter::compile(text_member(data, "filter"), made.filter, fault)) {
      Json details(json_object());
      set(details.get(), "column", std::uint64_t{fault.column});
      set(details.get(), "message", fault.message);
      fail("filter, column " + std::to_string(fault.column) + ": " + fault.message, std::move(details));
      return;
    }
  }
  if (const json_t* sample = json_object_get(data, "sample"); sample != nullptr && !json_is_null(sample)) {
    const json_int_t every = json_is_integer(sample) ? json_integer_value(sample) : 0;
    if (every < 1 || every > 1'000'000) {
      fail("sample: 1 in N, an integer from 1 to 1000000", {});
      return;
    }
    made.sample = static_cast<std::uint32_t>(every);
  }
  std::optional<StreamPlace> since;
  if (const std::string_view id = text_member(data, "since"); !id.empty()) {
    since = past_place_from(id, shared_.hub, shared_.past);
    if (!since) {
      fail("since: no id of this epoch (" + shared_.hub.identity().epoch + ") or one before", {});
      return;
    }
    if (replay_.waiting() >= kMaxSubscriptions) {
      fail("since: too many replays wait for each other", {});
      return;
    }
  }

  const bool created = existing == subscriptions_.end();
  if (created) {
    subscriptions_.push_back(made);
  } else {
    *existing = made;
  }
  replay_.subscribed(made);
  enter_channel(now);
  Json answer(json_object());
  set_json(answer.get(), "subscriptions", subscriptions_json());
  set_json(answer.get(), "errors", std::move(errors));
  reply("subscription_updated", message, answer, now);
  if (!forbidden.empty()) note_refusal(message, forbidden, now);
  shared_.escalations.welcome(*this, &made, now);
  if (since) replay_.begin(*since, name, nullptr, now);
  tell_subscribed(created ? EventType::subscription_created : EventType::subscription_updated, made, now);
}

void Session::tell_subscribed(EventType type, const Subscription& made, Now now) {
  emit_connection_event(type, now,
                        [&](Fields& fields) { fields.add("name", made.name).add("filter", made.filter.expression()); });
}

void Session::resume(const ClientMessage& message, Now now) {
  if (!permitted(Right::watch, message, now)) return;
  const std::string_view id = text_member(message.data.get(), "since");
  const auto since = past_place_from(id, shared_.hub, shared_.past);
  std::string fault;
  if (!since)
    fault = "since: no id of this epoch (" + shared_.hub.identity().epoch + ") or one before";
  else if (subscriptions_.empty())
    fault = "there is nothing to resume: subscribe first";
  else if (replay_.running())
    fault = "a replay is under way";
  if (!fault.empty()) {
    error("INVALID_MESSAGE", fault, message.id, {}, now);
    return;
  }
  const auto tell = [this, id = std::string(id), reply_to = message.id](const Replay::Recovered& recovered, Now then) {
    Json answer(json_object());
    set_json(answer.get(), "recovered", Json(json_boolean(recovered.whole)));
    set(answer.get(), "from", id);
    set(answer.get(), "to", event_id(shared_.hub.identity(), recovered.through));
    if (recovered.count) set(answer.get(), "count", *recovered.count);
    push_reply(server_message("recovered", then, reply_to, answer));
  };
  replay_.begin(*since, std::nullopt, tell, now);
}

void Session::unsubscribe(const ClientMessage& message, Now now) {
  const json_t* data = message.data.get();
  Json errors(json_array());
  const std::size_t before = subscriptions_.size();
  const bool by_name = json_is_string(json_object_get(data, "name"));
  const bool by_kind =
      json_object_get(data, "event_types") != nullptr || json_object_get(data, "categories") != nullptr;
  if (by_name) {
    const std::string_view name = text_member(data, "name");
    std::erase_if(subscriptions_, [name](const Subscription& s) { return s.name == name; });
  } else if (!by_kind) {
    subscriptions_.clear();
  } else {
    for (Subscription& s : subscriptions_) expand(s);
    read_names(data, "event_types", errors.get(), [&](std::string_view text) -> std::string {
      const auto type = type_from(text);
      if (!type) return "unknown event type";
      for (Subscription& s : subscriptions_) s.types.reset(static_cast<std::size_t>(*type));
      return {};
    });
    read_names(data, "categories", errors.get(), [&](std::string_view text) -> std::string {
      const auto category = category_from(text);
      if (!category) return "unknown category";
      for (Subscription& s : subscriptions_) s.types &= ~types_in(*category);
      return {};
    });
    // Nothing named would mean every event.
    std::erase_if(subscriptions_, [](const Subscription& s) { return s.types.none(); });
  }
  replay_.unsubscribed(subscriptions_);
  enter_channel(now);
  Json answer(json_object());
  set_json(answer.get(), "subscriptions", subscriptions_json());
  set_json(answer.get(), "errors", std::move(errors));
  reply("subscription_updated", message, answer, now);
  const EventType type =
      subscriptions_.size() < before ? EventType::subscription_deleted : EventType::subscription_updated;
  emit_connection_event(type, now, [this](Fields& fields) {
    fields.add_integer("subscriptions", static_cast<std::int64_t>(subscriptions_.size()));
  });
}

Json Session::subscriptions_json() const {
  Json list(json_array());
  for (const Subscription& s : subscriptions_) {
    Json entry(json_object());
    set(entry.get(), "name", s.name);
    Json types(json_array()), categories(json_array());
    for (std::size_t i = 0; i < kEventTypeCount; ++i)
      if (s.types.test(i)) append(types.get(), json_text(to_text(static_cast<EventType>(i))));
    for (std::size_t i = 0; i < kCategoryCount; ++i)
      if (s.categories.test(i)) append(categories.get(), json_text(to_text(static_cast<Category>(i))));
    set_json(entry.get(), "event_types", std::move(types));
    set_json(entry.get(), "categories", std::move(categories));
    set(entry.get(), "min_priority", to_text(s.min_priority));
    set(entry.get(), "min_severity", to_text(s.min_severity));
    set(entry.get(), "filter", s.filter.expression());
    set(entry.get(), "sample", std::uint64_t{s.sample});
    append(list.get(), std::move(entry));
  }
  return list;
}

void Session::tell_subscriptions(const ClientMessage& message, Now now) {
  Json answer(json_object());
  set_json(answer.get(), "subscriptions", subscriptions_json());
  reply("subscription_info", message, answer, now);
}

void Session::set_preferences(const ClientMessage& message, Now now) {
  const json_t* data = message.data.get();
  const BatchingOptions& server = shared_.options.batching;
  std::optional<BatchingOptions> wanted = own_batching_;
  std::string fault;
  const auto boolean = [&](const char* key, bool otherwise) -> bool {
    const json_t* value = json_object_get(data, key);
    if (value == nullptr) return otherwise;
    if (!json_is_boolean(value)) fault = std::string(key) + ": true or false";
    return json_is_true(value);
  };
  const auto bounded = [&](const char* key, json_int_t lowest, json_int_t highest) -> json_int_t {
    const json_t* value = json_object_get(data, key);
    if (value == nullptr) return -1;
    const json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
    if (number >= lowest && number <= highest) return number;
    fault = std::string(key) + ": an integer from " + std::to_string(lowest) + " to " + std::to_string(highest);
    return -1;
  };
  const bool batches = boolean("batch", batches_) && may_batch(format_);
  const bool fold = boolean("fold", fold_);
  // A profile first, so that single values override it; null goes back to the server's own batching.
  if (const json_t* profile = json_object_get(data, "profile"); json_is_null(profile)) {
    wanted.reset();
  } else if (profile != nullptr) {
    const std::string_view name = json_is_string(profile) ? text_member(data, "profile") : "";
    const auto known = std::ranges::find(kProfiles, name, &ProfileName::first);
    if (known == std::end(kProfiles)) {
      fault = "profile: default, production, high_volume or low_latency";
    } else {
      Options of_profile;
      apply_profile(known->second, of_profile);
      wanted = of_profile.batching;
    }
  }
  const json_int_t size = bounded("max_batch_size", 1, std::max<json_int_t>(kMostBatchSize, server.max_batch_size));
  const json_int_t timeout_ms = bounded("batch_timeout_ms", 1, server.max_batch_timeout.count() / 1000);
  if (size > 0 || timeout_ms > 0) {
    if (!wanted) wanted = server;
    if (size > 0) wanted->max_batch_size = static_cast<std::uint32_t>(size);
    if (timeout_ms > 0) wanted->batch_timeout = std::chrono::milliseconds(timeout_ms);
    wanted->min_batch_size = std::min(wanted->min_batch_size, wanted->max_batch_size);
    wanted->max_batch_timeout = std::max(wanted->max_batch_timeout, wanted->batch_timeout);
  }
  if (!fault.empty()) {
    error("INVALID_MESSAGE", fault, message.id, {}, now);
    return;
  }
  own_batching_ = wanted;
  batches_ = batches;
  fold_ = fold;
  enter_channel(now);
  const BatchingOptions& inforce = own_batching_ ? *own_batching_ : server;
  Json answer(json_object());
  set_json(answer.get(), "batch", Json(json_boolean(batches_)));
  set_json(answer.get(), "fold", Json(json_boolean(fold_)));
  set(answer.get(), "max_batch_size", std::uint64_t{inforce.max_batch_size});
  set(answer.get(), "batch_timeout_ms", static_cast<std::uint64_t>(inforce.batch_timeout.count() / 1000));
  reply("preferences", message, answer, now);
}

void Session::acknowledge(const ClientMessage& message, Now now) {
  if (!permitted(Right::acknowledge, message, now)) return;
  const json_t* data = message.data.get();
  const json_t* list = json_object_get(data, "ids");
  const json_t* note = json_object_get(data, "note");
  std::string fault;
  if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > kMostAcknowledged)
    fault = "ids: a list of 1 to " + std::to_string(kMostAcknowledged) + " ids of events";
  if (note != nullptr && (!json_is_string(note) || json_string_length(note) > kLongestNote))
    fault = "note: a text of at most " + std::to_string(kLongestNote) + " bytes";
  std::vector<std::uint64_t> offsets;
  for (std::size_t i = 0; fault.empty() && i < json_array_size(list); ++i) {
    const auto offset = offset_in(text_of(json_array_get(list, i)), shared_.hub.identity().epoch);
    if (!offset) fault = "ids: no id of this epoch (" + shared_.hub.identity().epoch + ")";
    offsets.push_back(offset.value_or(0));
  }
  if (!fault.empty()) {
    error("INVALID_MESSAGE", fault, message.id, {}, now);
    return;
  }
  const auto unknown = shared_.escalations.acknowledge(offsets, *this, text_member(data, "note"), now);
  Json ids(json_array()), errors(json_array());
  for (const std::uint64_t offset : offsets) {
    const std::string id = event_id(shared_.hub.identity(), offset);
    if (std::ranges::find(unknown, offset) == unknown.end()) {
      append(ids.get(), json_text(id));
      continue;
    }
    Json entry(json_object());
    set(entry.get(), "id", id);
    set(entry.get(), "message", "nothing that waits for an acknowledgement");
    append(errors.get(), std::move(entry));
  }
  if (json_array_size(ids.get()) != 0)
    shared_.audit.done({.user = user_->name,
                        .client = peer_,
                        .action = message.type,
                        .subject = text_of(json_array_get(ids.get(), 0))},
                       now);
  Json answer(json_object());
  set_json(answer.get(), "ids", std::move(ids));
  set(answer.get(), "by", user_->name);
  set_json(answer.get(), "errors", std::move(errors));
  reply("acknowledged", message, answer, now);
}

void Session::tell_alerts(const ClientMessage& message, Now now) {
  if (!permitted(Right::watch, message, now)) return;
  reply("alerts", message, shared_.escalations.alerts_json(*this, now), now);
}

void Session::publish(const ClientMessage& message, Now now) {
  const PublishAnswer answer = shared_.publishing.publish(
      message.data.get(), {.user = *user_, .by = PublishedBy::websocket, .form = PublishedForm::own}, now);
  if (answer.refusal) {
    const Refusal& why = *answer.refusal;
    error(code_of(why.because), why.message, message.id, refusal_details_json(why), now);
    if (why.because == RefusedBecause::not_permitted) note_refusal(message, {}, now);
    return;
  }
  reply("published", message, published_json(answer), now);
}

void Session::tell_status(const ClientMessage& message, Now now) {
  if (!permitted(Right::watch, message, now)) return;
  reply("status", message, shared_.status(now), now);
}

void Session::tell_statistics(const ClientMessage& message, Now now) {
  Channel* channel = queue_.channel();
  if (channel != nullptr) channel->settle(queue_, now);
  const Account account = queue_.account();
  const std::uint64_t pending = channel == nullptr ? 0 : channel->pending(queue_);
  const std::uint64_t emitted = shared_.hub.statistics().events_offered() - emitted_before_;
  const auto dropped = [&account](DropReason reason) { return account.dropped[static_cast<std::size_t>(reason)]; };
  const std::uint64_t meant =
      account.accepted - account.repeated + dropped(DropReason::sampled) + dropped(DropReason::rate_limit) + pending;
  Json connection(json_object());
  set(connection.get(), "messages_received", messages_in_);
  set(connection.get(), "messages_sent", messages_out_);
  set(connection.get(), "bytes_sent", bytes_out_);
  set(connection.get(), "events_emitted", emitted);
  set(connection.get(), "events_filtered", emitted > meant ? emitted - meant : 0);
  set(connection.get(), "events_pending", pending);
  set_account(connection.get(), account);
  set_json(connection.get(), "delivery", delivery_json(queue_.statistics()));
  Json answer(json_object());
  set_json(answer.get(), "connection", std::move(connection));
  if (channel != nullptr) set_json(answer.get(), "channel", channel_json(*channel, now));
  if (may(Right::watch)) set_json(answer.get(), "server", shared_.status(now));
  if (may(Right::administer) && json_is_true(json_object_get(message.data.get(), "channels"))) {
    Json list(json_array());
    for (const auto& [key, one] : shared_.channels.all()) {
      if (json_array_size(list.get()) == kMostChannelsTold) break;
      append(list.get(), channel_json(*one, now));
    }
    set_json(answer.get(), "channels", std::move(list));
  }
  reply("statistics", message, answer, now);
}

void Session::pong(const ClientMessage& message, Now now) {
  reply("pong", message, {}, now);
}

void Session::accept_pong(const ClientMessage&, Now) {}

}  // namespace bindcast
