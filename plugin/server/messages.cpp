#include "plugin/server/messages.hpp"

#include <exception>
#include <new>

#include "events/json.hpp"

namespace bindcast {

bool parse_client_message(std::string_view text, ClientMessage& out, std::string& error) {
  out.id.clear();
  if (nesting_depth(text) > kMaxMessageDepth) {
    error = "nested deeper than " + std::to_string(kMaxMessageDepth);
    return false;
  }
  json_error_t fault;
  const Json root = parse_json(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, fault);
  if (!root) {
    error = "not JSON: " + std::string(fault.text) + " at byte " + std::to_string(fault.position);
    return false;
  }
  if (!json_is_object(root.get())) {
    error = "a message is a JSON object";
    return false;
  }
  const json_t* id = json_object_get(root.get(), "id");
  if (id != nullptr && !json_is_string(id) && !json_is_integer(id)) {
    error = "\"id\" is a text or an integer";
    return false;
  }
  if (json_is_string(id) && json_string_length(id) > 128) {
    error = "\"id\" is longer than 128 bytes";
    return false;
  }
  if (id != nullptr) out.id = dump(id);  // whatever else is wrong, the answer can say to what
  const std::string_view type = text_member(root.get(), "type");
  if (type.empty() || type.size() > 64) {
    error = "a message has a \"type\", a text of at most 64 bytes";
    return false;
  }
  json_t* data = json_object_get(root.get(), "data");
  if (data != nullptr && !json_is_object(data) && !json_is_null(data)) {
    error = "\"data\" is an object";
    return false;
  }
  out.type = type;
  out.data.reset(json_is_object(data) ? json_incref(data) : json_object());
  return true;
}

std::string server_message(std::string_view type, Now now, std::string_view reply_to, const Json& data) {
  std::string text = "{\"type\":";
  append_json_string(text, type);
  text += ",\"timestamp\":\"";
  append_timestamp(text, now.wall_us);
  text += '"';
  if (!reply_to.empty()) {
    text += ",\"reply_to\":";
    text += reply_to;
  }
  if (data) {
    text += ",\"data\":";
    text += dump(data.get());
  }
  text += '}';
  return text;
}

Json json_text(std::string_view text) {
  if (json_t* value = json_stringn(text.data(), text.size())) return Json(value);
  // Not UTF-8: our own writer replaces what is invalid.
  std::string quoted;
  append_json_string(quoted, text);
  json_error_t fault;
  return parse_json(quoted, JSON_DECODE_ANY | JSON_ALLOW_NUL, fault);
}

void set(json_t* object, const char* key, std::string_view text) {
  set_json(object, key, json_text(text));
}

void set(json_t* object, const char* key, std::uint64_t value) {
  set_json(object, key, Json(json_integer(static_cast<json_int_t>(value))));
}

void set_json(json_t* object, const char* key, Json value) {
  if (json_object_set_new(object, key, value.release()) != 0) throw std::bad_alloc();
}

void append(json_t* array, Json value) {
  if (json_array_append_new(array, value.release()) != 0) throw std::bad_alloc();
}

std::string dump(const json_t* value) {
  // Jansson's own text goes on after parts for which there was no memory.
  struct Written {
    std::string text;
    bool whole = true;
  } written;
  const auto add = [](const char* part, std::size_t size, void* to) {
    auto& out = *static_cast<Written*>(to);
    try {
      out.text.append(part, size);
    } catch (const std::exception&) {
      out.whole = false;
    }
    return out.whole ? 0 : -1;
  };
  if (json_dump_callback(value, add, &written, JSON_COMPACT | JSON_ENCODE_ANY) != 0 || !written.whole)
    throw std::bad_alloc();
  return written.text;
}

std::string_view text_of(const json_t* value) {
  if (!json_is_string(value)) return {};
  return {json_string_value(value), json_string_length(value)};
}

std::string_view text_member(const json_t* object, const char* key) {
  return text_of(json_object_get(object, key));
}

}  // namespace bindcast
