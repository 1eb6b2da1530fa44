// Open alerts and what is due for them. See alerts.hpp.
//
// An alert sits in the list of its priority, in order of age, so that the one to push out is found without a search
// when many conditions arise at once; a new occurrence of a known condition costs a key, a look-up and no allocation.
#include "plugin/delivery/alerts.hpp"

#include <algorithm>
#include <utility>

#include "events/json.hpp"
#include "plugin/delivery/alert_ends.hpp"
#include "plugin/delivery/backoff.hpp"

namespace bindcast {
namespace {

// The members of `data` that tell conditions apart. Names and addresses compare without case.
struct KeyMember {
  std::string_view name;
  bool ignore_case;
};
constexpr std::array<KeyMember, 11> kKeyMembers{{{"client", true},
                                                 {"zone", true},
                                                 {"policy_zone", true},
                                                 {"rule", true},
                                                 {"component", false},
                                                 {"server", true},
                                                 {"detector", false},
                                                 {"user", false},
                                                 {"domain", true},
                                                 {"path", false},
                                                 {"interface", false}}};

// With its length before it, so that no text can pass for another's end.
void put_text(std::string& key, std::string_view text, bool ignore_case = false) {
  for (int shift = 24; shift >= 0; shift -= 8) key.push_back(static_cast<char>(text.size() >> shift & 0xff));
  const std::size_t at = key.size();
  key.append(text);
  if (!ignore_case) return;
  for (std::size_t i = at; i < key.size(); ++i) {
    if (key[i] >= 'A' && key[i] <= 'Z') key[i] = static_cast<char>(key[i] + ('a' - 'A'));
  }
}

// The one that the documentation of `escalation` shows, without its webhook.
std::vector<EscalationStep> default_ladder() {
  using namespace std::chrono_literals;
  std::vector<EscalationStep> steps(3);
  steps[0].roles = {"operator"};
  steps[1].after = 5min;
  steps[1].repeat = true;
  steps[2].after = 15min;
  steps[2].roles = {"admin"};
  steps[2].priority = Priority::urgent;
  return steps;
}

bool does_the_same(EscalationStep a, const EscalationStep& b) {
  a.after = b.after;
  return a == b;
}

constexpr std::size_t kNoStep = static_cast<std::size_t>(-1);

// For each new step the old one that it continues, each at most once, in order.
std::vector<std::size_t> pair_steps(const std::vector<EscalationStep>& old_steps,
                                    const std::vector<EscalationStep>& new_steps) {
  std::vector<std::size_t> pairs;
  std::vector<bool> used(old_steps.size());
  for (const EscalationStep& step : new_steps) {
    std::size_t i = 0;
    while (i < old_steps.size() && (used[i] || !does_the_same(old_steps[i], step))) ++i;
    if (i < old_steps.size()) used[i] = true;
    pairs.push_back(i < old_steps.size() ? i : kNoStep);
  }
  return pairs;
}

void add_roles(std::vector<std::string>& to, const std::vector<std::string>& roles) {
  for (const std::string& role : roles) {
    if (std::find(to.begin(), to.end(), role) == to.end()) to.push_back(role);
  }
}

EventRef copy_with(const Event& event, Priority priority, std::uint32_t attempt) {
  auto copy = std::make_shared<Event>(event);
  copy->priority = priority;
  copy->attempt = attempt;
  return copy;
}

bool has_expired(const Event& event, Now now) noexcept {
  return event.expires_at_us != 0 && event.expires_at_us <= now.wall_us;
}

// The moment of expiry on the monotonic clock, as far as the wall clock can be trusted now; -1: never.
std::int64_t expiry_us(const Event& event, Now now) noexcept {
  if (event.expires_at_us == 0) return -1;
  if (has_expired(event, now)) return now.mono_us;
  return now.mono_us + (event.expires_at_us - now.wall_us);
}

}  // namespace

void alert_key(std::string& key, const Event& event, EventType type) {
  std::array<Fields::Value, kKeyMembers.size()> found{};
  for (auto value = event.data.root().first(); value; value = value.next()) {
    for (std::size_t i = 0; i < kKeyMembers.size(); ++i) {
      if (value.key() == kKeyMembers[i].name) found[i] = value;
    }
  }
  key.clear();
  key.push_back(static_cast<char>(type));
  put_text(key, event.custom_name);
  put_text(key, event.view);
  // Nobody may end, or take over, what another publisher tells of.
  if (is_published(type)) put_text(key, event.source_user_id);
  for (std::size_t i = 0; i < kKeyMembers.size(); ++i) {
    if (!found[i]) continue;
    key.push_back(static_cast<char>(i));
    key.push_back(static_cast<char>(found[i].kind()));
    if (found[i].kind() == Fields::Kind::text) {
      put_text(key, found[i].text(), kKeyMembers[i].ignore_case);
    } else {
      std::string written;
      append_json_value(written, found[i]);
      put_text(key, written);
    }
  }
}

Alerts::Alerts(std::function<double()> random) : random_(std::move(random)) {
  configure(RetryOptions{}, {});
}

// ── Rules ─────────────────────────────────────────────────────────────────────

void Alerts::configure(const RetryOptions& retry, const std::vector<EscalationStep>& steps) {
  std::vector<EscalationStep> ladder = steps.empty() ? default_ladder() : steps;
  const std::vector<std::size_t> pairs = pair_steps(ladder_, ladder);
  retry_ = retry;
  ladder_ = std::move(ladder);
  acknowledge_.reset();
  for (const Priority priority : retry.acknowledge) acknowledge_.set(static_cast<std::size_t>(priority));
  for (List& list : by_priority_) {
    for (auto alert = list.begin(); alert != list.end();) {
      const auto at = alert++;
      if (!acknowledge_[static_cast<std::size_t>(at->asked_by)]) {
        end(at, counters_.withdrawn);
        continue;
      }
      std::vector<bool> taken(ladder_.size());
      for (std::size_t i = 0; i < pairs.size(); ++i) taken[i] = pairs[i] != kNoStep && at->taken[pairs[i]];
      at->taken = std::move(taken);
      schedule(*at);
    }
  }
}

bool Alerts::wants(const Event& event) const noexcept {
  switch (event.type) {
    // An alert about an alert would never end.
    case EventType::notification_sent:
    case EventType::notification_acknowledged:
    case EventType::notification_statistics:
    case EventType::webhook_triggered:
      return false;
    default:
      return acknowledge_[static_cast<std::size_t>(event.priority)] && condition_ended_by(event) != event.type;
  }
}

bool Alerts::exhausted(const Alert& alert) const noexcept {
  return alert.repetitions >= retry_.attempts &&
         std::find(alert.taken.begin(), alert.taken.end(), false) == alert.taken.end();
}

bool Alerts::is_over(const Alert& alert, Now now) const noexcept {
  return has_expired(*alert.event, now) || (now.mono_us >= alert.first_us + kMaxAgeUs && exhausted(alert));
}

std::int64_t Alerts::next_repetition_us(const Alert& alert) const noexcept {
  return alert.sent_us + backoff_us(retry_, alert.repetitions + 1, alert.chance);
}

// Finds when there is something to do next, after any change that bears on it.
void Alerts::schedule(Alert& alert) {
  if (!alert.given_up && exhausted(alert)) {
    alert.given_up = true;
    ++counters_.given_up;
  }
  std::int64_t due = alert.expires_us;
  const auto not_after = [&due](std::int64_t at_us) { due = due < 0 ? at_us : std::min(due, at_us); };
  if (alert.repetitions < retry_.attempts) not_after(next_repetition_us(alert));
  const auto step = std::find(alert.taken.begin(), alert.taken.end(), false);
  if (step != alert.taken.end()) {
    not_after(alert.first_us + ladder_[static_cast<std::size_t>(step - alert.taken.begin())].after.count());
  }
  if (exhausted(alert)) not_after(alert.first_us + kMaxAgeUs);
  if (due_known_) {
    if (alert.due_us >= 0 && alert.due_us == due_us_) {
      due_known_ = false;
    } else if (due_us_ < 0 || due < due_us_) {
      due_us_ = due;
    }
  }
  alert.due_us = due;
}

// ── Occurrences ───────────────────────────────────────────────────────────────

void Alerts::occurred(const EventRef& event, Now now) {
  if (!wants(*event)) return;
  alert_key(key_, *event, event->type);
  auto known = by_key_.find(key_);
  if (known != by_key_.end() && is_over(*known->second, now)) {
    end(known->second, counters_.expired);
    known = by_key_.end();
  }
  if (known != by_key_.end()) {
    ++counters_.joined;
    take_occurrence(known->second, event, now);
  } else {
    ++counters_.opened;
    take_occurrence(open_alert(event->priority, now), event, now);
  }
  push_out_excess();
}

Alerts::List::iterator Alerts::open_alert(Priority priority, Now now) {
  List& list = by_priority_[static_cast<std::size_t>(priority)];
  List made(1);  // in its place once nothing can fail any more
  const auto alert = made.begin();
  alert->asked.reserve(1);
  alert->key = key_;
  alert->priority = priority;
  alert->first_us = alert->sent_us = now.mono_us;
  alert->chance = random_();
  alert->taken.resize(ladder_.size());
  by_key_.emplace(alert->key, alert);
  list.splice(list.end(), made);
  bytes_ += alert->key.size();
  return alert;
}

void Alerts::take_occurrence(List::iterator alert, const EventRef& event, Now now) {
  if (alert->asked.empty()) alert->asked.push_back(event->offset);
  alert->latest[alert->occurrences++ % kLatestOffsets] = event->offset;
  alert->asked_by = event->priority;
  set_event(*alert, event);
  if (event->priority > alert->priority) raise(alert, event->priority);
  const std::int64_t expires_us = expiry_us(*event, now);
  if (alert->due_us >= 0 && expires_us == alert->expires_us) return;
  alert->expires_us = expires_us;
  schedule(*alert);
}

void Alerts::set_event(Alert& alert, EventRef event) {
  bytes_ -= alert.event_bytes;
  alert.event_bytes = event->bytes();
  bytes_ += alert.event_bytes;
  alert.event = std::move(event);
}

void Alerts::raise(List::iterator alert, Priority priority) {
  List& from = by_priority_[static_cast<std::size_t>(alert->priority)];
  List& to = by_priority_[static_cast<std::size_t>(priority)];
  auto place = to.end();
  while (place != to.begin() && std::prev(place)->asked.front() > alert->asked.front()) --place;
  to.splice(place, from, alert);
  alert->priority = priority;
}

void Alerts::push_out_excess() {
  while (open() > kMaxOpen || bytes_ > kMaxBytes) {
    const auto list = std::find_if(by_priority_.begin(), by_priority_.end(), [](const List& l) { return !l.empty(); });
    ++counters_.pushed_out;
    end(list->begin(), counters_.given_up);
  }
}

// An alert that was given up is counted as that already.
void Alerts::end(List::iterator alert, std::uint64_t& counter) {
  if (!alert->given_up) ++counter;
  if (alert->due_us == due_us_) due_known_ = false;
  bytes_ -= alert->event_bytes + alert->key.size();
  by_key_.erase(alert->key);
  by_priority_[static_cast<std::size_t>(alert->priority)].erase(alert);
}

// ── What is due ───────────────────────────────────────────────────────────────

std::int64_t Alerts::due_us() const noexcept {
  if (!due_known_) {
    due_us_ = -1;
    for (const List& list : by_priority_) {
      for (const Alert& alert : list) due_us_ = due_us_ < 0 ? alert.due_us : std::min(due_us_, alert.due_us);
    }
    due_known_ = true;
  }
  return due_us_;
}

std::vector<Alerts::Action> Alerts::due(Now now) {
  std::vector<Action> actions;
  if (due_us() < 0 || due_us() > now.mono_us) return actions;
  // Downwards, so that an alert which is raised meanwhile is not met again.
  for (auto list = by_priority_.rbegin(); list != by_priority_.rend(); ++list) {
    for (auto alert = list->begin(); alert != list->end();) {
      const auto at = alert++;
      if (at->due_us > now.mono_us) continue;
      if (is_over(*at, now)) {
        end(at, counters_.expired);
      } else if (auto action = act(at, now)) {
        actions.push_back(std::move(*action));
      }
    }
  }
  return actions;
}

std::optional<Priority> Alerts::take_steps(Alert& alert, Action& action, Now now) {
  std::optional<Priority> priority;
  for (std::size_t i = 0; i < ladder_.size(); ++i) {
    const EscalationStep& step = ladder_[i];
    if (alert.taken[i] || alert.first_us + step.after.count() > now.mono_us) continue;
    alert.taken[i] = true;
    action.steps.push_back(i);
    add_roles(action.roles, step.roles);
    priority = std::max(priority, step.priority);
    // A raised priority that nobody hears of would be for nothing.
    if (step.repeat || (step.priority && step.roles.empty())) {
      action.to = Action::To::everybody;
    } else if (step.after.count() > 0 && action.to == Action::To::newcomers) {
      action.to = Action::To::roles;
    }
  }
  counters_.escalated += action.steps.size();
  return priority;
}

std::optional<Alerts::Action> Alerts::act(List::iterator alert, Now now) {
  Action action;
  action.to = Action::To::newcomers;
  if (const auto priority = take_steps(*alert, action, now); priority > alert->priority) raise(alert, *priority);
  if (alert->repetitions < retry_.attempts && next_repetition_us(*alert) <= now.mono_us) {
    action.repetition = ++alert->repetitions;
    action.to = Action::To::everybody;
    alert->sent_us = now.mono_us;
    alert->chance = random_();
    ++counters_.resent;
  }
  alert->expires_us = expiry_us(*alert->event, now);
  schedule(*alert);
  if (action.repetition == 0 && action.steps.empty()) return std::nullopt;

  add_roles(alert->roles, action.roles);
  if (action.to == Action::To::everybody) action.roles = alert->roles;
  const bool as_emitted = alert->event->attempt == 1 && alert->event->priority == alert->priority;
  if (action.to == Action::To::newcomers && !as_emitted) action.to = Action::To::roles;
  const bool again = action.sends() && action.to != Action::To::newcomers;
  if (again || alert->event->priority != alert->priority) {
    set_event(*alert, copy_with(*alert->event, alert->priority, alert->event->attempt + (again ? 1 : 0)));
  }
  if (alert->asked.back() != alert->event->offset) {
    if (alert->asked.size() == kAskedOffsets) alert->asked.erase(alert->asked.begin() + 1);
    alert->asked.push_back(alert->event->offset);
  }
  action.event = alert->event;
  action.alert = alert->asked.front();
  action.occurrences = alert->occurrences;
  action.open_for_us = now.mono_us - alert->first_us;
  return action;
}

// ── Acknowledgement and recovery ──────────────────────────────────────────────

Alerts::Ended Alerts::told_of(const Alert& alert, Now now) const {
  Ended told;
  told.offsets = alert.asked;
  const auto kept = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(alert.occurrences, kLatestOffsets));
  told.offsets.insert(told.offsets.end(), alert.latest.begin(), alert.latest.begin() + kept);
  std::sort(told.offsets.begin(), told.offsets.end());
  told.offsets.erase(std::unique(told.offsets.begin(), told.offsets.end()), told.offsets.end());
  told.event = alert.event;
  told.roles = alert.roles;
  for (std::size_t i = 0; i < ladder_.size(); ++i) {
    const EscalationStep& step = ladder_[i];
    if (alert.taken[i] && !step.webhook_url.empty()) {
      told.posted.push_back({.step = i, .url = step.webhook_url, .secret_file = step.webhook_secret_file});
    }
  }
  told.occurrences = alert.occurrences;
  told.open_for_us = now.mono_us - alert.first_us;
  return told;
}

