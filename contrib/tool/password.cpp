#include "tool/password.hpp"

#include <crypt.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "tool/failure.hpp"
#include "tool/network.hpp"
#include "tool/output.hpp"

namespace bindcast::tool {

namespace {

constexpr std::size_t kMostPasswordBytes = CRYPT_MAX_PASSPHRASE_SIZE - 1;

// While it lives, the terminal does not show what is typed.
class NoEcho {
 public:
  NoEcho() {
    termios silent;
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent.c_lflag |= ECHONL;
    changed_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
  }
  ~NoEcho() {
    if (changed_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

// A line of standard input, byte by byte, so that nothing of what follows is taken.
void read_secret_line(Secret& into) {
  into.text.reserve(kMostPasswordBytes);  // no copies are left behind by growing
  char c = '\0';
  while (true) {
    const ssize_t got = read(STDIN_FILENO, &c, 1);
    if (got < 0 && errno == EINTR && !interrupted()) continue;
    if (got < 0 || interrupted()) throw Failure(Exit::refused, "no password was given");
    if (got == 0 || c == '\n') break;
    if (into.text.size() == kMostPasswordBytes)
      throw Failure(Exit::refused, "a password has at most " + std::to_string(kMostPasswordBytes) + " bytes");
    into.text += c;
  }
  if (into.text.ends_with('\r')) into.text.pop_back();
  if (into.text.empty()) throw Failure(Exit::refused, "no password was given");
  if (into.text.find('\0') != std::string::npos) throw Failure(Exit::refused, "a password has no NUL in it");
}

}  // namespace

void read_password(Secret& password, bool twice) {
  if (!is_terminal(STDIN_FILENO)) {
    read_secret_line(password);
    return;
  }
  const NoEcho silence;
  std::fputs("Password: ", stderr);
  read_secret_line(password);
  if (!twice) return;
  Secret again;
  std::fputs("Again: ", stderr);
  read_secret_line(again);
  if (password.text != again.text) throw Failure(Exit::refused, "the two are not the same");
}

}  // namespace bindcast::tool
