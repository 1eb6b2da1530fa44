// What the sketches of one view, or of several together, say: the members of dns_analytics_update. Made once an
// interval; doc/analytics.md has the meaning of each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "config/options.hpp"
#include "events/fields.hpp"
#include "plugin/analytics/hyperloglog.hpp"
#include "plugin/analytics/view_sketch.hpp"
#include "plugin/histogram.hpp"

namespace bindcast {

class Summary {
 public:
  // Borrows the sketches.
  Summary(std::span<const ViewSketch* const> of, const PrivacyOptions& privacy);

  // Into the innermost open object; lists of at most `top`.
  void write(Fields& data, std::size_t top, std::int64_t interval_us) const;

  std::uint64_t queries = 0, blocked = 0, dropped = 0;
  std::uint64_t distinct_names = 0, distinct_clients = 0;
  double latency_us_sum = 0;
  Histogram latency_us;

 private:
  struct Entry {
    std::uint64_t key, count, error;
    const ViewSketch* view;  // one of those that have it
    SpaceSaving::Slot slot;  // there
  };
  // All that the sketches hold together, most frequent first as far as `top`.
  [[nodiscard]] std::vector<Entry> entries(SpaceSaving ViewSketch::*sketch, std::size_t top) const;
  [[nodiscard]] std::uint64_t distinct(HyperLogLog ViewSketch::*all, SpaceSaving ViewSketch::*top, bool apart) const;
  template <typename WriteKey>
  void write_list(Fields& data, Fields::Key name, SpaceSaving ViewSketch::*sketch, std::size_t top,
                  const WriteKey& write_key) const;

  std::span<const ViewSketch* const> of_;
  const PrivacyOptions& privacy_;
};

}  // namespace bindcast
