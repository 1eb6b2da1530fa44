// The content of one zone changing from one serial to another, as events: single record events, or one folded event
// above the bulk threshold, and the zone's own; for a policy zone, rules instead of records.
//
// Used by one thread at a time (the host's zone thread). Holds at most `bulk_threshold` records and a few counters,
// however large the change.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "events/event.hpp"

namespace bindcast {

struct ZoneIdentity {
  std::string zone, view, zone_type, cause;
  bool policy_zone = false;
};

struct RRsetState {
  std::uint32_t ttl = 0;
  std::vector<std::string> rdata;  // empty: the RRset does not exist
  friend bool operator==(const RRsetState&, const RRsetState&) = default;
};

class ZoneChange {
 public:
  ZoneChange(ZoneIdentity zone, std::uint32_t serial_from, std::uint32_t serial_to, std::string correlation_id,
             std::uint32_t bulk_threshold);

  // One RRset that differs. Neither side having records, or both being equal, is no change.
  void record(std::string name, std::string rtype, RRsetState before, RRsetState after);
  // The events of the change, the zone's own last. Call once.
  [[nodiscard]] std::vector<Event> take_events();

 private:
  struct Difference {
    std::string name, rtype;
    RRsetState before, after;
  };
  struct Counts {
    std::uint64_t created = 0, updated = 0, deleted = 0;
  };
  [[nodiscard]] Event event_of(EventType type) const;
  [[nodiscard]] Event record_event(const Difference& difference) const;
  [[nodiscard]] Event rule_event(const Difference& difference) const;
  [[nodiscard]] Event bulk_event() const;
  [[nodiscard]] Event zone_event() const;
  [[nodiscard]] Event policy_zone_event() const;

  ZoneIdentity zone_;
  std::uint32_t serial_from_, serial_to_;
  std::string correlation_id_;
  std::uint32_t bulk_threshold_;
  std::vector<Difference> differences_;  // the first bulk_threshold_ of them
  std::uint64_t difference_count_ = 0;
  std::uint64_t records_added_ = 0, records_removed_ = 0;
  Counts totals_;
  std::map<std::string, Counts, std::less<>> by_rtype_;
};

// One RRset's before and after as `before{ttl,rdata[]}`, `after{…}`; a side without records is left out.
void add_rrset(Fields& data, std::string_view key, const RRsetState& state);

}  // namespace bindcast
