// The health of every component: a state with its reason, and since when. Who has a component reports what it sees, as
// often as it likes; what changes is told as health_alert, all of it as health_update. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "plugin/clock.hpp"
#include "plugin/hub/hub.hpp"

namespace bindcast {

enum class HealthState : std::uint8_t { healthy, degraded, unhealthy };
inline constexpr std::string_view kHealthStateNames[] = {"healthy", "degraded", "unhealthy"};

class Health {
 public:
  struct Component {
    HealthState state = HealthState::healthy;
    std::string reason;  // why it is not healthy
    std::int64_t since_wall_us = 0;
  };

  explicit Health(Hub& hub) : hub_(hub) {}

  // What `component` ("listener", "journal", "forwarder 192.0.2.1"…) is now.
  void report(std::string_view component, HealthState state, std::string_view reason, Now now);
  // It is no more: its options took it away.
  void forget(std::string_view component);
  [[nodiscard]] const std::map<std::string, Component, std::less<>>& components() const noexcept { return components_; }
  [[nodiscard]] HealthState worst() const noexcept;

 private:
  Hub& hub_;
  std::map<std::string, Component, std::less<>> components_;
};

}  // namespace bindcast
