// One event in each of the forms in which its viewers may see it: in full, as the hub has it, and masked for roles.
// Each form is made and encoded once, however many viewers take it; where nothing in the event is to be masked there is
// one.
//
// Lives as long as the work on one event. Loop thread only.
#pragma once

#include <vector>

#include "plugin/clock.hpp"
#include "plugin/hub/encoded_event.hpp"
#include "plugin/hub/masker.hpp"

namespace bindcast {

class EventForms {
 public:
  struct Form {
    const Event* event;
    EventRef kept;  // the same event where the encoded one is to hold it, else none
    EncodedRef encoded;
  };

  EventForms(EventEncoder& encoder, Masker& masker, const Event& event, EventRef kept, Now now)
      : encoder_(encoder), masker_(masker), now_(now), full_{&event, std::move(kept), nullptr} {}
  // Of one that is encoded already, and holds its event.
  EventForms(EventEncoder& encoder, Masker& masker, const EncodedRef& encoded, Now now)
      : encoder_(encoder), masker_(masker), now_(now), full_{encoded->event.get(), encoded->event, encoded} {}
  EventForms(const EventForms&) = delete;
  EventForms& operator=(const EventForms&) = delete;

  [[nodiscard]] Form& full() noexcept { return full_; }
  [[nodiscard]] Form& masked(const PrivacyOptions& how);
  [[nodiscard]] const EncodedRef& encoded(Form& form) {
    if (!form.encoded) form.encoded = encoder_.encode(*form.event, form.kept);
    return form.encoded;
  }

 private:
  struct Masked {
    PrivacyOptions how;
    EventRef event;  // none: nothing was to be masked
    Form form;
  };
  EventEncoder& encoder_;
  Masker& masker_;
  const Now now_;
  Form full_;
  std::vector<std::unique_ptr<Masked>> masked_;  // as many as there are masks: 15 at most
};

}  // namespace bindcast
