// bindcast passwd and bindcast token: secrets, and the line of the configuration that lets their holders in.

#include <crypt.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "config/values.hpp"
#include "tool/commands.hpp"
#include "tool/output.hpp"
#include "tool/password.hpp"

namespace bindcast::tool {

namespace {

constexpr std::size_t kTokenBytes = 32;

std::string yescrypt_of(const Secret& password) {
  const std::unique_ptr<char, decltype(&std::free)> setting(crypt_gensalt_ra("$y$", 0, nullptr, 0), &std::free);
  if (!setting) throw Failure(Exit::refused, std::string("yescrypt: ") + std::strerror(errno));
  void* data = nullptr;
  int size = 0;
  const char* hash = crypt_ra(password.text.c_str(), setting.get(), &data, &size);
  const std::unique_ptr<void, decltype(&std::free)> owned(data, &std::free);
  if (hash == nullptr) throw Failure(Exit::refused, std::string("yescrypt: ") + std::strerror(errno));
  return hash;
}

template <std::size_t size>
std::string hex(const std::array<unsigned char, size>& bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const unsigned char byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

std::string sha256_of(const std::string& text) {
  std::array<unsigned char, 32> digest{};
  if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1)
    throw Failure(Exit::refused, "SHA-256 cannot be had");
  return hex(digest);
}

// As the configuration's own rule has them. Throws Failure (usage).
void check_names(const std::string& name, const std::vector<std::string>& roles) {
  for (const std::string& one : roles)
    if (const std::string fault = name_text(one); !fault.empty()) throw Failure(Exit::usage, "--role: " + fault);
  if (const std::string fault = name_text(name); !fault.empty()) throw Failure(Exit::usage, "the name " + fault);
}

std::string list_of(const std::vector<std::string>& roles) {
  std::vector<std::string> written;
  for (const std::string& role : roles) written.push_back(write_text(role));
  return write_list(written);
}

}  // namespace

void make_password(const NewPasswordOptions& options) {
  check_names(options.user, options.roles);
  Secret password;
  read_password(password, true);
  const std::string hash = yescrypt_of(password);
  print_line(hash);
  print_line("- {name: " + write_text(options.user) + ", password: " + quote_text(hash) +
             ", roles: " + list_of(options.roles) + "}");
  if (is_terminal(STDERR_FILENO)) complain("the second line goes below auth.users of the configuration");
}

void make_token(const NewTokenOptions& options) {
  check_names(options.name, options.roles);
  std::array<unsigned char, kTokenBytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) throw Failure(Exit::refused, "no random bytes");
  const std::string token = hex(bytes);
  print_line(token);
  print_line("- {name: " + write_text(options.name) + ", sha256: " + quote_text(sha256_of(token)) +
             ", roles: " + list_of(options.roles) + "}");
  if (is_terminal(STDERR_FILENO))
    complain(
        "the first line is the token, which is shown only now; the second goes below auth.tokens of the configuration");
}

}  // namespace bindcast::tool
