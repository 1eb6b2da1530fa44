// Jansson's parser, made safe: version 2.14 follows null pointers when an allocation fails in the middle of a text. Any
// thread.
#pragma once

#include <jansson.h>

#include <functional>
#include <memory>
#include <string_view>

namespace bindcast {

struct JsonDecref {
  void operator()(json_t* value) const noexcept { json_decref(value); }
};
using Json = std::unique_ptr<json_t, JsonDecref>;

// How deep brackets nest outside of strings; to be looked at before Jansson recurses into a text of strangers.
[[nodiscard]] int nesting_depth(std::string_view text) noexcept;

// As json_loadb. Empty, with `fault` set, when the text is no such JSON; throws std::bad_alloc when there is no memory.
[[nodiscard]] Json parse_json(std::string_view text, std::size_t flags, json_error_t& fault);

// The same for a library that parses a text of about `size` bytes by Jansson inside of `work`, which must free all that
// it made of it. Throws std::bad_alloc afterwards when there was no memory.
void with_json_reserve(std::size_t size, const std::function<void()>& work);

}  // namespace bindcast
