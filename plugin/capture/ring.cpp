#include "plugin/capture/ring.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace bindcast {

namespace {
void write_header(std::byte* at, std::uint32_t size, std::uint32_t kind) noexcept {
  std::memcpy(at, &size, sizeof size);
  std::memcpy(at + sizeof size, &kind, sizeof kind);
}
}  // namespace

Ring::Ring(std::size_t capacity) {
  const std::size_t bytes = std::bit_ceil(std::max<std::size_t>(capacity, 4096));
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  buffer_ = static_cast<std::byte*>(memory);
  mask_ = bytes - 1;
}

Ring::~Ring() {
  munmap(buffer_, mask_ + 1);
}

std::byte* Ring::reserve(std::size_t payload, std::uint32_t kind) noexcept {
  const std::size_t capacity = mask_ + 1;
  const std::size_t size = (kHeader + payload + 7) & ~std::size_t{7};
  if (size > capacity / 2) return nullptr;
  std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  const std::size_t to_end = capacity - (tail & mask_);
  const std::size_t needed = size <= to_end ? size : to_end + size;
  if (tail + needed - known_head_ > capacity) {
    known_head_ = head_.load(std::memory_order_acquire);
    if (tail + needed - known_head_ > capacity) return nullptr;
  }
  if (size > to_end) {
    write_header(buffer_ + (tail & mask_), static_cast<std::uint32_t>(to_end), kPadding);
    tail += to_end;
  }
  std::byte* at = buffer_ + (tail & mask_);
  write_header(at, static_cast<std::uint32_t>(size), kind);
  reserved_tail_ = tail + size;
  return at + kHeader;
}

void Ring::commit() noexcept {
  tail_.store(reserved_tail_, std::memory_order_release);
}

bool Ring::front(Record& out) noexcept {
  for (;;) {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return false;
    const std::byte* at = buffer_ + (head & mask_);
    std::uint32_t size = 0;
    std::memcpy(&size, at, sizeof size);
    std::memcpy(&out.kind, at + sizeof size, sizeof out.kind);
    next_head_ = head + size;
    if (out.kind == kPadding) {
      pop();
      continue;
    }
    out.payload = {at + kHeader, size - kHeader};
    return true;
  }
}

void Ring::pop() noexcept {
  head_.store(next_head_, std::memory_order_release);
}

bool Ring::empty() const noexcept {
  return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_acquire);
}

}  // namespace bindcast
