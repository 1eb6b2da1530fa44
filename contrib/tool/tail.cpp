// bindcast tail: events as they happen, a line each.

#include <unistd.h>

#include <chrono>

#include "plugin/server/messages.hpp"
#include "tool/commands.hpp"
#include "tool/output.hpp"
#include "tool/safe_text.hpp"
#include "tool/selection.hpp"
#include "tool/stream.hpp"

namespace bindcast::tool {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kBatchTimeoutMs = 100;  // somebody is watching

Stream::Wish wish_of(const TailOptions& options, const std::string& since) {
  Json subscription = subscription_of(options.selection);
  if (!options.min_priority.empty()) set(subscription.get(), "min_priority", options.min_priority);
  if (!options.min_severity.empty()) set(subscription.get(), "min_severity", options.min_severity);
  if (options.sample > 1) set(subscription.get(), "sample", std::uint64_t{options.sample});
  Json preferences(json_object());
  set(preferences.get(), "batch_timeout_ms", kBatchTimeoutMs);
  Stream::Wish wish{.subscriptions = {}, .preferences = std::move(preferences), .since = since};
  wish.subscriptions.push_back(std::move(subscription));
  return wish;
}

// Where the last tail that was told --since last ended, and where the next one goes on.
class Bookmark {
 public:
  Bookmark(const TailOptions& options, const ServerAddress& server) {
    if (options.since == "last") path_ = state_file("last", server, true);
  }
  [[nodiscard]] std::string read() const { return path_.empty() ? "" : first_line(path_).value_or(""); }
  void write(const std::string& position) {
    if (path_.empty() || position.empty() || position == written_) return;
    write_line(path_, position);
    written_ = position;
  }

 private:
  std::string path_, written_;
};

}  // namespace

void tail(const TailOptions& options) {
  Network network(options.access);
  Bookmark bookmark(options, network.server());
  const std::string since = options.since == "last" ? bookmark.read() : options.since;
  Stream stream(network, wish_of(options, since), complain);
  const Palette palette = palette_for(STDOUT_FILENO, options.no_color);
  const std::string label = options.label.empty() ? "" : safe_text(options.label) + " ";
  std::optional<Clock::time_point> begun;  // the first time that the stream was live
  const std::chrono::duration<double> length(options.seconds);
  std::uint64_t shown = 0;
  const auto done = [&] {
    return interrupted() || (options.count != 0 && shown == options.count) ||
           (options.seconds > 0 && begun && Clock::now() - *begun >= length);
  };
  while (!done()) {
    stream.turn();
    if (!begun && stream.was_live()) begun = Clock::now();
    while (!done()) {
      const auto message = stream.next();
      if (!message) break;
      const bool event = message->kind == Message::Kind::event;
      if (message->kind == Message::Kind::other) continue;
      if (options.json)
        print_json(message->text);
      else
        print_line(label + (event ? event_line(message->json.get(), palette) : gap_line(message->json.get(), palette)));
      if (event) ++shown;
    }
    flush();
    bookmark.write(stream.position());
  }
  stream.close();
}

}  // namespace bindcast::tool
