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
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) return {};
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

void Identity::load_generated_token() {
  const auto say = [this](LogLevel level, const std::string& what) { log_(level, token_path_ + ": " + what); };
  const Descriptor existing(::open(token_path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (existing.get() >= 0) {
    struct stat status {};
    if (fstat(existing.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
      say(LogLevel::error, "not a regular file; no generated token is in force");
      return;
    }
    if ((status.st_mode & 077) != 0) {
      say(LogLevel::warning,
          "could be read by others; its mode is set to 0600 now, remove the file to get a new token");
      if (fchmod(existing.get(), 0600) != 0) say(LogLevel::error, std::string("chmod: ") + std::strerror(errno));
    }
    const std::string token = read_token(existing.get());
    if (token.empty()) {
      say(LogLevel::error, "holds no token (one line of 32 to 512 printable characters); remove it to get a new one");
      return;
    }
    generated_sha256_ = sha256_of(token);
  } else if (errno != ENOENT) {
    say(LogLevel::error, std::strerror(errno));
    return;
  } else {
    const std::string token = make_token();
    const Descriptor made(::open(token_path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    const std::string line = token + "\n";
    if (token.empty() || made.get() < 0 ||
        write(made.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      say(LogLevel::error, std::string("cannot be written: ") + std::strerror(errno));
      if (made.get() >= 0) unlink(token_path_.c_str());
      return;
    }
    generated_sha256_ = sha256_of(token);
  }
  std::error_code fault;
  const auto absolute = std::filesystem::absolute(token_path_, fault).lexically_normal();
  log_(LogLevel::info, "admin token in " + (fault ? token_path_ : absolute.string()));
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
