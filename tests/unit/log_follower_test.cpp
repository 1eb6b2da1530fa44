// Following a file that is renamed, cut short, removed and made anew, by one who sees only what stands in it.

#include "harness.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include "plugin/sources/named_log/log_follower.hpp"

namespace {

using namespace bindcast;
namespace fs = std::filesystem;

struct Place {
  fs::path folder, file;
  Now now{.mono_us = 1'000'000, .wall_us = 1};
  std::vector<std::string> lines;
  std::unique_ptr<LogFollower> follower;

  void begin() {
    follower = std::make_unique<LogFollower>(
        file.string(), [this](std::string_view line) { lines.emplace_back(line); }, now);
  }
  void write(const std::string& text) const { std::ofstream(file, std::ios::app) << text; }
  // What has come since the last time, joined by commas.
  std::string read() {
    lines.clear();
    follower->look(now);
    for (int turn = 0; follower->work(now); ++turn) assert_true(turn < 100'000);
    std::string text;
    for (const std::string& line : lines) text += (text.empty() ? "" : ",") + line;
    return text;
  }
  void pass(std::int64_t seconds) { now.mono_us += seconds * 1'000'000; }
};

int make(void** state) {
  char name[] = "/tmp/bindcast-log-XXXXXX";
  if (mkdtemp(name) == nullptr) return -1;
  auto* place = new Place{.folder = name, .file = fs::path(name) / "named.log", .lines = {}, .follower = {}};
  *state = place;
  return 0;
}

int remove(void** state) {
  auto* place = static_cast<Place*>(*state);
  fs::remove_all(place->folder);
  delete place;
  return 0;
}

Place& place_of(void** state) {
  return *static_cast<Place*>(*state);
}

void what_was_there_before_is_not_told(void** state) {
  Place& place = place_of(state);
  place.write("old\nhalf of a line");
  place.begin();
  assert_text(place.read(), "");
  place.write(" whose end comes later\nnew\n");
  assert_text(place.read(), "new");
  assert_int_equal(place.follower->counts().skipped_lines, 0);
}

void lines_come_whole(void** state) {
  Place& place = place_of(state);
  place.write("old\n");
  place.begin();
  place.write("a");
  assert_text(place.read(), "");
  place.write("b\nc\n\nd");
  assert_text(place.read(), "ab,c,");
  place.write("\n");
  assert_text(place.read(), "d");
  assert_int_equal(place.follower->counts().lines, 4);
}

void a_file_that_comes_later_is_read_from_its_beginning(void** state) {
  Place& place = place_of(state);
  place.begin();
  assert_contains(place.follower->fault(), "No such file");
  assert_text(place.read(), "");
  place.write("first\n");
  assert_text(place.read(), "first");
  assert_text(place.follower->fault(), "");
}

void a_renamed_file_is_read_to_its_end(void** state) {
  Place& place = place_of(state);
  place.write("old\n");
  place.begin();
  place.write("a\n");
  std::ofstream writer(place.file, std::ios::app);
  fs::rename(place.file, place.folder / "taken");
  // Its writer does not know yet.
  writer << "b\n" << std::flush;
  assert_text(place.read(), "a,b");
  assert_contains(place.follower->fault(), "No such file");
  place.write("d\n");
  writer << "c\n" << std::flush;
  assert_text(place.read(), "c,d");
  writer << "late\n" << std::flush;
  place.write("e\n");
  assert_text(place.read(), "late,e");
  assert_int_equal(place.follower->counts().rotations, 1);
  // Not for ever.
  place.pass(61);
  place.read();
  writer << "too late\n" << std::flush;
  assert_text(place.read(), "");
}

void rotations_between_two_looks_are_all_read(void** state) {
  Place& place = place_of(state);
  place.write("x\n");
  fs::rename(place.file, place.folder / "named.log.0");  // of before: never told
  place.write("old\n");
  place.begin();
  const auto rotate = [&] {
    for (int number = 3; number >= 0; --number) {
      const fs::path from = place.folder / ("named.log." + std::to_string(number));
      if (fs::exists(from)) fs::rename(from, place.folder / ("named.log." + std::to_string(number + 1)));
    }
    fs::rename(place.file, place.folder / "named.log.0");
  };
  for (const char* line : {"a\n", "b\n", "c\n"}) {
    place.write(line);
    rotate();
  }
  place.write("d\n");
  assert_text(place.read(), "a,b,c,d");
  assert_int_equal(place.follower->counts().rotations, 3);
  assert_int_equal(place.follower->counts().skipped_lines, 0);
  // All of them gone but the newest: told as a loss.
  rotate();
  place.write("e\n");
  rotate();
  place.write("f\n");
  for (int number = 1; number < 6; ++number) fs::remove(place.folder / ("named.log." + std::to_string(number)));
  assert_text(place.read(), "e,f");
  assert_int_equal(place.follower->counts().skipped_lines, 1);
}

void rotations_while_the_next_file_is_looked_for_hide_none(void** state) {
  Place& place = place_of(state);
  constexpr int kRotations = 1000, kAhead = 6;
  place.write("");
  place.begin();
  std::atomic<int> seen{0}, failed{0};
  std::thread writer([&] {
    const auto numbered = [&](int number) { return place.file.string() + "." + std::to_string(number); };
    for (int i = 0; i < kRotations && failed == 0; ++i) {
      for (int known = seen; i - known > kAhead && failed == 0; known = seen) seen.wait(known);
      place.write(std::to_string(i) + "\n");
      for (int number = 8; number-- > 0;) std::rename(numbered(number).c_str(), numbered(number + 1).c_str());
      std::rename(place.file.c_str(), numbered(0).c_str());
    }
  });
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  int next = 0;
  while (next < kRotations && failed == 0) {
    place.read();
    for (const std::string& line : place.lines)
      if (line != std::to_string(next++)) failed = 1;
    if (seen.exchange(next) != next) seen.notify_one();
    if (place.lines.empty()) std::this_thread::yield();
    if (std::chrono::steady_clock::now() > patience) failed = 1;
  }
  seen = kRotations;
  seen.notify_one();
  writer.join();
  assert_int_equal(failed, 0);
  assert_int_equal(place.follower->counts().skipped_lines, 0);
}

void a_removed_file_brings_no_old_ones_back(void** state) {
  Place& place = place_of(state);
  place.write("x\n");
  fs::rename(place.file, place.folder / "named.log.0");
  struct timespec long_ago[2] = {{.tv_sec = 1'000'000'000, .tv_nsec = 0}, {.tv_sec = 1'000'000'000, .tv_nsec = 0}};
  utimensat(AT_FDCWD, (place.folder / "named.log.0").c_str(), long_ago, 0);
  place.write("old\n");
  place.begin();
  place.write("a\n");
  assert_text(place.read(), "a");
  fs::remove(place.file);
  place.read();
  place.write("b\n");
  assert_text(place.read(), "b");
}

void a_removed_file_is_let_go(void** state) {
  Place& place = place_of(state);
  place.write("old\n");
  place.begin();
  fs::remove(place.file);
  const auto open_files = [] {
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
  };
  place.read();
  const auto before = open_files();
  place.pass(61);
  place.read();
  assert_int_equal(open_files(), before - 1);
}

void a_file_that_is_cut_short_is_read_anew(void** state) {
  Place& place = place_of(state);
  place.write("old\n");
  place.begin();
  place.write("aaaaaaaaaa\nbbbbbbbbbb\n");
  place.read();
  fs::resize_file(place.file, 0);
  place.write("c\n");
  assert_text(place.read(), "c");
  // Even where it has grown beyond what was read of it.
  fs::resize_file(place.file, 0);
  place.write("dddddddddd\neeeeeeeeee\nffffffffff\n");
  assert_text(place.read(), "dddddddddd,eeeeeeeeee,ffffffffff");
  assert_int_equal(place.follower->counts().truncations, 2);
}

void a_line_too_long_is_skipped_and_counted(void** state) {
  Place& place = place_of(state);
  place.write("old\n");
  place.begin();
  place.write("a\n" + std::string(LogFollower::kMaxLine + 1, 'x'));
  assert_text(place.read(), "a");
  place.write(std::string(3 * LogFollower::kMaxLine, 'x') + "\nb\n" + std::string(LogFollower::kMaxLine, 'y') + "\n");
  place.read();
  assert_int_equal(place.lines.size(), 2);
  assert_text(place.lines[0], "b");
  assert_int_equal(place.lines[1].size(), LogFollower::kMaxLine);
  assert_int_equal(place.follower->counts().skipped_lines, 1);
}

void a_turn_is_bounded_and_a_flood_is_skipped_exactly(void** state) {
  Place& place = place_of(state);
  place.write("old\n");
  place.begin();
  const std::string line(99, 'x');
  std::string flood;
  constexpr std::uint64_t kLines = 300'000;
  for (std::uint64_t i = 0; i < kLines; ++i) flood += line + "\n";
  place.write(flood.substr(0, 1'000'000));
  assert_true(place.follower->work(place.now));
  assert_in_range(place.follower->counts().bytes, 1, LogFollower::kMaxTurn);
  place.read();
  assert_int_equal(place.follower->counts().lines, 10'000);
  assert_int_equal(place.follower->counts().skipped_lines, 0);

  place.write(flood);
  place.read();
  const auto& counts = place.follower->counts();
  assert_true(counts.skipped_lines > kLines / 2);
  assert_int_equal(counts.lines + counts.skipped_lines, 10'000 + kLines);
  assert_int_equal(counts.bytes + counts.skipped_bytes, 1'000'000 + flood.size());
  assert_text(place.lines.back(), line);  // and goes on with whole lines
  assert_text(place.lines.front(), line);
}

void rubbish_is_passed_on_as_it_is(void** state) {
  Place& place = place_of(state);
  place.write("old\n");
  place.begin();
  std::string rubbish;
  for (int i = 0; i < 70'000; ++i) rubbish.push_back(static_cast<char>(i * 7919 >> 3));
  place.write(rubbish + "\nend\n");
  place.read();
  assert_text(place.lines.back(), "end");
  assert_int_equal(place.follower->counts().bytes, rubbish.size() + 5);
}

void what_is_no_file_is_refused_at_once(void** state) {
  Place& place = place_of(state);
  mkfifo(place.file.c_str(), 0600);
  place.begin();  // would wait for a writer
  assert_contains(place.follower->fault(), "not an ordinary file");
  assert_text(place.read(), "");
  fs::remove(place.file);
  fs::create_directory(place.file);
  place.read();
  assert_contains(place.follower->fault(), "not an ordinary file");
  fs::remove(place.file);
  fs::create_symlink("/dev/zero", place.file);
  place.read();
  assert_contains(place.follower->fault(), "not an ordinary file");
  fs::remove(place.file);
  place.write("a\n");
  assert_text(place.read(), "a");
  // Nor when it takes a file's place.
  fs::remove(place.file);
  mkfifo(place.file.c_str(), 0600);
  assert_text(place.read(), "");
  assert_contains(place.follower->fault(), "not an ordinary file");
}

}  // namespace

int main() {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, remove)
  const CMUnitTest tests[] = {
      TEST(what_was_there_before_is_not_told),
      TEST(lines_come_whole),
      TEST(a_file_that_comes_later_is_read_from_its_beginning),
      TEST(a_renamed_file_is_read_to_its_end),
      TEST(rotations_between_two_looks_are_all_read),
      TEST(rotations_while_the_next_file_is_looked_for_hide_none),
      TEST(a_removed_file_brings_no_old_ones_back),
      TEST(a_removed_file_is_let_go),
      TEST(a_file_that_is_cut_short_is_read_anew),
      TEST(a_line_too_long_is_skipped_and_counted),
      TEST(a_turn_is_bounded_and_a_flood_is_skipped_exactly),
      TEST(rubbish_is_passed_on_as_it_is),
      TEST(what_is_no_file_is_refused_at_once),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
