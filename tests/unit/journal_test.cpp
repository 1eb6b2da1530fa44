// The journal's file: what is stored comes back, in order, in portions, by type and time; versions; retention; what is
// gone is told.
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "harness.hpp"
#include "plugin/hub/sight.hpp"
#include "plugin/journal/past_reader.hpp"
#include "plugin/journal/store.hpp"
#include "plugin/journal/stored_event.hpp"

using namespace bindcast;

namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kStart = 1'795'442'531 * kSecond;
constexpr std::array kTypes{EventType::record_created, EventType::zone_created, EventType::malware_blocked,
                            EventType::dns_query_log};

Now at(std::int64_t wall_us) {
  return {.mono_us = wall_us, .wall_us = wall_us};
}

StreamIdentity stream_of(const std::string& epoch) {
  return {.epoch = epoch, .host = "ns1", .service = "named"};
}

struct Everything : PastWish {
  [[nodiscard]] bool has(const PastLook&, bool) const override { return true; }
};

struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/bindcast-journal-XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() {
    if (DIR* folder = opendir(path.c_str())) {
      while (const dirent* entry = readdir(folder)) unlink((path + '/' + entry->d_name).c_str());
      closedir(folder);
    }
    rmdir(path.c_str());
  }
  [[nodiscard]] std::string file() const { return path + "/bindcast.db"; }
};

StoredRow row_of(const StreamIdentity& stream, std::uint64_t offset, EventType type, std::int64_t time_us,
                 std::size_t bytes = 10) {
  Event event = make_event(type);
  event.offset = offset;
  event.timestamp_us = time_us;
  event.data.add("text", std::string(bytes, 'x'));
  EventWriter writer(stream);
  return {.offset = offset,
          .time_us = time_us,
          .type = type,
          .priority = event.priority,
          .severity = event.severity,
          .json = std::string(writer.write(event))};
}

PastRequest request_of(std::bitset<kEventTypeCount> types = std::bitset<kEventTypeCount>().set()) {
  PastRequest request;
  request.types = types;
  request.wish = std::make_shared<Everything>();
  request.sight = Sight::everything();
  return request;
}

// All that comes, portion by portion, and what is told as lost.
struct Read {
  std::vector<std::string> ids;
  std::vector<PastLoss> losses;
  std::size_t portions = 0;
  StreamPlace last;

  Read(PastReader& reader, PastRequest request) {
    for (;;) {
      const PastPortion portion = reader.read(request);
      assert_text(portion.fault, "");
      for (const PastEvent& event : portion.events) ids.push_back(event_id(*event.stream, event.offset));
      losses.insert(losses.end(), portion.losses.begin(), portion.losses.end());
      ++portions;
      last = portion.last;
      if (portion.end) return;
      request.position = portion.position;
      request.generation = portion.generation;
      request.place.reset();
    }
  }
  [[nodiscard]] std::uint64_t lost(DropReason reason) const {
    std::uint64_t sum = 0;
    for (const PastLoss& loss : losses) sum += loss.reason == reason ? loss.count : 0;
    return sum;
  }
};

