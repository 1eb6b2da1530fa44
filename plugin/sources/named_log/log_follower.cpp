#include "plugin/sources/named_log/log_follower.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
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

// The files that took each other's place between two looks: those that are numbered below the last one known. named
// calls them PATH.0, PATH.1…, logrotate PATH.1, PATH.2…, the newest first.
void LogFollower::open_missed(Now now) {
  const File& known = files_.back();
  int older = kMostNumbered;
  struct stat status {
  }, last{};
  if (::fstat(known.fd, &last) != 0) return;
  const auto newer = [&] {
    return status.st_mtim.tv_sec != last.st_mtim.tv_sec ? status.st_mtim.tv_sec > last.st_mtim.tv_sec
                                                        : status.st_mtim.tv_nsec >= last.st_mtim.tv_nsec;
  };
  for (int number = 0; number < kMostNumbered; ++number) {
    const std::string path = path_ + "." + std::to_string(number);
    if (::stat(path.c_str(), &status) == 0 && status.st_ino == known.inode && status.st_dev == known.device)
      older = number;
  }
  if (older == kMostNumbered && last.st_nlink != 0) return;  // it has another name
  bool any = false;
  for (int number = older; number-- > 0;) {
    const std::string path = path_ + "." + std::to_string(number);
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || !newer() || !open(path, false, now)) continue;
    ++counts_.rotations;
    any = true;
  }
  // It was removed for newer ones, and so may others have been.
  if (any && older == kMostNumbered) ++counts_.skipped_lines;
}

void LogFollower::look(Now now) {
  struct stat status {};
  const bool there = ::stat(path_.c_str(), &status) == 0;
  if (there && (files_.empty() || files_.back().inode != status.st_ino || files_.back().device != status.st_dev)) {
    const bool another = !files_.empty() && S_ISREG(status.st_mode);
    if (another) {
      files_.back().grew_us = now.mono_us;
      open_missed(now);
    }
    if (open(path_, false, now) && another) ++counts_.rotations;
  } else if (there) {
    fault_.clear();
  } else if (fault_.empty() || files_.empty()) {
    fault_ = path_ + ": " + text_of(errno);
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
