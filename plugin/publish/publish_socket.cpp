#include "plugin/publish/publish_socket.hpp"

#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <stdexcept>
#include <utility>

#include "plugin/publish/answer_json.hpp"
#include "plugin/server/messages.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kMaxAnswerBytes = 64 * 1024;  // that wait to be read, before no more lines are taken
constexpr std::size_t kMaxDiscarded = 1024 * 1024;  // of one line that is too long; then it is the last
constexpr std::size_t kSpareLineBytes = 4 * 1024;   // blanks between the words of an event, in its line

// The name of a local user; empty where there is none. Not by getpwuid, which may ask the network and wait.
std::string local_user(uid_t uid) {
  struct Closed {
    void operator()(FILE* file) const noexcept { std::fclose(file); }
  };
  const std::unique_ptr<FILE, Closed> file(std::fopen("/etc/passwd", "re"));
  if (!file) return {};
  std::array<char, 1024> text{};
  passwd entry{};
  passwd* found = nullptr;
  for (;;) {
    const int fault = fgetpwent_r(file.get(), &entry, text.data(), text.size(), &found);
    if (fault == ERANGE) continue;  // the next line is another
    if (fault != 0 || found == nullptr) return {};
    if (found->pw_uid == uid) return found->pw_name;
  }
}

std::string user_at(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return {};
  const std::string name = local_user(peer.uid);
  return "unix:" + (name.empty() ? std::to_string(peer.uid) : name);
}

std::string answer_line(const PublishAnswer& answer) {
  return dump(publish_answer_json(answer).get()) + "\n";
}

}  // namespace

class PublishSocket::Connection : public Worker {
 public:
  // Takes `fd` over.
  Connection(PublishSocket& house, int fd, std::string user, Now now)
      : house_(house), fd_(fd), user_{.name = std::move(user), .roles = {"publisher"}}, heard_us_(now.mono_us) {}
  ~Connection() override {
    house_.turns_.remove(*this);
    if (poll_ != nullptr) {
      poll_->data = nullptr;
      uv_poll_stop(poll_);
      uv_close(reinterpret_cast<uv_handle_t*>(poll_),
               [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
    }
    if (fd_ >= 0) ::close(fd_);
  }

  bool begin() {
    auto poll = std::make_unique<uv_poll_t>();
    if (uv_poll_init_socket(house_.loop_, poll.get(), fd_) != 0) return false;
    poll_ = poll.release();
    poll_->data = this;
    wait();
    return true;
  }

  [[nodiscard]] std::int64_t heard_us() const noexcept { return heard_us_; }

  // Nothing more is read. What was, and is no whole line, was cut off by the end.
  void stop_reading() {
    reading_ = false;
    if (poll_ != nullptr) uv_poll_stop(poll_);
  }

  // One line.
  bool work(Now now) override {
    const std::size_t end = in_.find('\n', taken_);
    const bool last = end == std::string::npos;
    if (last && (!at_end_ || taken_ == in_.size() || discarding_)) {
      in_.erase(0, std::exchange(taken_, 0));
      if (at_end_ && discarding_) in_.clear();
      finish_or_wait();
      return false;
    }
    const std::string_view line = std::string_view(in_).substr(taken_, (last ? in_.size() : end) - taken_);
    taken_ = last ? in_.size() : end + 1;
    // The end of a line that was told as too long.
    if (!std::exchange(discarding_, false)) take(line, now);
    if (house_.stopped_) return true;  // all at once
    if (out_.size() < kMaxAnswerBytes) return true;
    flush();
    if (out_.size() < kMaxAnswerBytes) return true;
    wait();  // for its answers to be read
    return false;
  }

  void failed() noexcept override { house_.ended(*this); }

 private:
  [[nodiscard]] std::size_t most_in_line() const {
    return house_.publishing_.options().max_event_bytes + kSpareLineBytes;
  }

  void take(std::string_view line, Now now) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) return;
    if (line.size() > most_in_line()) return too_long();
    std::string fault;
    const Json event = parse_published(line, fault);
    say(event ? house_.publishing_.publish(
                    event.get(), {.user = user_, .by = PublishedBy::unix_socket, .form = PublishedForm::own}, now)
              : house_.publishing_.refuse(RefusedBecause::invalid, fault));
  }

  void too_long() {
    say(house_.publishing_.refuse(
        RefusedBecause::too_large,
        "the line is longer than " + std::to_string(most_in_line()) + " bytes (publish.max_event_bytes)"));
  }

  // Whoever does not wait for answers has published all the same.
  void say(const PublishAnswer& answer) {
    if (!deaf_) out_ += answer_line(answer);
  }

  void readable(Now now) {
    std::array<char, kReadBytes> part;
    const ssize_t size = recv(fd_, part.data(), part.size(), 0);
    if (size < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      deaf_ = true;
    }
    heard_us_ = now.mono_us;
    if (size <= 0)
      at_end_ = true;
    else
      in_.append(part.data(), static_cast<std::size_t>(size));
    // A line without end: told once, the rest of it thrown away.
    if (in_.size() > most_in_line() && in_.find('\n') == std::string::npos) {
      if (!std::exchange(discarding_, true)) too_long();
      discarded_ += in_.size();
      in_.clear();
      if (discarded_ > kMaxDiscarded) at_end_ = true;
    } else if (!discarding_) {
      discarded_ = 0;
    }
    uv_poll_stop(poll_);  // until it has had its turn
    house_.turns_.add(*this);
  }

