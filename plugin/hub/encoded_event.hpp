// One event as JSON text, made once and shared by every queue that holds it.
//
//   | kHeadroom bytes | JSON |
//
// The text is a WebSocket message as it stands: in front of it there is room for the message's header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "events/event.hpp"
#include "events/json.hpp"

namespace bindcast {

// Counts the bytes that live objects hold, for a bound over all queues: what is shared counts once. Loop thread only.
class HeldBytes {
 public:
  HeldBytes() = default;
  HeldBytes(std::size_t& total, std::size_t bytes) noexcept : total_(&total), bytes_(bytes) { total += bytes; }
  ~HeldBytes() {
    if (total_ != nullptr) *total_ -= bytes_;
  }
  HeldBytes(HeldBytes&& other) noexcept : total_(std::exchange(other.total_, nullptr)), bytes_(other.bytes_) {}
  HeldBytes& operator=(HeldBytes&& other) noexcept {
    std::swap(total_, other.total_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

 private:
  std::size_t* total_ = nullptr;
  std::size_t bytes_ = 0;
};

struct EncodedEvent {
  static constexpr std::size_t kHeadroom = 16;

  EventType type = EventType::custom_event;
  Priority priority = Priority::normal;
  bool for_one_user = false;  // it has a target; then it holds its event
  std::uint64_t offset = 0;
  std::uint64_t folded = 0;  // how many events this one stands for that will not come themselves; 0: for itself
  EventRef event;            // of durable events, and where a subscriber needs it (Subscriber::needs_events); else none
  std::unique_ptr<unsigned char[]> buffer;
  std::size_t json_bytes = 0;
  HeldBytes held;

  [[nodiscard]] unsigned char* payload() const noexcept { return buffer.get() + kHeadroom; }
  [[nodiscard]] std::string_view json() const noexcept {
    return {reinterpret_cast<const char*>(payload()), json_bytes};
  }
  // Its id, as the JSON has it: also where it is not of this process' stream.
  [[nodiscard]] std::string_view id() const noexcept {
    constexpr std::size_t kBefore = 7;  // {"id":"
    const std::string_view text = json();
    return text.size() < kBefore ? std::string_view() : text.substr(kBefore, text.find('"', kBefore) - kBefore);
  }
  // What it counts for where every event must be accounted for, and under which type.
  [[nodiscard]] std::uint64_t weight() const noexcept { return folded == 0 ? 1 : folded; }
  [[nodiscard]] EventType counts_as() const noexcept { return folded == 0 ? type : EventType::dns_query_log; }
};
using EncodedRef = std::shared_ptr<const EncodedEvent>;

// Writes events as EncodedEvents. `stream` must outlive it unchanged.
class EventEncoder {
 public:
  explicit EventEncoder(const StreamIdentity& stream) : writer_(stream) {}
  // `kept`: the same event, where it is to be kept; else empty.
  [[nodiscard]] EncodedRef encode(const Event& event, EventRef kept, std::uint64_t folded = 0);
  // One whose text is there already, as this writer, or that of an earlier process, has made it.
  [[nodiscard]] EncodedRef encoded(EventType type, Priority priority, bool for_one_user, std::uint64_t offset,
                                   std::string_view json, EventRef kept, std::uint64_t folded = 0);
  // What the events encoded here hold, as long as they live, and what others add to it.
  [[nodiscard]] std::size_t& held() noexcept { return held_; }

 private:
  EventWriter writer_;
  std::size_t held_ = 0;
};

}  // namespace bindcast
