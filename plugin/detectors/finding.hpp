// What a detector found, before anybody decides whether it is told. Addresses and names are clear here; whoever makes
// an event of it uses members that are masked (plugin/hub/masker.cpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "events/network.hpp"

namespace bindcast {

enum class Strength : std::uint8_t { weak, strong, alarm };

struct Finding {
  std::string_view detector;  // as the configuration calls it: a literal
  Strength strength = Strength::weak;
  // Whom and what it is about, as far as it is about one. Names are in presentation form.
  std::optional<Network> client;
  std::string domain, qname, view;
  std::string_view direction;  // of a change: "up", "down"; a literal

  // `value` of `measure` (a literal: "names"…) against `threshold`.
  double value = 0, threshold = 1;
  std::string_view measure;
  std::int64_t window_us = 0;
  bool steady = false;  // it goes on as it is: once told, it is not told again

  // The evidence: how many of what (literals), samples, and when (on the monotonic clock).
  std::vector<std::pair<std::string_view, double>> counts;
  std::vector<std::pair<std::string, std::uint64_t>> qtypes, policy_zones;
  std::vector<std::string> qnames;
  std::vector<Network> clients;
  std::int64_t first_us = 0, last_us = 0;

  [[nodiscard]] double score() const noexcept { return value / threshold; }
};

}  // namespace bindcast
