// What is stored of the past, as whoever asks for it sees it: a portion at a time, from one place on.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "events/event.hpp"
#include "plugin/hub/hub.hpp"

namespace bindcast {

// A stored event, with everything that its Event borrows.
struct PastEvent {
  std::int64_t position = 0;  // its place in the store
  std::uint64_t offset = 0;   // in its epoch
  bool of_this_epoch = false;
  EventType type = EventType::custom_event;
  Priority priority = Priority::normal;
  std::shared_ptr<const StreamIdentity> stream;  // it is of
  std::string json;
  EventRef event;  // where it has to be looked into, or PastRequest::events asks for it; else none
};

// What decides whether a past event is wanted; the event itself is only made when it is looked into.
class PastLook {
 public:
  virtual ~PastLook() = default;
  // nullptr: it cannot be read.
  [[nodiscard]] virtual const Event* event() const = 0;

  EventType type = EventType::custom_event;
  Priority priority = Priority::normal;
  Severity severity = Severity::info;
  std::uint64_t offset = 0;
  bool of_this_epoch = false;
  const StreamIdentity* stream = nullptr;
};

// Which past events are wanted. Asked on readers' threads too: never changes.
class PastWish {
 public:
  virtual ~PastWish() = default;
  // With `filters` false: could it be, in some form? Then the event is not looked into.
  [[nodiscard]] virtual bool has(const PastLook& event, bool filters) const = 0;
};

// An id taken apart.
struct StreamPlace {
  std::string epoch;
  std::uint64_t offset = 0;
};

struct PastRequest {
  enum class Order : std::uint8_t { oldest_first, newest_first };
  Order order = Order::oldest_first;
  // Behind which place to begin (with newest_first: before which); of these the first that is set. None: at the end of
  // all there is.
  std::optional<std::int64_t> position;  // of an earlier portion, whose `generation` comes with it
  std::uint64_t generation = 0;
  std::optional<StreamPlace> place;
  std::optional<StreamPlace> after, until;  // nothing up to the one, nothing behind the other
  std::int64_t since_us = 0, until_us = 0;  // by the events' times: from, and before; 0: any
  std::bitset<kEventTypeCount> types;
  // What the wish has of it. Of the types that the sight does not show clearly, what could be, with its event: whether
  // it is seen, in which form, and wanted so, is for the loop to say (server/past_view.hpp).
  std::shared_ptr<const PastWish> wish;
  std::shared_ptr<const Sight> sight;
  bool events = false;              // PastEvent::event of all
  std::int64_t not_expired_us = 0;  // without what had expired by then; 0: with it
  std::size_t most_events = 500;
  std::size_t most_bytes = 512 * 1024;
  bool tell_losses = false;
  Predecessor predecessor;  // what is known of the life before this one, to tell what it had told and not stored
};

// Events that stood between the places of a portion and are not there any more, or never were.
struct PastLoss {
  DropReason reason = DropReason::retention;
  std::uint64_t count = 0;  // the most that it can be
};

struct PastPortion {
  std::string fault;  // not empty: there is nothing, and this is why
  std::uint64_t generation = 0;
  std::vector<PastEvent> events;
  std::vector<PastLoss> losses;
  std::int64_t position = 0;         // everything up to here has been looked at
  bool end = false;                  // there was nothing behind it when it was read
  std::uint64_t through_offset = 0;  // of this epoch, everything up to here has been looked at; 0: it was not reached
  StreamPlace last;                  // `position` as an id; empty: before everything
};

// Whoever keeps the past. Loop thread only.
class Past {
 public:
  virtual ~Past() = default;
  // Are there events to be had?
  [[nodiscard]] virtual bool readable() const = 0;
  [[nodiscard]] virtual bool knows_epoch(std::string_view epoch) const = 0;
  // Will what the hub has told by now be stored soon? False: it cannot be.
  [[nodiscard]] virtual bool storing() const = 0;
  // `done` is called later, from the loop, once; not after `alive` has expired. False: too many ask.
  virtual bool read(PastRequest request, std::weak_ptr<void> alive, std::function<void(PastPortion&&)> done) = 0;
  // Calls once, from the loop, as soon as the store has something behind that offset of this epoch, or is known not to
  // get it (`storing`); not after `alive` has expired.
  virtual void when_stored(std::uint64_t beyond, std::weak_ptr<void> alive, std::function<void()> done) = 0;
};

}  // namespace bindcast
