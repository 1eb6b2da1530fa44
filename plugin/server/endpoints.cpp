// What the listener serves over HTTP, besides the WebSocket.

#include <algorithm>
#include <optional>

#include "plugin/publish/answer_json.hpp"
#include "plugin/server/configuration_json.hpp"
#include "plugin/server/dashboard.hpp"
#include "plugin/server/http_headers.hpp"
#include "plugin/server/login_endpoints.hpp"
#include "plugin/server/server.hpp"
#include "plugin/server/statistics_json.hpp"
#include "plugin/version.hpp"

namespace bindcast {

namespace {

HttpAnswer json_answer(const Json& body) {
  return {.status = kHttpOk, .body = dump(body.get()) + "\n", .content_type = "application/json", .headers = {}};
}

}  // namespace

void Server::serve_endpoints() {
  serve_logins(exchanges_, identity_, shared_.options.server);
  exchanges_.serve("GET", "/healthz",
                   [this](HttpRequest&& request, const Reply& reply, Now) { reply(healthz(request)); });
  exchanges_.serve("GET", "/api/v1/status", [this](HttpRequest&& request, const Reply& reply, Now now) {
    const auto user = user_of(request, reply);
    if (!user) return;
    if (permitted(*user, Right::watch, request, now))
      reply(json_answer(status(now)));
    else
      reply(http_error(kHttpForbidden, "the status needs a role that may watch"));
  });
  exchanges_.serve("GET", "/api/v1/configuration", [this](HttpRequest&& request, const Reply& reply, Now now) {
    const auto user = user_of(request, reply);
    if (!user) return;
    if (!permitted(*user, Right::administer, request, now)) {
      reply(http_error(kHttpForbidden, "the configuration needs a role that may administer"));
      return;
    }
    reply(json_answer(configuration_json(shared_.options, shared_.origin)));
    audit_.done({.user = user->name, .client = request.peer, .action = request.path, .subject = {}}, now);
  });
  exchanges_.serve("GET", "/metrics", [this](HttpRequest&& request, const Reply& reply, Now now) {
    const auto user = user_of(request, reply);
    if (!user) return;
    if (!permitted(*user, Right::watch, request, now)) {
      reply(http_error(kHttpForbidden, "metrics need a role that may watch"));
      return;
    }
    const MetricsFormat format = metrics_format_for(request.accept);
    reply({.status = kHttpOk,
           .body = metrics_.text(format),
           .content_type = std::string(content_type_of(format)),
           .headers = {}});
  });
  exchanges_.serve("GET", "/api/v1/events", [this](HttpRequest&& request, const Reply& reply, Now now) {
    const auto user = user_of(request, reply);
    if (!user) return;
    if (permitted(*user, Right::watch, request, now))
      history_.take({.sight = roles_.sight(*user), .user = user->name}, request, reply, now);
    else
      reply(http_error(kHttpForbidden, "history needs a role that may watch"));
  });
  exchanges_.serve(
      "POST", "/api/v1/events",
      [this](HttpRequest&& request, const Reply& reply, Now now) {
        const auto user = user_of(request, reply);
        if (!user) return;
        (void)permitted(*user, Right::publish, request, now);  // the answer is theirs, in either case
        publish_requests_.take(*user, request, reply, now);
      },
      PublishRequests::kMaxBody);
  for (const std::string_view path : kWebSocketPaths)
    exchanges_.serve("GET", std::string(path), [](HttpRequest&&, const Reply& reply, Now) {
      reply(upgrade_required("this is a WebSocket: ask for an upgrade"));
    });
  serve_dashboard(exchanges_, shared_.options.server);
}

// Anybody may ask, so it says how things are and not why. Alive: that it answers is all; whoever would be restarted for
// a full disk would come back to a full disk.
HttpAnswer Server::healthz(const HttpRequest& request) const {
  Json body(json_object());
  const bool asks_for_life = std::ranges::any_of(request.arguments, [](const std::string& argument) {
    return argument == "live" || argument.starts_with("live=");
  });
  const bool ready = asks_for_life || (health_.ready() && !shutting_down_);
  const bool well = asks_for_life || health_.worst() == HealthState::healthy;
  set(body.get(), "status", !ready ? "unhealthy" : well ? "ok" : "degraded");
  if (!asks_for_life) {
    Json counts(json_object());
    for (std::size_t i = 0; i < std::size(kHealthStateNames); ++i)
      set(counts.get(), kHealthStateNames[i].data(), std::uint64_t{health_.count(static_cast<HealthState>(i))});
    set_json(body.get(), "components", std::move(counts));
  }
  HttpAnswer answer = json_answer(body);
  answer.status = ready ? kHttpOk : kHttpUnavailable;
  return answer;
}

std::optional<User> Server::user_of(const HttpRequest& request, const Reply& reply) {
  const auto outcome = identity_.authenticate(offered_by(request, shared_.options.server), request.peer, read_clock());
  if (!outcome)
    reply(http_error(kHttpUnauthorized, "wants Authorization: Bearer with a valid token, or a login"));
  else if (const auto* admission = std::get_if<Admission>(&*outcome))
    return admission->user;
  else
    reply(http_refusal(std::get<Rejection>(*outcome)));
  return std::nullopt;
}

bool Server::permitted(const User& user, Right right, const HttpRequest& request, Now now) {
  if (roles_.may(user, right)) return true;
  audit_.refused({.user = user.name, .client = request.peer, .action = request.path, .subject = {}}, now);
  return false;
}

Json Server::publishing_status() const {
  Json body = publishing_json(publishing_);
  if (publish_socket_.wanted()) set_json(body.get(), "socket", publish_socket_.status());
  return body;
}

Json Server::status(Now now) const {
  const Hub& hub = shared_.hub;
  const Statistics& statistics = shared_.hub.statistics();
  Json body(json_object());
  json_t* o = body.get();
  set(o, "version", kVersion);
  set(o, "host", hub.identity().host);
  set(o, "service", hub.identity().service);
  set(o, "epoch", hub.identity().epoch);
  set(o, "offset", hub.last_offset());
  set(o, "uptime_seconds", static_cast<std::uint64_t>((now.mono_us - statistics.started_us) / 1'000'000));
  set(o, "events_emitted", statistics.events_emitted);
  set(o, "events_processed", statistics.events_processed);
  set(o, "events_filtered", statistics.events_filtered);
  set(o, "events_failed", statistics.events_failed);
  set_json(o, "events_per_second", Json(json_real(statistics.events_per_second)));
  auto dropped = statistics.dropped;
  dropped[static_cast<std::size_t>(DropReason::queue_overflow)] = channels_.statistics().dropped;
  set_json(o, "events_dropped", by_reason_json(dropped));
  set(o, "faults", hub.faults().count());
  set(o, "connections", std::uint64_t{connections_.size()});
  set(o, "connections_turned_away", turned_away_);
  set(o, "login_sessions", std::uint64_t{identity_.sessions()});
  set(o, "channels", std::uint64_t{channels_.all().size()});
  set_json(o, "delivery", delivery_json(channels_.statistics()));
  set_json(o, "alerts", escalations_.statistics_json());
  set_json(o, "webhooks", webhooks_json(webhooks_.counters(), webhooks_.pending()));
  set_json(o, "health", health_json(health_));
  if (host_summary_ != nullptr && !host_summary_->empty()) set_json(o, "named", fields_json(*host_summary_));
  set_json(o, "journal", journal_json(journal_.report(), hub.identity()));
  set_json(o, "publishing", publishing_status());
  set(o, "held_bytes", std::uint64_t{channels_.queues().held});
  set_json(o, "loop_busy_us", histogram_json(channels_.loop_busy_us()));
  const double drained = static_cast<double>(statistics.drained_events);
  const double each = drained > 0 ? static_cast<double>(statistics.drained_us) / drained : 0;
  set_json(o, "processing_us_per_event", Json(json_real(each)));
  set_json(o, "hook_ns", histogram_json(statistics.hook_ns));
  set(o, "frame_cache_bytes", std::uint64_t{channels_.queues().writer.cache().bytes()});
  set(o, "frame_cache_hits", channels_.queues().writer.cache().hits());
  Json listeners(json_array()), failing(json_array());
  for (const Listener& listener : listeners_) {
    if (listener.acceptor) {
      append(listeners.get(), json_text(listener.acceptor->bound().text()));
      continue;
    }
    Json entry(json_object());
    set(entry.get(), "address", listener.address.text());
    set(entry.get(), "fault", listener.fault);
    append(failing.get(), std::move(entry));
  }
  set_json(o, "listeners", std::move(listeners));
  set_json(o, "listeners_failing", std::move(failing));
  return body;
}

}  // namespace bindcast