std::optional<Alerts::Ended> Alerts::close(List::iterator alert, std::uint64_t& counter, std::uint64_t& late, Now now) {
  if (alert == by_priority_.front().end()) return std::nullopt;
  if (is_over(*alert, now)) {
    end(alert, counters_.expired);
    return std::nullopt;
  }
  Ended told = told_of(*alert, now);
  ++counter;
  if (alert->given_up) ++late;
  std::uint64_t counted_above = 0;
  end(alert, counted_above);
  return told;
}

std::optional<Alerts::Ended> Alerts::acknowledge(std::uint64_t offset, Now now) {
  auto told = close(find(offset), counters_.acknowledged, counters_.acknowledged_late, now);
  if (!told) return std::nullopt;
  counters_.acknowledged_sum_us += told->open_for_us;
  counters_.acknowledged_most_us = std::max(counters_.acknowledged_most_us, told->open_for_us);
  return told;
}

std::optional<Alerts::Ended> Alerts::resolve(const Event& event, Now now) {
  const auto condition = condition_ended_by(event);
  if (!condition) return std::nullopt;
  alert_key(key_, event, *condition);
  const auto known = by_key_.find(key_);
  if (known == by_key_.end()) return std::nullopt;
  return close(known->second, counters_.resolved, counters_.resolved_late, now);
}

