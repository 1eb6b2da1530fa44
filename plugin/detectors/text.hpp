// Text of what the tables keep in wire form.
#pragma once

#include <string>
#include <string_view>

#include "events/dns_text.hpp"

namespace bindcast {

[[nodiscard]] inline std::string name_text(std::string_view wire) {
  char text[kMaxNameText];
  return {text, write_name(text, {reinterpret_cast<const std::uint8_t*>(wire.data()), wire.size()})};
}

}  // namespace bindcast
