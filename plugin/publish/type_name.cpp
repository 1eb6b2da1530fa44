#include "plugin/publish/type_name.hpp"

#include <algorithm>

#include "config/reader.hpp"

namespace bindcast {

bool make_event_of(std::string_view name, Event& event, std::string& fault) {
  constexpr std::string_view kCustom = "custom.";
  constexpr std::size_t kLongestCustom = 64;
  if (name.starts_with(kCustom)) {
    const std::string_view rest = name.substr(kCustom.size());
    const bool valid = !rest.empty() && rest.size() <= kLongestCustom && std::ranges::all_of(rest, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    });
    if (!valid) {
      fault = "a custom event's name is 1 to 64 of a-z, 0-9, '_', '-' and '.'";
      return false;
    }
    event = make_event(EventType::custom_event);
    event.custom_name = rest;
    return true;
  }
  const auto type = type_from(name);
  if (!type) {
    fault = "unknown event type \"" + shown(name) + "\"; other names are written custom.<name>";
    return false;
  }
  event = make_event(*type);
  return true;
}

}  // namespace bindcast
