#include "tool/event_line.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <iterator>

#include "events/timestamp.hpp"
#include "plugin/server/messages.hpp"
#include "tool/safe_text.hpp"

namespace bindcast::tool {

namespace {

constexpr std::size_t kMostLineBytes = 2000;
constexpr std::size_t kMostMembers = 8;  // of a list that are shown
constexpr std::string_view kNothing = "-";

// The members of an object by name, as texts for people.
struct Data {
  const json_t* object;

  [[nodiscard]] const json_t* at(const char* key) const { return json_object_get(object, key); }
  [[nodiscard]] bool has(const char* key) const { return at(key) != nullptr; }
  [[nodiscard]] std::string text(const char* key) const { return has(key) ? shown(at(key)) : std::string(kNothing); }
  [[nodiscard]] std::string if_there(const std::string& before, const char* key, const std::string& after = "") const {
    return has(key) ? before + shown(at(key)) + after : "";
  }
  [[nodiscard]] json_int_t number(const char* key) const { return json_integer_value(at(key)); }
};

std::string milliseconds(const json_t* us) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.1f ms", json_number_value(us) / 1000);
  return buffer;
}

std::string times(const Data& data, const char* key = "count") {
  return data.number(key) > 1 ? " x" + shown(data.at(key)) : "";
}

// "12->13", or the number alone.
std::string change(const json_t* value) {
  const Data data{value};
  if (!json_is_object(value)) return shown(value);
  return data.has("from") ? data.text("from") + "->" + data.text("to") : data.text("to");
}

std::string counts(const json_t* object) {
  std::string out;
  const char* key = nullptr;
  json_t* value = nullptr;
  json_object_foreach(const_cast<json_t*>(object), key, value) {
    if (json_is_integer(value) && json_integer_value(value) == 0) continue;
    out += (out.empty() ? "" : ", ") + shown(value) + " " + safe_text(key, kMostShownBytes);
  }
  return out;
}

std::string answer(const Data& data) {
  return data.has("rcode") ? data.text("rcode") : "dropped";
}

std::string query(const Data& data) {
  std::string out = data.text("client") + " " + data.text("qname") + " " + data.text("qtype") + " " + answer(data);
  if (data.has("latency_us")) out += " " + milliseconds(data.at("latency_us"));
  if (data.text("transport") != "udp") out += data.if_there(" ", "transport");
  if (json_is_true(data.at("cached"))) out += " cached";
  out += data.if_there(" ede=", "ede");
  if (const Data rpz{data.at("rpz")}; rpz.object != nullptr)
    out += " rewritten by " + rpz.text("policy_zone") + rpz.if_there(": ", "action");
  return out;
}

std::string folded_queries(const Data& data) {
  std::string out = data.text("qname") + " " + data.text("qtype") + " " + answer(data) + " x" + data.text("count");
  out += data.has("client") ? " from " + data.text("client") : data.if_there(" from ", "clients", " clients");
  if (const Data latency{data.at("latency_us")}; latency.has("mean")) out += " " + milliseconds(latency.at("mean"));
  return out;
}

std::string policy_hit(const Data& data) {
  return data.text("client") + " " + data.text("qname") + " " + data.text("qtype") + " -> " + data.text("action") +
         " by " + data.text("policy_zone") + ", rule " + data.text("rule") + data.if_there(" (", "trigger", ")") +
         times(data);
}

// "300 192.0.2.1,192.0.2.2": a state of an RRset, or of a rule.
std::string state(const json_t* value) {
  if (!json_is_object(value)) return std::string(kNothing);
  const Data data{value};
  const std::string what = data.has("action") ? data.text("action") : data.text("rdata");
  return data.has("ttl") && !data.has("action") ? data.text("ttl") + " " + what : what;
}

std::string before_and_after(const Data& data) {
  if (!data.has("before")) return "+ " + state(data.at("after"));
  if (!data.has("after")) return "- " + state(data.at("before"));
  return state(data.at("before")) + " -> " + state(data.at("after"));
}

std::string record(const Data& data) {
  return data.text("name") + " " + data.text("rtype") + ": " + before_and_after(data) +
         data.if_there(" (", "cause", ")");
}

std::string records(const Data& data) {
  return data.text("zone") + ": " + data.text("rrsets") + " RRsets: " + counts(data.at("by_operation")) + ", serial " +
         change(data.at("serial")) + data.if_there(" (", "cause", ")");
}

std::string zone(const Data& data) {
  std::string out = data.text("zone") + data.if_there(" ", "zone_type");
  if (data.has("serial")) out += ", serial " + change(data.at("serial"));
  if (const Data changed{data.at("records")}; changed.object != nullptr)
    out += ", records +" + changed.text("added") + " -" + changed.text("removed");
  return out + data.if_there(" (", "cause", ")");
}

std::string policy(const Data& data) {
  return data.text("policy_zone") + ", serial " + change(data.at("serial")) + ", rules: " + counts(data.at("rules")) +
         data.if_there(" (", "cause", ")");
}

std::string rule(const Data& data) {
  return data.text("policy_zone") + " " + data.text("rule") + ": " + before_and_after(data);
}

std::string reload(const Data& data) {
  return data.text("outcome") + data.if_there(" (", "cause", ")") + data.if_there(" in ", "duration_ms", " ms") +
         data.if_there(", ", "zones", " zones") + data.if_there(": ", "reason");
}

std::string configuration(const Data& data) {
  std::string out;
  const json_t* changes = data.at("changes");
  const std::size_t size = json_array_size(changes);
  for (std::size_t i = 0; i < std::min(size, kMostMembers); ++i) {
    const Data one{json_array_get(changes, i)};
    out += (i == 0 ? "" : "; ") + one.text("path") + ": " + one.text("before") + " -> " + one.text("after");
  }
  return size > kMostMembers ? out + "; " + std::to_string(size - kMostMembers) + " more" : out;
}

std::string notification(const Data& data) {
  return data.text("event_type") + " " + data.text("alert") + data.if_there(", step ", "step") +
         data.if_there(" to ", "roles") + (json_is_true(data.at("webhook")) ? ", webhook" : "") +
         data.if_there(" by ", "by") + data.if_there(" resolved by ", "resolved_by") + data.if_there(": ", "note") +
         times(data, "occurrences") + data.if_there(", open for ", "open_for_seconds", " s");
}

std::string connection(const Data& data) {
  return data.text("client") + data.if_there(" ", "user") + data.if_there(" ", "subprotocol") +
         data.if_there(" closed ", "code") + data.if_there(" ", "reason") + data.if_there(", ", "events", " events");
}

std::string service(const Data& data) {
  return "bindcast " + data.text("version") + data.if_there(" in ", "host") + data.if_there(" ", "host_version") +
         data.if_there(", pid ", "pid") + data.if_there(", up ", "uptime_seconds", " s");
}

// "key=value" of everything, for types without a form of their own.
void append_members(std::string& out, const json_t* object, const std::string& prefix) {
  const char* key = nullptr;
  json_t* value = nullptr;
  json_object_foreach(const_cast<json_t*>(object), key, value) {
    if (out.size() > kMostLineBytes) return;
    const std::string name = prefix + safe_text(key, kMostShownBytes);
    if (json_is_object(value))
      append_members(out, value, name + ".");
    else if (json_string_length(value) != 0 || !json_is_string(value))
      out += (out.empty() ? "" : " ") + name + "=" + shown(value);
  }
}

std::string members(const Data& data) {
  std::string out;
  append_members(out, data.object, "");
  return out;
}

struct Form {
  std::string_view type;
  std::string (*essentials)(const Data& data);
};
constexpr Form kForms[] = {
    {"dns_query_log", query},
    {"dns_query_failed", query},
    {"dns_query_batch", folded_queries},
    {"malware_blocked", policy_hit},
    {"phishing_blocked", policy_hit},
    {"dns_query_blocked", policy_hit},
    {"dns_query_allowed", policy_hit},
    {"record_created", record},
    {"record_updated", record},
    {"record_deleted", record},
    {"record_bulk_operation", records},
    {"zone_created", zone},
    {"zone_updated", zone},
    {"zone_deleted", zone},
    {"zone_loaded", zone},
    {"zone_expired", zone},
    {"rpz_update", policy},
    {"threat_feed_update", policy},
    {"rpz_rule_created", rule},
    {"rpz_rule_updated", rule},
    {"rpz_rule_deleted", rule},
    {"bind_reload", reload},
    {"bind_config_change", configuration},
    {"config_change", configuration},
    {"notification_sent", notification},
    {"notification_acknowledged", notification},
    {"connection_established", connection},
    {"connection_closed", connection},
    {"authentication_failed", connection},
    {"service_started", service},
    {"service_stopped", service},
    {"service_restarted", service},
};

const Form* form_of(std::string_view type) {
  const auto* form = std::ranges::find(kForms, type, &Form::type);
  return form == std::end(kForms) ? nullptr : form;
}

// "15:04:05.123" here and now of a timestamp; what is no timestamp stays as it is.
std::string local_time(std::string_view timestamp) {
  const auto us = timestamp_from(timestamp);
  if (!us) return safe_text(timestamp, 12);
  const std::time_t seconds = static_cast<std::time_t>(*us / 1'000'000);
  std::tm parts{};
  localtime_r(&seconds, &parts);
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%02d:%02d:%02d.%03d", parts.tm_hour, parts.tm_min, parts.tm_sec,
                static_cast<int>(*us / 1000 % 1000));
  return buffer;
}

