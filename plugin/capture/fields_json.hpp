// JSON from outside into Fields, by Jansson, with every bound checked. Any thread.
#pragma once

#include <jansson.h>

#include <limits>
#include <string>
#include <string_view>

#include "events/fields.hpp"

namespace bindcast {

inline constexpr std::size_t kMaxJsonBytes = 64 * 1024;
inline constexpr int kMaxJsonDepth = 16;

struct FieldBounds {
  int depth = kMaxJsonDepth;
  std::size_t values = std::numeric_limits<std::size_t>::max();     // containers and what is in them
  std::size_t key_bytes = std::numeric_limits<std::size_t>::max();  // of one name
};

// The members of an object, added to `out`. Empty, or which bound is broken; `out` is of no use then. `values` is lowered
// by what was added.
[[nodiscard]] std::string read_fields(const json_t* object, FieldBounds& bounds, Fields& out);

// `json` must be one object. False, with the reason in `error`, when it is not, or breaks a bound.
[[nodiscard]] bool fields_from_json(std::string_view json, Fields& out, std::string& error);

}  // namespace bindcast
