#include "plugin/journal/database.hpp"

namespace bindcast {

Database::Database(const std::string& path, bool read_only, int busy_ms) {
  const int flags = (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
  const int result = sqlite3_open_v2(path.c_str(), &handle_, flags, nullptr);
  if (result != SQLITE_OK) {
    const std::string why = handle_ != nullptr ? sqlite3_errmsg(handle_) : sqlite3_errstr(result);
    sqlite3_close_v2(handle_);
    throw DatabaseFault(result, why);
  }
  sqlite3_busy_timeout(handle_, busy_ms);
}

Database::~Database() {
  sqlite3_close_v2(handle_);
}

void Database::fail(int result, std::string_view doing) const {
  throw DatabaseFault(result, std::string(sqlite3_errmsg(handle_)) + " (" + std::string(doing.substr(0, 40)) + ")");
}

void Database::run(const char* sql) {
  if (const int result = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr); result != SQLITE_OK) fail(result, sql);
}

std::int64_t Database::number(const char* sql) {
  Statement statement(*this, sql);
  return statement.step() ? statement.integer(0) : 0;
}

Statement::Statement(Database& database, std::string_view sql) : database_(database) {
  const int result = sqlite3_prepare_v2(database.handle_, sql.data(), static_cast<int>(sql.size()), &handle_, nullptr);
  if (result != SQLITE_OK) database.fail(result, sql);
}

Statement& Statement::bind(int at, std::int64_t value) {
  if (const int result = sqlite3_bind_int64(handle_, at, value); result != SQLITE_OK) database_.fail(result, "bind");
  return *this;
}

Statement& Statement::bind(int at, std::string_view text) {
  const int result = sqlite3_bind_text(handle_, at, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  if (result != SQLITE_OK) database_.fail(result, "bind");
  return *this;
}

bool Statement::step() {
  const int result = sqlite3_step(handle_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  const char* sql = sqlite3_sql(handle_);
  sqlite3_reset(handle_);
  database_.fail(result, sql);
}

std::string_view Statement::text(int column) noexcept {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  return text == nullptr ? std::string_view()
                         : std::string_view(text, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)));
}

Transaction::Transaction(Database& database, Kind kind) : database_(database) {
  database_.run(kind == Kind::writing ? "BEGIN IMMEDIATE" : "BEGIN");
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.run("ROLLBACK");
  } catch (const std::exception&) {  // SQLite has taken it back by itself
  }
}

void Transaction::commit() {
  database_.run("COMMIT");
  open_ = false;
}

}  // namespace bindcast
