#include "plugin/server/configuration_json.hpp"

#include <string>
#include <string_view>
#include <utility>

#include "config/shown.hpp"
#include "events/timestamp.hpp"
#include "plugin/server/messages.hpp"

namespace bindcast {

namespace {

std::string cut(const std::string& value) {
  if (value.size() <= kMostShownValue) return value;
  std::size_t size = kMostShownValue;
  while (size > 0 && (static_cast<unsigned char>(value[size]) & 0xC0) == 0x80) --size;  // whole characters
  return value.substr(0, size) + "...";
}

Json option_json(const ShownOption& option) {
  Json object(json_object());
  json_t* o = object.get();
  set(o, "path", option.path);
  set(o, "value", cut(option.value));
  if (!option.about->fallback.empty()) set(o, "default", option.about->fallback);
  set_json(o, "differs", Json(json_boolean(option.differs())));
  set(o, "accepts", what_it_may_be(*option.about));
  set(o, "doc", option.about->doc);
  return object;
}

}  // namespace

Json configuration_json(const Options& options, const ConfigOrigin& origin) {
  Json list(json_array());
  std::uint64_t left_out = 0;
  const ItemText* of = nullptr;  // whose entries are counted
  std::size_t bytes = 0;
  for (const ShownOption& option : shown_options(options)) {
    if (option.option != of) bytes = 0;
    of = option.option;
    Json object = option_json(option);
    const bool entry = option.about != option.option;
    if (entry && (bytes += dump(object.get()).size()) > kMostEntryBytes) {
      ++left_out;
      continue;
    }
    append(list.get(), std::move(object));
  }
  Json answer(json_object());
  if (!origin.file.empty()) {
    std::string read_at;
    append_timestamp(read_at, origin.read_us);
    set(answer.get(), "file", origin.file);
    set(answer.get(), "read_at", read_at);
  }
  set_json(answer.get(), "options", std::move(list));
  set(answer.get(), "left_out", left_out);
  return answer;
}

}  // namespace bindcast
