#include "plugin/server/past_view.hpp"

#include <utility>

#include "plugin/hub/event_forms.hpp"

namespace bindcast {

KnownEvent::KnownEvent(const Event& event, const StreamIdentity& of, bool running) : event_(event) {
  type = event.type;
  priority = event.priority;
  severity = event.severity;
  offset = event.offset;
  of_this_epoch = running;
  stream = &of;
}

void PastView::ask_for(PastRequest& request, std::bitset<kEventTypeCount> types, std::shared_ptr<const PastWish> wish,
                       const PastViewer& viewer) const {
  request.types = types & viewer.sight->types();
  request.wish = std::move(wish);
  request.sight = viewer.sight;
  request.events = request.events || hub_.masks();
}

EncodedRef PastView::show(PastEvent& event, const PastWish& wish, const PastViewer& viewer, Now now) {
  const std::uint64_t offset = event.of_this_epoch ? event.offset : 0;
  const auto as_stored = [&] {
    const bool for_one = event.event && !event.event->target_user_id.empty();
    return hub_.encoder().encoded(event.type, event.priority, for_one, offset, event.json, std::move(event.event));
  };
  const bool clear = viewer.sight->clear_types().test(static_cast<std::size_t>(event.type));
  if (event.event && !viewer.sight->meant_for(viewer.user, *event.event)) return nullptr;
  EventRef seen = event.event ? hub_.as_masked_now(event.event, now) : nullptr;
  bool changed = seen != event.event;
  if (clear && !changed) return as_stored();  // the reader has looked whether it is wanted
  if (!seen) return nullptr;
  const auto how = viewer.sight->look(*seen, *event.stream);
  if (!how) return nullptr;
  if (!masks_nothing(*how)) {
    auto masked = std::make_shared<Event>(*seen);
    if (hub_.masker().mask(*masked, *how, now)) {
      seen = std::move(masked);
      changed = true;
    }
  }
  if (!wish.has(KnownEvent(*seen, *event.stream, event.of_this_epoch), true)) return nullptr;
  if (!changed) return as_stored();
  const bool for_one = !seen->target_user_id.empty();
  const std::string_view json = written(*seen, event.stream);
  return hub_.encoder().encoded(event.type, event.priority, for_one, offset, json, std::move(seen));
}

EncodedRef PastView::show(const EncodedRef& event, const PastWish& wish, const PastViewer& viewer, Now now) {
  const Event& e = *event->event;
  if (!viewer.sight->meant_for(viewer.user, e)) return nullptr;
  const EventRef current = hub_.as_masked_now(event->event, now);
  const auto how = viewer.sight->look(*current, hub_.identity());
  if (!how) return nullptr;
  EventForms forms = current == event->event ? EventForms(hub_.encoder(), hub_.masker(), event, now)
                                             : EventForms(hub_.encoder(), hub_.masker(), *current, current, now);
  EventForms::Form& form = forms.masked(*how);
  return wish.has(KnownEvent(*form.event, hub_.identity(), true), true) ? forms.encoded(form) : nullptr;
}

std::string_view PastView::written(const Event& event, const std::shared_ptr<const StreamIdentity>& stream) {
  if (written_for_ != stream) {
    writer_ = std::make_unique<EventWriter>(*stream);
    written_for_ = stream;
  }
  return writer_->write(event);
}

}  // namespace bindcast
