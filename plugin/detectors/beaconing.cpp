#include "plugin/detectors/beaconing.hpp"

#include <cmath>
#include <utility>

#include "plugin/detectors/text.hpp"

namespace bindcast {

namespace {
constexpr std::int64_t kOneBeatUs = 1'000'000;  // A, AAAA and HTTPS of one moment
}  // namespace

Beaconing::Beaconing(const SourcesOptions::Detectors& options)
    : rules_(options.beaconing), names_(options.entries, 2 * rules_.longest.count()) {}

void Beaconing::see(const SeenQuery& query, Now now) {
  Name& name = names_.touch(query.name_hash, 1, now.mono_us, [](Name&) {});
  if (name.of_a_service) return;
  const std::int64_t at_us = query.asked_us();
  for (std::size_t i = 0; i < name.clients; ++i)
    if (name.beats[i].client == query.client_hash) return take(name.beats[i], query, at_us);
  if (name.clients == rules_.clients) {
    name.of_a_service = true;
    return;
  }
  name.beats[name.clients++] = {.client = query.client_hash, .first_us = at_us, .last_us = at_us};
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
  if (beat.intervals < rules_.intervals) return;

  const double deviation_us = std::sqrt(static_cast<double>(beat.squares) / beat.intervals);
  const double variation = deviation_us / static_cast<double>(beat.mean_us);
  if (variation <= rules_.variation) {
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
                        {"deviation_seconds", deviation_us / 1e6},
                        {"variation", variation}};
      finding.first_us = beat.first_us;
      finding.last_us = at_us;
    }
  }
  begin_again();
}

void Beaconing::tick(Now now, std::vector<Finding>& findings) {
  findings.insert(findings.end(), std::make_move_iterator(found_.begin()), std::make_move_iterator(found_.end()));
  found_.clear();
  names_.sweep(now.mono_us, [](Name&) {});
}

Held Beaconing::held() const noexcept {
  return {.tracked = names_.tracked(),
          .bytes = names_.bytes() + found_.capacity() * sizeof(Finding),
          .evictions = names_.evictions() + not_found_};
}

}  // namespace bindcast
