// One event and its JSON text, made once and shared by every queue that holds it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "events/event.hpp"

namespace bindcast {

struct EncodedEvent {
  EventRef event;
  std::string json;
  std::uint64_t folded = 0;  // how many events this one stands for that will not come themselves; 0: for itself

  [[nodiscard]] std::size_t bytes() const noexcept { return json.size(); }
  // What it counts for where every event must be accounted for, and under which type.
  [[nodiscard]] std::uint64_t weight() const noexcept { return folded == 0 ? 1 : folded; }
  [[nodiscard]] EventType counts_as() const noexcept { return folded == 0 ? event->type : EventType::dns_query_log; }
};
using EncodedRef = std::shared_ptr<const EncodedEvent>;

[[nodiscard]] EncodedRef encode_event(EventRef event, const StreamIdentity& stream, std::uint64_t folded = 0);

}  // namespace bindcast
