// What one viewer may see: which events, and how clearly.
//
// It is the union of the viewer's roles. He sees an event when one of his roles lets him: it has the event's type, and
// its filter matches the event as the hub has it. Of the roles that do, the clearest mask counts, for addresses and for
// names each by itself, so two roles together show what either would. Built once, then never changed; viewers whose
// sights have the same key() see the same.
#pragma once

#include <bitset>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/options.hpp"
#include "events/event.hpp"
#include "events/filter.hpp"

namespace bindcast {

using EventTypes = std::bitset<kEventTypeCount>;

class Sight {
 public:
  // What one role lets see.
  struct Part {
    EventTypes types;
    Filter filter;
    PrivacyOptions privacy;
  };

  Sight() = default;  // of one who sees nothing
  // `all_targets`: events that are for one user only, too, whoever that is.
  Sight(std::vector<Part> parts, bool all_targets);
  // What is our own sees everything, but for what the hub masks for all.
  [[nodiscard]] static const std::shared_ptr<const Sight>& everything();

  [[nodiscard]] const EventTypes& types() const noexcept { return types_; }
  // Those of which every event is seen in full, whatever it says; no look is needed.
  [[nodiscard]] const EventTypes& clear_types() const noexcept { return clear_types_; }
  // Those of which every event is seen, masked or not.
  [[nodiscard]] const EventTypes& whole_types() const noexcept { return whole_types_; }
  // How clearly is this event seen? Nothing: not at all. Says nothing of whom it is for (meant_for).
  [[nodiscard]] std::optional<PrivacyOptions> look(const Event& event, const StreamIdentity& stream) const;
  // An event that has a target is for that user, and for those who see all targets.
  [[nodiscard]] bool meant_for(std::string_view user, const Event& event) const noexcept {
    return event.target_user_id.empty() || all_targets_ || event.target_user_id == user;
  }
  [[nodiscard]] bool all_targets() const noexcept { return all_targets_; }
  [[nodiscard]] const std::string& key() const noexcept { return key_; }

 private:
  std::vector<Part> parts_;
  EventTypes types_, clear_types_, whole_types_;
  bool all_targets_ = false;
  std::string key_;
};

}  // namespace bindcast
