#include "plugin/run_state.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace bindcast {

RunState::RunState(std::string state_dir, Log log)
    : path_((state_dir.empty() ? std::string(".") : std::move(state_dir)) + "/bindcast.state"), log_(std::move(log)) {}

RunState::Before RunState::begin() {
  Before before = Before::nothing;
  if (const int file = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); file >= 0) {
    char text[16] = {};
    const ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    if (size > 0) before = std::string_view(text).starts_with("running") ? Before::crashed : Before::orderly;
  }
  if (!write("running\n"))
    log_(LogLevel::warning,
         "cannot write " + path_ + ": " + std::strerror(errno) + "; a restart after a crash will not be noticed");
  return before;
}

void RunState::end() {
  write("stopped\n");
}

bool RunState::write(const char* text) {
  const int file = open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (file < 0) return false;
  const auto size = static_cast<ssize_t>(std::strlen(text));
  const bool written = ::write(file, text, static_cast<std::size_t>(size)) == size;
  close(file);
  return written;
}

}  // namespace bindcast
