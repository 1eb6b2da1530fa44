// Channels: what is shared, who falls behind and comes back, and that every event reaches each client exactly once or
// is told as lost.

#include "harness.hpp"

#include <jansson.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "plugin/delivery/channels.hpp"

namespace {

using namespace bindcast;
using namespace std::chrono_literals;

constexpr std::int64_t kSecond = 1'000'000;

struct House {
  Options options;
  Hub hub{StreamIdentity{.epoch = "e", .host = "ns1", .service = "named"}, Now{}};
  Now now{.mono_us = 1'000 * kSecond, .wall_us = 1'795'442'531 * kSecond};
  std::unique_ptr<Channels> channels;

  explicit House(Options wanted = {}) : options(std::move(wanted)) {
    hub.configure(options);
    channels = std::make_unique<Channels>(hub, options);
  }
  void later(std::int64_t us) {
    now.mono_us += us;
    now.wall_us += us;
  }
  void run() { channels->run(now); }
  std::uint64_t query(const std::string& name = "www.example.com", const std::string& client = "192.0.2.1") {
    Event event = make_event(EventType::dns_query_log);
    event.view = "_default";
    event.data.add("client", client).add("transport", "udp").add("qname", name).add("qtype", "A");
    event.data.add("rcode", "NOERROR").add("view", "_default");
    return hub.emit(std::move(event), now);
  }
  std::uint64_t emit(EventType type, std::optional<Priority> priority = std::nullopt) {
    Event event = make_event(type);
    if (priority) event.priority = *priority;
    event.data.add("zone", "example.com");
    return hub.emit(std::move(event), now);
  }
};

Options small_queue(std::uint32_t max_events, OverflowPolicy overflow = OverflowPolicy::drop_lowest) {
  Options options;
  options.queues = {.max_events = max_events, .max_bytes = 1024 * 1024, .overflow = overflow};
  options.batching.max_batch_size = 10;
  options.batching.adaptive_sizing = false;
  return options;
}

// A client and everything it was told.
struct Client {
  House& house;
  ClientQueue queue;
  Wish wish;
  std::vector<std::uint64_t> offsets;  // of events delivered, but for folded ones
  std::uint64_t folded = 0;            // the counts of dns_query_batch
  std::map<DropReason, std::uint64_t> gaps;
  std::map<EventType, std::uint64_t> gaps_by_type;
  std::vector<FrameRef> frames;
  int ready = 0;

