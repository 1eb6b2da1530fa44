// One client's queue: order, bounds, what goes when it is full, and that the counters add up.

#include "harness.hpp"

#include <random>
#include <vector>

#include "plugin/delivery/client_queue.hpp"

namespace {

using namespace bindcast;
using Offered = ClientQueue::Offered;

constexpr Now kNow{.mono_us = 5'000'000, .wall_us = 5'000'000};

QueueOptions options(std::uint32_t events, OverflowPolicy overflow = OverflowPolicy::drop_lowest) {
  return {.max_events = events, .max_bytes = 1024 * 1024, .overflow = overflow};
}

EncodedRef event(std::uint64_t offset, Priority priority = Priority::normal, std::size_t bytes = 100,
                 EventType type = EventType::zone_updated) {
  Event made = make_event(type);
  made.offset = offset;
  made.priority = priority;
  auto encoded = std::make_shared<EncodedEvent>();
  encoded->event = std::make_shared<const Event>(std::move(made));
  encoded->json.assign(bytes, 'x');
  return encoded;
}

struct Fixture {
  ClientQueue queue;
  std::uint64_t dropped = 0;
  explicit Fixture(const QueueOptions& o, bool bypass = false) : queue(o, bypass) {}
  Offered offer(std::uint64_t offset, Priority priority = Priority::normal, std::size_t bytes = 100) {
    return queue.offer(event(offset, priority, bytes), kNow, dropped);
  }
  std::vector<std::uint64_t> take_all() {
    std::vector<EncodedRef> out;
    queue.take(SIZE_MAX, SIZE_MAX, kNow, out);
    std::vector<std::uint64_t> offsets;
    for (const auto& e : out) offsets.push_back(e->event->offset);
    return offsets;
  }
};

void assert_offsets(const std::vector<std::uint64_t>& actual, const std::vector<std::uint64_t>& expected) {
  assert_int_equal(actual.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) assert_int_equal(actual[i], expected[i]);
}

void priorities_do_not_change_the_order(void**) {
  Fixture f(options(10));
  f.offer(1, Priority::high);
  f.offer(2, Priority::low);
  f.offer(3, Priority::urgent);
  f.offer(4, Priority::normal);
  assert_offsets(f.take_all(), {1, 2, 3, 4});
}

void a_replayed_event_takes_its_place_and_comes_once(void**) {
  Fixture f(options(10));
  for (const std::uint64_t offset : {5, 8, 3, 8, 6, 5, 9, 4})
    f.offer(offset, offset == 6 ? Priority::low : Priority::normal);
  assert_int_equal(f.queue.accepted(), 6);
  assert_offsets(f.take_all(), {3, 4, 5, 6, 8, 9});

  Fixture full(options(2));
  full.offer(5, Priority::low);
  full.offer(6, Priority::low);
  assert_int_equal(full.offer(4, Priority::low), Offered::queued);  // the oldest of those that wait goes for it
  assert_offsets(full.take_all(), {4, 6});
}

void critical_and_urgent_go_ahead_when_bypass_is_on(void**) {
  Fixture f(options(10), true);
  f.offer(1);
  f.offer(2, Priority::urgent);
  f.offer(3, Priority::critical);
  assert_true(f.queue.state().has_bypass);
  assert_int_equal(f.queue.state().count, 1);
  assert_int_equal(f.queue.take_bypass(kNow)->event->offset, 2);
  assert_int_equal(f.queue.take_bypass(kNow)->event->offset, 3);
  assert_null(f.queue.take_bypass(kNow).get());
  assert_false(f.queue.state().has_bypass);
  assert_offsets(f.take_all(), {1});
}

void a_batch_keeps_its_bounds_but_is_never_empty(void**) {
  Fixture f(options(10));
  for (std::uint64_t i = 1; i <= 4; ++i) f.offer(i, Priority::normal, 400);
  std::vector<EncodedRef> out;
  f.queue.take(10, 1000, kNow, out);
  assert_int_equal(out.size(), 2);
  out.clear();
  f.queue.take(1, 1000, kNow, out);
  assert_int_equal(out.size(), 1);
  out.clear();
  f.queue.take(10, 1, kNow, out);
  assert_int_equal(out.size(), 1);
}

void drop_lowest_keeps_what_matters_most(void**) {
  Fixture f(options(3));
  f.offer(1, Priority::low);
  f.offer(2, Priority::high);
  f.offer(3, Priority::low);
  assert_int_equal(f.offer(4, Priority::normal), Offered::queued);  // pushes out the older of the low ones
  assert_int_equal(f.offer(5, Priority::low), Offered::queued);     // as low as the lowest: the older one goes
  assert_int_equal(f.dropped, 2);
  assert_offsets(f.take_all(), {2, 4, 5});

  Fixture high(options(2));
  high.offer(1, Priority::high);
  high.offer(2, Priority::high);
  assert_int_equal(high.offer(3, Priority::low), Offered::dropped);  // the newcomer is the lowest
  assert_offsets(high.take_all(), {1, 2});
}

void drop_lowest_drops_nothing_for_one_that_cannot_fit(void**) {
  QueueOptions o = options(10);
  o.max_bytes = 1000;
  Fixture f(o);
  f.offer(1, Priority::low, 300);
  f.offer(2, Priority::urgent, 600);
  assert_int_equal(f.offer(3, Priority::normal, 500), Offered::dropped);  // the urgent one may not go for it
  assert_int_equal(f.offer(4, Priority::urgent, 1001), Offered::dropped);
  assert_int_equal(f.dropped, 2);
  assert_offsets(f.take_all(), {1, 2});
}

void the_other_policies(void**) {
  Fixture oldest(options(2, OverflowPolicy::drop_oldest));
  oldest.offer(1, Priority::urgent);
  oldest.offer(2, Priority::low);
  assert_int_equal(oldest.offer(3, Priority::low), Offered::queued);
  assert_offsets(oldest.take_all(), {2, 3});

  Fixture newest(options(2, OverflowPolicy::drop_newest));
  newest.offer(1, Priority::low);
  newest.offer(2, Priority::low);
  assert_int_equal(newest.offer(3, Priority::urgent), Offered::dropped);
  assert_offsets(newest.take_all(), {1, 2});

  Fixture gone(options(2, OverflowPolicy::disconnect));
  gone.offer(1);
  gone.offer(2);
  assert_int_equal(gone.offer(3), Offered::overflow);
  assert_int_equal(gone.dropped, 1);
}

void a_smaller_bound_drops_at_once(void**) {
  Fixture f(options(5));
  for (std::uint64_t i = 1; i <= 5; ++i) f.offer(i, i == 1 ? Priority::high : Priority::low);
  f.queue.configure(options(2), false);
  assert_int_equal(f.queue.dropped(), 3);
  assert_offsets(f.take_all(), {1, 5});
}

void a_loss_becomes_one_gap_with_types_and_range(void**) {
  Fixture f(options(1));
  for (std::uint64_t i = 7; i <= 10; ++i) f.offer(i, Priority::low);
  assert_int_equal(f.dropped, 3);
  const auto gap = f.queue.losses().take(kNow);
  assert_true(gap.has_value());
  assert_true(gap->reason == DropReason::queue_overflow);
  assert_int_equal(gap->count, 3);
  assert_int_equal(gap->by_type[static_cast<std::size_t>(EventType::zone_updated)], 3);
  assert_int_equal(gap->from, 7);
  assert_int_equal(gap->to, 9);
  assert_false(f.queue.losses().take(kNow).has_value());
  assert_int_equal(f.queue.losses().due_at_us(), 0);
}

void reasons_are_never_merged(void**) {
  Losses losses;
  losses.record(DropReason::queue_overflow, EventType::zone_updated, 1, 5);
  losses.record(DropReason::capture_overflow, EventType::dns_query_log, 20, 0);
  losses.record(DropReason::queue_overflow, EventType::zone_created, 1, 9);
  const auto first = losses.take(kNow), second = losses.take(kNow);
  assert_true(first && second);
  assert_int_equal(first->count, 2);
  assert_int_equal(first->from, 5);
  assert_int_equal(first->to, 9);
  assert_true(second->reason == DropReason::capture_overflow);
  assert_int_equal(second->count, 20);
  assert_int_equal(second->from, 0);  // they never had an id
  assert_false(losses.take(kNow).has_value());
}

void a_sampling_client_is_told_once_a_second(void**) {
  Losses losses;
  losses.record(DropReason::sampled, EventType::dns_query_log, 9, 0);
  assert_int_equal(losses.take(kNow)->count, 9);
  losses.record(DropReason::sampled, EventType::dns_query_log, 4, 0);
  losses.record(DropReason::sampled, EventType::dns_query_log, 5, 0);
  assert_false(losses.take(kNow).has_value());
  const std::int64_t due = losses.due_at_us();
  assert_int_equal(due, kNow.mono_us + 1'000'000);
  assert_int_equal(losses.take({.mono_us = due, .wall_us = 0})->count, 9);
}

// accepted = delivered + dropped + queued after each of many random steps, under every policy; what is delivered is in
// order within its lane, nothing twice; gaps tell exactly what was dropped.
void the_counters_always_add_up(void**) {
  std::mt19937 random(20261123);
  for (const OverflowPolicy policy : {OverflowPolicy::drop_lowest, OverflowPolicy::drop_oldest,
                                      OverflowPolicy::drop_newest, OverflowPolicy::disconnect}) {
    QueueOptions o{.max_events = 20, .max_bytes = 3000, .overflow = policy};
    ClientQueue queue(o, true);
    std::uint64_t offered = 0, delivered = 0, dropped = 0, told = 0, last_normal = 0, last_bypass = 0;
    for (int step = 0; step < 20'000; ++step) {
      const auto dice = random() % 100;
      if (dice < 70) {
        ++offered;
        queue.offer(event(offered, static_cast<Priority>(random() % kPriorityCount), 1 + random() % 400), kNow,
                    dropped);
      } else if (dice < 80) {
        if (const EncodedRef e = queue.take_bypass(kNow)) {
          ++delivered;
          assert_true(e->event->offset > last_bypass);
          last_bypass = e->event->offset;
        }
      } else if (dice < 95) {
        std::vector<EncodedRef> out;
        queue.take(random() % 8, random() % 1500, kNow, out);
        delivered += out.size();
        for (const EncodedRef& e : out) {
          assert_true(e->event->offset > last_normal);
          last_normal = e->event->offset;
        }
      } else if (const auto gap = queue.losses().take(kNow)) {
        told += gap->count;
      }
      assert_int_equal(queue.accepted(), offered);
      assert_int_equal(queue.delivered(), delivered);
      assert_int_equal(queue.dropped(), dropped);
      assert_int_equal(queue.accepted(), queue.delivered() + queue.dropped() + queue.size());
      assert_true(queue.size() <= o.max_events);
      assert_true(queue.bytes() <= o.max_bytes);
    }
    while (const auto gap = queue.losses().take(kNow)) told += gap->count;
    assert_int_equal(told, dropped);
    assert_true(dropped > 0);
    assert_true(delivered > 0);
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(priorities_do_not_change_the_order),
      cmocka_unit_test(a_replayed_event_takes_its_place_and_comes_once),
      cmocka_unit_test(critical_and_urgent_go_ahead_when_bypass_is_on),
      cmocka_unit_test(a_batch_keeps_its_bounds_but_is_never_empty),
      cmocka_unit_test(drop_lowest_keeps_what_matters_most),
      cmocka_unit_test(drop_lowest_drops_nothing_for_one_that_cannot_fit),
      cmocka_unit_test(the_other_policies),
      cmocka_unit_test(a_smaller_bound_drops_at_once),
      cmocka_unit_test(a_loss_becomes_one_gap_with_types_and_range),
      cmocka_unit_test(reasons_are_never_merged),
      cmocka_unit_test(a_sampling_client_is_told_once_a_second),
      cmocka_unit_test(the_counters_always_add_up),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
