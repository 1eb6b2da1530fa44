#include "plugin/hub/privacy.hpp"

namespace bindcast {

namespace {
constexpr unsigned kPrefixOfIpv4 = 24, kPrefixOfIpv6 = 56;
}  // namespace

Network network_of_client(const Network& client) noexcept {
  return widened(client, client.family == 4 ? kPrefixOfIpv4 : kPrefixOfIpv6);
}

std::string_view domain_of(std::string_view name) noexcept {
  std::size_t last = 0, before_last = 0;  // where these labels begin
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '\\') {
      ++i;  // a dot behind it is part of a label
    } else if (name[i] == '.' && i + 1 < name.size()) {
      before_last = last;
      last = i + 1;
    }
  }
  return name.substr(before_last);
}

std::span<const std::uint8_t> domain_of(std::span<const std::uint8_t> wire) noexcept {
  std::size_t last = 0, before_last = 0;
  for (std::size_t at = 0; at < wire.size() && wire[at] != 0; at += wire[at] + std::size_t{1}) {
    before_last = last;
    last = at;
  }
  return wire.subspan(before_last);
}

}  // namespace bindcast
