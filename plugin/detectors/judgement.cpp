#include "plugin/detectors/judgement.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "events/timestamp.hpp"
#include "plugin/correlation_id.hpp"

namespace bindcast {

namespace {

constexpr EventType kTypes[] = {EventType::suspicious_activity, EventType::threat_detected, EventType::security_alert};

std::string network_text(const Network& network) {
  std::string text = address_text(network);
  if (network.prefix != network.longest()) text += "/" + std::to_string(network.prefix);
  return text;
}

// Ratios are rounded to a thousandth; what counts things is whole.
void add_number(Fields& data, std::string_view key, double value) {
  const double rounded = std::round(value * 1000) / 1000;
  if (rounded == std::floor(rounded) && std::abs(rounded) < 1e15)
    data.add_integer(key, static_cast<std::int64_t>(rounded));
  else
    data.add_real(key, rounded);
}

void add_counts(Fields& data, std::string_view key, std::string_view name,
                const std::vector<std::pair<std::string, std::uint64_t>>& counts) {
  if (counts.empty()) return;
  data.begin_array(key);
  for (const auto& [what, count] : counts)
    data.begin_object({}).add(name, what).add_integer("count", static_cast<std::int64_t>(count)).end();
  data.end();
}

void add_evidence(Fields& data, const Finding& finding, Now now) {
  data.begin_object("evidence");
  for (const auto& [name, value] : finding.counts)
    add_number(data, name, name == "names" || name == "clients" ? std::round(value) : value);
  add_counts(data, "qtypes", "qtype", finding.qtypes);
  add_counts(data, "feeds", "policy_zone", finding.policy_zones);
  if (!finding.qnames.empty()) {
    data.begin_array("qnames");
    for (const std::string& name : finding.qnames) data.add({}, name);
    data.end();
  }
  const auto add_time = [&](std::string_view key, std::int64_t mono_us) {
    char text[kTimestampBytes];
    write_timestamp(text, now.wall_us - (now.mono_us - mono_us));
    data.add(key, std::string_view(text, sizeof text));
  };
  add_time("first_seen", finding.first_us);
  add_time("last_seen", finding.last_us);
  data.end();
}

}  // namespace

std::string Judgement::subject_of(const Finding& finding, Now now) const {
  std::string key(finding.direction);
  if (finding.client) key += "\n" + masks_.address(*finding.client, now);
  for (const std::string* name : {&finding.domain, &finding.qname})
    if (!name->empty()) key += "\n" + masks_.name(*name, now);
  return key;
}

void Judgement::take(const Finding& finding, Now now) {
  Book& book = by_detector_[finding.detector];
  Counters& counters = counters_[finding.detector];
  std::string key = subject_of(finding, now);
  auto known = book.subjects.find(key);
  const bool is_new = known == book.subjects.end();
  if (is_new) {
    if (book.subjects.size() == kMostSubjects) {
      ++book.untold;
      ++counters.untold;
      return;
    }
    known = book.subjects.emplace(std::move(key), Subject()).first;
    known->second.correlation_id = new_correlation_id();
  }
  Subject& subject = known->second;
  const bool stronger = is_new || finding.strength > subject.strongest;
  subject.latest = finding;
  subject.found_us = now.mono_us;
  ++subject.found;
  if (!stronger && (finding.steady || now.mono_us - subject.told_us < cooldown_us_)) {
    ++subject.suppressed;
    ++counters.suppressed;
    return;
  }
  subject.strongest = std::max(subject.strongest, finding.strength);
  tell(subject, is_new ? State::began : State::continues, book, now);
}

// Two windows without it, and never within the cool-down: a subject that comes back then is still the same.
bool Judgement::is_over(const Subject& subject, Now now) const noexcept {
  return now.mono_us - subject.found_us >= 2 * subject.latest.window_us &&
         now.mono_us - subject.told_us >= cooldown_us_;
}

void Judgement::tick(Now now) {
  for (auto& [detector, book] : by_detector_) {
    for (auto subject = book.subjects.begin(); subject != book.subjects.end();) {
      const auto at = subject++;
      if (!is_over(at->second, now)) continue;
      Subject over = std::move(at->second);
      book.subjects.erase(at);
      tell(over, State::ended, book, now);
    }
  }
}

void Judgement::tell(Subject& subject, State state, Book& book, Now now) {
  static constexpr std::string_view kStates[] = {"began", "continues", "ended"};
  const Finding& finding = subject.latest;
  // The end is nothing to worry about, however it began.
  const bool ended = state == State::ended;
  Event event = make_event(kTypes[static_cast<std::size_t>(ended ? Strength::weak : finding.strength)]);
  if (ended) {
    event.priority = Priority::normal;
    event.severity = Severity::info;
  }
  event.source_component = "detectors";
  event.view = finding.view;
  event.correlation_id = subject.correlation_id;

  Fields& data = event.data;
  data.add("detector", finding.detector);
  data.add("state", kStates[static_cast<std::size_t>(state)]);
  if (finding.client) data.add("client", network_text(*finding.client));
  if (!finding.domain.empty()) data.add("domain", finding.domain);
  if (!finding.qname.empty()) data.add("qname", finding.qname);
  if (!finding.view.empty()) data.add("view", finding.view);
  if (!finding.direction.empty()) data.add("direction", finding.direction);
  data.add("measure", finding.measure);
  add_number(data, "value", finding.measure == "names" ? std::round(finding.value) : finding.value);
  add_number(data, "threshold", finding.threshold);
  add_number(data, "score", finding.score());
  add_number(data, "window_seconds", static_cast<double>(finding.window_us) / 1e6);
  add_evidence(data, finding, now);
  data.begin_object("cooldown");
  add_number(data, "seconds", static_cast<double>(cooldown_us_) / 1e6);
  data.add_integer("suppressed", static_cast<std::int64_t>(std::exchange(subject.suppressed, 0)));
  data.add_integer("found", static_cast<std::int64_t>(subject.found));
  data.add_integer("others_untold", static_cast<std::int64_t>(std::exchange(book.untold, 0)));
  data.end();

  subject.told_us = now.mono_us;
  if (!ended) ++counters_[finding.detector].told[static_cast<std::size_t>(finding.strength)];
  tell_(std::move(event), now);
}

}  // namespace bindcast
