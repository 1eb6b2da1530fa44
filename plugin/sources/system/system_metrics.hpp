// Measures the machine and named's process at sources.metrics.interval: system_metrics, resource_usage, disk_metrics,
// network_metrics and network_interface_metrics, the component disk_space, and the metrics system_* and process_*.
//
// What the kernel knows is read by one thread, the file systems by another, each made for the moment
// (plugin/blocking_work.hpp): a file system that hangs keeps back nothing but its own numbers, and is reported.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plugin/blocking_work.hpp"
#include "plugin/sources/source.hpp"
#include "plugin/sources/sources.hpp"
#include "plugin/sources/system/disk_reading.hpp"
#include "plugin/sources/system/system_reading.hpp"

namespace bindcast {

class SystemMetrics : public Source {
 public:
  // What `host` knows of its load is told too.
  SystemMetrics(const SourceTools& tools, const HostState& host);

  void configure(const Options& options, Now now) override;
  void tick(Now now) override;
  void end() override;

 private:
  using ReadDisks = std::vector<FileSystemReading>;
  void measure(Now now);
  void take(SystemReading reading, Now now);
  void take_disks(ReadDisks disks, Now now);
  void judge_disks(Now now);
  void write_metrics(MetricsText& text) const;
  [[nodiscard]] std::vector<DiskPlace> places() const;

  SourceTools tools_;
  const HostState& host_;
  std::string journal_path_;
  HealthOptions health_;
  bool enabled_ = false, journal_enabled_ = false;
  std::int64_t interval_us_ = 0, due_us_ = 0;  // due_us_: monotonic
  std::int64_t disks_asked_us_ = 0;            // monotonic: when the one that is under way began
  // None while it is switched off.
  std::unique_ptr<BlockingWork> kernel_, file_systems_;
  std::shared_ptr<SystemReader> reader_;  // with the thread
  std::unique_ptr<SystemReading> last_;
  ReadDisks disks_;
};

}  // namespace bindcast
