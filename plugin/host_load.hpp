// How much the host has to do, by its own counters. A plain value.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>

namespace bindcast {

struct HostLoad {
  // How many of the host's own questions to other servers were answered in less than so many milliseconds, but not in
  // less than the next smaller number. kLate: in no less than the largest number, or not at all.
  using AnswerTimes = std::map<std::uint32_t, std::uint64_t>;
  static constexpr std::uint32_t kLate = std::numeric_limits<std::uint32_t>::max();

  // Between the last two readings.
  std::int64_t elapsed_us = 0;  // 0: there was but one, and the next three are empty
  double queries_per_second = 0;
  std::optional<double> cache_hit_ratio;  // 0 to 1; none: the cache was not asked
  AnswerTimes upstream;
  // At the last one.
  std::optional<std::uint64_t> recursive_clients;
  std::uint64_t recursive_clients_limit = 0;             // 0: none
  std::map<std::string, std::uint64_t> memory_contexts;  // bytes in use
};

}  // namespace bindcast
