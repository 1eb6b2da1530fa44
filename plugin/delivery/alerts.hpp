// Events that want an acknowledgement: which are open, when each is sent again, to whom it climbs, what ends it.
//
// Pure: nothing is sent and no clock is read here; the owner tells what happened, asks what is due, and does it. Loop
// thread only. An event whose priority is in `retry.acknowledge` opens an alert. Until somebody acknowledges it, its
// latest event is sent again with growing waits, `retry.attempts` times, and it climbs the ladder of `escalation`, each
// step so long after the first event. Events of the same condition (type, custom name, view, what the data names, and
// of what is published the publisher: alert_key) join the alert that is open, until somebody acknowledges it, or an
// event says that the condition is over (alert_ends.hpp): after that the next one opens a new alert, which asks again.
//
// Bounds: kMaxOpen alerts and kMaxBytes of their events and keys; beyond, the oldest of the least priority is given up.
// (Offsets and roles told come to about 1 KiB more for each.)
// An alert that has nothing left to do can still be acknowledged, until it is pushed out or kMaxAgeUs old.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/options.hpp"
#include "events/event.hpp"
#include "plugin/clock.hpp"

namespace bindcast {

// Writes what makes two events the same condition, as a key that is equal exactly when they are. `type` is that of the
// events that tell of the condition: the event's own, unless it tells of another's end.
void alert_key(std::string& key, const Event& event, EventType type);

class Alerts {
 public:
  static constexpr std::size_t kMaxOpen = 1000;
  static constexpr std::size_t kMaxBytes = 4 * 1024 * 1024;
  static constexpr std::int64_t kMaxAgeUs = 24LL * 3600 * 1'000'000;
  // Of each alert, so many offsets are kept of events that somebody was asked to acknowledge, and of the latest.
  static constexpr std::size_t kAskedOffsets = 32;
  static constexpr std::size_t kLatestOffsets = 32;

  // What is to be done about one alert. All that is due for it in one call is in one action, so nobody is sent the same
  // event twice however much comes together: a session gets it once when it is of `to` or has one of `roles`.
  struct Action {
    enum class To : std::uint8_t {
      everybody,  // whoever subscribes to the event, and `roles`: all that were told so far are among them
      roles,      // those who have one of `roles`, subscribed or not
      newcomers,  // those who have one of `roles` and do not subscribe: subscribers had it when it was emitted just now
    } to = To::roles;
    EventRef event;  // the latest one; a copy where the priority is raised or it is not the first sending
    std::vector<std::string> roles;
    std::uint32_t repetition = 0;  // 1 to retry.attempts when this is one, else 0
    std::vector<std::size_t>
        steps;                // the places in the ladder of the steps taken: see ladder(), for their webhooks too
    std::uint64_t alert = 0;  // offset of its first event
    std::uint64_t occurrences = 0;
    std::int64_t open_for_us = 0;
    [[nodiscard]] bool sends() const noexcept { return to == To::everybody || !roles.empty(); }
  };

  // A step that was taken and has a webhook.
  struct Posted {
    std::size_t step = 0;  // its place in the ladder
    std::string url, secret_file;
  };

  // An alert that was acknowledged or resolved.
  struct Ended {
    std::vector<std::uint64_t> offsets;  // ascending: the first and those kept, the last among them
    EventRef event;                      // the latest, as it was sent last
    std::vector<std::string> roles;      // that were told
    std::vector<Posted> posted;
    std::uint64_t occurrences = 0;
    std::int64_t open_for_us = 0;
  };

  struct Open {
    EventRef event;  // the latest, with the priority it was raised to
    const std::vector<std::string>& roles;
    const std::vector<bool>& taken;  // of the ladder's steps, by their places
    std::uint64_t alert = 0;         // offset of its first event
    std::uint64_t occurrences = 0;
    std::int64_t first_us = 0;  // when it was opened, on the monotonic clock
    bool given_up = false;
  };

  // Every alert opened is open, acknowledged, resolved, expired, withdrawn, or given up; one given up may also be
  // acknowledged or resolved.
  struct Counters {
    std::uint64_t opened = 0;
    std::uint64_t joined = 0;  // occurrences of an alert after its first
    std::uint64_t acknowledged = 0;
    std::uint64_t acknowledged_late = 0;  // of these: had been given up
    std::uint64_t resolved = 0;           // ended by an event that said that the condition is over
    std::uint64_t resolved_late = 0;      // of these: had been given up
    std::uint64_t expired = 0;            // ended by the event's expires_at before anything else did
    std::uint64_t withdrawn = 0;          // ended by a configuration that no longer asks for acknowledgements of it
    std::uint64_t given_up = 0;           // nothing left to do, or pushed out
    std::uint64_t pushed_out = 0;         // of these: no room
    std::uint64_t resent = 0;
    std::uint64_t escalated = 0;            // steps taken
    std::int64_t acknowledged_sum_us = 0;   // from the first event to the acknowledgement
    std::int64_t acknowledged_most_us = 0;  // the longest of these
    [[nodiscard]] std::int64_t acknowledged_mean_us() const noexcept {
      return acknowledged == 0 ? 0 : acknowledged_sum_us / static_cast<std::int64_t>(acknowledged);
    }
  };

