// The ring between a host thread and the loop: order, wrapping, refusal when full, and two threads at once.

#include "harness.hpp"

#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "plugin/capture/ring.hpp"

namespace {

using bindcast::Ring;

bool put(Ring& ring, std::uint32_t value, std::size_t size) {
  std::byte* at = ring.reserve(size, 7);
  if (at == nullptr) return false;
  std::memset(at, static_cast<int>(value & 0xff), size);
  std::memcpy(at, &value, sizeof value);
  ring.commit();
  return true;
}

std::uint32_t value_of(const Ring::Record& record) {
  std::uint32_t value = 0;
  std::memcpy(&value, record.payload.data(), sizeof value);
  return value;
}

void records_come_out_in_order_and_whole(void**) {
  Ring ring(4096);
  std::uint32_t in = 0, out = 0;
  for (int round = 0; round < 1000; ++round) {
    while (put(ring, in, 8 + in % 200)) ++in;
    Ring::Record record;
    for (int n = 0; n < 7 && ring.front(record); ++n, ring.pop()) {
      assert_int_equal(record.kind, 7);
      assert_int_equal(value_of(record), out);
      assert_true(record.payload.size() >= 8 + out % 200);
      for (std::size_t i = 4; i < 8 + out % 200; ++i)
        assert_int_equal(static_cast<int>(record.payload[i]), static_cast<int>(out & 0xff));
      ++out;
    }
  }
  assert_true(out > 5000);
}

void a_full_ring_refuses_and_recovers(void**) {
  Ring ring(4096);
  std::uint32_t in = 0;
  while (put(ring, in, 64)) ++in;
  assert_in_range(in, 40, 64);
  assert_false(put(ring, in, 64));
  Ring::Record record;
  assert_true(ring.front(record));
  ring.pop();
  assert_true(put(ring, in, 64));
}

void a_record_larger_than_half_the_ring_is_refused(void**) {
  Ring ring(4096);
  assert_null(ring.reserve(2048, 1));
  assert_non_null(ring.reserve(1024, 1));
}

void nothing_is_seen_before_commit(void**) {
  Ring ring(4096);
  Ring::Record record;
  assert_non_null(ring.reserve(100, 1));
  assert_true(ring.empty());
  assert_false(ring.front(record));
}

void two_threads_lose_and_reorder_nothing(void**) {
  Ring ring(16384);
  constexpr std::uint32_t kCount = 300'000;
  std::thread producer([&ring] {
    std::mt19937 random(1);
    for (std::uint32_t i = 0; i < kCount;)
      if (put(ring, i, 8 + random() % 300))
        ++i;
      else
        std::this_thread::yield();
  });
  std::uint32_t expected = 0;
  bool ordered = true;
  while (expected < kCount) {
    Ring::Record record;
    if (!ring.front(record)) {
      std::this_thread::yield();
      continue;
    }
    ordered = ordered && value_of(record) == expected;
    ++expected;
    ring.pop();
  }
  producer.join();
  assert_true(ordered);
  assert_true(ring.empty());
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(records_come_out_in_order_and_whole),
      cmocka_unit_test(a_full_ring_refuses_and_recovers),
      cmocka_unit_test(a_record_larger_than_half_the_ring_is_refused),
      cmocka_unit_test(nothing_is_seen_before_commit),
      cmocka_unit_test(two_threads_lose_and_reorder_nothing),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
