#include "plugin/delivery/batching.hpp"

#include <algorithm>

namespace bindcast {

namespace {

// A batch goes when it is full, or when its oldest event has waited long enough. After a quiet time of the same length
// nobody gains from waiting: what has come meanwhile goes at once.
BatchDecision decide_hybrid(const BatchingOptions& options, const QueueState& queue, Now now) noexcept {
  BatchDecision decision;
  const std::int64_t timeout_us = options.batch_timeout.count();
  const std::int64_t due_us = queue.oldest_us + timeout_us;
  const bool full = queue.count >= options.max_batch_size || queue.bytes >= options.max_batch_bytes;
  const bool quiet = queue.quiet_since_us == 0 || now.mono_us - queue.quiet_since_us >= timeout_us;
  if (full || quiet || now.mono_us >= due_us)
    decision.send_now = std::min<std::size_t>(queue.count, options.max_batch_size);
  else
    decision.wait_until_us = std::min(due_us, queue.quiet_since_us + timeout_us);
  return decision;
}

}  // namespace

BatchDecision decide_batch(const BatchingOptions& options, const QueueState& queue, double /*load*/, Now now) noexcept {
  BatchDecision decision;
  if (queue.count > 0) {
    switch (options.strategy) {
      // The configuration says of the others that they are not built yet; until then each acts as hybrid.
      case BatchStrategy::time_based:
      case BatchStrategy::size_based:
      case BatchStrategy::priority_based:
      case BatchStrategy::adaptive:
      case BatchStrategy::hybrid:
        decision = decide_hybrid(options, queue, now);
        break;
    }
  }
  decision.send_bypass = queue.has_bypass;
  return decision;
}

}  // namespace bindcast
