#include "plugin/capture/intake.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "events/dns_text.hpp"

namespace bindcast {

namespace {
constexpr std::uint64_t kPollMs = 1;
constexpr int kIdlePolls = 4;  // empty polls before the loop sleeps
constexpr std::uint16_t kServfail = 2;

using enum EventType;
constexpr std::initializer_list<EventType> kRpzTypes = {dns_query_blocked, malware_blocked, phishing_blocked,
                                                        dns_query_allowed};
}  // namespace

Intake::Intake(Hub& hub)
    : hub_(hub), fold_([this](const QueryView& query, std::uint64_t count, Now now) {
        if (!hub_.faults().contain([&] { hub_.emit(rpz_event(query, feeds_, count, now), now); })) lose_rpz(count, now);
      }) {
  hub_.set_counts([this](Now now) { collect_counts(now); });
}

Producer* Intake::add_producer() {
  auto lane = std::make_unique<Lane>();
  lane->producer = std::make_unique<Producer>(control_);
  Producer* producer = lane->producer.get();
  const std::lock_guard lock(adding_);
  if (producers_ == kMaxProducers) return nullptr;
  new_lanes_.push_back(std::move(lane));
  ++producers_;
  return producer;
}

void Intake::take_new_lanes() {
  const std::lock_guard lock(adding_);
  std::move(new_lanes_.begin(), new_lanes_.end(), std::back_inserter(lanes_));
  new_lanes_.clear();
}

void Intake::attach(uv_loop_t* loop) {
  control_.wake.data = this;
  uv_async_init(loop, &control_.wake, [](uv_async_t* handle) { static_cast<Intake*>(handle->data)->poll(); });
  uv_timer_init(loop, &poll_timer_);
  poll_timer_.data = this;
  uv_idle_init(loop, &more_);
  more_.data = this;
  poll();
}

void Intake::detach() {
  uv_timer_stop(&poll_timer_);
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_timer_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&more_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&control_.wake), nullptr);
}

void Intake::configure(const Options& options) {
  feeds_ = options.events.rpz.feeds;
  fold_.set_window(options.events.rpz.repeat_window.count());
  fold_.set_privacy(options.privacy);
  ignored_names_ = options.events.queries.ignore;
  query_options_.latency = options.events.queries.latency;
  queries_enabled_ = options.events.queries.enabled;
  records_per_drain_ =
      std::clamp<std::size_t>(options.queues.max_events / 2, kFewestRecordsPerDrain, kMostRecordsPerDrain);
  control_.sample.store(options.events.queries.sample, std::memory_order_relaxed);
  update_interest();
}

void Intake::update_interest() {
  std::uint32_t interest = kWantsRpz;
  if (queries_enabled_ && observed())
    interest |= kWantsQueries;
  else if (queries_enabled_ && hub_.wanted(EventType::dns_query_log))
    interest |= ignored_names_.empty() && hub_.only_counted(EventType::dns_query_log) ? kCountsQueries : kWantsQueries;
  if (queries_enabled_ && hub_.wanted(EventType::dns_query_failed)) interest |= kWantsFailures;
  if (control_.interest.load(std::memory_order_relaxed) != interest)
    control_.interest.store(interest, std::memory_order_relaxed);
}

bool Intake::observed() const noexcept {
  return std::ranges::any_of(observers_, [](const QueryObserver* observer) { return observer->watches(); });
}

void Intake::show_observers(const QueryView& query, Now now) {
  for (QueryObserver* observer : observers_)
    if (observer->watches()) hub_.faults().contain([&] { observer->see(query, now); });
}

bool Intake::ignored(const QueryView& query) const {
  if (ignored_names_.empty()) return false;
  char text[kMaxNameText];
  const std::string_view name(text, write_name(text, query.qname));
  return std::ranges::any_of(ignored_names_, [&](const std::string& above) { return name_under(name, above); });
}

void Intake::take_query(const Ring::Record& record, Now now) {
  QueryView query;
  if (!QueryView::read(record.payload, query)) {
    ++hub_.statistics().events_failed;
    return;
  }
  if (query.fixed.hook_ns != 0) hub_.statistics().hook_ns.record(query.fixed.hook_ns);
  if (ignored(query)) return;
  const auto emit = [&](EventType type) {
    if (hub_.faults().contain([&] { write_query_event(event_, type, query, query_options_, now); })) {
      hub_.emit(std::move(event_), now);
    } else {
      ++hub_.statistics().events_failed;
      hub_.report_lost(DropReason::capture_overflow, {type}, 1, now);
    }
  };
  if (!query.fixed.counted) {
    show_observers(query, now);
    if (hub_.only_counted(EventType::dns_query_log))
      hub_.pass_by(EventType::dns_query_log, 1, now);
    else if (hub_.wanted(EventType::dns_query_log))
      emit(EventType::dns_query_log);
  }
  if (!query.fixed.dropped && query.fixed.rcode == kServfail && hub_.wanted(EventType::dns_query_failed))
    emit(EventType::dns_query_failed);
}

void Intake::take_rpz(const Ring::Record& record, Now now) {
  QueryView query;
  if (!QueryView::read(record.payload, query)) {
    ++hub_.statistics().events_failed;
    return;
  }
  if (!hub_.faults().contain([&] { fold_.hit(record.payload, query, now); })) lose_rpz(1, now);
}

