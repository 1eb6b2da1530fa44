// From a file's bytes to Options: the file, the profile, the keys, the checks.
//
// See load.hpp.
#include "config/load.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "config/checks.hpp"
#include "config/options_table.hpp"
#include "config/profiles.hpp"
#include "config/reader.hpp"
#include "config/values.hpp"
#include "config/yaml.hpp"

namespace bindcast {

namespace {

std::string error_text(int error) {
  return std::generic_category().message(error);
}

// A relative one is below named's working directory as it is now.
std::string whole_path(const std::string& path) {
  std::error_code fault;
  const auto whole = std::filesystem::absolute(path, fault);
  return fault ? path : whole.lexically_normal().string();
}

std::int64_t now_us() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

// The whole file, or a fault. A FIFO or device is refused before it can block the caller.
std::optional<std::string> read_file(const std::string& path, Reader& reader) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    reader.fault(0, "", "cannot be opened: " + error_text(errno));
    return std::nullopt;
  }
  struct Closer {
    int fd;
    ~Closer() { close(fd); }
  } closer{fd};
  struct stat status {};
  if (fstat(fd, &status) != 0) {
    reader.fault(0, "", "cannot be read: " + error_text(errno));
    return std::nullopt;
  }
  if (!S_ISREG(status.st_mode)) {
    reader.fault(0, "", "is not a regular file");
    return std::nullopt;
  }
  std::string text(kMaxConfigBytes + 1, '\0');  // one more, so that a larger file is noticed
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      reader.fault(0, "", "cannot be read: " + error_text(errno));
      return std::nullopt;
    }
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

const YamlNode* find_path(const YamlNode& root, std::string_view path) {
  const YamlNode* node = &root;
  while (node != nullptr) {
    const auto dot = path.find('.');
    node = node->find(path.substr(0, dot));
    if (dot == std::string_view::npos) return node;
    path.remove_prefix(dot + 1);
  }
  return nullptr;
}

void read_options(std::string_view yaml, Reader& reader, Options& options) {
  const auto root = parse_yaml(yaml, reader);
  if (!root) return;
  const auto& table = options_table();
  for (const auto& item : table) {
    if ((item.flags & kReadFirst) == 0) continue;
    const std::string path(item.path);
    if (const YamlNode* node = find_path(*root, path)) item.read(*node, options, reader, path);
  }
  apply_profile(options.batching.profile, options);
  read_keys(table, *root, "", "", options, reader);
  for (auto& token : options.auth.tokens) {
    std::transform(token.sha256.begin(), token.sha256.end(), token.sha256.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  }
  check_options(options, reader);
}

}  // namespace

std::string ConfigFault::text() const {
  std::string out = file + ":";
  if (line != 0) out += std::to_string(line) + ":";
  if (!key.empty()) out += " " + key + ":";
  return out + " " + message;
}

LoadResult load_options_text(std::string_view yaml, const std::string& file_name) {
  LoadResult result;
  Reader reader(file_name);
  read_options(yaml, reader, result.options);
  reader.finish(result);
  return result;
}

LoadResult load_options_file(const std::string& path) {
  Reader reader(path);
  const auto text = read_file(path, reader);
  LoadResult result;
  if (!text) {
    reader.finish(result);
    return result;
  }
  result = load_options_text(*text, path);
  result.origin = {.file = whole_path(path), .read_us = now_us()};
  return result;
}

}  // namespace bindcast
