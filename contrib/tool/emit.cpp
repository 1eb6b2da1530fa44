// bindcast emit: publishes events, one from the command line or one from each line of standard input.

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "events/type.hpp"
#include "plugin/server/messages.hpp"
#include "tool/api.hpp"
#include "tool/commands.hpp"
#include "tool/event_line.hpp"
#include "tool/output.hpp"

namespace bindcast::tool {

namespace {

using namespace std::chrono_literals;

constexpr const char* kPath = "/api/v1/events";
constexpr std::size_t kMostAtOnce = 100;                  // events in one request
constexpr std::size_t kMostBytesAtOnce = 256 * 1024;      // of them
constexpr std::size_t kLongestLine = 1024 * 1024;         // the server takes no more in a request
constexpr std::chrono::duration<double> kMostWait{60.0};  // for a server that takes no more just now, in one go

void throw_if_no_type(const std::string& type) {
  if (!type_from(type) && !type.starts_with("custom."))
    throw Failure(Exit::usage, "there is no event type " + type + "; custom.NAME is any other");
}

// "key=text" or "key:=JSON".
void add_member(json_t* data, const std::string& argument) {
  const std::size_t equals = argument.find('=');
  if (equals == std::string::npos || equals == 0 || argument.starts_with(":="))
    throw Failure(Exit::usage, argument + ": write key=text or key:=JSON");
  const bool is_json = argument[equals - 1] == ':';
  const std::string key = argument.substr(0, equals - (is_json ? 1 : 0)), text = argument.substr(equals + 1);
  if (!is_json) {
    set(data, key.c_str(), text);
    return;
  }
  json_error_t fault;
  Json value = parse_json(text, JSON_DECODE_ANY, fault);
  if (!value) throw Failure(Exit::usage, key + ": not JSON: " + fault.text);
  set_json(data, key.c_str(), std::move(value));
}

Json data_of(const EmitOptions& options) {
  json_error_t fault;
  Json data = options.data.empty() ? Json(json_object()) : parse_json(options.data, JSON_REJECT_DUPLICATES, fault);
  if (!data) throw Failure(Exit::usage, std::string("--data: not JSON: ") + fault.text);
  if (!json_is_object(data.get())) throw Failure(Exit::usage, "--data: a JSON object");
  for (const std::string& argument : options.members) add_member(data.get(), argument);
  return data;
}

Json event_of(const EmitOptions& options) {
  throw_if_no_type(options.type);
  Json event(json_object());
  set(event.get(), "type", options.type);
  const auto set_if_said = [](json_t* object, const char* key, const std::string& text) {
    if (!text.empty()) set(object, key, text);
  };
  set_if_said(event.get(), "id", options.id);
  set_if_said(event.get(), "priority", options.priority);
  set_if_said(event.get(), "severity", options.severity);
  set_json(event.get(), "data", data_of(options));
  if (!options.correlation_id.empty()) {
    Json metadata(json_object());
    set(metadata.get(), "correlation_id", options.correlation_id);
    set_json(event.get(), "metadata", std::move(metadata));
  }
  return event;
}

// What became of an event that was taken: its id or, of progress that is told later, that.
void print_taken(const json_t* answer) {
  const json_t* id = json_object_get(answer, "id");
  print_line(id != nullptr ? shown(id) : "held back");
}

Json answer_in(const std::string& body) {
  json_error_t fault;
  Json answer = parse_json(body, 0, fault);
  if (!json_is_object(answer.get()))
    throw Failure(Exit::refused, std::string("the server's answer is no JSON: ") + fault.text);
  return answer;
}

// The lines of standard input, as they come.
class Lines {
 public:
  // The next one; nothing at the end. With `now`, nothing also when it is not there yet.
  std::optional<std::string> next(bool now) {
    while (true) {
      if (const std::size_t end = kept_.find('\n'); end != std::string::npos) {
        std::string line = kept_.substr(0, end);
        kept_.erase(0, end + 1);
        return line;
      }
      if (ended_) {
        if (kept_.empty()) return std::nullopt;
        return std::exchange(kept_, {});
      }
      if (kept_.size() > kLongestLine) throw Failure(Exit::refused, "a line is longer than the server takes");
      pollfd input{STDIN_FILENO, POLLIN, 0};
      if (now && poll(&input, 1, 0) == 0) return std::nullopt;
      read_more();
    }
  }
  [[nodiscard]] bool ended() const noexcept { return ended_ && kept_.empty(); }

