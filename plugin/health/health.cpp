#include "plugin/health/health.hpp"

#include <algorithm>
#include <utility>

namespace bindcast {

void Health::report(std::string_view component, HealthState state, std::string_view reason, Now now) {
  auto found = components_.find(component);
  if (found == components_.end()) {
    found = components_.emplace(std::string(component), Component{}).first;
    found->second.since_wall_us = now.wall_us;
  }
  Component& known = found->second;
  known.reason = reason;
  const HealthState before = std::exchange(known.state, state);
  if (before == state) return;
  known.since_wall_us = now.wall_us;

  Event event = make_event(EventType::health_alert);
  event.source_component = "health";
  event.data.add("component", component);
  event.data.add("state", kHealthStateNames[static_cast<std::size_t>(state)]);
  event.data.add("before", kHealthStateNames[static_cast<std::size_t>(before)]);
  if (!reason.empty()) event.data.add("reason", reason);
  hub_.emit(std::move(event), now);
}

void Health::forget(std::string_view component) {
  if (const auto found = components_.find(component); found != components_.end()) components_.erase(found);
}

HealthState Health::worst() const noexcept {
  HealthState worst = HealthState::healthy;
  for (const auto& entry : components_) worst = std::max(worst, entry.second.state);
  return worst;
}

}  // namespace bindcast
