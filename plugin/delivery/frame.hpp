// One WebSocket message, ready to be written: made once, never changed, shared by every queue that holds it.
//
//   | headroom | payload (size bytes) |
//
// Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "events/type.hpp"
#include "plugin/delivery/losses.hpp"
#include "plugin/hub/encoded_event.hpp"

namespace bindcast {

struct Frame {
  // In front of the payload libwebsockets writes the header of the message; the same bytes for every client.
  static constexpr std::size_t kHeadroom = EncodedEvent::kHeadroom;

  std::unique_ptr<unsigned char[]> buffer;  // none where the payload is that of its one event
  unsigned char* payload = nullptr;
  std::size_t size = 0;
  std::size_t plain_size = 0;  // before compression
  bool binary = false;         // compressed
  bool batch = false;
  std::vector<EncodedRef> events;  // what it carries, in order
  std::size_t json_bytes = 0;      // theirs
  std::int64_t created_us = 0;     // monotonic: when the first of them came
  std::optional<Gap> gap;          // or what it says was lost
  HeldBytes held;

  [[nodiscard]] std::string_view text() const noexcept { return {reinterpret_cast<const char*>(payload), size}; }
  // What a queue that holds it keeps in memory.
  [[nodiscard]] std::size_t bytes() const noexcept { return (buffer ? size : 0) + json_bytes; }
};
using FrameRef = std::shared_ptr<const Frame>;

// A frame of this payload and nothing else.
[[nodiscard]] inline std::shared_ptr<Frame> frame_of(std::string_view payload) {
  auto frame = std::make_shared<Frame>();
  frame->buffer.reset(new unsigned char[Frame::kHeadroom + payload.size()]);
  frame->payload = frame->buffer.get() + Frame::kHeadroom;
  std::memcpy(frame->payload, payload.data(), payload.size());
  frame->size = frame->plain_size = payload.size();
  return frame;
}

}  // namespace bindcast
