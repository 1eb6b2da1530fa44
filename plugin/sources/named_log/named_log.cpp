#include "plugin/sources/named_log/named_log.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "plugin/sources/named_log/log_channel.hpp"

namespace bindcast {

namespace {

constexpr std::string_view kHealth = "named_log";
// Between two turns: a log that is busy wakes the loop no oftener than this.
constexpr std::uint64_t kPauseMs = 10, kNextMs = 1;
constexpr std::int64_t kMaxWaitUs = 30'000'000;
// named makes the file a moment after its configuration is read, and another a moment after it renamed one.
constexpr std::int64_t kMissingUs = 5'000'000;
constexpr std::int64_t kSkippedUs = 60'000'000;
constexpr std::size_t kMaxWaiting = 2000;  // then nothing is read for an actor
constexpr std::uint32_t kFolderEvents = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR;

UpdateActors& add_actors(Hub& hub) {
  auto actors = std::make_unique<UpdateActors>();
  UpdateActors& known = *actors;
  hub.add_processor(std::move(actors));
  return known;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

NamedLog::NamedLog(const SourceTools& tools)
    : tools_(tools),
      actors_(add_actors(tools.hub)),
      events_([this](Event&& event) { hold(std::move(event)); },
              [this](const LoggedUpdate& update) { actors_.learn(update, now_); }) {
  tools_.metrics.add([this](MetricsText& text) { write_metrics(text); });
}

NamedLog::~NamedLog() {
  actors_.set_reader({});
  if (inotify_ >= 0) ::close(inotify_);
}

void NamedLog::configure(const Options& options, Now now) {
  option_file_ = options.sources.named_log.file;
  retarget(now);
}

void NamedLog::host_configuration(const Statements& statements, Now now) {
  host_file_ = bindcast_channel_file(statements);
  retarget(now);
}

void NamedLog::retarget(Now now) {
  const std::string& path = option_file_.empty() ? host_file_ : option_file_;
  if (ended_ || path == (follower_ ? follower_->path() : std::string())) return;
  stop(now);
  if (!path.empty()) start(path, now);
}

void NamedLog::start(const std::string& path, Now now) {
  follower_ = std::make_unique<LogFollower>(
      path, [this](std::string_view line) { take(line); }, now);
  actors_.set_reader([this] { read_for_actors(); });
  next_look_us_ = wait_us_ = missing_since_us_ = 0;
  skipped_told_ = 0;
  make_handles();
  if (inotify_ >= 0) folder_watch_ = inotify_add_watch(inotify_, folder_of(path).c_str(), kFolderEvents);
  watch_file();
  wait_for_more(false);
  tools_.log(LogLevel::info, "following named's log in " + path);
}

void NamedLog::stop(Now now) {
  if (!follower_) return;
  turn(now);  // its last lines
  events_.tick({.mono_us = std::numeric_limits<std::int64_t>::max(), .wall_us = now.wall_us});
  emit_waiting(now);
  tell_losses(now);
  actors_.set_reader({});
  actors_.forget_all();
  follower_.reset();
  tools_.health.forget(kHealth);
  uv_timer_stop(&timer_);
  if (inotify_ < 0) return;
  uv_poll_stop(&poll_);
  for (int* const watch : {&folder_watch_, &file_watch_})
    if (const int id = std::exchange(*watch, -1); id >= 0) inotify_rm_watch(inotify_, id);
}

void NamedLog::end() {
  stop(read_clock());
  ended_ = true;
  if (!std::exchange(has_handles_, false)) return;
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_), nullptr);
  if (inotify_ >= 0) uv_close(reinterpret_cast<uv_handle_t*>(&poll_), nullptr);
}

// Once, when there is something to follow for the first time.
void NamedLog::make_handles() {
  if (std::exchange(has_handles_, true)) return;
  uv_timer_init(tools_.loop, &timer_);
  timer_.data = this;
  // Without inotify the log is looked at once a second.
  inotify_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (inotify_ < 0) return;
  poll_.data = this;
  if (uv_poll_init(tools_.loop, &poll_, inotify_) == 0) return;
  ::close(inotify_);
  inotify_ = -1;
}

// The file that is at the path now: one that took another's place is watched anew.
void NamedLog::watch_file() {
  if (inotify_ >= 0) file_watch_ = inotify_add_watch(inotify_, follower_->path().c_str(), IN_MODIFY | IN_ATTRIB);
}

// Not before a moment has passed, so that each line of a busy log does not wake the loop.
void NamedLog::wait_for_more(bool more_is_there) {
  if (inotify_ >= 0) uv_poll_stop(&poll_);
  uv_timer_start(
      &timer_,
      [](uv_timer_t* timer) {
        auto* self = static_cast<NamedLog*>(timer->data);
        self->tools_.hub.faults().contain([&] { self->paused(); });
      },
      more_is_there ? kNextMs : kPauseMs, 0);
}

void NamedLog::paused() {
  if (turn(read_clock())) return wait_for_more(true);
  if (inotify_ < 0) return;
  uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* poll, int, int) {
    auto* self = static_cast<NamedLog*>(poll->data);
    self->tools_.hub.faults().contain([&] { self->woken(); });
  });
}

void NamedLog::woken() {
  // That something happened is enough; what remains of it wakes again.
  alignas(inotify_event) std::array<char, 4096> happened;
  [[maybe_unused]] const auto size = ::read(inotify_, happened.data(), happened.size());
  wait_for_more(turn(read_clock()));
}

