// The messages of the protocol: what a client says, parsed and bounded, and what the server answers. By Jansson. No
// state; any thread. Where Jansson has no memory they throw std::bad_alloc: half an answer would be a wrong one.
#pragma once

#include <jansson.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "plugin/clock.hpp"
#include "plugin/json_parse.hpp"

namespace bindcast {

inline constexpr int kMaxMessageDepth = 16;

// The client's side. `data` is an object, possibly empty.
struct ClientMessage {
  std::string type;
  std::string id;  // as JSON text, ready to be sent back as reply_to; empty: none
  Json data;
};

// False, with the reason, for anything that is not one JSON object with a text `type`; out.id is set all the same if it
// could be read.
[[nodiscard]] bool parse_client_message(std::string_view text, ClientMessage& out, std::string& error);

// `{"type":…,"timestamp":…,"reply_to":…,"data":…}`; `data` may be null: then it is left out.
[[nodiscard]] std::string server_message(std::string_view type, Now now, std::string_view reply_to, const Json& data);

[[nodiscard]] Json json_text(std::string_view text);
void set(json_t* object, const char* key, std::string_view text);
void set(json_t* object, const char* key, std::uint64_t value);
void set_json(json_t* object, const char* key, Json value);
void append(json_t* array, Json value);
[[nodiscard]] std::string dump(const json_t* value);
// Empty when it is no text.
[[nodiscard]] std::string_view text_of(const json_t* value);
// A text member of an object; empty when absent or no text.
[[nodiscard]] std::string_view text_member(const json_t* object, const char* key);

}  // namespace bindcast
