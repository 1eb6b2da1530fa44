#include "plugin/delivery/client_queue.hpp"

#include <algorithm>
#include <utility>

namespace bindcast {

ClientQueue::ClientQueue(const QueueOptions& options, bool bypass) : options_(options), bypass_(bypass) {}

void ClientQueue::configure(const QueueOptions& options, bool bypass) {
  options_ = options;
  bypass_ = bypass;
  if (options_.overflow == OverflowPolicy::disconnect) return;
  std::uint64_t dropped = 0;
  while (size_ > options_.max_events || bytes_ > options_.max_bytes) drop_one(dropped);
}

bool ClientQueue::fits(std::size_t bytes) const noexcept {
  return size_ < options_.max_events && bytes_ + bytes <= options_.max_bytes;
}

// Would the event fit once everything that it may push out is gone?
bool ClientQueue::room_for(const EncodedEvent& event, std::size_t lane) const noexcept {
  if (options_.max_events == 0 || event.bytes() > options_.max_bytes) return false;
  if (options_.overflow == OverflowPolicy::drop_oldest) return true;
  std::size_t removable = 0, removable_bytes = 0;
  for (std::size_t i = 0; i <= lane; ++i) {
    removable += lanes_[i].entries.size();
    removable_bytes += lanes_[i].bytes;
  }
  return size_ - removable < options_.max_events && bytes_ - removable_bytes + event.bytes() <= options_.max_bytes;
}

ClientQueue::Offered ClientQueue::offer(const EncodedRef& event, Now now, std::uint64_t& dropped) {
  const auto lane = static_cast<std::size_t>(event->event->priority);
  auto& entries = lanes_[lane].entries;
  // Events come in order, but for those of a replay: these are put where they belong, unless they wait already.
  const std::uint64_t offset = event->event->offset;
  const auto before = [](const Entry& entry, std::uint64_t o) { return entry.event->event->offset < o; };
  const bool late = !entries.empty() && entries.back().event->event->offset >= offset;
  if (late && std::lower_bound(entries.begin(), entries.end(), offset, before)->event->event->offset == offset)
    return Offered::queued;
  ++accepted_;
  if (!fits(event->bytes())) {
    switch (options_.overflow) {
      case OverflowPolicy::drop_lowest:
      case OverflowPolicy::drop_oldest:
        if (!room_for(*event, lane)) {
          lose(*event, dropped);
          return Offered::dropped;
        }
        while (!fits(event->bytes())) drop_one(dropped);
        break;
      case OverflowPolicy::drop_newest:
        lose(*event, dropped);
        return Offered::dropped;
      case OverflowPolicy::disconnect:
        lose(*event, dropped);
        return Offered::overflow;
    }
  }
  // Room may have been made in this lane, so the place is looked up now.
  entries.insert(late ? std::lower_bound(entries.begin(), entries.end(), offset, before) : entries.end(),
                 {event, now.mono_us});
  lanes_[lane].bytes += event->bytes();
  ++size_;
  bytes_ += event->bytes();
  return Offered::queued;
}

std::size_t ClientQueue::oldest_lane(std::size_t begin, std::size_t end) const noexcept {
  std::size_t oldest = end;
  std::uint64_t offset = 0;
  for (std::size_t i = begin; i < end; ++i) {
    if (lanes_[i].entries.empty()) continue;
    const std::uint64_t candidate = lanes_[i].entries.front().event->event->offset;
    if (oldest == end || candidate < offset) {
      oldest = i;
      offset = candidate;
    }
  }
  return oldest;
}

ClientQueue::Entry ClientQueue::pop(std::size_t lane) {
  Entry entry = std::move(lanes_[lane].entries.front());
  lanes_[lane].entries.pop_front();
  lanes_[lane].bytes -= entry.event->bytes();
  --size_;
  bytes_ -= entry.event->bytes();
  return entry;
}

void ClientQueue::drop_one(std::uint64_t& dropped) {
  std::size_t lane = 0;
  if (options_.overflow == OverflowPolicy::drop_oldest)
    lane = oldest_lane(0, kPriorityCount);
  else
    while (lanes_[lane].entries.empty()) ++lane;
  const Entry entry = pop(lane);
  lose(*entry.event, dropped);
}

void ClientQueue::lose(const EncodedEvent& event, std::uint64_t& dropped) {
  ++dropped_;
  ++dropped;
  losses_.record(DropReason::queue_overflow, event.event->type, 1, event.event->offset);
}

EncodedRef ClientQueue::take_bypass(Now now) {
  const std::size_t lane = oldest_lane(first_bypass(), kPriorityCount);
  if (lane == kPriorityCount) return nullptr;
  ++delivered_;
  last_sent_us_ = now.mono_us;
  return pop(lane).event;
}

std::int64_t ClientQueue::take(std::size_t max_events, std::size_t max_bytes, Now now, std::vector<EncodedRef>& out) {
  const std::size_t end = first_bypass();
  std::size_t taken = 0, taken_bytes = 0;
  std::int64_t queued_us = now.mono_us;
  while (taken < max_events) {
    const std::size_t lane = oldest_lane(0, end);
    if (lane == end) break;
    const Entry& first = lanes_[lane].entries.front();
    if (taken > 0 && taken_bytes + first.event->bytes() > max_bytes) break;
    queued_us = std::min(queued_us, first.queued_us);
    taken_bytes += first.event->bytes();
    ++taken;
    out.push_back(pop(lane).event);
  }
  delivered_ += taken;
  if (taken > 0) last_sent_us_ = now.mono_us;
  return queued_us;
}

QueueState ClientQueue::state() const noexcept {
  QueueState state;
  for (std::size_t i = 0; i < kPriorityCount; ++i) {
    const Lane& lane = lanes_[i];
    if (lane.entries.empty()) continue;
    if (i >= first_bypass()) {
      state.has_bypass = true;
      continue;
    }
    state.count += lane.entries.size();
    state.bytes += lane.bytes;
    const std::int64_t queued_us = lane.entries.front().queued_us;
    if (state.oldest_us == 0 || queued_us < state.oldest_us) state.oldest_us = queued_us;
  }
  state.quiet_since_us = last_sent_us_;
  return state;
}

double ClientQueue::load() const noexcept {
  if (options_.max_events == 0 || options_.max_bytes == 0) return 1;
  return std::max(static_cast<double>(size_) / options_.max_events,
                  static_cast<double>(bytes_) / static_cast<double>(options_.max_bytes));
}

}  // namespace bindcast
