// Counts of what each subject (a client, a domain, a network…) did within its window, for detectors whose finding is
// "too many of these". Bounded in entries and in bytes. One thread.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "plugin/detectors/bounded_table.hpp"
#include "plugin/detectors/detector.hpp"
#include "plugin/detectors/distinct.hpp"

namespace bindcast {

// What is shown of a subject that comes near its threshold.
struct Sample {
  static constexpr std::size_t kMost = 5;  // of names, clients, policy zones; and of types one more, for the rest
  Network client;
  std::string domain, view;                                    // domain in wire form
  std::vector<std::string> names;                              // wire form, different
  std::vector<Network> clients;                                // different
  std::vector<std::string> zones;                              // policy zones, wire form
  std::vector<std::uint64_t> of_zone;                          // hits in each
  std::vector<std::pair<std::uint16_t, std::uint64_t>> types;  // qtype and how often
  Distinct different_clients;

  [[nodiscard]] std::size_t bytes() const noexcept;
};

struct Tally {
  std::int64_t begin_us = 0;               // of the window
  std::int64_t first_us = 0, last_us = 0;  // of what speaks for it
  std::uint32_t hits = 0;                  // queries that speak for it
  std::uint32_t others = 0;                // the subject's other queries, since it had hits
  std::uint32_t special = 0;               // hits of a kind that the detector calls special
  std::uint32_t bytes = 0;                 // what the detector summed up of the hits
  Distinct names;                          // of the hits
  std::uint8_t told = 0;                   // as how strong in this window: 0 not at all, 1 weak, 2 strong
  bool waits = false;                      // to be judged at the next tick
  std::unique_ptr<Sample> sample;

  // An estimate can be above what there was.
  [[nodiscard]] double different_names() const noexcept {
    return std::min(names.estimate(), static_cast<double>(hits));
  }
  [[nodiscard]] double share() const noexcept {
    return static_cast<double>(hits) / (static_cast<double>(hits) + static_cast<double>(others));
  }
};

class TallyTable {
 public:
  static constexpr std::size_t kMostSamples = 512;  // at a time
  enum class Counts : std::uint8_t { hits, names };
  struct Rules {
    std::size_t entries = 0;
    std::int64_t window_us = 0;
    Counts counts = Counts::hits;  // what is held against the threshold
    double threshold = 1;          // from here on a subject is judged
    double sample_from = 1;        // from here on samples of it are kept
  };

  explicit TallyTable(const Rules& rules) : rules_(rules), table_(rules.entries, rules.window_us) {}

  // A query that speaks for a finding about `subject`.
  struct Weight {
    std::uint32_t special = 0, bytes = 0;
  };
  void hit(std::uint64_t subject, const SeenQuery& query, Now now, Weight weight = {0, 0});
  // One that does not. Counted only where there are hits already.
  void other(std::uint64_t subject, const SeenQuery& query, Now now) noexcept;

  // Once a second: judge(tally, value) for each subject at or above the threshold; returns as how strong it was found:
  // 0 not at all, 1 weak, 2 strong. tell(tally, strength) where that is stronger than what was told in this window.
  template <class Judge, class Tell>
  void tick(Now now, const Judge& judge, const Tell& tell);

  [[nodiscard]] Held held() const noexcept;

 private:
  [[nodiscard]] double value_of(const Tally& tally) const noexcept {
    return rules_.counts == Counts::names ? tally.different_names() : static_cast<double>(tally.hits);
  }
  void drop_sample(Tally& tally) noexcept;
  void take_sample(Tally& tally, const SeenQuery& query);

  Rules rules_;
  BoundedTable<Tally> table_;
  std::vector<std::uint64_t> waiting_;
  std::size_t samples_ = 0;
  std::uint64_t without_sample_ = 0;
};

// What all findings made of a tally have in common.
[[nodiscard]] Finding finding_of(std::string_view detector, const Tally& tally, int strength);

template <class Judge, class Tell>
void TallyTable::tick(Now now, const Judge& judge, const Tell& tell) {
  std::vector<std::uint64_t> waiting;
  waiting.swap(waiting_);
  for (const std::uint64_t subject : waiting) {
    Tally* const tally = table_.find(subject);
    if (tally == nullptr) continue;
    tally->waits = false;
    if (tally->sample == nullptr) continue;
    const int strength = judge(std::as_const(*tally), value_of(*tally));
    if (strength <= tally->told) continue;
    tally->told = static_cast<std::uint8_t>(strength);
    tell(std::as_const(*tally), strength);
  }
  table_.sweep(now.mono_us, [this](Tally& tally) { drop_sample(tally); });
}

}  // namespace bindcast
