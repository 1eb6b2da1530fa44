// How much the host had to do, by its own counters, between two readings of them. A plain value.
#pragma once

#include <cstdint>
#include <limits>
#include <map>

namespace bindcast {

struct HostLoad {
  // How many of the host's own questions to other servers were answered in less than so many milliseconds, but not in
  // less than the next smaller number. kLate: in no less than the largest number, or not at all.
  using AnswerTimes = std::map<std::uint32_t, std::uint64_t>;
  static constexpr std::uint32_t kLate = std::numeric_limits<std::uint32_t>::max();

  std::int64_t elapsed_us = 0;
  double queries_per_second = 0;
  AnswerTimes upstream;
};

}  // namespace bindcast
