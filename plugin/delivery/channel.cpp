#include "plugin/delivery/channel.hpp"

#include <algorithm>
#include <utility>

#include "plugin/delivery/channels.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kFewestGroups = 16, kMostGroups = 1000;
constexpr std::size_t kQueuesShareOfGroups = 10;  // of a queue's events, so many times as a fold makes
constexpr std::int64_t kShortestFoldUs = 200'000, kLongestFoldUs = 1'000'000;
constexpr std::int64_t kMeasureHoldsUs = 200'000;
constexpr double kLowestRateShare = 0.25;
constexpr double kLagOfFullLoadUs = 20'000;
constexpr double kCaughtUpShare = 0.5;  // of the load at which a client is behind

// What comes out of a fold must find room in a queue that is nearly full.
std::size_t groups_for(const QueueOptions& queues) {
  return std::clamp<std::size_t>(queues.max_events / kQueuesShareOfGroups, kFewestGroups, kMostGroups);
}

std::int64_t earlier(std::int64_t a, std::int64_t b) {
  return a == 0 ? b : b == 0 ? a : std::min(a, b);
}

}  // namespace

std::string Wish::key() const {
  std::vector<std::string> parts;
  for (const Subscription& s : subscriptions) {
    std::string part = s.types.to_string() + s.categories.to_string();
    part += static_cast<char>('0' + static_cast<int>(s.min_priority));
    part += static_cast<char>('0' + static_cast<int>(s.min_severity));
    part += std::to_string(s.sample) + ' ' + s.filter.expression();
    parts.push_back(std::move(part));
  }
  std::ranges::sort(parts);
  std::string key;
  for (const std::string& part : parts) key += std::to_string(part.size()) + ':' + part;
  const BatchingOptions& b = packing.batching;
  const CompressionOptions& c = b.compression;
  if (sight) key += std::to_string(sight->key().size()) + ':' + sight->key();
  key += fold ? 'f' : '-';
  key += static_cast<char>('0' + static_cast<int>(packing.format));
  // Of a client that gets no batches, only the compression matters.
  const auto add = [&key](std::int64_t value) { key += ' ' + std::to_string(value); };
  if (packing.batches) {
    for (const std::int64_t value :
         {static_cast<std::int64_t>(b.strategy), std::int64_t{b.max_batch_size},
          static_cast<std::int64_t>(b.max_batch_bytes), std::int64_t{b.batch_timeout.count()},
          std::int64_t{b.adaptive_sizing}, std::int64_t{b.min_batch_size}, std::int64_t{b.max_batch_timeout.count()}})
      add(value);
  } else {
    key += " singly";
  }
  for (const std::int64_t value :
       {std::int64_t{b.priority_bypass}, static_cast<std::int64_t>(b.load_threshold * 1000), std::int64_t{c.enabled},
        static_cast<std::int64_t>(c.threshold), std::int64_t{c.level}})
    add(value);
  return key;
}

Channel::Channel(Channels& house, Wish wish)
    : house_(house),
      wish_(std::move(wish)),
      key_(wish_.key()),
      fold_(groups_for(house.queue_options_)),
      excess_(groups_for(house.queue_options_)) {
  bucket_.configure(house.rate_limit_.events_per_second, house.rate_limit_.burst);
  subscriptions = wish_.subscriptions;
  sight = wish_.sight ? wish_.sight : std::make_shared<const Sight>();
  standings_changed();
  house_.hub_.add_subscriber(*this);
}

Channel::~Channel() {
  house_.hub_.remove_subscriber(*this);
}

void Channel::join(ClientQueue& client, Now now) {
  flush(now);  // it came before this client did
  in_step_.push_back(&client);
  client.channel_ = this;
  client.standing_ = ClientQueue::Standing::in_step;
  if (failed_) failed();
}

void Channel::leave(ClientQueue& client, Now now) {
  flush(now);
  settle(client, now);
  forget(client);
  client.tell_all_losses();
}

void Channel::forget(ClientQueue& client) {
  for (Clients* clients : {&in_step_, &behind_, &full_, &untouched_, &changing_}) std::erase(*clients, &client);
  client.channel_ = nullptr;
  client.standing_ = ClientQueue::Standing::in_step;
  standings_changed();
}

