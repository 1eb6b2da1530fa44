// Why an event is not published: what the publisher is told, and what is counted. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bindcast {

enum class RefusedBecause : std::uint8_t {
  invalid,        // no event as doc/publishing.md has it
  not_permitted,  // by this publisher
  too_large,      // the event, the line or the request
  rate_limited,   // publish.events_per_second
  conflict,       // other content under the same id, or a bulk operation that is not in that state
  filtered,       // events.filter or events.types of the configuration leave such events out
  unavailable     // no memory, no room, or the server stops
};
inline constexpr std::array<std::string_view, 7> kRefusedBecauseNames{
    "invalid", "not_permitted", "too_large", "rate_limited", "conflict", "filtered", "unavailable"};
inline constexpr std::size_t kRefusedBecauseCount = kRefusedBecauseNames.size();

struct Refusal {
  RefusedBecause because = RefusedBecause::invalid;
  std::string message;              // for people; names the field
  std::string field;                // "metadata.tags"; empty: the event as a whole
  std::int64_t retry_after_us = 0;  // 0: to say the same again is of no use
};

// The `code` of an error message.
[[nodiscard]] constexpr std::string_view code_of(RefusedBecause because) noexcept {
  constexpr std::array<std::string_view, kRefusedBecauseCount> kCodes{
      "INVALID_EVENT", "PERMISSION_DENIED", "TOO_LARGE", "RATE_LIMITED", "CONFLICT", "FILTERED", "UNAVAILABLE"};
  return kCodes[static_cast<std::size_t>(because)];
}

}  // namespace bindcast
