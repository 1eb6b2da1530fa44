#include "plugin/server/replay.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace bindcast {

namespace {

constexpr std::size_t kMostHad = 64;          // subscriptions that came before others
constexpr std::size_t kMostPerPortion = 500;  // events
constexpr std::size_t kNextPortionAt = kMostPerPortion / 2;

std::optional<std::uint64_t> number_in(std::string_view digits, int base) {
  std::uint64_t number = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (fault != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

// Of a place in a process before this one: how many events followed it there, as far as that is known. Of a process
// that was killed or crashed the last second may be missing, so it is never none; of one before that nothing is known
// but that there were some.
std::uint64_t missed_before(const StreamPlace& since, const Predecessor& before) {
  const bool known = since.epoch == before.epoch;
  const std::uint64_t noted = !known ? before.offset : before.offset > since.offset ? before.offset - since.offset : 0;
  return known && before.ended ? noted : std::max<std::uint64_t>(noted, 1);
}

bool concerns(const Subscription& subscription, const PastLook& event, bool filters) {
  if (!subscription.concerns(event.type, event.priority, event.severity)) return false;
  if (!filters || subscription.filter.matches_everything()) return true;
  const Event* made = event.event();
  return made != nullptr && subscription.filter.matches(*made, *event.stream);
}

bool is_durable(EventType type) {
  return type_info(type).klass == Class::durable;
}

}  // namespace

std::optional<StreamPlace> past_place_from(std::string_view id, const Hub& hub, const Past& past) {
  const std::size_t dash = id.find('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  const std::string_view epoch = id.substr(0, dash);
  const auto offset = number_in(id.substr(dash + 1), 10);
  if (!offset) return std::nullopt;
  // An epoch is the time of its beginning; the clock may have been set back since.
  const auto then = number_in(epoch, 16), today = number_in(hub.identity().epoch, 16);
  const bool known = epoch == hub.identity().epoch || epoch == hub.predecessor().epoch || past.knows_epoch(epoch) ||
                     (then && today && *then < *today);
  if (!known) return std::nullopt;
  return StreamPlace{.epoch = std::string(epoch), .offset = *offset};
}

bool Replay::Wants::has(const PastLook& event, bool filters) const {
  const auto between = [&](const Want& want) { return event.offset > want.after && event.offset <= want.through; };
  const auto wanted_by = [&](const Want& want) { return concerns(want.subscription, event, filters); };
  // What is not durable comes live in any case.
  if (event.of_this_epoch && is_durable(event.type) &&
      std::ranges::any_of(since, [&](const Want& w) { return between(w) && wanted_by(w); }))
    return true;
  if (std::ranges::none_of(
          missed, [&](const Want& w) { return (!event.of_this_epoch || event.offset <= w.through) && wanted_by(w); }))
    return false;
  return !filters || !event.of_this_epoch ||
         std::ranges::none_of(had, [&](const Want& w) { return between(w) && wanted_by(w); });
}

std::bitset<kEventTypeCount> Replay::Wants::types() const {
  std::bitset<kEventTypeCount> all;
  for (const auto* wants : {&missed, &since})
    for (const Want& want : *wants)
      for (std::size_t i = 0; i < kEventTypeCount; ++i)
        if (want.subscription.covers(static_cast<EventType>(i))) all.set(i);
  return all;
}

Replay::Replay(Hub& hub, Past& past, ClientQueue& queue, std::function<PastViewer()> viewer,
               std::function<void(Now)> enter_channel)
    : hub_(hub),
      past_(past),
      view_(hub),
      queue_(queue),
      viewer_(std::move(viewer)),
      enter_channel_(std::move(enter_channel)) {}

std::vector<Subscription> Replay::live_part(const std::vector<Subscription>& subscriptions) {
  std::vector<Subscription> live;
  for (const Subscription& subscription : subscriptions) {
    Subscription part = subscription;
    part.types.reset();
    part.categories.reset();
    for (std::size_t i = 0; i < kEventTypeCount; ++i)
      if (const auto type = static_cast<EventType>(i); subscription.covers(type) && !is_durable(type))
        part.types.set(i);
    if (part.types.any()) live.push_back(std::move(part));
  }
  return live;
}

// ── The connection's subscriptions ───────────────────────────────────────────────────────────────────────────────────

void Replay::subscribed(const Subscription& subscription) {
  const std::uint64_t now = hub_.last_offset();
  const auto old = std::ranges::find(live_, subscription.name, [](const Want& w) { return w.subscription.name; });
  Want made{.subscription = subscription, .after = now, .through = 0};
  if (old == live_.end()) {
    live_.push_back(std::move(made));
  } else {
    old->through = now;
    // What it had until now it has had; or it is yet to come.
    if (running_)
      retired_.push_back(*old);
    else
      had_.push_back(*old);
    *old = std::move(made);
  }
  while (had_.size() > kMostHad) had_.pop_front();
  changed();
}

void Replay::unsubscribed(const std::vector<Subscription>& left) {
  const std::uint64_t now = hub_.last_offset();
  std::vector<Want> still;
  for (Want& want : live_) {
    const auto found = std::ranges::find(left, want.subscription.name, &Subscription::name);
    if (found == left.end()) {
      const auto of_it = [&](const Want& w) { return w.subscription.name == want.subscription.name; };
      std::erase_if(missed_, of_it);
      std::erase_if(retired_, of_it);
      if (running_) continue;
    }
    want.through = now;
    if (!running_) had_.push_back(want);
    if (found == left.end()) continue;
    // It may have become less.
    still.push_back({.subscription = *found, .after = now, .through = 0});
    if (!running_) continue;
    still.back().after = want.after;
    for (Want& missed : missed_)
      if (missed.subscription.name == want.subscription.name) missed.subscription = *found;
  }
  live_ = std::move(still);
  while (had_.size() > kMostHad) had_.pop_front();
  changed();
}

const std::shared_ptr<const Replay::Wants>& Replay::wants() {
  if (wants_) return wants_;
  auto made = std::make_shared<Wants>();
  made->missed = missed_;
  made->since = retired_;
  for (const Want& want : live_) {
    made->since.push_back(want);
    made->since.back().through = std::numeric_limits<std::uint64_t>::max();
  }
  if (resumes_) made->had.assign(had_.begin(), had_.end());
  return wants_ = std::move(made);
}

// ── From the past to the present ─────────────────────────────────────────────────────────────────────────────────────

void Replay::begin(StreamPlace since, std::optional<std::string> name, std::function<void(const Recovered&, Now)> told,
                   Now now) {
  Request request{.since = std::move(since), .name = std::move(name), .told = std::move(told)};
  if (running_)
    next_.push_back(std::move(request));
  else
    start(std::move(request), now);
}

void Replay::start(Request request, Now now) {
  running_ = true;
  resumes_ = !request.name;
  since_ = std::move(request.since);
  told_ = std::move(request.told);
  position_.reset();
  generation_ = 0;
  through_ = since_.epoch == hub_.identity().epoch ? since_.offset : 0;
  began_ = hub_.last_offset();
  count_ = 0;
  whole_ = true;
  asking_ = for_room_ = false;
  // What it had live is what it was given, as long as nothing of it was lost.
  std::uint64_t lost = 0;
  const Account account = queue_.account();
  for (const DropReason reason : {DropReason::queue_overflow, DropReason::rate_limit, DropReason::capture_overflow})
    lost += account.dropped[static_cast<std::size_t>(reason)];
  const bool had_all = lost == std::exchange(lost_before_, lost);
  if (!had_all) had_.clear();
  missed_.clear();
  retired_.clear();
  for (Want& want : live_) {
    // Since want.after this one has come live, or by the replay before this.
    if (!request.name || want.subscription.name == *request.name)
      missed_.push_back({.subscription = want.subscription, .after = 0, .through = request.name ? want.after : began_});
    if (had_all && want.after < began_) had_.push_back({want.subscription, want.after, began_});
    want.after = began_;
  }
  while (had_.size() > kMostHad) had_.pop_front();
  changed();
  queue_.hold(true);
  enter_channel_(now);

  const bool in_memory = since_.epoch == hub_.identity().epoch && since_.offset >= hub_.recent().forgotten_through();
  if (in_memory || !past_.readable())
    give_up(now);
  else
    ask(now);
}

void Replay::ask(Now now) {
  const auto wanted = wants();
  const PastViewer viewer = viewer_();
  PastRequest request;
  request.position = position_;
  request.generation = generation_;
  request.place = position_ ? std::nullopt : std::optional(since_);
  request.until = StreamPlace{.epoch = hub_.identity().epoch, .offset = hub_.last_offset()};
  view_.ask_for(request, wanted->types(), wanted, viewer);
  request.events = request.events || queue_.packing().format == Format::cloudevents;
  request.not_expired_us = now.wall_us;
  request.most_events = kMostPerPortion;
  request.tell_losses = true;
  request.predecessor = hub_.predecessor();
  for_room_ = false;
  asking_ = past_.read(std::move(request), alive_, [this, wanted, viewer](PastPortion&& portion) {
    asking_ = false;
    take(std::move(portion), wanted, viewer, read_clock());
  });
  if (!asking_) give_up(now);
}

void Replay::take(PastPortion portion, const std::shared_ptr<const Wants>& wanted, const PastViewer& viewer, Now now) {
  if (!portion.fault.empty()) {
    give_up(now);
    return;
  }
  if (wanted != wants_ || viewer.sight != viewer_().sight) {  // they are others by now
    ask(now);
    return;
  }
  const bool first = !position_;
  position_ = portion.position;
  generation_ = portion.generation;
  through_ = std::max(through_, portion.through_offset);
  for (const PastLoss& loss : portion.losses) lose(loss.reason, loss.count);
  std::vector<EncodedRef> events;
  events.reserve(portion.events.size());
  for (PastEvent& event : portion.events)
    if (EncodedRef seen = view_.show(event, *wanted, viewer, now)) events.push_back(std::move(seen));
  count_ += events.size();
  queue_.replay(std::move(events), now);
  if (first && !portion.end) tell(std::nullopt, now);
  go_on(portion.end, now);
}

void Replay::go_on(bool end, Now now) {
  if (!end) {
    for_room_ = queue_.backlog() > kNextPortionAt;
    if (!for_room_) ask(now);
    return;
  }
  if (hub_.recent().forgotten_through() <= through_) {
    hand_over(now);
    return;
  }
  if (!past_.storing()) {
    give_up(now);
    return;
  }
  asking_ = true;
  past_.when_stored(through_, alive_, [this] {
    asking_ = false;
    const Now then = read_clock();
    past_.storing() ? ask(then) : give_up(then);
  });
}

void Replay::drained(Now now) {
  if (running_ && for_room_ && !asking_ && queue_.backlog() <= kNextPortionAt) ask(now);
}

// There is no store, or it does not go on: what the hub remembers is all there is.
void Replay::give_up(Now now) {
  if (!position_ && since_.epoch != hub_.identity().epoch)
    lose(DropReason::restart, missed_before(since_, hub_.predecessor()));
  if (const std::uint64_t forgotten = hub_.recent().forgotten_through(); forgotten > through_) {
    lose(DropReason::retention, forgotten - through_, through_ + 1, forgotten);
    through_ = forgotten;
  }
  hand_over(now);
}

void Replay::hand_over(Now now) {
  const Wants& wanted = *wants();
  const PastViewer viewer = viewer_();
  std::vector<EncodedRef> events;
  for (const EncodedRef& event : hub_.recent().events()) {
    const std::int64_t expires_us = event->event->expires_at_us;
    if (event->offset <= through_ || (expires_us != 0 && expires_us <= now.wall_us)) continue;
    if (EncodedRef seen = view_.show(event, wanted, viewer, now)) events.push_back(std::move(seen));
  }
  if (told_) tell(events.size(), now);
  queue_.replay(std::move(events), now);
  running_ = false;
  for (Want& want : retired_) had_.push_back(std::move(want));
  while (had_.size() > kMostHad) had_.pop_front();
  missed_.clear();
  retired_.clear();
  changed();
  if (!next_.empty()) {
    Request next = std::move(next_.front());
    next_.pop_front();
    start(std::move(next), now);
    return;
  }
  queue_.hold(false);
  enter_channel_(now);
}

void Replay::lose(DropReason reason, std::uint64_t count, std::uint64_t from, std::uint64_t to) {
  if (count == 0) return;
  whole_ = false;
  Gap gap;
  gap.reason = reason;
  gap.count = count;
  gap.from = from;
  gap.to = to;
  queue_.lose(gap, false);
}

void Replay::tell(std::optional<std::uint64_t> more, Now now) {
  const auto told = std::exchange(told_, nullptr);
  if (!told) return;
  told({.whole = whole_, .count = more ? std::optional(count_ + *more) : std::nullopt, .through = began_}, now);
}

}  // namespace bindcast
