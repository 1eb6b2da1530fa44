#include "plugin/sources/named_log/log_follower.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

namespace bindcast {

namespace {

constexpr std::size_t kPart = 64 * 1024;
constexpr std::size_t kSeen = 64;
constexpr int kMostNumbered = 10;  // files that rotation left

std::string text_of(int fault) {
  return std::generic_category().message(fault);
}

}  // namespace

LogFollower::LogFollower(std::string path, std::function<void(std::string_view)> line, Now now)
    : path_(std::move(path)), line_(std::move(line)) {
  open(path_, true, now);
}

LogFollower::~LogFollower() {
  for (const File& file : files_) ::close(file.fd);
}

bool LogFollower::open(const std::string& path, bool at_end, Now now) {
  const auto failed = [&](const std::string& why) {
    fault_ = path + ": " + why;
    return false;
  };
  struct stat status {};
  // Looked at before it is opened: to open a device can be to do something.
  if (::stat(path.c_str(), &status) != 0) return failed(text_of(errno));
  if (!S_ISREG(status.st_mode)) return failed("not an ordinary file");
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return failed(text_of(errno));
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    return failed("not an ordinary file");
  }
  fault_.clear();
  File file{.fd = fd, .device = status.st_dev, .inode = status.st_ino, .grew_us = now.mono_us};
  if (at_end && status.st_size > 0) {
    file.at = static_cast<std::uint64_t>(status.st_size);
    // The line that is being written belongs to the past as well.
    char last = '\n';
    if (::pread(fd, &last, 1, status.st_size - 1) == 1) file.discarding = last != '\n';
  }
  try {
    files_.push_back(std::move(file));
  } catch (...) {
    ::close(fd);
    throw;
  }
  return true;
}

// The file after the last one known, where others took its place between two looks: the oldest of those that are
// numbered below it, else the one at the path. named calls them PATH.0, PATH.1…, logrotate PATH.1, PATH.2…, the newest
// first.
LogFollower::Place LogFollower::place_of_next() const {
  struct stat last {};
  const bool any_known = !files_.empty() && ::fstat(files_.back().fd, &last) == 0;
  const auto is_known = [&](const struct stat& status) {
    return any_known && status.st_ino == last.st_ino && status.st_dev == last.st_dev;
  };
  // Seen once, from the path upwards as files move, so that a rotation meanwhile hides none: one may only be seen
  // twice.
  struct stat at_path {};
  const bool there = ::stat(path_.c_str(), &at_path) == 0;
  if (there && is_known(at_path)) return {};
  std::array<std::optional<struct stat>, kMostNumbered> numbered;
  int older = any_known ? kMostNumbered : 0;
  for (int number = 0; any_known && number < kMostNumbered; ++number) {
    struct stat status {};
    if (::stat((path_ + "." + std::to_string(number)).c_str(), &status) != 0) continue;
    if (is_known(status))
      older = number;
    else if (S_ISREG(status.st_mode))
      numbered[static_cast<std::size_t>(number)] = status;
  }
  const bool lost_sight = any_known && older == kMostNumbered;  // removed, or renamed to another name
  const auto newer = [&](const struct stat& status) {
    const timespec &theirs = status.st_mtim, &known = last.st_mtim;
    if (theirs.tv_sec != known.tv_sec) return theirs.tv_sec > known.tv_sec;
    // Of the same tick: newer if it stands before the one known, else perhaps one that was read long ago.
    return lost_sight ? theirs.tv_nsec > known.tv_nsec : theirs.tv_nsec >= known.tv_nsec;
  };
  for (int number = older; number-- > 0;)
    if (const auto& status = numbered[static_cast<std::size_t>(number)]; status && newer(*status))
      return {.number = number,
              .device = status->st_dev,
              .inode = status->st_ino,
              .after_removed = lost_sight && last.st_nlink == 0};
  if (!there) return {};
  return {.number = -1, .device = at_path.st_dev, .inode = at_path.st_ino};
}

void LogFollower::look(Now now) {
  // What is opened by a name while files are renamed may be another one: then it is looked for again.
  constexpr int kMostTries = 64;
  for (int tries = 0; tries < kMostTries && files_.size() <= kMaxFiles; ++tries) {
    const Place next = place_of_next();
    if (next.inode == 0) break;
    const bool another = !files_.empty();
    if (!open(next.number < 0 ? path_ : path_ + "." + std::to_string(next.number), false, now)) break;
    File opened = std::move(files_.back());
    files_.pop_back();
    if (opened.inode != next.inode || opened.device != next.device) {
      ::close(opened.fd);
      continue;
    }
    if (another) {
      files_.back().grew_us = now.mono_us;
      ++counts_.rotations;
    }
    // The one before was removed for newer ones, and so may others have been.
    if (next.after_removed) ++counts_.skipped_lines;
    files_.push_back(std::move(opened));  // where it just was
  }
  struct stat status {};
  const bool there = ::stat(path_.c_str(), &status) == 0;
  if (!there) {
    if (fault_.empty() || files_.empty()) fault_ = path_ + ": " + text_of(errno);
  } else if (!files_.empty() && files_.back().inode == status.st_ino && files_.back().device == status.st_dev) {
    fault_.clear();
  }
  while (files_.size() > kMaxFiles) close_first();
  // One that was deleted keeps its place on the disk as long as it is open.
  if (!there && !files_.empty() && now.mono_us - files_.back().grew_us >= kKeepRenamedUs &&
      ::fstat(files_.back().fd, &status) == 0 && status.st_nlink == 0)
    while (!files_.empty()) close_first();
}

