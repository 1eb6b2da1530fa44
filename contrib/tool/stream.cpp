#include "tool/stream.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

#include "plugin/delivery/backoff.hpp"
#include "plugin/server/messages.hpp"
#include "tool/api.hpp"
#include "tool/failure.hpp"
#include "tool/json_slices.hpp"

namespace bindcast::tool {

namespace {

using namespace std::chrono_literals;

constexpr RetryOptions kRetry{.acknowledge = {}, .initial = 250ms, .factor = 2, .max = 15s, .attempts = 0};
constexpr std::size_t kMostAhead = 200;
constexpr auto kStands = 5s;  // a connection that lasted so long was no failed attempt

// Close codes that another attempt would only get again.
constexpr int kPolicyViolation = 1008, kBadToken = 4401, kNotPermitted = 4403, kNoAuthentication = 4408,
              kReplaced = 4409;

// Of an id "<epoch>-<offset>".
std::string_view epoch_of(std::string_view id) {
  return id.substr(0, id.find('-'));
}
// 0 when it has none.
std::uint64_t offset_of(std::string_view id) {
  const std::string_view digits = id.substr(std::min(id.find('-') + 1, id.size()));
  std::uint64_t offset = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), offset);
  return offset;
}

std::string seconds(std::chrono::steady_clock::duration time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", std::chrono::duration<double>(time).count());
  return text;
}

}  // namespace

Stream::Stream(Network& network, Wish wish, Notice notice)
    : network_(network), wish_(std::move(wish)), notice_(std::move(notice)) {
  connect();
}

void Stream::connect() {
  error_.clear();
  state_ = State::connecting;
  due_ = Clock::now() + kPatience;
  socket_ = std::make_unique<WebSocket>(network_);
  // Where no token is said, and one is wanted, the answer to this is an error, and no silence.
  socket_->send(R"({"type":"ping"})");
}

void Stream::turn() {
  if (state_ == State::waiting && Clock::now() >= due_) {
    try {
      connect();
    } catch (const Failure& failure) {
      if (failure.code != Exit::unreachable) throw;
      lost();  // a name that cannot be looked up just now
    }
  }
  network_.turn();
  if (!socket_) return;
  while (auto text = socket_->next()) take(std::move(*text));
  if (state_ != State::live && !socket_->ended() && Clock::now() >= due_) {
    error_ = "no answer in time";
    lost();
  } else if (socket_->ended()) {
    lost();
  }
}

std::optional<Message> Stream::next() {
  while (!messages_.empty()) {
    Message message = std::move(messages_.front());
    messages_.pop_front();
    if (message.kind != Message::Kind::event || is_news(message.json.get())) return message;
  }
  return std::nullopt;
}

// The connection is no more. What the server remembers is asked for when there is another one.
void Stream::lost() {
  const int code = socket_ ? socket_->close_code() : 0;
  const bool useless = code == kPolicyViolation || code == kBadToken || code == kNotPermitted ||
                       code == kNoAuthentication || code == kReplaced;
  if (socket_ && (!was_live_ || useless || socket_->http_status() == 401)) give_up();
  const auto now = Clock::now();
  if (state_ == State::live) {
    lost_at_ = now;
    const std::string why = !error_.empty() ? error_ : socket_->fault();
    notice_("disconnected from " + network_.server().url + " (" + why + "), trying again");
    if (now - live_since_ >= kStands) attempt_ = 0;
  }
  socket_.reset();
  state_ = State::waiting;
  const double chance = std::uniform_real_distribution<double>(0.0, 1.0)(random_);
  due_ = now + std::chrono::microseconds(backoff_us(kRetry, ++attempt_, chance));
}

void Stream::give_up() const {
  const int code = socket_->close_code(), status = socket_->http_status();
  std::string why = !error_.empty() ? error_ : socket_->fault();
  if (code == kBadToken || code == kNotPermitted || code == kNoAuthentication || status == 401)
    throw Failure(Exit::unauthenticated, no_admission(error_, network_.server()));
  if (status != 0 && status != 101) why = "no Bindcast answers here (HTTP " + std::to_string(status) + ")";
  // Where there was a word of the server's, it was reached, and said no.
  throw Failure(error_.empty() && code == 0 ? Exit::unreachable : Exit::refused, network_.server().url + ": " + why);
}

void Stream::take(std::string text) {
  json_error_t fault;
  Json json = parse_json(text, JSON_ALLOW_NUL, fault);
  if (!json_is_object(json.get())) {
    notice_("the server sent what is no message: " + std::string(fault.text));
    return;
  }
  const std::string_view type = text_member(json.get(), "type");
  if (type == "batched_events") {
    const json_t* events = json_object_get(json.get(), "events");
    const auto slices = list_members(text, "events");
    for (std::size_t i = 0; i < std::min(slices.size(), json_array_size(events)); ++i) {
      json_t* event = json_array_get(events, i);
      messages_.push_back({Message::Kind::event, std::string(slices[i]), Json(json_incref(event))});
    }
  } else if (json_object_get(json.get(), "category") != nullptr) {
    messages_.push_back({Message::Kind::event, std::move(text), std::move(json)});
  } else if (type == "gap") {
    messages_.push_back({Message::Kind::gap, std::move(text), std::move(json)});
  } else if (type == "connection_established") {
    welcome(json_object_get(json.get(), "data"));
  } else if (type == "subscription_updated") {
    answered(json.get());
  } else if (type == "error") {
    refused(json.get());
  } else {
    messages_.push_back({Message::Kind::other, std::move(text), std::move(json)});
  }
}

