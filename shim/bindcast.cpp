// The C ABI of bindcast.h over the runtime. Each entry is noexcept and catches all: no exception reaches the host.

#include "shim/bindcast.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <string>
#include <utility>

#include "config/load.hpp"
#include "events/dns_text.hpp"
#include "plugin/capture/fields_json.hpp"
#include "plugin/changes/zone_change.hpp"
#include "plugin/correlation_id.hpp"
#include "plugin/publish/published_event.hpp"
#include "plugin/publish/type_name.hpp"
#include "plugin/runtime.hpp"
#include "plugin/sources/host_state.hpp"

using bindcast::CounterGroup;
using bindcast::Event;
using bindcast::EventType;
using bindcast::LogLevel;

struct bindcast_runtime {
  bindcast_runtime(bindcast::HostInfo host, bindcast::Configuration configuration)
      : impl(std::move(host), std::move(configuration)) {}
  bindcast::Runtime impl;
};

struct bindcast_change {
  bindcast_runtime* runtime;
  bindcast::ZoneChange change;
};

namespace {

// The runtime of this process and how many instances of the host hold it.
std::mutex g_mutex;
bindcast_runtime* g_runtime = nullptr;
unsigned g_references = 0;

bindcast::Log make_log(const bindcast_host* host) {
  if (host == nullptr || host->log == nullptr)
    return [](LogLevel, const std::string& line) { std::fprintf(stderr, "bindcast: %s\n", line.c_str()); };
  return [log = host->log, closure = host->log_closure](LogLevel level, const std::string& line) {
    log(closure, static_cast<bindcast_log_level>(level), line.c_str());
  };
}

std::string text_or(const char* text, const char* otherwise) {
  return text != nullptr ? text : otherwise;
}

// Hosts that were built before there were counters have a shorter struct.
std::function<void()> counters_of(const bindcast_host* host) {
  if (host == nullptr || host->size < offsetof(bindcast_host, counters_closure) + sizeof(void*) ||
      host->counters_wanted == nullptr)
    return {};
  return [wanted = host->counters_wanted, closure = host->counters_closure] { wanted(closure); };
}

// Every fault logged; false when there was a fault.
bool load(const char* config_path, const bindcast::Log& log, bindcast::Configuration& out) {
  if (config_path == nullptr) {
    out = bindcast::Configuration{};
    return true;
  }
  bindcast::LoadResult result = bindcast::load_options_file(config_path);
  for (const auto& fault : result.faults) log(LogLevel::error, fault.text());
  if (!result.ok()) return false;
  out = std::move(static_cast<bindcast::Configuration&>(result));
  return true;
}

// Runs `body`, turning any exception into `otherwise`.
template <typename Result, typename Body>
Result guarded(Result otherwise, Body&& body) noexcept {
  try {
    return body();
  } catch (...) {
    return otherwise;
  }
}

template <typename Body>
void guarded(Body&& body) noexcept {
  guarded(0, [&] {
    body();
    return 0;
  });
}

// Makes and emits an event; what keeps it from being made is told as the loss of an event of that type.
template <typename Body>
void guarded_event(bindcast_runtime* runtime, EventType type, Body&& body) noexcept {
  const bool made = guarded(false, [&] {
    body();
    return true;
  });
  if (!made) runtime->impl.lost(type);
}

std::uint8_t size_of(const std::uint8_t* part, std::uint8_t size) {
  return part == nullptr ? 0 : size;
}

// Writes one request into the producer's ring; see records.hpp for the layout. Every field is given and nothing cleared
// before, and the parts are copied by a call: rep stos and rep movs, which g++ 12 puts in their place, were a fifth of
// what the hooks took.
bool capture(bindcast::Producer& producer, const bindcast_query& query, bindcast::RecordKind kind,
             std::uint32_t sample) noexcept {
  static constexpr bindcast_rpz kNoRewrite{};
  const bindcast_rpz& rpz = query.rpz == nullptr ? kNoRewrite : *query.rpz;
  const std::uint8_t qname_size = size_of(query.qname, query.qname_length);
  const std::uint8_t tsig_size = size_of(query.tsig_key, query.tsig_key_length);
  const auto view_size = static_cast<std::uint8_t>(query.view == nullptr ? 0 : strnlen(query.view, 255));
  const std::uint8_t policy_zone_size = size_of(rpz.policy_zone, rpz.policy_zone_length);
  const std::uint8_t rule_size = size_of(rpz.rule, rpz.rule_length);

  constexpr std::uint16_t kServfail = 2;
  const std::size_t size =
      sizeof(bindcast::QueryRecord) + qname_size + tsig_size + view_size + policy_zone_size + rule_size;
  std::byte* at = producer.reserve(kind, size, !query.dropped && query.rcode == kServfail);
  if (at == nullptr) return false;
  new (at) bindcast::QueryRecord{
      .ended_ns = query.ended_ns,
      .latency_ns = query.ended_ns > query.started_ns ? query.ended_ns - query.started_ns : 0,
      .sample = sample,
      .policy_serial = rpz.policy_serial,
      .hook_ns = query.hook_ns,
      .client_port = query.client.port,
      .qtype = query.qtype,
      .qclass = query.qclass,
      .rcode = query.rcode,
      .flags = query.flags,
      .answers = query.answers,
      .authority = query.authority,
      .additional = query.additional,
      .edns_version = query.edns_version,
      .edns_udp_size = query.edns_udp_size,
      .ede_code = query.ede_code,
      .client_family = query.client.family,
      .ecs_family = query.ecs.family,
      .client = std::bit_cast<std::array<std::uint8_t, 16>>(query.client.bytes),
      .ecs = std::bit_cast<std::array<std::uint8_t, 16>>(query.ecs.bytes),
      .ecs_source = query.ecs_source,
      .transport = static_cast<bindcast::Transport>(std::min<std::uint8_t>(query.transport, BINDCAST_HTTPS)),
      .trigger = static_cast<bindcast::RpzTrigger>(std::min<std::uint8_t>(rpz.trigger, BINDCAST_TRIGGER_NSIP)),
      .action = static_cast<bindcast::RpzAction>(std::min<std::uint8_t>(rpz.action, BINDCAST_ACTION_LOCAL_DATA)),
      .counted = query.counted,
      .dropped = query.dropped,
      .recursed = query.recursed,
      .cached = query.cached,
      .edns_do = query.edns_do,
      .has_ede = query.has_ede,
      .has_rpz = query.rpz != nullptr,
      .qname_size = qname_size,
      .tsig_size = tsig_size,
      .view_size = view_size,
      .policy_zone_size = policy_zone_size,
      .rule_size = rule_size};

  auto* end = reinterpret_cast<std::uint8_t*>(at) + sizeof(bindcast::QueryRecord);
  end = std::copy_n(query.qname, qname_size, end);
  end = std::copy_n(query.tsig_key, tsig_size, end);
  end = std::copy_n(reinterpret_cast<const std::uint8_t*>(query.view), view_size, end);
  end = std::copy_n(rpz.policy_zone, policy_zone_size, end);
  std::copy_n(rpz.rule, rule_size, end);
  producer.commit(kind);
  return true;
}

bindcast::ZoneIdentity zone_identity(const bindcast_zone& zone) {
  return {.zone = text_or(zone.zone, ""),
          .view = text_or(zone.view, ""),
          .zone_type = text_or(zone.zone_type, "unknown"),
          .cause = text_or(zone.cause, "unknown"),
          .policy_zone = zone.policy_zone};
}

bindcast::RRsetState rrset_state(const bindcast_rrset& rrset) {
  bindcast::RRsetState state{.ttl = rrset.ttl, .rdata = {}};
  state.rdata.reserve(rrset.count);
  for (std::size_t i = 0; i < rrset.count; ++i) state.rdata.emplace_back(rrset.rdata[i]);
  return state;
}

std::string counter_name(const bindcast_counter& counter) {
  if (counter.name != nullptr) return std::string(counter.name, strnlen(counter.name, 64));
  char text[bindcast::kMaxCodeText];
  switch (static_cast<CounterGroup>(counter.group)) {
    case CounterGroup::responses:
      return {text, bindcast::write_rcode(text, counter.code)};
    case CounterGroup::queries:
    case CounterGroup::resolver_queries:
      return {text, bindcast::write_rrtype(text, counter.code)};
    default:
      return {};
  }
}

bindcast::HostCounter host_counter(const bindcast_counter& counter) {
  const auto group = static_cast<CounterGroup>(counter.group);
  const bool of_view = bindcast::belongs_to_view(group) && counter.view != nullptr;
  return {.group = group,
          .view = of_view ? std::string(counter.view, strnlen(counter.view, 255)) : std::string(),
          .name = counter_name(counter),
          .value = counter.value,
          .limit = counter.limit,
          .life = counter.life};
}

bool refuse(const std::string& reason, char* error, std::size_t error_size) {
  if (error != nullptr && error_size != 0) std::snprintf(error, error_size, "%s", reason.c_str());
  return false;
}

}  // namespace

