#include "plugin/server/small_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace bindcast {

namespace {

std::string why(const char* what, int error) {
  return std::string("cannot be ") + what + ": " + std::generic_category().message(error);
}

}  // namespace

std::string read_small_file(const std::string& path, std::size_t most, std::string& out) {
  // O_NONBLOCK: a pipe must not hold the loop up.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return why("opened", errno);
  struct stat status {};
  std::string fault;
  out.resize(most + 1);
  std::size_t size = 0;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    fault = "is not a regular file";
  } else {
    while (size < out.size()) {
      const ssize_t got = read(fd, out.data() + size, out.size() - size);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fault = why("read", errno);
      if (got <= 0) break;
      size += static_cast<std::size_t>(got);
    }
  }
  close(fd);
  if (fault.empty() && size > most) fault = "is larger than " + std::to_string(most) + " bytes";
  out.resize(fault.empty() ? size : 0);
  return fault;
}

FileStamp stamp_of(const std::string& path) noexcept {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return {};
  return {.modified_ns = status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec,
          .size = status.st_size,
          .inode = status.st_ino};
}

}  // namespace bindcast
