#include "plugin/hub/encoded_event.hpp"

#include <cstring>
#include <utility>

namespace bindcast {

EncodedRef EventEncoder::encode(const Event& event, EventRef kept, std::uint64_t folded) {
  const std::string_view text = writer_.write(event);
  auto made = std::make_shared<EncodedEvent>();
  made->type = event.type;
  made->priority = event.priority;
  made->for_one_user = !event.target_user_id.empty();
  made->offset = event.offset;
  made->folded = folded;
  made->held = HeldBytes(held_, sizeof(EncodedEvent) + text.size() + (kept ? kept->bytes() : 0));
  made->event = std::move(kept);
  made->buffer.reset(new unsigned char[EncodedEvent::kHeadroom + text.size()]);
  made->json_bytes = text.size();
  std::memcpy(made->payload(), text.data(), text.size());
  return made;
}

}  // namespace bindcast