// ── What comes from the hub ──────────────────────────────────────────────────────────────────────────────────────────

bool Channel::bypasses(Priority priority) const noexcept {
  return wish_.packing.batching.priority_bypass && priority >= Priority::critical;
}

void Channel::failed() noexcept {
  failed_ = true;
  for (const Clients* clients : {&in_step_, &behind_, &full_})
    for (ClientQueue* client : *clients) client->fail();
}

void Channel::deliver(const EncodedRef& event, Now now) {
  if (failed_) return;
  ++matched_;
  arrivals_.add(1, now);
  if (event->for_one_user && !sight->all_targets()) {
    push_to_its_user(event, now);
    change_standings(now);
    return;
  }
  if (bypasses(event->priority)) {
    push_single(event, true, now);
    change_standings(now);
    return;
  }
  if (house_.rate_limit_.events_per_second != 0) {
    const double load = std::max(depth_, static_cast<double>(house_.loop_lag_us()) / kLagOfFullLoadUs);
    const double share = house_.rate_limit_.adaptive ? std::clamp(1.0 - load, kLowestRateShare, 1.0) : 1.0;
    if (!bucket_.take(now, share)) {
      limited(event, now);
      return;
    }
  }
  enqueue(event, now);
  if (!changing_.empty()) change_standings(now);
}

// To that user's connections alone; the others share the channel, but not this event.
void Channel::push_to_its_user(const EncodedRef& event, Now now) {
  const bool urgent = bypasses(event->priority);
  if (!urgent)
    while (!open_.empty()) seal(wish_.packing.batching.max_batch_size, now);  // what came before must not follow it
  for (const Clients* clients : {&in_step_, &behind_, &full_})
    for (ClientQueue* client : *clients)
      if (client->user() == event->event->target_user_id && !client->offer(event, urgent, now) && clients != &full_)
        look_at(*client, true);
}

void Channel::limited(const EncodedRef& event, Now now) {
  if (wish_.fold && event->event && excess_.fold(*event->event)) {
    if (excess_due_us_ == 0) excess_due_us_ = now.mono_us + kLongestFoldUs;
  } else {
    losses_.record(DropReason::rate_limit, event->type, 1, event->offset);
    house_.hub_.statistics().dropped[static_cast<std::size_t>(DropReason::rate_limit)] += 1;
  }
  house_.touch(*this);
}

void Channel::enqueue(const EncodedRef& event, Now now) {
  const Packing& packing = wish_.packing;
  if (!packing.batches) {
    push_single(event, false, now);
    return;
  }
  open_.push_back({event, now.mono_us});
  open_bytes_ += event->json_bytes;
  ++open_by_priority_[static_cast<std::size_t>(event->priority)];
  if (open_.size() >= packing.batching.max_batch_size || open_bytes_ >= packing.batching.max_batch_bytes)
    run_batches(now);
  else
    house_.touch(*this);
}

void Channel::lost(DropReason reason, EventType type, std::uint64_t count, Now) {
  if (failed_) return;
  losses_.record(reason, type, count, 0);
  house_.touch(*this);
}

// ── What is due ──────────────────────────────────────────────────────────────────────────────────────────────────────

void Channel::run(Now now) {
  if (failed_) return;
  tell_losses(now, false);
  if (excess_due_us_ != 0 && excess_due_us_ <= now.mono_us) flush_excess(now);
  run_batches(now);
  if (fold_due_us_ != 0 && fold_due_us_ <= now.mono_us) flush_fold(now);
  change_standings(now);
}

std::int64_t Channel::due_us() const noexcept {
  if (failed_) return 0;
  return earlier(earlier(batch_due_us_, fold_due_us_), earlier(excess_due_us_, losses_.due_at_us()));
}

void Channel::flush(Now now) {
  if (failed_) return;
  flush_excess(now);
  while (!open_.empty()) seal(wish_.packing.batching.max_batch_size, now);
  flush_fold(now);
  tell_losses(now, true);
  change_standings(now);
}

