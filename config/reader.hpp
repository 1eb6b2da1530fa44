// What one load has found so far: faults, and on which line each key was written.
//
// One Reader serves one load and is passed to everything that looks at the YAML. One thread. Bounded: after kMaxFaults
// faults only the fact that there are more is kept.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/load.hpp"

namespace bindcast {

class Reader {
 public:
  static constexpr std::size_t kMaxFaults = 50;

  explicit Reader(std::string file) : file_(std::move(file)) {}

  void fault(std::size_t line, std::string_view key, std::string message);

  void written(const std::string& key, std::size_t line) { lines_.emplace(key, line); }
  [[nodiscard]] bool is_written(const std::string& key) const { return lines_.count(key) != 0; }
  // The line of `key`, or of the innermost enclosing key that was written; 0 when none was.
  [[nodiscard]] std::size_t line_of(std::string key) const;

  [[nodiscard]] std::size_t fault_count() const noexcept { return faults_.size(); }
  // There are faults beyond those kept: looking further is of no use.
  [[nodiscard]] bool overflowed() const noexcept { return more_; }
  // No fault so far at or below any of these keys: a check across keys can trust their values.
  [[nodiscard]] bool clean(std::initializer_list<std::string_view> keys) const;

  // Moves what was found into `result`, in the order of the file.
  void finish(LoadResult& result);

 private:
  std::string file_;
  std::vector<ConfigFault> faults_;
  std::map<std::string, std::size_t> lines_;
  bool more_ = false;  // faults beyond kMaxFaults
};

// `text` for people: cut to a length that fits a line of a log, bytes that would disturb a terminal replaced.
[[nodiscard]] std::string shown(std::string_view text);

// The candidate most like `word`, or empty when none is near. Swapped neighbours count as one mistake.
[[nodiscard]] std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

// " did you mean `x`?", or empty when nothing is near; to be put after a semicolon.
[[nodiscard]] std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates);

[[nodiscard]] std::string join(const std::vector<std::string_view>& words);

}  // namespace bindcast
