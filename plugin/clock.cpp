#include "plugin/clock.hpp"

#include <ctime>

namespace bindcast {

namespace {
std::int64_t microseconds(clockid_t clock) noexcept {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000 + t.tv_nsec / 1'000;
}
}  // namespace

Now read_clock() noexcept {
  return {.mono_us = microseconds(CLOCK_MONOTONIC), .wall_us = microseconds(CLOCK_REALTIME)};
}

}  // namespace bindcast
