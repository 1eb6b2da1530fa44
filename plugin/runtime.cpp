#include "plugin/runtime.hpp"

#include <pthread.h>
#include <unistd.h>

#include <cstdio>
#include <system_error>
#include <utility>

#include "plugin/correlation_id.hpp"
#include "plugin/health/health.hpp"
#include "plugin/health/vitals.hpp"
#include "plugin/hub/policy_serials.hpp"
#include "plugin/journal/journal.hpp"
#include "plugin/metrics/metrics.hpp"
#include "plugin/server/server.hpp"
#include "plugin/signals_blocked.hpp"
#include "plugin/sources/sources.hpp"
#include "plugin/version.hpp"

namespace bindcast {

namespace {

constexpr std::uint64_t kStopPollMs = 5;
constexpr std::int64_t kStopBoundUs = 400'000;
constexpr std::int64_t kCloseBoundUs = 600'000;  // after that, for libwebsockets to let go of the loop
constexpr std::int64_t kFaultsSaidEveryUs = 60'000'000;

StreamIdentity make_identity(const std::string& service, Now now) {
  char host[256] = "localhost";
  if (gethostname(host, sizeof host) != 0) host[0] = '\0';
  host[sizeof host - 1] = '\0';
  char epoch[24];
  std::snprintf(epoch, sizeof epoch, "%llx", static_cast<unsigned long long>(now.wall_us));
  return {.epoch = epoch, .host = host, .service = service};
}

void close_handle(uv_handle_t* handle) {
  if (uv_is_closing(handle) == 0) uv_close(handle, nullptr);
}

Event bind_config_change(const std::vector<StatementChange>& changes, std::string correlation_id) {
  constexpr std::size_t kMaxShown = 200;
  Event event = make_event(EventType::bind_config_change);
  event.source_component = "config";
  event.correlation_id = std::move(correlation_id);
  event.data.add_integer("count", static_cast<std::int64_t>(changes.size()));
  event.data.begin_array("changes");
  for (std::size_t i = 0; i < std::min(changes.size(), kMaxShown); ++i) {
    event.data.begin_object({});
    event.data.add("path", changes[i].path);
    if (!changes[i].before.empty()) event.data.add("before", changes[i].before);
    if (!changes[i].after.empty()) event.data.add("after", changes[i].after);
    event.data.end();
  }
  event.data.end();
  return event;
}

}  // namespace

Runtime::Runtime(HostInfo host, Configuration configuration)
    : host_(std::move(host)),
      hub_(make_identity(host_.name, read_clock()), read_clock()),
      intake_(hub_),
      run_state_(host_.state_dir, hub_.identity().epoch, host_.log),
      configuration_(std::make_shared<const Configuration>(std::move(configuration))) {
  if (const int fault = uv_loop_init(&loop_); fault != 0) throw std::system_error(-fault, std::generic_category());
  uv_loop_configure(&loop_, UV_METRICS_IDLE_TIME);
  uv_async_init(&loop_, &posted_, [](uv_async_t* handle) {
    auto* runtime = static_cast<Runtime*>(handle->data);
    Faults& faults = runtime->hub_.faults();
    bool more = false;
    faults.contain([&] { more = runtime->take_cold_events(); });
    if (more) uv_async_send(handle);  // the sockets have their turn in between
    faults.contain([&] { runtime->take_posts(); });
    faults.contain([&] { runtime->take_reading(); });
    if (runtime->stop_.exchange(false)) runtime->stop_loop();
  });
  posted_.data = this;
  uv_timer_init(&loop_, &second_);
  second_.data = this;
  uv_timer_init(&loop_, &stop_poll_);
  stop_poll_.data = this;
  uv_prepare_init(&loop_, &before_wait_);
  before_wait_.data = this;
  intake_.attach(&loop_);

  const SignalsBlocked blocked;
  thread_ = std::thread([this] { run(); });
}

Runtime::~Runtime() {
  cold_.close();
  stop_ = true;
  uv_async_send(&posted_);
  thread_.join();
  uv_loop_close(&loop_);
}

void Runtime::run() {
  pthread_setname_np(pthread_self(), "bindcast-loop");
  if (!hub_.faults().contain([&] { begin(); }))
    hub_.faults().contain([&] { host_.log(LogLevel::error, std::string("cannot start: ") + hub_.faults().last()); });
  uv_run(&loop_, UV_RUN_DEFAULT);
  close_handle(reinterpret_cast<uv_handle_t*>(&stop_poll_));
  uv_run(&loop_, UV_RUN_NOWAIT);
  if (abandoned_)
    server_.release()->abandon();
  else
    server_.reset();
  journal_.reset();
  sources_.reset();  // who leaves brings in what was only counted, and observers are told of it
  vitals_.reset();
  health_.reset();
  metrics_.reset();
}

void Runtime::begin() {
  const auto options = this->options();
  hub_.add_processor(std::make_unique<PolicySerials>());
  hub_.configure(*options);
  intake_.configure(*options);
  metrics_ = std::make_unique<Metrics>();
  health_ = std::make_unique<Health>(hub_);
  health_->configure(options->health);
  metrics_->add([this](MetricsText& text) { health_->write_metrics(text); });
  vitals_ = std::make_unique<Vitals>(hub_, *health_);
  vitals_->configure(*options);
  metrics_->add([this](MetricsText& text) { vitals_->write_metrics(text); });
  journal_ = std::make_unique<Journal>(hub_, options->journal, host_.state_dir, host_.log,
                                       [this](std::function<void()> work) { post(std::move(work)); });
  server_ = std::make_unique<Server>(ServerTools{&loop_, hub_, *journal_, *health_, *metrics_, host_.log}, *options,
                                     host_.state_dir);
  server_->options_come_from(current_configuration()->origin);
  server_->start();
  // The small files, the token and the run state, have their place on the disk before the journal takes any.
  const RunState::Before before = run_state_.begin();
  hub_.faults().contain([&] { journal_->start(); });
  announce_start(before);
  sources_ = std::make_unique<Sources>(
      SourceTools{&loop_, hub_, intake_, *health_, *metrics_, host_.log, host_,
                  [this](const HostLoad& load, Now when) { vitals_->take_host_load(load, when); }},
      *options, read_clock());
  server_->host_summary_is(sources_->host_summary());

  uv_timer_start(
      &second_,
      [](uv_timer_t* timer) {
        auto* runtime = static_cast<Runtime*>(timer->data);
        runtime->hub_.faults().contain([&] { runtime->tick(); });
      },
      1000, 1000);
  uv_prepare_start(&before_wait_, [](uv_prepare_t* handle) { static_cast<Runtime*>(handle->data)->before_wait(); });
}

void Runtime::tick() {
  const Now now = read_clock();
  intake_.collect_counts(now);
  hub_.tick(now);
  server_->tick(now);
  sources_->tick(now);
  hub_.faults().contain([&] { watch(now); });
  run_state_.note(hub_.last_offset());
  uv_async_send(&posted_);  // what failed is tried again
  const Faults& faults = hub_.faults();
  if (faults.count() == faults_said_ || (faults_said_us_ != 0 && now.mono_us - faults_said_us_ < kFaultsSaidEveryUs))
    return;
  host_.log(LogLevel::error, std::to_string(faults.count() - faults_said_) + " pieces of work failed, the last by " +
                                 faults.last() + "; clients were told what they missed, or cut off");
  faults_said_ = faults.count();
  faults_said_us_ = now.mono_us;
}

void Runtime::watch(Now now) {
  vitals_->tick(journal_->report(), server_->load(), now);
  health_->tick(now);
  if (status_told_us_ == 0 || now.mono_us - status_told_us_ >= this->options()->health.interval.count())
    tell_status(now);
}

void Runtime::tell_status(Now now) {
  status_told_us_ = now.mono_us;
  Event event = make_event(EventType::system_status);
  event.source_component = "runtime";
  event.data.add("state", to_text(health_->worst()));
  event.data.add("version", kVersion);
  event.data.add("host", host_.name);
  event.data.add("host_version", host_.version);
  event.data.add_integer("pid", getpid());
  event.data.add_integer("uptime_seconds", (now.mono_us - hub_.statistics().started_us) / 1'000'000);
  event.data.add_real("events_per_second", hub_.statistics().events_per_second);
  server_->describe(event.data);
  hub_.emit(std::move(event), now);
}

void Runtime::before_wait() {
  // Subscriptions change inside callbacks of this turn; before the loop waits, the host learns of it.
  intake_.update_interest();
  // How long an event may find the loop at work before its turn comes.
  const std::int64_t now_us = read_clock().mono_us;
  const auto idle_us = static_cast<std::int64_t>(uv_metrics_idle_time(&loop_) / 1000);
  if (turn_began_us_ != 0) server_->loop_was_busy(now_us - turn_began_us_ - (idle_us - idle_before_us_));
  turn_began_us_ = now_us;
  idle_before_us_ = idle_us;
}

void Runtime::announce_start(const RunState::Before& before) {
  hub_.follow({.epoch = before.epoch, .offset = before.offset, .ended = before.end == RunState::Before::End::orderly});
  const Now now = read_clock();
  const std::string correlation = new_correlation_id();
  const auto announce = [&](EventType type) {
    Event event = make_event(type);
    event.source_component = "runtime";
    event.correlation_id = correlation;
    event.data.add("version", kVersion);
    event.data.add("host", host_.name);
    event.data.add("host_version", host_.version);
    event.data.add_integer("pid", getpid());
    hub_.emit(std::move(event), now);
  };
  announce(EventType::service_started);
  if (before.end == RunState::Before::End::crashed) announce(EventType::service_restarted);
}

void Runtime::stop_loop() {
  const Now now = read_clock();
  Faults& faults = hub_.faults();
  faults.contain([&] { intake_.drain_all(now); });
  faults.contain([&] {
    while (take_cold_events()) continue;
  });
  if (sources_) sources_->end();
  if (server_) server_->end_publishing(now);
  faults.contain([&] {
    Event event = make_event(EventType::service_stopped);
    event.source_component = "runtime";
    event.data.add("version", kVersion);
    event.data.add_integer("uptime_seconds", (now.mono_us - hub_.statistics().started_us) / 1'000'000);
    hub_.emit(std::move(event), now);
  });
  uv_timer_stop(&second_);  // or it would note that all goes on
  faults.contain([&] { run_state_.end(hub_.last_offset()); });

  if (journal_) journal_->begin_stop();
  if (server_) server_->begin_shutdown();
  // The server closes its clients in order; what is still open at the bound is cut off.
  stop_bound_us_ = now.mono_us + kStopBoundUs;
  uv_timer_start(
      &stop_poll_,
      [](uv_timer_t* timer) {
        auto* runtime = static_cast<Runtime*>(timer->data);
        const std::int64_t late_us = read_clock().mono_us - runtime->stop_bound_us_;
        if (uv_has_ref(reinterpret_cast<uv_handle_t*>(timer)) == 0) {
          // libwebsockets 4.1 that had no memory once may keep a handle for ever; the host must end all the same.
          runtime->abandoned_ = runtime->server_ && late_us >= kCloseBoundUs;
          if (runtime->abandoned_) uv_stop(&runtime->loop_);
          return;
        }
        if (runtime->journal_ && !runtime->journal_->ended() && late_us < 0) return;
        if (runtime->server_) {
          if (!runtime->server_->stopped() && late_us < 0) return;
          runtime->server_->finish();
        }
        if (runtime->journal_) runtime->journal_->finish();
        runtime->intake_.detach();
        for (auto* handle :
             {reinterpret_cast<uv_handle_t*>(&runtime->posted_), reinterpret_cast<uv_handle_t*>(&runtime->second_),
              reinterpret_cast<uv_handle_t*>(&runtime->before_wait_)})
          close_handle(handle);
        uv_unref(reinterpret_cast<uv_handle_t*>(timer));  // the loop ends with the last of the others
      },
      0, kStopPollMs);
}

void Runtime::post(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    posts_.push_back(std::move(work));
  }
  uv_async_send(&posted_);
}