std::string line(const json_t* message, std::string_view type, std::string_view severity, const std::string& text,
                 const Palette& palette) {
  constexpr std::size_t kTypeWidth = 22;
  std::string name = safe_text(type, kMostShownBytes);
  const std::size_t padding = name.size() < kTypeWidth ? kTypeWidth - name.size() : 0;
  name = palette.painted(name, severity) + std::string(padding, ' ');
  const std::string shortened =
      text.size() > kMostLineBytes ? text.substr(0, text.find(' ', kMostLineBytes)) + " ..." : text;
  return local_time(text_member(message, "timestamp")) + " " + name + " " + shortened;
}

}  // namespace

std::string Palette::painted(std::string_view text, std::string_view severity) const {
  constexpr std::pair<std::string_view, std::string_view> kCodes[] = {
      {"debug", "2"}, {"info", "36"}, {"warning", "33"}, {"error", "31"}, {"critical", "1;31"}};
  if (!colours) return std::string(text);
  for (const auto& [name, code] : kCodes)
    if (name == severity) return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
  return std::string(text);
}

std::string shown(const json_t* value) {
  if (json_is_string(value)) return safe_text({json_string_value(value), json_string_length(value)}, kMostShownBytes);
  if (!json_is_array(value)) return value == nullptr ? "-" : safe_text(dump(value), kMostShownBytes);
  std::string out;
  for (std::size_t i = 0; i < json_array_size(value); ++i) {
    if (i == kMostMembers) return out + ",... (" + std::to_string(json_array_size(value)) + ")";
    out += (i == 0 ? "" : ",") + shown(json_array_get(value, i));
  }
  return out.empty() ? "none" : out;
}

std::string essentials(const json_t* event) {
  const Data data{json_object_get(event, "data")};
  const Form* form = form_of(text_member(event, "type"));
  std::string out = form != nullptr ? form->essentials(data) : members(data);
  const Data metadata{json_object_get(event, "metadata")};
  if (const std::string view = metadata.text("view"); metadata.has("view") && view != "_default")
    out += " [view " + view + "]";
  out += metadata.if_there(" [1 of ", "sampled", "]") + metadata.if_there(" [sent again, attempt ", "attempt", "]");
  return out;
}

std::string event_line(const json_t* event, const Palette& palette) {
  return line(event, text_member(event, "type"), text_member(event, "severity"), essentials(event), palette);
}

std::string gap_line(const json_t* gap, const Palette& palette) {
  const Data data{json_object_get(gap, "data")};
  std::string text = data.text("count") + " events missed: " + data.text("reason");
  if (const std::string types = counts(data.at("by_type")); !types.empty()) text += " (" + types + ")";
  return line(gap, "gap", "warning", text, palette);
}

std::vector<std::string_view> types_with_own_form() {
  std::vector<std::string_view> types;
  for (const Form& form : kForms) types.push_back(form.type);
  return types;
}

}  // namespace bindcast::tool