bool NamedLog::turn(Now now) {
  const std::uint64_t rotations = follower_->counts().rotations;
  const bool was_missing = !follower_->fault().empty();
  follower_->look(now);
  if (follower_->counts().rotations != rotations || (was_missing && follower_->fault().empty())) watch_file();
  const bool more = work(now);
  emit_waiting(now);
  return more;
}

bool NamedLog::work(Now now) {
  now_ = now;
  return follower_->work(now);
}

// From inside of an event's way through the hub: what else the lines say has to wait.
void NamedLog::read_for_actors() {
  if (waiting_.size() < kMaxWaiting) work(read_clock());
  if (!waiting_.empty()) wait_for_more(true);
}

void NamedLog::take(std::string_view line) {
  if (tools_.hub.faults().contain([&] { events_.take(line, now_); })) return;
  ++lost_lines_;
}

void NamedLog::hold(Event&& event) {
  const auto type = static_cast<std::size_t>(event.type);
  if (++events_in_second_ > kMaxEventsInSecond) {
    ++lost_[type];
    ++lost_events_;
    return;
  }
  waiting_.push_back(std::move(event));
}

void NamedLog::emit_waiting(Now now) {
  for (Event& event : std::exchange(waiting_, {})) tools_.hub.emit(std::move(event), now);
}

void NamedLog::tick(Now now) {
  if (!follower_) return;
  events_in_second_ = 0;
  if (now.mono_us >= next_look_us_) {
    turn(now);
    const bool missing = !follower_->fault().empty();
    wait_us_ = missing ? std::clamp<std::int64_t>(2 * wait_us_, 1'000'000, kMaxWaitUs) : 0;
    next_look_us_ = now.mono_us + wait_us_;
    if (missing && inotify_ >= 0)  // its folder may be there by now
      folder_watch_ = inotify_add_watch(inotify_, folder_of(follower_->path()).c_str(), kFolderEvents);
  }
  events_.tick(now);
  emit_waiting(now);
  actors_.expire(now);
  tell_losses(now);
  report_health(now);
}

void NamedLog::tell_losses(Now now) {
  using enum EventType;
  for (std::size_t type = 0; type < lost_.size(); ++type)
    tools_.hub.report_lost(DropReason::capture_overflow, {static_cast<EventType>(type)}, std::exchange(lost_[type], 0),
                           now);
  // A line that was not read could have been any event.
  const std::uint64_t skipped = follower_->counts().skipped_lines + lost_lines_;
  if (skipped == skipped_told_) return;
  const std::uint64_t news = skipped - std::exchange(skipped_told_, skipped);
  tools_.hub.report_lost(
      DropReason::capture_overflow,
      {error_occurred, warning_issued, zone_load_failed, zone_transfer_started, zone_transfer_completed,
       zone_transfer_failed, update_denied, transfer_denied, tsig_failure, dnssec_failure, rate_limited},
      news, now);
  skipped_us_ = now.mono_us;
  skipped_lately_ += news;
}

void NamedLog::report_health(Now now) {
  if (skipped_lately_ != 0 && now.mono_us - skipped_us_ >= kSkippedUs) skipped_lately_ = 0;
  if (follower_->fault().empty()) {
    missing_since_us_ = 0;
  } else if (missing_since_us_ == 0) {
    missing_since_us_ = now.mono_us;
  }
  if (missing_since_us_ != 0 && now.mono_us - missing_since_us_ >= kMissingUs)
    tools_.health.report(kHealth, HealthState::degraded, follower_->fault(), now);
  else if (skipped_lately_ != 0)
    tools_.health.report(kHealth, HealthState::degraded,
                         std::to_string(skipped_lately_) + " lines could not be read in time, or were too long", now);
  else
    tools_.health.report(kHealth, HealthState::healthy, {}, now);
}

void NamedLog::write_metrics(MetricsText& text) const {
  if (!follower_) return;
  using Kind = MetricsText::Kind;
  const LogFollower::Counts& counts = follower_->counts();
  text.family(Kind::counter, "named_log_lines", "Lines of named's log that were read.");
  text.sample(counts.lines);
  text.family(Kind::counter, "named_log_read_bytes", "Bytes of named's log that were read.", "bytes");
  text.sample(counts.bytes);
  text.family(Kind::counter, "named_log_skipped_lines",
              "Lines of named's log that were not read, because there were too many or one was too long.");
  text.sample(counts.skipped_lines + lost_lines_);
  text.family(Kind::counter, "named_log_skipped_bytes", "Bytes of named's log that were skipped.", "bytes");
  text.sample(counts.skipped_bytes);
  text.family(Kind::counter, "named_log_matched_lines",
              "Lines of named's log that say something known, by its category.");
  for (std::size_t i = 0; i < events_.matched().size(); ++i)
    if (events_.matched()[i] != 0)
      text.sample(events_.matched()[i], {{"category", i < kLogCategories.size() ? kLogCategories[i] : "unknown"}});
  text.family(Kind::counter, "named_log_lost_events",
              "Events made of named's log that were too many in their second, and dropped.");
  text.sample(lost_events_);
  text.family(Kind::counter, "named_log_rotations", "Times that another file took the place of named's log.");
  text.sample(counts.rotations);
  text.family(Kind::counter, "named_log_truncations", "Times that named's log was cut short.");
  text.sample(counts.truncations);
  text.family(Kind::gauge, "named_log_update_bytes", "Memory of logged updates that wait for their record events.",
              "bytes");
  text.sample(std::uint64_t{actors_.bytes()});
}

}  // namespace bindcast