 private:
  void read_more() {
    char part[65536];
    const ssize_t got = read(STDIN_FILENO, part, sizeof part);
    if (got < 0 && errno == EINTR && !interrupted()) return;
    if (got < 0 && !interrupted()) throw Failure(Exit::refused, std::string("standard input: ") + std::strerror(errno));
    if (got <= 0) ended_ = true;
    if (got > 0) kept_.append(part, static_cast<std::size_t>(got));
  }

  std::string kept_;
  bool ended_ = false;
};

// Publishes many, and keeps account of those that were refused.
class Publisher {
 public:
  explicit Publisher(Network& network) : network_(network) {}

  // Each of the texts is an event as JSON; it came from that line.
  struct Numbered {
    std::size_t line;
    std::string json;
  };
  void publish(std::vector<Numbered> events) {
    auto waited = std::chrono::duration<double>::zero();
    while (!events.empty() && !interrupted()) {
      std::vector<Numbered> again;
      const auto wait = publish_once(events, again);
      if (again.empty()) return;
      if (waited > kMostWait) {
        for (const Numbered& event : again) refuse(event.line, "the server takes no more");
        return;
      }
      waited += wait;
      std::this_thread::sleep_for(wait);
      events = std::move(again);
    }
  }
  void refuse(std::size_t line, const std::string& why) {
    complain("line " + std::to_string(line) + ": " + why);
    ++refused_;
  }
  [[nodiscard]] std::size_t refused() const noexcept { return refused_; }

 private:
  // How long to wait before `again`, which the server has no room for just now, is sent.
  std::chrono::duration<double> publish_once(const std::vector<Numbered>& events, std::vector<Numbered>& again) {
    std::string body;
    for (const Numbered& event : events) body += (body.empty() ? "[" : ",\n") + event.json;
    const Json answer = answer_in(post(network_, kPath, body + "]"));
    const json_t* results = json_object_get(answer.get(), "results");
    if (json_array_size(results) != events.size())
      throw Failure(Exit::refused, "the server's answer does not tell what became of each event");
    double wait = 0;
    for (std::size_t i = 0; i < events.size(); ++i) {
      const json_t* result = json_array_get(results, i);
      const double retry_after = json_number_value(json_object_get(result, "retry_after"));
      if (retry_after > 0) {
        again.push_back(events[i]);
        wait = std::max(wait, retry_after);
      } else if (const std::string_view fault = text_member(result, "error"); !fault.empty()) {
        refuse(events[i].line, std::string(fault));
      } else {
        print_taken(result);
      }
    }
    flush();
    constexpr double kShortest = 0.01, kLongest = 10;
    return std::chrono::duration<double>(std::clamp(wait, kShortest, kLongest));
  }

  Network& network_;
  std::size_t refused_ = 0;
};

// Sends what there is, and waits for more only when there is nothing: a slow writer's events go out at once, a fast
// one's many at a time.
void publish_lines(Network& network) {
  Lines lines;
  Publisher publisher(network);
  std::size_t number = 0;
  while (!lines.ended() && !interrupted()) {
    std::vector<Publisher::Numbered> events;
    std::size_t bytes = 0;
    while (events.size() < kMostAtOnce && bytes < kMostBytesAtOnce) {
      auto line = lines.next(!events.empty());
      if (!line) break;
      ++number;
      if (line->find_first_not_of(" \t\r") == std::string::npos) continue;
      json_error_t fault;
      if (!json_is_object(parse_json(*line, 0, fault).get())) {
        publisher.refuse(number, "not an event as a JSON object");
        continue;
      }
      bytes += line->size();
      events.push_back({number, std::move(*line)});
    }
    publisher.publish(std::move(events));
  }
  if (publisher.refused() != 0)
    throw Failure(Exit::refused, std::to_string(publisher.refused()) + " events were refused");
}

}  // namespace

void emit(const EmitOptions& options) {
  if (options.type == "-") {
    if (!options.members.empty() || !options.data.empty())
      throw Failure(Exit::usage, "with - each line is a whole event; there is no other data");
    Network network(options.access);
    publish_lines(network);
    return;
  }
  const std::string event = dump(event_of(options).get());
  Network network(options.access);
  const std::string answer = post(network, kPath, event);
  options.json ? print_json(answer) : print_taken(answer_in(answer).get());
}

}  // namespace bindcast::tool
