// Tells who was refused what (permission_denied), and who did what (audit_log), as events.
//
// No user can flood others with them: the first of a kind is told at once, what follows within kWindowUs is counted and
// told as one event at its end. A kind is a user, what he did or tried, and whether he may. Bounded: beyond kMostKept
// kinds at a time, those of all other users count together. A subject that stands in an event is the latest one.
// Loop thread only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "plugin/hub/hub.hpp"

namespace bindcast {

struct Deed {
  std::string_view user, client;  // who, and from where
  std::string_view action;        // a message's type, or what else names it; one of few
  std::string_view subject;       // what it was done to; may be empty
};

class Audit {
 public:
  static constexpr std::int64_t kWindowUs = 60'000'000;
  static constexpr std::size_t kMostKept = 1000;
  static constexpr std::size_t kLongestSubject = 200;  // bytes; what is longer is cut

  explicit Audit(Hub& hub) : hub_(hub) {}
  Audit(const Audit&) = delete;
  Audit& operator=(const Audit&) = delete;

  void refused(const Deed& deed, Now now) { note(EventType::permission_denied, deed, now); }
  void done(const Deed& deed, Now now) { note(EventType::audit_log, deed, now); }
  // Once a second: tells what was counted, where its time has come. At the end, with `all`, whether it has or not.
  void tick(Now now, bool all = false);

 private:
  using Kind = std::tuple<EventType, std::string, std::string>;  // user, action
  struct Folded {
    std::int64_t ends_us = 0;
    std::uint64_t untold = 0;
    std::string client, subject;  // the latest
  };
  void note(EventType type, const Deed& deed, Now now);
  void tell(EventType type, const Deed& deed, std::uint64_t count, Now now);

  Hub& hub_;
  std::map<Kind, Folded> kinds_;
};

}  // namespace bindcast
