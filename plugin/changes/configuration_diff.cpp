#include "plugin/changes/configuration_diff.hpp"

#include <algorithm>
#include <array>
#include <functional>

namespace bindcast {

namespace {

// Statements whose braces hold statements of their own; the braces of all others hold a value.
constexpr std::array<std::string_view, 10> kContainers{
    "options", "view", "zone", "logging", "server", "key", "tls", "http", "dnssec-policy", "statistics-channels"};
// Their text after the first quoted name may hold passwords: it is compared, never shown.
constexpr std::array<std::string_view, 4> kOpaque{"dyndb", "dlz", "database", "plugin"};
constexpr std::array<std::string_view, 2> kSecret{"secret", "password"};
constexpr std::string_view kHidden = "(hidden)";
constexpr int kMaxDepth = 8;

template <typename List>
bool contains(const List& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  // Statements up to a closing brace or the end.
  void read_block(const std::string& prefix, Statements& out, int depth) {
    for (;;) {
      std::string head, value;
      std::string_view keyword;
      bool quoted_seen = false;
      for (;;) {
        const std::string_view token = next();
        if (token.empty()) return;
        if (token == "}") return;
        if (token == ";") break;
        if (token == "{") {
          if (contains(kContainers, keyword) && depth < kMaxDepth) {
            read_block(prefix + head + ".", out, depth + 1);
            if (peek() == ";") next();
            head.clear();
            keyword = {};
            break;
          }
          append(value, block_text());
          continue;
        }
        if (keyword.empty()) {
          keyword = token;
          head = token;
        } else if (contains(kContainers, keyword)) {
          append(head, std::string(token));
        } else {
          append(value, std::string(token));
        }
        quoted_seen |= token.front() == '"';
      }
      if (keyword.empty()) continue;
      out[prefix + std::string(keyword)].push_back(shown(keyword, head, value, quoted_seen));
    }
  }

 private:
  static void append(std::string& text, const std::string& more) {
    if (!text.empty()) text.push_back(' ');
    text += more;
  }

  static std::string shown(std::string_view keyword, const std::string& head, const std::string& value,
                           bool quoted_seen) {
    if (contains(kSecret, keyword)) return std::string(kHidden);
    if (contains(kOpaque, keyword)) {
      // What is hidden still has to differ when it changes, so a digest of it stands in its place.
      const std::size_t name_end = quoted_seen ? value.find('"', value.find('"') + 1) : std::string::npos;
      const std::string name = name_end == std::string::npos ? std::string() : value.substr(0, name_end + 1);
      const std::string rest = name_end == std::string::npos ? value : value.substr(name_end + 1);
      if (rest.empty()) return name;
      return name + " " + std::string(kHidden) + " #" + std::to_string(std::hash<std::string>{}(rest) % 10'000);
    }
    // A container without braces ("zone x;" cannot be, but text from outside can say it) keeps its name as value.
    return value.empty() && head.size() > keyword.size() ? head.substr(keyword.size() + 1) : value;
  }

  // Everything to the matching brace, as one line.
  std::string block_text() {
    std::string text = "{";
    int depth = 1;
    while (depth > 0) {
      const std::string_view token = next();
      if (token.empty()) break;
      if (token == "{") ++depth;
      if (token == "}") --depth;
      if (token != ";") text.push_back(' ');
      text += token;
    }
    return text;
  }

  std::string_view peek() {
    const std::size_t at = at_;
    const std::string_view token = next();
    at_ = at;
    return token;
  }

  std::string_view next() {
    constexpr std::string_view blanks = " \t\r\n";
    at_ = text_.find_first_not_of(blanks, at_);
    if (at_ == std::string_view::npos) {
      at_ = text_.size();
      return {};
    }
    const std::size_t start = at_;
    const char first = text_[at_++];
    if (first == '{' || first == '}' || first == ';') return text_.substr(start, 1);
    if (first == '"') {
      while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
      at_ = std::min(at_ + 1, text_.size());
      return text_.substr(start, at_ - start);
    }
    at_ = std::min(text_.find_first_of(" \t\r\n{};\"", at_), text_.size());
    return text_.substr(start, at_ - start);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::string joined(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) {
    if (!text.empty()) text += "; ";
    text += value;
  }
  return text;
}

}  // namespace

Statements read_statements(std::string_view text) {
  Statements statements;
  Reader(text).read_block("", statements, 0);
  return statements;
}

std::vector<StatementChange> changed_statements(const Statements& before, const Statements& after) {
  std::vector<StatementChange> changes;
  for (const auto& [path, values] : before) {
    const auto now = after.find(path);
    if (now == after.end()) {
      changes.push_back({path, joined(values), {}});
    } else if (now->second != values) {
      changes.push_back({path, joined(values), joined(now->second)});
    }
  }
  for (const auto& [path, values] : after)
    if (!before.contains(path)) changes.push_back({path, {}, joined(values)});
  return changes;
}

}  // namespace bindcast
