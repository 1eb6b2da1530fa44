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
                       const PastViewer& viewer) {
  request.types = types & viewer.sight->types();
  request.wish = std::move(wish);
  request.sight = viewer.sight;
}

EncodedRef PastView::show(PastEvent& event, const PastWish& wish, const PastViewer& viewer, Now now) {
  const std::uint64_t offset = event.of_this_epoch ? event.offset : 0;
  const auto as_stored = [&] {
    const bool for_one = event.event && !event.event->target_user_id.empty();
    return hub_.encoder().encoded(event.type, event.priority, for_one, offset, event.json, std::move(event.event));
  };
  const bool clear = viewer.sight->clear_types().test(static_cast<std::size_t>(event.type));
  if (event.event && !viewer.sight->meant_for(viewer.user, *event.event)) return nullptr;
  if (clear) return as_stored();  // the reader has looked whether it is wanted
  if (!event.event) return nullptr;
  const auto how = viewer.sight->look(*event.event, *event.stream);
  if (!how) return nullptr;
  auto masked = std::make_shared<Event>(*event.event);
  const bool changed = !masks_nothing(*how) && hub_.masker().mask(*masked, *how, now);
  if (!wish.has(KnownEvent(*masked, *event.stream, event.of_this_epoch), true)) return nullptr;
  if (!changed) return as_stored();
  const bool for_one = !masked->target_user_id.empty();
  const std::string_view json = written(*masked, event.stream);
  return hub_.encoder().encoded(event.type, event.priority, for_one, offset, json, std::move(masked));
}

EncodedRef PastView::show(const EncodedRef& event, const PastWish& wish, const PastViewer& viewer, Now now) {
  const Event& e = *event->event;
  if (!viewer.sight->meant_for(viewer.user, e)) return nullptr;
  const auto how = viewer.sight->look(e, hub_.identity());
  if (!how) return nullptr;
  EventForms forms(hub_.encoder(), hub_.masker(), event, now);
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
