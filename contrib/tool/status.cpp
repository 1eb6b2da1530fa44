// bindcast status: how the server is, in a few lines.

#include "plugin/server/messages.hpp"
#include "tool/api.hpp"
#include "tool/commands.hpp"
#include "tool/event_line.hpp"
#include "tool/output.hpp"
#include "tool/status_text.hpp"

namespace bindcast::tool {

namespace {

// "3 queue_overflow, 1 sampled": what is not zero.
std::string counts_of(const json_t* object) {
  std::string out;
  const char* key = nullptr;
  json_t* value = nullptr;
  json_object_foreach(const_cast<json_t*>(object), key, value) if (json_integer_value(value) != 0) out +=
      (out.empty() ? "" : ", ") + shown(value) + " " + key;
  return out.empty() ? "none" : out;
}

std::string journal_text(const json_t* journal) {
  const auto text = [journal](const char* key) { return shown(json_object_get(journal, key)); };
  std::string out = text("state");
  if (json_object_get(journal, "reason") != nullptr) out += ": " + text("reason");
  return out + ", stored through " + text("durable_through") + ", " + text("size_bytes") +
         " bytes, dropped: " + counts_of(json_object_get(journal, "dropped"));
}

void print_row(const std::string& name, const std::string& text) {
  constexpr std::size_t kWidth = 14;
  print_line(name + std::string(name.size() < kWidth ? kWidth - name.size() : 1, ' ') + text);
}

void print_status(const json_t* status) {
  const auto at = [status](const char* key) { return json_object_get(status, key); };
  const auto text = [&](const char* key) { return shown(at(key)); };
  print_row("server", text("service") + " on " + text("host") + ", bindcast " + text("version") + ", up " +
                          duration_text(json_integer_value(at("uptime_seconds"))));
  print_row("stream",
            "at " + text("epoch") + "-" + text("offset") + ", " + one_decimal(at("events_per_second")) + " events/s");
  print_row("events", text("events_emitted") + " emitted, " + text("events_filtered") + " filtered, " +
                          text("events_failed") + " failed");
  print_row("dropped", counts_of(at("events_dropped")));
  print_row("connections", text("connections") + " (" + text("channels") + " channels), " +
                               text("connections_turned_away") + " turned away");
  print_row("health", health_text(status));
  print_row("alerts", counts_of(at("alerts")));
  print_row("webhooks", counts_of(at("webhooks")));
  if (const json_t* journal = at("journal"); journal != nullptr) print_row("journal", journal_text(journal));
  if (at("named") != nullptr) {
    print_row("named", named_text(status));
    print_row("answers", answers_text(status));
    print_row("limits", limits_text(status));
    print_row("cache", cache_text(status));
  }
  print_row("listening", text("listeners"));
  const json_t* failing = at("listeners_failing");
  for (std::size_t i = 0; i < json_array_size(failing); ++i) {
    const json_t* one = json_array_get(failing, i);
    print_row("NOT listening", shown(json_object_get(one, "address")) + ": " + shown(json_object_get(one, "fault")));
  }
  if (json_integer_value(at("faults")) != 0) print_row("faults", text("faults") + " pieces of work without memory");
}

}  // namespace

void status(const StatusOptions& options) {
  Network network(options.access);
  const std::string body = get(network, "/api/v1/status");
  json_error_t fault;
  const Json status = parse_json(body, 0, fault);
  if (!json_is_object(status.get()))
    throw Failure(Exit::refused, network.server().url + ": the answer is no status: " + fault.text);
  options.json ? print_json(body) : print_status(status.get());
}

}  // namespace bindcast::tool
