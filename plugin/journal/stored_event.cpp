#include "plugin/journal/stored_event.hpp"

#include <jansson.h>

#include <string>
#include <utility>

#include "events/timestamp.hpp"
#include "plugin/capture/fields_json.hpp"
#include "plugin/json_parse.hpp"

namespace bindcast {

namespace {

constexpr int kDeepest = 64;  // as Fields goes

struct Owned {
  Event event;
  std::string service, component;
};

std::string_view text_of(const json_t* object, const char* key) {
  const json_t* value = json_object_get(object, key);
  return json_is_string(value) ? std::string_view(json_string_value(value), json_string_length(value))
                               : std::string_view();
}

std::int64_t time_of(const json_t* object, const char* key) {
  return timestamp_from(text_of(object, key)).value_or(0);
}

std::uint32_t number_of(const json_t* object, const char* key) {
  const json_t* value = json_object_get(object, key);
  return json_is_integer(value) ? static_cast<std::uint32_t>(json_integer_value(value)) : 1;
}

void add_members(Fields& out, const json_t* object) {
  FieldBounds bounds{.depth = kDeepest};
  (void)read_fields(object, bounds, out);  // it was within bounds when it was written
}

}  // namespace

EventRef event_from_json(std::string_view json, std::uint64_t offset) {
  constexpr std::string_view kCustom = "custom.";
  json_error_t fault;
  const Json root = parse_json(json, JSON_ALLOW_NUL, fault);
  if (!json_is_object(root.get())) return nullptr;
  const std::string_view name = text_of(root.get(), "type");
  const bool custom = name.starts_with(kCustom);
  const auto type = custom ? EventType::custom_event : type_from(name);
  if (!type) return nullptr;
  auto made = std::make_shared<Owned>();
  Event& event = made->event;
  reset_event(event, *type);
  if (custom) event.custom_name = name.substr(kCustom.size());
  event.priority = priority_from(text_of(root.get(), "priority")).value_or(event.priority);
  event.severity = severity_from(text_of(root.get(), "severity")).value_or(event.severity);
  event.offset = offset;
  event.timestamp_us = time_of(root.get(), "timestamp");
  event.expires_at_us = time_of(root.get(), "expires_at");
  add_members(event.data, json_object_get(root.get(), "data"));
  event.source_user_id = text_of(root.get(), "source_user_id");
  event.target_user_id = text_of(root.get(), "target_user_id");
  const json_t* metadata = json_object_get(root.get(), "metadata");
  made->service = text_of(metadata, "source_service");
  made->component = text_of(metadata, "source_component");
  event.source_service = made->service;
  event.source_component = made->component;
  event.view = text_of(metadata, "view");
  event.correlation_id = text_of(metadata, "correlation_id");
  event.trace_id = text_of(metadata, "trace_id");
  const json_t* tags = json_object_get(metadata, "tags");
  for (std::size_t i = 0; i < json_array_size(tags); ++i) {
    const json_t* tag = json_array_get(tags, i);
    if (json_is_string(tag)) event.tags.emplace_back(json_string_value(tag), json_string_length(tag));
  }
  add_members(event.custom_fields, json_object_get(metadata, "custom_fields"));
  event.sampled = number_of(metadata, "sampled");
  event.attempt = number_of(metadata, "attempt");
  return {std::move(made), &event};
}

}  // namespace bindcast
