// Folds like queries into one event with a count, so that under pressure detail goes before events do.
//
// Like are queries of one view, name (without case), type, rcode (or no answer) and transport. What comes out is one
// dns_query_batch per group; every folded event is in exactly one event's count. Bounded in groups and bytes: when the
// table is full, a query of a known group is still folded, any other is left to the caller. Copies what it keeps of an
// event. Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "events/event.hpp"
#include "plugin/clock.hpp"

namespace bindcast {

class QueryFold {
 public:
  static constexpr std::size_t kMaxBytes = 1024 * 1024;
  // So many clients of a group are told apart; of more it is only said that there were more.
  static constexpr std::size_t kMaxClients = 16;

  explicit QueryFold(std::size_t max_groups);

  // Takes a dns_query_log event into its group. False, with nothing taken: another type, not the data of a query, or a
  // new group for which there is no room.
  [[nodiscard]] bool fold(const Event& event);

  // One event per group, in order of the groups' first offsets, without an offset of its own; then nothing is held.
  // The events refer to `stream`, which must outlive them.
  [[nodiscard]] std::vector<Event> take(const StreamIdentity& stream, Now now);

  [[nodiscard]] std::uint64_t folded() const noexcept { return folded_; }  // events held
  [[nodiscard]] std::size_t groups() const noexcept { return groups_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }  // at most kMaxBytes

 private:
  struct Query;  // what is read out of an event

  struct Group {
    std::uint64_t count = 0;    // events
    std::uint64_t queries = 0;  // what they stand for, by sampling
    std::uint64_t first = 0;    // offsets
    std::uint64_t last = 0;
    std::int64_t from_us = 0;
    std::int64_t to_us = 0;
    std::int64_t latency_min_us = 0;
    std::int64_t latency_max_us = 0;
    std::uint64_t latency_sum_us = 0;
    std::uint64_t latency_count = 0;
    std::string clients;  // each a byte of size and the text
    std::uint8_t client_count = 0;
    bool more_clients = false;
  };
  // Names come from outside: with a salt nobody can choose many that share a bucket.
  struct SaltedHash {
    using is_transparent = void;
    std::size_t salt;
    std::size_t operator()(std::string_view key) const noexcept { return std::hash<std::string_view>{}(key) ^ salt; }
  };
  using Groups = std::unordered_map<std::string, Group, SaltedHash, std::equal_to<>>;

  void write_key(const Query& query);
  void add_client(Group& group, std::string_view client);
  static Event batch_event(const std::string& key, const Group& group, const StreamIdentity& stream, Now now);

  std::size_t max_groups_;
  Groups groups_;
  std::string key_;  // of the event at hand; kept for its buffer
  std::uint64_t folded_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace bindcast
