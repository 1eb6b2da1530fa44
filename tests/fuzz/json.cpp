// Events as JSON: whatever texts, numbers and trees an event holds, a JSON reader that is not ours reads it, and what
// was UTF-8 and finite comes back as it was.
//
// An input is a tree in a small language of bytes; one that is a JSON object goes through the reader of
// bindcast_emit_json as well, and must come out as it went in.
#include "events/json.hpp"

#include <cmath>
#include <cstring>
#include <memory>

#include "fuzz.hpp"
#include "plugin/capture/fields_json.hpp"
#include "plugin/server/messages.hpp"

namespace {

using namespace bindcast;
using fuzz::require;

const StreamIdentity kStream{.epoch = "e", .host = "ns1", .service = "named"};

Json parsed(std::string_view text) {
  json_error_t fault;
  Json root(json_loadb(text.data(), text.size(), JSON_ALLOW_NUL, &fault));
  require(root != nullptr, fault.text, text);
  return root;
}

double real_of(std::uint64_t bits) {
  double value;
  static_assert(sizeof value == sizeof bits);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

void fill(Fields& fields, fuzz::Input& input) {
  int open = 0;
  for (int values = 0; values < 200 && !input.empty(); ++values) {
    const std::uint8_t what = input.byte() % 9;
    std::string key(what == 7 ? std::string_view() : input.text());
    std::ranges::replace(key, '\0', '0');  // Jansson reads every text but such a key
    switch (what) {
      case 0:
      case 8:
        fields.add(key, input.text());
        break;
      case 1:
        fields.add_integer(key, static_cast<std::int64_t>(input.number(8)));
        break;
      case 2:
        fields.add_real(key, real_of(input.number(8)));
        break;
      case 3:
        fields.add_boolean(key, (input.byte() & 1) != 0);
        break;
      case 4:
        fields.add_null(key);
        break;
      case 5:
        fields.begin_object(key), ++open;
        break;
      case 6:
        fields.begin_array(key), ++open;
        break;
      default:
        if (open > 0) fields.end(), --open;
    }
  }
  for (; open > 0; --open) fields.end();
}

// `value` as the JSON has it. Members of an object are looked at only where their keys are all different.
void require_same(Fields::Value value, const json_t* json) {
  switch (value.kind()) {
    case Fields::Kind::null:
      return require(json_is_null(json), "null stays null");
    case Fields::Kind::boolean:
      return require(json_is_boolean(json) && json_is_true(json) == value.boolean(), "a boolean stays as it is");
    case Fields::Kind::integer:
      return require(json_is_integer(json) && json_integer_value(json) == value.integer(), "an integer stays as it is");
    case Fields::Kind::real:
      if (!std::isfinite(value.real())) return require(json_is_null(json), "no JSON number can be that");
      return require(json_is_number(json) && json_number_value(json) == value.real(), "a real stays as it is",
                     std::to_string(value.real()));
    case Fields::Kind::text:
      require(json_is_string(json), "a text stays a text");
      if (fuzz::is_utf8(value.text()))
        require(std::string_view(json_string_value(json), json_string_length(json)) == value.text(),
                "a text stays as it is", value.text());
      return;
    case Fields::Kind::array: {
      std::size_t index = 0;
      for (auto item = value.first(); item; item = item.next()) require_same(item, json_array_get(json, index++));
      return require(json_is_array(json) && json_array_size(json) == index, "a list keeps its length");
    }
    case Fields::Kind::object: {
      require(json_is_object(json), "an object stays an object");
      std::size_t members = 0;
      for (auto item = value.first(); item; item = item.next()) ++members;
      if (json_object_size(json) != members) return;
      for (auto item = value.first(); item; item = item.next()) {
        const std::string key(item.key());
        if (!fuzz::is_utf8(key)) continue;
        require_same(item, json_object_get(json, key.c_str()));
      }
    }
  }
}

void require_written(const Event& event, EventWriter& writer) {
  const std::string text(writer.write(event));
  require(fuzz::is_utf8(text), "JSON is UTF-8", text);
  const Json root = parsed(text);
  require_same(event.data.root(), json_object_get(root.get(), "data"));
  EventWriter fresh(kStream);
  require(fresh.write(event) == text, "what was written before leaves no trace", text);
}

void try_as_json(std::string_view text) {
  Fields fields;
  std::string error;
  if (!fields_from_json(text, fields, error)) return fuzz::require_line(error, 300);
  const Json expected(json_loadb(text.data(), text.size(), 0, nullptr));
  std::string written;
  append_json_value(written, fields.root());
  require(json_equal(parsed(written).get(), expected.get()) == 1, "JSON comes out as it went in", written);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  if (size > 0 && data[0] == '{') try_as_json(input.rest());
  input = fuzz::Input(data, size);
  EventWriter writer(kStream);
  for (int events = 0; events < 4 && !input.empty(); ++events) {
    Event event = make_event(static_cast<EventType>(input.byte() % kEventTypeCount));
    event.offset = input.number(2);
    event.timestamp_us = static_cast<std::int64_t>(input.number(8) % 253'402'300'800'000'000);
    event.sampled = static_cast<std::uint32_t>(input.number(2));
    event.view = input.text();
    event.trace_id = input.text();
    event.source_user_id = input.text();
    event.custom_name = input.text();
    if (event.type != EventType::custom_event) event.custom_name.clear();
    event.tags.emplace_back(input.text());
    fill(event.data, input);
    fill(event.custom_fields, input);
    require_written(event, writer);
  }
  return 0;
}
