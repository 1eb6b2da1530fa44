// What a client says after it is connected: a whole session, without a socket and with a clock driven by hand.
//
// An input is read line by line. A line that begins with "!" does something else than say a message:
//   !admin !operator !viewer !stranger   a new connection of such a user, by the format that follows, 0 to 3
//   !emit N     an event of the N-th type        !later N   N milliseconds pass
//   !read       what is due is read              !options   the options change
//   !offend     a message that was no text       !closed    the socket is gone
// At the end everything is read.
#include <charconv>
#include <memory>

#include "fuzz.hpp"
#include "session_house.hpp"

namespace {

using namespace bindcast;
using namespace bindcast::test;
using fuzz::require;

constexpr std::size_t kMostLines = 200;
constexpr std::size_t kMostFrameBytes = 4 * 1024 * 1024;
constexpr std::string_view kAnswers[] = {"acknowledged",
                                         "alerts",
                                         "broadcast",
                                         "broadcasted",
                                         "connection_established",
                                         "configuration",
                                         "connections",
                                         "disconnected",
                                         "error",
                                         "pong",
                                         "preferences",
                                         "published",
                                         "recovered",
                                         "session_expired",
                                         "statistics",
                                         "status",
                                         "subscription_info",
                                         "subscription_updated"};

std::size_t number(std::string_view text, std::size_t otherwise) {
  std::size_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

struct One {
  House& house;
  Format format;
  Session session;
  std::size_t frames = 0;

  One(House& h, std::optional<std::string> token, Format f)
      : house(h), format(f), session(*h.shared, "192.0.2.7", f, [] {}) {
    house.sessions.push_back(&session);
    session.open({.bearer = std::move(token), .cookie = {}, .query = {}}, house.now);
  }
  ~One() { std::erase(house.sessions, &session); }

  void require_message(std::string_view text) {
    require(text.size() <= kMostFrameBytes, "a frame is bounded");
    json_error_t fault;
    const Json root(json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault));
    require(root != nullptr, fault.text, text);
    require(json_is_object(root.get()) && !text_member(root.get(), "type").empty(), "a message has a type", text);
  }
  void read() {
    house.escalations->run(house.now);
    house.channels->run(house.now);
    while (const FrameRef frame = session.next(house.now)) {
      require(++frames < 100'000, "what is due comes to an end");
      if (format != Format::deflate) require_message(frame->text());
    }
    require(!session.due(house.now), "what is due has been read");
  }
  // A message and its answer, which comes before any event.
  void say(std::string_view text) {
    read();
    const bool closing = session.close_order().has_value();
    session.receive(text, house.now);
    if (format == Format::deflate) return read();
    const FrameRef answer = session.next(house.now);
    if (closing) return require(!answer, "who is sent away gets no answers");
    if (!answer) {
      ClientMessage message;
      std::string fault;
      require(parse_client_message(text, message, fault) && message.type == "pong", "a message is answered", text);
      return;
    }
    require_message(answer->text());
    const Json root(json_loadb(answer->text().data(), answer->text().size(), JSON_ALLOW_NUL, nullptr));
    const std::string type(text_member(root.get(), "type"));
    require(std::ranges::find(kAnswers, type) != std::end(kAnswers), "an answer is one of the protocol's",
            answer->text());
    if (type == "error")
      require(!text_member(json_object_get(root.get(), "data"), "code").empty(), "an error has a code", answer->text());
  }
};

void play(fuzz::Input& input) {
  Options options;
  options.escalation.push_back({.after = std::chrono::seconds(1), .priority = Priority::urgent});
  House house(options);
  auto one = std::make_unique<One>(house, house.admin_token, Format::json);
  std::vector<std::unique_ptr<One>> others;
  for (std::size_t lines = 0; lines < kMostLines && !input.empty(); ++lines) {
    const std::string_view line = input.until('\n');
    const auto word = line.substr(0, line.find(' '));
    const auto rest = line.substr(std::min(word.size() + 1, line.size()));
    const auto connect = [&](std::optional<std::string> token) {
      if (others.size() < 8) others.push_back(std::move(one));
      one = std::make_unique<One>(house, std::move(token), static_cast<Format>(number(rest, 0) % 4));
    };
    if (word == "!admin") {
      connect(house.admin_token);
    } else if (word == "!operator") {
      connect("operator-token");
    } else if (word == "!viewer") {
      connect("viewer-token");
    } else if (word == "!stranger") {
      connect(std::nullopt);
    } else if (word == "!emit") {
      house.emit(static_cast<EventType>(number(rest, 0) % kEventTypeCount), std::string(rest));
    } else if (word == "!later") {
      house.later(static_cast<std::int64_t>(number(rest, 1) % 3'600'000) * 1000);
      one->session.tick(house.now);
    } else if (word == "!read") {
      one->read();
    } else if (word == "!options") {
      house.shared->options.queues.max_events = static_cast<std::uint32_t>(1 + number(rest, 1) % 1000);
      one->session.options_changed(house.now);
    } else if (word == "!offend") {
      one->session.offend("TOO_LARGE", "too large", house.now);
    } else if (word == "!closed") {
      one->session.closed(1000, rest, house.now);
      one = std::make_unique<One>(house, house.admin_token, Format::plain);
    } else {
      one->say(line);
    }
  }
  house.later(120 * kSecond);
  others.push_back(std::move(one));
  for (const auto& each : others) each->read();
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  play(input);
  return 0;
}