  void flush() {
    while (!out_.empty() && !deaf_) {
      const ssize_t sent = send(fd_, out_.data(), out_.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        out_.erase(0, static_cast<std::size_t>(sent));
      } else {
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno == EAGAIN) return;
        deaf_ = true;
      }
    }
    if (deaf_) out_.clear();
  }

  // May end this connection.
  void finish_or_wait() {
    flush();
    if (at_end_ && out_.empty())
      house_.ended(*this);
    else
      wait();
  }

  void wait() {
    const int events =
        (!at_end_ && reading_ && out_.size() < kMaxAnswerBytes ? UV_READABLE : 0) | (!out_.empty() ? UV_WRITABLE : 0);
    if (events == 0) return void(uv_poll_stop(poll_));
    uv_poll_start(poll_, events, [](uv_poll_t* handle, int status, int ready) {
      auto* connection = static_cast<Connection*>(handle->data);
      if (connection == nullptr) return;
      PublishSocket& house = connection->house_;
      // A connection whose work ends by an exception ends with it.
      if (!house.faults_.contain([&] { connection->ready(status, ready, read_clock()); })) house.ended(*connection);
    });
  }

  void ready(int status, int events, Now now) {
    if (status < 0) {
      // It went away without reading its answers. What it had sent before is still there to be read.
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
      deaf_ = true;
      out_.clear();
      return readable(now);
    }
    if ((events & UV_READABLE) != 0) return readable(now);  // its turn writes, too
    if ((events & UV_WRITABLE) == 0) return;
    flush();
    heard_us_ = now.mono_us;
    if (out_.size() >= kMaxAnswerBytes) return wait();
    uv_poll_stop(poll_);
    house_.turns_.add(*this);  // lines may wait that were not taken while answers did
  }

  PublishSocket& house_;
  int fd_;
  const User user_;
  uv_poll_t* poll_ = nullptr;  // freed by its close callback
  std::string in_;
  std::size_t taken_ = 0;  // of in_
  std::string out_;
  bool reading_ = true;
  bool at_end_ = false;      // nothing more comes
  bool deaf_ = false;        // nobody reads the answers
  bool discarding_ = false;  // a line that is too long
  std::size_t discarded_ = 0;
  std::int64_t heard_us_;
};

PublishSocket::PublishSocket(uv_loop_t* loop, Log log, Publishing& publishing, Turns& turns, Faults& faults)
    : loop_(loop), log_(std::move(log)), publishing_(publishing), turns_(turns), faults_(faults) {}

PublishSocket::~PublishSocket() = default;

void PublishSocket::listen() {
  const std::string& path = publishing_.options().socket;
  if (path != path_) {
    if (acceptor_) log_(LogLevel::info, "no longer publishing by unix:" + path_);
    acceptor_.reset();
    path_ = path;
    fault_.clear();
  }
  if (acceptor_ && acceptor_->paused()) acceptor_->resume();
  if (path.empty() || acceptor_) return;
  auto acceptor = std::make_unique<Acceptor>(loop_, [this](int fd) { accepted(fd); });
  std::string fault = acceptor->open({.kind = ListenAddress::Kind::unix_path, .host = path, .port = 0});
  if (fault.empty()) {
    acceptor_ = std::move(acceptor);
    fault_.clear();
    log_(LogLevel::info, "publishing by unix:" + path);
    return;
  }
  if (fault != fault_)
    log_(LogLevel::error, "publish.socket: cannot listen on " + path + ": " + fault + "; trying again every second");
  fault_ = std::move(fault);
}

void PublishSocket::accepted(int fd) {
  const bool kept = faults_.contain([&] {
    if (connections_.size() >= kMaxConnections) {
      const std::string line = answer_line(publishing_.refuse(
          RefusedBecause::unavailable, "there are " + std::to_string(kMaxConnections) + " connections already"));
      (void)!send(fd, line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      ::close(fd);
      return;
    }
    std::string user = user_at(fd);
    if (user.empty()) throw std::runtime_error("no SO_PEERCRED");
    connections_.reserve(connections_.size() + 1);
    auto connection = std::make_unique<Connection>(*this, fd, std::move(user), read_clock());
    fd = -1;  // it is the connection's
    if (connection->begin()) connections_.push_back(std::move(connection));
  });
  if (!kept && fd >= 0) ::close(fd);
}

void PublishSocket::ended(Connection& connection) noexcept {
  std::erase_if(connections_, [&](const auto& one) { return one.get() == &connection; });
}

void PublishSocket::tick(Now now) {
  if (stopped_) return;
  listen();
  const std::int64_t idle = publishing_.options().socket_idle.count();
  std::erase_if(connections_, [&](const auto& one) { return now.mono_us - one->heard_us() >= idle; });
}

void PublishSocket::stop() {
  stopped_ = true;
  acceptor_.reset();
  for (const auto& connection : connections_) connection->stop_reading();
}

void PublishSocket::close() {
  acceptor_.reset();
  connections_.clear();
}

Json PublishSocket::status() const {
  Json object(json_object());
  set(object.get(), "path", path_);
  set(object.get(), "connections", std::uint64_t{connections_.size()});
  if (!fault_.empty()) set(object.get(), "fault", fault_);
  return object;
}

}  // namespace bindcast
