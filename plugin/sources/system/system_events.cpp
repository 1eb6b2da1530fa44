#include "plugin/sources/system/system_events.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

namespace bindcast {

namespace {

// A counter that is smaller than before began anew.
std::uint64_t more(std::uint64_t before, std::uint64_t now) noexcept {
  return now >= before ? now - before : 0;
}

double percent(std::uint64_t part, std::uint64_t whole) noexcept {
  return whole == 0 ? 0 : std::min(100.0, static_cast<double>(part) * 100 / static_cast<double>(whole));
}

void add(Fields& data, Fields::Key key, std::uint64_t value) {
  data.add_integer(key, static_cast<std::int64_t>(value));
}

Event make(EventType type) {
  Event event = make_event(type);
  event.source_component = "system";
  return event;
}

// Since the reading before; 0: there is none.
double seconds_of(const SystemReadings& of) noexcept {
  return of.before == nullptr ? 0 : static_cast<double>(of.now.mono_us - of.before->mono_us) / 1e6;
}

void add_interval(Fields& data, const SystemReadings& of) {
  if (const double seconds = seconds_of(of); seconds > 0) data.add_real("interval_seconds", seconds);
}

void add_cpu(Fields& data, const SystemReadings& of) {
  if (of.before == nullptr || !of.before->cpu || !of.now.cpu) return;
  const CpuTicks& before = *of.before->cpu;
  const CpuTicks& now = *of.now.cpu;
  const std::uint64_t total = more(before.total(), now.total());
  data.begin_object("cpu");
  add(data, "count", of.now.cores.size());
  data.add_real("used_percent", busy_percent(before, now));
  data.add_real("user_percent", percent(more(before.user + before.nice, now.user + now.nice), total));
  data.add_real("system_percent",
                percent(more(before.system + before.irq + before.softirq, now.system + now.irq + now.softirq), total));
  data.add_real("iowait_percent", percent(more(before.iowait, now.iowait), total));
  data.add_real("steal_percent", percent(more(before.steal, now.steal), total));
  data.begin_array("cores");
  for (std::size_t i = 0; i < std::min(of.before->cores.size(), of.now.cores.size()); ++i)
    data.add_real({}, busy_percent(of.before->cores[i], of.now.cores[i]));
  data.end();
  data.end();
}

void add_memory(Fields& data, const SystemReading& now) {
  if (now.memory_bytes == 0) return;
  data.begin_object("memory");
  add(data, "total_bytes", now.memory_bytes);
  add(data, "free_bytes", now.memory_free_bytes);
  if (now.memory_available_bytes) {
    add(data, "available_bytes", *now.memory_available_bytes);
    data.add_real("used_percent", percent(more(*now.memory_available_bytes, now.memory_bytes), now.memory_bytes));
  }
  add(data, "swap_total_bytes", now.swap_bytes);
  add(data, "swap_used_bytes", more(now.swap_free_bytes, now.swap_bytes));
  data.end();
}

// named's part in it.
void add_dns(Fields& data, const HostLoad* host) {
  if (host == nullptr) return;
  data.begin_object("dns");
  if (host->elapsed_us > 0) data.add_real("queries_per_second", std::round(host->queries_per_second * 1000) / 1000);
  if (host->cache_hit_ratio) data.add_real("cache_hit_ratio", *host->cache_hit_ratio);
  if (host->recursive_clients) add(data, "recursive_clients", *host->recursive_clients);
  if (host->recursive_clients_limit != 0) add(data, "recursive_clients_limit", host->recursive_clients_limit);
  data.end();
}

void add_memory_contexts(Fields& data, const HostLoad* host) {
  if (host == nullptr || host->memory_contexts.empty()) return;
  data.begin_object("memory_contexts");
  for (const auto& [context, bytes] : host->memory_contexts) add(data, context, bytes);
  data.end();
}

const InterfaceReading* same_before(const SystemReadings& of, const InterfaceReading& interface) {
  if (of.before == nullptr) return nullptr;
  const auto found = std::ranges::find(of.before->interfaces, interface.name, &InterfaceReading::name);
  return found == of.before->interfaces.end() ? nullptr : &*found;
}

using Way = InterfaceReading::Way;

void add_way(Fields& data, Fields::Key key, const Way& now, const std::optional<Way>& rates) {
  data.begin_object(key);
  add(data, "bytes", now.bytes);
  add(data, "packets", now.packets);
  add(data, "errors", now.errors);
  add(data, "dropped", now.dropped);
  if (rates) {
    add(data, "bytes_per_second", rates->bytes);
    add(data, "packets_per_second", rates->packets);
  }
  data.end();
}

Way rates_of(const Way& before, const Way& now, double seconds) noexcept {
  const auto rate = [seconds](std::uint64_t b, std::uint64_t n) {
    return static_cast<std::uint64_t>(static_cast<double>(more(b, n)) / seconds);
  };
  return {.bytes = rate(before.bytes, now.bytes), .packets = rate(before.packets, now.packets)};
}

void sum_up(Way& total, const Way& more) noexcept {
  total.bytes += more.bytes;
  total.packets += more.packets;
  total.errors += more.errors;
  total.dropped += more.dropped;
}

// All but loopback.
struct NetworkSum {
  Way receive, transmit;
  std::optional<Way> receive_rates, transmit_rates;
  std::uint64_t interfaces = 0;
};

NetworkSum sum_of(const SystemReadings& of) {
  NetworkSum sum;
  const double seconds = seconds_of(of);
  if (seconds > 0) {
    sum.receive_rates.emplace();
    sum.transmit_rates.emplace();
  }
  for (const InterfaceReading& interface : of.now.interfaces) {
    if (interface.loopback) continue;
    ++sum.interfaces;
    sum_up(sum.receive, interface.receive);
    sum_up(sum.transmit, interface.transmit);
    const InterfaceReading* before = same_before(of, interface);
    if (before == nullptr || seconds <= 0) continue;
    sum_up(*sum.receive_rates, rates_of(before->receive, interface.receive, seconds));
    sum_up(*sum.transmit_rates, rates_of(before->transmit, interface.transmit, seconds));
  }
  return sum;
}

}  // namespace

double busy_percent(const CpuTicks& before, const CpuTicks& now) noexcept {
  const std::uint64_t total = more(before.total(), now.total());
  // What iowait counts can run backwards, so neither it nor what is left may go below nothing.
  const std::uint64_t idle = std::min(total, more(before.idle, now.idle) + more(before.iowait, now.iowait));
  return percent(total - idle, total);
}

Event system_metrics_event(const SystemReadings& of, const std::vector<FileSystemReading>& disks) {
  Event event = make(EventType::system_metrics);
  Fields& data = event.data;
  add_cpu(data, of);
  add_memory(data, of.now);
  data.begin_object("load");
  data.add_real("load1", of.now.load1);
  data.add_real("load5", of.now.load5);
  data.add_real("load15", of.now.load15);
  data.end();
  const auto fullest = std::ranges::max_element(disks, {}, &FileSystemReading::used_percent);
  if (fullest != disks.end() && fullest->fault.empty()) {
    data.begin_object("disk");
    data.add("path", fullest->path);
    data.add_real("used_percent", fullest->used_percent());
    add(data, "available_bytes", fullest->available_bytes);
    data.end();
  }
  if (const NetworkSum sum = sum_of(of); sum.receive_rates) {
    data.begin_object("network");
    add(data, "receive_bytes_per_second", sum.receive_rates->bytes);
    add(data, "transmit_bytes_per_second", sum.transmit_rates->bytes);
    data.end();
  }
  add_dns(data, of.host);
  data.add_integer("uptime_seconds", of.now.uptime_seconds);
  add_interval(data, of);
  return event;
}

Event resource_usage_event(const SystemReadings& of) {
  Event event = make(EventType::resource_usage);
  Fields& data = event.data;
  const SystemReading& now = of.now;
  if (const double seconds = seconds_of(of); seconds > 0) {
    const std::int64_t used_us =
        now.process_user_us + now.process_system_us - of.before->process_user_us - of.before->process_system_us;
    data.add_real("cpu_percent", static_cast<double>(std::max<std::int64_t>(used_us, 0)) / 1e4 / seconds);
  }
  data.begin_object("cpu_seconds");
  data.add_real("user", static_cast<double>(now.process_user_us) / 1e6);
  data.add_real("system", static_cast<double>(now.process_system_us) / 1e6);
  data.end();
  if (now.resident_bytes) add(data, "resident_bytes", *now.resident_bytes);
  add(data, "resident_peak_bytes", now.resident_peak_bytes);
  add_memory_contexts(data, of.host);
  if (now.threads) add(data, "threads", *now.threads);
  if (now.descriptors) add(data, "descriptors", *now.descriptors);
  if (now.descriptor_limit != 0) add(data, "descriptor_limit", now.descriptor_limit);
  add(data, "major_faults", now.major_faults);
  add_interval(data, of);
  return event;
}

Event network_metrics_event(const SystemReadings& of) {
  Event event = make(EventType::network_metrics);
  const NetworkSum sum = sum_of(of);
  add(event.data, "interfaces", sum.interfaces);
  if (of.now.interfaces_left_out != 0) add(event.data, "interfaces_left_out", of.now.interfaces_left_out);
  add_way(event.data, "receive", sum.receive, sum.receive_rates);
  add_way(event.data, "transmit", sum.transmit, sum.transmit_rates);
  add_interval(event.data, of);
  return event;
}

Event interface_event(const SystemReadings& of, const InterfaceReading& interface) {
  Event event = make(EventType::network_interface_metrics);
  Fields& data = event.data;
  data.add("interface", interface.name);
  data.add_boolean("up", interface.up);
  data.add_boolean("loopback", interface.loopback);
  const InterfaceReading* before = same_before(of, interface);
  const double seconds = seconds_of(of);
  const bool rates = before != nullptr && seconds > 0;
  add_way(data, "receive", interface.receive,
          rates ? std::optional(rates_of(before->receive, interface.receive, seconds)) : std::nullopt);
  add_way(data, "transmit", interface.transmit,
          rates ? std::optional(rates_of(before->transmit, interface.transmit, seconds)) : std::nullopt);
  add_interval(data, of);
  return event;
}

Event disk_event(const FileSystemReading& disk) {
  Event event = make(EventType::disk_metrics);
  Fields& data = event.data;
  data.add("path", disk.path);
  data.begin_array("holds");
  for (const std::string& each : disk.holds) data.add({}, each);
  data.end();
  if (!disk.fault.empty()) {
    data.add("fault", disk.fault);
    return event;
  }
  add(data, "total_bytes", disk.bytes);
  add(data, "used_bytes", disk.bytes - disk.free_bytes);
  add(data, "free_bytes", disk.free_bytes);
  add(data, "available_bytes", disk.available_bytes);
  data.add_real("used_percent", disk.used_percent());
  if (disk.files != 0) {
    add(data, "files", disk.files);
    add(data, "files_free", disk.files_free);
  }
  data.add_boolean("read_only", disk.read_only);
  return event;
}

}  // namespace bindcast
