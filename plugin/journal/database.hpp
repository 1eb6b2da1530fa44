// SQLite, as the journal uses it: connections and statements that end with their scope, and exceptions instead of
// codes.
//
// A Database and its statements belong to one thread at a time.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace bindcast {

// `code`: SQLite's primary result code.
class DatabaseFault : public std::runtime_error {
 public:
  DatabaseFault(int result, const std::string& what) : std::runtime_error(what), code(result & 0xff) {}
  const int code;
  [[nodiscard]] bool damaged() const noexcept { return code == SQLITE_CORRUPT || code == SQLITE_NOTADB; }
};

class Database {
 public:
  // The file must be there. Waits up to `busy_ms` for another's lock.
  Database(const std::string& path, bool read_only, int busy_ms);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void run(const char* sql);                           // any number of statements; rows are passed over
  [[nodiscard]] std::int64_t number(const char* sql);  // the first column of the first row; 0: there is none
  [[noreturn]] void fail(int result, std::string_view doing) const;

 private:
  friend class Statement;
  sqlite3* handle_ = nullptr;
};

class Statement {
 public:
  Statement(Database& database, std::string_view sql);
  ~Statement() { sqlite3_finalize(handle_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Parameters and columns count as in SQL: from 1 and from 0. A text is borrowed until the next reset.
  Statement& bind(int at, std::int64_t value);
  Statement& bind(int at, std::string_view text);
  // True: there is a row.
  bool step();
  // For statements that give no rows: does it, and makes it ready for the next time.
  void run() {
    while (step()) continue;
    reset();
  }
  void reset() noexcept { sqlite3_reset(handle_); }

  [[nodiscard]] std::int64_t integer(int column) noexcept { return sqlite3_column_int64(handle_, column); }
  [[nodiscard]] bool is_null(int column) noexcept { return sqlite3_column_type(handle_, column) == SQLITE_NULL; }
  // Until the next step or reset.
  [[nodiscard]] std::string_view text(int column) noexcept;

 private:
  Database& database_;
  sqlite3_stmt* handle_ = nullptr;
};

// A transaction that is taken back unless commit() was called.
class Transaction {
 public:
  enum class Kind : std::uint8_t { reading, writing };
  Transaction(Database& database, Kind kind);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace bindcast