QueueState Channel::open_state() const noexcept {
  QueueState state{.count = open_.size(), .bytes = open_bytes_, .oldest_us = {}, .last_sent_us = last_sent_us_};
  // Of one priority nearly always: then the oldest is the first.
  for (std::size_t priority = 0; priority < kPriorityCount; ++priority) {
    if (open_by_priority_[priority] == 0) continue;
    const auto first = std::ranges::find_if(open_, [priority](const Waiting& waiting) {
      return static_cast<std::size_t>(waiting.event->priority) == priority;
    });
    state.oldest_us[priority] = first->queued_us;
  }
  return state;
}

void Channel::run_batches(Now now) {
  batch_due_us_ = 0;
  while (!open_.empty()) {
    const bool known = now.mono_us - measured_us_ < kMeasureHoldsUs;
    const double open_share = static_cast<double>(open_.size()) / house_.queue_options_.max_events;
    const Load load{.arrival_per_second = arrivals_.per_second(now),
                    .drain_per_second = known ? drain_per_second_ : 0,
                    .depth = std::max(known ? depth_ : 0, open_share),
                    .loop_lag_us = house_.loop_lag_us()};
    const BatchDecision decision = decide_batch(wish_.packing.batching, open_state(), load, now);
    if (decision.send_now == 0) {
      batch_due_us_ = decision.wait_until_us;
      house_.next_due_us_ = earlier(house_.next_due_us_, batch_due_us_);
      return;
    }
    seal(decision.send_now, now);
  }
}

// The first events of the open batch, at most so many and at most max_batch_bytes, but at least one.
void Channel::seal(std::size_t count, Now now) {
  const BatchingOptions& batching = wish_.packing.batching;
  std::vector<EncodedRef> events;
  events.reserve(std::min(count, open_.size()));
  std::size_t bytes = 0;
  const std::int64_t queued_us = open_.front().queued_us;
  while (events.size() < std::min(count, open_.size())) {
    Waiting& waiting = open_[events.size()];
    if (!events.empty() && bytes + waiting.event->json_bytes > batching.max_batch_bytes) break;
    bytes += waiting.event->json_bytes;
    --open_by_priority_[static_cast<std::size_t>(waiting.event->priority)];
    events.push_back(std::move(waiting.event));
  }
  open_.erase(open_.begin(), open_.begin() + static_cast<std::ptrdiff_t>(events.size()));
  open_bytes_ -= bytes;
  last_sent_us_ = now.mono_us;
  push_frame(house_.writer().batch(std::move(events), queued_us, now, wish_.packing.format, batching.compression,
                                   trial_, house_.frames_repeat()),
             false, now);
}

// ── To the clients ───────────────────────────────────────────────────────────────────────────────────────────────────

// Text that is not packed needs no frame until it is written: then the queues hold the event itself.
void Channel::push_single(const EncodedRef& event, bool urgent, Now now) {
  const Packing& packing = wish_.packing;
  if (packing.format == Format::deflate || packing.format == Format::cloudevents) {
    push_frame(house_.writer().single(event, now.mono_us, packing.format, packing.batching.compression), urgent, now);
    return;
  }
  statistics_.count_single(event->json_bytes, urgent);
  push_to_those_behind({&event, 1}, urgent, now);
  push_to_those_in_step(now, [&](ClientQueue& client) { return client.offer(event, urgent, now); });
}

void Channel::push_frame(const FrameRef& frame, bool urgent, Now now) {
  statistics_.count(*frame, urgent, now);
  push_to_those_behind(frame->events, urgent, now);
  push_to_those_in_step(now, [&](ClientQueue& client) { return client.push(frame, urgent, now); });
}

template <typename Push>
void Channel::push_to_those_in_step(Now now, Push push) {
  double depth = 0, drain = 0;
  for (ClientQueue* client : in_step_) {
    const bool lost = !push(*client);
    const double load = client->load();
    if (lost || load >= wish_.packing.batching.load_threshold) {
      look_at(*client, lost);
      continue;
    }
    depth = std::max(depth, load);
    if (const double rate = client->drain_per_second(now); rate > 0 && (drain == 0 || rate < drain)) drain = rate;
  }
  depth_ = depth;
  drain_per_second_ = drain;
  measured_us_ = now.mono_us;
}

