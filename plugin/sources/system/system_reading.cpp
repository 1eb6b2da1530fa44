#include "plugin/sources/system/system_reading.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "plugin/clock.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kMostRead = 256 * 1024;  // /proc/stat of a machine with kMostCores has less before its long lines
constexpr std::uint64_t kKib = 1024;

std::string_view next_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

bool take_number(std::string_view& text, std::uint64_t& number) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

// Seven since Linux 2.6; steal came later.
bool take_ticks(std::string_view line, CpuTicks& ticks) {
  for (std::uint64_t* each :
       {&ticks.user, &ticks.nice, &ticks.system, &ticks.idle, &ticks.iowait, &ticks.irq, &ticks.softirq})
    if (!take_number(line, *each)) return false;
  (void)take_number(line, ticks.steal);
  return true;
}

std::int64_t us_of(const uv_timeval_t& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000 + time.tv_usec;
}

}  // namespace

bool parse_cpu_ticks(std::string_view text, SystemReading& reading) {
  while (!text.empty()) {
    std::string_view line = next_line(text);
    if (!line.starts_with("cpu")) break;
    line.remove_prefix(3);
    std::uint64_t number = 0;
    const bool core = !line.starts_with(' ');
    CpuTicks ticks;
    if ((core && !take_number(line, number)) || !take_ticks(line, ticks)) return false;
    if (!core)
      reading.cpu = ticks;
    else if (reading.cores.size() < kMostCores)
      reading.cores.push_back(ticks);
  }
  return reading.cpu.has_value();
}

std::optional<std::uint64_t> number_after(std::string_view text, std::string_view label) {
  while (!text.empty()) {
    std::string_view line = next_line(text);
    if (!line.starts_with(label)) continue;
    line.remove_prefix(label.size());
    std::uint64_t number = 0;
    return take_number(line, number) ? std::optional(number) : std::nullopt;
  }
  return std::nullopt;
}

void SystemReader::deny(File file, const char* name, SystemReading& reading) {
  const int fault = errno;
  denied_[file] = fault == EACCES || fault == EPERM || fault == ENOENT;
  if (!reading.missing.empty()) reading.missing += "; ";
  reading.missing += std::string(name) + ": " + std::strerror(fault);
}

std::optional<std::string> SystemReader::contents(File file, const char* path, SystemReading& reading) {
  if (denied(file)) return std::nullopt;
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    deny(file, path, reading);
    return std::nullopt;
  }
  std::string text(4096, '\0');
  std::size_t size = 0;
  for (;;) {
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
    if (size < text.size()) continue;
    if (size >= kMostRead) break;
    text.resize(text.size() * 2);
  }
  close(fd);
  text.resize(size);
  return text;
}

// The size of the folder is the number since Linux 6.2; before, it has to be read.
void SystemReader::count_descriptors(SystemReading& reading) {
  constexpr const char* kFolder = "/proc/self/fd";
  if (denied(File::descriptors)) return;
  struct stat found {};
  if (::stat(kFolder, &found) == 0 && found.st_size > 0) {
    reading.descriptors = static_cast<std::uint64_t>(found.st_size);
    return;
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(kFolder), closedir);
  if (!folder) {
    deny(File::descriptors, kFolder, reading);
    return;
  }
  std::uint64_t count = 0;
  while (const dirent* entry = readdir(folder.get()))
    if (entry->d_name[0] != '.') ++count;
  reading.descriptors = count - 1;  // without the folder's own
}

SystemReading SystemReader::read() {
  SystemReading reading;
  reading.mono_us = read_clock().mono_us;

  if (const auto text = contents(File::stat, "/proc/stat", reading)) (void)parse_cpu_ticks(*text, reading);
  struct sysinfo system {};
  if (sysinfo(&system) == 0) {
    constexpr double kOne = 1 << SI_LOAD_SHIFT;
    reading.memory_bytes = std::uint64_t{system.totalram} * system.mem_unit;
    reading.memory_free_bytes = std::uint64_t{system.freeram} * system.mem_unit;
    reading.swap_bytes = std::uint64_t{system.totalswap} * system.mem_unit;
    reading.swap_free_bytes = std::uint64_t{system.freeswap} * system.mem_unit;
    reading.load1 = static_cast<double>(system.loads[0]) / kOne;
    reading.load5 = static_cast<double>(system.loads[1]) / kOne;
    reading.load15 = static_cast<double>(system.loads[2]) / kOne;
    reading.uptime_seconds = system.uptime;
  }
  if (const auto text = contents(File::meminfo, "/proc/meminfo", reading))
    if (const auto kib = number_after(*text, "MemAvailable:")) reading.memory_available_bytes = *kib * kKib;

  uv_rusage_t usage{};
  if (uv_getrusage(&usage) == 0) {
    reading.process_user_us = us_of(usage.ru_utime);
    reading.process_system_us = us_of(usage.ru_stime);
    reading.resident_peak_bytes = usage.ru_maxrss * kKib;
    reading.major_faults = usage.ru_majflt;
  }
  if (const auto text = contents(File::status, "/proc/self/status", reading)) {
    if (const auto kib = number_after(*text, "VmRSS:")) reading.resident_bytes = *kib * kKib;
    reading.threads = number_after(*text, "Threads:");
  }
  count_descriptors(reading);
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    reading.descriptor_limit = limit.rlim_cur;

  if (!denied(File::netlink)) {
    errno = read_interfaces(reading);
    if (errno != 0) deny(File::netlink, "netlink", reading);
  }
  return reading;
}

}  // namespace bindcast
