// What the journal's file costs: storing, reading pages of it, removing from it. By hand with 10 million events:
//
//   build/tests/bench/journal_bench --events 10000000 --folder /var/tmp [--sync off|normal|full]
//
// The file is removed at the end. Events are record changes of some 450 bytes, one in 1,000 a policy hit.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "plugin/hub/sight.hpp"
#include "plugin/journal/past_reader.hpp"
#include "plugin/journal/store.hpp"

using namespace bindcast;

namespace {

constexpr std::int64_t kStart = 1'795'442'531'000'000;
constexpr std::int64_t kApartUs = 1000;  // from one event to the next
constexpr std::size_t kPerCommit = 2000;
constexpr std::uint64_t kRare = 1000;

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class Wish : public PastWish {
 public:
  explicit Wish(const char* expression) {
    Filter::Error error;
    if (!Filter::compile(expression, filter_, error)) std::abort();
  }
  [[nodiscard]] bool has(const PastLook& event, bool) const override {
    return filter_.matches_everything() || filter_.matches(*event.event(), *event.stream);
  }

 private:
  Filter filter_;
};

StoredRow row_of(EventWriter& writer, std::uint64_t offset) {
  const bool rare = offset % kRare == 0;
  Event event = make_event(rare ? EventType::malware_blocked : EventType::record_updated);
  event.offset = offset;
  event.timestamp_us = kStart + static_cast<std::int64_t>(offset) * kApartUs;
  event.source_service = "named";
  event.source_component = "zone";
  event.view = "_default";
  const std::string name = "host" + std::to_string(offset % 5000) + ".example.com";
  if (rare) {
    event.data.add("client", "192.0.2.7")
        .add("qname", name)
        .add("policy_zone", "rpz.malware")
        .add("action", "nxdomain");
  } else {
    event.data.add("zone", "example.com").add("view", "_default").add("name", name).add("rtype", "A");
    for (const char* side : {"before", "after"})
      event.data.begin_object(side).add_integer("ttl", 300).begin_array("rdata").add({}, "192.0.2.17").end().end();
    event.data.begin_object("serial").add_integer("from", 2026112601).add_integer("to", 2026112602).end();
    event.data.add("cause", "update");
  }
  return {.offset = offset,
          .time_us = event.timestamp_us,
          .type = event.type,
          .priority = event.priority,
          .severity = event.severity,
          .json = std::string(writer.write(event))};
}

void page(PastReader& reader, const char* what, PastRequest request, const char* filter = "") {
  request.wish = std::make_shared<Wish>(filter);
  request.sight = Sight::everything();
  request.most_events = 100;
  request.most_bytes = 4 << 20;
  std::vector<double> times;
  std::size_t events = 0;
  bool whole = false;
  for (int i = 0; i < 21; ++i) {
    const double begin = now_s();
    const PastPortion portion = reader.read(request);
    times.push_back((now_s() - begin) * 1000);
    events = portion.events.size();
    whole = portion.end;
  }
  const double first = times.front();
  std::ranges::sort(times);
  std::printf("%-44s %8.2f ms first, %8.2f median  (%zu events%s)\n", what, first, times[times.size() / 2], events,
              events < 100 && !whole ? ", short: go on by the cursor" : "");
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t events = 20'000;
  std::string folder = "/tmp";
  JournalOptions options;
  options.max_size = std::size_t{1} << 40;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string key = argv[i], value = argv[i + 1];
    if (key == "--events") events = std::strtoull(value.c_str(), nullptr, 10);
    if (key == "--folder") folder = value;
    if (key == "--sync")
      options.sync = value == "off"    ? JournalOptions::Sync::off
                     : value == "full" ? JournalOptions::Sync::full
                                       : JournalOptions::Sync::normal;
  }
  const std::string file = folder + "/journal-bench-" + std::to_string(getpid()) + ".db";
  const StreamIdentity stream{.epoch = "a1", .host = "ns1.example.com", .service = "named"};
  {
    Store store(file);
    store.configure(options);
    store.begin_epoch(stream, 0, {.mono_us = 0, .wall_us = kStart});
    EventWriter writer(stream);
    double storing = 0, longest = 0, commits = 0;
    std::vector<StoredRow> rows;
    for (std::uint64_t offset = 1; offset <= events;) {
      rows.clear();
      for (; rows.size() < kPerCommit && offset <= events; ++offset) rows.push_back(row_of(writer, offset));
      const double begin = now_s();
      store.append(rows, {}, offset - 1);
      const double took = now_s() - begin;
      storing += took;
      longest = std::max(longest, took);
      ++commits;
    }
    struct stat status {};
    stat(file.c_str(), &status);
    std::printf("stored %lu events (%lu bytes of JSON each): %.0f/s, a commit of %zu %.2f ms, %.1f at most\n", events,
                store.events().bytes / store.events().events, static_cast<double>(events) / storing, kPerCommit,
                storing / commits * 1000, longest * 1000);
    std::printf("the file: %.1f MiB, %.0f bytes an event\n", static_cast<double>(status.st_size) / (1 << 20),
                static_cast<double>(status.st_size) / static_cast<double>(events));

    PastReader reader(file, 1, stream);
    PastRequest any;
    any.types.set();
    any.order = PastRequest::Order::newest_first;
    page(reader, "newest 100 of all", any);
    PastRequest rare = any;
    rare.types.reset();
    rare.types.set(static_cast<std::size_t>(EventType::malware_blocked));
    page(reader, "newest 100 of a type of which one in 1,000 is", rare);
    page(reader, "newest 100 by a filter of one in 5,000", any, "name = \"host17.example.com\"");
    PastRequest deep = any;
    deep.place = StreamPlace{"a1", events / 2};
    page(reader, "100 from a cursor in the middle", deep);
    PastRequest times = any;
    times.since_us = kStart + static_cast<std::int64_t>(events / 3) * kApartUs;
    times.until_us = times.since_us + 100 * kApartUs;
    page(reader, "100 by times in the middle", times);

    // The oldest tenth is too old.
    options.retention = std::chrono::microseconds(static_cast<std::int64_t>(events) * kApartUs);
    store.configure(options);
    const Now later{.mono_us = 0, .wall_us = kStart + static_cast<std::int64_t>(events + events / 10) * kApartUs};
    double removing = 0, slowest = 0, steps = 0;
    for (bool more = true; more;) {
      const double begin = now_s();
      more = store.retain(later);
      const double took = now_s() - begin;
      removing += took;
      slowest = std::max(slowest, took);
      ++steps;
    }
    std::printf("removed %lu: %.0f/s, a step %.2f ms, %.1f at most\n", store.removed(),
                static_cast<double>(store.removed()) / removing, removing / steps * 1000, slowest * 1000);
    if (store.removed() < events / 11) return 1;
  }
  for (const char* suffix : {"", "-wal", "-shm"}) unlink((file + suffix).c_str());
  return 0;
}
