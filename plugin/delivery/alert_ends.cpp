#include "plugin/delivery/alert_ends.hpp"

#include <algorithm>
#include <string_view>

namespace bindcast {

namespace {

struct AlertEnd {
  EventType told_by;
  std::string_view member, value;  // what its data says; empty: its type alone says it
  EventType condition;
};

using enum EventType;
constexpr AlertEnd kAlertEnds[] = {
    {health_alert, "state", "healthy", health_alert},
    {health_alert, "state", "removed", health_alert},
    {performance_alert, "state", "cleared", performance_alert},
    {forwarder_status_change, "after", "up", forwarder_status_change},
    {forwarder_status_change, "after", "unknown", forwarder_status_change},
    {zone_loaded, {}, {}, zone_expired},
    {zone_deleted, {}, {}, zone_expired},
};

bool says(const Event& event, std::string_view member, std::string_view value) {
  return event.data.find(member).text() == value;
}

}  // namespace

bool is_published(EventType type) noexcept {
  return type_info(type).origin == Origin::published;
}

std::optional<EventType> condition_ended_by(const Event& event) {
  // Whoever publishes an alert says himself that it is over, by another event of the same type; nobody else can,
  // because alert_key tells publishers apart.
  if (is_published(event.type)) return says(event, "state", "resolved") ? std::optional(event.type) : std::nullopt;
  const auto* const end = std::ranges::find_if(kAlertEnds, [&](const AlertEnd& one) {
    return one.told_by == event.type && (one.member.empty() || says(event, one.member, one.value));
  });
  return end == std::end(kAlertEnds) ? std::nullopt : std::optional(end->condition);
}

std::bitset<kEventTypeCount> types_that_end() {
  std::bitset<kEventTypeCount> types;
  for (std::size_t i = 0; i < kEventTypeCount; ++i) types.set(i, is_published(static_cast<EventType>(i)));
  for (const AlertEnd& end : kAlertEnds) types.set(static_cast<std::size_t>(end.told_by));
  return types;
}

}  // namespace bindcast
