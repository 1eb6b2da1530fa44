// Writes events as JSON text. Pure; any thread.
//
// The output is valid UTF-8 whatever bytes come in: invalid sequences are written as U+FFFD.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "events/event.hpp"
#include "events/timestamp.hpp"

namespace bindcast {

// A quoted, escaped JSON string.
void append_json_string(std::string& out, std::string_view text);
void append_json_value(std::string& out, Fields::Value value);

// Writes whole events of one stream. What does not change from one event of a type to the next is written once and
// kept, as is the buffer. Not thread safe. `stream` must outlive it unchanged.
class EventWriter {
 public:
  explicit EventWriter(const StreamIdentity& stream);
  // One event object, without a newline; valid until the next one is written. Absent members are left out; `data` is
  // always there. An event that stands for more than itself has its number as "sampled" in metadata.
  [[nodiscard]] std::string_view write(const Event& event);

 private:
  struct TypePart {
    // What it was made from, besides the type.
    Priority priority;
    Severity severity;
    std::string source_service, source_component, custom_name;

    std::string head;      // from the end of the id to the beginning of the timestamp; empty: not made yet
    std::string metadata;  // the beginning of it
  };
  const TypePart& part_of(const Event& event);
  void make(TypePart& part, const Event& event) const;

  const StreamIdentity& stream_;
  const std::string id_head_;
  std::array<TypePart, kEventTypeCount> parts_{};
  TimestampWriter timestamps_;
  std::string buffer_;
};

}  // namespace bindcast
