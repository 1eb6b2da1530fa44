// Which events say that the condition of an alert is over: the one table of it. Pure.
//
// What somebody should look at, however it went on, has no end here: a blocked query, a detector's finding whose attack
// is over, a failed login.
#pragma once

#include <bitset>
#include <optional>

#include "events/event.hpp"

namespace bindcast {

// Events of this type are told by publishers alone (but for an admin, who may publish every type).
[[nodiscard]] bool is_published(EventType type) noexcept;
// The type of the events that told of the condition, which is over if they name the same things as this event
// (alert_key). None: the event ends nothing.
[[nodiscard]] std::optional<EventType> condition_ended_by(const Event& event);
// The types of all events that may end something.
[[nodiscard]] std::bitset<kEventTypeCount> types_that_end();

}  // namespace bindcast
