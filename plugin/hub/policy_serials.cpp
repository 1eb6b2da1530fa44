#include "plugin/hub/policy_serials.hpp"

namespace bindcast {

namespace {
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
  return type_info(type).category != Category::dns;
}

bool PolicySerials::process(Event& event) {
  switch (event.type) {
    case EventType::zone_loaded:
      if (event.data.find("policy_zone").boolean())
        learn(event, event.data.find("zone").text(), event.data.find("serial.to"));
      break;
    case EventType::rpz_update:
      learn(event, event.data.find("policy_zone").text(), event.data.find("serial"));
      break;
    case EventType::zone_deleted:
      serials_.erase(key_of(event.view, event.data.find("zone").text()));
      break;
    case EventType::dns_query_blocked:
    case EventType::dns_query_allowed:
    case EventType::malware_blocked:
    case EventType::phishing_blocked: {
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
