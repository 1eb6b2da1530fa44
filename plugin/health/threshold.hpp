// When a number that is measured again and again is cause for an alert. Two bounds and a time keep it from being one at
// each wobble: raised when the value has been at or beyond `raise` all through the time, cleared when it has been at or
// on the good side of `clear` for as long; what lies between changes nothing. Pure; no clock is read.
#pragma once

#include <cstdint>
#include <optional>

#include "plugin/clock.hpp"
#include "plugin/host_load.hpp"

namespace bindcast {

class Threshold {
 public:
  // raise > clear: too much is bad; raise < clear: too little is.
  struct Bounds {
    double raise = 0, clear = 0;
    std::int64_t hold_us = 0;
  };
  enum class Change : std::uint8_t { none, raised, cleared };

  // None: it is never raised; one that was stays raised until the next take().
  void configure(std::optional<Bounds> bounds) { bounds_ = bounds; }
  Change take(double value, Now now);
  // There are no more values: it is not raised any more. True: it was.
  bool end() noexcept;
  [[nodiscard]] bool raised() const noexcept { return raised_; }
  [[nodiscard]] const std::optional<Bounds>& bounds() const noexcept { return bounds_; }

 private:
  std::optional<Bounds> bounds_;
  bool raised_ = false;
  std::int64_t crossed_us_ = 0;  // monotonic: since then every value asks for a change; 0: the last one did not
};

// How much of what is usual a rate, smoothed over a minute, is. The usual is learned from the rate itself, slowly, and
// not while the rate is far below it, unless that lasts: then it is the new usual. Pure.
class UsualRate {
 public:
  static constexpr std::int64_t kSmoothingUs = 60'000'000;
  static constexpr std::int64_t kLearningUs = 300'000'000;    // what was seen for less is not usual
  static constexpr std::int64_t kForgettingUs = 600'000'000;  // in so long, two thirds of the old are replaced
  static constexpr std::int64_t kNewUsualUs = 3'600'000'000;  // so long below, and it is learned after all
  static constexpr double kLeast = 100;                       // a second: below, nothing can be said

  // `rate` over the `elapsed_us` until now. The share of the usual, or none where nothing is usual yet.
  std::optional<double> take(double rate, std::int64_t elapsed_us);
  [[nodiscard]] double usual() const noexcept { return usual_; }
  [[nodiscard]] double recent() const noexcept { return recent_; }

 private:
  double usual_ = 0, recent_ = 0;
  std::int64_t seen_us_ = 0, learned_us_ = 0, below_us_ = 0;
};

// The median of times that are known by their class alone. Pure.
class MedianTime {
 public:
  static constexpr std::uint64_t kFewest = 20;  // so many are waited for

  // In milliseconds, of all that came since the last one, or none while they are too few. In a class times are taken to
  // be spread evenly; of what is late, no more is known than that it is.
  std::optional<double> take(const HostLoad::AnswerTimes& times);

 private:
  HostLoad::AnswerTimes seen_;
};

}  // namespace bindcast
