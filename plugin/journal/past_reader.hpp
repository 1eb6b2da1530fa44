// Reads portions of the journal on a connection of its own; the format is written down in doc/journal.md.
//
// One thread. Throws DatabaseFault. The work for one portion is bounded: it may come back short,
// with `end` false, and the next one goes on from its position.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "plugin/journal/database.hpp"
#include "plugin/journal/past.hpp"

namespace bindcast {

class PastReader {
 public:
  static constexpr std::size_t kMostExamined = 20'000;  // rows
  static constexpr std::int64_t kMostUs = 100'000;

  // `stream`: of the life that runs.
  PastReader(const std::string& path, std::uint64_t generation, StreamIdentity stream);
  ~PastReader();

  [[nodiscard]] PastPortion read(const PastRequest& request);
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

 private:
  struct Epoch {
    std::int64_t number, base;
    std::shared_ptr<const StreamIdentity> stream;
    bool ended;
    std::int64_t through, forgotten, removed, queries_forgotten, queries_removed;
  };
  struct Kind {
    std::int64_t kind;
    EventType type;
  };
  // What has to be read of which table: all of it, or these kinds, each by itself.
  struct Source {
    std::size_t table;
    std::vector<std::int64_t> kinds;  // empty: all
  };
  struct Cursor {
    Statement* statement;
    std::int64_t position;
  };
  // Positions from behind `low` up to `high`.
  struct Range {
    std::int64_t low, high;
  };

  void load_epochs();
  void load_kinds();
  [[nodiscard]] const Epoch* epoch_at(std::int64_t position) const;
  [[nodiscard]] const Epoch* epoch_named(std::string_view name) const;
  [[nodiscard]] bool is_running(const Epoch& epoch) const { return epoch.stream->epoch == stream_.epoch; }
  [[nodiscard]] std::int64_t position_of(const StreamPlace& place) const;
  [[nodiscard]] StreamPlace place_of(std::int64_t position) const;
  [[nodiscard]] std::vector<Source> sources_of(const std::bitset<kEventTypeCount>& types) const;
  [[nodiscard]] Statement& statement(std::size_t table, bool by_kind, bool newest_first);
  bool scan(const PastRequest& request, const std::vector<Source>& sources, Range range, PastPortion& portion);
  void take(const PastRequest& request, Statement& row, std::int64_t position, PastPortion& portion);
  void tell_losses(const PastRequest& request, std::int64_t from, PastPortion& portion);

  const std::uint64_t generation_;
  const StreamIdentity stream_;
  Database database_;
  std::vector<Epoch> epochs_;  // of the transaction under way, in order
  std::vector<Kind> kinds_;
  std::array<std::vector<std::unique_ptr<Statement>>, 8> statements_;  // by what they do; as many as were ever needed
  std::array<std::size_t, 8> in_use_{};
  std::vector<Cursor> cursors_;
  std::size_t examined_ = 0, bytes_ = 0;
  std::int64_t began_us_ = 0;
};

}  // namespace bindcast
