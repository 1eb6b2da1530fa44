// bindcast top: what named is doing, at a glance, each second anew.

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <ctime>

#include "plugin/server/messages.hpp"
#include "tool/commands.hpp"
#include "tool/output.hpp"
#include "tool/safe_text.hpp"
#include "tool/stream.hpp"
#include "tool/top_screen.hpp"

namespace bindcast::tool {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kStatusEvery = 2s;  // of the messages a minute that the server takes, no more than a third
// The server lets a client change its subscription a few times a minute only.
constexpr auto kSampleEvery = 8s;
constexpr std::uint64_t kMostReceived = 3000, kFewReceived = 200;  // events a second, above and below which it changes
constexpr std::uint32_t kStep = 10, kMostSample = 1000;

// The whole terminal, as long as it lives; then what was there before.
class Screen {
 public:
  Screen() {
    keys_ = is_terminal(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before_) == 0;
    if (keys_) {
      termios at_once = before_;
      at_once.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
      at_once.c_cc[VSUSP] = _POSIX_VDISABLE;  // a shell would be left with a screen that is not its own
      tcsetattr(STDIN_FILENO, TCSANOW, &at_once);
    }
    print("\x1b[?1049h\x1b[?25l");
    flush();
  }
  ~Screen() {
    if (keys_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    try {
      print("\x1b[?25h\x1b[?1049l");
      flush();
    } catch (...) {  // there is no terminal any more
    }
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void draw(const TopModel& model, const TopHead& head) const {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) size = {24, 80, 0, 0};
    constexpr unsigned short kNarrowest = 40;
    std::string text = "\x1b[H";
    bool first = true;
    for (const std::string& line : top_screen(model, head, std::max(size.ws_col, kNarrowest), size.ws_row)) {
      text += (first ? "" : "\n") + line + "\x1b[K";
      first = false;
    }
    print(text + "\x1b[J");
    flush();
  }
  [[nodiscard]] bool quit() const {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    char key = '\0';
    while (keys_ && poll(&input, 1, 0) == 1 && read(STDIN_FILENO, &key, 1) == 1)
      if (key == 'q' || key == 'Q') return true;
    return false;
  }

 private:
  termios before_{};
  bool keys_ = false;
};

std::string time_of_day() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[16];
  return {text, std::strftime(text, sizeof text, "%H:%M:%S", &parts)};
}

Json names(std::initializer_list<const char*> list) {
  Json array(json_array());
  for (const char* name : list) append(array.get(), json_text(name));
  return array;
}

Json queries(std::uint32_t sample) {
  Json data(json_object());
  set(data.get(), "name", "queries");
  set_json(data.get(), "event_types", names({"dns_query_log"}));
  set(data.get(), "sample", std::uint64_t{sample});
  return data;
}

// Which are few, and each is shown.
Json what_matters() {
  Json data(json_object());
  set(data.get(), "name", "what_matters");
  set_json(data.get(), "event_types", names({"dns_query_blocked", "bind_reload", "zone_expired"}));
  set_json(data.get(), "categories", names({"security", "error"}));
  return data;
}

Stream::Wish wish() {
  Stream::Wish wish{.subscriptions = {}, .preferences = {}, .since = {}, .wants_missed = false};
  wish.subscriptions.push_back(queries(1));
  wish.subscriptions.push_back(what_matters());
  return wish;
}

class Top {
 public:
  Top(const TopOptions& options, bool terminal)
      : network_(options.access), stream_(network_, wish(), [this, terminal](const std::string& text) {
          trouble_ = text.starts_with("disconnected") ? safe_text(text) : "";
          terminal ? model_.note(safe_text(text)) : complain(text);
        }) {}

  // A tenth of a second at most; true: another second is over.
  bool turn() {
    stream_.turn();
    while (const auto message = stream_.next()) take(*message);
    const auto now = Clock::now();
    if (!stream_.was_live()) second_ends_ = now + 1s;
    if (stream_.live() && now >= status_due_) {
      stream_.send("get_status", {});
      status_due_ = now + kStatusEvery;
    }
    if (now < second_ends_) return false;
    second_ends_ += 1s;
    model_.end_second();
    adapt_sample(now);
    return true;
  }
  [[nodiscard]] const TopModel& model() const noexcept { return model_; }
  [[nodiscard]] TopHead head() const {
    return {.status = json_object_get(status_.get(), "data"),
            .time = time_of_day(),
            .trouble = trouble_,
            .sample = sample_};
  }
  void close() { stream_.close(); }

 private:
  void take(const Message& message) {
    switch (message.kind) {
      case Message::Kind::event:
        model_.take_event(message.json.get());
        break;
      case Message::Kind::gap:
        model_.take_gap(message.json.get());
        break;
      case Message::Kind::other:
        if (text_member(message.json.get(), "type") == "status") status_.reset(json_incref(message.json.get()));
        break;
    }
  }

  // Where much comes, one in ten says the same, and costs the server and us a tenth.
  void adapt_sample(Clock::time_point now) {
    if (now < sample_due_) return;
    std::uint32_t wanted = sample_;
    if (model_.received_now() > kMostReceived && sample_ < kMostSample) wanted = sample_ * kStep;
    if (model_.received_now() < kFewReceived && sample_ > 1) wanted = sample_ / kStep;
    if (wanted == sample_) return;
    sample_ = wanted;
    sample_due_ = now + kSampleEvery;
    stream_.subscribe(0, queries(sample_));
  }

  Network network_;
  TopModel model_;
  std::string trouble_;
  Stream stream_;
  Json status_;
  std::uint32_t sample_ = 1;
  Clock::time_point second_ends_ = Clock::now() + 1s, status_due_, sample_due_;
};

}  // namespace

void top(const TopOptions& options) {
  const bool terminal = is_terminal(STDOUT_FILENO);
  Top top(options, terminal);
  std::optional<Screen> screen;
  const auto end = Clock::now() + std::chrono::duration<double>(options.seconds);
  while (!interrupted() && (options.seconds <= 0 || Clock::now() < end) && !(screen && screen->quit())) {
    if (!top.turn()) continue;
    if (terminal && !screen) screen.emplace();  // not before the server has answered: a fault is for the shell's screen
    if (screen)
      screen->draw(top.model(), top.head());
    else
      print_line(top_line(top.model(), top.head()));
    flush();
  }
  screen.reset();
  top.close();
}

}  // namespace bindcast::tool
