// One host thread's way in: a ring for queries, a smaller priority lane for policy hits, and the counters of what found
// no room. Everything here is called while a query is being answered: no lock, no allocation, and no system call but
// the one that wakes a sleeping loop.
#pragma once

#include <uv.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "plugin/capture/records.hpp"
#include "plugin/capture/ring.hpp"

namespace bindcast {

// What the loop wants from the host now. Values as in enum bindcast_interest of shim/bindcast.h.
enum Interest : std::uint32_t { kWantsQueries = 1, kWantsFailures = 2, kWantsRpz = 4, kCountsQueries = 8 };

// Shared by all producers of a runtime and its loop.
struct CaptureControl {
  // ThreadSanitizer knows no fences; a read-modify-write of one common object orders the same pairs.
  void full_fence() noexcept {
#if defined(__SANITIZE_THREAD__)
    fence_.fetch_add(1, std::memory_order_seq_cst);
#else
    std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
  }

  std::atomic<std::uint32_t> interest{0};
  std::atomic<std::uint32_t> sample{1};  // 1 in N queries
  alignas(64) std::atomic<bool> loop_sleeps{false};
  uv_async_t wake{};  // initialised by the loop before the first producer exists

  // After a commit. The fence pairs with the one in Intake::fall_asleep: either the loop sees the record, or we see
  // that it sleeps.
  void wake_if_asleep() noexcept {
    full_fence();
    if (loop_sleeps.load(std::memory_order_relaxed) && loop_sleeps.exchange(false, std::memory_order_relaxed))
      uv_async_send(&wake);
  }

#if defined(__SANITIZE_THREAD__)
 private:
  std::atomic<unsigned> fence_{0};
#endif
};

class Producer {
 public:
  static constexpr std::size_t kBulkBytes = 4 * 1024 * 1024;
  static constexpr std::size_t kPriorityBytes = 512 * 1024;

  explicit Producer(CaptureControl& control) : control_(control), bulk_(kBulkBytes), priority_(kPriorityBytes) {}

  // True when this query is one of those the configured sampling leaves out (counted). Host thread.
  [[nodiscard]] bool sampled_out() noexcept {
    const std::uint32_t sample = control_.sample.load(std::memory_order_relaxed);
    if (sample <= 1 || sample_position_++ % sample == 0) return false;
    add(sampled_queries);
    return true;
  }
  [[nodiscard]] std::uint32_t sample() const noexcept { return control_.sample.load(std::memory_order_relaxed); }

  // Room for a record with its names, or nullptr (counted). Follow with commit. Host thread.
  [[nodiscard]] std::byte* reserve(RecordKind kind, std::size_t payload, bool failure) noexcept {
    std::byte* room = lane(kind).reserve(payload, static_cast<std::uint32_t>(kind));
    if (room == nullptr) {
      if (kind == RecordKind::rpz_hit) {
        add(dropped_rpz);
      } else {
        add(dropped_queries);
        if (failure) add(dropped_failures);
      }
    }
    return room;
  }
  void commit(RecordKind kind) noexcept {
    lane(kind).commit();
    control_.wake_if_asleep();
  }

  // A query that the host could not follow to its end. Host thread.
  void count_lost_query() noexcept { add(dropped_queries); }
  // A query while the loop wants to know only how many there were. Host thread.
  void count_passed_query() noexcept {
    if (!sampled_out()) add(passed_queries);
  }

  // Loop thread.
  [[nodiscard]] Ring& bulk() noexcept { return bulk_; }
  [[nodiscard]] Ring& priority() noexcept { return priority_; }

  // Written by the host thread only, read by the loop.
  std::atomic<std::uint64_t> dropped_queries{0}, dropped_failures{0}, dropped_rpz{0}, sampled_queries{0},
      passed_queries{0};

 private:
  Ring& lane(RecordKind kind) noexcept { return kind == RecordKind::rpz_hit ? priority_ : bulk_; }
  static void add(std::atomic<std::uint64_t>& counter) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  CaptureControl& control_;
  Ring bulk_, priority_;
  std::uint32_t sample_position_ = 0;
};

}  // namespace bindcast
