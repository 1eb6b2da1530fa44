// The hub: every event passes here once. The global filter, the privacy of all, processors, routing to subscribers.
//
// What `privacy` masks is masked before anything is kept or counted. Only events.filter still sees all of an event; it
// has its word before.
//
// Loop thread only. Subscribers are borrowed: they remove themselves before they die. An event is turned into JSON at
// most once, however many subscribers take it (EncodedEvent).
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/options.hpp"
#include "events/event.hpp"
#include "events/filter.hpp"
#include "plugin/clock.hpp"
#include "plugin/faults.hpp"
#include "plugin/hub/encoded_event.hpp"
#include "plugin/hub/event_forms.hpp"
#include "plugin/hub/masker.hpp"
#include "plugin/hub/recent_events.hpp"
#include "plugin/hub/sight.hpp"
#include "plugin/hub/statistics.hpp"

namespace bindcast {

// Looks at, changes or refuses events on their way in; registered at start, called in order of registration.
class Processor {
 public:
  virtual ~Processor() = default;
  // Adds what belongs to the event and whoever made it did not know: before the filter and the masks, which see it too.
  virtual void complete(Event&, Now) {}
  // false: the event goes no further (counted as filtered). May throw: counted as failed, the event goes no further.
  virtual bool process(Event& event) = 0;
  // False: events of that type may pass without it.
  [[nodiscard]] virtual bool concerns(EventType) const noexcept { return true; }
};

// What one client asked for. An event matches when its type or category is named (nothing named: every event), its
// priority and severity suffice, and the filter matches.
struct Subscription {
  std::string name;
  std::bitset<kEventTypeCount> types;
  std::bitset<kCategoryCount> categories;
  Priority min_priority = Priority::low;
  Severity min_severity = Severity::debug;
  Filter filter;
  std::uint32_t sample = 1;  // 1 in N of those that match
  std::uint64_t seen = 0;    // for sampling

  [[nodiscard]] bool covers(EventType type) const noexcept;  // by type and category alone
  // By all that can be told without looking into the event.
  [[nodiscard]] bool concerns(EventType type, Priority priority, Severity severity) const noexcept {
    return covers(type) && priority >= min_priority && severity >= min_severity;
  }
  // All but the sampling.
  [[nodiscard]] bool matches(const Event& event, const StreamIdentity& stream) const;
};

// Somebody who receives events: a WebSocket client, later the journal and the relay.
class Subscriber {
 public:
  virtual ~Subscriber() = default;
  // An event that one of the subscriptions asked for, once, in the form in which its sight shows it. Must not change
  // the hub's set of subscribers.
  virtual void deliver(const EncodedRef& event, Now now) = 0;
  // Events that a subscription asked for and that will not come.
  virtual void lost(DropReason reason, EventType type, std::uint64_t count, Now now) = 0;
  // Would it only count any event of this type, priority and severity, as missed by all who stand behind it?
  [[nodiscard]] virtual bool only_counts(EventType, Priority, Severity) const noexcept { return false; }
  // So many events that it would have been given one by one, from this offset on: all only counted, never made.
  virtual void passed_by(EventType type, std::uint64_t count, std::uint64_t /*first_offset*/, Now now) {
    lost(DropReason::queue_overflow, type, count, now);
  }
  // One of these ended by an exception: from here on nobody knows what this subscriber has.
  virtual void failed() noexcept = 0;

  std::vector<Subscription> subscriptions;  // set before Hub::add_subscriber; after a change call subscriptions_changed
  std::shared_ptr<const Sight> sight = Sight::everything();  // never null; a change is one of the subscriptions too
  bool needs_events = false;  // EncodedEvent::event, not only its JSON; may change at any time

 private:
  friend class Hub;
  EventTypes takes_;  // the types that may come, as far as it sees them
};

// The stream of the process before this one.
struct Predecessor {
  std::string epoch;         // empty: nothing is known
  std::uint64_t offset = 0;  // the last that is known of
  bool ended = false;        // in order, so that it is the last indeed
};

class Hub {
 public:
  explicit Hub(StreamIdentity identity, Now now);
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  // Takes the options that matter here: events.filter, events.types, privacy.
  void configure(const Options& options);
  void follow(Predecessor predecessor) { predecessor_ = std::move(predecessor); }
  [[nodiscard]] const Predecessor& predecessor() const noexcept { return predecessor_; }
  void add_processor(std::unique_ptr<Processor> processor);

  void add_subscriber(Subscriber& subscriber);
  void remove_subscriber(Subscriber& subscriber);
  void subscriptions_changed();