void Runtime::take_posts() {
  for (;;) {
    std::function<void()> work;
    {
      const std::lock_guard lock(mutex_);
      if (posts_.empty()) return;
      work = std::move(posts_.front());
    }
    const bool done = hub_.faults().contain(work);
    const std::lock_guard lock(mutex_);
    if (!done) {
      posts_.front() = std::move(work);
      return;
    }
    posts_.pop_front();
  }
}

void Runtime::counted(HostReading&& reading) {
  auto newest = std::make_unique<HostReading>(std::move(reading));
  {
    const std::lock_guard lock(mutex_);
    reading_.swap(newest);
  }
  uv_async_send(&posted_);
}

void Runtime::take_reading() {
  std::unique_ptr<HostReading> reading;
  {
    const std::lock_guard lock(mutex_);
    reading.swap(reading_);
  }
  if (reading && sources_) sources_->take(std::move(*reading), read_clock());
}

bool Runtime::take_cold_events() {
  const Now now = read_clock();
  bool more = false;
  for (Event& event : cold_.take(Intake::kFewestRecordsPerDrain, more))
    server_ ? server_->publish_from_host(std::move(event), now) : void(hub_.emit(std::move(event), now));
  const auto dropped = cold_.take_dropped();
  for (std::size_t i = 0; i < dropped.size(); ++i)
    if (dropped[i] != 0) {
      hub_.statistics().cold_lost += dropped[i];
      hub_.report_lost(DropReason::capture_overflow, {static_cast<EventType>(i)}, dropped[i], now);
    }
  return more;
}

