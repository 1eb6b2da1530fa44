// The journal's file, and everything that changes it. The format is written down in doc/journal.md.
//
// The writer's thread only. Whatever goes wrong is thrown, as DatabaseFault or StoreFault; what was under way is taken
// back then, and the same call may be made again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "config/options.hpp"
#include "events/event.hpp"
#include "plugin/clock.hpp"
#include "plugin/journal/database.hpp"

namespace bindcast {

// Of a file that is not to be touched, or cannot be: there is no journal until something about it has changed.
class StoreFault : public std::runtime_error {
 public:
  enum class Kind : std::uint8_t { unusable, not_ours };  // to be tried again soon; somebody else's, or from the future
  StoreFault(Kind what_kind, const std::string& what) : std::runtime_error(what), kind(what_kind) {}
  const Kind kind;
};

// What is stored of an event besides its text.
struct StoredRow {
  std::uint64_t offset = 0;
  std::int64_t time_us = 0;
  EventType type = EventType::custom_event;
  Priority priority = Priority::normal;
  Severity severity = Severity::info;
  std::string json;
};

// Events that were told live and are not stored: so many of this epoch, between these offsets.
struct Hole {
  std::uint64_t first = 0, last = 0, count = 0;
};

// Is it of those that are kept apart, and only where journal.queries says so?
[[nodiscard]] bool is_about_queries(EventType type) noexcept;

class Store {
 public:
  static constexpr std::int64_t kApplicationId = 0x42434A4C;
  // Each brings a file of the version before it to its own; the first one makes the tables.
  using Migrations = std::vector<const char*>;
  [[nodiscard]] static const Migrations& migrations();
  static constexpr std::size_t kRowsPerStep = 500;  // of retention

  struct Table {
    std::uint64_t events = 0;
    std::uint64_t bytes = 0;  // of their text
  };

  // Opens or makes the file, brings it up to date and locks it against other processes.
  explicit Store(const std::string& path, const Migrations& versions = migrations());
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  void configure(const JournalOptions& options);
  // From here on what comes is of this epoch, which may be one that is there already (the file was closed meanwhile).
  // Of one that is not, what was `told` up to that offset is not here.
  void begin_epoch(const StreamIdentity& stream, std::uint64_t told, Now now);
  // One transaction. `rows` in the order of their offsets; `through`: see doc/journal.md.
  void append(std::span<const StoredRow> rows, std::span<const Hole> holes, std::uint64_t through);
  void end_epoch(Now now);
  // One step of what retention asks for, with room for so many bytes of events; true: there is more to be done.
  bool retain(Now now, std::uint64_t room_for = 0);

  // Is the -wal no longer than it may be? It is cut where it can be; who holds a transaction that reads keeps it from
  // that.
  [[nodiscard]] bool log_fits();
  // Is the file that is open still the one at the path?
  [[nodiscard]] bool in_place() const noexcept;
  [[nodiscard]] const Table& events() const noexcept { return tables_[kEvents]; }
  [[nodiscard]] const Table& queries() const noexcept { return tables_[kQueries]; }
  [[nodiscard]] std::uint64_t through() const noexcept { return through_; }
  [[nodiscard]] std::uint64_t removed() const noexcept { return removed_; }  // by retention, since it was opened
  [[nodiscard]] std::vector<std::string> epochs();
  [[nodiscard]] std::int64_t oldest_us();          // 0: there is none
  [[nodiscard]] std::uint64_t size_bytes() const;  // of the file and its -wal

 private:
  enum : std::size_t { kEvents, kQueries, kTables };
  struct Block {
    std::int64_t first = 0, last = 0, oldest_us = 0, newest_us = 0;
    std::size_t rows = 0;
  };
  // The file itself; it is unlocked when nothing of SQLite's is left, because whoever closes a descriptor of a file
  // gives up all of the process' POSIX locks on it.
  class LockedFile {
   public:
    explicit LockedFile(const std::string& path);
    ~LockedFile();
    LockedFile(const LockedFile&) = delete;
    LockedFile& operator=(const LockedFile&) = delete;
    [[nodiscard]] bool is_at(const std::string& path) const noexcept;

   private:
    int file_;
  };

  void migrate(const Migrations& versions);
  [[nodiscard]] std::int64_t kind_of(EventType type);
  void save(const Block& block);
  bool remove_oldest(std::size_t table, std::int64_t older_than_us, std::int64_t now_us);
  void note_removed(std::size_t table, std::int64_t from, std::int64_t to);

  std::string path_;
  LockedFile file_;
  Database database_;
  JournalOptions options_;
  std::int64_t page_size_ = 0;
  std::int64_t epoch_number_ = 0, base_ = 0;
  std::uint64_t through_ = 0, removed_ = 0;
  std::array<Table, kTables> tables_{};
  std::array<std::int64_t, kEventTypeCount> kinds_{};  // 0: not in the file yet
  Block block_;                                        // the one under way

  struct Statements;
  std::unique_ptr<Statements> sql_;
};

}  // namespace bindcast
