// One that looks at queries for one kind of misuse. Pure but for what it remembers, which is bounded: the clock is a
// parameter, and what it finds it only returns. Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "plugin/clock.hpp"
#include "plugin/detectors/finding.hpp"
#include "plugin/detectors/seen_query.hpp"

namespace bindcast {

// What the tables of a detector hold.
struct Held {
  std::size_t tracked = 0;      // entries
  std::size_t bytes = 0;        // with what entries own
  std::uint64_t evictions = 0;  // entries pushed out by others, or whose samples found no room
  friend Held operator+(const Held& a, const Held& b) noexcept {
    return {a.tracked + b.tracked, a.bytes + b.bytes, a.evictions + b.evictions};
  }
};

class Detector {
 public:
  virtual ~Detector() = default;
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  virtual void see(const SeenQuery& query, Now now) = 0;
  // Once a second: appends what was found since. The same subject is found again in each window in which it goes on.
  virtual void tick(Now now, std::vector<Finding>& findings) = 0;
  [[nodiscard]] virtual Held held() const noexcept = 0;
};

}  // namespace bindcast
