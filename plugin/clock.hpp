// Two clocks, always passed as a parameter: the wall clock for people, the monotonic clock for arithmetic.
#pragma once

#include <cstdint>

namespace bindcast {

struct Now {
  std::int64_t mono_us = 0;  // CLOCK_MONOTONIC
  std::int64_t wall_us = 0;  // since 1970 UTC
};

[[nodiscard]] Now read_clock() noexcept;

}  // namespace bindcast
