#include "plugin/sources/named_log/log_line.hpp"

#include <algorithm>
#include <iterator>
#include <limits>

namespace bindcast {

namespace {

// Does `text` begin like this? 9 is any digit, A any letter, all else itself.
bool looks_like(std::string_view text, std::string_view shape) noexcept {
  if (text.size() < shape.size()) return false;
  return std::ranges::equal(shape, text.substr(0, shape.size()), [](char wanted, char c) {
    if (wanted == '9') return c >= '0' && c <= '9';
    if (wanted == 'A') return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return c == wanted;
  });
}

std::string_view without_time(std::string_view line) noexcept {
  constexpr std::string_view kIso = "9999-99-99T99:99:99.999", kLocal = "99-AAA-9999 99:99:99.999";
  std::size_t size = 0;
  if (looks_like(line, kIso)) {
    size = kIso.size();
    if (line.size() > size && line[size] == 'Z') ++size;
  } else if (looks_like(line, kLocal)) {
    size = kLocal.size();
  }
  if (size == 0 || line.size() <= size || line[size] != ' ') return line;
  return line.substr(size + 1);
}

// The word before ": ", which is taken from `text`, if `known` knows it.
template <typename Known>
bool take_word(std::string_view& text, const Known& known) noexcept {
  constexpr std::size_t kLongest = 24;
  const std::size_t end = text.substr(0, kLongest + 2).find(": ");
  if (end == std::string_view::npos || !known(text.substr(0, end))) return false;
  text.remove_prefix(end + 2);
  return true;
}

}  // namespace

LogLine read_log_line(std::string_view line) noexcept {
  LogLine parts;
  parts.message = without_time(line);
  take_word(parts.message, [&](std::string_view word) {
    const auto* const found = std::ranges::find(kLogCategories, word);
    if (found == kLogCategories.end()) return false;
    parts.category = *found;
    return true;
  });
  take_word(parts.message, [&](std::string_view word) {
    if (word.starts_with("debug ")) word = "debug";  // and its level
    const auto* const found = std::find(std::begin(kLogSeverityNames) + 1, std::end(kLogSeverityNames), word);
    if (found == std::end(kLogSeverityNames)) return false;
    parts.severity = static_cast<LogSeverity>(found - kLogSeverityNames);
    return true;
  });
  return parts;
}

}  // namespace bindcast
