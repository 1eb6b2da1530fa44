#include "plugin/run_state.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace bindcast {

namespace {

// "running <epoch> <offset>" or "stopped <epoch> <offset>", filled up with blanks: always the same bytes of the same
// block, so that a full disk does not matter once the file is there, and no crash leaves half of it.
constexpr std::size_t kLineBytes = 64;
constexpr std::string_view kRunning = "running", kStopped = "stopped";

std::string_view next_word(std::string_view& rest) {
  const std::size_t begin = rest.find_first_not_of(' ');
  rest.remove_prefix(std::min(begin, rest.size()));
  const std::string_view word = rest.substr(0, rest.find_first_of(" \n"));
  rest.remove_prefix(word.size());
  return word;
}

RunState::Before read_line(std::string_view rest) {
  RunState::Before before;
  if (rest.empty()) return before;  // a life that could not even write
  // Whatever does not say that it ended in order did not.
  before.end = next_word(rest) == kStopped ? RunState::Before::End::orderly : RunState::Before::End::crashed;
  const std::string_view epoch = next_word(rest), offset = next_word(rest);
  const auto [end, fault] = std::from_chars(offset.data(), offset.data() + offset.size(), before.offset);
  if (fault == std::errc() && end == offset.data() + offset.size() && !offset.empty()) before.epoch = epoch;
  return before;
}

}  // namespace

RunState::RunState(std::string state_dir, std::string epoch, Log log)
    : path_((state_dir.empty() ? std::string(".") : std::move(state_dir)) + "/bindcast.state"),
      epoch_(std::move(epoch)),
      log_(std::move(log)) {}

RunState::Before RunState::begin() {
  Before before;
  if (const int file = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); file >= 0) {
    std::array<char, kLineBytes> text{};
    const ssize_t size = read(file, text.data(), text.size());
    close(file);
    if (size > 0) before = read_line({text.data(), static_cast<std::size_t>(size)});
  }
  write(kRunning, 0, "a restart after a crash may not be noticed; trying again every second");
  return before;
}

void RunState::note(std::uint64_t offset) {
  if (offset != noted_ || failing_)
    write(kRunning, offset, "how far the stream is will not be known after a restart; trying again every second");
}

void RunState::end(std::uint64_t offset) {
  write(kStopped, offset, "the next start will be taken for one after a crash");
}

void RunState::write(std::string_view state, std::uint64_t offset, const char* consequence) {
  std::string line(state);
  line += ' ' + epoch_ + ' ' + std::to_string(offset);
  line.resize(kLineBytes - 1, ' ');
  line += '\n';
  if (overwrite(line)) {
    noted_ = offset;
    if (std::exchange(failing_, false)) log_(LogLevel::info, path_ + " is written again");
    return;
  }
  const int error = errno;
  if (!std::exchange(failing_, true) || state == kStopped)
    log_(LogLevel::warning, "cannot write " + path_ + ": " + std::strerror(error) + "; " + consequence);
}

bool RunState::overwrite(std::string_view line) const {
  const int file = open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (file < 0) return false;
  const ssize_t written = pwrite(file, line.data(), line.size(), 0);
  if (written >= 0 && written != static_cast<ssize_t>(line.size())) errno = ENOSPC;
  int error = errno;
  bool done = written == static_cast<ssize_t>(line.size());
  struct stat status {};
  // Of another's making.
  if (done && fstat(file, &status) == 0 && status.st_size > static_cast<off_t>(line.size()) &&
      ftruncate(file, static_cast<off_t>(line.size())) != 0) {
    error = errno;
    done = false;
  }
  close(file);
  errno = error;
  return done;
}

}  // namespace bindcast