  // `random` gives numbers from [0, 1), for the jitter.
  explicit Alerts(std::function<double()> random);
  Alerts(const Alerts&) = delete;
  Alerts& operator=(const Alerts&) = delete;

  // Steps are in order of `after`; none: the default ladder. Open alerts go on under the new rules: repetitions sent
  // and steps taken count (a step is known by what it does, not by its time); a new step whose time has passed is due
  // now.
  void configure(const RetryOptions& retry, const std::vector<EscalationStep>& steps);
  [[nodiscard]] const std::vector<EscalationStep>& ladder() const noexcept { return ladder_; }

  // Events that tell of alerts, and those that are the good end of their own kind, ask for no acknowledgement, whatever
  // priority they are given.
  [[nodiscard]] bool wants(const Event& event) const noexcept;
  // An event that was emitted; ignored unless wanted.
  void occurred(const EventRef& event, Now now);

  // What is to be done now, the most pressing and oldest alerts first. A repetition that comes late moves the later
  // ones.
  [[nodiscard]] std::vector<Action> due(Now now);
  // When due() has something to do next, on the monotonic clock; -1: never. An event's expires_at is on the wall clock:
  // if that is set meanwhile, the expiry is noticed when the alert is next looked at.
  [[nodiscard]] std::int64_t due_us() const noexcept;

  // The latest event of the open alert that has an event of that offset; none as below.
  [[nodiscard]] EventRef event_of(std::uint64_t offset);
  // Ends the alert that has an event of that offset. Empty: none that is open, or no longer known to be of it.
  [[nodiscard]] std::optional<Ended> acknowledge(std::uint64_t offset, Now now);
  // Ends the alert whose condition this event says to be over. Empty: it says so of none that is open.
  [[nodiscard]] std::optional<Ended> resolve(const Event& event, Now now);

  // For clients that come back or ask: the most pressing and oldest first. The callback must not call this object.
  void for_each_open(const std::function<void(const Open&)>& callback) const;

  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
  [[nodiscard]] std::size_t open() const noexcept { return by_key_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  struct Alert {
    std::string key;
    EventRef event;  // the latest, as sent last
    std::size_t event_bytes = 0;
    Priority asked_by = Priority::low;  // the latest event's own
    Priority priority = Priority::low;  // the highest of any occurrence and any step
    std::uint64_t occurrences = 0;
    std::vector<std::uint64_t> asked;                    // offsets, ascending: the first, and those acted on
    std::array<std::uint64_t, kLatestOffsets> latest{};  // at occurrence modulo size
    std::int64_t first_us = 0;                           // all times: monotonic
    std::int64_t sent_us = 0;                            // the last repetition, or first_us
    std::int64_t expires_us = -1;                        // -1: never
    std::int64_t due_us = -1;                            // when to look at it again
    double chance = 0;                                   // the jitter of the next repetition
    std::uint32_t repetitions = 0;                       // sent so far
    bool given_up = false;
    std::vector<bool> taken;         // by step
    std::vector<std::string> roles;  // told so far
  };
  using List = std::list<Alert>;

  List::iterator open_alert(Priority priority, Now now);
  void take_occurrence(List::iterator alert, const EventRef& event, Now now);
  void set_event(Alert& alert, EventRef event);
  void raise(List::iterator alert, Priority priority);
  void push_out_excess();
  void end(List::iterator alert, std::uint64_t& counter);
  [[nodiscard]] Ended told_of(const Alert& alert, Now now) const;
  // Ends it for a reason that is told; `late` counts those that had been given up. Empty: it is none, or has expired.
  std::optional<Ended> close(List::iterator alert, std::uint64_t& counter, std::uint64_t& late, Now now);
  [[nodiscard]] bool exhausted(const Alert& alert) const noexcept;
  [[nodiscard]] bool is_over(const Alert& alert, Now now) const noexcept;
  [[nodiscard]] std::int64_t next_repetition_us(const Alert& alert) const noexcept;
  void schedule(Alert& alert);
  std::optional<Action> act(List::iterator alert, Now now);
  // Takes what is due of the ladder; the priority it asks for, if any.
  std::optional<Priority> take_steps(Alert& alert, Action& action, Now now);
  [[nodiscard]] List::iterator find(std::uint64_t offset);  // by_priority_[0].end(): none

  std::function<double()> random_;
  RetryOptions retry_;
  std::bitset<kPriorityCount> acknowledge_;
  std::vector<EscalationStep> ladder_;
  std::array<List, kPriorityCount> by_priority_;  // each in order of age
  std::unordered_map<std::string_view, List::iterator> by_key_;
  std::string key_;  // of the event at hand; kept for its memory
  std::size_t bytes_ = 0;
  Counters counters_;
  mutable std::int64_t due_us_ = -1;  // the least of all alerts', when known
  mutable bool due_known_ = true;
};

}  // namespace bindcast
