// What is read of the machine, and what events make of two readings.

#include "harness.hpp"

#include <stdlib.h>
#include <unistd.h>

#include "plugin/sources/system/system_events.hpp"

namespace {

using namespace bindcast;

constexpr char kStat[] =
    "cpu  100 10 50 800 20 5 5 10 0 0\n"
    "cpu0 60 5 25 400 10 2 3 5 0 0\n"
    "cpu1 40 5 25 400 10 3 2 5 0 0\n"
    "intr 12345 0 0\n";

void cpu_ticks_are_read(void**) {
  SystemReading reading;
  assert_true(parse_cpu_ticks(kStat, reading));
  assert_int_equal(reading.cpu->total(), 1000);
  assert_int_equal(reading.cores.size(), 2);
  assert_int_equal(reading.cores[1].user, 40);
  for (const char* other : {"", "intr 1\n", "cpu  1 2\n", "cpu  a b c d e f g\n", "cpux 1 2 3 4 5 6 7\n"}) {
    SystemReading none;
    assert_false(parse_cpu_ticks(other, none));
  }
  SystemReading old;  // without steal
  assert_true(parse_cpu_ticks("cpu 1 2 3 4 5 6 7\n", old));
  assert_int_equal(old.cpu->total(), 28);
}

void numbers_are_found_by_their_label(void**) {
  constexpr char text[] = "Name:\tnamed\nVmRSS:\t    1234 kB\nThreads:\t9\nBroken: x\n";
  assert_int_equal(*number_after(text, "VmRSS:"), 1234);
  assert_int_equal(*number_after(text, "Threads:"), 9);
  assert_false(number_after(text, "Broken:").has_value());
  assert_false(number_after(text, "VmSwap:").has_value());
}

SystemReading second_reading(const SystemReading& first) {
  SystemReading next = first;
  next.mono_us += 2'000'000;
  next.cpu->user += 100;
  next.cpu->idle += 300;
  next.process_user_us += 3'000'000;
  next.interfaces[1].receive.bytes += 2000;
  return next;
}

SystemReading first_reading() {
  SystemReading reading;
  (void)parse_cpu_ticks(kStat, reading);
  reading.mono_us = 1'000'000;
  reading.interfaces = {{.name = "lo", .up = true, .loopback = true, .receive = {.bytes = 7}, .transmit = {}},
                        {.name = "eth0", .up = true, .loopback = false, .receive = {.bytes = 1000}, .transmit = {}}};
  return reading;
}

void what_the_host_counts_joins_what_the_machine_says(void**) {
  const SystemReading first = first_reading();
  HostLoad load;
  load.recursive_clients = 7;
  load.recursive_clients_limit = 1000;
  load.memory_contexts = {{"main", 5000}, {"caches", 900}};
  const auto of = [&](const HostLoad* host) { return SystemReadings{.before = nullptr, .now = first, .host = host}; };
  const Event early = system_metrics_event(of(&load), {});
  assert_int_equal(early.data.find("dns.recursive_clients").integer(), 7);
  assert_int_equal(early.data.find("dns.recursive_clients_limit").integer(), 1000);
  for (const char* absent : {"dns.queries_per_second", "dns.cache_hit_ratio"})
    assert_false(bool(early.data.find(absent)));
  load.elapsed_us = 10'000'000;
  load.queries_per_second = 12.34567;
  load.cache_hit_ratio = 0.75;
  const Event later = system_metrics_event(of(&load), {});
  assert_true(later.data.find("dns.queries_per_second").real() == 12.346);
  assert_true(later.data.find("dns.cache_hit_ratio").real() == 0.75);

  const Event process = resource_usage_event(of(&load));
  assert_int_equal(process.data.find("memory_contexts.main").integer(), 5000);
  assert_int_equal(process.data.find("memory_contexts.caches").integer(), 900);
  assert_false(bool(system_metrics_event(of(nullptr), {}).data.find("dns")));
  assert_false(bool(resource_usage_event(of(nullptr)).data.find("memory_contexts")));
}

void rates_are_differences_and_the_first_has_none(void**) {
  const SystemReading first = first_reading();
  const SystemReading next = second_reading(first);
  const Event alone = system_metrics_event({.before = nullptr, .now = first}, {});
  for (const char* absent : {"cpu", "network", "interval_seconds", "disk"}) assert_false(bool(alone.data.find(absent)));
  const Event both = system_metrics_event({.before = &first, .now = next}, {});
  assert_true(both.data.find("cpu.used_percent").real() == 25);
  assert_true(both.data.find("cpu.user_percent").real() == 25);
  assert_true(both.data.find("interval_seconds").real() == 2);
  assert_int_equal(both.data.find("network.receive_bytes_per_second").integer(), 1000);

  const Event process = resource_usage_event({.before = &first, .now = next});
  assert_true(process.data.find("cpu_percent").real() == 150);
  assert_false(bool(process.data.find("resident_bytes")));  // could not be read

  const Event total = network_metrics_event({.before = &first, .now = next});
  assert_int_equal(total.data.find("interfaces").integer(), 1);
  assert_int_equal(total.data.find("receive.bytes").integer(), 3000);  // without loopback
  const Event one = interface_event({.before = &first, .now = next}, next.interfaces[1]);
  assert_int_equal(one.data.find("receive.bytes_per_second").integer(), 1000);
}

void counters_that_begin_anew_make_no_rates(void**) {
  const SystemReading first = first_reading();
  SystemReading next = second_reading(first);
  next.cpu = CpuTicks{.user = 1};
  next.interfaces[1].receive.bytes = 5;
  next.interfaces.push_back({.name = "new0", .up = true, .loopback = false, .receive = {.bytes = 9}, .transmit = {}});
  const Event event = system_metrics_event({.before = &first, .now = next}, {});
  assert_true(event.data.find("cpu.used_percent").real() == 0);
  assert_int_equal(event.data.find("network.receive_bytes_per_second").integer(), 0);
  const Event added = interface_event({.before = &first, .now = next}, next.interfaces[2]);
  assert_false(bool(added.data.find("receive.bytes_per_second")));
  // iowait runs backwards on some kernels.
  assert_true(busy_percent({.idle = 100, .iowait = 50}, {.idle = 200, .iowait = 20}) == 0);
}

void this_machine_is_read(void**) {
  SystemReader reader;
  const SystemReading reading = reader.read();
  assert_text(reading.missing, "");
  assert_true(reading.resident_bytes && *reading.resident_bytes > 100'000);
  assert_true(reading.descriptors && *reading.descriptors >= 3);
  assert_int_equal(*reading.threads, 1);
  assert_true(reading.memory_bytes > reading.memory_free_bytes);
  bool loopback = false;
  for (const InterfaceReading& interface : reading.interfaces) loopback |= interface.loopback && interface.name == "lo";
  assert_true(loopback);
}

void a_file_system_is_told_once(void**) {
  char name[] = "/tmp/bindcast-disks-XXXXXX";
  const std::string folder = mkdtemp(name);
  const auto disks = read_file_systems({{folder, "working_directory"},
                                        {folder + "/to-be.db", "journal"},
                                        {"/proc", "other"},
                                        {folder + "/no/where", "lost"}});
  rmdir(folder.c_str());
  assert_int_equal(disks.size(), 3);
  assert_text(disks[0].path, folder);
  assert_int_equal(disks[0].holds.size(), 2);
  assert_text(disks[0].holds[1], "journal");
  assert_true(disks[0].bytes > 0 && disks[0].fault.empty());
  assert_text(disks[2].holds[0], "lost");
  assert_false(disks[2].fault.empty());
  FileSystemReading disk;
  disk.bytes = 1000;
  disk.free_bytes = 300;
  disk.available_bytes = 100;
  const Event event = disk_event(disk);
  assert_true(event.data.find("used_percent").real() == 87.5);  // as df: what root keeps is not to be had
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(cpu_ticks_are_read),
      cmocka_unit_test(numbers_are_found_by_their_label),
      cmocka_unit_test(what_the_host_counts_joins_what_the_machine_says),
      cmocka_unit_test(rates_are_differences_and_the_first_has_none),
      cmocka_unit_test(counters_that_begin_anew_make_no_rates),
      cmocka_unit_test(this_machine_is_read),
      cmocka_unit_test(a_file_system_is_told_once),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