  explicit Client(House& h, Format format = Format::json)
      : house(h), queue(h.channels->queues(), h.options.queues, {}, [this] { ++ready; }) {
    wish.subscriptions.emplace_back();
    wish.sight = Sight::everything();
    wish.packing = {.format = format, .batches = batches_by_default(format), .batching = h.options.batching};
  }
  ~Client() { house.channels->leave(queue, house.now); }
  void enter() { house.channels->enter(queue, wish, house.now); }
  bool read_one() {
    const FrameRef frame = queue.next(house.now);
    if (!frame) return false;
    frames.push_back(frame);
    if (frame->gap) {
      gaps[frame->gap->reason] += frame->gap->count;
      for (std::size_t i = 0; i < kEventTypeCount; ++i)
        if (frame->gap->by_type[i] != 0) gaps_by_type[static_cast<EventType>(i)] += frame->gap->by_type[i];
    }
    for (const EncodedRef& e : frame->events) {
      if (e->folded == 0) {
        offsets.push_back(e->offset);
      } else {
        assert_contains(e->json(), "\"count\":" + std::to_string(e->folded));
        folded += e->folded;
      }
    }
    return true;
  }
  void read() {
    while (read_one()) continue;
  }
  [[nodiscard]] std::uint64_t lost() const {
    std::uint64_t sum = 0;
    for (const auto& [reason, count] : gaps) sum += count;
    return sum;
  }
};

// ── What is shared ───────────────────────────────────────────────────────────────────────────────────────────────────

void equal_wishes_share_a_channel_and_its_frames(void**) {
  House house;
  Client a(house), b(house), other(house);
  other.wish.subscriptions.front().types.set(static_cast<std::size_t>(EventType::zone_created));
  for (Client* c : {&a, &b, &other}) c->enter();
  assert_int_equal(house.channels->all().size(), 2);
  house.query();
  house.emit(EventType::zone_created);
  house.run();
  for (Client* c : {&a, &b, &other}) c->read();
  assert_int_equal(a.offsets.size(), 2);
  assert_int_equal(a.frames.size(), 1);
  assert_ptr_equal(a.frames[0].get(), b.frames[0].get());
  assert_int_equal(other.offsets.size(), 1);
}

void the_order_and_the_names_of_subscriptions_do_not_matter(void**) {
  House house;
  Client a(house), b(house);
  Subscription zones{.name = "zones", .types = {}, .categories = {}, .filter = {}};
  zones.types.set(static_cast<std::size_t>(EventType::zone_created));
  Subscription security = zones;
  security.name = "s";
  security.types = {};
  security.categories.set(static_cast<std::size_t>(Category::security));
  a.wish.subscriptions = {zones, security};
  zones.name = "other name";
  b.wish.subscriptions = {security, zones};
  assert_text(a.wish.key(), b.wish.key());
  for (auto change : std::vector<std::function<void(Wish&)>>{
           [](Wish& w) { w.sight = nullptr; }, [](Wish& w) { w.fold = false; },
           [](Wish& w) { w.packing.format = Format::deflate; }, [](Wish& w) { w.packing.batches = false; },
           [](Wish& w) { w.packing.batching.max_batch_size = 7; },
           [](Wish& w) { w.packing.batching.compression.level = 9; },
           [](Wish& w) { w.subscriptions[0].min_priority = Priority::high; },
           [](Wish& w) { w.subscriptions[0].sample = 3; },
           [](Wish& w) {
             Filter::Error error;
             assert_true(Filter::compile("zone = \"x\"", w.subscriptions[0].filter, error));
           }}) {
    Wish changed = a.wish;
    change(changed);
    assert_true(changed.key() != a.wish.key());
  }
}

void a_newcomer_gets_nothing_that_came_before_it(void**) {
  House house;
  Client early(house), late(house);
  early.enter();
  house.query();
  house.run();
  const std::uint64_t before = house.query();  // waits in the open batch
  late.enter();
  const std::uint64_t after = house.query();
  house.later(kSecond);
  house.run();
  early.read();
  late.read();
  assert_int_equal(late.offsets.size(), 1);
  assert_int_equal(late.offsets[0], after);
  assert_int_equal(early.offsets.size(), 3);
  assert_int_equal(early.offsets[1], before);
}

void who_leaves_has_got_all_that_came(void**) {
  House house;
  Client client(house);
  client.enter();
  for (int i = 0; i < 3; ++i) house.query();
  client.wish.subscriptions.clear();
  client.enter();
  house.query();
  client.read();
  assert_int_equal(client.offsets.size(), 3);
  assert_int_equal(house.channels->all().size(), 0);
  assert_false(house.hub.wanted(EventType::dns_query_log));
}

void a_batch_is_compressed_once_for_all_and_can_be_read(void**) {
  House house;
  Client a(house, Format::deflate), b(house, Format::deflate);
  a.enter();
  b.enter();
  for (int i = 0; i < 20; ++i) house.query("host" + std::to_string(i) + ".example.com");
  house.later(kSecond);
  house.run();
  a.read();
  b.read();
  assert_int_equal(a.frames.size(), 1);
  assert_ptr_equal(a.frames[0].get(), b.frames[0].get());
  assert_true(a.frames[0]->binary);
  std::string text(a.frames[0]->plain_size, '\0');
  uLongf size = text.size();
  assert_int_equal(uncompress(reinterpret_cast<Bytef*>(text.data()), &size, a.frames[0]->payload, a.frames[0]->size),
                   Z_OK);
  json_t* parsed = json_loadb(text.data(), size, 0, nullptr);
  assert_non_null(parsed);
  assert_int_equal(json_array_size(json_object_get(parsed, "events")), 20);
  json_decref(parsed);
  const DeliveryStatistics& all = house.channels->statistics();
  assert_int_equal(all.compressed, 2);
  assert_true(all.plain_bytes > 4 * all.wire_bytes);
}

void channels_that_want_the_same_events_share_the_compressed_batch(void**) {
  House house;
  Client a(house, Format::deflate), b(house, Format::deflate);
  b.wish.subscriptions.front().categories.set(static_cast<std::size_t>(Category::dns));
  a.enter();
  b.enter();
  assert_int_equal(house.channels->all().size(), 2);
  for (int i = 0; i < 20; ++i) house.query();
  house.later(kSecond);
  house.run();
  a.read();
  b.read();
  assert_ptr_equal(a.frames.back().get(), b.frames.back().get());
  assert_int_equal(house.channels->writer().cache().hits(), 1);
}

void the_cache_keeps_its_bound(void**) {
  FrameCache cache;
  cache.set_bound(100'000);
  std::vector<FrameRef> kept;
  const auto key = [](std::size_t i) {
    return FrameCache::Key{.events = {reinterpret_cast<const EncodedEvent*>(i * 64)}, .level = 3};
  };
  for (std::size_t i = 1; i <= 100; ++i) {
    cache.put(key(i), frame_of(std::string(5'000, 'x')));
    assert_true(cache.bytes() <= 100'000);
    (void)cache.find(key(1));  // used all the time, so it stays
  }
  assert_non_null(cache.find(key(1)).get());
  assert_non_null(cache.find(key(100)).get());
  assert_null(cache.find(key(2)).get());
  cache.put(key(200), frame_of(std::string(200'000, 'x')));
  assert_null(cache.find(key(200)).get());
  cache.set_bound(0);
  assert_int_equal(cache.bytes(), 0);
}

void what_does_not_shrink_is_not_tried_for_a_while(void**) {
  CompressionTrial trial;
  int tried = 0;
  for (int i = 0; i < 1000; ++i)
    if (trial.try_it()) {
      ++tried;
      trial.result(1000, 990);
    }
  assert_in_range(tried, 5, 30);
  while (!trial.try_it()) continue;
  trial.result(1000, 300);  // it pays again
  for (int i = 0; i < 100; ++i) {
    assert_true(trial.try_it());
    trial.result(1000, 300);
  }
}

// ── Priority ─────────────────────────────────────────────────────────────────────────────────────────────────────────

void an_urgent_event_waits_for_no_batch_and_overtakes_those_in_the_queue(void**) {
  House house(small_queue(100));
  Client client(house);
  client.enter();
  for (int i = 0; i < 25; ++i) house.query();  // two full batches and an open one
  const std::uint64_t urgent = house.emit(EventType::security_alert);
  const std::uint64_t second = house.emit(EventType::security_alert);
  assert_true(client.read_one());
  assert_true(client.read_one());
  assert_int_equal(client.offsets.size(), 2);
  assert_int_equal(client.offsets[0], urgent);
  assert_int_equal(client.offsets[1], second);
}

void without_bypass_all_keep_their_order(void**) {
  Options options = small_queue(100);
  options.batching.priority_bypass = false;
  House house(options);
  Client client(house);
  client.enter();
  for (int i = 0; i < 5; ++i) house.query();
  house.emit(EventType::security_alert);
  house.query();
  house.later(kSecond);
  house.run();
  client.read();
  assert_int_equal(client.offsets.size(), 7);
  assert_true(std::ranges::is_sorted(client.offsets));
}

// ── Falling behind ───────────────────────────────────────────────────────────────────────────────────────────────────

void one_who_falls_behind_gets_like_queries_folded_and_comes_back(void**) {
  House house(small_queue(100));
  Client slow(house), fast(house);
  slow.enter();
  fast.enter();
  int asked = 0;
  for (; asked < 600; ++asked) {
    house.query("www.example.com", "192.0.2." + std::to_string(asked % 3));
    house.run();
    fast.read();
    house.later(1'000);
  }
  assert_true(slow.queue.standing() == ClientQueue::Standing::behind);
  for (int i = 0; i < 10; ++i, ++asked) house.query();
  fast.read();
  assert_true(slow.queue.channel()->pending(slow.queue) >= slow.queue.channel()->pending(fast.queue) + 10);
  const std::uint64_t zone = house.emit(EventType::zone_created);
  house.later(2 * kSecond);
  house.run();
  fast.read();
  slow.read();
  assert_true(slow.queue.standing() == ClientQueue::Standing::in_step);
  assert_int_equal(slow.lost(), 0);
  assert_true(slow.folded > 400);
  assert_int_equal(slow.offsets.size() + slow.folded, static_cast<std::uint64_t>(asked) + 1);
  assert_true(std::ranges::count(slow.offsets, zone) == 1);
  assert_int_equal(fast.offsets.size(), asked + 1);
  // In step again: the next frame is shared.
  house.query();
  house.later(kSecond);
  house.run();
  slow.read();
  fast.read();
  assert_ptr_equal(slow.frames.back().get(), fast.frames.back().get());
}

// Folded after masking: a fold tells no more than the events it stands for.
void what_is_folded_is_masked(void**) {
  House house(small_queue(100));
  Client slow(house);
  Sight::Part part;
  part.types.set();
  part.privacy = {ClientAddressPrivacy::none, QueryNamePrivacy::domain};
  slow.wish.sight = std::make_shared<const Sight>(std::vector{part}, false);
  slow.enter();
  for (int i = 0; i < 600; ++i) {
    house.query("n" + std::to_string(i) + ".secret.example.com", "192.0.2." + std::to_string(i % 200));
    house.run();
    house.later(1'000);
  }
  house.later(2 * kSecond);
  house.run();
  slow.read();
  assert_true(slow.folded > 400);  // of different names and clients, which nobody can tell apart
  assert_int_equal(slow.offsets.size() + slow.folded, 600);
  for (const FrameRef& frame : slow.frames) {
    assert_true(frame->text().find("192.0.2") == std::string_view::npos);
    assert_true(frame->text().find("secret") == std::string_view::npos);
  }
}

// What a role's filter would refuse must not be counted as missed: so nothing is only counted.
void what_a_role_filters_is_looked_at(void**) {
  for (const bool filters : {false, true}) {
    House house(small_queue(10));
    Client client(house);
    Sight::Part part;
    part.types.set();
    Filter::Error error;
    if (filters) assert_true(Filter::compile("qname under \"example.com\"", part.filter, error));
    client.wish.sight = std::make_shared<const Sight>(std::vector{part}, false);
    client.wish.fold = false;
    client.enter();
    for (int i = 0; i < 50; ++i) house.query();
    house.run();
    assert_true(client.queue.standing() == ClientQueue::Standing::full);
    assert_int_equal(house.hub.only_counted(EventType::dns_query_log), !filters);
    for (int i = 0; i < 5; ++i) house.query("other.test");
    house.later(kSecond);
    house.run();
    client.read();
    house.later(kSecond);
    client.read();
    assert_int_equal(client.offsets.size() + client.lost(), filters ? 50 : 55);
  }
}

// More names than a fold has groups: what finds none must not take the room of what is folded.
void many_names_do_not_push_out_what_is_folded(void**) {
  House house(small_queue(300));
  Client client(house);
  client.enter();
  for (int i = 0; i < 4000; ++i) {
    house.query("n" + std::to_string(i % 200) + ".example.com");
    house.run();
  }
  house.later(kSecond);
  house.run();
  client.read();
  assert_true(client.folded > 400);
  assert_int_equal(client.offsets.size() + client.folded + client.lost(), 4000);
}

void by_disconnect_who_loses_a_query_that_finds_no_group_must_go(void**) {
  House house(small_queue(300, OverflowPolicy::disconnect));
  Client client(house);
  client.enter();
  for (int i = 0; i < 400; ++i) {
    house.query("n" + std::to_string(i) + ".example.com");
    house.run();
    assert_int_equal(client.queue.account().dropped[static_cast<std::size_t>(DropReason::queue_overflow)] > 0,
                     client.queue.overflowed());
  }
  assert_true(client.queue.overflowed());
}

void who_wants_nothing_folded_is_told_what_was_lost(void**) {
  House house(small_queue(50));
  Client client(house);
  client.wish.fold = false;
  client.enter();
  for (int i = 0; i < 500; ++i) house.query();
  house.run();
  assert_true(client.queue.standing() == ClientQueue::Standing::full);
  client.read();
  assert_int_equal(client.folded, 0);
  assert_int_equal(client.offsets.size() + client.lost(), 500);
  assert_int_equal(client.gaps_by_type[EventType::dns_query_log], client.lost());
  assert_true(client.offsets.size() >= 40);
}

void a_full_queue_still_takes_what_matters_more(void**) {
  House house(small_queue(50));
  Client client(house);
  client.wish.fold = false;
  client.enter();
  for (int i = 0; i < 500; ++i) house.query();
  house.run();
  const std::uint64_t zone = house.emit(EventType::zone_deleted);
  const std::uint64_t alert = house.emit(EventType::security_alert);
  house.later(kSecond);
  house.run();
  client.read();
  assert_int_equal(std::ranges::count(client.offsets, zone), 1);
  assert_int_equal(std::ranges::count(client.offsets, alert), 1);
  assert_int_equal(client.offsets.size() + client.lost(), 502);
}

void a_gap_names_the_first_and_the_last_event_missed(void**) {
  House house(small_queue(20, OverflowPolicy::drop_newest));
  Client client(house);
  client.wish.fold = false;
  client.enter();
  std::uint64_t last = 0;
  for (int i = 0; i < 300; ++i) last = house.query();
  house.run();
  client.read();
  std::uint64_t from = UINT64_MAX, to = 0;
  for (const FrameRef& frame : client.frames)
    if (frame->gap) {
      from = std::min(from, frame->gap->from);
      to = std::max(to, frame->gap->to);
    }
  assert_int_equal(from, client.offsets.back() + 1);
  assert_int_equal(to, last);
}

void the_next_gap_begins_where_the_next_loss_did(void**) {
  House house(small_queue(20, OverflowPolicy::drop_newest));
  Client client(house);
  client.wish.fold = false;
  client.enter();
  for (int i = 0; i < 100; ++i) house.query();
  house.run();
  assert_true(client.read_one());  // the gap so far; all else still waits
  assert_true(client.queue.standing() == ClientQueue::Standing::full);
  house.later(Losses::kEveryUs);
  const std::uint64_t first = house.query();
  std::uint64_t last = first;
  for (int i = 0; i < 19; ++i) last = house.query();
  house.run();
  assert_true(client.read_one());
  const auto& gap = client.frames.back()->gap;
  assert_true(gap.has_value());
  assert_int_equal(gap->count, 20);
  assert_int_equal(gap->from, first);
  assert_int_equal(gap->to, last);
}

// A host that counts while the hub says that queries are only counted, as the intake has it.
struct CountingHost {
  House& house;
  std::uint64_t counted = 0;  // not yet collected

  explicit CountingHost(House& h) : house(h) {
    house.hub.set_counts(
        [this](Now now) { house.hub.pass_by(EventType::dns_query_log, std::exchange(counted, 0), now); });
  }
  [[nodiscard]] bool counts() const { return house.hub.only_counted(EventType::dns_query_log); }
  void query() {
    if (counts())
      ++counted;
    else
      house.query();
  }
};

void queries_for_full_clients_alone_are_only_counted(void**) {
  House house(small_queue(50));
  CountingHost host(house);
  Client client(house);
  client.wish.fold = false;
  client.enter();
  for (int i = 0; i < 500; ++i) host.query();
  house.run();
  assert_true(host.counts());
  const std::uint64_t made = house.hub.last_offset();
  for (int i = 0; i < 500; ++i) host.query();
  assert_int_equal(house.hub.last_offset(), made);
  // One event of importance still comes, and once the client reads, it is told of all.
  const std::uint64_t zone = house.emit(EventType::zone_deleted);
  client.read();
  assert_int_equal(std::ranges::count(client.offsets, zone), 1);
  assert_false(host.counts());
  for (int i = 0; i < 10; ++i) host.query();
  house.later(kSecond);
  house.run();
  client.read();
  assert_int_equal(client.offsets.size() + client.lost(), 1011);
  assert_int_equal(client.gaps_by_type[EventType::dns_query_log], client.lost());
  const auto& gap = std::ranges::find_if(client.frames, [](const FrameRef& f) { return f->gap.has_value(); });
  assert_int_equal((*gap)->gap->to - (*gap)->gap->from + 1, (*gap)->gap->count + 1);  // and the zone event between
  const Account account = client.queue.account();
  assert_int_equal(account.accepted,
                   account.delivered + account.dropped[static_cast<std::size_t>(DropReason::queue_overflow)]);
}

void a_newcomer_is_not_told_of_what_was_counted_before_it(void**) {
  House house(small_queue(50));
  CountingHost host(house);
  Client stalled(house), newcomer(house);
  stalled.wish.fold = newcomer.wish.fold = false;
  stalled.enter();
  for (int i = 0; i < 500; ++i) host.query();
  house.run();
  assert_true(host.counts());
  for (int i = 0; i < 70; ++i) host.query();
  newcomer.enter();
  assert_false(host.counts());
  // The host has not heard of it yet, and counts three more.
  host.counted += 3;
  house.hub.collect_counts(house.now);
  for (int i = 0; i < 5; ++i) host.query();
  house.later(kSecond);
  house.run();
  newcomer.read();
  stalled.read();
  assert_int_equal(newcomer.offsets.size(), 5);
  assert_int_equal(newcomer.lost(), 3);
  assert_int_equal(stalled.offsets.size() + stalled.lost(), 578);
}

void what_must_be_looked_at_is_not_only_counted(void**) {
  const auto counts_with = [](const auto& change) {
    House house(small_queue(50));
    CountingHost host(house);
    Client client(house);
    client.wish.fold = false;
    change(house, client.wish);
    client.enter();
    for (int i = 0; i < 500; ++i) house.query();
    house.run();
    assert_true(client.queue.standing() == ClientQueue::Standing::full);
    return host.counts();
  };
  assert_true(counts_with([](House&, Wish&) {}));
  assert_false(counts_with([](House&, Wish& wish) {
    Filter::Error error;
    assert_true(Filter::compile("qtype = \"A\"", wish.subscriptions.front().filter, error));
  }));
  assert_false(counts_with([](House& house, Wish&) {
    house.options.events.filter = "not (qname under \"example.org\")";
    house.hub.configure(house.options);
  }));
  assert_false(counts_with([](House& house, Wish&) {
    struct Looks : Processor {
      bool process(Event&) override { return true; }
    };
    house.hub.add_processor(std::make_unique<Looks>());
  }));
}

void a_thousand_stalled_clients_cost_nothing_per_event(void**) {
  House house(small_queue(50));
  std::vector<std::unique_ptr<Client>> stalled;
  for (int i = 0; i < 1000; ++i) {
    stalled.push_back(std::make_unique<Client>(house));
    stalled.back()->enter();
  }
  Client fast(house);
  fast.enter();
  // All fill up, with folded queries of many names too.
  for (int i = 0; i < 400; ++i) {
    house.query("n" + std::to_string(i) + ".example.com");
    if (i % 5 == 0) {
      house.later(kSecond);
      house.run();
    }
    fast.read();
  }
  for (const auto& client : stalled) {
    assert_true(client->queue.standing() == ClientQueue::Standing::full);
    client->ready = 0;
  }
  for (int i = 0; i < 1000; ++i) {
    house.query();
    house.run();
    fast.read();
  }
  for (const auto& client : stalled) assert_int_equal(client->ready, 0);  // not even touched
  house.later(kSecond);
  house.run();
  fast.read();
  assert_int_equal(fast.offsets.size(), 1400);
  Client& one = *stalled[17];
  one.read();
  house.later(2 * kSecond);
  house.run();
  one.read();
  assert_int_equal(one.offsets.size() + one.folded + one.lost(), 1400);
}

void all_queues_together_are_bounded_and_who_reads_does_not_notice(void**) {
  Options options = small_queue(10'000);
  options.queues.max_total_bytes = 1024 * 1024;
  House house(options);
  std::vector<std::unique_ptr<Client>> stalled;
  for (int i = 0; i < 50; ++i) {  // each with a subscription of its own, so that they share events but no batches
    stalled.push_back(std::make_unique<Client>(house));
    Filter::Error error;
    assert_true(Filter::compile("qname != \"" + std::to_string(i) + "\"",
                                stalled.back()->wish.subscriptions.front().filter, error));
    stalled.back()->wish.fold = false;
    stalled.back()->enter();
  }
  Client fast(house);
  fast.enter();
  for (int i = 0; i < 5000; ++i) {
    house.query("n" + std::to_string(i) + ".example.com");
    house.run();
    fast.read();
    fast.frames.clear();
    assert_true(house.channels->queues().held < 3 * options.queues.max_total_bytes);
  }
  house.later(kSecond);
  house.run();
  fast.read();
  assert_int_equal(fast.offsets.size(), 5000);
  assert_true(stalled.front()->queue.standing() == ClientQueue::Standing::full);
  stalled.front()->read();
  assert_int_equal(stalled.front()->offsets.size() + stalled.front()->lost(), 5000);
  for (auto& client : stalled) client.reset();
  fast.frames.clear();
  assert_true(house.channels->queues().held < 10'000);  // nothing is kept
}

// ── Limits ───────────────────────────────────────────────────────────────────────────────────────────────────────────

void above_the_rate_like_queries_fold_and_others_are_told(void**) {
  Options options = small_queue(1000);
  options.rate_limit = {.events_per_second = 10, .burst = 20, .adaptive = false};
  House house(options);
  Client client(house);
  client.enter();
  for (int i = 0; i < 100; ++i) house.query();
  for (int i = 0; i < 30; ++i) house.emit(EventType::zone_created);
  const std::uint64_t urgent = house.emit(EventType::security_alert);
  house.later(2 * kSecond);
  house.run();
  client.read();
  assert_int_equal(client.offsets.size(), 21);  // the burst, and the urgent one, which no limit holds up
  assert_int_equal(std::ranges::count(client.offsets, urgent), 1);
  assert_int_equal(client.folded, 80);
  assert_int_equal(client.gaps[DropReason::rate_limit], 30);
  assert_int_equal(client.gaps_by_type[EventType::zone_created], 30);
}

void a_busy_loop_lowers_the_rate(void**) {
  Options options = small_queue(1000);
  options.rate_limit = {.events_per_second = 100, .burst = 10, .adaptive = true};
  House house(options);
  for (int i = 0; i < 100; ++i) house.channels->loop_was_busy(100'000);
  Client client(house);
  client.wish.fold = false;
  client.enter();
  for (int i = 0; i < 1010; ++i) {
    house.query();
    house.later(1'000);
    house.run();
    client.read();
  }
  house.later(kSecond);
  house.run();
  client.read();
  assert_in_range(client.offsets.size(), 25, 50);  // a quarter of the rate, and the burst
  assert_int_equal(client.offsets.size() + client.gaps[DropReason::rate_limit], 1010);
}

// ── Everything at once ───────────────────────────────────────────────────────────────────────────────────────────────

// Random events, clients that read at their own pace or not at all, come, go, change what they want. At the end each
// client's sum must fit: what it was meant to have is what it got, what was folded for it, and what it was told it
// lost.
void every_event_is_accounted_for(void**) {
  for (const OverflowPolicy policy :
       {OverflowPolicy::drop_lowest, OverflowPolicy::drop_oldest, OverflowPolicy::drop_newest}) {
    for (unsigned seed = 1; seed <= 6; ++seed) {
      std::mt19937 random(seed * 7919);
      Options options = small_queue(60, policy);
      options.batching.strategy = static_cast<BatchStrategy>(seed % 5);
      options.batching.adaptive_sizing = seed % 2 == 0;
      if (seed % 3 == 0) options.rate_limit = {.events_per_second = 2000, .burst = 50, .adaptive = true};
      House house(options);
      std::vector<std::unique_ptr<Client>> clients;
      std::vector<std::uint64_t> meant(12, 0);
      std::vector<bool> all(12, false), inside(12, false);
      for (std::size_t i = 0; i < meant.size(); ++i) {
        constexpr Format kFormats[] = {Format::plain, Format::json, Format::deflate, Format::cloudevents};
        clients.push_back(std::make_unique<Client>(house, kFormats[i % 4]));
        clients[i]->wish.fold = i % 3 != 0;
      }
      const auto change = [&](std::size_t i) {
        const auto dice = random() % 3;
        auto& subscriptions = clients[i]->wish.subscriptions;
        subscriptions.clear();
        inside[i] = dice != 0;
        all[i] = dice == 1;
        if (inside[i]) {
          subscriptions.emplace_back();
          if (!all[i]) subscriptions.front().types.set(static_cast<std::size_t>(EventType::dns_query_log));
        }
        clients[i]->enter();
      };
      for (int step = 0; step < 6000; ++step) {
        const bool is_query = random() % 10 < 8;
        const std::uint64_t before = house.hub.statistics().events_processed;
        if (is_query)
          house.query("n" + std::to_string(random() % 40) + ".example.com");
        else
          house.emit(EventType::zone_created, static_cast<Priority>(random() % kPriorityCount));
        assert_int_equal(house.hub.statistics().events_processed, before + 1);
        for (std::size_t i = 0; i < clients.size(); ++i) meant[i] += inside[i] && (all[i] || is_query);
        if (random() % 4 == 0) house.later(static_cast<std::int64_t>(random() % 3000));
        if (random() % 3 == 0) house.run();
        for (std::size_t i = 0; i < clients.size(); ++i)
          if (random() % (1 + i * i) == 0) clients[i]->read_one();
        if (random() % 200 == 0) change(random() % clients.size());
        if (random() % 900 == 0) clients[random() % clients.size()]->read();
      }
      house.later(10 * kSecond);
      house.run();
      house.channels->flush(house.now);
      for (std::size_t i = 0; i < clients.size(); ++i) {
        Client& client = *clients[i];
        for (int round = 0; round < 3; ++round) {  // catching up may hand over more
          client.read();
          house.channels->flush(house.now);
          client.queue.tell_all_losses();
        }
        client.read();
        const Account account = client.queue.account();
        assert_int_equal(account.waiting, 0);
        assert_int_equal(account.delivered, client.offsets.size());
        assert_int_equal(account.folded, client.folded);
        assert_int_equal(account.accepted, account.delivered + account.folded +
                                               account.dropped[static_cast<std::size_t>(DropReason::queue_overflow)]);
        for (std::size_t r = 0; r < kDropReasonCount; ++r) {
          assert_int_equal(account.dropped[r], client.gaps[static_cast<DropReason>(r)]);
          assert_int_equal(account.untold[r], 0);
        }
        assert_int_equal(client.offsets.size() + client.folded + client.lost(), meant[i]);
        assert_int_equal(std::set<std::uint64_t>(client.offsets.begin(), client.offsets.end()).size(),
                         client.offsets.size());
      }
    }
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(equal_wishes_share_a_channel_and_its_frames),
      cmocka_unit_test(the_order_and_the_names_of_subscriptions_do_not_matter),
      cmocka_unit_test(a_newcomer_gets_nothing_that_came_before_it),
      cmocka_unit_test(who_leaves_has_got_all_that_came),
      cmocka_unit_test(a_batch_is_compressed_once_for_all_and_can_be_read),
      cmocka_unit_test(channels_that_want_the_same_events_share_the_compressed_batch),
      cmocka_unit_test(the_cache_keeps_its_bound),
      cmocka_unit_test(what_does_not_shrink_is_not_tried_for_a_while),
      cmocka_unit_test(an_urgent_event_waits_for_no_batch_and_overtakes_those_in_the_queue),
      cmocka_unit_test(without_bypass_all_keep_their_order),
      cmocka_unit_test(one_who_falls_behind_gets_like_queries_folded_and_comes_back),
      cmocka_unit_test(what_is_folded_is_masked),
      cmocka_unit_test(what_a_role_filters_is_looked_at),
      cmocka_unit_test(many_names_do_not_push_out_what_is_folded),
      cmocka_unit_test(by_disconnect_who_loses_a_query_that_finds_no_group_must_go),
      cmocka_unit_test(who_wants_nothing_folded_is_told_what_was_lost),
      cmocka_unit_test(a_full_queue_still_takes_what_matters_more),
      cmocka_unit_test(a_gap_names_the_first_and_the_last_event_missed),
      cmocka_unit_test(the_next_gap_begins_where_the_next_loss_did),
      cmocka_unit_test(queries_for_full_clients_alone_are_only_counted),
      cmocka_unit_test(a_newcomer_is_not_told_of_what_was_counted_before_it),
      cmocka_unit_test(what_must_be_looked_at_is_not_only_counted),
      cmocka_unit_test(a_thousand_stalled_clients_cost_nothing_per_event),
      cmocka_unit_test(all_queues_together_are_bounded_and_who_reads_does_not_notice),
      cmocka_unit_test(above_the_rate_like_queries_fold_and_others_are_told),
      cmocka_unit_test(a_busy_loop_lowers_the_rate),
      cmocka_unit_test(every_event_is_accounted_for),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
