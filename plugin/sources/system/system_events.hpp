// Events of two readings: rates and shares are differences by the monotonic clock; without an earlier reading they are
// left out, as is what could not be read. Pure.
//
// Percentages are 0 to 100; cpu_percent of the process is of one processor, so above 100 where several work. Everything
// else is in bytes, seconds and numbers, by the name of the member.
#pragma once

#include <vector>

#include "events/event.hpp"
#include "plugin/host_load.hpp"
#include "plugin/sources/system/disk_reading.hpp"
#include "plugin/sources/system/system_reading.hpp"

namespace bindcast {

struct SystemReadings {
  const SystemReading* before;  // may be null
  const SystemReading& now;
  const HostLoad* host = nullptr;  // by the host's own counters; null: they are not read
};

// Of two readings of one processor; 0 when no time has passed.
[[nodiscard]] double busy_percent(const CpuTicks& before, const CpuTicks& now) noexcept;

// `disks` are those that were measured last.
[[nodiscard]] Event system_metrics_event(const SystemReadings& of, const std::vector<FileSystemReading>& disks);
[[nodiscard]] Event resource_usage_event(const SystemReadings& of);
[[nodiscard]] Event network_metrics_event(const SystemReadings& of);
[[nodiscard]] Event interface_event(const SystemReadings& of, const InterfaceReading& interface);
[[nodiscard]] Event disk_event(const FileSystemReading& disk);

}  // namespace bindcast
