// Decides which findings are told, and as what. The same subject is told again only when its cool-down is over, or when
// the finding has become stronger; what was found meanwhile is counted, and that it is over is told, too. Bounded: so
// many subjects of one detector at a time. Loop thread only.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "events/event.hpp"
#include "plugin/clock.hpp"
#include "plugin/detectors/finding.hpp"

namespace bindcast {

class Judgement {
 public:
  static constexpr std::size_t kMostSubjects = 256;  // of each detector
  // Told about one event; it goes to the hub.
  using Tell = std::function<void(Event&&, Now)>;
  // What is left of an address or name where not all may be told; nothing: all alike. Two findings whose subjects are
  // alike then are one, or else their number would tell how many there were.
  struct Masks {
    std::function<std::string(const Network&, Now)> address;
    std::function<std::string(std::string_view, Now)> name;
  };
  struct Counters {
    std::array<std::uint64_t, 3> told{};  // by strength
    std::uint64_t suppressed = 0;         // not told: cooling down
    std::uint64_t untold = 0;             // not told: too many subjects
  };

  Judgement(Tell tell, Masks masks) : tell_(std::move(tell)), masks_(std::move(masks)) {}

  void set_cooldown(std::int64_t cooldown_us) noexcept { cooldown_us_ = cooldown_us; }
  void take(const Finding& finding, Now now);
  void tick(Now now);
  void forget() noexcept { by_detector_.clear(); }
  [[nodiscard]] const std::map<std::string_view, Counters>& counters() const noexcept { return counters_; }

 private:
  struct Subject {
    Finding latest;
    std::string correlation_id;
    Strength strongest = Strength::weak;
    std::int64_t told_us = 0, found_us = 0;
    std::uint64_t suppressed = 0;  // since it was told
    std::uint64_t found = 0;       // in all
  };
  struct Book {
    std::map<std::string, Subject, std::less<>> subjects;
    std::uint64_t untold = 0;  // findings of other subjects, since an event said so
  };
  enum class State : std::uint8_t { began, continues, ended };

  [[nodiscard]] std::string subject_of(const Finding& finding, Now now) const;
  [[nodiscard]] bool is_over(const Subject& subject, Now now) const noexcept;
  void tell(Subject& subject, State state, Book& book, Now now);

  Tell tell_;
  Masks masks_;
  std::int64_t cooldown_us_ = 0;
  std::map<std::string_view, Book> by_detector_;
  std::map<std::string_view, Counters> counters_;  // since the start
};

}  // namespace bindcast
