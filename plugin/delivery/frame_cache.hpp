// Compressed batches by what they hold, the most recently used ones, bounded in bytes. Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>
#include <vector>

#include "plugin/delivery/frame.hpp"

namespace bindcast {

class FrameCache {
 public:
  // Which events, and how they were packed. A frame keeps its events alive, so no two have the same address.
  struct Key {
    std::vector<const EncodedEvent*> events;
    int level = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };

  void set_bound(std::size_t bytes);
  [[nodiscard]] FrameRef find(const Key& key);  // empty when it is not here
  void put(Key key, const FrameRef& frame);

  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::uint64_t hits() const noexcept { return hits_; }

 private:
  struct Hash {
    std::size_t operator()(const Key& key) const noexcept;
  };
  struct Entry {
    const Key* key;  // the map's
    FrameRef frame;
    std::size_t bytes;
  };
  void shrink();

  std::size_t bound_ = 0;
  std::size_t bytes_ = 0;
  std::uint64_t hits_ = 0;
  std::list<Entry> recent_;  // the latest first
  std::unordered_map<Key, std::list<Entry>::iterator, Hash> by_key_;
};

}  // namespace bindcast
