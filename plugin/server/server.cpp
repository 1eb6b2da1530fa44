#include "plugin/server/server.hpp"

#include <algorithm>
#include <atomic>
#include <random>
#include <utility>

namespace bindcast {

namespace {

constexpr int kMaxNoiseLines = 20;  // of libwebsockets' own log, per second

// libwebsockets logs by a C callback for the whole process, and can do so without end (descriptor exhaustion).
Log* g_lws_log = nullptr;
std::atomic<int> g_lws_lines{0};

void on_lws_log(int level, const char* line) {
  if (g_lws_log == nullptr || g_lws_lines.fetch_add(1, std::memory_order_relaxed) >= kMaxNoiseLines) return;
  try {
    std::string text(line);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    (*g_lws_log)(LogLevel::debug,
                 std::string((level & LLL_ERR) != 0 ? "libwebsockets error: " : "libwebsockets: ") + text);
  } catch (const std::exception&) {  // a line less
  }
}

// From [0, 1): to spread repetitions.
double random_share() {
  static std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

}  // namespace

Server::Server(const ServerTools& tools, const Options& options, const std::string& state_dir)
    : loop_(tools.loop),
      journal_(tools.journal),
      health_(tools.health),
      metrics_(tools.metrics),
      log_(tools.log),
      passwords_(std::make_unique<Passwords>(loop_, tools.hub.faults())),
      identity_(options, state_dir, log_,
                {.emit = [this](Event&& event, Now now) { shared_.hub.emit(std::move(event), now); },
                 .check_password =
                     [this](std::string hash, std::string password, std::string origin, Passwords::Done done) {
                       return passwords_ && passwords_->check(std::move(hash), std::move(password), std::move(origin),
                                                              std::move(done));
                     },
                 .session_ended =
                     [this](std::uint64_t number, std::string_view why, Now now) {
                       each_session([&](Session& session) {
                         if (session.credential().session == number) session.end_login(why, now);
                       });
                     },
                 .done = [this](const Deed& deed, Now now) { audit_.done(deed, now); }}),
      roles_(options),
      audit_(tools.hub),
      channels_(tools.hub, options),
      webhooks_(loop_, log_, tools.hub.faults(),
                [this](const WebhookOutcome& outcome, Now now) {
                  escalations_.webhook_told(outcome, now);
                  report_webhook(outcome, now);
                }),
      escalations_(tools.hub, options,
                   {.each_session = [this](const auto& visit) { each_session(visit); },
                    .post = [this](WebhookPost post, Now now) { return webhooks_.post(std::move(post), now); },
                    .cancel = [this](const std::string& id) { return webhooks_.cancel(id); }},
                   random_share),
      publishing_(tools.hub, roles_, options.publish),
      publish_turns_(loop_, tools.hub.faults()),
      publish_socket_(loop_, log_, publishing_, publish_turns_, tools.hub.faults()),
      publish_requests_(publishing_, publish_turns_, tools.hub.faults()),
      history_(tools.hub, journal_),
      shared_{.hub = tools.hub,
              .past = journal_,
              .channels = channels_,
              .escalations = escalations_,
              .identity = identity_,
              .roles = roles_,
              .audit = audit_,
              .publishing = publishing_,
              .options = options,
              .origin = {},
              .status = [this](Now now) { return status(now); },
              .each_session = [this](const auto& visit) { each_session(visit); }},
      certificate_(log_) {
  uv_timer_init(loop_, &due_timer_);
  due_timer_.data = this;
  uv_prepare_init(loop_, &before_wait_);
  before_wait_.data = this;
}

Server::~Server() {
  if (dying_context_ != nullptr) lws_context_destroy(dying_context_);
  if (g_lws_log == &log_) g_lws_log = nullptr;
}

void Server::abandon() noexcept {
  if (g_lws_log == &log_) g_lws_log = nullptr;
}

void Server::start() {
  g_lws_log = &log_;
  lws_set_log_level(LLL_ERR | LLL_WARN, on_lws_log);
  if (!create_context()) {
    log_(LogLevel::error, "libwebsockets cannot start; there is no listener");
    return;
  }
  serve_endpoints();
  metrics_.add([this](MetricsText& text) { write_metrics(text); });
  webhooks_.configure(shared_.options.retry);
  webhooks_.attach(context_);
  // What came up in this turn of the loop is handed over once, before the loop waits.
  uv_prepare_start(&before_wait_, [](uv_prepare_t* handle) {
    auto* server = static_cast<Server*>(handle->data);
    server->shared_.hub.faults().contain([&] { server->before_wait(read_clock()); });
  });
  for (const ListenAddress& address : shared_.options.server.listen)
    listeners_.push_back({.address = address, .acceptor = nullptr, .fault = {}});
  open_due(read_clock());
  publish_socket_.tick(read_clock());
}

void Server::apply(const Options& options) {
  shared_.options = options;
  roles_.configure(options);
  identity_.configure(options, read_clock());
  channels_.configure(options);
  webhooks_.configure(options.retry);
  escalations_.configure(options);
  if (std::ranges::all_of(options.escalation, &std::string::empty, &EscalationStep::webhook_url))
    health_.forget("webhooks");
  const Now now = read_clock();
  publishing_.configure(options.publish);
  publish_socket_.tick(now);
  for (const auto& entry : connections_) entry.second->session->options_changed(now);
  if (context_ == nullptr) return;
  certificate_.configure(options.server.tls);

  const auto& wanted = options.server.listen;
  std::erase_if(listeners_, [&](const Listener& listener) {
    if (std::ranges::find(wanted, listener.address) != wanted.end()) return false;
    if (listener.acceptor) log_(LogLevel::info, "no longer listening on " + listener.acceptor->bound().text());
    return true;
  });
  for (const ListenAddress& address : wanted)
    if (std::ranges::find(listeners_, address, &Listener::address) == listeners_.end())
      listeners_.push_back({.address = address, .acceptor = nullptr, .fault = {}});
  open_due(now);
}

// Hands over what has become due, asks for a WRITEABLE wherever something may be written, and sets the timer for what
// is due next.
void Server::before_wait(Now now) {
  shared_.hub.faults().contain([&] { escalations_.run(now); });
  shared_.hub.faults().contain([&] { publishing_.run(now); });
  shared_.hub.faults().contain([&] { channels_.run(now); });
  if (std::exchange(channels_.queues().failed, false)) end_failed();
  for (Connection* connection : ready_) {
    connection->ready = false;
    if (!connection->close_sent) lws_callback_on_writable(connection->wsi);
  }
  ready_.clear();
  std::int64_t due = 0;
  for (const std::int64_t one : {channels_.due_us(), escalations_.due_us(), publishing_.due_us()})
    if (one != 0 && (due == 0 || one < due)) due = one;
  set_due_timer(due, now);
}

void Server::set_due_timer(std::int64_t due, Now now) {
  if (due == due_timer_at_us_) return;
  due_timer_at_us_ = due;
  if (due == 0) {
    uv_timer_stop(&due_timer_);
    return;
  }
  uv_update_time(loop_);
  // It only ends the wait.
  uv_timer_start(
      &due_timer_, [](uv_timer_t* timer) { static_cast<Server*>(timer->data)->due_timer_at_us_ = 0; },
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, due - now.mono_us) / 1000 + 1), 0);
}

