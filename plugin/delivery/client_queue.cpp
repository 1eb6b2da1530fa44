#include "plugin/delivery/client_queue.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "plugin/delivery/channel.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kMostGapFrames = 8;  // further gaps are put together
constexpr std::int64_t kBacklogSeenUs = 50'000;

std::uint64_t weight_of(const Frame& frame) {
  std::uint64_t weight = 0;
  for (const EncodedRef& event : frame.events) weight += event->weight();
  return weight;
}

std::size_t index_of(Priority priority) {
  return static_cast<std::size_t>(priority);
}

}  // namespace

ClientQueue::ClientQueue(QueueHouse& house, const QueueOptions& options, Packing packing, std::function<void()> ready)
    : house_(house), options_(options), packing_(std::move(packing)), ready_(std::move(ready)) {
  ++house_.queues;
}

ClientQueue::~ClientQueue() {
  --house_.queues;
}

void ClientQueue::configure(const QueueOptions& options) {
  options_ = options;
  if (options_.overflow == OverflowPolicy::disconnect) return;
  while (size_ > 0 && !fits(0, 0)) {
    if (options_.overflow == OverflowPolicy::drop_oldest) {
      drop_oldest();
      continue;
    }
    std::size_t lowest = 0;
    while (lowest + 1 < kPriorityCount && by_priority_[lowest] == 0) ++lowest;
    if (!drop_newest_of(static_cast<Priority>(lowest))) return;
  }
}

bool ClientQueue::fits(std::size_t events, std::size_t bytes) const noexcept {
  if (size_ + events > options_.max_events || bytes_ + bytes > options_.max_bytes) return false;
  // When all hold too much together, those go short who hold more than their share.
  return house_.held <= options_.max_total_bytes || bytes_ + bytes <= options_.max_total_bytes / house_.queues;
}

double ClientQueue::load() const noexcept {
  return std::max(static_cast<double>(size_) / options_.max_events,
                  static_cast<double>(bytes_) / static_cast<double>(options_.max_bytes));
}

// ── What comes in ────────────────────────────────────────────────────────────────────────────────────────────────────

void ClientQueue::append(Lane& lane, Entry entry) {
  if (entry.frame) {
    size_ += entry.frame->events.size();
    bytes_ += entry.frame->bytes();
    for (const EncodedRef& event : entry.frame->events) ++by_priority_[index_of(event->priority)];
    waiting_ += weight_of(*entry.frame);
    if (is_gap(entry)) ++gap_frames_;
  } else {
    ++size_;
    bytes_ += entry.event->json_bytes;
    ++by_priority_[index_of(entry.event->priority)];
    waiting_ += entry.event->weight();
  }
  lane.push_back(std::move(entry));
}

void ClientQueue::uncount(const Entry& entry) {
  if (entry.frame) {
    size_ -= entry.frame->events.size();
    bytes_ -= entry.frame->bytes();
    for (const EncodedRef& event : entry.frame->events) --by_priority_[index_of(event->priority)];
    waiting_ -= weight_of(*entry.frame);
    if (is_gap(entry)) --gap_frames_;
  } else {
    --size_;
    bytes_ -= entry.event->json_bytes;
    --by_priority_[index_of(entry.event->priority)];
    waiting_ -= entry.event->weight();
  }
}

bool ClientQueue::push(const FrameRef& frame, bool urgent, Now now) {
  if (frame->gap) {
    account_.dropped[static_cast<std::size_t>(frame->gap->reason)] += frame->gap->count;
    if (gap_frames_ < kMostGapFrames)
      append(normal_, {.frame = frame, .event = nullptr, .queued_us = now.mono_us});
    else
      losses_.record(*frame->gap);
    ready_();
    return true;
  }
  const std::uint64_t dropped = account_.dropped[static_cast<std::size_t>(DropReason::queue_overflow)];
  if (options_.overflow == OverflowPolicy::drop_oldest && frame->events.size() <= options_.max_events &&
      frame->bytes() <= options_.max_bytes)
    while (!fits(frame->events.size(), frame->bytes())) drop_oldest();
  if (fits(frame->events.size(), frame->bytes())) {
    account_.accepted += weight_of(*frame);
    append(urgent ? urgent_ : normal_, {.frame = frame, .event = nullptr, .queued_us = frame->created_us});
    ready_();
  } else {
    for (const EncodedRef& event : frame->events) (void)offer(event, urgent, now);
  }
  return dropped == account_.dropped[static_cast<std::size_t>(DropReason::queue_overflow)];
}

