#include "plugin/server/identity.hpp"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>
#include <system_error>
#include <utility>

namespace bindcast {

namespace {

constexpr std::size_t kTokenBytes = 32;
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

std::string base64url(const std::array<std::uint8_t, kTokenBytes>& bytes) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  unsigned held = 0;
  int bits = 0;
  for (const std::uint8_t byte : bytes) {
    held = held << 8 | byte;
    for (bits += 8; bits >= 6; bits -= 6) text.push_back(kAlphabet[held >> (bits - 6) & 63]);
  }
  if (bits > 0) text.push_back(kAlphabet[held << (6 - bits) & 63]);
  return text;
}

std::string make_token() {
  std::array<std::uint8_t, kTokenBytes> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return {};
  return base64url(bytes);
}

std::string read_token(int fd) {
  std::array<char, kMaxTokenText + 1> text{};
  const ssize_t size = read(fd, text.data(), text.size());
  if (size <= 0 || static_cast<std::size_t>(size) > kMaxTokenText) return {};
  std::string token(text.data(), static_cast<std::size_t>(size));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  const bool printable = std::ranges::all_of(token, [](char c) { return c > ' ' && c < 127; });
  return printable && token.size() >= kMinTokenText ? token : std::string();
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

std::string sha256_of(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
  constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex.push_back(kHex[digest[i] >> 4]);
    hex.push_back(kHex[digest[i] & 15]);
  }
  return hex;
}

bool User::has_role(std::string_view role) const {
  return std::ranges::find(roles, role) != roles.end();
}

Identity::Identity(const AuthOptions& options, const std::string& state_dir, Log log)
    : options_(options), token_path_(state_dir + "/bindcast.token"), log_(std::move(log)) {
  if (!open()) load_generated_token();
}

void Identity::configure(const AuthOptions& options) {
  options_ = options;
  if (!open() && generated_sha256_.empty()) load_generated_token();
}

User Identity::anybody() {
  return {.name = "anybody", .roles = {"admin"}};
}

void Identity::tick() {
  if (!open() && generated_sha256_.empty()) load_generated_token();
}

// The same fault is said once, however often it comes.
bool Identity::fail(const std::string& what) {
  if (std::exchange(said_, what) != what) log_(LogLevel::error, token_path_ + ": " + what);
  return false;
}

void Identity::load_generated_token() {
  const Descriptor existing(::open(token_path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (existing.get() < 0 && errno != ENOENT) {
    fail(std::strerror(errno));
    return;
  }
  if (!(existing.get() >= 0 ? read_generated_token(existing.get()) : make_generated_token())) return;
  said_.clear();
  std::error_code fault;
  const auto absolute = std::filesystem::absolute(token_path_, fault).lexically_normal();
  log_(LogLevel::info, "admin token in " + (fault ? token_path_ : absolute.string()));
}

bool Identity::read_generated_token(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
    return fail("not a regular file; no generated token is in force");
  if ((status.st_mode & 077) != 0) {
    log_(LogLevel::warning,
         token_path_ + ": could be read by others; its mode is set to 0600 now, remove the file to get a new token");
    if (fchmod(fd, 0600) != 0) log_(LogLevel::error, token_path_ + ": chmod: " + std::strerror(errno));
  }
  const std::string token = read_token(fd);
  if (token.empty())
    return fail("holds no token (one line of 32 to 512 printable characters); remove it to get a new one");
  generated_sha256_ = sha256_of(token);
  return true;
}

// Written beside its place and put there whole, so that whoever finds it finds all of it. By a link, because that does
// not replace what another process has made meanwhile.
bool Identity::make_generated_token() {
  const std::string token = make_token();
  if (token.empty()) return fail(std::string("no random bytes: ") + std::strerror(errno));
  const std::string draft = token_path_ + ".new", line = token + "\n";
  unlink(draft.c_str());
  const Descriptor made(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (made.get() < 0) return fail(std::string("cannot be made: ") + std::strerror(errno) + "; trying again");
  const ssize_t written = write(made.get(), line.data(), line.size());
  if (written >= 0 && written != static_cast<ssize_t>(line.size())) errno = ENOSPC;
  const bool done = written == static_cast<ssize_t>(line.size()) && fsync(made.get()) == 0 &&
                    link(draft.c_str(), token_path_.c_str()) == 0;
  const int error = errno;
  unlink(draft.c_str());
  if (!done) return fail(std::string("cannot be written: ") + std::strerror(error) + "; trying again");
  generated_sha256_ = sha256_of(token);
  return true;
}

std::optional<User> Identity::authenticate(std::string_view token) const {
  const std::string digest = sha256_of(token);
  std::optional<User> user;
  // Every entry is compared, so that the time says nothing of which one fits.
  if (!generated_sha256_.empty() && equal_in_constant_time(digest, generated_sha256_))
    user = User{.name = "admin", .roles = {"admin"}};
  for (const TokenOptions& entry : options_.tokens)
    if (equal_in_constant_time(digest, entry.sha256)) user = User{.name = entry.name, .roles = entry.roles};
  return user;
}

}  // namespace bindcast