void Server::tick(Now now) {
  g_lws_lines.store(0, std::memory_order_relaxed);
  if (context_ == nullptr || shutting_down_) return;
  Faults& faults = shared_.hub.faults();
  faults.contain([&] { identity_.tick(now); });
  faults.contain([&] { audit_.tick(now); });
  faults.contain([&] { certificate_.tick(); });
  faults.contain([&] { escalations_.tick(now); });
  faults.contain([&] { publishing_.tick(now); });
  faults.contain([&] { publish_socket_.tick(now); });
  faults.contain([&] { open_due(now); });
  faults.contain([&] { report_listeners(now); });
  faults.contain([&] { resume_accepting(now); });
  faults.contain([&] { tell_turned_away(now); });
  faults.contain([&] { exchanges_.tick(now); });
  std::erase_if(strangers_, [](const Connection* c) { return c->session->admitted(); });
  for (const auto& entry : connections_)
    if (!faults.contain([&] { tick(*entry.second, now); })) kill(entry.second->wsi);
}

DeliveryLoad Server::load() const noexcept {
  return {.held_bytes = channels_.queues().held,
          .most_bytes = shared_.options.queues.max_total_bytes,
          .loop_lag_us = channels_.loop_lag_us()};
}

void Server::describe(Fields& data) const {
  data.add_integer("connections", static_cast<std::int64_t>(connections_.size()));
  data.begin_array("listeners");
  for (const Listener& listener : listeners_)
    if (listener.acceptor) data.add({}, listener.acceptor->bound().text());
  data.end();
  data.begin_array("listeners_failing");
  for (const Listener& listener : listeners_)
    if (!listener.acceptor) data.add({}, listener.address.text());
  data.end();
}

// Not where it goes: that is the admins' alone to know.
void Server::report_webhook(const WebhookOutcome& outcome, Now now) {
  if (outcome.delivered) {
    health_.report("webhooks", HealthState::healthy, {}, now);
    return;
  }
  const std::string reason = outcome.status != 0    ? "answered with HTTP status " + std::to_string(outcome.status)
                             : outcome.attempt != 0 ? "no answer"
                                                    : "there is no room for more that wait";
  health_.report("webhooks", HealthState::degraded, "a webhook was not delivered: " + reason, now,
                 {.count = outcome.attempt, .next_us = 0});
}

void Server::end_publishing(Now now) {
  Faults& faults = shared_.hub.faults();
  faults.contain([&] { publish_socket_.stop(); });
  publish_turns_.finish_all(now);
  faults.contain([&] { publishing_.stop(now); });
}

void Server::begin_shutdown() {
  shutting_down_ = true;
  listeners_.clear();
  shared_.hub.faults().contain([&] { audit_.tick(read_clock(), true); });
  channels_.flush(read_clock());
  for (const auto& entry : connections_) {
    // What the client is owed goes out first: next() is asked before the close.
    entry.second->session->flush();
    shared_.hub.faults().contain([&] { entry.second->session->close(kGoingAway, "going away"); });
  }
}

void Server::finish() {
  if (std::exchange(finished_, true)) return;
  webhooks_.stop();
  publish_socket_.close();
  publish_turns_.close();
  passwords_.reset();
  uv_close(reinterpret_cast<uv_handle_t*>(&due_timer_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&before_wait_), nullptr);
  listeners_.clear();
  // With a foreign libuv loop this only begins: the handles close on the loop, and a second call frees the context.
  dying_context_ = std::exchange(context_, nullptr);
  if (dying_context_ != nullptr) lws_context_destroy(dying_context_);
}

}  // namespace bindcast
