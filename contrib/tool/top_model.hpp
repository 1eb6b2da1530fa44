// What bindcast top shows, worked out from the stream: rates, shares and leaders of the last seconds. Pure; one thread.
#pragma once

#include <jansson.h>

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bindcast::tool {

class TopModel {
 public:
  static constexpr std::size_t kWindowSeconds = 10;
  static constexpr std::size_t kMostNames = 20'000;     // in one second; others only count
  static constexpr std::size_t kMostLatencies = 5'000;  // in one second
  static constexpr std::size_t kMostNotes = 10;

  using Leaders = std::vector<std::pair<std::string, double>>;  // name and number a second, the largest first

  void take_event(const json_t* event);
  void take_gap(const json_t* gap);
  // A line for the list of what happened.
  void note(std::string line);
  // A second is over.
  void end_second();

  // Of the last whole second, and of the window.
  [[nodiscard]] double queries_now() const;
  [[nodiscard]] double queries_per_second() const;
  [[nodiscard]] std::uint64_t received_now() const;  // events that came in the last second
  [[nodiscard]] double blocked_in_window() const;
  [[nodiscard]] double blocked_ever() const noexcept { return blocked_ever_; }
  [[nodiscard]] std::uint64_t missed_ever() const noexcept { return missed_ever_; }
  [[nodiscard]] Leaders rcodes() const;  // as shares of 1
  [[nodiscard]] Leaders names(std::size_t most) const;
  [[nodiscard]] Leaders clients(std::size_t most) const;
  // In microseconds, of those that came; 0: there were none.
  [[nodiscard]] double latency_us(double percentile) const;
  [[nodiscard]] const std::deque<std::string>& notes() const noexcept { return notes_; }

 private:
  using Counts = std::map<std::string, double, std::less<>>;
  struct Second {
    double queries = 0, blocked = 0;
    std::uint64_t received = 0;
    Counts rcodes, names, clients;
    std::vector<double> latencies_us;
  };
  void take_query(const json_t* data, double weight, const json_t* latency);
  [[nodiscard]] Leaders leaders(Counts Second::*of, std::size_t most, double whole) const;
  static void add(Counts& counts, std::string_view name, double weight);

  Second current_;
  std::deque<Second> past_;  // whole seconds, the newest last
  double blocked_ever_ = 0;
  std::uint64_t missed_ever_ = 0;
  std::deque<std::string> notes_;
};

}  // namespace bindcast::tool
