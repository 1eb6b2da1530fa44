// What an event costs on one core, stage by stage: record, event, hub, filter, JSON, batch, deflate. No sockets and no
// threads; delivery.py measures those.
//
//   build/tests/bench/core_bench [--benchmark_filter=json] [--benchmark_repetitions=5]
//
// items_per_second are events; bytes_per_second are bytes of JSON, where there is any.

#include <benchmark/benchmark.h>
#include <zlib.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "events/event.hpp"
#include "events/filter.hpp"
#include "events/json.hpp"
#include "plugin/analytics/analytics.hpp"
#include "plugin/capture/query_event.hpp"
#include "plugin/capture/records.hpp"
#include "plugin/delivery/channels.hpp"
#include "plugin/detectors/detectors.hpp"
#include "plugin/hub/hub.hpp"
#include "traffic.hpp"

namespace {

using bindcast::Event;
using bindcast::EventType;
using bindcast::Now;
using bindcast::QueryView;

constexpr std::size_t kEvents = 4096;
constexpr Now kNow{.mono_us = 5'000'000'000, .wall_us = 1'795'000'000'000'000};
constexpr std::string_view kView = "_default";

const bindcast::StreamIdentity& stream() {
  static const bindcast::StreamIdentity identity{.epoch = "660f8a2951184", .host = "ns1", .service = "named"};
  return identity;
}

std::vector<std::byte> record_of(const bench::Question& question, std::size_t number) {
  bindcast::QueryRecord record{};
  record.ended_ns = (static_cast<std::uint64_t>(kNow.mono_us) - 1'000'000 + number * 20) * 1000;
  record.latency_ns = std::uint64_t{question.latency_us} * 1000;
  record.sample = 1;
  record.client_port = question.port;
  record.qtype = question.qtype;
  record.qclass = 1;
  record.rcode = question.rcode;
  record.flags = question.flags;
  record.answers = question.answers;
  record.authority = question.authority;
  record.edns_version = static_cast<std::int16_t>(question.edns ? 0 : -1);
  record.edns_udp_size = 1232;
  record.edns_do = question.edns_do;
  record.client_family = question.family;
  std::memcpy(record.client.data(), question.client.data(), sizeof record.client);
  record.transport = bindcast::Transport::udp;
  record.recursed = question.recursed;
  record.cached = !question.recursed;
  record.qname_size = question.qname_size;
  record.view_size = static_cast<std::uint8_t>(kView.size());

  std::vector<std::byte> bytes(sizeof record + record.names_size());
  std::memcpy(bytes.data(), &record, sizeof record);
  std::memcpy(bytes.data() + sizeof record, question.qname.data(), question.qname_size);
  std::memcpy(bytes.data() + sizeof record + question.qname_size, kView.data(), kView.size());
  return bytes;
}

const std::vector<std::vector<std::byte>>& records() {
  static const auto made = [] {
    bench::Traffic traffic;
    std::vector<std::vector<std::byte>> all;
    for (std::size_t i = 0; i < kEvents; ++i) all.push_back(record_of(traffic.next(), i));
    return all;
  }();
  return made;
}

// Over what `event` held before, as the intake does it.
void write_event(Event& event, const std::vector<std::byte>& record) {
  QueryView query;
  if (!QueryView::read(record, query)) throw std::logic_error("a record that the benchmark made is not one");
  bindcast::write_query_event(event, EventType::dns_query_log, query, {}, kNow);
}

Event event_of(const std::vector<std::byte>& record) {
  Event event;
  write_event(event, record);
  return event;
}

const std::vector<Event>& query_events() {
  static const auto made = [] {
    std::vector<Event> all;
    for (const auto& record : records()) {
      all.push_back(event_of(record));
      all.back().offset = all.size();
      all.back().source_service = stream().service;
    }
    return all;
  }();
  return made;
}

const std::vector<Event>& record_updates() {
  static const auto made = [] {
    std::vector<Event> all;
    for (std::size_t i = 0; i < kEvents; ++i) {
      Event event = bindcast::make_event(EventType::record_updated);
      event.offset = i + 1;
      event.timestamp_us = kNow.wall_us;
      event.source_service = stream().service;
      event.source_component = "zone";
      event.view = kView;
      event.correlation_id = "01M856CSJGWZM56MN4T99WPDN8";
      const auto side = [&](const char* key, int ttl) {
        event.data.begin_object(key).add_integer("ttl", ttl).begin_array("rdata");
        for (int address = 0; address < 2; ++address)
          event.data.add({}, "192.0.2." + std::to_string((static_cast<int>(i) + address + ttl) % 256));
        event.data.end().end();
      };
      event.data.add("zone", "example.com").add("view", kView);
      event.data.add("name", "host" + std::to_string(i) + ".example.com").add("rtype", "A");
      side("before", 3600);
      side("after", 300);
      event.data.begin_object("serial").add_integer("from", 2026112601).add_integer("to", 2026112602).end();
      event.data.add("cause", "update");
      all.push_back(std::move(event));
    }
    return all;
  }();
  return made;
}

// ── JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

void write_json(benchmark::State& state, const std::vector<Event>& events) {
  bindcast::EventWriter writer(stream());
  std::size_t at = 0, bytes = 0;
  for (auto _ : state) {
    const std::string_view text = writer.write(events[at]);
    benchmark::DoNotOptimize(text.data());
    bytes += text.size();
    at = (at + 1) % events.size();
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
  state.counters["bytes_per_event"] = static_cast<double>(bytes) / static_cast<double>(state.iterations());
}

void json_query(benchmark::State& state) {
  write_json(state, query_events());
}
BENCHMARK(json_query);

void json_record_updated(benchmark::State& state) {
  write_json(state, record_updates());
}
BENCHMARK(json_record_updated);

// ── Matching ─────────────────────────────────────────────────────────────────────────────────────────────────────────

bindcast::Subscription subscription(std::string_view filter) {
  bindcast::Subscription made;
  bindcast::Filter::Error error;
  if (!bindcast::Filter::compile(filter, made.filter, error)) throw std::logic_error(error.message);
  return made;
}

void match(benchmark::State& state, const bindcast::Subscription& wanted) {
  const auto& events = query_events();
  std::size_t at = 0, matched = 0;
  for (auto _ : state) {
    matched += wanted.matches(events[at], stream()) ? 1U : 0U;
    at = (at + 1) % events.size();
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["matched"] = static_cast<double>(matched) / static_cast<double>(state.iterations());
}

void match_everything(benchmark::State& state) {
  match(state, subscription(""));
}
BENCHMARK(match_everything);

void match_named_type(benchmark::State& state) {
  bindcast::Subscription wanted;
  wanted.types.set(static_cast<std::size_t>(EventType::dns_query_log));
  match(state, wanted);
}
BENCHMARK(match_named_type);

void match_type_and_category(benchmark::State& state) {
  match(state, subscription(R"(category = "dns" and type = "dns_query_log")"));
}
BENCHMARK(match_type_and_category);

// The example of doc/protocol.md.
void match_documented(benchmark::State& state) {
  match(state, subscription(R"(category = "security" or (type = "dns_query_log" and rcode in ("SERVFAIL","REFUSED")
    and qname under "example.com" and client in "10.0.0.0/8" and latency_us > 5000))"));
}
BENCHMARK(match_documented);

// Its terms hold for most queries, so that most of them are looked at.
void match_eight_terms(benchmark::State& state) {
  match(state, subscription(R"(type = "dns_query_log" and transport = "udp" and view ~ "_def*" and qclass = "IN"
    and not (qname under "internal.test") and client in "10.0.0.0/8" and latency_us > 50
    and qtype in ("A","AAAA","HTTPS"))"));
}
BENCHMARK(match_eight_terms);

// ── From record to hub ───────────────────────────────────────────────────────────────────────────────────────────────

void record_to_event(benchmark::State& state) {
  const auto& all = records();
  std::size_t at = 0;
  Event event;
  for (auto _ : state) {
    write_event(event, all[at]);
    benchmark::DoNotOptimize(event);
    at = (at + 1) % all.size();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(record_to_event);

// Keeps the JSON of the last event, and hands each to whoever asked.
class Keeper : public bindcast::Subscriber {
 public:
  explicit Keeper(std::string_view filter) { subscriptions.push_back(subscription(filter)); }
  void deliver(const bindcast::EncodedRef& event, Now) override {
    last = event;
    bytes += event->json_bytes;
    ++events;
  }
  void lost(bindcast::DropReason, EventType, std::uint64_t, Now) override {
    throw std::logic_error("nothing can be lost here");
  }
  void failed() noexcept override {}

  bindcast::EncodedRef last;
  std::size_t events = 0, bytes = 0;
};

void record_to_hub(benchmark::State& state) {
  const auto& all = records();
  bindcast::Hub hub(stream(), kNow);
  Keeper keeper("");
  hub.add_subscriber(keeper);
  std::size_t at = 0;
  Event event;
  for (auto _ : state) {
    write_event(event, all[at]);
    hub.emit(std::move(event), kNow);
    at = (at + 1) % all.size();
  }
  hub.remove_subscriber(keeper);
  if (keeper.events != static_cast<std::size_t>(state.iterations())) state.SkipWithError("the hub lost events");
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(static_cast<std::int64_t>(keeper.bytes));
}
BENCHMARK(record_to_hub);

// The same where what tells of people is masked: for all, or for one of two viewers. 1: prefix and domain, 2: hashes.
bindcast::PrivacyOptions privacy(std::int64_t which) {
  using bindcast::ClientAddressPrivacy, bindcast::QueryNamePrivacy;
  return which == 1 ? bindcast::PrivacyOptions{ClientAddressPrivacy::prefix, QueryNamePrivacy::domain}
                    : bindcast::PrivacyOptions{ClientAddressPrivacy::hash, QueryNamePrivacy::hash};
}

void record_to_hub_masked(benchmark::State& state, bool for_all) {
  const auto& all = records();
  bindcast::Hub hub(stream(), kNow);
  bindcast::Options options;
  bindcast::Sight::Part part;
  part.types.set();
  (for_all ? options.privacy : part.privacy) = privacy(state.range(0));
  hub.configure(options);
  Keeper clear(""), masked("");
  masked.sight = std::make_shared<const bindcast::Sight>(std::vector{part}, false);
  hub.add_subscriber(clear);
  if (!for_all) hub.add_subscriber(masked);
  std::size_t at = 0;
  Event event;
  for (auto _ : state) {
    write_event(event, all[at]);
    hub.emit(std::move(event), kNow);
    at = (at + 1) % all.size();
  }
  hub.remove_subscriber(clear);
  if (!for_all) hub.remove_subscriber(masked);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(record_to_hub_masked, for_all, true)->Arg(1)->Arg(2);
BENCHMARK_CAPTURE(record_to_hub_masked, for_one_of_two, false)->Arg(1)->Arg(2);

// ── Who looks at every record ────────────────────────────────────────────────────────────────────────────────────────

struct Analysed {
  bindcast::Hub hub{stream(), kNow};
  bindcast::Intake intake{hub};
  bindcast::Metrics metrics;
  bindcast::Analytics analytics{hub, intake, metrics};
  bindcast::Options options;
  std::vector<QueryView> queries{kEvents};

  explicit Analysed(const bindcast::PrivacyOptions& privacy = {}) {
    options.sources.analytics.enabled = bindcast::SourcesOptions::Analytics::When::always;
    options.privacy = privacy;
    analytics.configure(options, kNow);
    for (std::size_t i = 0; i < kEvents; ++i)
      if (!QueryView::read(records()[i], queries[i])) throw std::logic_error("a record that was made here is not one");
  }
};

// What an observer takes of the loop for each query. 0: ordinary traffic, 1: every name a new one under one domain,
// which is the most that names can cost, 2: ordinary traffic, networks and domains instead of addresses and names.
void analytics_see(benchmark::State& state) {
  Analysed house(state.range(0) == 2 ? privacy(1) : bindcast::PrivacyOptions{});
  std::array<std::uint8_t, 30> name{12};
  std::memcpy(name.data() + 13, "\7tunnels\7example", 16);
  std::uint64_t random = 1;
  std::size_t at = 0;
  for (auto _ : state) {
    QueryView& query = house.queries[at];
    if (state.range(0) == 1) {
      random = random * 6364136223846793005 + 1442695040888963407;
      for (unsigned i = 0; i < 12; ++i) name[1 + i] = static_cast<std::uint8_t>('a' + ((random >> (5 * i)) & 15));
      query.qname = name;
    }
    house.analytics.see(query, kNow);
    at = (at + 1) % kEvents;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(analytics_see)->ArgName("traffic")->DenseRange(0, 2);

// An update at the end of an interval in which so many views had more of everything than there is room for.
void analytics_update(benchmark::State& state) {
  Analysed house;
  Now now = kNow;
  for (auto _ : state) {
    state.PauseTiming();
    for (std::int64_t view = 0; view < state.range(0); ++view) {
      const std::string name = "view" + std::to_string(view);
      for (QueryView query : house.queries) {
        query.view = name;
        house.analytics.see(query, now);
      }
    }
    now.mono_us += 5'000'000;
    state.ResumeTiming();
    house.analytics.tick(now);
  }
}
BENCHMARK(analytics_update)->ArgName("views")->Arg(1)->Arg(17)->Unit(benchmark::kMicrosecond);

// ── Batches ──────────────────────────────────────────────────────────────────────────────────────────────────────────

// As doc/protocol.md has it.
constexpr std::string_view kBatchHead =
    R"({"type":"batched_events","id":"b-660f8a2951184-000000000001","batch_size":25,"priority":"low",)"
    R"("created_at":"2026-11-26T00:00:00.000000Z","timestamp":"2026-11-26T00:00:00.500000Z","events":[)";

const std::vector<std::string>& query_jsons() {
  static const auto made = [] {
    std::vector<std::string> all;
    bindcast::EventWriter writer(stream());
    for (const Event& event : query_events()) all.emplace_back(writer.write(event));
    return all;
  }();
  return made;
}

// Joins `count` events from `at` on; returns where the next batch begins.
std::size_t join(std::string& text, std::size_t at, std::size_t count) {
  const auto& all = query_jsons();
  text.assign(kBatchHead);
  for (std::size_t i = 0; i < count; ++i, at = (at + 1) % all.size()) {
    text += all[at];
    text += ',';
  }
  text.back() = ']';
  text += '}';
  return at;
}

void batch_text(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  std::string text;
  std::size_t at = 0, bytes = 0;
  for (auto _ : state) {
    at = join(text, at, count);
    benchmark::DoNotOptimize(text.data());
    bytes += text.size();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(count));
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(batch_text)->ArgName("events")->Arg(25)->Arg(100);

std::size_t deflate_into(std::string& out, std::string_view text, int level) {
  uLongf size = compressBound(text.size());
  if (out.size() < size) out.resize(size);
  if (compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(text.data()), text.size(),
                level) != Z_OK)
    throw std::runtime_error("zlib");
  return size;
}

void batch_deflate(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const int level = static_cast<int>(state.range(1));
  std::vector<std::string> texts(kEvents / count);
  for (std::size_t i = 0, at = 0; i < texts.size(); ++i) at = join(texts[i], at, count);
  std::string out;
  std::size_t at = 0, bytes = 0, packed = 0;
  for (auto _ : state) {
    packed += deflate_into(out, texts[at], level);
    bytes += texts[at].size();
    at = (at + 1) % texts.size();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(count));
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
  state.counters["of_its_size"] = static_cast<double>(packed) / static_cast<double>(bytes);
  state.counters["bytes_per_event"] =
      static_cast<double>(packed) / static_cast<double>(state.iterations()) / static_cast<double>(count);
}
BENCHMARK(batch_deflate)->ArgNames({"events", "level"})->ArgsProduct({{25, 100}, {1, 3, 6}});

// The whole way on one core: record, event, filter, JSON, channel, batch, deflate, and out of a client's queue. Level
// 0: not compressed.
void record_to_client(benchmark::State& state) {
  const int level = static_cast<int>(state.range(1));
  const auto& all = records();
  bindcast::Options options;
  options.batching.max_batch_size = static_cast<std::uint32_t>(state.range(0));
  options.batching.max_batch_bytes = 1024 * 1024;
  options.batching.compression.level = level;
  bindcast::Hub hub(stream(), kNow);
  bindcast::Channels channels(hub, options);
  bindcast::Wish wish;
  wish.subscriptions.push_back(subscription(R"(type = "dns_query_log")"));
  wish.packing = {.format = level == 0 ? bindcast::Format::json : bindcast::Format::deflate,
                  .batches = true,
                  .batching = options.batching};
  bindcast::ClientQueue client(channels.queues(), options.queues, wish.packing, [] {});
  channels.enter(client, wish, kNow);
  Event event;
  Now now = kNow;
  std::size_t at = 0;
  for (auto _ : state) {
    for (int i = 0; i < 100; ++i, at = (at + 1) % all.size()) {
      write_event(event, all[at]);
      hub.emit(std::move(event), now);
    }
    now.mono_us += 100;
    channels.run(now);
    while (const bindcast::FrameRef frame = client.next(now)) benchmark::DoNotOptimize(frame->payload);
  }
  channels.flush(now);
  while (const bindcast::FrameRef frame = client.next(now)) benchmark::DoNotOptimize(frame->payload);
  const bindcast::Account account = client.account();
  if (account.delivered != static_cast<std::uint64_t>(state.iterations()) * 100)
    state.SkipWithError("not every event was delivered");
  channels.leave(client, now);
  state.SetItemsProcessed(state.iterations() * 100);
  const auto& sent = channels.statistics();
  state.SetBytesProcessed(static_cast<std::int64_t>(sent.plain_bytes));
  state.counters["of_its_size"] = static_cast<double>(sent.wire_bytes) / static_cast<double>(sent.plain_bytes);
}
BENCHMARK(record_to_client)->ArgNames({"batch", "level"})->ArgsProduct({{25, 100}, {0, 1, 3}});

// ── Detectors ────────────────────────────────────────────────────────────────────────────────────────────────────────

// What all detectors together do with one query. A second passes each 4,096 queries.
void detectors_see(benchmark::State& state) {
  const auto& all = records();
  bindcast::Options options;
  options.sources.detectors.enabled = true;
  bindcast::Hub hub(stream(), kNow);
  bindcast::Intake intake(hub);
  bindcast::Health health(hub);
  bindcast::Metrics metrics;
  const bindcast::Log log = [](bindcast::LogLevel, const std::string&) {};
  const bindcast::HostInfo host;
  bindcast::Detectors detectors({nullptr, hub, intake, health, metrics, log, host});
  Now now = kNow;
  detectors.configure(options, now);
  std::size_t at = 0;
  for (auto _ : state) {
    QueryView query;
    if (!QueryView::read(all[at], query)) throw std::logic_error("a record that the benchmark made is not one");
    query.fixed.ended_ns = static_cast<std::uint64_t>(now.mono_us) * 1000;
    detectors.see(query, now);
    if (++at < all.size()) continue;
    at = 0;
    now.mono_us += 1'000'000;
    detectors.tick(now);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(detectors_see);

}  // namespace

BENCHMARK_MAIN();
