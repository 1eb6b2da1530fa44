#include "plugin/journal/store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

namespace bindcast {

namespace {

constexpr int kBusyMs = 200;
constexpr std::size_t kRowsPerBlock = 512;
constexpr std::uint64_t kQueriesShare = 4;  // of max_size, one part in
constexpr std::uint64_t kSpareShare = 16;   // of max_size, stays free: deleted rows leave their pages a little later
constexpr std::uint64_t kMostLogBytes = 16 << 20,
                        kLogShare = 4;  // of the -wal: the larger of this and a part of max_size
constexpr std::int64_t kFreeShare = 8;  // a file with more than this part free is made shorter
constexpr std::int64_t kSmallFilePages = 256;
constexpr std::int64_t kMostEpochs = 10'000, kMostHoles = 10'000;

constexpr const char* kTableNames[] = {"events", "queries"};

constexpr const char* kVersion1 = R"(
CREATE TABLE epochs (
  number INTEGER PRIMARY KEY, epoch TEXT NOT NULL UNIQUE, base INTEGER NOT NULL, host TEXT NOT NULL,
  began_us INTEGER NOT NULL, ended_us INTEGER, through INTEGER NOT NULL DEFAULT 0,
  forgotten INTEGER NOT NULL DEFAULT 0, removed INTEGER NOT NULL DEFAULT 0,
  queries_forgotten INTEGER NOT NULL DEFAULT 0, queries_removed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE kinds (kind INTEGER PRIMARY KEY, type TEXT NOT NULL UNIQUE, category TEXT NOT NULL);
CREATE TABLE events (
  position INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, kind INTEGER NOT NULL, priority INTEGER NOT NULL,
  severity INTEGER NOT NULL, bytes INTEGER NOT NULL, event TEXT NOT NULL);
CREATE INDEX events_by_kind ON events (kind);
CREATE TABLE queries (
  position INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, kind INTEGER NOT NULL, priority INTEGER NOT NULL,
  severity INTEGER NOT NULL, bytes INTEGER NOT NULL, event TEXT NOT NULL);
CREATE INDEX queries_by_kind ON queries (kind);
CREATE TABLE blocks (
  first INTEGER PRIMARY KEY, last INTEGER NOT NULL, oldest_us INTEGER NOT NULL, newest_us INTEGER NOT NULL);
CREATE TABLE holes (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, count INTEGER NOT NULL);
CREATE TABLE sizes (name TEXT PRIMARY KEY, events INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO sizes VALUES ('events', 0, 0), ('queries', 0, 0);
CREATE VIEW readable AS
  SELECT json_extract(event, '$.id') AS id, json_extract(event, '$.timestamp') AS time, type, category,
         CASE priority WHEN 0 THEN 'low' WHEN 1 THEN 'normal' WHEN 2 THEN 'high' WHEN 3 THEN 'critical'
                       ELSE 'urgent' END AS priority,
         CASE severity WHEN 0 THEN 'debug' WHEN 1 THEN 'info' WHEN 2 THEN 'warning' WHEN 3 THEN 'error'
                       ELSE 'critical' END AS severity,
         event, position
    FROM (SELECT * FROM events UNION ALL SELECT * FROM queries) JOIN kinds USING (kind) ORDER BY position;
)";

std::string cannot(const char* what, const std::string& path) {
  return std::string(what) + " " + path + ": " + std::strerror(errno);
}

}  // namespace

bool is_about_queries(EventType type) noexcept {
  return type_info(type).klass == Class::live && type_info(type).category == Category::dns;
}

struct Store::Statements {
  explicit Statements(Database& database)
      : insert{{database, "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)"},
               {database, "INSERT INTO queries VALUES (?, ?, ?, ?, ?, ?, ?)"}},
        oldest{{database, "SELECT position, time_us, bytes FROM events ORDER BY position LIMIT ?"},
               {database, "SELECT position, time_us, bytes FROM queries ORDER BY position LIMIT ?"}},
        remove{{database, "DELETE FROM events WHERE position <= ?"},
               {database, "DELETE FROM queries WHERE position <= ?"}},
        forget{{database, "UPDATE epochs SET forgotten = max(forgotten, ?2), removed = removed + ?3 WHERE number = ?1"},
               {database,
                "UPDATE epochs SET queries_forgotten = max(queries_forgotten, ?2), "
                "queries_removed = queries_removed + ?3 WHERE number = ?1"}},
        resize(database, "UPDATE sizes SET events = ?2, bytes = ?3 WHERE name = ?1"),
        block(database, "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?)"),
        hole(database,
             "INSERT INTO holes VALUES (?1, ?2, ?3) "
             "ON CONFLICT (first) DO UPDATE SET last = max(last, ?2), count = count + ?3"),
        through(database, "UPDATE epochs SET through = ?2 WHERE number = ?1") {}
  Statement insert[kTables], oldest[kTables], remove[kTables], forget[kTables];
  Statement resize, block, hole, through;
};

// ── Opening ──────────────────────────────────────────────────────────────────────────────────────────────────────────

Store::LockedFile::LockedFile(const std::string& path)
    : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600)) {
  if (file_ < 0) throw StoreFault(StoreFault::Kind::unusable, cannot("cannot open", path));
  struct stat status {};
  std::string fault;
  if (fstat(file_, &status) != 0 || !S_ISREG(status.st_mode))
    fault = path + " is no file";
  else if (flock(file_, LOCK_EX | LOCK_NB) != 0)
    fault = errno == EWOULDBLOCK ? path + " is another process' journal" : cannot("cannot lock", path);
  if (fault.empty()) return;
  ::close(file_);
  throw StoreFault(StoreFault::Kind::unusable, fault);
}

