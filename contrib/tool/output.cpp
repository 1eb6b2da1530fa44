#include "tool/output.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "tool/failure.hpp"
#include "tool/safe_text.hpp"

namespace bindcast::tool {

namespace {

constexpr std::size_t kMuch = 32768;

std::string g_kept;

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

bool is_terminal(int fd) {
  return isatty(fd) == 1;
}

Palette palette_for(int fd, bool no_color) {
  const char* unwanted = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal != nullptr && std::strcmp(terminal, "dumb") == 0;
  return {.colours = !no_color && (unwanted == nullptr || *unwanted == '\0') && !dumb && is_terminal(fd)};
}

void flush() {
  const std::string text = std::exchange(g_kept, {});
  if (write_all(STDOUT_FILENO, text)) return;
  if (errno == EPIPE) throw OutputClosed{};
  throw Failure(Exit::refused, std::string("standard output: ") + std::strerror(errno));
}

void print(std::string_view text) {
  g_kept += text;
  if (g_kept.size() > kMuch) flush();
}

void print_line(std::string_view line) {
  print(std::string(line) + "\n");
}

void print_json(std::string_view json) {
  static const bool terminal = is_terminal(STDOUT_FILENO);
  while (json.ends_with('\n')) json.remove_suffix(1);
  print_line(terminal ? safe_json(json) : std::string(json));
}

void complain(std::string_view text) {
  constexpr std::size_t kMostBytes = 1000;
  write_all(STDERR_FILENO, "bindcast: " + safe_text(text, kMostBytes) + "\n");
}

}  // namespace bindcast::tool
