#include "plugin/sources/named_log/log_channel.hpp"

#include <algorithm>
#include <string_view>

namespace bindcast {

std::string bindcast_channel_file(const Statements& statements) {
  const auto channels = statements.find("logging.channel");
  if (channels == statements.end()) return {};
  for (std::string_view channel : channels->second) {
    // "bindcast" { file "bindcast.log" versions 2; severity info; }
    if (!channel.starts_with("\"bindcast\" ") && !channel.starts_with("bindcast ")) continue;
    constexpr std::string_view kFile = "file ";
    std::size_t at = channel.find('{');
    for (; at != std::string_view::npos; at = channel.find(';', at + 1)) {
      std::string_view rest = channel.substr(at + 1);
      rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
      if (!rest.starts_with(kFile)) continue;
      rest.remove_prefix(kFile.size());
      if (!rest.starts_with('"')) return std::string(rest.substr(0, rest.find_first_of(" ;}")));
      std::string file;
      for (std::size_t i = 1; i < rest.size() && rest[i] != '"'; ++i) {
        if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
        file.push_back(rest[i]);
      }
      return file;
    }
  }
  return {};
}

}  // namespace bindcast
