// What the kernel says of the machine and of named's process, read at one moment. Blocks for as long as /proc and
// netlink take; any thread.
//
// By system calls where there is one. uv_cpu_info is left alone: it ends the process by abort() on a /proc/stat that it
// does not understand, and opens a file for each processor; so is uv_resident_set_memory, whose file Debian's AppArmor
// profile of named keeps closed, while /proc/self/status says the same and is open.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bindcast {

// Of one processor, or of all, since the machine's start, in ticks of sysconf(_SC_CLK_TCK).
struct CpuTicks {
  std::uint64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
  [[nodiscard]] std::uint64_t total() const noexcept {
    return user + nice + system + idle + iowait + irq + softirq + steal;
  }
};

// Counters since the interface came up.
struct InterfaceReading {
  std::string name;
  bool up = false, loopback = false;
  struct Way {
    std::uint64_t bytes = 0, packets = 0, errors = 0, dropped = 0;
  } receive, transmit;
};

struct SystemReading {
  std::int64_t mono_us = 0;  // when

  std::optional<CpuTicks> cpu;
  std::vector<CpuTicks> cores;  // at most kMostCores
  std::uint64_t memory_bytes = 0, memory_free_bytes = 0, swap_bytes = 0, swap_free_bytes = 0;
  std::optional<std::uint64_t> memory_available_bytes;
  double load1 = 0, load5 = 0, load15 = 0;
  std::int64_t uptime_seconds = 0;

  // named's
  std::int64_t process_user_us = 0, process_system_us = 0;  // of all threads, since its start
  std::uint64_t resident_peak_bytes = 0, major_faults = 0;
  std::optional<std::uint64_t> resident_bytes, threads, descriptors;
  std::uint64_t descriptor_limit = 0;  // 0: none

  std::vector<InterfaceReading> interfaces;  // at most kMostInterfaces
  std::uint64_t interfaces_left_out = 0;

  std::string missing;  // what could not be read, and why: "/proc/stat: Permission denied; …"
};

inline constexpr std::size_t kMostCores = 1024;
inline constexpr std::size_t kMostInterfaces = 64;

// What it may not read is not tried again: AppArmor would write a line of the kernel's log each time.
class SystemReader {
 public:
  [[nodiscard]] SystemReading read();

 private:
  enum File : std::size_t { stat, meminfo, status, descriptors, netlink, files };
  [[nodiscard]] bool denied(File file) const noexcept { return denied_[file]; }
  void deny(File file, const char* name, SystemReading& reading);
  [[nodiscard]] std::optional<std::string> contents(File file, const char* path, SystemReading& reading);
  void count_descriptors(SystemReading& reading);

  bool denied_[files]{};
};

// The first lines of /proc/stat, of all processors and of each. False when it is nothing of that kind.
[[nodiscard]] bool parse_cpu_ticks(std::string_view text, SystemReading& reading);
// "VmRSS:      1234 kB": the number; /proc/meminfo and /proc/self/status look like that.
[[nodiscard]] std::optional<std::uint64_t> number_after(std::string_view text, std::string_view label);
// All interfaces, by netlink, which has counters of 64 bits (getifaddrs: 32). An errno, or 0.
[[nodiscard]] int read_interfaces(SystemReading& reading);

}  // namespace bindcast