void Intake::lose_rpz(std::uint64_t count, Now now) noexcept {
  hub_.statistics().events_failed += count;
  hub_.report_lost(DropReason::capture_overflow, kRpzTypes, count, now);
}

void Intake::report_losses(Lane& lane, Now now) {
  const auto news = [](const std::atomic<std::uint64_t>& counter, std::uint64_t& reported) {
    const std::uint64_t value = counter.load(std::memory_order_relaxed);
    return value - std::exchange(reported, value);
  };
  Producer& producer = *lane.producer;
  const std::uint64_t dropped = news(producer.dropped_queries, lane.reported.queries);
  hub_.report_lost(DropReason::capture_overflow, {dns_query_log}, dropped, now);
  for (QueryObserver* observer : observers_)
    if (dropped != 0 && observer->watches()) observer->missed(dropped, now);
  hub_.report_lost(DropReason::capture_overflow, {dns_query_failed},
                   news(producer.dropped_failures, lane.reported.failures), now);
  const std::uint64_t dropped_rpz = news(producer.dropped_rpz, lane.reported.rpz);
  hub_.report_lost(DropReason::capture_overflow, kRpzTypes, dropped_rpz, now);
  hub_.report_lost(DropReason::sampled, {dns_query_log}, news(producer.sampled_queries, lane.reported.sampled), now);
  hub_.pass_by(dns_query_log, news(producer.passed_queries, lane.reported.passed), now);
  hub_.statistics().capture_lost += dropped + dropped_rpz;
}

Intake::Drained Intake::drain(Now now) {
  Drained drained = Drained::nothing;
  take_new_lanes();
  taken_ = 0;
  // Each ring that has something gets an equal share.
  const auto take_from_all = [&](Ring& (Producer::*ring_of)() noexcept, auto take) {
    const auto filled =
        std::ranges::count_if(lanes_, [&](const auto& lane) { return !((*lane->producer).*ring_of)().empty(); });
    const std::size_t share = records_per_drain_ / static_cast<std::size_t>(std::max<std::ptrdiff_t>(filled, 1)) + 1;
    for (const auto& lane : lanes_) {
      Ring& ring = ((*lane->producer).*ring_of)();
      Ring::Record record;
      std::size_t taken = 0;
      for (; taken < share && ring.front(record); ++taken, ring.pop()) take(record);
      taken_ += taken;
      drained = std::max(drained, taken == share ? Drained::more : taken > 0 ? Drained::all : Drained::nothing);
    }
  };
  take_from_all(&Producer::priority, [&](const Ring::Record& record) { take_rpz(record, now); });
  take_from_all(&Producer::bulk, [&](const Ring::Record& record) { take_query(record, now); });
  for (const auto& lane : lanes_) report_losses(*lane, now);
  fold_.expire(now);
  return drained;
}

void Intake::collect_counts(Now now) {
  take_new_lanes();
  for (const auto& lane : lanes_) report_losses(*lane, now);
}

void Intake::drain_all(Now now) {
  constexpr int kRounds = 1024;  // more than a ring holds; a host that goes on producing must not keep us
  for (int round = 0; round < kRounds && drain(now) != Drained::nothing; ++round) continue;
  fold_.expire(now, true);
}

void Intake::poll() {
  const Now now = read_clock();
  // After a fault it goes on as after any other drain.
  Drained drained = Drained::all;
  hub_.faults().contain([&] { drained = drain(now); });
  if (taken_ > 0) {
    hub_.statistics().drained_events += taken_;
    hub_.statistics().drained_us += static_cast<std::uint64_t>(read_clock().mono_us - now.mono_us);
  }
  idle_polls_ = drained == Drained::nothing ? idle_polls_ + 1 : 0;
  if (drained == Drained::more) {
    // Once in each turn of the loop. A timer of no time would run again before any socket has its turn: libuv 1.44 goes
    // through all timers that are due until none is.
    uv_idle_start(&more_, [](uv_idle_t* handle) { static_cast<Intake*>(handle->data)->poll(); });
    return;
  }
  uv_idle_stop(&more_);
  if (idle_polls_ < kIdlePolls) {
    uv_timer_start(
        &poll_timer_, [](uv_timer_t* timer) { static_cast<Intake*>(timer->data)->poll(); }, kPollMs, 0);
  } else {
    fall_asleep();
  }
}

void Intake::fall_asleep() {
  control_.loop_sleeps.store(true, std::memory_order_relaxed);
  control_.full_fence();  // pairs with CaptureControl::wake_if_asleep
  take_new_lanes();
  const bool something = std::ranges::any_of(
      lanes_, [](const auto& lane) { return !lane->producer->priority().empty() || !lane->producer->bulk().empty(); });
  if (something && control_.loop_sleeps.exchange(false, std::memory_order_relaxed)) {
    uv_async_send(&control_.wake);
    return;
  }
  // Folded repeats are told when their window ends, traffic or not.
  const std::int64_t due = fold_.next_expiry_us();
  if (due < 0) return;
  const std::int64_t wait_ms = std::max<std::int64_t>(0, (due - read_clock().mono_us) / 1000 + 1);
  uv_timer_start(
      &poll_timer_, [](uv_timer_t* timer) { static_cast<Intake*>(timer->data)->poll(); },
      static_cast<std::uint64_t>(wait_ms), 0);
}

}  // namespace bindcast