void Channel::push_to_those_behind(std::span<const EncodedRef> events, bool urgent, Now now) {
  if (behind_.empty() && full_.empty()) return;
  for (const EncodedRef& event : events) {
    if (!passes(event->priority)) {
      for (ClientQueue* client : full_) (void)client->offer(event, urgent, now);
    } else if (!full_.empty()) {
      pass_by(event->counts_as(), event->weight(), event->offset, event->offset);
    }
    if (behind_.empty()) continue;
    if (!urgent && wish_.fold && event->event && fold_.fold(*event->event)) {
      if (fold_due_us_ != 0) continue;
      const std::int64_t window = wish_.packing.batching.batch_timeout.count();
      fold_due_us_ = now.mono_us + std::clamp(window, kShortestFoldUs, kLongestFoldUs);
      house_.next_due_us_ = earlier(house_.next_due_us_, fold_due_us_);
      continue;
    }
    // A query that finds no group goes by itself, but not into the room that is kept for what is folded.
    const bool foldable = !urgent && wish_.fold && event->type == EventType::dns_query_log;
    const double most = foldable ? (wish_.packing.batching.load_threshold + 1) / 2 : 1;
    for (ClientQueue* client : behind_) {
      if (client->load() > most)
        client->refuse(event);
      else if (!client->offer(event, urgent, now))
        look_at(*client, true);
    }
  }
}

// Folding and CloudEvents need more of an event than its JSON; keeping it costs as much as encoding it.
void Channel::standings_changed() noexcept {
  needs_events = wish_.packing.format == Format::cloudevents ||
                 (wish_.fold && (!behind_.empty() || house_.rate_limit_.events_per_second != 0));
}

// Do events of that priority pass by those who are full?
bool Channel::passes(Priority priority) const noexcept {
  return house_.queue_options_.overflow != OverflowPolicy::drop_lowest || priority == Priority::low;
}

void Channel::pass_by(EventType type, std::uint64_t count, std::uint64_t first_offset, std::uint64_t last_offset) {
  for (ClientQueue* client : untouched_) client->passed_from_ = first_offset;
  untouched_.clear();
  passed_.count += count;
  passed_.by_type[static_cast<std::size_t>(type)] += count;
  passed_.to = last_offset;
}

bool Channel::only_counts(EventType type, Priority priority, Severity severity) const noexcept {
  if (failed_ || full_.empty() || clients() != full_.size() || house_.rate_limit_.events_per_second != 0 ||
      !passes(priority) || !sight->whole_types().test(static_cast<std::size_t>(type)))
    return false;
  return std::ranges::any_of(subscriptions, [&](const Subscription& s) {
    return s.covers(type) && s.filter.matches_everything() && priority >= s.min_priority &&
           severity >= s.min_severity && s.sample <= 1;
  });
}

void Channel::passed_by(EventType type, std::uint64_t count, std::uint64_t first_offset, Now now) {
  if (failed_) return;
  matched_ += count;
  arrivals_.add(count, now);
  while (!open_.empty()) seal(wish_.packing.batching.max_batch_size, now);  // what came before must not follow it
  Gap gap;
  gap.count = count;
  gap.by_type[static_cast<std::size_t>(type)] = count;
  gap.from = first_offset;
  gap.to = first_offset + count - 1;
  if (!full_.empty()) pass_by(type, count, gap.from, gap.to);
  // The host may have counted some more in the moment in which a client caught up.
  for (Clients* clients : {&in_step_, &behind_})
    for (ClientQueue* client : *clients) client->lose(gap, true);
}

void Channel::tell_losses(Now now, bool all) {
  while (const auto gap = losses_.take(now, all)) {
    const FrameRef frame = house_.writer().gap(*gap, now, wish_.packing.format, wish_.packing.batching.compression);
    for (ClientQueue* client : in_step_) client->push(frame, false, now);
    for (Clients* clients : {&behind_, &full_})
      for (ClientQueue* client : *clients) client->lose(*gap, false);
  }
}

