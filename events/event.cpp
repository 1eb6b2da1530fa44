// Making events and naming them. See event.hpp.
#include "events/event.hpp"

#include <charconv>

#include "events/digits.hpp"

namespace bindcast {
namespace {

// What a string holds outside itself.
std::size_t held(const std::string& text) noexcept {
  static const std::size_t kInPlace = std::string().capacity();
  return text.capacity() > kInPlace ? text.capacity() + 1 : 0;
}

}  // namespace

std::size_t Event::bytes() const noexcept {
  std::size_t sum = sizeof(Event) + data.bytes() + custom_fields.bytes();
  sum += held(view) + held(correlation_id) + held(trace_id) + held(custom_name);
  sum += held(source_user_id) + held(target_user_id);
  sum += tags.capacity() * sizeof(std::string);
  for (const std::string& tag : tags) sum += held(tag);
  return sum;
}

Event make_event(EventType type) {
  Event event;
  reset_event(event, type);
  return event;
}

void reset_event(Event& event, EventType type) {
  const TypeInfo& info = type_info(type);
  event.type = type;
  event.priority = info.priority;
  event.severity = info.severity;
  event.offset = 0;
  event.timestamp_us = event.expires_at_us = 0;
  event.data.clear();
  event.source_service = event.source_component = {};
  for (std::string* text : {&event.view, &event.correlation_id, &event.trace_id, &event.custom_name,
                            &event.source_user_id, &event.target_user_id})
    text->clear();
  event.tags.clear();
  event.custom_fields.clear();
  event.sampled = event.attempt = 1;
}

char* write_id_suffix(char* out, std::uint64_t offset) noexcept {
  constexpr std::uint64_t kPadded = 1'000'000'000'000;
  *out++ = '-';
  if (offset >= kPadded) return std::to_chars(out, out + kMaxIdSuffixBytes - 1, offset).ptr;
  out = write_6_digits(out, static_cast<std::uint32_t>(offset / 1'000'000));
  return write_6_digits(out, static_cast<std::uint32_t>(offset % 1'000'000));
}

std::string event_id(const StreamIdentity& stream, std::uint64_t offset) {
  char suffix[kMaxIdSuffixBytes];
  return stream.epoch + std::string(suffix, write_id_suffix(suffix, offset));
}

}  // namespace bindcast