bool ClientQueue::offer(const EncodedRef& event, bool urgent, Now now) {
  account_.accepted += event->weight();
  bool room = fits(1, event->json_bytes);
  if (!room) {
    switch (options_.overflow) {
      case OverflowPolicy::drop_lowest:
        room = make_room_below(event->priority, event->json_bytes);
        break;
      case OverflowPolicy::drop_oldest:
        if (event->json_bytes > options_.max_bytes) break;
        while (!fits(1, event->json_bytes)) drop_oldest();
        room = true;
        break;
      case OverflowPolicy::drop_newest:
        break;
      case OverflowPolicy::disconnect:
        overflowed_ = true;
        break;
    }
  }
  if (room)
    append(urgent ? urgent_ : normal_, {.frame = nullptr, .event = event, .queued_us = now.mono_us});
  else
    lose_event(*event);
  ready_();
  return room;
}

void ClientQueue::refuse(const EncodedRef& event) {
  if (options_.overflow == OverflowPolicy::disconnect) overflowed_ = true;
  account_.accepted += event->weight();
  lose_event(*event);
  ready_();
}

void ClientQueue::repeat(const EncodedRef& event, Now now) {
  account_.repeated += event->weight();
  (void)offer(event, true, now);
}

// Drops what matters less, the least and the newest first; drops nothing when that would not be enough.
bool ClientQueue::make_room_below(Priority priority, std::size_t bytes) {
  if (bytes > options_.max_bytes) return false;
  std::size_t lower = 0;
  for (std::size_t i = 0; i < index_of(priority); ++i) lower += by_priority_[i];
  if (lower == 0) return false;
  for (std::size_t i = 0; i < index_of(priority); ++i)
    while (by_priority_[i] > 0) {
      if (!drop_newest_of(static_cast<Priority>(i))) return false;
      if (fits(1, bytes)) return true;
    }
  return false;
}

// A frame that holds such an event is taken apart, so that no more goes than must.
bool ClientQueue::drop_newest_of(Priority priority) {
  for (Lane* lane : {&normal_, &urgent_}) {
    for (std::size_t i = lane->size(); i-- > 0;) {
      const Entry& entry = (*lane)[i];
      if (entry.frame) {
        const auto& events = entry.frame->events;
        if (std::ranges::none_of(events, [&](const EncodedRef& e) { return e->priority == priority; })) continue;
        const std::size_t count = events.size();
        expand(*lane, i);
        i += count;  // look at what it was taken apart into
        continue;
      }
      if (entry.event->priority != priority) continue;
      uncount(entry);
      lose_event(*entry.event);
      lane->erase(lane->begin() + static_cast<std::ptrdiff_t>(i));
      return true;
    }
  }
  return false;
}

// Whole frames go as they came.
void ClientQueue::drop_oldest() {
  Lane* lane = &normal_;
  const auto offset = [](const Entry& entry) {
    return entry.frame ? (entry.frame->events.empty() ? 0 : entry.frame->events.front()->offset) : entry.event->offset;
  };
  if (normal_.empty() || (!urgent_.empty() && offset(urgent_.front()) < offset(normal_.front()))) lane = &urgent_;
  const Entry entry = std::move(lane->front());
  lane->pop_front();
  uncount(entry);
  if (!entry.frame)
    lose_event(*entry.event);
  else if (entry.frame->gap)
    losses_.record(*entry.frame->gap);
  else
    for (const EncodedRef& event : entry.frame->events) lose_event(*event);
}

void ClientQueue::expand(Lane& lane, std::size_t at) {
  const Entry whole = std::move(lane[at]);
  uncount(whole);
  Lane rest(std::make_move_iterator(lane.begin() + static_cast<std::ptrdiff_t>(at) + 1),
            std::make_move_iterator(lane.end()));
  lane.resize(at);
  for (const EncodedRef& event : whole.frame->events)
    append(lane, {.frame = nullptr, .event = event, .queued_us = whole.queued_us});
  std::move(rest.begin(), rest.end(), std::back_inserter(lane));
}

void ClientQueue::lose_event(const EncodedEvent& event) {
  account_.dropped[static_cast<std::size_t>(DropReason::queue_overflow)] += event.weight();
  statistics_.dropped += event.weight();
  house_.statistics.dropped += event.weight();
  losses_.record(DropReason::queue_overflow, event.counts_as(), event.weight(), event.offset);
}

void ClientQueue::lose(const Gap& gap, bool accepted) {
  if (accepted) {
    account_.accepted += gap.count;
    statistics_.dropped += gap.count;
    house_.statistics.dropped += gap.count;
  }
  account_.dropped[static_cast<std::size_t>(gap.reason)] += gap.count;
  losses_.record(gap);
  ready_();
}

