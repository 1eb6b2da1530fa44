// Folds repeated policy hits: the first one of a client, name and rule is an event at once; those that follow within
// the window are counted, and told in one event with that count when the window ends. Every hit is in exactly one
// event's count. Where `privacy` hides a difference, hits that differ by it alone are alike: else the number of events
// would tell how many clients there were, or names. Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/options.hpp"
#include "plugin/capture/records.hpp"
#include "plugin/clock.hpp"

namespace bindcast {

class RpzFold {
 public:
  // Told once per event that is due: the latest hit and the number of hits that it stands for.
  using Tell = std::function<void(const QueryView&, std::uint64_t count, Now)>;
  // When so many different hits are being folded, further ones are told singly.
  static constexpr std::size_t kMaxFolded = 16'384;

  explicit RpzFold(Tell tell) : tell_(std::move(tell)) {}

  void set_window(std::int64_t window_us) noexcept { window_us_ = window_us; }  // 0: nothing is folded
  void set_privacy(const PrivacyOptions& privacy) noexcept { privacy_ = privacy; }
  void hit(std::span<const std::byte> payload, const QueryView& query, Now now);
  // Tells what is due. With `all`, everything held (at the end).
  void expire(Now now, bool all = false);
  // When expire should be called next, or -1.
  [[nodiscard]] std::int64_t next_expiry_us() const noexcept;

 private:
  struct Folded {
    std::vector<std::byte> latest;  // the payload of the latest hit that was not told yet
    std::uint64_t untold = 0;
  };
  struct Expiry {
    std::int64_t at_us;
    std::string key;
  };
  [[nodiscard]] std::string key_of(const QueryView& query) const;
  void begin_window(std::string key, Now now);

  Tell tell_;
  std::int64_t window_us_ = 10'000'000;
  PrivacyOptions privacy_;
  std::unordered_map<std::string, Folded> folded_;
  std::deque<Expiry> expiries_;  // in order of time
};

}  // namespace bindcast
