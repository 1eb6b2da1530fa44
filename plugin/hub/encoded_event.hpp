// One event and its JSON text, made once and shared by every queue that holds it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "events/event.hpp"

namespace bindcast {

struct EncodedEvent {
  EventRef event;
  std::string json;
  [[nodiscard]] std::size_t bytes() const noexcept { return json.size(); }
};
using EncodedRef = std::shared_ptr<const EncodedEvent>;

}  // namespace bindcast
