#include "plugin/sources/forwarders/forwarders.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "events/dns_text.hpp"
#include "events/timestamp.hpp"

namespace bindcast {

namespace {

constexpr std::int64_t kFirstWithinUs = 1'000'000;  // or one interval, where that is shorter
constexpr std::int64_t kJitterPart = 10;            // an interval is longer or shorter by at most a tenth
constexpr std::uint8_t kNoError = 0, kNxDomain = 3;
constexpr double kQuantiles[] = {0.5, 0.95, 0.99};

std::string rcode_text(std::uint8_t rcode) {
  char text[kMaxCodeText];
  return {text, write_rcode(text, rcode)};
}

std::string_view failure_name(ProbeFailure failure) {
  return kProbeFailureNames[static_cast<std::size_t>(failure)];
}

std::string_view state_name(ForwarderState state) {
  return kForwarderStateNames[static_cast<std::size_t>(state)];
}

std::string component_of(const Forwarder& forwarder) {
  return "forwarder " + forwarder.server;
}

void add_server(Event& event, const Forwarder& forwarder) {
  event.source_component = "forwarders";
  event.data.add("server", forwarder.server);
  event.data.begin_array("scopes");
  for (const std::string& scope : forwarder.scopes) event.data.add({}, scope);
  event.data.end();
  if (forwarder.more_scopes != 0)
    event.data.add_integer("more_scopes", static_cast<std::int64_t>(forwarder.more_scopes));
}

Severity severity_of(ForwarderState state) {
  switch (state) {
    case ForwarderState::down:
      return Severity::error;
    case ForwarderState::slow:
    case ForwarderState::degraded:
    case ForwarderState::flapping:
      return Severity::warning;
    default:
      return Severity::info;
  }
}

}  // namespace

Forwarders::Forwarders(const SourceTools& tools)
    : tools_(tools), question_(options_.probe), spread_(std::random_device{}()) {
  tools_.metrics.add([this](MetricsText& text) { write_metrics(text); });
}

void Forwarders::configure(const Options& options, Now now) {
  options_ = options.sources.forwarders;
  const auto slow_us = std::min<std::int64_t>(options_.slow.count(), Histogram::kMost);
  limits_ = {static_cast<std::uint32_t>(slow_us), options_.down_after, options_.up_after};
  question_ = ProbeQuestion(options_.probe);
  probe_what_is_configured(now);
}

void Forwarders::host_configuration(const Statements& statements, Now now) {
  of_host_ = ForwarderList();
  of_host_.add_forwarders(statements);
  probe_what_is_configured(now);
}

void Forwarders::end() {
  ended_ = true;
  servers_.clear();
  if (timer_open_) uv_close(reinterpret_cast<uv_handle_t*>(&timer_), nullptr);
}

// Servers that stay keep their history; what is gone is forgotten.
void Forwarders::probe_what_is_configured(Now now) {
  if (ended_) return;
  ForwarderList wanted;
  if (options_.enabled) {
    wanted.add_servers(options_.servers);
    wanted.add(of_host_);
  }
  std::vector<std::unique_ptr<Server>> before = std::exchange(servers_, {});
  const std::size_t tls_before = std::exchange(not_probed_tls_, 0);
  const std::size_t too_many_before = std::exchange(not_probed_too_many_, 0);
  const std::int64_t spread_us = std::min<std::int64_t>(kFirstWithinUs, options_.interval.count());
  for (const Forwarder& forwarder : wanted.all()) {
    if (forwarder.tls) {
      ++not_probed_tls_;
      continue;
    }
    if (servers_.size() == kMostServers) {
      ++not_probed_too_many_;
      continue;
    }
    const auto known = std::ranges::find_if(
        before, [&](const auto& server) { return server && server->of.server == forwarder.server; });
    if (known != before.end()) {
      servers_.push_back(std::move(*known));
      servers_.back()->of = forwarder;
      servers_.back()->begin_us = std::min(servers_.back()->begin_us, now.mono_us + options_.interval.count());
    } else {
      servers_.push_back(std::make_unique<Server>(forwarder, now));
      servers_.back()->begin_us = now.mono_us + random_up_to(spread_us);
    }
  }
  for (const auto& gone : before) {
    if (!gone) continue;
    if (const auto change = gone->track.end(now)) tell_change(*gone, *change, now);
    tools_.health.forget(component_of(gone->of));
  }
  if (not_probed_tls_ != 0 && not_probed_tls_ != tls_before)
    tools_.log(LogLevel::warning,
               std::to_string(not_probed_tls_) +
                   " forwarders are asked over TLS; those are not probed, and nothing is said of them");
  if (not_probed_too_many_ != 0 && not_probed_too_many_ != too_many_before)
    tools_.log(LogLevel::warning, "only " + std::to_string(kMostServers) + " forwarders are probed, " +
                                      std::to_string(not_probed_too_many_) + " are not");
  wake_when_due(now);
}

void Forwarders::run_due(Now now) noexcept {
  for (const auto& server : servers_)
    tools_.hub.faults().contain([&] {
      if (server->probe && server->deadline_us <= now.mono_us) take(*server, server->probe->expire(), now);
      if (!server->probe && server->begin_us <= now.mono_us) begin_probe(*server, now);
    });
  wake_when_due(now);
}

void Forwarders::begin_probe(Server& server, Now now) {
  const std::int64_t interval_us = options_.interval.count();
  const std::int64_t jitter_us = interval_us / kJitterPart;
  server.begin_us = now.mono_us + interval_us - jitter_us + random_up_to(2 * jitter_us);
  server.deadline_us = now.mono_us + options_.timeout.count();
  server.probe =
      std::make_unique<Probe>(tools_.loop, tools_.hub.faults(), server.of.address, question_, [this, &server] {
        const Now then = read_clock();
        if (const auto result = server.probe->look()) take(server, *result, then);
        wake_when_due(then);
      });
  if (const auto result = server.probe->begin()) take(server, *result, now);
}

void Forwarders::take(Server& server, const ProbeResult& result, Now now) {
  server.probe.reset();
  ++server.probes;
  server.rejected += result.rejected;
  ++server.by_failure[static_cast<std::size_t>(result.failure)];
  std::optional<ForwarderChange> change;
  if (result.failure != ProbeFailure::not_made) {
    ProbeOutcome outcome;
    outcome.answered = result.failure == ProbeFailure::none;
    const std::string rcode = outcome.answered ? rcode_text(result.rcode) : std::string();
    outcome.what = outcome.answered ? std::string_view(rcode) : failure_name(result.failure);
    if (outcome.answered) {
      outcome.error = result.rcode != kNoError && result.rcode != kNxDomain;
      outcome.rtt_us = result.rtt_us;
      ++server.answers;
      ++server.by_rcode[result.rcode];
      server.rtt_seconds += result.rtt_us / 1e6;
    }
    change = server.track.take(outcome, limits_, now);
  }
  tell_check(server, result, now);
  if (change) tell_change(server, *change, now);
  report_health(server, now);
}

void Forwarders::tell_check(const Server& server, const ProbeResult& result, Now now) {
  Event event = make_event(EventType::forwarder_health_check);
  add_server(event, server.of);
  event.data.add("state", state_name(server.track.state()));
  event.data.add("transport", result.tcp ? "tcp" : "udp");
  if (result.failure == ProbeFailure::none) {
    event.data.add("rcode", rcode_text(result.rcode));
    event.data.add_integer("rtt_us", result.rtt_us);
  } else {
    event.data.add("failure", failure_name(result.failure));
  }
  if (result.rejected != 0) event.data.add_integer("rejected", result.rejected);
  event.data.add_real("loss", server.track.loss());
  event.data.add_integer("loss_of", static_cast<std::int64_t>(server.track.probes_in_window()));
  if (const Histogram times = server.track.round_trips(); times.count() != 0) {
    event.data.add_integer("p50_us", times.percentile(50));
    event.data.add_integer("p95_us", times.percentile(95));
    event.data.add_integer("p99_us", times.percentile(99));
  }
  tools_.hub.emit(std::move(event), now);
}

void Forwarders::tell_change(const Server& server, const ForwarderChange& change, Now now) {
  Event event = make_event(EventType::forwarder_status_change);
  event.severity = severity_of(change.after);
  // At every start each is found to be up, and one that is taken away is no one's concern.
  const bool found = change.before == ForwarderState::unknown && change.after == ForwarderState::up;
  if (found || change.after == ForwarderState::unknown) event.priority = Priority::normal;
  add_server(event, server.of);
  event.data.add("before", state_name(change.before));
  event.data.add("after", state_name(change.after));
  std::string since;
  append_timestamp(since, change.since_wall_us);
  event.data.add("since", since);
  event.data.add_real("lasted_seconds", static_cast<double>(change.lasted_us) / 1e6);
  event.data.add("why", change.why);
  tools_.log(event.severity == Severity::info ? LogLevel::info : LogLevel::warning,
             "forwarder " + server.of.server + " is " + std::string(state_name(change.after)) + ": " + change.why);
  tools_.hub.emit(std::move(event), now);
}

void Forwarders::report_health(const Server& server, Now now) {
  const ForwarderState state = server.track.state();
  if (state == ForwarderState::unknown) return;
  const HealthState health = state == ForwarderState::up     ? HealthState::healthy
                             : state == ForwarderState::down ? HealthState::unhealthy
                                                             : HealthState::degraded;
  const std::string reason =
      health == HealthState::healthy ? std::string() : std::string(state_name(state)) + ": " + server.track.why();
  tools_.health.report(component_of(server.of), health, reason, now);
}

void Forwarders::wake_when_due(Now now) noexcept {
  std::int64_t due_us = std::numeric_limits<std::int64_t>::max();
  for (const auto& server : servers_) due_us = std::min(due_us, server->probe ? server->deadline_us : server->begin_us);
  if (servers_.empty()) {
    if (timer_open_) uv_timer_stop(&timer_);
    return;
  }
  if (!std::exchange(timer_open_, true)) {
    uv_timer_init(tools_.loop, &timer_);
    timer_.data = this;
  }
  // The loop's own idea of now may be older than ours: never less than a millisecond, or it would be busy till then.
  const std::int64_t wait_ms = std::max<std::int64_t>((due_us - now.mono_us + 999) / 1000, 1);
  uv_timer_start(
      &timer_, [](uv_timer_t* timer) { static_cast<Forwarders*>(timer->data)->run_due(read_clock()); },
      static_cast<std::uint64_t>(wait_ms), 0);
}

std::int64_t Forwarders::random_up_to(std::int64_t most_us) {
  return std::uniform_int_distribution<std::int64_t>(0, most_us)(spread_);
}

void Forwarders::write_metrics(MetricsText& text) const {
  using Kind = MetricsText::Kind;
  if (servers_.empty()) return;
  text.family(Kind::gauge, "forwarder_up", "1: the forwarder answers, 0: it is down. Not there before that is known.");
  for (const auto& server : servers_)
    if (server->track.state() != ForwarderState::unknown)
      text.sample(std::uint64_t{server->track.answers()}, {{"server", server->of.server}});
  text.family(Kind::gauge, "forwarder_loss_ratio", "The share of the last 32 probes without an answer.", "ratio");
  for (const auto& server : servers_) text.sample(server->track.loss(), {{"server", server->of.server}});
  text.family(Kind::summary, "forwarder_rtt_seconds",
              "How long an answer took: quantiles of the last 256 good answers, count and sum of all answers.",
              "seconds");
  for (const auto& server : servers_) {
    const Histogram times = server->track.round_trips();
    if (times.count() != 0)
      for (const double quantile : kQuantiles)
        text.quantile(quantile, times.percentile(100 * quantile) / 1e6, {{"server", server->of.server}});
    text.count_and_sum(server->answers, server->rtt_seconds, {{"server", server->of.server}});
  }
  text.family(Kind::counter, "forwarder_probes", "Probes that have ended.");
  for (const auto& server : servers_) text.sample(server->probes, {{"server", server->of.server}});
  text.family(Kind::counter, "forwarder_probe_failures", "Probes without an answer, by reason.");
  for (const auto& server : servers_)
    for (std::size_t i = 1; i < server->by_failure.size(); ++i)
      text.sample(server->by_failure[i], {{"server", server->of.server}, {"reason", kProbeFailureNames[i]}});
  text.family(Kind::counter, "forwarder_answers", "Answers, by rcode.");
  for (const auto& server : servers_)
    for (std::size_t i = 0; i < server->by_rcode.size(); ++i)
      if (server->by_rcode[i] != 0)
        text.sample(server->by_rcode[i],
                    {{"server", server->of.server}, {"rcode", rcode_text(static_cast<std::uint8_t>(i))}});
  text.family(Kind::counter, "forwarder_messages_rejected", "Messages that were no answer to the question.");
  for (const auto& server : servers_) text.sample(server->rejected, {{"server", server->of.server}});
  text.family(Kind::gauge, "forwarder_not_probed", "Forwarders that are not probed, by reason.");
  text.sample(std::uint64_t{not_probed_tls_}, {{"reason", "tls"}});
  text.sample(std::uint64_t{not_probed_too_many_}, {{"reason", "too_many"}});
}

}  // namespace bindcast
