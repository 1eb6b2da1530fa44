// The health of every component: a state with its reason, and since when. Who has a component reports what it sees, as
// often as it likes; what changes is told as health_alert, all of it as health_update.
//
// A component that flaps is no storm of alerts: a turn for the worse is told at once, one for the better only when the
// component has been better all through health.recovery. A relapse within kFlapWindowUs doubles that wait, up to
// kMostRecoveryUs, so that n alerts take a time that grows with 2^n. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "config/options.hpp"
#include "plugin/clock.hpp"
#include "plugin/hub/hub.hpp"
#include "plugin/metrics/metrics.hpp"

namespace bindcast {

enum class HealthState : std::uint8_t { healthy, degraded, unhealthy };
inline constexpr std::string_view kHealthStateNames[] = {"healthy", "degraded", "unhealthy"};
[[nodiscard]] constexpr std::string_view to_text(HealthState state) noexcept {
  return kHealthStateNames[static_cast<std::size_t>(state)];
}

// What a component does about its failing by itself.
struct RecoveryAttempts {
  std::uint32_t count = 0;   // so far, since it fails
  std::int64_t next_us = 0;  // when the next one is due, monotonic; 0: none is
};

class Health {
 public:
  static constexpr std::int64_t kFlapWindowUs = 300'000'000;
  static constexpr std::int64_t kMostRecoveryUs = 300'000'000;

  struct Component {
    HealthState state = HealthState::healthy;  // as it is told
    std::string reason;                        // why it is not healthy, as reported last
    std::int64_t since_wall_us = 0;
    std::uint32_t attempts = 0;
    std::int64_t next_attempt_wall_us = 0;  // 0: none is due
    std::uint32_t relapses = 0;             // in a row, each within the window

   private:
    friend class Health;
    std::int64_t better_since_us = 0;  // monotonic: it is reported better than `state` since then; 0: it is not
    HealthState better = HealthState::healthy;  // the worst reported meanwhile
    std::string better_reason;
    std::int64_t healthy_at_us = 0;  // monotonic: when it was told to be healthy again; 0: never
  };
  using Components = std::map<std::string, Component, std::less<>>;

  explicit Health(Hub& hub) : hub_(hub) {}

  void configure(const HealthOptions& options) { options_ = options; }
  // What `component` ("listener", "journal", "forwarder 192.0.2.1"…) is now.
  void report(std::string_view component, HealthState state, std::string_view reason, Now now,
              RecoveryAttempts attempts = {});
  // It is no more: its options took it away. Where it was not healthy, that is told with the next report or tick.
  void forget(std::string_view component);
  // Once a second: recoveries that have lasted, and health_update.
  void tick(Now now);

  [[nodiscard]] const Components& components() const noexcept { return components_; }
  [[nodiscard]] HealthState worst() const noexcept;
  // Can Bindcast do what it is for? What it only looks at (forwarders, disks, named's log) does not keep it from that.
  [[nodiscard]] bool ready() const noexcept;
  [[nodiscard]] std::size_t count(HealthState state) const noexcept;
  void write_metrics(MetricsText& text) const;

 private:
  void turn(Components::value_type& component, HealthState to, Now now);
  void alert(const Components::value_type& component, HealthState before, Now now);
  void tell_gone(Now now);
  void update(Now now);
  [[nodiscard]] std::int64_t recovery_us(const Component& component) const noexcept;

  Hub& hub_;
  HealthOptions options_;
  Components components_;
  std::map<std::string, HealthState, std::less<>> gone_;  // as each was when it was forgotten; not told yet
  bool changed_ = false;
  std::int64_t updated_us_ = 0;  // monotonic; 0: never
};

}  // namespace bindcast
