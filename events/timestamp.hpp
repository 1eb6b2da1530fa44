// RFC 3339 timestamps as text, both ways. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bindcast {

// RFC 3339, UTC, microseconds: 2026-11-23T14:02:11.031415Z (without quotes). Always 27 bytes: a time before year 0 or
// after year 9999 is written as the nearest one that has four digits.
void append_timestamp(std::string& out, std::int64_t unix_us);
inline constexpr std::size_t kTimestampBytes = 27;
// The same, into kTimestampBytes at `out`.
void write_timestamp(char* out, std::int64_t unix_us) noexcept;

// The same for times of which most lie in the same second as the one before: that second's text is kept.
class TimestampWriter {
 public:
  void write(char* out, std::int64_t unix_us) noexcept;

 private:
  std::int64_t second_us_ = 0;  // where the second of text_ begins
  char text_[kTimestampBytes + 1] = "1970-01-01T00:00:00.000000Z";
};

// Reads an RFC 3339 date and time with any offset; digits after the microsecond are cut off. Empty when the text is
// anything else or names a day that does not exist.
[[nodiscard]] std::optional<std::int64_t> timestamp_from(std::string_view text) noexcept;

}  // namespace bindcast
