// Timestamps without the C library's time zone machinery: std::chrono knows the calendar. See timestamp.hpp.
#include "events/timestamp.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "events/digits.hpp"

namespace bindcast {
namespace {

namespace chrono = std::chrono;

constexpr std::int64_t kSecond_us = 1'000'000;
constexpr std::int64_t kDay_us = 86'400 * kSecond_us;

constexpr std::int64_t day_us(int year, unsigned month, unsigned day) {
  const chrono::sys_days days = chrono::year(year) / chrono::month(month) / chrono::day(day);
  return days.time_since_epoch().count() * kDay_us;
}

constexpr std::int64_t kFirst_us = day_us(0, 1, 1);
constexpr std::int64_t kLast_us = day_us(9999, 12, 31) + kDay_us - 1;

// Takes the front of a text piece by piece; after the first mismatch nothing matches any more.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  int digits(std::size_t count) noexcept {
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value * 10 + digit();
    return value;
  }

  // One of the characters in `allowed`; 0 when something else comes.
  char one_of(std::string_view allowed) noexcept {
    if (!ok_ || rest_.empty() || allowed.find(rest_.front()) == std::string_view::npos) {
      ok_ = false;
      return 0;
    }
    const char found = rest_.front();
    rest_.remove_prefix(1);
    return found;
  }

  // A fraction of a second in microseconds; 0 when none is written.
  int fraction_us() noexcept {
    if (!ok_ || !rest_.starts_with('.')) return 0;
    rest_.remove_prefix(1);
    int value = digit();
    int places = 1;
    while (ok_ && !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
      const int next = digit();
      if (places < 6) value = value * 10 + next, ++places;
    }
    for (; places < 6; ++places) value *= 10;
    return value;
  }

  [[nodiscard]] bool complete() const noexcept { return ok_ && rest_.empty(); }

 private:
  int digit() noexcept {
    const char found = one_of("0123456789");
    return found == 0 ? 0 : found - '0';
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

void write_timestamp(char* out, std::int64_t unix_us) noexcept {
  unix_us = std::clamp(unix_us, kFirst_us, kLast_us);
  std::int64_t days = unix_us / kDay_us;
  std::int64_t rest = unix_us % kDay_us;
  if (rest < 0) {
    rest += kDay_us;
    --days;
  }
  const chrono::year_month_day date{chrono::sys_days{chrono::days{days}}};
  const auto second = static_cast<unsigned>(rest / kSecond_us);
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  write_2_digits(out, year / 100);
  write_2_digits(out + 2, year % 100);
  out[4] = '-';
  write_2_digits(out + 5, static_cast<unsigned>(date.month()));
  out[7] = '-';
  write_2_digits(out + 8, static_cast<unsigned>(date.day()));
  out[10] = 'T';
  write_2_digits(out + 11, second / 3600);
  out[13] = ':';
  write_2_digits(out + 14, second / 60 % 60);
  out[16] = ':';
  write_2_digits(out + 17, second % 60);
  out[19] = '.';
  write_6_digits(out + 20, static_cast<unsigned>(rest % kSecond_us));
  out[26] = 'Z';
}

void TimestampWriter::write(char* out, std::int64_t unix_us) noexcept {
  unix_us = std::clamp(unix_us, kFirst_us, kLast_us);
  std::int64_t fraction_us = unix_us - second_us_;
  if (fraction_us < 0 || fraction_us >= kSecond_us) {
    write_timestamp(text_, unix_us);
    fraction_us = unix_us % kSecond_us;
    if (fraction_us < 0) fraction_us += kSecond_us;
    second_us_ = unix_us - fraction_us;
  }
  std::memcpy(out, text_, kTimestampBytes);
  write_6_digits(out + 20, static_cast<std::uint32_t>(fraction_us));
}

void append_timestamp(std::string& out, std::int64_t unix_us) {
  char text[kTimestampBytes];
  write_timestamp(text, unix_us);
  out.append(text, sizeof text);
}

std::optional<std::int64_t> timestamp_from(std::string_view text) noexcept {
  Scanner scan(text);
  const int year = scan.digits(4);
  scan.one_of("-");
  const int month = scan.digits(2);
  scan.one_of("-");
  const int day = scan.digits(2);
  scan.one_of("Tt ");
  const int hour = scan.digits(2);
  scan.one_of(":");
  const int minute = scan.digits(2);
  scan.one_of(":");
  const int second = scan.digits(2);
  const int fraction_us = scan.fraction_us();
  const char zone = scan.one_of("Zz+-");
  int offset_minutes = 0;
  if (zone == '+' || zone == '-') {
    const int offset_hour = scan.digits(2);
    scan.one_of(":");
    const int offset_minute = scan.digits(2);
    if (offset_hour > 23 || offset_minute > 59) return std::nullopt;
    offset_minutes = (offset_hour * 60 + offset_minute) * (zone == '-' ? -1 : 1);
  }
  if (!scan.complete()) return std::nullopt;
  const auto date =
      chrono::year(year) / chrono::month(static_cast<unsigned>(month)) / chrono::day(static_cast<unsigned>(day));
  // Second 60 is a leap second; it counts as the first of the next minute, as POSIX time has it.
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const std::int64_t minutes = hour * 60 + minute - offset_minutes;
  return chrono::sys_days(date).time_since_epoch().count() * kDay_us + (minutes * 60 + second) * kSecond_us +
         fraction_us;
}

}  // namespace bindcast