// The server has let us in. The first time the stream begins here, or where the wish says; after that where it was.
void Stream::welcome(const json_t* data) {
  epoch_ = text_member(data, "epoch");
  if (position_.empty()) begin_at(wish_.since == "start" ? epoch_ + "-0" : wish_.since);
  const bool begins_here = position_.empty();
  if (begins_here) position_ = epoch_ + "-" + std::to_string(json_integer_value(json_object_get(data, "offset")));
  if (json_object_size(wish_.preferences.get()) != 0) send("set_preferences", wish_.preferences);
  ask(!begins_here && (!was_live_ || wish_.wants_missed));
}

void Stream::ask(bool since) {
  asked_since_ = since;
  state_ = State::subscribing;
  unanswered_ = wish_.subscriptions.size();
  for (const Json& subscription : wish_.subscriptions) {
    Json data(json_copy(subscription.get()));
    if (since) set(data.get(), "since", position_);
    send("subscribe", data);
  }
}

void Stream::subscribe(std::size_t which, Json subscription) {
  wish_.subscriptions[which] = std::move(subscription);
  if (state_ == State::live) send("subscribe", wish_.subscriptions[which]);
}

// The type serves as the request's id, so an answer says what it answers.
void Stream::send(const std::string& type, const Json& data) {
  Json message(json_object());
  set(message.get(), "type", type);
  set(message.get(), "id", type);
  if (data) set_json(message.get(), "data", Json(json_incref(data.get())));
  socket_->send(dump(message.get()));
}

void Stream::answered(const json_t* message) {
  const json_t* errors = json_object_get(json_object_get(message, "data"), "errors");
  for (std::size_t i = 0; i < json_array_size(errors); ++i) {
    const json_t* error = json_array_get(errors, i);
    notice_(std::string(text_member(error, "value")) + ": " + std::string(text_member(error, "message")));
  }
  if (state_ != State::subscribing || --unanswered_ != 0) return;
  state_ = State::live;
  live_since_ = Clock::now();
  if (std::exchange(was_live_, true)) notice_("connected again after " + seconds(live_since_ - lost_at_));
}

void Stream::refused(const json_t* message) {
  const json_t* data = json_object_get(message, "data");
  const std::string_view code = text_member(data, "code"), answers = text_member(message, "reply_to");
  error_ = text_member(data, "message");
  if (code == "AUTH_FAILED") throw Failure(Exit::unauthenticated, no_admission(error_, network_.server()));
  if (answers == "subscribe" && was_live_ && asked_since_ && error_.starts_with("since:")) {
    notice_("what was missed is not known: " + error_);
    ask(false);
  } else if (answers == "subscribe") {
    throw Failure(Exit::refused, error_);
  } else {
    notice_(error_);
  }
}

// Has the event not come before? Critical and urgent ones come ahead of others, and come again when what was missed is
// asked for: so the position is that of the last one that came in order, and they are remembered one by one.
bool Stream::is_news(const json_t* event) {
  const std::string_view id = text_member(event, "id"), priority = text_member(event, "priority");
  if (json_object_get(json_object_get(event, "metadata"), "attempt") != nullptr) return true;  // asks to be seen again
  if (std::ranges::find(ahead_, id) != ahead_.end()) return false;
  if (priority != "critical" && priority != "urgent") {
    advance(id);
    return true;
  }
  if (epoch_of(id) != epoch_of(position_) || offset_of(id) > offset_of(position_)) ahead_.emplace_back(id);
  if (ahead_.size() > kMostAhead) advance(std::string(ahead_.front()));
  return true;
}

// The position goes forward only. Of another epoch than the connection's are only events of the past, which are told in
// order before those of this one.
void Stream::advance(std::string_view id) {
  const bool here = epoch_of(position_) == epoch_;
  if (id.empty() || (here && (epoch_of(id) != epoch_ || offset_of(id) <= offset_of(position_)))) return;
  position_ = id;
  std::erase_if(ahead_, [this](const std::string& one) {
    return epoch_of(one) == epoch_of(position_) ? offset_of(one) <= offset_of(position_)
                                                : epoch_of(position_) == epoch_;
  });
}

void Stream::begin_at(std::string_view since) {
  while (!since.empty()) {
    const std::string_view id = since.substr(0, since.find(' '));
    since.remove_prefix(std::min(id.size() + 1, since.size()));
    if (position_.empty())
      position_ = id;
    else
      ahead_.emplace_back(id);
  }
}

std::string Stream::position() const {
  std::string text = position_;
  for (const std::string& id : ahead_) text += " " + id;
  return text;
}

void Stream::close() {
  if (socket_) socket_->close();
}

}  // namespace bindcast::tool
