#include "plugin/sources/host_state.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>
#include <span>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "plugin/hub/hub.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kMaxNameBytes = 63;
constexpr std::size_t kMaxViewsShown = 64;
constexpr std::int64_t kTickSlackUs = 500'000;  // a tick comes once a second: it is never quite on time

enum class Has : std::uint8_t { counters, gauges, gauges_with_limit };

struct GroupInfo {
  std::string_view member;  // of an event's data
  Has has;
  bool of_view;
  std::string_view metric;
  std::string_view label;  // of the counters' names; empty: the group has one value
  std::string_view help;
  std::string_view unit = {};
};

constexpr std::array<GroupInfo, kCounterGroups> kGroups{{
    {"by_rcode", Has::counters, false, "named_responses", "rcode", "Answers sent."},
    {"by_type", Has::counters, false, "named_queries", "type", "Questions."},
    {"by_transport", Has::counters, false, "named_requests", "transport", "Messages that came in."},
    {"by_opcode", Has::counters, false, "named_opcodes", "opcode", "Messages that came in."},
    {"counters", Has::counters, false, "named_server_events", "event", "What the server counts besides."},
    {"quotas", Has::gauges_with_limit, false, "named_quota_used", "quota", "What is in use of what has a limit."},
    {"zones", Has::gauges, false, "named_zones", "which", "Zones."},
    {"cache", Has::counters, true, "named_cache_events", "event", "What the cache counts."},
    {"cache_memory_bytes", Has::gauges_with_limit, true, "named_cache_memory_bytes", "",
     "Memory that the cache's content takes.", "bytes"},
    {"cache_nodes", Has::gauges, true, "named_cache_nodes", "", "Names in the cache."},
    {"resolver", Has::counters, true, "named_resolver_events", "event", "What the resolver counts."},
    {"resolver_by_type", Has::counters, true, "named_resolver_queries", "type", "Questions sent to other servers."},
    {"resolver_active", Has::gauges, true, "named_resolver_active", "what", "What the resolver has under way."},
    {"memory_bytes", Has::gauges, false, "named_memory_bytes", "context", "Memory in use, but for the caches' own.",
     "bytes"},
}};

const GroupInfo& info(CounterGroup group) {
  return kGroups[static_cast<std::size_t>(group)];
}

bool is_name(std::string_view name) noexcept {
  return name.size() <= kMaxNameBytes && std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
         });
}

// Counters of one identity are one counter: those of one life and name, or without a life of one view and name.
std::string identity(const HostCounter& counter) {
  std::string text(1, static_cast<char>(counter.group));
  text += counter.life != 0 ? "#" + std::to_string(counter.life) : "@" + counter.view;
  text += '\0';
  text += counter.name;
  return text;
}

using Counters = std::span<const HostCounter>;

// Those of one group, which stand together.
Counters of_group(Counters counters, CounterGroup group) {
  // Not equal_range, whose subrange clang 14 does not compile.
  return {std::ranges::lower_bound(counters, group, {}, &HostCounter::group),
          std::ranges::upper_bound(counters, group, {}, &HostCounter::group)};
}

std::uint64_t sum(Counters counters) {
  std::uint64_t total = 0;
  for (const HostCounter& counter : counters) total += counter.value;
  return total;
}

std::uint64_t value_of(Counters counters, std::string_view name) {
  const auto found = std::ranges::find(counters, name, &HostCounter::name);
  return found == counters.end() ? 0 : found->value;
}

// Each parts from the next where the view changes; the server's come first.
std::vector<Counters> by_view(Counters counters) {
  std::vector<Counters> parts;
  for (std::size_t begin = 0, end = 0; begin < counters.size(); begin = end) {
    while (end < counters.size() && counters[end].view == counters[begin].view) ++end;
    parts.push_back(counters.subspan(begin, end - begin));
  }
  return parts;
}

// The sum of each counter of one group over the views, each shared one once.
std::vector<HostCounter> over_views(Counters counters, CounterGroup group) {
  std::vector<HostCounter> sums;
  std::unordered_set<std::string> seen;
  for (const HostCounter& counter : counters) {
    if (counter.group != group || !seen.insert(identity(counter)).second) continue;
    const auto found = std::ranges::find(sums, counter.name, &HostCounter::name);
    if (found == sums.end()) {
      sums.push_back(counter);
    } else {
      found->value += counter.value;
      found->limit = found->limit == 0 || counter.limit == 0 ? 0 : found->limit + counter.limit;
    }
  }
  return sums;
}

