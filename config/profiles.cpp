// The table of profiles.
//
// See profiles.hpp.
#include "config/profiles.hpp"

#include <array>
#include <optional>

#include "config/values.hpp"

namespace bindcast {

namespace {

struct ProfileRow {
  BatchStrategy strategy;
  std::uint32_t max_batch_size;
  std::size_t max_batch_bytes;
  std::chrono::milliseconds batch_timeout;
  std::optional<std::size_t> compression_threshold;  // none: no compression
  bool adaptive_sizing;
  std::uint32_t queue_events;
};

using namespace std::chrono_literals;

// In the order of BatchingOptions::Profile.
constexpr std::array<ProfileRow, 4> kProfiles{{
    {BatchStrategy::hybrid, 50, 64 * kKiB, 1000ms, 1024, true, 1000},
    {BatchStrategy::hybrid, 25, 32 * kKiB, 500ms, 512, true, 500},
    {BatchStrategy::adaptive, 100, 128 * kKiB, 2000ms, 256, true, 2000},
    {BatchStrategy::priority_based, 10, 16 * kKiB, 100ms, std::nullopt, false, 200},
}};

}  // namespace

void apply_profile(BatchingOptions::Profile profile, Options& options) {
  const ProfileRow& row = kProfiles.at(static_cast<std::size_t>(profile));
  BatchingOptions& batching = options.batching;
  batching.profile = profile;
  batching.strategy = row.strategy;
  batching.max_batch_size = row.max_batch_size;
  batching.max_batch_bytes = row.max_batch_bytes;
  batching.batch_timeout = row.batch_timeout;
  batching.compression.enabled = row.compression_threshold.has_value();
  if (row.compression_threshold) batching.compression.threshold = *row.compression_threshold;
  batching.priority_bypass = true;
  batching.adaptive_sizing = row.adaptive_sizing;
  options.queues.max_events = row.queue_events;
}

}  // namespace bindcast