// ── Falling behind and coming back ───────────────────────────────────────────────────────────────────────────────────

std::vector<EncodedRef> Channel::folded_events(QueryFold& fold, Now now) {
  std::vector<EncodedRef> encoded;
  for (Event& event : fold.take(house_.hub_.identity(), now)) {
    const auto count = static_cast<std::uint64_t>(event.data.find("count").integer());
    house_.hub_.stamp(event, now);
    EventRef kept;
    if (wish_.packing.format == Format::cloudevents) kept = std::make_shared<const Event>(event);
    encoded.push_back(house_.hub_.encoder().encode(event, std::move(kept), count));
  }
  return encoded;
}

void Channel::flush_fold(Now now) {
  fold_due_us_ = 0;
  if (fold_.groups() == 0) return;
  // What came before must not follow it.
  while (!open_.empty()) seal(wish_.packing.batching.max_batch_size, now);
  for (const EncodedRef& event : folded_events(fold_, now))
    for (ClientQueue* client : behind_)
      if (!client->offer(event, false, now)) look_at(*client, true);
}

void Channel::flush_excess(Now now) {
  excess_due_us_ = 0;
  for (const EncodedRef& event : folded_events(excess_, now)) enqueue(event, now);
}

// A standing changes only between frames: in the middle of one, what a change hands over would overtake it.
void Channel::look_at(ClientQueue& client, bool lost) {
  client.lost_ = client.lost_ || lost;
  if (client.changing_) return;
  changing_.push_back(&client);
  client.changing_ = true;
}

void Channel::change_standings(Now now) {
  while (!changing_.empty()) {
    // What was folded so far is for those who were behind so far. Handing it over can be too much for more of them.
    flush_fold(now);
    ClientQueue& client = *changing_.back();
    changing_.pop_back();
    client.changing_ = false;
    const bool lost = std::exchange(client.lost_, false);
    if (client.standing_ == ClientQueue::Standing::in_step) {
      std::erase(in_step_, &client);
      behind_.push_back(&client);
      client.standing_ = ClientQueue::Standing::behind;
      ++client.statistics_.overflows;
      ++statistics_.overflows;
    }
    // With drop_oldest there is always room for what is new.
    if (!lost || house_.queue_options_.overflow == OverflowPolicy::drop_oldest) continue;
    std::erase(behind_, &client);
    full_.push_back(&client);
    client.standing_ = ClientQueue::Standing::full;
    client.passed_ = passed_;
    client.passed_from_ = 0;
    untouched_.push_back(&client);
  }
  standings_changed();
}

void Channel::settle(ClientQueue& client, Now now) {
  if (client.standing_ != ClientQueue::Standing::full) return;
  house_.hub_.collect_counts(now);
  if (client.passed_.count == passed_.count) return;
  Gap gap;
  gap.reason = DropReason::queue_overflow;
  gap.count = passed_.count - client.passed_.count;
  for (std::size_t i = 0; i < kEventTypeCount; ++i) gap.by_type[i] = passed_.by_type[i] - client.passed_.by_type[i];
  gap.from = client.passed_from_;
  gap.to = passed_.to;
  client.passed_ = passed_;
  client.passed_from_ = 0;
  untouched_.push_back(&client);
  client.lose(gap, true);
}

void Channel::drained(ClientQueue& client, Now now) {
  if (client.load() > wish_.packing.batching.load_threshold * kCaughtUpShare) return;
  catch_up(client, now);
}

void Channel::catch_up(ClientQueue& client, Now now) {
  if (failed_) return;
  settle(client, now);
  if (client.standing_ == ClientQueue::Standing::behind) flush_fold(now);
  for (Clients* clients : {&behind_, &full_, &untouched_}) std::erase(*clients, &client);
  client.standing_ = ClientQueue::Standing::in_step;
  client.tell_all_losses();
  in_step_.push_back(&client);
  standings_changed();
  change_standings(now);
}

std::uint64_t Channel::pending() const noexcept {
  std::uint64_t pending = excess_.folded();
  for (const Waiting& waiting : open_) pending += waiting.event->weight();
  return pending;
}

}  // namespace bindcast