JournalOptions options_of(std::size_t max_size = std::size_t{1} << 30) {
  JournalOptions options;
  options.max_size = max_size;
  return options;
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────

void an_event_comes_back_as_it_was(void**) {
  Event event = make_event(EventType::custom_event);
  event.custom_name = "thing";
  event.offset = 7;
  event.timestamp_us = kStart;
  event.expires_at_us = kStart + 5;
  event.priority = Priority::urgent;
  event.severity = Severity::critical;
  event.source_service = "svc";
  event.source_component = "cmp";
  event.view = "v";
  event.correlation_id = "c";
  event.trace_id = "t";
  event.tags = {"a", "b\"\\"};
  event.source_user_id = "ann";
  event.target_user_id = "bob";
  event.sampled = 3;
  event.attempt = 2;
  event.data.add("n\"", std::string_view("\0\xff x", 4)).add_integer("i", -5).add_real("r", 2.0).add_boolean("b", true);
  event.data.begin_array("l").add_null({}).begin_object({}).add("k", "v").end().end();
  event.custom_fields.add("f", "g");
  const StreamIdentity stream = stream_of("a1");
  EventWriter writer(stream);
  const std::string text(writer.write(event));
  const EventRef read = event_from_json(text, 7);
  assert_non_null(read.get());
  EventWriter again(stream);
  assert_text(again.write(*read), text);
  for (const char* broken : {"", "[]", "{", R"({"type":"no_such_type"})", R"({"type":5})"})
    assert_null(event_from_json(broken, 1).get());
}

// Against a list: any types, times, bounds, orders and sizes of portions, with clocks that go back and lives that end.
void reading_is_as_a_list_would_be(void**) {
  std::mt19937 chance(11);
  const Folder folder;
  struct Known {
    std::string id;
    StreamPlace place;
    std::int64_t time_us;
    EventType type;
  };
  std::vector<Known> known;
  std::int64_t time_us = kStart;
  for (const char* epoch : {"a1", "a2", "a3"}) {
    const StreamIdentity stream = stream_of(epoch);
    Store store(folder.file());
    store.configure(options_of());
    store.begin_epoch(stream, 0, at(time_us));
    std::uint64_t offset = 0;
    for (int commit = 0; commit < 12; ++commit) {
      std::vector<StoredRow> rows;
      for (unsigned i = chance() % 400; i > 0; --i) {
        offset += 1 + chance() % 3;
        time_us += chance() % 2000;
        if (chance() % 300 == 0) time_us -= 400'000;  // the clock is set back
        const EventType type = kTypes[chance() % kTypes.size()];
        rows.push_back(row_of(stream, offset, type, time_us));
        known.push_back({event_id(stream, offset), {epoch, offset}, time_us, type});
      }
      store.append(rows, {}, offset);
    }
    store.end_epoch(at(time_us));
    if (std::string(epoch) != "a3") continue;
    PastReader reader(folder.file(), 1, stream);
    for (int round = 0; round < 400; ++round) {
      PastRequest request = request_of({});
      for (const EventType type : kTypes)
        if (chance() % 2 == 0) request.types.set(static_cast<std::size_t>(type));
      if (chance() % 5 == 0) request.types.set();
      request.order = chance() % 2 == 0 ? PastRequest::Order::oldest_first : PastRequest::Order::newest_first;
      request.most_events = 1 + chance() % 1000;
      std::size_t low = 0, high = known.size();
      if (chance() % 2 == 0) {
        low = chance() % known.size();
        request.after = known[low++].place;
      }
      if (chance() % 2 == 0) {
        high = chance() % known.size();
        request.until = known[high++].place;
      }
      if (chance() % 2 == 0) request.since_us = kStart + static_cast<std::int64_t>(chance() % (time_us - kStart));
      if (chance() % 2 == 0) request.until_us = kStart + static_cast<std::int64_t>(chance() % (time_us - kStart));
      std::vector<std::string> wanted;
      for (std::size_t i = low; i < high; ++i) {
        const Known& one = known[i];
        if (request.types.test(static_cast<std::size_t>(one.type)) && one.time_us >= request.since_us &&
            (request.until_us == 0 || one.time_us < request.until_us))
          wanted.push_back(one.id);
      }
      if (request.order == PastRequest::Order::newest_first) std::ranges::reverse(wanted);
      const Read read(reader, request);
      assert_true(read.ids == wanted);
    }
  }
}

// ── Versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────

std::optional<StoreFault::Kind> fault_of(const std::string& file, const Store::Migrations& versions) {
  try {
    const Store store(file, versions);
  } catch (const StoreFault& fault) {
    return fault.kind;
  }
  return std::nullopt;
}

std::int64_t number_in(const Folder& folder, const char* sql) {
  return Database(folder.file(), true, 1000).number(sql);
}

void versions(void**) {
  const Folder folder;
  const StreamIdentity stream = stream_of("a1");
  {
    Store store(folder.file());
    store.begin_epoch(stream, 0, at(kStart));
    store.append(std::array{row_of(stream, 1, EventType::record_created, kStart)}, {}, 1);
  }
  auto newer = Store::migrations();
  newer.push_back("ALTER TABLE epochs ADD COLUMN more TEXT");
  auto broken = newer;
  broken.push_back("CREATE TABLE half (a); CREATE TABLE half (a);");
  // What fails half-way leaves the file as it was.
  try {
    const Store store(folder.file(), broken);
    assert_true(false);
  } catch (const DatabaseFault&) {
  }
  assert_int_equal(number_in(folder, "PRAGMA user_version"), 1);
  assert_int_equal(number_in(folder, "SELECT count(*) FROM pragma_table_info('epochs') WHERE name = 'more'"), 0);
  assert_false(fault_of(folder.file(), newer).has_value());
  assert_int_equal(number_in(folder, "PRAGMA user_version"), 2);
  assert_int_equal(number_in(folder, "SELECT count(*) FROM events"), 1);
  // And it is of a newer version now.
  assert_true(fault_of(folder.file(), Store::migrations()) == StoreFault::Kind::not_ours);
  assert_int_equal(number_in(folder, "PRAGMA user_version"), 2);
  const Store one(folder.file(), newer);
  assert_true(fault_of(folder.file(), newer) == StoreFault::Kind::unusable);  // one at a time
}

// ── Retention ────────────────────────────────────────────────────────────────────────────────────────────────────────

void too_old_and_from_the_future(void**) {
  const Folder folder;
  const StreamIdentity stream = stream_of("a1");
  Store store(folder.file());
  JournalOptions options = options_of();
  options.retention = std::chrono::seconds(100);
  store.configure(options);
  store.begin_epoch(stream, 0, at(kStart));
  // The third is of a clock that went wrong: it goes with the next that is too old, not before and not for ever after.
  const std::array times{kStart, kStart + kSecond, kStart + 900'000 * kSecond, kStart + 60 * kSecond};
  std::vector<StoredRow> rows;
  for (std::size_t i = 0; i < times.size(); ++i)
    rows.push_back(row_of(stream, i + 1, EventType::record_created, times[i]));
  store.append(rows, {}, 4);
  PastReader reader(folder.file(), 1, stream);
  const auto left = [&](std::int64_t after_s) {
    while (store.retain(at(kStart + after_s * kSecond))) continue;
    PastRequest request = request_of();
    request.place = StreamPlace{"a1", 0};
    request.tell_losses = true;
    const Read read(reader, request);
    assert_int_equal(read.lost(DropReason::retention), 4 - read.ids.size());
    return read.ids.size();
  };
  assert_int_equal(left(50), 4);
  assert_int_equal(left(100), 4);
  assert_int_equal(left(101), 3);
  assert_int_equal(left(150), 2);
  assert_int_equal(left(161), 0);
  assert_int_equal(store.events().events, 0);
  assert_int_equal(store.events().bytes, 0);
}

void no_larger_than_it_may_be(void**) {
  constexpr std::size_t kMost = 2 << 20;
  const Folder folder;
  Store store(folder.file());
  store.configure(options_of(kMost));
  std::uint64_t told = 0;
  for (const char* epoch : {"a1", "a2"}) {
    const StreamIdentity stream = stream_of(epoch);
    store.begin_epoch(stream, 0, at(kStart));
    for (std::uint64_t offset = 1; offset <= 6000;) {
      std::vector<StoredRow> rows;
      for (int i = 0; i < 500; ++i, ++offset)
        rows.push_back(row_of(stream, offset, offset % 4 == 0 ? EventType::record_created : EventType::dns_query_log,
                              kStart, 1000));
      while (store.retain(at(kStart), 500 * 1400)) continue;
      store.append(rows, {}, offset - 1);
      told += 125;
      while (store.retain(at(kStart))) continue;
      assert_true(store.queries().bytes <= kMost / 4);
    }
    store.end_epoch(at(kStart));
  }
  struct stat status {};
  assert_int_equal(stat(folder.file().c_str(), &status), 0);
  assert_true(status.st_size <= static_cast<off_t>(kMost));
  PastReader reader(folder.file(), 1, stream_of("a2"));
  PastRequest request =
      request_of(std::bitset<kEventTypeCount>().set(static_cast<std::size_t>(EventType::record_created)));
  request.place = StreamPlace{"a1", 0};
  request.tell_losses = true;
  const Read read(reader, request);
  assert_true(read.ids.size() > 200);
  assert_int_equal(read.ids.size() + read.lost(DropReason::retention), told);
  assert_int_equal(number_in(folder,
                             "SELECT count(*) FROM blocks WHERE last < (SELECT min(position) FROM queries) AND "
                             "last < (SELECT min(position) FROM events)"),
                   0);
  // And smaller when it must be.
  store.configure(options_of(1 << 20));
  while (store.retain(at(kStart))) continue;
  assert_int_equal(number_in(folder, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
  assert_true(number_in(folder, "PRAGMA page_count") * number_in(folder, "PRAGMA page_size") <= (1 << 20));
}

void the_log_is_bounded(void**) {
  const Folder folder;
  const StreamIdentity stream = stream_of("a1");
  Store store(folder.file());
  store.configure(options_of(1 << 20));
  store.begin_epoch(stream, 0, at(kStart));
  std::uint64_t offset = 0;
  const auto write = [&] {
    for (int i = 0; i < 10; ++i, ++offset)
      store.append(std::array{row_of(stream, offset + 1, EventType::record_created, kStart, 1'900'000)}, {},
                   offset + 1);
  };
  write();
  assert_true(store.log_fits());
  {
    Database other(folder.file(), true, 1000);
    Transaction reading(other, Transaction::Kind::reading);
    assert_true(other.number("SELECT count(*) FROM events") == 10);
    write();
    assert_false(store.log_fits());
  }
  assert_true(store.log_fits());
  struct stat status {};
  assert_int_equal(stat((folder.file() + "-wal").c_str(), &status), 0);
  assert_int_equal(status.st_size, 0);
}

// ── What is not there ────────────────────────────────────────────────────────────────────────────────────────────────

void losses_are_told(void**) {
  const Folder folder;
  Store store(folder.file());
  const StreamIdentity first = stream_of("a1"), second = stream_of("a2");
  store.begin_epoch(first, 0, at(kStart));
  store.append(std::array{row_of(first, 2, EventType::record_created, kStart)}, std::array{Hole{5, 9, 4}}, 10);
  store.begin_epoch(second, 0, at(kStart));  // the first one has not ended in order
  store.append(std::array{row_of(second, 1, EventType::record_created, kStart)}, {}, 1);
  PastReader reader(folder.file(), 1, second);
  const auto read = [&](const char* epoch, std::uint64_t offset, Predecessor before = {}) {
    PastRequest request = request_of();
    request.place = StreamPlace{epoch, offset};
    request.tell_losses = true;
    request.predecessor = std::move(before);
    request.most_events = 1;
    return Read(reader, request);
  };
  const Read all = read("a1", 0);
  assert_int_equal(all.ids.size(), 2);
  assert_int_equal(all.lost(DropReason::retention), 4);
  assert_int_equal(all.lost(DropReason::restart), 1);
  assert_int_equal(read("a1", 7).lost(DropReason::retention), 4);  // in the middle of a hole: the most that it can be
  assert_int_equal(read("a1", 9).lost(DropReason::retention), 0);
  // What the life before had noted, killed or ended.
  assert_int_equal(read("a1", 0, {.epoch = "a1", .offset = 17, .ended = false}).lost(DropReason::restart), 7);
  assert_int_equal(read("a1", 16, {.epoch = "a1", .offset = 17, .ended = true}).lost(DropReason::restart), 1);
  assert_int_equal(read("a1", 17, {.epoch = "a1", .offset = 17, .ended = true}).lost(DropReason::restart), 0);
  assert_int_equal(read("a2", 0).losses.size(), 0);
  // Lives that are not in the file.
  assert_int_equal(read("a0", 3).lost(DropReason::restart), 2);
  assert_int_equal(read("a1", 0, {.epoch = "a11", .offset = 30, .ended = true}).lost(DropReason::restart), 31);
  // A file that was begun in the middle of a life.
  const Folder other;
  Store late(other.file());
  late.begin_epoch(first, 40, at(kStart));
  PastReader of_it(other.file(), 1, first);
  PastRequest request = request_of();
  request.place = StreamPlace{"a1", 30};
  request.tell_losses = true;
  assert_int_equal(Read(of_it, request).lost(DropReason::retention), 10);
}

void what_has_expired_is_left_out(void**) {
  const Folder folder;
  const StreamIdentity stream = stream_of("a1");
  Store store(folder.file());
  store.begin_epoch(stream, 0, at(kStart));
  StoredRow row = row_of(stream, 1, EventType::record_created, kStart);
  Event event = *event_from_json(row.json, 1);
  event.expires_at_us = kStart + 10;
  EventWriter writer(stream);
  row.json = writer.write(event);
  store.append(std::array{row}, {}, 1);
  PastReader reader(folder.file(), 1, stream);
  PastRequest request = request_of();
  assert_int_equal(Read(reader, request).ids.size(), 1);
  request.not_expired_us = kStart + 9;
  assert_int_equal(Read(reader, request).ids.size(), 1);
  request.not_expired_us = kStart + 10;
  assert_int_equal(Read(reader, request).ids.size(), 0);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(an_event_comes_back_as_it_was),
      cmocka_unit_test(reading_is_as_a_list_would_be),
      cmocka_unit_test(versions),
      cmocka_unit_test(too_old_and_from_the_future),
      cmocka_unit_test(no_larger_than_it_may_be),
      cmocka_unit_test(losses_are_told),
      cmocka_unit_test(the_log_is_bounded),
      cmocka_unit_test(what_has_expired_is_left_out),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