Store::LockedFile::~LockedFile() {
  ::close(file_);
}

bool Store::LockedFile::is_at(const std::string& path) const noexcept {
  struct stat open {
  }, there{};
  return fstat(file_, &open) == 0 && stat(path.c_str(), &there) == 0 && open.st_ino == there.st_ino &&
         open.st_dev == there.st_dev;
}

const Store::Migrations& Store::migrations() {
  static const Migrations all{kVersion1};
  return all;
}

Store::Store(const std::string& path, const Migrations& versions)
    : path_(path), file_(path), database_(path, false, kBusyMs) {
  migrate(versions);
  page_size_ = database_.number("PRAGMA page_size");
  for (std::size_t table = 0; table < kTables; ++table) {
    Statement size(database_, "SELECT events, bytes FROM sizes WHERE name = ?");
    size.bind(1, kTableNames[table]);
    if (!size.step()) continue;
    tables_[table] = {.events = static_cast<std::uint64_t>(size.integer(0)),
                      .bytes = static_cast<std::uint64_t>(size.integer(1))};
  }
  Statement kinds(database_, "SELECT kind, type FROM kinds");
  while (kinds.step())
    if (const auto type = type_from(kinds.text(1))) kinds_[static_cast<std::size_t>(*type)] = kinds.integer(0);
  sql_ = std::make_unique<Statements>(database_);
}

Store::~Store() = default;

