// The fences of "publish, then look whether the other sleeps" against "say that I sleep, then look for more": one of
// the two must see what the other did. With membarrier(2) the one that falls asleep, which is rare, pays for both;
// without it (before Linux 4.14, or where it is forbidden) each pays its own.
#pragma once

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace bindcast {

class AsymmetricFence {
 public:
  // From here on the light side is light. Loop thread, which may wait for the kernel here for some milliseconds.
  void begin() noexcept {
#if !defined(__SANITIZE_THREAD__)
    if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0) light_.store(true, std::memory_order_relaxed);
#endif
  }

  // Any thread.
  void light() noexcept {
    if (light_.load(std::memory_order_relaxed))
      std::atomic_signal_fence(std::memory_order_seq_cst);  // only the compiler is kept from reordering
    else
      full();
  }
  // Loop thread. False when the kernel has no memory for it: then nothing is ordered, and nobody may go to sleep.
  [[nodiscard]] bool heavy() noexcept {
    if (light_.load(std::memory_order_relaxed)) return membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0;
    full();
    return true;
  }

 private:
  static long membarrier(int command) noexcept {
    return syscall(SYS_membarrier, command, 0, 0);
  }
  // ThreadSanitizer knows no fences; a read-modify-write of one common object orders the same pairs.
  void full() noexcept {
#if defined(__SANITIZE_THREAD__)
    common_.fetch_add(1, std::memory_order_seq_cst);
#else
    std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
  }

  std::atomic<bool> light_{false};
#if defined(__SANITIZE_THREAD__)
  std::atomic<unsigned> common_{0};
#endif
};

}  // namespace bindcast