void ClientQueue::replay(std::vector<EncodedRef> events, Now now) {
  // What waits is in the stream's order with what is replayed, and neither comes twice.
  for (std::size_t i = 0; i < normal_.size(); ++i)
    while (normal_[i].frame && !normal_[i].frame->gap) expand(normal_, i);
  std::vector<std::uint64_t> here;
  for (const Lane* lane : {&urgent_, &backlog_, &normal_})
    for (const Entry& entry : *lane) {
      if (entry.event)
        here.push_back(entry.event->offset);
      else
        for (const EncodedRef& event : entry.frame->events) here.push_back(event->offset);
    }
  std::ranges::sort(here);
  std::erase_if(events,
                [&](const EncodedRef& e) { return e->offset != 0 && std::ranges::binary_search(here, e->offset); });
  if (events.empty()) return;
  for (EncodedRef& event : events) {
    account_.accepted += event->weight();
    account_.repeated += event->weight();
    waiting_ += event->weight();
    backlog_.push_back({.frame = nullptr, .event = std::move(event), .queued_us = now.mono_us});
  }
  // What waited and is older than the end of the replay goes with it.
  const std::uint64_t last = backlog_.back().event->offset;
  while (!normal_.empty() && normal_.front().event && normal_.front().event->offset < last) {
    Entry entry = std::move(normal_.front());
    normal_.pop_front();
    uncount(entry);
    waiting_ += entry.event->weight();
    backlog_.push_back(std::move(entry));
  }
  std::ranges::stable_sort(backlog_, {}, [](const Entry& entry) { return entry.event->offset; });
  ready_();
}

void ClientQueue::hold(bool yes) {
  holds_ = yes;
  ready_();
}

// ── What goes out ────────────────────────────────────────────────────────────────────────────────────────────────────

bool ClientQueue::due(Now now) const noexcept {
  if (!urgent_.empty() || !backlog_.empty() || (!normal_.empty() && !holds_)) return true;
  const std::int64_t at = losses_.due_at_us();
  return at != 0 && (tell_all_ || at <= now.mono_us);
}

FrameRef ClientQueue::next(Now now) {
  if (channel_ != nullptr && standing_ != Standing::in_step) channel_->settle(*this, now);
  if (const auto gap = losses_.take(now, tell_all_)) {
    FrameRef frame = house_.writer.gap(*gap, now, packing_.format, packing_.batching.compression);
    delivered(*frame, false, now);
    return frame;
  }
  tell_all_ = false;
  FrameRef frame;
  if (!urgent_.empty()) {
    frame = take(urgent_, true, now);
    delivered(*frame, true, now);
  } else if (!backlog_.empty()) {
    frame = take(backlog_, false, now);
    delivered(*frame, false, now);
  } else if (!normal_.empty() && !holds_) {
    frame = take(normal_, true, now);
    delivered(*frame, false, now);
  }
  if (!frame) {
    backlogged_since_us_ = 0;
  } else if (size_ == 0) {
    backlogged_since_us_ = 0;
  } else if (backlogged_since_us_ == 0) {
    backlogged_since_us_ = now.mono_us;
  }
  if (channel_ != nullptr && standing_ != Standing::in_step) channel_->drained(*this, now);
  return frame;
}

FrameRef ClientQueue::take(Lane& lane, bool counted, Now now) {
  if (lane.front().frame) {
    const Entry entry = std::move(lane.front());
    lane.pop_front();
    uncount(entry);
    return entry.frame;
  }
  const std::size_t most = packing_.batches && &lane != &urgent_ ? packing_.batching.max_batch_size : 1;
  std::vector<EncodedRef> events;
  std::size_t bytes = 0;
  std::int64_t queued_us = lane.front().queued_us;
  while (!lane.empty() && lane.front().event && events.size() < most) {
    Entry& entry = lane.front();
    if (!events.empty() && bytes + entry.event->json_bytes > packing_.batching.max_batch_bytes) break;
    bytes += entry.event->json_bytes;
    queued_us = std::min(queued_us, entry.queued_us);
    if (counted)
      uncount(entry);
    else
      waiting_ -= entry.event->weight();
    events.push_back(std::move(entry.event));
    lane.pop_front();
  }
  const CompressionOptions& compression = packing_.batching.compression;
  if (!packing_.batches || &lane == &urgent_)
    return house_.writer.single(events.front(), queued_us, packing_.format, compression);
  return house_.writer.batch(std::move(events), queued_us, now, packing_.format, compression, trial_, true);
}

void ClientQueue::delivered(const Frame& frame, bool urgent, Now now) {
  for (const EncodedRef& event : frame.events) {
    account_.delivered += event->folded == 0 ? 1 : 0;
    account_.folded += event->folded;
  }
  drained_.add(frame.events.size(), now);
  statistics_.count(frame, urgent, now);
  house_.statistics.count(frame, urgent, now);
}

double ClientQueue::drain_per_second(Now now) const noexcept {
  if (backlogged_since_us_ == 0 || now.mono_us - backlogged_since_us_ < kBacklogSeenUs) return 0;
  return drained_.per_second(now);
}

Account ClientQueue::account() const noexcept {
  Account account = account_;
  account.waiting = waiting_;
  for (std::size_t i = 0; i < kDropReasonCount; ++i) account.untold[i] = losses_.untold(static_cast<DropReason>(i));
  for (const Entry& entry : normal_)
    if (is_gap(entry)) account.untold[static_cast<std::size_t>(entry.frame->gap->reason)] += entry.frame->gap->count;
  return account;
}

}  // namespace bindcast
