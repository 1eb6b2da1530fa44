// One client's queue: order, bounds, what goes when it is full, and that the counters add up.

#include "harness.hpp"

#include <cstring>
#include <random>
#include <vector>

#include "plugin/delivery/client_queue.hpp"

namespace {

using namespace bindcast;

constexpr Now kNow{.mono_us = 5'000'000, .wall_us = 5'000'000};
const StreamIdentity kStream{.epoch = "e", .host = "ns1", .service = "named"};

QueueOptions options(std::uint32_t events, OverflowPolicy overflow = OverflowPolicy::drop_lowest) {
  return {.max_events = events, .max_bytes = 1024 * 1024, .overflow = overflow};
}

EncodedRef event(std::uint64_t offset, Priority priority = Priority::normal, std::size_t bytes = 100) {
  auto encoded = std::make_shared<EncodedEvent>();
  encoded->type = EventType::zone_updated;
  encoded->priority = priority;
  encoded->offset = offset;
  encoded->json_bytes = bytes;
  encoded->buffer.reset(new unsigned char[EncodedEvent::kHeadroom + bytes]);
  std::memset(encoded->payload(), 'x', bytes);
  return encoded;
}

Packing packing(bool batches) {
  return {.format = batches ? Format::json : Format::plain, .batches = batches, .batching = {}};
}

using Offsets = std::vector<std::uint64_t>;

struct Fixture {
  std::size_t held = 0;
  QueueHouse house{kStream, held};
  FrameWriter& writer = house.writer;
  int ready = 0;
  ClientQueue queue;
  explicit Fixture(const QueueOptions& o, bool batches = false)
      : queue(house, o, packing(batches), [this] { ++ready; }) {}

