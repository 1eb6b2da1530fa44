// The commands: what each is asked for, and what does it. Each returns or throws Failure; see bindcast.1.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tool/access.hpp"
#include "tool/failure.hpp"

namespace bindcast::tool {

// What a subscription, or a look into the history, is restricted to.
struct Selection {
  std::string filter;
  std::vector<std::string> types, categories;
};

struct TailOptions {
  Access access;
  Selection selection;
  std::string min_priority, min_severity;
  std::string since;  // an id, "last", "start", or empty
  std::string label;
  std::uint32_t sample = 1;
  std::uint64_t count = 0;  // 0: no end
  double seconds = 0;       // 0: no end
  bool json = false, no_color = false;
};
void tail(const TailOptions& options);

struct HistoryOptions {
  Access access;
  Selection selection;
  std::string since, until;  // an id or a time
  std::string order;         // newest or oldest first; empty: the server's own
  std::uint64_t limit = 100;
  bool json = false, no_color = false;
};
void history(const HistoryOptions& options);

struct EmitOptions {
  Access access;
  std::string type;  // "-": standard input holds whole events
  std::vector<std::string> members;
  std::string data, id, priority, severity, correlation_id;
  bool json = false;
};
void emit(const EmitOptions& options);

struct LoginOptions {
  Access access;
  std::string user;
};
void login(const LoginOptions& options);
void logout(const LoginOptions& options);

struct StatusOptions {
  Access access;
  bool json = false;
};
void status(const StatusOptions& options);

struct TopOptions {
  Access access;
  double seconds = 0;  // 0: no end
};
void top(const TopOptions& options);

struct AckOptions {
  Access access;
  std::vector<std::string> ids;
  std::string note;
};
void acknowledge(const AckOptions& options);

struct ConfigOptions {
  Access access;
  std::string key;  // only this one, or what is below it; empty: all
  bool changed = false, json = false;
};
void print_configuration(const ConfigOptions& options);

void list_types();

void check(const std::string& file);

struct NewPasswordOptions {
  std::string user;
  std::vector<std::string> roles;
};
void make_password(const NewPasswordOptions& options);

struct NewTokenOptions {
  std::string name;
  std::vector<std::string> roles;
};
void make_token(const NewTokenOptions& options);

}  // namespace bindcast::tool
