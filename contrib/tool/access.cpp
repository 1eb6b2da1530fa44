#include "tool/access.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "tool/failure.hpp"

namespace bindcast::tool {

namespace {

constexpr std::size_t kMostLineBytes = 8192;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string fault_of(const std::string& path) {
  return path + ": " + std::strerror(errno);
}

void make_folder(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) throw Failure(Exit::refused, fault_of(part));
    if (slash == path.npos) return;
  }
}

std::string state_folder() {
  if (const std::string folder = variable("XDG_STATE_HOME"); folder.starts_with('/')) return folder + "/bindcast";
  std::string home = variable("HOME");
  if (const passwd* user = home.empty() ? getpwuid(getuid()) : nullptr) home = user->pw_dir;
  return home + "/.local/state/bindcast";
}

// It goes into a header.
std::string checked(std::string token, const std::string& from) {
  if (token.empty()) throw Failure(Exit::unauthenticated, from + " holds no token");
  if (!std::ranges::all_of(token, [](unsigned char c) { return c > 0x20 && c < 0x7f; }))
    throw Failure(Exit::unauthenticated, from + " holds what is no token");
  return token;
}

}  // namespace

ServerAddress Access::server() const {
  if (!url.empty()) return parse_server_address(url);
  const std::string said = variable("BINDCAST_URL");
  return parse_server_address(said.empty() ? kDefaultUrl : said);
}

std::optional<std::string> Access::token(const ServerAddress& server) const {
  std::optional<std::string> token;
  if (!says_token) return token;
  if (!token_file.empty()) {
    token = first_line(token_file);
    if (!token) throw Failure(Exit::unauthenticated, fault_of(token_file));
    token = checked(*token, token_file);
  } else if (const std::string said = variable("BINDCAST_TOKEN"); !said.empty()) {
    token = checked(said, "BINDCAST_TOKEN");
  } else if (const std::string session = state_file("session", server, false); access(session.c_str(), R_OK) == 0) {
    token = checked(first_line(session).value_or(""), session);
  } else if (server.is_local() && access(kNamedTokenFile, R_OK) == 0) {
    // Only to this machine: whoever else asks for a token shall not get named's own.
    token = first_line(kNamedTokenFile);
    if (token) token = checked(*token, kNamedTokenFile);
  }
  if (token && !server.encrypted && !server.is_local() && !insecure)
    throw Failure(Exit::usage, "the token would go to " + server.host + " unencrypted: use wss://, or say --insecure");
  return token;
}

std::string state_file(const std::string& name, const ServerAddress& server, bool make) {
  const std::string folder = state_folder();
  if (make) make_folder(folder);
  std::string place = server.unix_path.empty() ? server.authority + server.prefix : "unix" + server.unix_path;
  std::ranges::replace(place, '/', '_');
  return folder + "/" + name + "-" + place;
}

std::optional<std::string> first_line(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return std::nullopt;
    throw Failure(Exit::unauthenticated, fault_of(path));
  }
  std::string text(kMostLineBytes, '\0');
  const ssize_t size = read(fd, text.data(), text.size());
  const int error = errno;
  close(fd);
  errno = error;
  if (size < 0) throw Failure(Exit::unauthenticated, fault_of(path));
  text.resize(static_cast<std::size_t>(size));
  return text.substr(0, text.find_first_of("\r\n"));
}

void write_line(const std::string& path, const std::string& line) {
  const std::string draft = path + ".new", text = line + "\n";
  const int fd = open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) throw Failure(Exit::refused, fault_of(draft));
  const bool whole = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (close(fd) != 0 || !whole || rename(draft.c_str(), path.c_str()) != 0) {
    const Failure failure(Exit::refused, fault_of(path));
    unlink(draft.c_str());
    throw failure;
  }
}

}  // namespace bindcast::tool