// Nothing is written before it is known that the file is ours, or empty.
void Store::migrate(const Migrations& versions) {
  const std::int64_t version = database_.number("PRAGMA user_version");
  const std::int64_t application = database_.number("PRAGMA application_id");
  const bool empty = database_.number("SELECT count(*) FROM sqlite_master") == 0 && version == 0 && application == 0;
  if (!empty && application != kApplicationId)
    throw StoreFault(StoreFault::Kind::not_ours, path_ + " is the database of another program; it is left alone");
  const auto newest = static_cast<std::int64_t>(versions.size());
  if (version > newest)
    throw StoreFault(StoreFault::Kind::not_ours, path_ + " has format " + std::to_string(version) +
                                                     ", of a newer version of Bindcast; this one knows " +
                                                     std::to_string(newest) + " and leaves it alone");
  if (empty) database_.run("PRAGMA auto_vacuum = incremental");
  database_.run("PRAGMA journal_mode = wal");
  if (version == newest) return;
  Transaction transaction(database_, Transaction::Kind::writing);
  for (std::int64_t at = version; at < newest; ++at) database_.run(versions[static_cast<std::size_t>(at)]);
  database_.run(("PRAGMA application_id = " + std::to_string(kApplicationId)).c_str());
  database_.run(("PRAGMA user_version = " + std::to_string(newest)).c_str());
  transaction.commit();
}

void Store::configure(const JournalOptions& options) {
  constexpr const char* kSynchronous[] = {"PRAGMA synchronous = off", "PRAGMA synchronous = normal",
                                          "PRAGMA synchronous = full"};
  options_ = options;
  database_.run(kSynchronous[static_cast<std::size_t>(options.sync)]);
}

void Store::begin_epoch(const StreamIdentity& stream, std::uint64_t told, Now now) {
  Transaction transaction(database_, Transaction::Kind::writing);
  Statement known(database_, "SELECT number, base, through FROM epochs WHERE epoch = ?");
  known.bind(1, stream.epoch);
  if (known.step()) {
    epoch_number_ = known.integer(0);
    base_ = known.integer(1);
    through_ = static_cast<std::uint64_t>(known.integer(2));
    Statement again(database_, "UPDATE epochs SET ended_us = NULL WHERE number = ?");
    again.bind(1, epoch_number_).run();
  } else {
    base_ = std::max({database_.number("SELECT max(base + through) FROM epochs"),
                      database_.number("SELECT max(position) FROM events"),
                      database_.number("SELECT max(position) FROM queries"),
                      database_.number("SELECT max(last) FROM holes")}) +
            1;  // between two lives there is a position that is no event's
    epoch_number_ = database_.number("SELECT max(number) FROM epochs") + 1;
    through_ = told;
    Statement insert(database_,
                     "INSERT INTO epochs (number, epoch, base, host, began_us, through, forgotten, removed) "
                     "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?6)");
    insert.bind(1, epoch_number_).bind(2, stream.epoch).bind(3, base_).bind(4, stream.host).bind(5, now.wall_us);
    insert.bind(6, static_cast<std::int64_t>(told)).run();
    Statement old(database_, "DELETE FROM epochs WHERE number <= ?");
    old.bind(1, epoch_number_ - kMostEpochs).run();
  }
  transaction.commit();
  block_ = {};
}

void Store::end_epoch(Now now) {
  Statement end(database_, "UPDATE epochs SET ended_us = ? WHERE number = ?");
  end.bind(1, now.wall_us).bind(2, epoch_number_).run();
}

// ── Storing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

std::int64_t Store::kind_of(EventType type) {
  std::int64_t& kind = kinds_[static_cast<std::size_t>(type)];
  if (kind != 0) return kind;
  Statement insert(database_, "INSERT INTO kinds (type, category) VALUES (?, ?)");
  insert.bind(1, to_text(type)).bind(2, to_text(type_info(type).category)).run();
  kind = database_.number("SELECT last_insert_rowid()");
  return kind;
}

void Store::save(const Block& block) {
  if (block.rows == 0) return;
  sql_->block.bind(1, block.first).bind(2, block.last).bind(3, block.oldest_us).bind(4, block.newest_us).run();
}

