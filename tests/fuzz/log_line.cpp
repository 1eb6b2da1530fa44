// named's log, which strangers can write into by what they ask for: whatever its lines are, what is told is bounded and
// fit for JSON, and nothing of this plugin's own comes back.
#include "fuzz.hpp"
#include "plugin/changes/configuration_diff.hpp"
#include "plugin/sources/named_log/log_channel.hpp"
#include "plugin/sources/named_log/log_events.hpp"
#include "plugin/sources/named_log/update_actors.hpp"

#include "events/json.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bindcast;
  using fuzz::require;
  fuzz::Input input(data, size);
  Now now{.mono_us = 1, .wall_us = 1};
  std::size_t events = 0;
  UpdateActors actors;
  actors.set_reader([] {});
  std::string zone, view, name, rtype;
  LogEvents log(
      [&](Event&& event) {
        ++events;
        require(event.source_component == "named_log", "an event says where it is from");
        require(event.bytes() < 64 * 1024, "an event is bounded");
        std::string json;
        append_json_value(json, event.data.root());
        require(json.front() == '{' && fuzz::is_utf8(json), "an event is JSON", json);
      },
      [&](const LoggedUpdate& update) {
        zone = update.zone, view = update.view, name = update.name, rtype = update.rtype;
        require(!zone.empty() && !view.empty() && !name.empty(), "an update is of a record in a zone");
        actors.learn(update, now);
      });
  while (!input.empty()) {
    const std::string_view line = input.until('\n');
    const std::size_t before = events;
    log.take(line, now);
    require(events - before <= 1 + LogEvents::kMaxKept, "a line is one event, or lets go of what was kept", line);
    if (read_log_line(line).message.starts_with("bindcast: "))
      require(events == before, "nothing of our own comes back", line);
    now.mono_us += 100'000;
    log.tick(now);
  }
  if (!name.empty()) {
    Event event = make_event(EventType::record_deleted);
    event.view = view;
    event.data.add("zone", zone).add("name", name).add("rtype", rtype).add("cause", "update");
    actors.complete(event, now);
  }
  now.mono_us += 1'000'000'000;
  actors.expire(now);
  require(actors.bytes() == 0, "what waits ends");
  (void)bindcast_channel_file(read_statements({reinterpret_cast<const char*>(data), size}));
  return 0;
}
