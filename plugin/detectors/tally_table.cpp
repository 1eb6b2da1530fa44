#include "plugin/detectors/tally_table.hpp"

#include <algorithm>
#include <limits>

#include "events/dns_text.hpp"
#include "plugin/detectors/text.hpp"

namespace bindcast {

namespace {

std::string bytes_of(std::span<const std::uint8_t> wire) {
  return {reinterpret_cast<const char*>(wire.data()), wire.size()};
}

bool same(const Network& a, const Network& b) noexcept {
  return a.family == b.family && a.bytes == b.bytes;
}

std::uint32_t sum(std::uint32_t a, std::uint64_t b) noexcept {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(a + b, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

std::size_t Sample::bytes() const noexcept {
  std::size_t total = sizeof *this + domain.capacity() + view.capacity() + names.capacity() * sizeof(std::string) +
                      clients.capacity() * sizeof(Network) + zones.capacity() * sizeof(std::string) +
                      of_zone.capacity() * sizeof of_zone[0] + types.capacity() * sizeof types[0];
  for (const auto* texts : {&names, &zones})
    for (const std::string& text : *texts) total += text.capacity();
  return total;
}

void TallyTable::drop_sample(Tally& tally) noexcept {
  if (tally.sample == nullptr) return;
  --samples_;
  tally.sample.reset();
}

void TallyTable::take_sample(Tally& tally, const SeenQuery& query) {
  if (tally.sample == nullptr) {
    if (samples_ == kMostSamples) {
      ++without_sample_;
      return;
    }
    auto sample = std::make_unique<Sample>();
    sample->client = query.client();
    sample->domain = bytes_of(query.domain);
    sample->view = query.view;
    ++samples_;
    tally.sample = std::move(sample);
  }
  Sample& sample = *tally.sample;
  sample.different_clients.add(query.client_hash);
  const std::string_view name(reinterpret_cast<const char*>(query.name.data()), query.name.size());
  if (sample.names.size() < Sample::kMost && std::ranges::find(sample.names, name) == sample.names.end())
    sample.names.emplace_back(name);
  if (sample.clients.size() < Sample::kMost) {
    const Network client = query.client();
    if (std::ranges::none_of(sample.clients, [&](const Network& known) { return same(known, client); }))
      sample.clients.push_back(client);
  }
  const auto type =
      std::ranges::find(sample.types, query.record.qtype, &std::pair<std::uint16_t, std::uint64_t>::first);
  if (type != sample.types.end())
    type->second += query.record.sample;
  else if (sample.types.size() < Sample::kMost)
    sample.types.emplace_back(query.record.qtype, query.record.sample);
  if (!query.policy_zone.empty()) {
    const std::string zone = bytes_of(query.policy_zone);
    const auto known = std::ranges::find(sample.zones, zone);
    if (known != sample.zones.end()) {
      sample.of_zone[static_cast<std::size_t>(known - sample.zones.begin())] += query.record.sample;
    } else if (sample.zones.size() < Sample::kMost) {
      sample.of_zone.reserve(Sample::kMost);
      sample.zones.push_back(zone);
      sample.of_zone.push_back(query.record.sample);
    }
  }
}

void TallyTable::hit(std::uint64_t subject, const SeenQuery& query, Now now, Weight weight) {
  const std::uint32_t stands_for = query.record.sample;
  Tally& tally = table_.touch(subject, stands_for, now.mono_us, [this](Tally& old) { drop_sample(old); });
  if (tally.hits == 0 || now.mono_us - tally.begin_us >= rules_.window_us) {
    drop_sample(tally);
    tally = Tally();
    tally.begin_us = tally.first_us = now.mono_us;
  }
  tally.last_us = now.mono_us;
  tally.hits = sum(tally.hits, stands_for);
  tally.special = sum(tally.special, std::uint64_t{weight.special} * stands_for);
  tally.bytes = sum(tally.bytes, std::uint64_t{weight.bytes} * stands_for);
  tally.names.add(query.name_hash);
  const double value = value_of(tally);
  if (value < rules_.sample_from) return;
  take_sample(tally, query);
  if (value < rules_.threshold || tally.waits || tally.told == 2) return;
  waiting_.push_back(subject);
  tally.waits = true;
}

void TallyTable::other(std::uint64_t subject, const SeenQuery& query, Now now) noexcept {
  Tally* const tally = table_.find(subject);
  if (tally != nullptr && now.mono_us - tally->begin_us < rules_.window_us)
    tally->others = sum(tally->others, query.record.sample);
}

Held TallyTable::held() const noexcept {
  std::size_t samples = 0;
  table_.for_each([&](const Tally& tally) { samples += tally.sample ? tally.sample->bytes() : 0; });
  return {.tracked = table_.tracked(),
          .bytes = table_.bytes() + samples + waiting_.capacity() * sizeof waiting_[0],
          .evictions = table_.evictions() + without_sample_};
}

Finding finding_of(std::string_view detector, const Tally& tally, int strength) {
  Finding finding;
  finding.detector = detector;
  finding.strength = strength >= 2 ? Strength::strong : Strength::weak;
  finding.view = tally.sample->view;
  finding.first_us = tally.first_us;
  finding.last_us = tally.last_us;
  finding.counts = {{"queries", tally.hits},
                    {"names", tally.different_names()},
                    {"clients", std::max(1.0, tally.sample->different_clients.estimate())}};
  for (const std::string& name : tally.sample->names) finding.qnames.push_back(name_text(name));
  finding.clients = tally.sample->clients;
  for (const auto& [type, count] : tally.sample->types) {
    char text[kMaxCodeText];
    finding.qtypes.emplace_back(std::string(text, write_rrtype(text, type)), count);
  }
  for (std::size_t i = 0; i < tally.sample->zones.size(); ++i)
    finding.policy_zones.emplace_back(name_text(tally.sample->zones[i]), tally.sample->of_zone[i]);
  return finding;
}

}  // namespace bindcast
