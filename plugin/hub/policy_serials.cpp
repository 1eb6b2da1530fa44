#include "plugin/hub/policy_serials.hpp"

#include <algorithm>
#include <array>

namespace bindcast {

namespace {

using enum EventType;
constexpr std::array kLearnedFrom{zone_loaded, rpz_update, zone_deleted};
constexpr std::array kAddedTo{dns_query_blocked, dns_query_allowed, malware_blocked, phishing_blocked};

std::string key_of(std::string_view view, std::string_view zone) {
  std::string key(view);
  key.push_back('\0');
  key += zone;
  return key;
}

}  // namespace

void PolicySerials::learn(const Event& event, std::string_view zone, Fields::Value serial) {
  if (serial) serials_[key_of(event.view, zone)] = static_cast<std::uint32_t>(serial.integer());
}

bool PolicySerials::concerns(EventType type) const noexcept {
  return std::ranges::find(kLearnedFrom, type) != kLearnedFrom.end() ||
         std::ranges::find(kAddedTo, type) != kAddedTo.end();
}

bool PolicySerials::process(Event& event) {
  switch (event.type) {
    case zone_loaded:
      if (event.data.find("policy_zone").boolean())
        learn(event, event.data.find("zone").text(), event.data.find("serial.to"));
      break;
    case rpz_update:
      learn(event, event.data.find("policy_zone").text(), event.data.find("serial"));
      break;
    case zone_deleted:
      serials_.erase(key_of(event.view, event.data.find("zone").text()));
      break;
    case dns_query_blocked:
    case dns_query_allowed:
    case malware_blocked:
    case phishing_blocked: {
      if (event.data.find("policy_serial")) break;
      const auto known = serials_.find(key_of(event.view, event.data.find("policy_zone").text()));
      if (known != serials_.end()) event.data.add_integer("policy_serial", known->second);
      break;
    }
    default:
      break;
  }
  return true;
}

}  // namespace bindcast