  bool offer(std::uint64_t offset, Priority priority = Priority::normal, std::size_t bytes = 100) {
    return queue.offer(event(offset, priority, bytes), false, kNow);
  }
  // A frame of these events, as a channel makes it.
  FrameRef frame(const Offsets& offsets, Priority priority = Priority::normal) {
    std::vector<EncodedRef> events;
    for (const std::uint64_t offset : offsets) events.push_back(event(offset, priority));
    CompressionTrial trial;
    return writer.batch(std::move(events), kNow.mono_us, kNow, Format::json, {}, trial, false);
  }
  // The offsets of what is delivered, frame by frame; gaps are left out.
  std::vector<Offsets> frames() {
    std::vector<Offsets> all_frames;
    while (const FrameRef next = queue.next(kNow)) {
      if (next->gap) continue;
      Offsets offsets;
      for (const EncodedRef& e : next->events) offsets.push_back(e->offset);
      all_frames.push_back(std::move(offsets));
    }
    return all_frames;
  }
  Offsets offsets() {
    Offsets flat;
    for (const Offsets& one : frames()) flat.insert(flat.end(), one.begin(), one.end());
    return flat;
  }
  std::uint64_t dropped() const {
    return queue.account().dropped[static_cast<std::size_t>(DropReason::queue_overflow)];
  }
};

void assert_offsets(const Offsets& actual, const Offsets& expected) {
  assert_int_equal(actual.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) assert_int_equal(actual[i], expected[i]);
}

void priorities_do_not_change_the_order(void**) {
  Fixture f(options(10));
  f.offer(1, Priority::high);
  f.offer(2, Priority::low);
  f.offer(3, Priority::normal);
  assert_int_equal(f.ready, 3);
  assert_offsets(f.offsets(), {1, 2, 3});
}

void a_shared_frame_goes_out_as_it_came(void**) {
  Fixture f(options(10), true);
  const FrameRef shared = f.frame({1, 2, 3});
  f.queue.push(shared, false, kNow);
  assert_int_equal(f.queue.size(), 3);
  assert_ptr_equal(f.queue.next(kNow).get(), shared.get());
  assert_int_equal(f.queue.size(), 0);
  assert_int_equal(f.queue.account().delivered, 3);
}

void urgent_events_overtake_what_waits(void**) {
  Fixture f(options(10), true);
  f.queue.push(f.frame({1, 2}), false, kNow);
  f.queue.push(f.frame({3, 4}), false, kNow);
  f.queue.push(f.writer.single(event(5, Priority::critical), kNow.mono_us, Format::json, {}), true, kNow);
  f.queue.push(f.writer.single(event(6, Priority::critical), kNow.mono_us, Format::json, {}), true, kNow);
  assert_offsets(f.offsets(), {5, 6, 1, 2, 3, 4});
  assert_int_equal(f.queue.statistics().bypassed, 2);
}

void what_waits_by_itself_is_packed_within_the_bounds(void**) {
  Fixture f(options(100), true);
  Packing small = packing(true);
  small.batching.max_batch_size = 3;
  small.batching.max_batch_bytes = 1000;
  f.queue.pack_as(small);
  for (std::uint64_t i = 1; i <= 4; ++i) f.offer(i);
  f.offer(5, Priority::normal, 5000);  // larger than a batch may be, and goes all the same
  f.offer(6, Priority::normal, 600);
  f.offer(7, Priority::normal, 600);
  const auto frames = f.frames();
  assert_int_equal(frames.size(), 5);
  assert_offsets(frames[0], {1, 2, 3});
  assert_offsets(frames[1], {4});
  assert_offsets(frames[2], {5});
  assert_offsets(frames[3], {6});
  assert_offsets(frames[4], {7});
}

void a_replay_comes_in_its_place_and_nothing_twice(void**) {
  Fixture f(options(4), true);
  f.queue.push(f.frame({5, 7}), false, kNow);
  f.offer(9);
  // More than the queue's bound: a replay is bounded where it comes from.
  f.queue.replay({event(1), event(2), event(3), event(4), event(5), event(6), event(8)}, kNow);
  assert_int_equal(f.queue.account().waiting, 9);
  f.queue.replay({event(3), event(4)}, kNow);
  assert_int_equal(f.queue.account().accepted, 9);
  assert_int_equal(f.queue.account().repeated, 6);
  assert_offsets(f.offsets(), {1, 2, 3, 4, 5, 6, 7, 8, 9});
  assert_int_equal(f.queue.account().delivered, 9);
  assert_int_equal(f.dropped(), 0);
  assert_int_equal(f.queue.size(), 0);
  assert_int_equal(f.queue.bytes(), 0);
}

void drop_lowest_makes_room_for_what_matters_more(void**) {
  Fixture f(options(4), true);
  f.queue.push(f.frame({1, 2, 3}, Priority::low), false, kNow);
  f.offer(4, Priority::normal);
  assert_true(f.offer(5, Priority::high));  // 3 goes: of the least, the newest
  assert_true(f.offer(6, Priority::critical));
  assert_false(f.offer(7, Priority::low));  // nothing is less
  assert_int_equal(f.dropped(), 3);
  assert_offsets(f.offsets(), {1, 4, 5, 6});
}

void drop_lowest_drops_nothing_for_one_that_cannot_fit(void**) {
  Fixture f({.max_events = 10, .max_bytes = 1000, .overflow = OverflowPolicy::drop_lowest});
  f.offer(1, Priority::low, 400);
  f.offer(2, Priority::high, 500);
  assert_false(f.offer(3, Priority::urgent, 1200));
  assert_false(f.offer(4, Priority::low, 200));
  assert_offsets(f.offsets(), {1, 2});
}

void the_other_policies(void**) {
  Fixture oldest(options(3, OverflowPolicy::drop_oldest));
  for (std::uint64_t i = 1; i <= 5; ++i) assert_true(oldest.offer(i, i == 1 ? Priority::high : Priority::low));
  assert_offsets(oldest.offsets(), {3, 4, 5});

  Fixture frames(options(4, OverflowPolicy::drop_oldest), true);
  frames.queue.push(frames.frame({1, 2}), false, kNow);
  frames.queue.push(frames.frame({3, 4}), false, kNow);
  assert_false(frames.queue.push(frames.frame({5}), false, kNow));
  assert_int_equal(frames.dropped(), 2);
  assert_offsets(frames.offsets(), {3, 4, 5});

  Fixture newest(options(3, OverflowPolicy::drop_newest));
  for (std::uint64_t i = 1; i <= 5; ++i) newest.offer(i, Priority::urgent);
  assert_offsets(newest.offsets(), {1, 2, 3});

  Fixture disconnect(options(3, OverflowPolicy::disconnect));
  for (std::uint64_t i = 1; i <= 3; ++i) disconnect.offer(i);
  assert_false(disconnect.queue.overflowed());
  disconnect.offer(4);
  assert_true(disconnect.queue.overflowed());
}

void a_smaller_bound_drops_at_once(void**) {
  Fixture f(options(10), true);
  f.queue.push(f.frame({1, 2, 3, 4}), false, kNow);
  f.offer(5, Priority::low);
  f.queue.configure(options(2));
  assert_int_equal(f.queue.size(), 2);
  assert_int_equal(f.dropped(), 3);
  assert_offsets(f.offsets(), {1, 2});
}

void a_loss_becomes_one_gap_with_types_and_range(void**) {
  Fixture f(options(2));
  for (std::uint64_t i = 1; i <= 6; ++i) f.offer(i);
  const FrameRef gap = f.queue.next(kNow);
  assert_true(gap && gap->gap);
  assert_contains(gap->text(), "\"reason\":\"queue_overflow\"");
  assert_contains(gap->text(), "\"count\":4");
  assert_contains(gap->text(), "\"by_type\":{\"zone_updated\":4}");
  assert_contains(gap->text(), "\"from\":\"e-000000000003\",\"to\":\"e-000000000006\"");
  assert_offsets(f.offsets(), {1, 2});
}

void a_flood_of_losses_is_no_flood_of_gaps(void**) {
  Fixture f(options(2));
  Now now = kNow;
  int gaps = 0;
  std::uint64_t told = 0;
  for (std::uint64_t i = 1; i <= 1000; ++i, now.mono_us += 1000) {
    f.queue.offer(event(i), false, now);
    f.queue.offer(event(i + 1'000'000), false, now);
    f.queue.offer(event(i + 2'000'000), false, now);
    while (const FrameRef frame = f.queue.next(now))
      if (frame->gap) {
        ++gaps;
        told += frame->gap->count;
      }
  }
  assert_in_range(gaps, 2, 5);  // in one second
  f.queue.tell_all_losses();
  while (const FrameRef frame = f.queue.next(now)) told += frame->gap ? frame->gap->count : 0;
  assert_int_equal(told, 1000);
}

void reasons_are_never_merged(void**) {
  Losses losses;
  losses.record(DropReason::queue_overflow, EventType::zone_updated, 2, 7);
  losses.record(DropReason::capture_overflow, EventType::dns_query_log, 3, 0);
  losses.record(DropReason::queue_overflow, EventType::record_updated, 1, 5);
  const auto first = losses.take(kNow), second = losses.take(kNow);
  assert_true(first && second && !losses.take(kNow));
  assert_int_equal(first->count, 3);
  assert_int_equal(first->from, 5);
  assert_int_equal(first->to, 7);
  assert_true(second->reason == DropReason::capture_overflow);
  assert_int_equal(second->count, 3);
  assert_int_equal(second->from, 0);
}

void a_sampling_client_is_told_once_a_second(void**) {
  Losses losses;
  losses.record(DropReason::sampled, EventType::dns_query_log, 9, 0);
  assert_int_equal(losses.take(kNow)->count, 9);
  losses.record(DropReason::sampled, EventType::dns_query_log, 9, 0);
  assert_false(losses.take(kNow).has_value());
  const std::int64_t due = losses.due_at_us();
  assert_int_equal(due, kNow.mono_us + 1'000'000);
  assert_int_equal(losses.take({.mono_us = due, .wall_us = 0})->count, 9);
}

// Random frames, events, replays and reads under every policy: accepted = delivered + dropped + waiting after each
// step, the bounds hold, what comes out is in order within its lane and nothing comes twice, and gaps tell what was
// dropped.
void the_counters_always_add_up(void**) {
  std::mt19937 random(20261126);
  for (const OverflowPolicy policy : {OverflowPolicy::drop_lowest, OverflowPolicy::drop_oldest,
                                      OverflowPolicy::drop_newest, OverflowPolicy::disconnect}) {
    const QueueOptions o{.max_events = 20, .max_bytes = 9000, .overflow = policy};
    Fixture f(o, true);
    std::uint64_t offered = 0, delivered = 0, told = 0, last_normal = 0, last_urgent = 0;
    const auto read_one = [&] {
      const FrameRef next = f.queue.next(kNow);
      if (!next) return false;
      if (next->gap) told += next->gap->count;
      for (const EncodedRef& e : next->events) {
        ++delivered;
        std::uint64_t& last = e->priority >= Priority::critical ? last_urgent : last_normal;
        assert_true(e->offset > last);
        last = e->offset;
      }
      return true;
    };
    for (int step = 0; step < 20'000; ++step) {
      const auto dice = random() % 100;
      if (dice < 40) {
        std::vector<EncodedRef> events;
        for (auto n = 1 + random() % 6; n > 0; --n)
          events.push_back(event(++offered, static_cast<Priority>(random() % 3), 1 + random() % 400));
        CompressionTrial trial;
        f.queue.push(f.writer.batch(std::move(events), kNow.mono_us, kNow, Format::json, {}, trial, false), false,
                     kNow);
      } else if (dice < 60) {
        f.queue.offer(event(++offered, static_cast<Priority>(random() % 3), 1 + random() % 400), false, kNow);
      } else if (dice < 65) {
        f.queue.offer(event(++offered, Priority::critical, 1 + random() % 400), true, kNow);
      } else {
        read_one();
      }
      const Account account = f.queue.account();
      assert_int_equal(account.accepted, offered);
      assert_int_equal(account.delivered, delivered);
      assert_int_equal(account.accepted, account.delivered + f.dropped() + account.waiting);
      assert_int_equal(account.waiting, f.queue.size());
      assert_true(f.queue.size() <= o.max_events);
      assert_true(f.queue.bytes() <= o.max_bytes);
    }
    f.queue.tell_all_losses();
    while (read_one()) continue;
    assert_int_equal(f.queue.bytes(), 0);
    assert_int_equal(told, f.dropped());
    assert_int_equal(f.house.statistics.dropped, f.dropped());
    assert_true(f.dropped() > 0);
    assert_true(delivered > 0);
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(priorities_do_not_change_the_order),
      cmocka_unit_test(a_shared_frame_goes_out_as_it_came),
      cmocka_unit_test(urgent_events_overtake_what_waits),
      cmocka_unit_test(what_waits_by_itself_is_packed_within_the_bounds),
      cmocka_unit_test(a_replay_comes_in_its_place_and_nothing_twice),
      cmocka_unit_test(drop_lowest_makes_room_for_what_matters_more),
      cmocka_unit_test(drop_lowest_drops_nothing_for_one_that_cannot_fit),
      cmocka_unit_test(the_other_policies),
      cmocka_unit_test(a_smaller_bound_drops_at_once),
      cmocka_unit_test(a_loss_becomes_one_gap_with_types_and_range),
      cmocka_unit_test(a_flood_of_losses_is_no_flood_of_gaps),
      cmocka_unit_test(reasons_are_never_merged),
      cmocka_unit_test(a_sampling_client_is_told_once_a_second),
      cmocka_unit_test(the_counters_always_add_up),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
