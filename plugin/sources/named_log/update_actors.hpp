// Who changed a record: the lines of named's log that tell what a dynamic update will do, joined to the events that
// tell what it has done, as `actor{client, key}`.
//
// named writes these lines before the change is in force, so by the time an event tells of it they stand in the log;
// the follower is asked to read once more before one is looked up. A record's actor is whose line explains the
// difference: who added a record that is there now and was not, or deleted one that is gone. Where one change holds
// what several clients did to one RRset, it is the last of them; the zone's own event has an actor only when all
// records of the change have the same. Of several lines that could explain a difference it is the first one of the last
// seconds, because changes are told in the order of the log; or else the last one, because older ones are of updates
// that changed nothing. Loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "plugin/hub/hub.hpp"
#include "plugin/sources/named_log/log_events.hpp"

namespace bindcast {

class UpdateActors : public Processor {
 public:
  // Bounds of what waits to be joined. What is too much or too old is forgotten, the oldest first: its records have no
  // actor.
  static constexpr std::size_t kMaxBytes = 8 * 1024 * 1024;
  static constexpr std::int64_t kKeepUs = 60'000'000;

  // How the log is read up to this moment; none: nothing is joined.
  void set_reader(std::function<void()> read) { read_ = std::move(read); }
  void learn(const LoggedUpdate& update, Now now);
  void expire(Now now);
  void forget_all();

  void complete(Event& event, Now now) override;
  bool process(Event&) override { return true; }
  [[nodiscard]] bool concerns(EventType type) const noexcept override;

  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::uint64_t forgotten() const noexcept { return forgotten_; }

 private:
  struct Actor {
    std::string client, key;
    friend bool operator==(const Actor&, const Actor&) = default;
  };
  using ActorRef = std::shared_ptr<const Actor>;
  struct Line {
    std::uint64_t number;  // in the order of the log
    ActorRef actor;
    std::string rrset;  // its key in Zone::lines
    std::string rdata;
    bool adds;
    std::int64_t at_us;
    [[nodiscard]] std::size_t bytes() const noexcept { return sizeof(Line) + 2 * rrset.size() + rdata.size() + 64; }
  };
  struct Zone {
    std::deque<Line> log;                                              // oldest first
    std::unordered_map<std::string, std::vector<const Line*>> rrsets;  // of the same lines
    // The change that is being told.
    std::string change;           // its correlation id
    std::uint64_t explained = 0;  // up to this line
    ActorRef actor;
    bool several = false;
  };
  using Zones = std::map<std::string, Zone, std::less<>>;

  [[nodiscard]] const Line* explain(const Zone& zone, Fields::Value record, Now now) const;
  static void note(Zone& zone, const Line& line);
  static void note_all(Zone& zone, std::int64_t rrsets);
  void forget_to(Zone& zone, std::uint64_t number);
  void forget_oldest(Zone& zone);

  std::function<void()> read_;
  std::string read_for_;  // the change whose first event the log was read for
  Zones zones_;           // by view and name
  ActorRef latest_;
  std::uint64_t next_number_ = 1;
  std::size_t bytes_ = 0;
  std::uint64_t forgotten_ = 0;
};

}  // namespace bindcast
