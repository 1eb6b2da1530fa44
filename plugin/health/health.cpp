#include "plugin/health/health.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "events/timestamp.hpp"

namespace bindcast {

namespace {

// Without these the stream is not what it promises.
constexpr std::array<std::string_view, 3> kEssential = {"capture", "journal", "listener"};

void add_time(Fields& data, Fields::Key key, std::int64_t wall_us) {
  std::string text;
  append_timestamp(text, wall_us);
  data.add(key, text);
}

void describe(Fields& data, const Health::Components::value_type& component) {
  const auto& [name, known] = component;
  data.add("component", name);
  data.add("state", to_text(known.state));
  if (!known.reason.empty()) data.add("reason", known.reason);
  add_time(data, "since", known.since_wall_us);
  if (known.attempts != 0) data.add_integer("attempts", known.attempts);
  if (known.next_attempt_wall_us != 0) add_time(data, "next_attempt", known.next_attempt_wall_us);
  if (known.relapses != 0) data.add_integer("relapses", known.relapses);
}

}  // namespace

void Health::report(std::string_view component, HealthState state, std::string_view reason, Now now,
                    RecoveryAttempts attempts) {
  tell_gone(now);  // or the end of what was would come after the beginning of what is
  auto found = components_.find(component);
  if (found == components_.end()) {
    found = components_.emplace(std::string(component), Component{}).first;
    found->second.since_wall_us = now.wall_us;
    changed_ = true;
  }
  Component& known = found->second;
  if (state < known.state) {
    if (known.better_since_us == 0) {
      known.better_since_us = now.mono_us;
      known.better = HealthState::healthy;
      known.better_reason.clear();
    }
    if (state >= known.better) known.better_reason = reason;
    known.better = std::max(known.better, state);
    return;
  }
  known.better_since_us = 0;
  known.reason = reason;
  known.attempts = attempts.count;
  known.next_attempt_wall_us = attempts.next_us == 0 ? 0 : now.wall_us + attempts.next_us - now.mono_us;
  if (state > known.state) turn(*found, state, now);
}

void Health::forget(std::string_view component) {
  const auto found = components_.find(component);
  if (found == components_.end()) return;
  if (found->second.state != HealthState::healthy) gone_.insert_or_assign(found->first, found->second.state);
  components_.erase(found);
  changed_ = true;
}

void Health::tick(Now now) {
  tell_gone(now);
  for (auto& component : components_) {
    Component& known = component.second;
    if (known.better_since_us == 0 || now.mono_us - known.better_since_us < recovery_us(known)) continue;
    known.better_since_us = 0;
    known.reason = std::move(known.better_reason);
    known.attempts = 0;
    known.next_attempt_wall_us = 0;
    turn(component, known.better, now);
  }
  if (changed_ || updated_us_ == 0 || now.mono_us - updated_us_ >= options_.interval.count()) update(now);
}

std::int64_t Health::recovery_us(const Component& component) const noexcept {
  std::int64_t wait_us = options_.recovery.count();
  for (std::uint32_t i = 0; i < component.relapses && wait_us < kMostRecoveryUs; ++i) wait_us *= 2;
  return component.relapses == 0 ? wait_us : std::min(wait_us, std::max(kMostRecoveryUs, options_.recovery.count()));
}

void Health::turn(Components::value_type& component, HealthState to, Now now) {
  Component& known = component.second;
  const HealthState before = std::exchange(known.state, to);
  known.since_wall_us = now.wall_us;
  if (to == HealthState::healthy) {
    known.healthy_at_us = now.mono_us;
  } else if (before == HealthState::healthy) {
    const bool relapse = known.healthy_at_us != 0 && now.mono_us - known.healthy_at_us < kFlapWindowUs;
    known.relapses = relapse ? known.relapses + 1 : 0;
  }
  changed_ = true;
  alert(component, before, now);
}

void Health::alert(const Components::value_type& component, HealthState before, Now now) {
  Event event = make_event(EventType::health_alert);
  event.source_component = "health";
  switch (component.second.state) {
    case HealthState::healthy:
      event.priority = Priority::normal;
      event.severity = Severity::info;
      break;
    case HealthState::degraded:
      event.priority = Priority::high;
      event.severity = Severity::warning;
      break;
    case HealthState::unhealthy:  // as the table has it
      break;
  }
  describe(event.data, component);
  event.data.add("before", to_text(before));
  hub_.emit(std::move(event), now);
}

// Nobody will say that it is healthy again.
void Health::tell_gone(Now now) {
  for (const auto& [component, before] : std::exchange(gone_, {})) {
    Event event = make_event(EventType::health_alert);
    event.source_component = "health";
    event.priority = Priority::normal;
    event.severity = Severity::info;
    event.data.add("component", component);
    event.data.add("state", "removed");
    event.data.add("before", to_text(before));
    hub_.emit(std::move(event), now);
  }
}

void Health::update(Now now) {
  changed_ = false;
  updated_us_ = now.mono_us;
  Event event = make_event(EventType::health_update);
  event.source_component = "health";
  event.data.add("state", to_text(worst()));
  for (std::size_t i = 0; i < std::size(kHealthStateNames); ++i)
    event.data.add_integer(kHealthStateNames[i], static_cast<std::int64_t>(count(static_cast<HealthState>(i))));
  event.data.begin_array("components");
  for (const auto& component : components_) {
    event.data.begin_object({});
    describe(event.data, component);
    event.data.end();
  }
  event.data.end();
  hub_.emit(std::move(event), now);
}

HealthState Health::worst() const noexcept {
  HealthState worst = HealthState::healthy;
  for (const auto& entry : components_) worst = std::max(worst, entry.second.state);
  return worst;
}

bool Health::ready() const noexcept {
  return std::ranges::none_of(kEssential, [this](std::string_view name) {
    const auto found = components_.find(name);
    return found != components_.end() && found->second.state == HealthState::unhealthy;
  });
}

std::size_t Health::count(HealthState state) const noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(components_, [state](const auto& entry) { return entry.second.state == state; }));
}

void Health::write_metrics(MetricsText& text) const {
  text.family(MetricsText::Kind::gauge, "health_component_state", "0: healthy, 1: degraded, 2: unhealthy.");
  for (const auto& [name, known] : components_)
    text.sample(static_cast<std::uint64_t>(known.state), {{"component", name}});
  text.family(MetricsText::Kind::gauge, "health_component_attempts",
              "How often a component that fails has tried to recover by itself.");
  for (const auto& [name, known] : components_) text.sample(std::uint64_t{known.attempts}, {{"component", name}});
}

}  // namespace bindcast
