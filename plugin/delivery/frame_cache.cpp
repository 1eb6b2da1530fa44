#include "plugin/delivery/frame_cache.hpp"

#include <utility>

namespace bindcast {

std::size_t FrameCache::Hash::operator()(const Key& key) const noexcept {
  std::uint64_t hash = 0x9e3779b97f4a7c15 + static_cast<std::uint64_t>(key.level);
  for (const EncodedEvent* event : key.events)
    hash = (hash ^ reinterpret_cast<std::uintptr_t>(event)) * 0xff51afd7ed558ccd + (hash >> 29);
  return hash;
}

void FrameCache::set_bound(std::size_t bytes) {
  bound_ = bytes;
  shrink();
}

FrameRef FrameCache::find(const Key& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  recent_.splice(recent_.begin(), recent_, found->second);
  ++hits_;
  return found->second->frame;
}

void FrameCache::put(Key key, const FrameRef& frame) {
  std::size_t bytes = frame->bytes() + key.events.size() * sizeof(void*) + sizeof(Entry) + sizeof(Frame);
  for (const EncodedRef& event : frame->events) bytes += event->event ? event->event->bytes() : 0;
  if (bytes > bound_) return;
  // What may find no memory comes first, so that a key never stands there without its entry.
  std::list<Entry> entry;
  entry.push_front({.key = nullptr, .frame = frame, .bytes = bytes});
  const auto [at, fresh] = by_key_.try_emplace(std::move(key), entry.begin());
  if (!fresh) return;
  entry.front().key = &at->first;
  recent_.splice(recent_.begin(), entry);
  bytes_ += bytes;
  shrink();
}

void FrameCache::shrink() {
  while (bytes_ > bound_) {
    const Entry& oldest = recent_.back();
    bytes_ -= oldest.bytes;
    by_key_.erase(by_key_.find(*oldest.key));
    recent_.pop_back();
  }
}

}  // namespace bindcast
