// The events of a message, as the bytes that came. Pure.
#pragma once

#include <string_view>
#include <vector>

namespace bindcast::tool {

// The elements of the list `key` of a JSON object, each as it stands in `json`, which must be valid JSON; none when
// there is no such list.
[[nodiscard]] std::vector<std::string_view> list_members(std::string_view json, std::string_view key);

}  // namespace bindcast::tool
