// One line of a file channel of named, taken apart: the words that named puts before its message. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace bindcast {

// named's categories, as they stand in its log and in named.conf.
inline constexpr std::array<std::string_view, 32> kLogCategories{
    "general",       "client",       "config",       "database",        "security",     "dnssec",
    "resolver",      "xfer-in",      "xfer-out",     "notify",          "update",       "update-security",
    "queries",       "query-errors", "lame-servers", "zoneload",        "network",      "dispatch",
    "edns-disabled", "rpz",          "rate-limit",   "cname",           "spill",        "dnstap",
    "nsid",          "serve-stale",  "unmatched",    "delegation-only", "rpz-passthru", "trust-anchor-telemetry",
    "sslkeylog",     "default"};

// From the least. `unknown`: the channel does not print it (print-severity).
enum class LogSeverity : std::uint8_t { unknown, debug, info, notice, warning, error, critical };
inline constexpr std::string_view kLogSeverityNames[] = {"", "debug", "info", "notice", "warning", "error", "critical"};

struct LogLine {
  std::string_view category;  // one of kLogCategories; empty: the channel does not print it (print-category)
  LogSeverity severity = LogSeverity::unknown;
  std::string_view message;
};

// Parts of `line`, whatever it is. It has no newline; the time before it, in any of named's forms, is left out.
[[nodiscard]] LogLine read_log_line(std::string_view line) noexcept;

}  // namespace bindcast
