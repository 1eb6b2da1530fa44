// Follows a file that another writes lines into: through rotation (the file is renamed and another takes its place),
// truncation, deletion, and while it does not exist yet. Reads only when asked; never waits. One thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "plugin/clock.hpp"

namespace bindcast {

class LogFollower {
 public:
  // named's own lines are at most 8 KiB and what stands before them.
  static constexpr std::size_t kMaxLine = 16 * 1024;
  // Read at once; work() says whether there is more.
  static constexpr std::size_t kMaxTurn = 128 * 1024;
  // Whoever is further behind skips most of it, counting its lines; this much of it is read all the same.
  static constexpr std::uint64_t kMaxBehind = 16 * 1024 * 1024, kReadAgain = 1024 * 1024;
  // Beyond this the lines of what is skipped are not even counted.
  static constexpr std::uint64_t kMaxCounted = 256ULL * 1024 * 1024;
  // A file that was renamed is followed so long after its last line: its writer may not know of the new one yet.
  static constexpr std::int64_t kKeepRenamedUs = 60'000'000;
  static constexpr std::size_t kMaxFiles = 16;

  struct Counts {
    std::uint64_t lines = 0, bytes = 0;                  // read
    std::uint64_t skipped_lines = 0, skipped_bytes = 0;  // not read; a line too long is one
    std::uint64_t rotations = 0, truncations = 0;
  };

  // From the end of the file that is there now, or from the beginning of the one that comes. `line` gets each line
  // without its end, and may stop for no reason but by an exception.
  LogFollower(std::string path, std::function<void(std::string_view)> line, Now now);
  ~LogFollower();
  LogFollower(const LogFollower&) = delete;
  LogFollower& operator=(const LogFollower&) = delete;

  // Looks what has become of the file: a stat, and what it leads to.
  void look(Now now);
  // Reads what has been written since, a turn of it. True: there is more.
  bool work(Now now);

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  // Why nothing can be read now; empty: it can.
  [[nodiscard]] const std::string& fault() const noexcept { return fault_; }
  [[nodiscard]] const Counts& counts() const noexcept { return counts_; }

 private:
  // One file that was or is at the path.
  struct File {
    int fd = -1;
    dev_t device = 0;
    ino_t inode = 0;
    std::uint64_t at = 0;       // read up to here
    std::uint64_t skip_to = 0;  // what lies before it is only counted
    std::string rest = {};      // of a line without its end
    bool discarding = false;    // up to the next end of a line
    std::string seen = {};      // the last bytes before `at`: whether they are still the same
    std::int64_t grew_us = 0;   // when something came last
  };

  // Where a file is; an inode of 0: there is none.
  struct Place {
    int number = -1;  // PATH.number; -1: at the path itself
    dev_t device = 0;
    ino_t inode = 0;
    bool after_removed = false;  // the file before it was removed
  };

  bool open(const std::string& path, bool at_end, Now now);
  [[nodiscard]] Place place_of_next() const;
  bool read(File& file, std::size_t& budget, Now now);  // true: there is more
  void check_truncated(File& file, std::uint64_t size);
  void take(File& file, std::string_view bytes);
  void pass_over(File& file, std::string_view bytes);
  void close_first();

  std::string path_;
  std::function<void(std::string_view)> line_;
  std::deque<File> files_;  // oldest first; the last is the one at the path
  std::string fault_;
  Counts counts_;
};

}  // namespace bindcast
