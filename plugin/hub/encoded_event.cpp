#include "plugin/hub/encoded_event.hpp"

#include <cstring>
#include <utility>

namespace bindcast {

EncodedRef EventEncoder::encode(const Event& event, EventRef kept, std::uint64_t folded) {
  return encoded(event.type, event.priority, !event.target_user_id.empty(), event.offset, writer_.write(event),
                 std::move(kept), folded);
}

EncodedRef EventEncoder::encoded(EventType type, Priority priority, bool for_one_user, std::uint64_t offset,
                                 std::string_view json, EventRef kept, std::uint64_t folded) {
  auto made = std::make_shared<EncodedEvent>();
  made->type = type;
  made->priority = priority;
  made->for_one_user = for_one_user;
  made->offset = offset;
  made->folded = folded;
  made->held = HeldBytes(held_, sizeof(EncodedEvent) + json.size() + (kept ? kept->bytes() : 0));
  made->event = std::move(kept);
  made->buffer.reset(new unsigned char[EncodedEvent::kHeadroom + json.size()]);
  made->json_bytes = json.size();
  std::memcpy(made->payload(), json.data(), json.size());
  return made;
}

}  // namespace bindcast
