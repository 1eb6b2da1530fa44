// The journal with its threads: the loop tells, reads, changes the options and ends while the others write and read.
// What it says to be stored can be read; at the end all is in the file. Of most use under ThreadSanitizer.
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "harness.hpp"
#include "plugin/journal/journal.hpp"

using namespace bindcast;

namespace {

// The loop's part: what threads post, done by the test's own.
struct Posts {
  std::mutex mutex;
  std::vector<std::function<void()>> waiting;
  void add(std::function<void()> work) {
    const std::lock_guard lock(mutex);
    waiting.push_back(std::move(work));
  }
  void run() {
    std::vector<std::function<void()>> now;
    {
      const std::lock_guard lock(mutex);
      now.swap(waiting);
    }
    for (const auto& work : now) work();
  }
};

struct Everything : PastWish {
  [[nodiscard]] bool has(const PastLook&, bool) const override { return true; }
};

void all_at_once(void**) {
  constexpr std::uint64_t kEvents = 6000;
  constexpr std::int64_t kPatienceUs = 60'000'000;
  char folder[] = "/tmp/bindcast-journal-XXXXXX";
  assert_non_null(mkdtemp(folder));
  Posts posts;
  Hub hub{StreamIdentity{.epoch = "e", .host = "ns1", .service = "named"}, Now{}};
  hub.configure(Options{});
  JournalOptions options;
  auto journal = std::make_unique<Journal>(
      hub, options, folder, [](LogLevel, const std::string&) {},
      [&posts](std::function<void()> work) { posts.add(std::move(work)); });
  journal->start();
  const std::shared_ptr<int> alive = std::make_shared<int>();
  const std::int64_t ends_us = read_clock().mono_us + kPatienceUs;
  std::size_t reading = 0, waiting = 0;
  std::uint64_t most_read = 0;
  for (std::uint64_t told = 0; told < kEvents || reading != 0 || waiting != 0 || journal->report().through < kEvents;) {
    assert_true(read_clock().mono_us < ends_us);
    for (int i = 0; i < 20 && told < kEvents; ++i) {
      Event event = make_event(EventType::record_created);
      event.data.add("zone", "example.com");
      told = hub.emit(std::move(event), read_clock());
    }
    if (told % 1000 == 0 && told < kEvents) {
      options.sync =
          options.sync == JournalOptions::Sync::off ? JournalOptions::Sync::normal : JournalOptions::Sync::off;
      options.queries = !options.queries;
      journal->configure(options);
    }
    if (journal->readable() && reading < 3 && told < kEvents) {
      const std::uint64_t through = journal->report().through;
      PastRequest request;
      request.order = PastRequest::Order::newest_first;
      request.types.set();
      request.wish = std::make_shared<Everything>();
      request.sight = Sight::everything();
      request.tell_losses = true;
      if (journal->read(std::move(request), alive, [&reading, &most_read, through](PastPortion&& portion) {
            --reading;
            if (!portion.fault.empty()) return;  // while the file is opened
            if (through != 0) assert_true(!portion.events.empty() && portion.events.front().offset >= through);
            if (!portion.events.empty()) most_read = std::max(most_read, portion.events.front().offset);
          }))
        ++reading;
      if (waiting == 0) {
        ++waiting;
        journal->when_stored(through, alive, [&waiting] { --waiting; });
      }
    }
    posts.run();
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  assert_true(most_read != 0);
  hub.emit(make_event(EventType::service_stopped), read_clock());
  journal->begin_stop();
  while (!journal->ended()) {
    assert_true(read_clock().mono_us < ends_us);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  journal->finish();
  journal.reset();
  const std::string file = std::string(folder) + "/bindcast.db";
  {
    Database database(file, true, 1000);
    assert_int_equal(database.number("SELECT count(*) FROM events"), kEvents + 1);
    assert_int_equal(database.number("SELECT count(*) FROM epochs WHERE ended_us IS NOT NULL"), 1);
  }
  for (const char* suffix : {"", "-wal", "-shm"}) unlink((file + suffix).c_str());
  rmdir(folder);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(all_at_once),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