// What was not read of it is lost, and counted.
void LogFollower::close_first() {
  File& file = files_.front();
  struct stat status {};
  if (::fstat(file.fd, &status) == 0 && static_cast<std::uint64_t>(status.st_size) > file.at) {
    ++counts_.skipped_lines;
    counts_.skipped_bytes += static_cast<std::uint64_t>(status.st_size) - file.at;
  }
  ::close(file.fd);
  files_.pop_front();
}

bool LogFollower::work(Now now) {
  std::size_t budget = kMaxTurn;
  for (std::size_t i = 0; i < files_.size(); ++i)
    if (read(files_[i], budget, now)) return true;
  while (files_.size() > 1 && now.mono_us - files_.front().grew_us >= kKeepRenamedUs) close_first();
  return false;
}

// A file that is shorter than what was read of it, or has other bytes there, was written anew from its beginning.
void LogFollower::check_truncated(File& file, std::uint64_t size) {
  bool same = size >= file.at;
  if (same && !file.seen.empty()) {
    std::array<char, kSeen> bytes{};
    const ssize_t got =
        ::pread(file.fd, bytes.data(), file.seen.size(), static_cast<off_t>(file.at - file.seen.size()));
    same = got == std::ssize(file.seen) && std::equal(file.seen.begin(), file.seen.end(), bytes.begin());
  }
  if (same) return;
  ++counts_.truncations;
  file.at = file.skip_to = 0;
  file.rest.clear();
  file.seen.clear();
  file.discarding = false;
}

bool LogFollower::read(File& file, std::size_t& budget, Now now) {
  struct stat status {};
  if (::fstat(file.fd, &status) != 0) return false;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size == file.at) return false;
  check_truncated(file, size);
  if (size - file.at > kMaxBehind) {
    file.skip_to = size - kReadAgain;
    if (file.skip_to - file.at > kMaxCounted) {
      counts_.skipped_bytes += file.skip_to - kMaxCounted - file.at;
      file.at = file.skip_to - kMaxCounted;
    }
  }
  file.grew_us = now.mono_us;
  std::array<char, kPart> part;
  while (budget != 0) {
    const bool skipping = file.at < file.skip_to;
    std::size_t wanted = std::min(part.size(), skipping ? part.size() : budget);
    if (skipping) wanted = std::min<std::uint64_t>(wanted, file.skip_to - file.at);
    const ssize_t got = ::pread(file.fd, part.data(), wanted, static_cast<off_t>(file.at));
    if (got <= 0) return false;  // the end, or a fault of the disk: tried again
    const std::string_view bytes(part.data(), static_cast<std::size_t>(got));
    // Before it is worked on: what ends by an exception is not tried again.
    file.at += bytes.size();
    file.seen += bytes.substr(bytes.size() - std::min(bytes.size(), kSeen));
    file.seen.erase(0, file.seen.size() - std::min(file.seen.size(), kSeen));
    // To skip costs a sixteenth of what to read does.
    budget -= std::min(budget, skipping ? bytes.size() / 16 + 1 : bytes.size());
    if (skipping)
      pass_over(file, bytes);
    else
      take(file, bytes);
  }
  return true;
}

void LogFollower::pass_over(File& file, std::string_view bytes) {
  counts_.skipped_bytes += bytes.size();
  const auto lines = static_cast<std::uint64_t>(std::ranges::count(bytes, '\n'));
  counts_.skipped_lines += lines;
  file.rest.clear();
  file.discarding = !bytes.ends_with('\n');
  if (file.at >= file.skip_to && file.discarding) ++counts_.skipped_lines;  // its end is passed over, too
}

void LogFollower::take(File& file, std::string_view bytes) {
  counts_.bytes += bytes.size();
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    bytes.remove_prefix(std::min(end == std::string_view::npos ? bytes.size() : end + 1, bytes.size()));
    if (!file.discarding && file.rest.size() + piece.size() > kMaxLine) {
      file.discarding = true;
      file.rest.clear();
      ++counts_.skipped_lines;
    }
    if (end == std::string_view::npos) {
      if (!file.discarding) file.rest += piece;
      return;
    }
    if (std::exchange(file.discarding, false)) continue;
    ++counts_.lines;
    if (file.rest.empty()) {
      line_(piece);
    } else {
      const std::string whole = std::exchange(file.rest, {}) + std::string(piece);
      line_(whole);
    }
  }
}

}  // namespace bindcast