void Store::append(std::span<const StoredRow> rows, std::span<const Hole> holes, std::uint64_t through) {
  // What is changed here is known to be so when it is committed.
  auto tables = tables_;
  Block block = block_;
  const auto kinds = kinds_;
  try {
    Transaction transaction(database_, Transaction::Kind::writing);
    for (const StoredRow& row : rows) {
      const std::size_t table = is_about_queries(row.type) ? kQueries : kEvents;
      const std::int64_t position = base_ + static_cast<std::int64_t>(row.offset);
      sql_->insert[table]
          .bind(1, position)
          .bind(2, row.time_us)
          .bind(3, kind_of(row.type))
          .bind(4, static_cast<std::int64_t>(row.priority))
          .bind(5, static_cast<std::int64_t>(row.severity))
          .bind(6, static_cast<std::int64_t>(row.json.size()))
          .bind(7, row.json)
          .run();
      ++tables[table].events;
      tables[table].bytes += row.json.size();
      if (block.rows == kRowsPerBlock) {
        save(block);
        block = {};
      }
      if (block.rows == 0) block = {.first = position, .last = 0, .oldest_us = row.time_us, .newest_us = row.time_us};
      block.last = position;
      block.oldest_us = std::min(block.oldest_us, row.time_us);
      block.newest_us = std::max(block.newest_us, row.time_us);
      ++block.rows;
    }
    save(block);
    for (const Hole& hole : holes)
      sql_->hole.bind(1, base_ + static_cast<std::int64_t>(hole.first))
          .bind(2, base_ + static_cast<std::int64_t>(hole.last))
          .bind(3, static_cast<std::int64_t>(hole.count))
          .run();
    if (!holes.empty() && database_.number("SELECT count(*) FROM holes") > kMostHoles)
      // The two oldest become one, which covers what is between them: more is told as lost than was, never less.
      database_.run(
          "UPDATE holes SET (last, count) = (SELECT max(last), sum(count) FROM (SELECT * FROM holes ORDER BY first "
          "LIMIT 2)) WHERE first = (SELECT min(first) FROM holes); DELETE FROM holes WHERE first = (SELECT first FROM "
          "holes ORDER BY first LIMIT 1 OFFSET 1)");
    for (std::size_t table = 0; table < kTables; ++table)
      sql_->resize.bind(1, kTableNames[table])
          .bind(2, static_cast<std::int64_t>(tables[table].events))
          .bind(3, static_cast<std::int64_t>(tables[table].bytes))
          .run();
    sql_->through.bind(1, epoch_number_).bind(2, static_cast<std::int64_t>(through)).run();
    transaction.commit();
  } catch (...) {
    kinds_ = kinds;
    throw;
  }
  tables_ = tables;
  block_ = block;
  through_ = through;
}

// ── Retention ────────────────────────────────────────────────────────────────────────────────────────────────────────

bool Store::retain(Now now, std::uint64_t room_for) {
  const std::int64_t older_than_us = now.wall_us - options_.retention.count();
  for (std::size_t table = 0; table < kTables; ++table)
    if (remove_oldest(table, older_than_us, now.wall_us)) return true;
  constexpr std::int64_t kAny = std::numeric_limits<std::int64_t>::max();
  if (tables_[kQueries].bytes > options_.max_size / kQueriesShare) return remove_oldest(kQueries, kAny, kAny);
  const std::int64_t pages = database_.number("PRAGMA page_count"), free = database_.number("PRAGMA freelist_count");
  // With its indexes an event takes a quarter more than its text.
  const auto used = static_cast<std::uint64_t>((pages - free) * page_size_) + room_for + room_for / 4;
  if (used > options_.max_size - options_.max_size / kSpareShare) {
    const std::int64_t event = database_.number("SELECT min(position) FROM events");
    const std::int64_t query = database_.number("SELECT min(position) FROM queries");
    return remove_oldest(event == 0 || (query != 0 && query < event) ? kQueries : kEvents, kAny, kAny);
  }
  if (pages <= kSmallFilePages || free * kFreeShare <= pages) return false;
  database_.run("PRAGMA incremental_vacuum(64)");
  return true;
}

