// JSON text from outside into Fields, by Jansson, with every bound checked. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "events/fields.hpp"

namespace bindcast {

inline constexpr std::size_t kMaxJsonBytes = 64 * 1024;
inline constexpr int kMaxJsonDepth = 16;

// `json` must be one object. False, with the reason in `error`, when it is not, or breaks a bound.
[[nodiscard]] bool fields_from_json(std::string_view json, Fields& out, std::string& error);

}  // namespace bindcast