void Runtime::emit(std::vector<Event>&& events, ColdQueue::WhenFull when_full) {
  const Now now = read_clock();
  for (Event& event : events)
    if (event.timestamp_us == 0) event.timestamp_us = now.wall_us;
  cold_.push(std::move(events), when_full);
  uv_async_send(&posted_);
}

void Runtime::lost(EventType type) noexcept {
  cold_.lose(type);
  uv_async_send(&posted_);
}

void Runtime::emit(Event&& event, ColdQueue::WhenFull when_full) {
  std::vector<Event> one;
  one.push_back(std::move(event));
  emit(std::move(one), when_full);
}

std::shared_ptr<const Options> Runtime::options() const {
  const auto current = current_configuration();
  return {current, &current->options};
}

std::shared_ptr<const Configuration> Runtime::current_configuration() const {
  const std::lock_guard lock(mutex_);
  return configuration_;
}

void Runtime::prepare(Configuration configuration) {
  const std::lock_guard lock(mutex_);
  prepared_ = std::move(configuration);
}

void Runtime::discard() {
  const std::lock_guard lock(mutex_);
  prepared_.reset();
}

void Runtime::apply() {
  std::shared_ptr<const Configuration> before, after;
  {
    const std::lock_guard lock(mutex_);
    if (!prepared_) return;
    before = configuration_;
    after = std::make_shared<const Configuration>(std::move(*prepared_));
    prepared_.reset();
    configuration_ = after;
  }
  // It has been read again, also where nothing in it is new.
  post([this, after] {
    if (server_) server_->options_come_from(after->origin);
  });
  const auto changes = changed_options(before->options, after->options);
  if (changes.empty()) return;
  post([this, after] { put_in_force(after->options); });

  Event event = make_event(EventType::config_change);
  event.source_component = "config";
  event.data.begin_array("changes");
  for (const OptionChange& change : changes) {
    event.data.begin_object({});
    event.data.add("path", change.path);
    event.data.add("before", change.before);
    event.data.add("after", change.after);
    event.data.end();
  }
  event.data.end();
  emit(std::move(event), ColdQueue::WhenFull::drop);
}

void Runtime::put_in_force(const Options& options) {
  hub_.configure(options);
  intake_.configure(options);
  if (health_) health_->configure(options.health);
  if (vitals_) vitals_->configure(options);
  if (journal_) journal_->configure(options.journal);
  if (server_) server_->apply(options);
  if (sources_) sources_->configure(options, read_clock());
}

void Runtime::configuration(std::string text, std::string correlation_id) {
  post([this, text = std::move(text), id = std::move(correlation_id)] { compare_configuration(text, id); });
}

void Runtime::compare_configuration(std::string_view text, std::string correlation_id) {
  Statements statements = read_statements(text);
  std::vector<StatementChange> changes;
  if (host_statements_) {
    changes = changed_statements(*host_statements_, statements);
    if (changes.empty()) return;
  }
  Event event = bind_config_change(changes, std::move(correlation_id));
  host_statements_ = std::move(statements);
  const Now now = read_clock();
  if (sources_) sources_->host_configuration(*host_statements_, now);
  if (!changes.empty()) hub_.emit(std::move(event), now);
}

}  // namespace bindcast
