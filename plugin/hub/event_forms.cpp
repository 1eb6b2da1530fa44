#include "plugin/hub/event_forms.hpp"

#include <algorithm>
#include <utility>

namespace bindcast {

EventForms::Form& EventForms::masked(const PrivacyOptions& how) {
  if (masks_nothing(how)) return full_;
  auto made = std::ranges::find_if(masked_, [&](const auto& known) { return known->how == how; });
  if (made == masked_.end()) {
    auto fresh = std::make_unique<Masked>(Masked{.how = how, .event = nullptr, .form = {}});
    auto copy = std::make_shared<Event>(*full_.event);
    if (masker_.mask(*copy, how, now_)) {
      fresh->event = std::move(copy);
      fresh->form = {fresh->event.get(), full_.kept ? fresh->event : nullptr, nullptr};
    }
    masked_.push_back(std::move(fresh));
    made = masked_.end() - 1;
  }
  return (*made)->event ? (*made)->form : full_;
}

}  // namespace bindcast
