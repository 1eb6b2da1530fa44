#include "plugin/server/token_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "plugin/server/secret.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kMinTokenText = 32;  // what a token file must at least hold
constexpr std::size_t kMaxTokenText = 512;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

std::string read_token(int fd) {
  std::array<char, kMaxTokenText + 1> text{};
  const ssize_t size = read(fd, text.data(), text.size());
  if (size <= 0 || static_cast<std::size_t>(size) > kMaxTokenText) return {};
  std::string token(text.data(), static_cast<std::size_t>(size));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  const bool printable = std::ranges::all_of(token, [](char c) { return c > ' ' && c < 127; });
  return printable && token.size() >= kMinTokenText ? token : std::string();
}

}  // namespace

TokenFile::TokenFile(const std::string& state_dir, Log log)
    : path_(state_dir + "/bindcast.token"), log_(std::move(log)) {}

bool TokenFile::holds(std::string_view sha256) const {
  return !sha256_.empty() && equal_in_constant_time(sha256, sha256_);
}

// The same fault is said once, however often it comes.
bool TokenFile::fail(const std::string& what) {
  if (std::exchange(said_, what) != what) log_(LogLevel::error, path_ + ": " + what);
  return false;
}

void TokenFile::load() {
  if (!sha256_.empty()) return;
  const Descriptor existing(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (existing.get() < 0 && errno != ENOENT) {
    fail(std::strerror(errno));
    return;
  }
  if (!(existing.get() >= 0 ? read(existing.get()) : make())) return;
  said_.clear();
  std::error_code fault;
  const auto absolute = std::filesystem::absolute(path_, fault).lexically_normal();
  log_(LogLevel::info, "admin token in " + (fault ? path_ : absolute.string()));
}

bool TokenFile::read(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
    return fail("not a regular file; no generated token is in force");
  if ((status.st_mode & 077) != 0) {
    log_(LogLevel::warning,
         path_ + ": could be read by others; its mode is set to 0600 now, remove the file to get a new token");
    if (fchmod(fd, 0600) != 0) log_(LogLevel::error, path_ + ": chmod: " + std::strerror(errno));
  }
  const std::string token = read_token(fd);
  if (token.empty())
    return fail("holds no token (one line of 32 to 512 printable characters); remove it to get a new one");
  sha256_ = sha256_of(token);
  return true;
}

// Written beside its place and put there whole, so that whoever finds it finds all of it. By a link, because that does
// not replace what another process has made meanwhile.
bool TokenFile::make() {
  const std::string token = make_secret();
  if (token.empty()) return fail(std::string("no random bytes: ") + std::strerror(errno));
  const std::string draft = path_ + ".new", line = token + "\n";
  unlink(draft.c_str());
  const Descriptor made(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (made.get() < 0) return fail(std::string("cannot be made: ") + std::strerror(errno) + "; trying again");
  const ssize_t written = write(made.get(), line.data(), line.size());
  if (written >= 0 && written != static_cast<ssize_t>(line.size())) errno = ENOSPC;
  const bool done =
      written == static_cast<ssize_t>(line.size()) && fsync(made.get()) == 0 && link(draft.c_str(), path_.c_str()) == 0;
  const int error = errno;
  unlink(draft.c_str());
  if (!done) return fail(std::string("cannot be written: ") + std::strerror(error) + "; trying again");
  sha256_ = sha256_of(token);
  return true;
}

}  // namespace bindcast
