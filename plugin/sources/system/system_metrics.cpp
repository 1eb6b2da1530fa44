#include "plugin/sources/system/system_metrics.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "plugin/sources/system/system_events.hpp"

namespace bindcast {

namespace {

constexpr std::int64_t kHalfTickUs = 500'000;
constexpr std::int64_t kHangsUs = 10'000'000;  // a file system that has not answered for so long

using Kind = MetricsText::Kind;

double seconds(std::int64_t us) {
  return static_cast<double>(us) / 1e6;
}

}  // namespace

SystemMetrics::SystemMetrics(const SourceTools& tools, const HostState& host) : tools_(tools), host_(host) {
  tools_.metrics.add([this](MetricsText& text) { write_metrics(text); });
}

void SystemMetrics::configure(const Options& options, Now now) {
  health_ = options.health;
  journal_enabled_ = options.journal.enabled;
  journal_path_ =
      options.journal.path.starts_with('/') ? options.journal.path : tools_.host.state_dir + '/' + options.journal.path;
  const auto& metrics = options.sources.metrics;
  if (!metrics.enabled) {
    end();
    enabled_ = false;
    return;
  }
  if (!enabled_ || interval_us_ != metrics.interval.count()) due_us_ = now.mono_us;
  enabled_ = true;
  interval_us_ = metrics.interval.count();
  if (kernel_) return;
  const auto failed = [this] { tools_.hub.faults().note("measuring the system"); };
  kernel_ = std::make_unique<BlockingWork>(tools_.loop, failed);
  file_systems_ = std::make_unique<BlockingWork>(tools_.loop, failed);
  reader_ = std::make_shared<SystemReader>();
}

void SystemMetrics::end() {
  kernel_.reset();
  file_systems_.reset();
  reader_.reset();
  last_.reset();
  disks_ = {};
  tools_.health.forget("disk_space");
}

// Due a little early rather than a whole tick late.
void SystemMetrics::tick(Now now) {
  if (!kernel_) return;
  if (file_systems_->busy() && now.mono_us - disks_asked_us_ >= kHangsUs)
    tools_.health.report("disk_space", HealthState::unhealthy, "a file system that is written to does not answer", now);
  if (now.mono_us + kHalfTickUs < due_us_) return;
  due_us_ = std::max(due_us_ + interval_us_, now.mono_us + kHalfTickUs);
  measure(now);
}

// One that is still under way is not asked a second time.
void SystemMetrics::measure(Now now) {
  Faults& faults = tools_.hub.faults();
  if (!kernel_->busy())
    (void)kernel_->start([this, &faults, reader = reader_]() -> BlockingWork::Done {
      return [this, &faults, reading = reader->read()]() mutable {
        faults.contain([&] { take(std::move(reading), read_clock()); });
      };
    });
  if (file_systems_->busy()) return;
  disks_asked_us_ = now.mono_us;
  (void)file_systems_->start([this, &faults, places = places()]() -> BlockingWork::Done {
    return [this, &faults, disks = read_file_systems(places)]() mutable {
      faults.contain([&] { take_disks(std::move(disks), read_clock()); });
    };
  });
}

std::vector<DiskPlace> SystemMetrics::places() const {
  std::vector<DiskPlace> places{{".", "working_directory"}, {tools_.host.state_dir, "state"}};
  if (journal_enabled_) places.push_back({journal_path_, "journal"});
  places.push_back({"/", "root"});
  return places;
}

void SystemMetrics::take(SystemReading reading, Now now) {
  if (!reading.missing.empty()) tools_.log(LogLevel::debug, "metrics without what cannot be read: " + reading.missing);
  const SystemReadings of{.before = last_.get(), .now = reading, .host = host_.load()};
  Hub& hub = tools_.hub;
  hub.emit(system_metrics_event(of, disks_), now);
  hub.emit(resource_usage_event(of), now);
  if (!reading.interfaces.empty()) hub.emit(network_metrics_event(of), now);
  for (const InterfaceReading& interface : reading.interfaces) hub.emit(interface_event(of, interface), now);
  last_ = std::make_unique<SystemReading>(std::move(reading));
}

void SystemMetrics::take_disks(ReadDisks disks, Now now) {
  disks_ = std::move(disks);
  for (const FileSystemReading& disk : disks_) tools_.hub.emit(disk_event(disk), now);
  judge_disks(now);
}

// Only those that are written to: a root that is an image is always full.
void SystemMetrics::judge_disks(Now now) {
  HealthState worst = HealthState::healthy;
  std::string reason;
  for (const FileSystemReading& disk : disks_) {
    if (disk.holds.front() == "root" && disk.holds.size() == 1) continue;
    HealthState state = HealthState::healthy;
    std::string why;
    if (!disk.fault.empty()) {
      state = HealthState::degraded;
      why = disk.fault;
    } else if (disk.read_only) {
      state = HealthState::unhealthy;
      why = "read-only";
    } else {
      const auto judge = [&](double used, const char* of_what) {
        const HealthState found = used >= health_.disk_unhealthy  ? HealthState::unhealthy
                                  : used >= health_.disk_degraded ? HealthState::degraded
                                                                  : HealthState::healthy;
        if (found <= state) return;
        state = found;
        why = std::to_string(static_cast<int>(used)) + " % of its " + of_what + " are used";
      };
      judge(disk.used_percent(), "space");
      if (disk.files != 0)
        judge(static_cast<double>(disk.files - disk.files_free) * 100 / static_cast<double>(disk.files), "files");
    }
    if (state == HealthState::healthy) continue;
    reason += (reason.empty() ? "" : "; ") + disk.path + ": " + why;
    worst = std::max(worst, state);
  }
  tools_.health.report("disk_space", worst, reason, now);
}

void SystemMetrics::write_metrics(MetricsText& text) const {
  if (!last_) return;
  const SystemReading& now = *last_;
  const auto gauge = [&](std::string_view name, std::string_view help, std::uint64_t value,
                         std::string_view unit = {}) {
    text.family(Kind::gauge, name, help, unit);
    text.sample(value);
  };
  if (now.cpu) {
    const double tick = 1.0 / static_cast<double>(sysconf(_SC_CLK_TCK));
    text.family(Kind::counter, "system_cpu_seconds", "Time of all processors, since the machine's start.", "seconds");
    for (const auto& [mode, ticks] : {std::pair{"user", now.cpu->user},
                                      {"nice", now.cpu->nice},
                                      {"system", now.cpu->system},
                                      {"idle", now.cpu->idle},
                                      {"iowait", now.cpu->iowait},
                                      {"irq", now.cpu->irq},
                                      {"softirq", now.cpu->softirq},
                                      {"steal", now.cpu->steal}})
      text.sample(static_cast<double>(ticks) * tick, {{"mode", mode}});
    gauge("system_processors", "Processors of the machine.", now.cores.size());
  }
  gauge("system_memory_bytes", "Memory of the machine.", now.memory_bytes, "bytes");
  gauge("system_memory_free_bytes", "Memory that nobody uses.", now.memory_free_bytes, "bytes");
  if (now.memory_available_bytes)
    gauge("system_memory_available_bytes", "Memory that is free, or would be made so.", *now.memory_available_bytes,
          "bytes");
  gauge("system_swap_bytes", "Swap of the machine.", now.swap_bytes, "bytes");
  gauge("system_swap_free_bytes", "Swap that nobody uses.", now.swap_free_bytes, "bytes");
  text.family(Kind::gauge, "system_load", "How many tasks ran or wanted to, on the average of some minutes.");
  for (const auto& [minutes, load] : {std::pair{"1", now.load1}, {"5", now.load5}, {"15", now.load15}})
    text.sample(load, {{"minutes", minutes}});

  const auto disks = [&](std::string_view name, std::string_view help, std::string_view unit, auto value) {
    if (disks_.empty()) return;
    text.family(Kind::gauge, name, help, unit);
    for (const FileSystemReading& disk : disks_)
      if (disk.fault.empty()) text.sample(std::uint64_t{value(disk)}, {{"path", disk.path}});
  };
  disks("system_disk_bytes", "Size of a file system that named and Bindcast write to.", "bytes",
        [](const FileSystemReading& disk) { return disk.bytes; });
  disks("system_disk_available_bytes", "Of it, what others than root may still write.", "bytes",
        [](const FileSystemReading& disk) { return disk.available_bytes; });
  disks("system_disk_read_only", "1 when it is mounted read-only.", "",
        [](const FileSystemReading& disk) { return std::uint64_t{disk.read_only}; });

  const auto network = [&](std::string_view name, std::string_view help, std::string_view unit,
                           std::uint64_t InterfaceReading::Way::*value) {
    text.family(Kind::counter, name, help, unit);
    for (const InterfaceReading& interface : now.interfaces) {
      text.sample(interface.receive.*value, {{"interface", interface.name}, {"direction", "receive"}});
      text.sample(interface.transmit.*value, {{"interface", interface.name}, {"direction", "transmit"}});
    }
  };
  if (!now.interfaces.empty()) {
    using Way = InterfaceReading::Way;
    network("system_network_bytes", "Bytes that an interface has carried.", "bytes", &Way::bytes);
    network("system_network_packets", "Packets that an interface has carried.", "", &Way::packets);
    network("system_network_errors", "Errors of an interface.", "", &Way::errors);
    network("system_network_dropped", "Packets that an interface had no room for.", "", &Way::dropped);
  }

  text.family(Kind::counter, "process_cpu_seconds", "Processor time of named.", "seconds");
  text.sample(seconds(now.process_user_us), {{"mode", "user"}});
  text.sample(seconds(now.process_system_us), {{"mode", "system"}});
  if (now.resident_bytes) gauge("process_resident_bytes", "Memory of named.", *now.resident_bytes, "bytes");
  gauge("process_resident_peak_bytes", "The most memory that named had.", now.resident_peak_bytes, "bytes");
  if (now.threads) gauge("process_threads", "Threads of named.", *now.threads);
  if (now.descriptors) gauge("process_descriptors", "Descriptors that named has open.", *now.descriptors);
  if (now.descriptor_limit != 0)
    gauge("process_descriptors_limit", "How many named may have open.", now.descriptor_limit);
}

}  // namespace bindcast
