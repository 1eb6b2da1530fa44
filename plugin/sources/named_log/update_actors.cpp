#include "plugin/sources/named_log/update_actors.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <unordered_set>
#include <utility>

namespace bindcast {

namespace {

using enum EventType;
constexpr std::array kConcerned{record_created,        record_updated,   record_deleted,
                                record_bulk_operation, zone_updated,     rpz_rule_created,
                                rpz_rule_updated,      rpz_rule_deleted, rpz_update};
// Of one RRset so many records that differ are looked for, in so many lines.
constexpr std::size_t kMostCompared = 64;
constexpr std::int64_t kRecentUs = 2'000'000;

// Names compare without case.
std::string lower(std::string_view text) {
  std::string made(text);
  for (char& c : made)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return made;
}

std::string key_of(std::string_view first, std::string_view second) {
  std::string key = lower(first);
  key.push_back('\0');
  key += second;
  return key;
}

bool holds(Fields::Value rdata, std::string_view text) {
  for (auto one = rdata.first(); one; one = one.next())
    if (one.text() == text) return true;
  return false;
}

std::string_view first_text(Fields::Value value, Fields::Value otherwise) {
  return value ? value.text() : otherwise.text();
}
std::string_view first_text(Fields::Value value, std::string_view otherwise) {
  return value ? value.text() : otherwise;
}

}  // namespace

bool UpdateActors::concerns(EventType type) const noexcept {
  return std::ranges::find(kConcerned, type) != kConcerned.end();
}

void UpdateActors::learn(const LoggedUpdate& update, Now now) {
  Zone& zone = zones_[key_of(update.zone, update.view)];
  if (!latest_ || latest_->client != update.client || latest_->key != update.key)
    latest_ = std::make_shared<const Actor>(Actor{std::string(update.client), std::string(update.key)});
  const Line& line = zone.log.emplace_back(Line{.number = next_number_++,
                                                .actor = latest_,
                                                .rrset = key_of(update.name, update.rtype),
                                                .rdata = std::string(update.rdata),
                                                .adds = update.adds,
                                                .at_us = now.mono_us});
  zone.rrsets[line.rrset].push_back(&line);
  bytes_ += line.bytes();
  while (bytes_ > kMaxBytes) {
    Zone* oldest = nullptr;
    for (auto& [name, each] : zones_)
      if (!each.log.empty() && (oldest == nullptr || each.log.front().number < oldest->log.front().number))
        oldest = &each;
    const std::size_t before = bytes_;
    // A tenth at once, or it would be looked for again with the next line.
    while (!oldest->log.empty() && before - bytes_ < kMaxBytes / 10) {
      ++forgotten_;
      forget_oldest(*oldest);
    }
  }
}

void UpdateActors::forget_oldest(Zone& zone) {
  const Line& line = zone.log.front();
  const auto found = zone.rrsets.find(line.rrset);
  found->second.erase(found->second.begin());
  if (found->second.empty()) zone.rrsets.erase(found);
  bytes_ -= line.bytes();
  zone.log.pop_front();
}

void UpdateActors::forget_to(Zone& zone, std::uint64_t number) {
  while (!zone.log.empty() && zone.log.front().number <= number) forget_oldest(zone);
}

void UpdateActors::expire(Now now) {
  for (auto entry = zones_.begin(); entry != zones_.end();) {
    Zone& zone = entry->second;
    while (!zone.log.empty() && now.mono_us - zone.log.front().at_us >= kKeepUs) forget_oldest(zone);
    entry = zone.log.empty() ? zones_.erase(entry) : std::next(entry);
  }
}

void UpdateActors::forget_all() {
  zones_.clear();
  latest_.reset();
  read_for_.clear();
  bytes_ = 0;
}

// The last of the lines that the difference needs to be explained; none.
const UpdateActors::Line* UpdateActors::explain(const Zone& zone, Fields::Value record, Now now) const {
  const Fields::Value before = record.find("before"), after = record.find("after");
  const std::string_view name = first_text(record.find("name"), record.find("rule"));
  const std::string_view rtype =
      first_text(record.find("rtype"), first_text(after.find("rtype"), before.find("rtype")));
  std::vector<const Line*> lines;
  for (const std::string_view of_type : {rtype, std::string_view()}) {
    const auto found = zone.rrsets.find(key_of(name, of_type));
    if (found == zone.rrsets.end()) continue;
    const auto some = std::span(found->second).first(std::min(found->second.size(), kMostCompared));
    lines.insert(lines.end(), some.begin(), some.end());
  }
  if (lines.empty()) return nullptr;
  std::ranges::sort(lines, {}, &Line::number);

  const Line* last = nullptr;
  const auto look_for = [&](auto&& explains) {
    const Line* best = nullptr;
    for (const Line* const line : lines) {
      if (!explains(*line)) continue;
      best = line;
      if (now.mono_us - line->at_us < kRecentUs) break;
    }
    if (best != nullptr && (last == nullptr || best->number > last->number)) last = best;
  };
  std::size_t compared = 0;
  const Fields::Value was = before.find("rdata"), is = after.find("rdata");
  for (auto one = is.first(); one && compared < kMostCompared; one = one.next(), ++compared)
    if (!holds(was, one.text())) look_for([&](const Line& line) { return line.adds && line.rdata == one.text(); });
  compared = 0;
  for (auto one = was.first(); one && compared < kMostCompared; one = one.next(), ++compared) {
    if (holds(is, one.text())) continue;
    look_for([](const Line& line) { return !line.adds; });
    break;  // the lines do not say which record they delete
  }
  // Only the TTL differs, or named shortened the record's text.
  return last != nullptr ? last : lines.back();
}

void UpdateActors::note(Zone& zone, const Line& line) {
  if (zone.actor && *zone.actor != *line.actor) zone.several = true;
  zone.actor = line.actor;
  zone.explained = std::max(zone.explained, line.number);
}

// A folded event shows some records only: its update ends with the last line that so many RRsets need.
void UpdateActors::note_all(Zone& zone, std::int64_t rrsets) {
  std::unordered_set<std::string_view> seen;
  std::string_view last;
  for (const Line& line : zone.log) {
    if (std::ssize(seen) >= rrsets && line.rrset != last) break;
    last = *seen.insert(line.rrset).first;
    zone.explained = std::max(zone.explained, line.number);
  }
}

void UpdateActors::complete(Event& event, Now now) {
  if (!read_ || !concerns(event.type) || event.data.find("cause").text() != "update" || event.data.find("actor"))
    return;
  if (event.correlation_id.empty() || event.correlation_id != read_for_) {
    read_for_ = event.correlation_id;
    read_();
  }
  const std::string_view name = first_text(event.data.find("zone"), event.data.find("policy_zone"));
  const auto found = zones_.find(key_of(name, event.view));
  if (found == zones_.end()) return;
  Zone& zone = found->second;
  if (zone.change != event.correlation_id) {
    zone.change = event.correlation_id;
    zone.explained = 0;
    zone.actor.reset();
    zone.several = false;
  }

  const bool whole = event.type == zone_updated || event.type == rpz_update;  // the last event of a change
  ActorRef actor;
  if (event.type == record_bulk_operation) {
    for (auto record = event.data.find("sample").first(); record; record = record.next())
      if (const Line* const line = explain(zone, record, now)) note(zone, *line);
    if (zone.actor) note_all(zone, event.data.find("rrsets").integer());
  } else if (!whole) {
    if (const Line* const line = explain(zone, event.data.root(), now)) {
      note(zone, *line);
      actor = line->actor;
    }
  }
  if (whole || event.type == record_bulk_operation) actor = zone.several ? nullptr : zone.actor;
  if (actor) {
    event.data.begin_object("actor");
    event.data.add("client", actor->client);
    if (!actor->key.empty()) event.data.add("key", actor->key);
    event.data.end();
  }
  if (whole) forget_to(zone, zone.explained);
}

}  // namespace bindcast
