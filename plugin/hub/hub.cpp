#include "plugin/hub/hub.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "events/json.hpp"

namespace bindcast {

namespace {
constexpr std::size_t index_of(EventType type) noexcept {
  return static_cast<std::size_t>(type);
}
}  // namespace

bool Subscription::covers(EventType type) const noexcept {
  if (types.none() && categories.none()) return true;
  return types.test(index_of(type)) || categories.test(static_cast<std::size_t>(type_info(type).category));
}

bool Subscription::matches(const Event& event, const StreamIdentity& stream) const {
  return concerns(event.type, event.priority, event.severity) &&
         (filter.matches_everything() || filter.matches(event, stream));
}

Hub::Hub(StreamIdentity identity, Now now) : identity_(std::move(identity)), encoder_(identity_) {
  statistics_.started_us = now.mono_us;
}
Hub::~Hub() = default;

void Hub::configure(const Options& options) {
  Filter filter;
  Filter::Error error;
  // The configuration was validated when it was read; a filter that does not compile here filters nothing.
  if (Filter::compile(options.events.filter, filter, error)) global_filter_ = std::move(filter);
  overrides_.fill(TypeOverride{});
  for (const auto& [type, change] : options.events.types) overrides_[index_of(type)] = change;
  privacy_ = options.privacy;
  subscriptions_changed();
}

void Hub::add_processor(std::unique_ptr<Processor> processor) {
  processors_.push_back(std::move(processor));
}

void Hub::add_subscriber(Subscriber& subscriber) {
  try {
    subscribers_.push_back(&subscriber);
    enlist(subscriber);
  } catch (...) {
    remove_subscriber(subscriber);  // whoever fails to come in may be gone at once
    throw;
  }
}

void Hub::remove_subscriber(Subscriber& subscriber) {
  std::erase(subscribers_, &subscriber);
  for (std::size_t i = 0; i < kEventTypeCount; ++i) {
    if (!subscriber.takes_.test(i)) continue;
    std::erase(by_type_[i], &subscriber);
    wanted_.set(i, !by_type_[i].empty());
  }
}

void Hub::enlist(Subscriber& subscriber) {
  subscriber.takes_.reset();
  for (std::size_t i = 0; i < kEventTypeCount; ++i) {
    const auto type = static_cast<EventType>(i);
    if (!overrides_[i].enabled || !subscriber.sight->types().test(i)) continue;
    if (std::ranges::none_of(subscriber.subscriptions, [&](const Subscription& s) { return s.covers(type); })) continue;
    subscriber.takes_.set(i);
    by_type_[i].push_back(&subscriber);
    wanted_.set(i);
  }
}

void Hub::subscriptions_changed() {
  wanted_.reset();
  for (auto& takers : by_type_) takers.clear();
  for (Subscriber* subscriber : subscribers_) enlist(*subscriber);
}

bool Hub::admit(Event& event, Now now) {
  const TypeOverride& change = overrides_[index_of(event.type)];
  if (!change.enabled) return false;
  if (change.priority) event.priority = *change.priority;
  if (change.severity) event.severity = *change.severity;
  for (const auto& processor : processors_) processor->complete(event, now);
  const bool passes = global_filter_.matches_everything() || global_filter_.matches(event, identity_);
  if (!masks_nothing(privacy_)) masker_.mask(event, privacy_, now);
  // They learn from what the filter refuses, too.
  for (const auto& processor : processors_)
    if (!processor->process(event)) return false;
  return passes;
}

EventRef Hub::as_masked_now(const EventRef& kept, Now now) {
  if (masks_nothing(privacy_)) return kept;
  auto copy = std::make_shared<Event>(*kept);
  return masker_.mask(*copy, privacy_, now) ? copy : kept;
}

void Hub::stamp(Event& event, Now now) {
  if (event.timestamp_us == 0) event.timestamp_us = now.wall_us;
  if (event.source_service.empty()) event.source_service = identity_.service;
  event.offset = ++last_offset_;
}

std::uint64_t Hub::emit(Event&& event, Now now) noexcept {
  ++statistics_.events_emitted;
  const EventType type = event.type;
  bool told = false;  // to each subscriber, or as its loss
  std::uint64_t offset = 0;
  const bool done = faults_.contain([&] {
    if (event.timestamp_us == 0) event.timestamp_us = now.wall_us;
    if (event.source_service.empty()) event.source_service = identity_.service;
    if (!admit(event, now)) {
      ++statistics_.events_filtered;
      return;
    }
    stamp(event, now);
    ++statistics_.events_processed;
    ++statistics_.processed[index_of(event.type)];
    offset = event.offset;
    const auto& takers = by_type_[index_of(event.type)];
    if (type_info(event.type).klass == Class::durable || !event.target_user_id.empty() ||
        std::ranges::any_of(takers, [](const Subscriber* taker) { return taker->needs_events; })) {
      const auto kept = std::make_shared<const Event>(std::move(event));
      told = true;
      route(*kept, kept, now);
    } else {
      told = true;
      route(event, nullptr, now);
    }
  });
  if (done) return offset;
  ++statistics_.events_failed;
  if (!told) report_lost(DropReason::capture_overflow, {type}, 1, now);
  return 0;
}

void Hub::deliver(Subscriber& subscriber, const EncodedRef& event, Now now) noexcept {
  if (!faults_.contain([&] { subscriber.deliver(event, now); })) subscriber.failed();
}

void Hub::tell_lost(Subscriber& subscriber, DropReason reason, EventType type, std::uint64_t count, Now now) noexcept {
  if (!faults_.contain([&] { subscriber.lost(reason, type, count, now); })) subscriber.failed();
}

// A subscription without sampling wins: then the event stands for itself alone.
Hub::Taken Hub::wants(Subscriber& subscriber, const Event& event) {
  Taken taken;
  const bool samples = event.target_user_id.empty();  // what is for one user stands for nothing else
  for (Subscription& s : subscriber.subscriptions) {
    if (!s.matches(event, identity_)) continue;
    if (s.sample <= 1 || !samples) return {.sample = 1, .sampled_out = false};
    if (s.seen++ % s.sample != 0)
      taken.sampled_out = true;
    else if (taken.sample == 0)
      taken.sample = s.sample;
  }
  if (taken.sample != 0) taken.sampled_out = false;
  return taken;
}

void Hub::route(const Event& event, const EventRef& kept, Now now) {
  EventForms forms(encoder_, masker_, event, kept, now);
  const bool remembered = type_info(event.type).klass != Class::durable ||
                          faults_.contain([&] { recent_.push(forms.encoded(forms.full())); });
  if (!remembered) ++statistics_.events_failed;
  for (Subscriber* subscriber : by_type_[index_of(event.type)]) {
    Taken taken;
    EncodedRef made;
    // Where there is no memory for the event, it is lost to this subscriber alone, and told.
    const bool known = faults_.contain([&] {
      EventForms::Form* form = &forms.full();
      if (!subscriber->sight->clear_types()[index_of(event.type)]) {
        const auto clearness = subscriber->sight->look(event, identity_);
        if (!clearness) return;
        form = &forms.masked(*clearness);
      }
      taken = wants(*subscriber, *form->event);
      if (taken.sample == 1) {
        made = forms.encoded(*form);
      } else if (taken.sample > 1) {
        auto stamped = std::make_shared<Event>(*form->event);
        stamped->sampled *= taken.sample;
        made = encoder_.encode(*stamped, stamped);
      }
    });
    if (!known) {
      ++statistics_.dropped[static_cast<std::size_t>(DropReason::capture_overflow)];
      tell_lost(*subscriber, DropReason::capture_overflow, event.type, 1, now);
    } else if (made) {
      deliver(*subscriber, made, now);
    } else if (taken.sampled_out) {
      ++statistics_.dropped[static_cast<std::size_t>(DropReason::sampled)];
      tell_lost(*subscriber, DropReason::sampled, event.type, 1, now);
    }
  }
}

void Hub::report_lost(DropReason reason, std::initializer_list<EventType> types, std::uint64_t count,
                      Now now) noexcept {
  if (count == 0) return;
  if (reason == DropReason::sampled) statistics_.events_sampled_out += count;
  for (Subscriber* subscriber : subscribers_) {
    const auto wanted_type =
        std::ranges::find_if(types, [&](EventType type) { return subscriber->takes_.test(index_of(type)); });
    if (wanted_type == types.end()) continue;
    statistics_.dropped[static_cast<std::size_t>(reason)] += count;
    tell_lost(*subscriber, reason, *wanted_type, count, now);
  }
}

bool Hub::only_counted(EventType type) const noexcept {
  const auto& takers = by_type_[index_of(type)];
  if (takers.empty() || !global_filter_.matches_everything() || type_info(type).klass == Class::durable) return false;
  if (std::ranges::any_of(processors_, [type](const auto& processor) { return processor->concerns(type); }))
    return false;
  const TypeOverride& change = overrides_[index_of(type)];
  const Priority priority = change.priority.value_or(type_info(type).priority);
  const Severity severity = change.severity.value_or(type_info(type).severity);
  return std::ranges::all_of(takers,
                             [&](const Subscriber* taker) { return taker->only_counts(type, priority, severity); });
}

void Hub::pass_by(EventType type, std::uint64_t count, Now now) noexcept {
  if (count == 0) return;
  statistics_.events_emitted += count;
  statistics_.events_processed += count;
  statistics_.processed[index_of(type)] += count;
  const std::uint64_t first = last_offset_ + 1;
  last_offset_ += count;
  for (Subscriber* taker : by_type_[index_of(type)])
    if (!faults_.contain([&] { taker->passed_by(type, count, first, now); })) taker->failed();
}

void Hub::tick(Now) {
  second_counts_[second_] = statistics_.events_processed - counted_processed_;
  counted_processed_ = statistics_.events_processed;
  second_ = (second_ + 1) % second_counts_.size();
  seconds_filled_ = std::min(seconds_filled_ + 1, second_counts_.size());
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < seconds_filled_; ++i) sum += second_counts_[i];
  statistics_.events_per_second = static_cast<double>(sum) / static_cast<double>(seconds_filled_);
}

}  // namespace bindcast