  // Gives an event its place in the stream, its time and its source. For events that one subscriber makes of others.
  void stamp(Event& event, Now now);
  // One event through the whole pipeline; returns its offset, or 0 when it was refused. Its buffers stay with the
  // caller where nobody keeps the event.
  std::uint64_t emit(Event&& event, Now now) noexcept;
  // `count` events that were lost before they became events, and might have been of any of `types`: told once to every
  // subscriber who wanted one of them, under the first that it wanted.
  void report_lost(DropReason reason, std::initializer_list<EventType> types, std::uint64_t count, Now now) noexcept;

  // Events of that type are of no use but to be counted: whoever wants them is full, and they are not looked at on the
  // way. Then the host need not make them: it counts (pass_by), and every event counted is one that all of them missed.
  [[nodiscard]] bool only_counted(EventType type) const noexcept;
  void pass_by(EventType type, std::uint64_t count, Now now) noexcept;
  // Brings in what was only counted so far, by the function that was set. To be called before anybody comes, goes, or
  // is told what it missed, so that it is told to those whom it concerns.
  void set_counts(std::function<void(Now)> collect) { collect_counts_ = std::move(collect); }
  void collect_counts(Now now) {
    if (collect_counts_) collect_counts_(now);
  }

  // For events that one subscriber makes of others, and those that are sent again.
  [[nodiscard]] EventEncoder& encoder() noexcept { return encoder_; }

  // Is anybody interested in this type now? Kept up to date by subscriptions_changed.
  [[nodiscard]] bool wanted(EventType type) const noexcept { return wanted_[static_cast<std::size_t>(type)]; }
  // For what is masked for one viewer.
  [[nodiscard]] Masker& masker() noexcept { return masker_; }
  [[nodiscard]] const PrivacyOptions& privacy() const noexcept { return privacy_; }
  // Does `privacy` mask anything?
  [[nodiscard]] bool masks() const noexcept { return !masks_nothing(privacy_); }
  // An event that was kept, as `privacy` has it now; that may have become stricter since. The same where nothing
  // changes.
  [[nodiscard]] EventRef as_masked_now(const EventRef& kept, Now now);
  [[nodiscard]] const RecentEvents& recent() const noexcept { return recent_; }
  [[nodiscard]] const StreamIdentity& identity() const noexcept { return identity_; }
  [[nodiscard]] std::uint64_t last_offset() const noexcept { return last_offset_; }
  [[nodiscard]] Statistics& statistics() noexcept { return statistics_; }
  [[nodiscard]] const Statistics& statistics() const noexcept { return statistics_; }
  // Of all the loop's work.
  [[nodiscard]] Faults& faults() noexcept { return faults_; }
  [[nodiscard]] const Faults& faults() const noexcept { return faults_; }
  [[nodiscard]] const std::vector<Subscriber*>& subscribers() const noexcept { return subscribers_; }
  void tick(Now now);  // once a second: rates

 private:
  bool admit(Event& event, Now now);
  // How a subscriber takes an event: 0: not at all, N: for N like it.
  struct Taken {
    std::uint32_t sample = 0;
    bool sampled_out = false;  // not taken only because others stand for it
  };
  [[nodiscard]] Taken wants(Subscriber& subscriber, const Event& event);
  void enlist(Subscriber& subscriber);
  void route(const Event& event, const EventRef& kept, Now now);
  void deliver(Subscriber& subscriber, const EncodedRef& event, Now now) noexcept;
  void tell_lost(Subscriber& subscriber, DropReason reason, EventType type, std::uint64_t count, Now now) noexcept;

  StreamIdentity identity_;
  Predecessor predecessor_;
  EventEncoder encoder_;
  Masker masker_;
  Filter global_filter_;
  PrivacyOptions privacy_;
  std::array<TypeOverride, kEventTypeCount> overrides_{};
  std::vector<std::unique_ptr<Processor>> processors_;
  std::vector<Subscriber*> subscribers_;
  std::array<std::vector<Subscriber*>, kEventTypeCount> by_type_;  // who may want a type, and may see it
  std::bitset<kEventTypeCount> wanted_;
  std::function<void(Now)> collect_counts_;
  RecentEvents recent_;
  std::uint64_t last_offset_ = 0;
  Statistics statistics_;
  Faults faults_;
  std::array<std::uint64_t, 10> second_counts_{};
  std::uint64_t counted_processed_ = 0;
  std::size_t second_ = 0;
  std::size_t seconds_filled_ = 0;
};

}  // namespace bindcast
