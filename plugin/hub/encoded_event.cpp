#include "plugin/hub/encoded_event.hpp"

#include <cstring>
#include <utility>

#include "events/json.hpp"

namespace bindcast {

EncodedRef EventEncoder::encode(const Event& event, EventRef kept, std::uint64_t folded) {
  text_.clear();
  append_event_json(text_, event, stream_);
  auto made = std::make_shared<EncodedEvent>();
  made->type = event.type;
  made->priority = event.priority;
  made->offset = event.offset;
  made->folded = folded;
  made->held = HeldBytes(held_, sizeof(EncodedEvent) + text_.size() + (kept ? kept->bytes() : 0));
  made->event = std::move(kept);
  made->buffer.reset(new unsigned char[EncodedEvent::kHeadroom + text_.size()]);
  made->json_bytes = text_.size();
  std::memcpy(made->payload(), text_.data(), text_.size());
  return made;
}

}  // namespace bindcast
