#include "plugin/capture/fields_json.hpp"

#include "config/reader.hpp"
#include "plugin/json_parse.hpp"

namespace bindcast {

namespace {

// Empty, or which bound is broken.
std::string add_members(Fields& out, const json_t* object, FieldBounds& bounds, int depth);

std::string add_value(Fields& out, std::string_view key, json_t* value, FieldBounds& bounds, int depth) {
  if (depth > bounds.depth) return "nested deeper than " + std::to_string(bounds.depth);
  if (key.size() > bounds.key_bytes) return "a name is longer than " + std::to_string(bounds.key_bytes) + " bytes";
  if (bounds.values == 0) return "too many values";
  --bounds.values;
  std::string fault;
  switch (json_typeof(value)) {
    case JSON_OBJECT:
      out.begin_object(key);
      fault = add_members(out, value, bounds, depth + 1);
      out.end();
      break;
    case JSON_ARRAY: {
      out.begin_array(key);
      std::size_t index = 0;
      json_t* item = nullptr;
      json_array_foreach(value, index, item) {
        fault = add_value(out, {}, item, bounds, depth + 1);
        if (!fault.empty()) break;
      }
      out.end();
      break;
    }
    case JSON_STRING:
      out.add(key, std::string_view(json_string_value(value), json_string_length(value)));
      break;
    case JSON_INTEGER:
      out.add_integer(key, json_integer_value(value));
      break;
    case JSON_REAL:
      out.add_real(key, json_real_value(value));
      break;
    case JSON_TRUE:
    case JSON_FALSE:
      out.add_boolean(key, json_is_true(value));
      break;
    case JSON_NULL:
      out.add_null(key);
      break;
  }
  return fault;
}

std::string add_members(Fields& out, const json_t* object, FieldBounds& bounds, int depth) {
  const char* key = nullptr;
  json_t* value = nullptr;
  json_object_foreach(const_cast<json_t*>(object), key, value) {
    if (std::string fault = add_value(out, key, value, bounds, depth); !fault.empty()) return fault;
  }
  return {};
}

}  // namespace

std::string read_fields(const json_t* object, FieldBounds& bounds, Fields& out) {
  return add_members(out, object, bounds, 1);
}

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
  FieldBounds bounds;
  error = read_fields(root.get(), bounds, fields);
  if (!error.empty()) return false;
  out = std::move(fields);
  return true;
}

}  // namespace bindcast