// The first rows of a table, as far as they are older. One from the future says nothing of its age: it goes with the
// next one that is too old. False: there was none.
bool Store::remove_oldest(std::size_t table, std::int64_t older_than_us, std::int64_t now_us) {
  Statement& oldest = sql_->oldest[table];
  oldest.bind(1, static_cast<std::int64_t>(kRowsPerStep));
  std::int64_t first = 0, last = 0;
  Table gone, passed;
  while (oldest.step()) {
    const std::int64_t time_us = oldest.integer(1);
    if (time_us >= older_than_us && time_us <= now_us) break;
    if (first == 0) first = oldest.integer(0);
    ++passed.events;
    passed.bytes += static_cast<std::uint64_t>(oldest.integer(2));
    if (time_us > now_us) continue;
    last = oldest.integer(0);
    gone = passed;
  }
  oldest.reset();
  if (last == 0) return false;
  Table left = tables_[table];
  left.events -= std::min(left.events, gone.events);
  left.bytes = left.events == 0 ? 0 : left.bytes - std::min(left.bytes, gone.bytes);
  Transaction transaction(database_, Transaction::Kind::writing);
  note_removed(table, first, last);
  sql_->remove[table].bind(1, last).run();
  sql_->resize.bind(1, kTableNames[table])
      .bind(2, static_cast<std::int64_t>(left.events))
      .bind(3, static_cast<std::int64_t>(left.bytes))
      .run();
  if (table == kEvents) {
    Statement blocks(
        database_,
        "DELETE FROM blocks WHERE last < coalesce((SELECT min(position) FROM queries), ?1 + 1) AND last <= ?1");
    blocks.bind(1, last).run();
  }
  transaction.commit();
  tables_[table] = left;
  removed_ += gone.events;
  return true;
}

// To each epoch its own: what is removed in one step may be of several.
void Store::note_removed(std::size_t table, std::int64_t from, std::int64_t to) {
  Statement epochs(database_, "SELECT number, base FROM epochs WHERE base < ? ORDER BY number DESC");
  epochs.bind(1, to);
  const std::string counting =
      std::string("SELECT count(*) FROM ") + kTableNames[table] + " WHERE position > ? AND position <= ?";
  Statement count(database_, counting);
  std::int64_t end = to;
  while (end >= from && epochs.step()) {
    const std::int64_t number = epochs.integer(0), base = epochs.integer(1);
    count.bind(1, std::max(base, from - 1)).bind(2, end);
    const std::int64_t gone = count.step() ? count.integer(0) : 0;
    count.reset();
    sql_->forget[table].bind(1, number).bind(2, end - base).bind(3, gone).run();
    end = base;
  }
}

// ── What there is ────────────────────────────────────────────────────────────────────────────────────────────────────

bool Store::log_fits() {
  const std::uint64_t most = std::max<std::uint64_t>(kMostLogBytes, options_.max_size / kLogShare);
  const auto fits = [&] {
    struct stat status {};
    return stat((path_ + "-wal").c_str(), &status) != 0 || static_cast<std::uint64_t>(status.st_size) <= most;
  };
  if (fits()) return true;
  database_.run("PRAGMA wal_checkpoint(TRUNCATE)");
  return fits();
}

bool Store::in_place() const noexcept {
  return file_.is_at(path_);
}

std::vector<std::string> Store::epochs() {
  std::vector<std::string> all;
  Statement epochs(database_, "SELECT epoch FROM epochs ORDER BY number");
  while (epochs.step()) all.emplace_back(epochs.text(0));
  return all;
}

std::int64_t Store::oldest_us() {
  return database_.number("SELECT time_us FROM events ORDER BY position LIMIT 1");
}

std::uint64_t Store::size_bytes() const {
  std::uint64_t sum = 0;
  for (const char* suffix : {"", "-wal"}) {
    struct stat status {};
    if (stat((path_ + suffix).c_str(), &status) == 0) sum += static_cast<std::uint64_t>(status.st_size);
  }
  return sum;
}

}  // namespace bindcast
