#include "plugin/hub/encoded_event.hpp"

#include <utility>

#include "events/json.hpp"

namespace bindcast {

EncodedRef encode_event(EventRef event, const StreamIdentity& stream, std::uint64_t folded) {
  auto made = std::make_shared<EncodedEvent>();
  append_event_json(made->json, *event, stream);
  made->event = std::move(event);
  made->folded = folded;
  return made;
}

}  // namespace bindcast
