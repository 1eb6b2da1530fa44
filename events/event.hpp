// One event: what happened, when, how pressing it is, and what belongs to it.
//
// Made by a capture, a source or a publisher; the hub stamps `offset` and, where it is zero, `timestamp_us`. After
// that it never changes and is shared by reference (EventRef).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "events/fields.hpp"
#include "events/type.hpp"

namespace bindcast {

struct Event {
  EventType type = EventType::custom_event;
  Priority priority = Priority::normal;
  Severity severity = Severity::info;
  std::uint64_t offset = 0;        // position in the stream, from 1; 0 until emitted
  std::int64_t timestamp_us = 0;   // wall clock, microseconds since 1970 UTC
  std::int64_t expires_at_us = 0;  // 0: never
  Fields data;

  // metadata; an empty text or list is left out of the JSON
  std::string_view source_service;    // must outlive the event; the hub stamps the stream's where it is empty
  std::string_view source_component;  // must outlive the event: a literal
  std::string view;
  std::string correlation_id;
  std::string trace_id;
  std::vector<std::string> tags;
  Fields custom_fields;

  std::string custom_name;  // the <name> of `custom.<name>` when type is custom_event, else empty
  std::string source_user_id;
  std::string target_user_id;
  std::uint32_t sampled = 1;  // this event stands for N (1: itself only)
  std::uint32_t attempt = 1;  // which sending of this event it is

  [[nodiscard]] Category category() const noexcept { return type_info(type).category; }
  [[nodiscard]] std::size_t bytes() const noexcept;  // an estimate of the memory held, for bounded queues
};

using EventRef = std::shared_ptr<const Event>;

// A new event with the table's priority and severity for its type.
[[nodiscard]] Event make_event(EventType type);

// The same, in an event that was used before: its buffers are kept, so that making many of a kind does not allocate.
void reset_event(Event& event, EventType type);

// What every event of one process shares; written into each event's JSON. Set once at start.
struct StreamIdentity {
  std::string epoch;    // names one life of the stream
  std::string host;     // this server's host name
  std::string service;  // the host process: "named"
};

// "<epoch>-<offset>", the offset padded to 12 digits so that ids of one epoch sort as text in the order of emission.
[[nodiscard]] std::string event_id(const StreamIdentity& stream, std::uint64_t offset);
// The part of an id after the epoch, "-000000000042", at `out`; returns its end.
inline constexpr std::size_t kMaxIdSuffixBytes = 21;
char* write_id_suffix(char* out, std::uint64_t offset) noexcept;

}  // namespace bindcast
