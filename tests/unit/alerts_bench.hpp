// Alerts with a hand-driven clock and a fixed random number, and the events that open them.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness.hpp"
#include "plugin/delivery/alerts.hpp"

namespace bindcast::test {

using To = Alerts::Action::To;
using Actions = std::vector<Alerts::Action>;

inline constexpr std::int64_t kSecond = 1'000'000;
inline constexpr std::int64_t kMinute = 60 * kSecond;
inline constexpr std::int64_t kStart = 1000 * kSecond;
inline constexpr std::int64_t kWallStart = 1'795'442'531 * kSecond;

inline Now at(std::int64_t us) {
  return {.mono_us = kStart + us, .wall_us = kWallStart + us};
}

inline Event blocked(std::uint64_t offset, std::string_view client = "192.0.2.1") {
  Event event = make_event(EventType::malware_blocked);
  event.offset = offset;
  event.view = "_default";
  event.data.add("client", client).add("qname", "a.bad.test").add("policy_zone", "rpz.test").add("rule", "bad.test");
  return event;
}

inline EventRef ref(Event event) {
  return std::make_shared<const Event>(std::move(event));
}

inline EscalationStep tell(Microseconds after, std::vector<std::string> roles, std::optional<Priority> priority = {}) {
  EscalationStep step;
  step.after = after;
  step.roles = std::move(roles);
  step.priority = priority;
  return step;
}

inline EscalationStep repeat(Microseconds after) {
  EscalationStep step;
  step.after = after;
  step.repeat = true;
  return step;
}

inline EscalationStep webhook(Microseconds after) {
  EscalationStep step;
  step.after = after;
  step.webhook_url = "https://example.com/hook";
  step.webhook_secret_file = "/etc/key";
  return step;
}

inline RetryOptions retries(std::uint32_t attempts) {
  RetryOptions retry;
  retry.initial = std::chrono::seconds(1);
  retry.factor = 2;
  retry.max = std::chrono::seconds(10);
  retry.attempts = attempts;
  return retry;
}

// A ladder out of the way of tests about repetitions.
inline const std::vector<EscalationStep> kFarLadder{tell(std::chrono::hours(100), {"admin"})};

struct Bench {
  double chance = 0;  // the wait is half of the longest
  Alerts alerts{[this] { return chance; }};

  Bench() = default;
  Bench(const RetryOptions& retry, const std::vector<EscalationStep>& steps) { alerts.configure(retry, steps); }
  void occurred(Event event, std::int64_t us) { alerts.occurred(ref(std::move(event)), at(us)); }
  // Everything until then, each at the moment that due_us named; a microsecond before that nothing may be due.
  Actions run_until(std::int64_t us) {
    Actions all;
    for (std::int64_t due = alerts.due_us(); due >= 0 && due <= kStart + us; due = alerts.due_us()) {
      assert_int_equal(alerts.due(at(due - kStart - 1)).size(), 0);
      const Actions now = alerts.due(at(due - kStart));
      all.insert(all.end(), now.begin(), now.end());
      assert_true(alerts.due_us() != due);
    }
    return all;
  }
};

inline void assert_roles(const std::vector<std::string>& actual, std::initializer_list<const char*> expected) {
  assert_int_equal(actual.size(), expected.size());
  std::size_t i = 0;
  for (const char* role : expected) assert_text(actual[i++], role);
}

// Every alert opened is somewhere.
inline void assert_all_accounted(const Alerts& alerts) {
  std::uint64_t open_not_given_up = 0;
  alerts.for_each_open([&](const Alerts::Open& open) { open_not_given_up += open.given_up ? 0 : 1; });
  const Alerts::Counters& c = alerts.counters();
  assert_int_equal(c.opened, open_not_given_up + (c.acknowledged - c.acknowledged_late) +
                                 (c.resolved - c.resolved_late) + c.expired + c.withdrawn + c.given_up);
}

}  // namespace bindcast::test
