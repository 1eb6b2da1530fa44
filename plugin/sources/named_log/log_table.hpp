// The table of what named says that is worth an event: one row, one form of one message.
#pragma once

#include <span>
#include <string_view>

#include "events/type.hpp"
#include "plugin/sources/named_log/log_pattern.hpp"

namespace bindcast {

// What is done with a message that a row takes.
enum class LogMeaning : unsigned char {
  event,            // it is an event by itself: each place of the pattern is a member of its data
  update,           // one record of a dynamic update: who changed it
  nothing,          // what is told otherwise, or not worth an event, whatever its severity
  file_error,       // a fault in a zone's file, until it is said which zone that is
  zone_error,       // why a zone will not be loaded
  load_failed,      // a zone's file did not load
  not_loaded,       // and so the zone is not loaded; or it is faulty in itself
  transfer_fault,   // why a transfer will fail
  transfer_status,  // how it went
  transfer_ended,   // the last of it: how much, how long
};

struct LogRow {
  std::string_view category;  // of named
  LogSubject::Kind subject;
  std::string_view pattern;  // of the message behind the subject
  LogMeaning meaning = LogMeaning::event;
  EventType type = EventType::custom_event;
  // Members of each such event: "name=text", blanks between them.
  std::string_view constants = {};
};

[[nodiscard]] std::span<const LogRow> log_rows() noexcept;

}  // namespace bindcast
