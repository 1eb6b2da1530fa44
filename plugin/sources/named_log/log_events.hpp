// Lines of named's log as events, by the table of log_table.hpp. Some events stand in several lines: what belongs
// together is kept until the last of them comes. Loop thread only.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "events/event.hpp"
#include "plugin/clock.hpp"
#include "plugin/sources/named_log/log_line.hpp"
#include "plugin/sources/named_log/log_table.hpp"

namespace bindcast {

// One record of a dynamic update, as named says it before it is done. The texts are borrowed from the line.
struct LoggedUpdate {
  std::string_view client, key, view, zone, name;
  std::string_view rtype;  // empty: of every type
  std::string_view rdata;  // of an added record
  bool adds = false;       // or deletes
};

class LogEvents {
 public:
  // Longest text of one member, in bytes.
  static constexpr std::size_t kMaxText = 1024;
  // So many faulty files, zones and transfers are kept until what they lead to is said.
  static constexpr std::size_t kMaxKept = 256;

  LogEvents(std::function<void(Event&&)> event, std::function<void(const LoggedUpdate&)> update)
      : event_(std::move(event)), update_(std::move(update)) {}

  // One line, without its end. Anything may stand in it.
  void take(std::string_view line, Now now);
  // Tells what was kept for too long as an event of its own.
  void tick(Now now);

  // Lines that a row took or that became an error or a warning, by kLogCategories; the last: the category was not
  // printed.
  [[nodiscard]] const std::array<std::uint64_t, kLogCategories.size() + 1>& matched() const noexcept {
    return matched_;
  }

 private:
  struct Kept {
    std::string reason = {};
    std::int64_t line = 0;                      // of a file
    std::uint32_t faults = 0;                   // that were found in it
    LogSeverity severity = LogSeverity::error;  // of the one that is kept
    bool told = false;                          // an event says it already; of a transfer: it has not failed
    std::int64_t at_us = 0;
  };
  using Keeping = std::map<std::string, Kept, std::less<>>;

  void follow(const LogRow& row, const LogMatch& match, const LogSubject& subject, LogSeverity severity, Now now);
  void tell(const LogRow& row, const LogMatch& match, const LogSubject& subject, std::string_view reason = {});
  void tell_load_failed(const LogSubject& subject, std::string_view file, std::string_view reason);
  void tell_other(const LogLine& line, const LogSubject& subject);
  void tell_file_errors();
  void tell_kept(std::string_view member, std::string_view what, const Kept& kept);
  Kept& keep(Keeping& keeping, std::string key, Now now);

  std::function<void(Event&&)> event_;
  std::function<void(const LoggedUpdate&)> update_;
  Keeping files_, zones_, transfers_;
  std::array<std::uint64_t, kLogCategories.size() + 1> matched_{};
};

}  // namespace bindcast
