// The text between the braces of named.conf's plugin directive: a file's name, nothing, or one line in the log.
#include "fuzz.hpp"

extern "C" {
#include "shim/bind9/parameters.h"
}

namespace {

using bindcast::fuzz::require;

void take_line(void* lines, bindcast_log_level level, const char* line) {
  require(level == BINDCAST_LOG_ERROR, "a refusal is an error");
  require(std::string_view(line).find("/etc/bind/named.conf:7: ") == 0, "a refusal says where it is", line);
  bindcast::fuzz::require_line(line, 511);
  ++*static_cast<int*>(lines);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text;  // whose NUL at the end AddressSanitizer guards
  if (size != 0) text.assign(reinterpret_cast<const char*>(data), size);
  text.shrink_to_fit();
  int lines = 0;
  bindcast_host host = BINDCAST_INIT(host);
  host.log = take_line;
  host.log_closure = &lines;
  char* path = nullptr;
  if (parameters_read(text.c_str(), "/etc/bind/named.conf", 7, &host, &path)) {
    require(lines == 0, "what is accepted is not complained about");
    require(path == nullptr || *path != '\0', "a file's name is not empty");
    require(path == nullptr || text.find(path) != std::string::npos, "a file's name is one that was written");
  } else {
    require(lines == 1, "a refusal is told once");
    require(path == nullptr, "a refusal leaves no file's name");
  }
  std::free(path);
  return 0;
}
