#include "plugin/hub/sight.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "plugin/hub/masker.hpp"

namespace bindcast {

namespace {

constexpr std::size_t index_of(EventType type) noexcept {
  return static_cast<std::size_t>(type);
}

// These tell of another event, whose type is their `event_type`.
constexpr std::array kTellOfAnother{EventType::notification_sent, EventType::notification_acknowledged};

// Does `more` show everything that `less` shows?
bool shows_all_of(const Sight::Part& more, const Sight::Part& less) {
  const bool same_filter = more.filter.matches_everything() || more.filter.expression() == less.filter.expression();
  return same_filter && (less.types & ~more.types).none() &&
         more.privacy.client_address <= less.privacy.client_address &&
         more.privacy.query_name <= less.privacy.query_name;
}

std::string key_of(const Sight::Part& part) {
  std::string key = part.types.to_string();
  key += static_cast<char>('0' + static_cast<int>(part.privacy.client_address));
  key += static_cast<char>('0' + static_cast<int>(part.privacy.query_name));
  return key + part.filter.expression();
}

}  // namespace

Sight::Sight(std::vector<Part> parts, bool all_targets) : all_targets_(all_targets) {
  // What another part shows too is left out, so that viewers who see the same have the same key.
  for (Part& part : parts) {
    if (std::ranges::any_of(parts_, [&](const Part& other) { return shows_all_of(other, part); })) continue;
    std::erase_if(parts_, [&](const Part& other) { return shows_all_of(part, other); });
    parts_.push_back(std::move(part));
  }
  std::ranges::sort(parts_, {}, key_of);
  for (const Part& part : parts_) {
    types_ |= part.types;
    if (!part.filter.matches_everything()) continue;
    whole_types_ |= part.types;
    if (masks_nothing(part.privacy)) clear_types_ |= part.types;
  }
  if (!types_.all())
    for (const EventType type : kTellOfAnother) {
      whole_types_.reset(index_of(type));
      clear_types_.reset(index_of(type));
    }
  key_ = all_targets_ ? "*" : "-";
  for (const Part& part : parts_) {
    const std::string one = key_of(part);
    key_ += std::to_string(one.size()) + ':' + one;
  }
}

const std::shared_ptr<const Sight>& Sight::everything() {
  static const auto sight = [] {
    Part all;
    all.types.set();
    return std::make_shared<const Sight>(std::vector<Part>{all}, true);
  }();
  return sight;
}

std::optional<PrivacyOptions> Sight::look(const Event& event, const StreamIdentity& stream) const {
  if (!types_.all() && std::ranges::find(kTellOfAnother, event.type) != kTellOfAnother.end()) {
    const auto other = type_from(event.data.find("event_type").text());
    if (other && !types_.test(index_of(*other))) return std::nullopt;
  }
  std::optional<PrivacyOptions> clearest;
  for (const Part& part : parts_) {
    if (!part.types.test(index_of(event.type)) || !part.filter.matches(event, stream)) continue;
    if (!clearest) {
      clearest = part.privacy;
      continue;
    }
    clearest->client_address = std::min(clearest->client_address, part.privacy.client_address);
    clearest->query_name = std::min(clearest->query_name, part.privacy.query_name);
  }
  return clearest;
}

}  // namespace bindcast
