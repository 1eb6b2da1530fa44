// The ids under which publishers have published lately, so that what is said again is not told again.
//
// Bounded in age, in entries of one publisher, and in bytes of all; when it is full the publisher who holds most
// forgets his oldest. The clock is a parameter. Loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "plugin/clock.hpp"

namespace bindcast {

class KnownIds {
 public:
  static constexpr std::size_t kMaxEntries = 10'000;  // of one publisher
  static constexpr std::size_t kMaxBytes = 16 * 1024 * 1024;

  // What was answered.
  struct Known {
    std::string content;         // a digest of what was said
    std::uint64_t offset = 0;    // of the event; 0: progress that was held back
    std::string correlation_id;  // of a bulk operation that began
  };

  explicit KnownIds(std::int64_t age_us) : age_us_(age_us) {}
  void configure(std::int64_t age_us) noexcept { age_us_ = age_us; }

  // nullptr: not known, or no longer. Valid until the next call.
  [[nodiscard]] const Known* find(std::string_view publisher, std::string_view id, Now now) const;
  // One that is not known.
  void remember(std::string_view publisher, std::string_view id, Known known, Now now);
  // Forgets what is too old. Once a second.
  void tick(Now now);

  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t entries() const noexcept { return entries_; }
  // Those that were forgotten before their time, for want of room.
  [[nodiscard]] std::uint64_t forgotten_early() const noexcept { return forgotten_early_; }

 private:
  struct Entry {
    std::string id;
    Known known;
    std::int64_t at_us;
    [[nodiscard]] std::size_t bytes() const noexcept;
  };
  struct Publisher {
    std::deque<Entry> entries;                           // by age; none moves in memory
    std::unordered_map<std::string_view, Entry*> by_id;  // the texts are the entries' own
    std::size_t bytes = 0;
  };
  using Publishers = std::unordered_map<std::string, Publisher>;

  void forget_oldest(Publisher& publisher);
  [[nodiscard]] bool too_old(const Entry& entry, Now now) const noexcept { return now.mono_us - entry.at_us > age_us_; }

  Publishers publishers_;
  std::int64_t age_us_;
  std::size_t bytes_ = 0, entries_ = 0;
  std::uint64_t forgotten_early_ = 0;
};

}  // namespace bindcast
