#include "plugin/capture/fields_json.hpp"

#include <jansson.h>

#include "config/reader.hpp"
#include "plugin/json_parse.hpp"

namespace bindcast {

namespace {

bool add_members(Fields& out, json_t* object, int depth);

bool add_value(Fields& out, std::string_view key, json_t* value, int depth) {
  if (depth > kMaxJsonDepth) return false;
  switch (json_typeof(value)) {
    case JSON_OBJECT:
      out.begin_object(key);
      if (!add_members(out, value, depth + 1)) return false;
      out.end();
      return true;
    case JSON_ARRAY: {
      out.begin_array(key);
      std::size_t index = 0;
      json_t* item = nullptr;
      json_array_foreach(value, index, item) {
        if (!add_value(out, {}, item, depth + 1)) return false;
      }
      out.end();
      return true;
    }
    case JSON_STRING:
      out.add(key, std::string_view(json_string_value(value), json_string_length(value)));
      return true;
    case JSON_INTEGER:
      out.add_integer(key, json_integer_value(value));
      return true;
    case JSON_REAL:
      out.add_real(key, json_real_value(value));
      return true;
    case JSON_TRUE:
    case JSON_FALSE:
      out.add_boolean(key, json_is_true(value));
      return true;
    case JSON_NULL:
      out.add_null(key);
      return true;
  }
  return false;
}

bool add_members(Fields& out, json_t* object, int depth) {
  const char* key = nullptr;
  json_t* value = nullptr;
  json_object_foreach(object, key, value) {
    if (!add_value(out, key, value, depth)) return false;
  }
  return true;
}

}  // namespace

bool fields_from_json(std::string_view json, Fields& out, std::string& error) {
  if (json.size() > kMaxJsonBytes) {
    error = "longer than " + std::to_string(kMaxJsonBytes) + " bytes";
    return false;
  }
  json_error_t fault;
  const Json root = parse_json(json, JSON_REJECT_DUPLICATES, fault);
  if (!root) {
    error = "column " + std::to_string(fault.column) + ": " + shown(fault.text);
    return false;
  }
  if (!json_is_object(root.get())) {
    error = "not a JSON object";
    return false;
  }
  Fields fields;
  if (!add_members(fields, root.get(), 1)) {
    error = "nested deeper than " + std::to_string(kMaxJsonDepth);
    return false;
  }
  out = std::move(fields);
  return true;
}

}  // namespace bindcast
