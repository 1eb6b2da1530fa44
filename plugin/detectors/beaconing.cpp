#include "plugin/detectors/beaconing.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "plugin/detectors/text.hpp"

namespace bindcast {

namespace {
constexpr std::int64_t kOneBeatUs = 1'000'000;  // A, AAAA and HTTPS of one moment
constexpr std::size_t kDoorkeeperBytes = 32;    // for each entry of the table
// What varies so much more than a beacon may after a few intervals is none: it begins again.
constexpr double kHopeless = 4;
constexpr std::uint32_t kFewIntervals = 3;
}  // namespace

Beaconing::Beaconing(const SourcesOptions::Detectors& options)
    : rules_(options.beaconing),
      doorkeeper_(std::bit_ceil(std::size_t{options.entries} * kDoorkeeperBytes), rules_.longest.count()),
      names_(options.entries, 0) {}

void Beaconing::see(const SeenQuery& query, Now now) {
  if (names_.find(query.name_hash) == nullptr && !doorkeeper_.knows(query.name_hash, now.mono_us)) return;
  const auto [name, standing] = names_.place(query.name_hash, now.mono_us, [](Name&) {});
  std::uint64_t regular = 0;
  if (!name.of_a_service) {
    const std::int64_t at_us = query.asked_us();
    if (Beat* const beat = beat_of(name, query.client_hash, at_us))
      take(*beat, query, at_us);
    else
      name.of_a_service = true;
    for (const Beat& beat : name.beats) regular = std::max<std::uint64_t>(regular, beat.intervals);
  }
  // First how long it has been regular, then who came last.
  constexpr int kBitsOfTime = 40;
  standing = regular << kBitsOfTime | static_cast<std::uint64_t>(now.mono_us / 1'000'000);
}

// Of that client; none: too many clients ask for this name.
Beaconing::Beat* Beaconing::beat_of(Name& name, std::uint64_t client, std::int64_t at_us) const noexcept {
  for (std::size_t i = 0; i < name.clients; ++i)
    if (name.beats[i].client == client) return &name.beats[i];
  if (name.clients == rules_.clients) return nullptr;
  Beat& beat = name.beats[name.clients++];
  beat = {.client = client, .first_us = at_us, .last_us = at_us};
  return &beat;
}

double Beaconing::variation(const Beat& beat) const noexcept {
  return std::sqrt(static_cast<double>(beat.squares) / beat.intervals) / static_cast<double>(beat.mean_us);
}

void Beaconing::take(Beat& beat, const SeenQuery& query, std::int64_t at_us) {
  const std::int64_t interval_us = at_us - beat.last_us;
  if (interval_us < kOneBeatUs) return;
  beat.last_us = at_us;
  const auto begin_again = [&] {
    beat.intervals = 0;
    beat.mean_us = beat.squares = 0;
    beat.first_us = at_us;
  };
  if (interval_us < rules_.shortest.count() || interval_us > rules_.longest.count()) return begin_again();
  const auto interval = static_cast<float>(interval_us);
  const float from_mean = interval - beat.mean_us;
  beat.mean_us += from_mean / static_cast<float>(++beat.intervals);
  beat.squares += from_mean * (interval - beat.mean_us);
  if (beat.intervals >= kFewIntervals && variation(beat) > kHopeless * rules_.variation) return begin_again();
  if (beat.intervals < rules_.intervals) return;

  const double varies = variation(beat);
  if (varies <= rules_.variation) {
    if (found_.size() == kMostFound) {
      ++not_found_;
    } else {
      Finding& finding = found_.emplace_back();
      finding.detector = name();
      finding.steady = true;
      finding.client = query.client();
      finding.qname = name_text({reinterpret_cast<const char*>(query.name.data()), query.name.size()});
      finding.view = query.view;
      finding.value = beat.intervals;
      finding.threshold = rules_.intervals;
      finding.measure = "intervals";
      finding.window_us = at_us - beat.first_us;
      finding.counts = {{"interval_seconds", static_cast<double>(beat.mean_us) / 1e6},
                        {"deviation_seconds", varies * static_cast<double>(beat.mean_us) / 1e6},
                        {"variation", varies}};
      finding.first_us = beat.first_us;
      finding.last_us = at_us;
    }
  }
  begin_again();
}

void Beaconing::tick(Now, std::vector<Finding>& findings) {
  findings.insert(findings.end(), std::make_move_iterator(found_.begin()), std::make_move_iterator(found_.end()));
  found_.clear();
}

Held Beaconing::held() const noexcept {
  return {.tracked = names_.tracked(),
          .bytes = names_.bytes() + doorkeeper_.bytes() + found_.capacity() * sizeof(Finding),
          .evictions = names_.evictions() + not_found_};
}

}  // namespace bindcast