extern "C" {

unsigned bindcast_abi_version(void) {
  return BINDCAST_ABI_VERSION;
}

bool bindcast_check(const bindcast_host* host, const char* config_path) {
  return guarded(false, [&] {
    bindcast::Configuration configuration;
    return load(config_path, make_log(host), configuration);
  });
}

bindcast_runtime* bindcast_start(const bindcast_host* host, const char* config_path) {
  return guarded(static_cast<bindcast_runtime*>(nullptr), [&]() -> bindcast_runtime* {
    const std::lock_guard lock(g_mutex);
    if (g_runtime == nullptr) {
      const bindcast::Log log = make_log(host);
      bindcast::Configuration configuration;
      if (!load(config_path, log, configuration)) return nullptr;
      bindcast::HostInfo info{.name = host == nullptr ? "host" : text_or(host->name, "host"),
                              .version = host == nullptr ? "" : text_or(host->version, ""),
                              .state_dir = host == nullptr ? "." : text_or(host->state_dir, "."),
                              .log = log,
                              .counters_wanted = counters_of(host)};
      try {
        g_runtime = new bindcast_runtime(std::move(info), std::move(configuration));
      } catch (const std::exception& fault) {
        log(LogLevel::error, std::string("cannot start: ") + fault.what());
        return nullptr;
      }
    }
    ++g_references;
    return g_runtime;
  });
}

void bindcast_stop(bindcast_runtime* runtime) {
  guarded([&] {
    const std::lock_guard lock(g_mutex);
    if (runtime == nullptr || runtime != g_runtime || --g_references != 0) return;
    delete std::exchange(g_runtime, nullptr);
  });
}

bool bindcast_prepare(bindcast_runtime* runtime, const char* config_path) {
  return guarded(false, [&] {
    bindcast::Configuration configuration;
    if (!load(config_path, runtime->impl.host().log, configuration)) return false;
    runtime->impl.prepare(std::move(configuration));
    return true;
  });
}

void bindcast_apply(bindcast_runtime* runtime) {
  guarded([&] { runtime->impl.apply(); });
}

void bindcast_discard(bindcast_runtime* runtime) {
  guarded([&] { runtime->impl.discard(); });
}

bindcast_producer* bindcast_producer_create(bindcast_runtime* runtime) {
  return guarded(static_cast<bindcast_producer*>(nullptr),
                 [&] { return reinterpret_cast<bindcast_producer*>(runtime->impl.add_producer()); });
}

uint32_t bindcast_interest(const bindcast_runtime* runtime) {
  return const_cast<bindcast_runtime*>(runtime)->impl.control().interest.load(std::memory_order_relaxed);
}

bool bindcast_query_done(bindcast_producer* handle, const bindcast_query* query) {
  auto& producer = *reinterpret_cast<bindcast::Producer*>(handle);
  if (query->counted) return capture(producer, *query, bindcast::RecordKind::query, 1);
  if (producer.sampled_out()) return true;
  return capture(producer, *query, bindcast::RecordKind::query, producer.sample());
}

bool bindcast_rpz_hit(bindcast_producer* handle, const bindcast_query* query) {
  if (query->rpz == nullptr) return false;
  return capture(*reinterpret_cast<bindcast::Producer*>(handle), *query, bindcast::RecordKind::rpz_hit, 1);
}

void bindcast_query_passed(bindcast_producer* producer) {
  reinterpret_cast<bindcast::Producer*>(producer)->count_passed_query();
}

void bindcast_query_lost(bindcast_producer* producer) {
  reinterpret_cast<bindcast::Producer*>(producer)->count_lost_query();
}

void bindcast_zone_happened(bindcast_runtime* runtime, bindcast_zone_happening what, const bindcast_zone* zone) {
  constexpr EventType kTypes[] = {EventType::zone_created, EventType::zone_deleted, EventType::zone_loaded,
                                  EventType::zone_expired};
  if (static_cast<std::size_t>(what) >= std::size(kTypes)) return;
  guarded_event(runtime, kTypes[what], [&] {
    const bindcast::ZoneIdentity identity = zone_identity(*zone);
    Event event = bindcast::make_event(kTypes[what]);
    event.source_component = "zone";
    event.view = identity.view;
    event.correlation_id = text_or(zone->correlation, "");
    event.data.add("zone", identity.zone);
    event.data.add("view", identity.view);
    event.data.add("zone_type", identity.zone_type);
    event.data.add("cause", identity.cause);
    if (zone->has_serial) {
      event.data.begin_object("serial");
      event.data.add_integer(what == BINDCAST_ZONE_DELETED || what == BINDCAST_ZONE_EXPIRED ? "from" : "to",
                             zone->serial);
      event.data.end();
    }
    if (zone->records != 0) event.data.add_integer("records", static_cast<std::int64_t>(zone->records));
    if (zone->policy_zone) event.data.add_boolean("policy_zone", true);
    runtime->impl.emit(std::move(event));
  });
}

bindcast_change* bindcast_change_begin(bindcast_runtime* runtime, const bindcast_zone* zone, uint32_t serial_from,
                                       uint32_t serial_to, const char* correlation) {
  return guarded(static_cast<bindcast_change*>(nullptr), [&] {
    return new bindcast_change{
        runtime, bindcast::ZoneChange(zone_identity(*zone), serial_from, serial_to,
                                      correlation != nullptr ? correlation : bindcast::new_correlation_id(),
                                      runtime->impl.options()->events.zones.bulk_threshold)};
  });
}

void bindcast_change_record(bindcast_change* change, const bindcast_record* record) {
  if (change == nullptr) return;
  guarded([&] {
    change->change.record(text_or(record->name, ""), text_or(record->rtype, ""), rrset_state(record->before),
                          rrset_state(record->after));
  });
}

void bindcast_change_commit(bindcast_change* change) {
  const std::unique_ptr<bindcast_change> owned(change);
  if (!owned) return;
  guarded_event(owned->runtime, EventType::zone_updated,
                [&] { owned->runtime->impl.emit(owned->change.take_events()); });
}

void bindcast_change_abandon(bindcast_change* change) {
  delete change;
}

void bindcast_reloaded(bindcast_runtime* runtime, const bindcast_reload* reload) {
  guarded_event(runtime, EventType::bind_reload, [&] {
    constexpr const char* kOutcomes[] = {"started", "succeeded", "failed"};
    if (reload->outcome >= std::size(kOutcomes)) return;
    Event event = bindcast::make_event(EventType::bind_reload);
    if (reload->outcome == BINDCAST_RELOAD_FAILED) event.severity = bindcast::Severity::error;
    event.source_component = "config";
    event.correlation_id = text_or(reload->correlation, "");
    event.data.add("cause", text_or(reload->cause, "reload"));
    event.data.add("outcome", kOutcomes[reload->outcome]);
    if (reload->reason != nullptr) event.data.add("reason", reload->reason);
    if (reload->outcome != BINDCAST_RELOAD_STARTED)
      event.data.add_integer("duration_ms", static_cast<std::int64_t>(reload->duration_ms));
    if (reload->zones != 0) event.data.add_integer("zones", reload->zones);
    if (reload->views != 0) event.data.add_integer("views", reload->views);
    runtime->impl.emit(std::move(event), bindcast::ColdQueue::WhenFull::drop);
  });
}

void bindcast_configuration(bindcast_runtime* runtime, const char* text, size_t length, const char* correlation) {
  guarded([&] { runtime->impl.configuration(std::string(text, length), text_or(correlation, "")); });
}

void bindcast_counted(bindcast_runtime* runtime, const bindcast_counters* counters) {
  guarded([&] {
    bindcast::HostReading reading;
    reading.taken_us = bindcast::read_clock().mono_us;
    reading.uptime_seconds = counters->uptime_seconds;
    const std::size_t count = std::min(counters->count, bindcast::HostReading::kMaxCounters);
    reading.left_out = counters->count - count;
    reading.counters.reserve(count);
    for (const bindcast_counter& counter : std::span(counters->counters, count)) {
      if (counter.group < bindcast::kCounterGroups)
        reading.counters.push_back(host_counter(counter));
      else
        ++reading.left_out;
    }
    runtime->impl.counted(std::move(reading));
  });
}

bool bindcast_emit_fields(bindcast_runtime* runtime, const char* type, const bindcast_field* fields, size_t count,
                          char* error, size_t error_size) {
  return guarded(false, [&] {
    Event event;
    std::string reason;
    if (!bindcast::make_event_of(text_or(type, ""), event, reason)) return refuse(reason, error, error_size);
    std::size_t bytes = 0;
    for (const bindcast_field& field : std::span(fields, count)) {
      const std::string name = text_or(field.name, "");
      switch (field.kind) {
        case BINDCAST_TEXT:
          event.data.add(name, std::string_view(text_or(field.text, "")));
          break;
        case BINDCAST_INTEGER:
          event.data.add_integer(name, field.integer);
          break;
        case BINDCAST_REAL:
          event.data.add_real(name, field.real);
          break;
        case BINDCAST_BOOLEAN:
          event.data.add_boolean(name, field.integer != 0);
          break;
      }
      bytes = event.data.bytes();
      if (bytes > 4 * bindcast::kMaxJsonBytes) return refuse("the fields are too long", error, error_size);
    }
    runtime->impl.emit(std::move(event));
    return true;
  });
}

bool bindcast_emit_json(bindcast_runtime* runtime, const char* type, const char* json, size_t length, char* error,
                        size_t error_size) {
  return guarded(false, [&] {
    Event event;
    std::string reason;
    if (!bindcast::make_event_of(text_or(type, ""), event, reason)) return refuse(reason, error, error_size);
    if (!bindcast::fields_from_json({json, length}, event.data, reason))
      return refuse("data: " + reason, error, error_size);
    runtime->impl.emit(std::move(event));
    return true;
  });
}

bool bindcast_publish(bindcast_runtime* runtime, const char* user, const char* json, size_t length, char* error,
                      size_t error_size) {
  return guarded(false, [&] {
    const std::size_t most = runtime->impl.options()->publish.max_event_bytes;
    if (length > most) return refuse("longer than " + std::to_string(most) + " bytes", error, error_size);
    std::string fault;
    const bindcast::Json parsed = bindcast::parse_published({json, length}, fault);
    if (!parsed) return refuse(fault, error, error_size);
    bindcast::PublishedEvent published =
        bindcast::read_published(parsed.get(), bindcast::PublishedForm::own, true, bindcast::read_clock());
    if (published.refusal) return refuse(published.refusal->message, error, error_size);
    published.event.source_service = "publisher";
    published.event.source_component = "host";
    published.event.source_user_id = text_or(user, "");
    runtime->impl.emit(std::move(published.event));
    return true;
  });
}

void bindcast_zone_watch_options(bindcast_runtime* runtime, bindcast_zone_watch* out) {
  guarded([&] {
    const auto options = runtime->impl.options();
    const auto& zones = options->events.zones;
    out->sweep_us = static_cast<std::uint64_t>(zones.sweep.count());
    out->bulk_threshold = zones.bulk_threshold;
    out->dnssec_records = zones.dnssec_records;
    out->builtin = zones.builtin;
  });
}

bool bindcast_zone_ignored(bindcast_runtime* runtime, const char* zone) {
  return guarded(false, [&] {
    const auto options = runtime->impl.options();
    return std::ranges::any_of(options->events.zones.ignore,
                               [&](const std::string& pattern) { return bindcast::glob_match(pattern, zone); });
  });
}

void bindcast_new_correlation(bindcast_runtime*, char out[27]) {
  out[0] = '\0';
  guarded([&] { std::snprintf(out, 27, "%s", bindcast::new_correlation_id().c_str()); });
}

}  // extern "C"
