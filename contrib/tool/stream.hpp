// A stream of events that outlives its connections: it connects again by itself, with growing pauses, and asks for what
// it missed. One thread.
#pragma once

#include <jansson.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "plugin/json_parse.hpp"
#include "tool/websocket.hpp"

namespace bindcast::tool {

// One event, or one gap, or an answer.
struct Message {
  enum class Kind : std::uint8_t { event, gap, other } kind = Kind::other;
  std::string text;  // as it came
  Json json;
};

class Stream {
 public:
  // What is asked for when a connection stands: the data of those messages.
  struct Wish {
    std::vector<Json> subscriptions;
    Json preferences{};
    std::string since{};       // an id, a position(), "start" for all that the server remembers, or empty
    bool wants_missed = true;  // after connecting again
  };
  // Told on the way: lost the connection, has it again.
  using Notice = std::function<void(const std::string& text)>;

  Stream(Network& network, Wish wish, Notice notice);

  // Waits for the next messages, at most a tenth of a second, or for the time to connect again. Throws Failure when the
  // first connection fails, and when the server says that another attempt is of no use.
  void turn();
  // Those that have come, in order. All are to be taken before the next turn(), or some may come again.
  [[nodiscard]] std::optional<Message> next();
  [[nodiscard]] bool live() const noexcept { return state_ == State::live; }
  [[nodiscard]] bool was_live() const noexcept { return was_live_; }
  // Sends a request of this connection's, when it is live.
  void send(const std::string& type, const Json& data);
  // Another subscription instead of number `which`, from now on and after connecting again.
  void subscribe(std::size_t which, Json subscription);
  void close();

  // Where the stream is, for Wish::since of another one: the id of the last event that came in order, or of the last
  // one before the stream began, then those of pressing events that came ahead of others. Empty: not known yet.
  [[nodiscard]] std::string position() const;

 private:
  enum class State : std::uint8_t { waiting, connecting, subscribing, live };
  using Clock = std::chrono::steady_clock;

  void connect();
  void lost();
  void take(std::string text);
  void welcome(const json_t* data);
  void ask(bool since);
  void answered(const json_t* message);
  void refused(const json_t* message);
  [[nodiscard]] bool is_news(const json_t* event);
  void begin_at(std::string_view since);
  void advance(std::string_view id);
  [[noreturn]] void give_up() const;

  Network& network_;
  Wish wish_;
  Notice notice_;
  std::unique_ptr<WebSocket> socket_;
  State state_ = State::waiting;
  std::deque<Message> messages_;
  std::string position_, epoch_;
  std::deque<std::string> ahead_;  // ids behind position_ that have come, oldest first
  std::string error_;              // the last one that the server told this connection
  std::size_t unanswered_ = 0;     // subscriptions
  bool was_live_ = false;
  bool asked_since_ = false;
  std::uint32_t attempt_ = 0;
  Clock::time_point due_, lost_at_, live_since_;
  std::mt19937_64 random_{std::random_device{}()};
};

}  // namespace bindcast::tool
