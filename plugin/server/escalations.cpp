#include "plugin/server/escalations.hpp"

#include <algorithm>
#include <utility>

#include "plugin/server/session.hpp"

namespace bindcast {

namespace {

constexpr std::int64_t kStatisticsEveryUs = 60'000'000;
// In one answer, which waits with others of at most 1 MiB for its client, and holds up the loop while it is made.
constexpr std::size_t kMostAlertsTold = 200;
constexpr std::size_t kMostBytesTold = std::size_t{256} * 1024;

std::int64_t seconds(std::int64_t us) {
  return us / 1'000'000;
}

bool has_any_role(const Session& session, const std::vector<std::string>& roles) {
  return std::ranges::any_of(roles, [&](const std::string& role) { return session.has_role(role); });
}

// Events of queries, and what is counted of them, are made only when somebody wants them; an alert about one is
// possible only where the configuration gives the type such a priority.
bool may_ask(EventType type, const Options& options) {
  using enum EventType;
  if (type != dns_query_log && type != dns_query_failed && type != dns_analytics_update) return true;
  const auto change = options.events.types.find(type);
  const Priority priority = change == options.events.types.end()
                                ? type_info(type).priority
                                : change->second.priority.value_or(type_info(type).priority);
  return std::ranges::find(options.retry.acknowledge, priority) != options.retry.acknowledge.end();
}

}  // namespace

Escalations::Escalations(Hub& hub, const Options& options, Ways ways, std::function<double()> random)
    : hub_(hub), ways_(std::move(ways)), alerts_(std::move(random)) {
  needs_events = true;
  hub_.add_subscriber(*this);
  configure(options);
}

Escalations::~Escalations() {
  hub_.remove_subscriber(*this);
}

void Escalations::configure(const Options& options) {
  alerts_.configure(options.retry, options.escalation);
  subscriptions.clear();
  if (!options.retry.acknowledge.empty()) {
    Subscription& wanted = subscriptions.emplace_back();
    for (std::size_t i = 0; i < kEventTypeCount; ++i) wanted.types.set(i, may_ask(static_cast<EventType>(i), options));
    wanted.min_priority = *std::ranges::min_element(options.retry.acknowledge);
  }
  hub_.subscriptions_changed();
}

void Escalations::deliver(const EncodedRef& event, Now now) {
  alerts_.occurred(event->event, now);
}

std::int64_t Escalations::due_us() const noexcept {
  return std::max<std::int64_t>(alerts_.due_us(), 0);
}

void Escalations::run(Now now) {
  const std::int64_t due = due_us();
  if (due == 0 || due > now.mono_us) return;
  for (const Alerts::Action& action : alerts_.due(now)) hub_.faults().contain([&] { perform(action, now); });
}

EventForms Escalations::forms_of(const EventRef& event, Now now) {
  return {hub_.encoder(), hub_.masker(), *event, event, now};
}

void Escalations::perform(const Alerts::Action& action, Now now) {
  std::uint64_t clients = 0;
  if (action.sends()) {
    const EventRef event = hub_.as_masked_now(action.event, now);
    EventForms forms = forms_of(event, now);
    ways_.each_session([&](Session& session) {
      const auto clearness = session.look(*event);
      if (!clearness) return;
      EventForms::Form& form = forms.masked(*clearness);
      const bool subscribed = session.subscribed_to(*form.event);
      const bool has_role = has_any_role(session, action.roles);
      using enum Alerts::Action::To;
      if (!(action.to == everybody ? subscribed || has_role : action.to == roles ? has_role : has_role && !subscribed))
        return;
      session.send_again(forms.encoded(form), now);
      ++clients;
    });
  }
  for (const std::size_t step : action.steps) {
    if (!alerts_.ladder()[step].webhook_url.empty()) post(action, step, now);
    notify(action, step, clients, now);
  }
}

void Escalations::notify(const Alerts::Action& action, std::size_t step, std::uint64_t clients, Now now) {
  const EscalationStep& taken = alerts_.ladder()[step];
  Event event = make_event(EventType::notification_sent);
  event.source_component = "escalation";
  event.correlation_id = action.event->correlation_id;
  Fields& data = event.data;
  data.add("alert", event_id(hub_.identity(), action.alert));
  data.add("event", event_id(hub_.identity(), action.event->offset));
  data.add("event_type", to_text(action.event->type));
  data.add("event_priority", to_text(action.event->priority));
  data.add_integer("step", static_cast<std::int64_t>(step) + 1);
  data.add_integer("after_seconds", seconds(taken.after.count()));
  data.begin_array("roles");
  for (const std::string& role : taken.roles) data.add({}, role);
  data.end();
  data.add_boolean("repeat", taken.repeat);
  data.add_boolean("webhook", !taken.webhook_url.empty());
  data.add_integer("clients", static_cast<std::int64_t>(clients));
  data.add_integer("occurrences", static_cast<std::int64_t>(action.occurrences));
  data.add_integer("open_for_seconds", seconds(action.open_for_us));
  hub_.emit(std::move(event), now);
}

std::string Escalations::webhook_id(std::uint64_t alert, std::size_t step) const {
  return event_id(hub_.identity(), alert) + "." + std::to_string(step + 1);
}

void Escalations::post(const Alerts::Action& action, std::size_t step, Now now) {
  const EscalationStep& taken = alerts_.ladder()[step];
  Json data(json_object());
  set(data.get(), "alert", event_id(hub_.identity(), action.alert));
  set(data.get(), "step", std::uint64_t{step + 1});
  set(data.get(), "occurrences", action.occurrences);
  set(data.get(), "open_for_seconds", static_cast<std::uint64_t>(seconds(action.open_for_us)));
  const EventRef event = hub_.as_masked_now(action.event, now);
  const EncodedRef encoded = hub_.encoder().encode(*event, event);
  json_error_t fault;
  set_json(data.get(), "event", parse_json(encoded->json(), JSON_ALLOW_NUL, fault));
  const WebhookPost made{.url = taken.webhook_url,
                         .secret_file = taken.webhook_secret_file,
                         .id = webhook_id(action.alert, step),
                         .body = server_message("alert", now, {}, data)};
  if (ways_.post(made, now)) return;
  webhook_told({.id = made.id, .target = {}, .fault = "too many webhooks wait already", .final = true}, now);
}

void Escalations::webhook_told(const WebhookOutcome& outcome, Now now) {
  Event event = make_event(EventType::webhook_triggered);
  event.source_component = "escalation";
  if (!outcome.delivered) event.severity = Severity::warning;
  event.data.add("id", outcome.id);
  event.data.add("target", outcome.target);
  event.data.add_integer("attempt", outcome.attempt);
  if (outcome.status != 0) event.data.add_integer("status", outcome.status);
  event.data.add_boolean("delivered", outcome.delivered);
  event.data.add_boolean("final", outcome.final);
  if (!outcome.fault.empty()) event.data.add("fault", outcome.fault);
  hub_.emit(std::move(event), now);
}

void Escalations::welcome(Session& session, const Subscription* made, Now now) {
  std::vector<EncodedRef> meant;
  alerts_.for_each_open([&](const Alerts::Open& open) {
    if (open.given_up) return;
    const EventRef event = hub_.as_masked_now(open.event, now);
    const auto clearness = session.look(*event);
    if (!clearness) return;
    EventForms forms = forms_of(event, now);
    EventForms::Form& form = forms.masked(*clearness);
    // By its role it got it when it came; by its subscription only now.
    const bool by_role = has_any_role(session, open.roles);
    if (made == nullptr ? by_role : !by_role && made->matches(*form.event, hub_.identity()))
      meant.push_back(forms.encoded(form));
  });
  for (const EncodedRef& event : meant) session.send_again(event, now);
}

std::vector<std::uint64_t> Escalations::acknowledge(const std::vector<std::uint64_t>& offsets, Session& by,
                                                    std::string_view note, Now now) {
  // What the session may not see is as unknown to it as what is not there, so that is looked at first.
  std::vector<std::uint64_t> unknown;
  std::vector<std::uint64_t> ended;
  for (const std::uint64_t offset : offsets) {
    if (std::ranges::find(ended, offset) != ended.end()) continue;
    const EventRef meant = alerts_.event_of(offset);
    const auto done = meant && by.look(*meant) ? alerts_.acknowledge(offset, now) : std::nullopt;
    if (!done) {
      unknown.push_back(offset);
      continue;
    }
    ended.insert(ended.end(), done->offsets.begin(), done->offsets.end());
    for (std::size_t step = 0; step < alerts_.ladder().size(); ++step)
      if (!alerts_.ladder()[step].webhook_url.empty()) ways_.cancel(webhook_id(done->offsets.front(), step));

    Json data(json_object());
    Json ids(json_array());
    for (const std::uint64_t one : done->offsets) append(ids.get(), json_text(event_id(hub_.identity(), one)));
    set_json(data.get(), "ids", std::move(ids));
    set(data.get(), "by", by.user_name());
    if (!note.empty()) set(data.get(), "note", note);
    set(data.get(), "event_type", to_text(done->event->type));
    set(data.get(), "open_for_seconds", static_cast<std::uint64_t>(seconds(done->open_for_us)));
    const std::string text = server_message("acknowledged", now, {}, data);
    ways_.each_session([&](Session& session) {
      if (&session != &by && session.look(*done->event)) session.tell(text);
    });

    Event event = make_event(EventType::notification_acknowledged);
    event.source_component = "escalation";
    event.source_user_id = by.user_name();
    event.correlation_id = done->event->correlation_id;
    event.data.add("alert", event_id(hub_.identity(), done->offsets.front()));
    event.data.add("event", event_id(hub_.identity(), done->event->offset));
    event.data.add("event_type", to_text(done->event->type));
    event.data.add("by", by.user_name());
    if (!note.empty()) event.data.add("note", note);
    event.data.add_integer("occurrences", static_cast<std::int64_t>(done->occurrences));
    event.data.add_integer("open_for_seconds", seconds(done->open_for_us));
    hub_.emit(std::move(event), now);
  }
  return unknown;
}

Json Escalations::alerts_json(const Session& session, Now now) {
  Json list(json_array());
  std::size_t bytes = 0;
  std::uint64_t left_out = 0;
  alerts_.for_each_open([&](const Alerts::Open& open) {
    const EventRef event = hub_.as_masked_now(open.event, now);
    const auto clearness = session.look(*event);
    if (!clearness) return;
    if (json_array_size(list.get()) == kMostAlertsTold || bytes >= kMostBytesTold) {
      ++left_out;
      return;
    }
    EventForms forms = forms_of(event, now);
    const EncodedRef encoded = forms.encoded(forms.masked(*clearness));
    bytes += encoded->json().size();
    Json entry(json_object());
    set(entry.get(), "alert", event_id(hub_.identity(), open.alert));
    json_error_t fault;
    set_json(entry.get(), "event", parse_json(encoded->json(), JSON_ALLOW_NUL, fault));
    set(entry.get(), "occurrences", open.occurrences);
    set(entry.get(), "open_for_seconds", static_cast<std::uint64_t>(seconds(now.mono_us - open.first_us)));
    Json taken(json_array());
    for (std::size_t i = 0; i < open.taken.size(); ++i)
      if (open.taken[i]) append(taken.get(), Json(json_integer(static_cast<json_int_t>(i) + 1)));
    set_json(entry.get(), "steps", std::move(taken));
    set_json(entry.get(), "given_up", Json(json_boolean(open.given_up)));
    append(list.get(), std::move(entry));
  });
  Json ladder(json_array());
  for (const EscalationStep& step : alerts_.ladder()) {
    Json entry(json_object());
    set(entry.get(), "after_seconds", static_cast<std::uint64_t>(seconds(step.after.count())));
    Json roles(json_array());
    for (const std::string& role : step.roles) append(roles.get(), json_text(role));
    set_json(entry.get(), "roles", std::move(roles));
    set_json(entry.get(), "repeat", Json(json_boolean(step.repeat)));
    set_json(entry.get(), "webhook", Json(json_boolean(!step.webhook_url.empty())));
    if (step.priority) set(entry.get(), "priority", to_text(*step.priority));
    append(ladder.get(), std::move(entry));
  }
  Json data(json_object());
  set_json(data.get(), "alerts", std::move(list));
  set(data.get(), "left_out", left_out);
  set_json(data.get(), "escalation", std::move(ladder));
  return data;
}

Json Escalations::statistics_json() const {
  const Alerts::Counters& counters = alerts_.counters();
  Json object(json_object());
  json_t* o = object.get();
  set(o, "open", std::uint64_t{alerts_.open()});
  set(o, "opened", counters.opened);
  set(o, "occurrences", counters.opened + counters.joined);
  set(o, "acknowledged", counters.acknowledged);
  set(o, "expired", counters.expired);
  set(o, "given_up", counters.given_up);
  set(o, "pushed_out", counters.pushed_out);
  set(o, "sent_again", counters.resent);
  set(o, "escalated", counters.escalated);
  set(o, "acknowledged_mean_ms", static_cast<std::uint64_t>(counters.acknowledged_mean_us() / 1000));
  set(o, "acknowledged_max_ms", static_cast<std::uint64_t>(counters.acknowledged_most_us / 1000));
  return object;
}

void Escalations::tick(Now now) {
  if (now.mono_us < statistics_due_us_) return;
  statistics_due_us_ = now.mono_us + kStatisticsEveryUs;
  const Json counters = statistics_json();
  std::string text = dump(counters.get());
  if (alerts_.counters().opened == 0 || text == told_statistics_) return;
  told_statistics_ = std::move(text);
  Event event = make_event(EventType::notification_statistics);
  event.source_component = "escalation";
  const char* key = nullptr;
  json_t* value = nullptr;
  json_object_foreach(counters.get(), key, value) event.data.add_integer(key, json_integer_value(value));
  hub_.emit(std::move(event), now);
}

}  // namespace bindcast