std::int64_t as_integer(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

void add_value(Fields& data, std::string_view key, const HostCounter& counter) {
  if (info(counter.group).has != Has::gauges_with_limit) {
    data.add_integer(key, as_integer(counter.value));
    return;
  }
  data.begin_object(key);
  data.add_integer("used", as_integer(counter.value));
  if (counter.limit != 0) data.add_integer("limit", as_integer(counter.limit));
  data.end();
}

// The counters of one group, without those of zero.
void add_group(Fields& data, Counters counters) {
  if (counters.empty()) return;
  const GroupInfo& group = info(counters.front().group);
  if (group.label.empty()) {
    add_value(data, group.member, counters.front());
    return;
  }
  const auto is_shown = [](const HostCounter& counter) { return counter.value != 0 || counter.limit != 0; };
  if (!std::ranges::any_of(counters, is_shown)) return;
  data.begin_object(group.member);
  for (const HostCounter& counter : counters)
    if (is_shown(counter)) add_value(data, counter.name, counter);
  data.end();
}

// All groups of one view, or of the server.
void add_groups(Fields& data, Counters counters) {
  for (std::size_t group = 0; group < kCounterGroups; ++group)
    add_group(data, of_group(counters, static_cast<CounterGroup>(group)));
}

// To three digits after the point, which is what an interval is worth.
double per_second(std::uint64_t count, double seconds) {
  return std::round(static_cast<double>(count) / seconds * 1000) / 1000;
}

void add_rates(Fields& data, std::string_view key, Counters counters, double seconds) {
  if (counters.empty()) return;
  data.begin_object(key);
  for (const HostCounter& counter : counters) data.add_real(counter.name, per_second(counter.value, seconds));
  data.end();
}

// To four digits after the point. None: no client's question came that far.
std::optional<double> hit_ratio_of(Counters cache) {
  const std::uint64_t hits = value_of(cache, "query_hits"), all = hits + value_of(cache, "query_misses");
  if (all == 0) return std::nullopt;
  return std::round(static_cast<double>(hits) / static_cast<double>(all) * 10'000) / 10'000;
}

void add_hit_ratio(Fields& data, Counters cache) {
  if (const auto ratio = hit_ratio_of(cache)) data.add_real("cache_hit_ratio", *ratio);
}

// The views' counters, each view an object of an array.
void add_views(Fields& data, const std::vector<Counters>& parts, bool hit_ratio) {
  std::size_t views = 0;
  for (const Counters& part : parts) views += part.front().view.empty() ? 0 : 1;
  if (views == 0) return;
  data.begin_array("views");
  std::size_t shown = 0;
  for (const Counters& part : parts) {
    if (part.front().view.empty() || shown == kMaxViewsShown) continue;
    ++shown;
    data.begin_object({});
    data.add("view", part.front().view);
    add_groups(data, part);
    if (hit_ratio) add_hit_ratio(data, of_group(part, CounterGroup::cache));
    data.end();
  }
  data.end();
  if (views > shown) data.add_integer("views_left_out", as_integer(views - shown));
}

// "rtt_below_500_ms": 500; "rtt_above_1600_ms" and "timeouts": kLate. None: it is no class of times.
std::optional<std::uint32_t> answer_class(std::string_view name) {
  constexpr std::string_view below = "rtt_below_", unit = "_ms";
  if (name == "timeouts" || name.starts_with("rtt_above_")) return HostLoad::kLate;
  if (!name.starts_with(below) || !name.ends_with(unit)) return std::nullopt;
  const std::string_view number = name.substr(below.size(), name.size() - below.size() - unit.size());
  std::uint32_t ms = 0;
  const auto [end, fault] = std::from_chars(number.data(), number.data() + number.size(), ms);
  return fault == std::errc() && end == number.data() + number.size() ? std::optional(ms) : std::nullopt;
}

// All views'. The classes that did not grow are there too: they are the others' bounds.
HostLoad::AnswerTimes answer_times(Counters all, Counters grown) {
  HostLoad::AnswerTimes times;
  for (const HostCounter& counter : all)
    if (const auto ms = answer_class(counter.name); ms && counter.group == CounterGroup::resolver) times[*ms] = 0;
  for (const HostCounter& counter : over_views(grown, CounterGroup::resolver))
    if (const auto ms = answer_class(counter.name)) times[*ms] += counter.value;
  return times;
}

// What is known of one moment alone.
HostLoad load_at(Counters all) {
  HostLoad load;
  for (const HostCounter& counter : all) {
    if (counter.group == CounterGroup::quotas && counter.name == "recursive_clients") {
      load.recursive_clients = counter.value;
      load.recursive_clients_limit = counter.limit;
    } else if (counter.group == CounterGroup::memory) {
      load.memory_contexts[counter.name] = counter.value;
    }
  }
  if (const auto caches = over_views(all, CounterGroup::cache_memory); !caches.empty())
    load.memory_contexts["caches"] = caches.front().value;
  return load;
}

Counters server_part(const std::vector<Counters>& parts) {
  return !parts.empty() && parts.front().front().view.empty() ? parts.front() : Counters{};
}

}  // namespace

bool belongs_to_view(CounterGroup group) noexcept {
  return kGroups[static_cast<std::size_t>(group)].of_view;
}

void HostReading::complete() {
  const auto key = [](const HostCounter& counter) { return std::tie(counter.view, counter.group, counter.name); };
  const std::size_t given = counters.size() + left_out;
  if (counters.size() > kMaxCounters) counters.resize(kMaxCounters);
  std::erase_if(counters, [](const HostCounter& counter) {
    return !is_name(counter.name) || counter.name.empty() != info(counter.group).label.empty() ||
           counter.view.empty() == belongs_to_view(counter.group);
  });
  std::ranges::stable_sort(counters, {}, key);
  const auto same = [&](const HostCounter& one, const HostCounter& other) { return key(one) == key(other); };
  counters.erase(std::unique(counters.begin(), counters.end(), same), counters.end());
  left_out = given - counters.size();
}

std::vector<HostCounter> growth(const HostReading& before, const HostReading& after) {
  std::unordered_map<std::string, std::uint64_t> known;
  std::set<std::string, std::less<>> views;  // and the server, as ""
  for (const HostCounter& counter : before.counters) {
    views.insert(counter.view);
    if (info(counter.group).has == Has::counters) known.emplace(identity(counter), counter.value);
  }
  std::vector<HostCounter> grown;
  for (const HostCounter& counter : after.counters) {
    if (info(counter.group).has != Has::counters) continue;
    const auto found = known.find(identity(counter));
    if (found == known.end() && !views.contains(counter.view)) continue;
    const std::uint64_t had = found == known.end() || found->second > counter.value ? 0 : found->second;
    if (counter.value == had) continue;
    grown.push_back(counter);
    grown.back().value = counter.value - had;
  }
  return grown;
}

HostState::HostState(Hub& hub, const HostInfo& host, Metrics& metrics, Told told)
    : hub_(hub), host_(host), told_(std::move(told)) {
  metrics.add([this](MetricsText& text) { write_metrics(text); });
}

void HostState::configure(const Options& options, Now now) {
  enabled_ = options.sources.named.enabled;
  interval_us_ = options.sources.named.interval.count();
  due_us_ = std::min(due_us_, now.mono_us + interval_us_);
  if (enabled_) return;
  last_.reset();
  summary_.clear();
}

// A host that has not answered yet is still coming up: it is asked each second.
void HostState::tick(Now now) {
  if (!enabled_ || !host_.counters_wanted || (last_ && now.mono_us + kTickSlackUs < due_us_)) return;
  due_us_ = now.mono_us + interval_us_;
  host_.counters_wanted();
}

void HostState::take(HostReading&& reading, Now now) {
  if (!enabled_) return;
  reading.complete();
  const std::optional<HostReading> before = std::exchange(last_, std::move(reading));
  load_ = load_at(last_->counters);
  const double seconds = before ? static_cast<double>(last_->taken_us - before->taken_us) / 1e6 : 0;
  if (seconds <= 0) {
    summarize(nullptr, 0);
    emit_status(nullptr, 0, now);
    return;
  }
  const std::vector<HostCounter> grown = growth(*before, *last_);
  const std::uint64_t queries = sum(of_group(server_part(by_view(grown)), CounterGroup::queries));
  load_.elapsed_us = last_->taken_us - before->taken_us;
  load_.queries_per_second = static_cast<double>(queries) / seconds;
  load_.cache_hit_ratio = hit_ratio_of(over_views(grown, CounterGroup::cache));
  load_.upstream = answer_times(last_->counters, grown);
  summarize(&grown, seconds);
  emit_status(&grown, seconds, now);
  emit_query_stats(grown, seconds, now);
  told_(load_, now);
}

void HostState::summarize(const std::vector<HostCounter>* grown, double seconds) {
  summary_.clear();
  if (!host_.version.empty()) summary_.add("version", host_.version);
  if (last_->uptime_seconds != 0) summary_.add_integer("uptime_seconds", as_integer(last_->uptime_seconds));
  if (grown != nullptr) {
    summary_.add_real("qps", load_.queries_per_second);
    add_rates(summary_, "qps_by_rcode", of_group(server_part(by_view(*grown)), CounterGroup::responses), seconds);
    if (load_.cache_hit_ratio) summary_.add_real("cache_hit_ratio", *load_.cache_hit_ratio);
  }
  add_group(summary_, of_group(server_part(by_view(last_->counters)), CounterGroup::quotas));
  for (const CounterGroup group : {CounterGroup::cache_memory, CounterGroup::cache_nodes})
    add_group(summary_, over_views(last_->counters, group));
}

void HostState::emit_status(const std::vector<HostCounter>* grown, double seconds, Now now) {
  Event event = make_event(EventType::bind_status_update);
  event.source_component = "counters";
  Fields& data = event.data;
  const std::vector<Counters> parts = by_view(last_->counters);
  if (!host_.version.empty()) data.add("version", host_.version);
  if (last_->uptime_seconds != 0) data.add_integer("uptime_seconds", as_integer(last_->uptime_seconds));
  if (grown != nullptr) {
    const std::vector<Counters> grown_parts = by_view(*grown);
    const Counters server = server_part(grown_parts);
    data.add_real("qps", per_second(sum(of_group(server, CounterGroup::queries)), seconds));
    add_rates(data, "qps_by_rcode", of_group(server, CounterGroup::responses), seconds);
    add_rates(data, "qps_by_type", of_group(server, CounterGroup::queries), seconds);
  }
  add_groups(data, server_part(parts));
  for (const CounterGroup group : {CounterGroup::cache, CounterGroup::cache_memory, CounterGroup::cache_nodes})
    add_group(data, over_views(last_->counters, group));
  add_views(data, parts, false);
  if (last_->left_out != 0) data.add_integer("left_out", as_integer(last_->left_out));
  hub_.emit(std::move(event), now);
}

void HostState::emit_query_stats(const std::vector<HostCounter>& grown, double seconds, Now now) {
  Event event = make_event(EventType::dns_query_stats);
  event.source_component = "counters";
  Fields& data = event.data;
  const std::vector<Counters> parts = by_view(grown);
  const Counters server = server_part(parts);
  const std::uint64_t queries = sum(of_group(server, CounterGroup::queries));
  data.add_real("interval_seconds", std::round(seconds * 1000) / 1000);
  data.add_integer("queries", as_integer(queries));
  data.add_integer("responses", as_integer(sum(of_group(server, CounterGroup::responses))));
  data.add_real("qps", per_second(queries, seconds));
  add_groups(data, server);
  const std::vector<HostCounter> cache = over_views(grown, CounterGroup::cache);
  add_group(data, cache);
  add_hit_ratio(data, cache);
  add_views(data, parts, true);
  hub_.emit(std::move(event), now);
}

void HostState::write_metrics(MetricsText& text) const {
  using Kind = MetricsText::Kind;
  if (!last_) return;
  text.family(Kind::info, "named", "The server.");
  text.sample(std::uint64_t{1}, {{"version", host_.version}});
  if (last_->uptime_seconds != 0) {
    text.family(Kind::gauge, "named_uptime_seconds", "Time since the server started.", "seconds");
    text.sample(last_->uptime_seconds);
  }
  const auto write_family = [&](CounterGroup group, std::string_view metric, Kind kind, bool limits) {
    const GroupInfo& of = info(group);
    text.family(kind, metric, limits ? "The limit of it; 0: none." : of.help, of.unit);
    for (const HostCounter& counter : last_->counters) {
      if (counter.group != group) continue;
      const std::uint64_t value = limits ? counter.limit : counter.value;
      if (!of.of_view) {
        text.sample(value, {{of.label, counter.name}});
      } else if (of.label.empty()) {
        text.sample(value, {{"view", counter.view}});
      } else {
        text.sample(value, {{"view", counter.view}, {of.label, counter.name}});
      }
    }
  };
  for (std::size_t i = 0; i < kCounterGroups; ++i) {
    const auto group = static_cast<CounterGroup>(i);
    write_family(group, kGroups[i].metric, kGroups[i].has == Has::counters ? Kind::counter : Kind::gauge, false);
  }
  write_family(CounterGroup::quotas, "named_quota_limit", Kind::gauge, true);
  write_family(CounterGroup::cache_memory, "named_cache_memory_limit_bytes", Kind::gauge, true);
}

}  // namespace bindcast
