#include "tool/status_text.hpp"

#include <cstdio>

#include "plugin/server/messages.hpp"
#include "tool/event_line.hpp"
#include "tool/safe_text.hpp"

namespace bindcast::tool {

namespace {

std::string decimal(double number) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f", number);
  return text;
}

// `one(name, value)` of each member, with commas.
template <typename One>
std::string listed(const json_t* object, One one) {
  std::string out;
  const char* key = nullptr;
  json_t* value = nullptr;
  json_object_foreach(const_cast<json_t*>(object), key, value) {
    const std::string text = one(safe_text(key, kMostShownBytes), value);
    if (!text.empty()) out += (out.empty() ? "" : ", ") + text;
  }
  return out.empty() ? "-" : out;
}

std::string used_of(const json_t* value) {
  const json_t* limit = json_object_get(value, "limit");
  return shown(json_object_get(value, "used")) + (limit == nullptr ? "" : " of " + shown(limit));
}

const json_t* named_of(const json_t* status) {
  return json_object_get(status, "named");
}

}  // namespace

std::string duration_text(json_int_t seconds) {
  const auto two = [](json_int_t number) { return (number < 10 ? "0" : "") + std::to_string(number); };
  const json_int_t days = seconds / 86400;
  return (days > 0 ? std::to_string(days) + " d " : "") + std::to_string(seconds / 3600 % 24) + ":" +
         two(seconds / 60 % 60) + ":" + two(seconds % 60);
}

std::string one_decimal(const json_t* number) {
  return decimal(json_number_value(number));
}

std::string named_text(const json_t* status) {
  const json_t* named = named_of(status);
  if (named == nullptr) return "-";
  std::string out;
  const auto add = [&out](const std::string& text) { out += (out.empty() ? "" : ", ") + text; };
  if (const json_t* qps = json_object_get(named, "qps")) add(one_decimal(qps) + " queries/s");
  if (const json_t* ratio = json_object_get(named, "cache_hit_ratio"))
    add(decimal(json_number_value(ratio) * 100) + " % from the cache");
  if (const json_t* uptime = json_object_get(named, "uptime_seconds"))
    add("up " + duration_text(json_integer_value(uptime)));
  if (const json_t* version = json_object_get(named, "version")) add("version " + shown(version));
  return out.empty() ? "-" : out;
}

std::string limits_text(const json_t* status) {
  return listed(json_object_get(named_of(status), "quotas"), [](const std::string& name, const json_t* value) {
    return json_object_get(value, "limit") == nullptr ? std::string() : name + " " + used_of(value);
  });
}

std::string answers_text(const json_t* status) {
  return listed(json_object_get(named_of(status), "qps_by_rcode"),
                [](const std::string& name, const json_t* value) { return name + " " + one_decimal(value) + "/s"; });
}

std::string cache_text(const json_t* status) {
  const json_t* named = named_of(status);
  const json_t* memory = json_object_get(named, "cache_memory_bytes");
  const json_t* nodes = json_object_get(named, "cache_nodes");
  if (memory == nullptr || nodes == nullptr) return "-";
  return shown(nodes) + " names, " + used_of(memory) + " bytes";
}

std::string health_text(const json_t* status) {
  const json_t* health = json_object_get(status, "health");
  if (health == nullptr) return "-";
  const json_t* components = json_object_get(health, "components");
  const std::string ill = listed(components, [](const std::string& name, const json_t* component) {
    if (text_member(component, "state") == "healthy") return std::string();
    const json_t* reason = json_object_get(component, "reason");
    return name + " " + shown(json_object_get(component, "state")) +
           (reason == nullptr ? "" : " (" + shown(reason) + ")");
  });
  return shown(json_object_get(health, "state")) +
         (ill == "-" ? ", " + std::to_string(json_object_size(components)) + " components" : ": " + ill);
}

}  // namespace bindcast::tool