Alerts::List::iterator Alerts::find(std::uint64_t offset) {
  const auto has_offset = [offset](const Alert& alert) {
    return std::find(alert.latest.begin(), alert.latest.end(), offset) != alert.latest.end() ||
           std::find(alert.asked.begin(), alert.asked.end(), offset) != alert.asked.end();
  };
  if (offset != 0) {  // which marks unused places
    for (List& list : by_priority_) {
      const auto found = std::find_if(list.begin(), list.end(), has_offset);
      if (found != list.end()) return found;
    }
  }
  return by_priority_.front().end();
}

EventRef Alerts::event_of(std::uint64_t offset) {
  const auto alert = find(offset);
  return alert == by_priority_.front().end() ? nullptr : alert->event;
}

void Alerts::for_each_open(const std::function<void(const Open&)>& callback) const {
  for (auto list = by_priority_.rbegin(); list != by_priority_.rend(); ++list) {
    for (const Alert& alert : *list) {
      const bool raised = alert.event->priority != alert.priority;
      callback({.event = raised ? copy_with(*alert.event, alert.priority, alert.event->attempt) : alert.event,
                .roles = alert.roles,
                .taken = alert.taken,
                .alert = alert.asked.front(),
                .occurrences = alert.occurrences,
                .first_us = alert.first_us,
                .given_up = alert.given_up});
    }
  }
}

}  // namespace bindcast
