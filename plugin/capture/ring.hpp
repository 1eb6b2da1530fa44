// A single-producer, single-consumer ring of variable-length records.
//
//   record: | size (u32, whole record, multiple of 8) | kind (u32) | payload … padding |
//
// A record never wraps: when it does not fit before the end of the buffer, a record of kind kPadding fills the rest.
// The producer never waits: a full ring refuses. The memory is mapped without reserve, so a ring that nobody uses costs
// address space only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace bindcast {

class Ring {
 public:
  static constexpr std::uint32_t kPadding = 0;

  // `capacity` is rounded up to a power of two of at least one page. Throws std::bad_alloc.
  explicit Ring(std::size_t capacity);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // Room for one record with `payload` bytes, or nullptr when the ring is full. Host thread (the producer's).
  [[nodiscard]] std::byte* reserve(std::size_t payload, std::uint32_t kind) noexcept;
  // Publishes what reserve returned last. Host thread.
  void commit() noexcept;

  struct Record {
    std::uint32_t kind = kPadding;
    std::span<const std::byte> payload;  // includes up to 7 bytes of padding at its end
  };
  // The oldest record; false when the ring is empty. Valid until pop. Loop thread.
  [[nodiscard]] bool front(Record& out) noexcept;
  void pop() noexcept;                        // Loop thread.
  [[nodiscard]] bool empty() const noexcept;  // Loop thread.

 private:
  static constexpr std::size_t kHeader = 8;

  std::byte* buffer_;
  std::size_t mask_;

  // the producer's
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t reserved_tail_ = 0;
  std::uint64_t known_head_ = 0;
  // the consumer's
  alignas(64) std::atomic<std::uint64_t> head_{0};
  std::uint64_t next_head_ = 0;
};

}  // namespace bindcast
