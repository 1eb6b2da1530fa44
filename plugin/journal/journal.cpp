#include "plugin/journal/journal.hpp"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <utility>

#include "plugin/journal/past_reader.hpp"
#include "plugin/signals_blocked.hpp"

namespace bindcast {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kGroup(50);   // what comes within it is committed together
constexpr milliseconds kLook(1000);  // between two looks at age, size and place of the file, and two tries
constexpr milliseconds kPause(5);    // between two steps of retention
constexpr std::int64_t kLookUs = 1'000'000;
constexpr std::int64_t kSetAsideEveryUs = 60'000'000;
constexpr std::size_t kMostStepsPerTurn = 16;  // of retention, before something is stored
constexpr std::size_t kMostBytesPerCommit = std::size_t{512} << 10;

std::string why_of(const DatabaseFault& fault) {
  switch (fault.code) {
    case SQLITE_FULL:
      return "the disk is full";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "locked by another process";
    case SQLITE_READONLY:
      return "the file or its folder is read-only";
    default:
      return fault.what();
  }
}

}  // namespace

Journal::Journal(Hub& hub, const JournalOptions& options, std::string state_dir, Log log, Post post)
    : hub_(hub),
      state_dir_(state_dir.empty() ? std::string(".") : std::move(state_dir)),
      log_(std::move(log)),
      post_(std::move(post)),
      options_(options) {
  holes_.reserve(kMostHoles);
  report_.since_us = read_clock().wall_us;
  report_.path = path_of(options);
  subscribe(options);
  hub_.add_subscriber(*this);
}

void Journal::start() {
  const SignalsBlocked blocked;
  writer_ = std::thread([this] { write(); });
  for (std::thread& reader : readers_) reader = std::thread([this] { read_requests(); });
}

Journal::~Journal() {
  hub_.remove_subscriber(*this);
  finish();
}

std::string Journal::path_of(const JournalOptions& options) const {
  return options.path.starts_with('/') ? options.path : state_dir_ + '/' + options.path;
}

// ── The loop's side ──────────────────────────────────────────────────────────────────────────────────────────────────

void Journal::subscribe(const JournalOptions& options) {
  Subscription kept;
  for (std::size_t i = 0; i < kEventTypeCount; ++i) {
    const auto type = static_cast<EventType>(i);
    kept.types.set(i, type_info(type).klass == Class::durable || (options.queries && is_about_queries(type)));
  }
  subscriptions.clear();
  if (options.enabled) subscriptions.push_back(std::move(kept));
  needs_events = options.queries;  // of durable ones they are there in any case
}

void Journal::configure(const JournalOptions& options) {
  {
    const std::lock_guard lock(mutex_);
    if (options == options_) return;
    options_ = options;
    changed_ = true;
  }
  news_.notify_one();
  subscribe(options);
  hub_.subscriptions_changed();
}

JournalReport Journal::report() const {
  const std::lock_guard lock(mutex_);
  JournalReport report = report_;
  report.queued = queue_.size() + under_way_;
  report.queued_bytes = queued_bytes_;
  return report;
}

void Journal::deliver(const EncodedRef& event, Now) {
  const bool query = is_about_queries(event->type);
  if (!event->event) {  // made before journal.queries was switched on
    const std::lock_guard lock(mutex_);
    ++report_.dropped_queries;
    return;
  }
  const Event& e = *event->event;
  StoredRow row{.offset = event->offset,
                .time_us = e.timestamp_us,
                .type = e.type,
                .priority = e.priority,
                .severity = e.severity,
                .json = std::string(event->json())};
  const std::size_t bytes = sizeof row + row.json.size();
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    told_ = row.offset;
    // Queries go short first.
    if (queued_bytes_ + bytes > (query ? kMostQueuedBytes / 2 : kMostQueuedBytes)) {
      ++(query ? report_.dropped_queries : report_.dropped_events);
      if (!query) note_hole(row.offset, 1);
      return;
    }
    wake = queue_.empty() || queue_.size() + 1 == kMostPerCommit;
    queue_.push_back(std::move(row));
    queued_bytes_ += bytes;
  }
  if (wake) news_.notify_one();
}

// Never fails: when there is no room for one more hole, the last one grows over what lies between.
void Journal::note_hole(std::uint64_t offset, std::uint64_t count) noexcept {
  const bool continues = !holes_.empty() && (queue_.empty() || queue_.back().offset <= holes_.back().last);
  if (continues || holes_.size() == kMostHoles) {
    holes_.back().last = offset;
    holes_.back().count += count;
  } else {
    holes_.push_back({.first = offset, .last = offset, .count = count});
  }
}

void Journal::lost(DropReason reason, EventType type, std::uint64_t count, Now) {
  if (reason == DropReason::sampled) return;  // was never to be had
  const std::lock_guard lock(mutex_);
  if (is_about_queries(type)) {
    report_.dropped_queries += count;
    return;
  }
  report_.dropped_events += count;
  told_ = hub_.last_offset();
  note_hole(told_, count);
}

// One event found no memory.
void Journal::failed() noexcept {
  const std::lock_guard lock(mutex_);
  ++report_.dropped_events;
  told_ = hub_.last_offset();
  note_hole(told_, 1);
}

bool Journal::readable() const {
  const std::lock_guard lock(mutex_);
  return options_.enabled && generation_ != 0 && !finished_;
}

bool Journal::knows_epoch(std::string_view epoch) const {
  const std::lock_guard lock(mutex_);
  return epochs_.contains(std::string(epoch));
}

bool Journal::storing() const {
  const std::lock_guard lock(mutex_);
  return report_.state == JournalReport::State::ok && !stopping_;
}

bool Journal::read(PastRequest request, std::weak_ptr<void> alive, std::function<void(PastPortion&&)> done) {
  {
    const std::lock_guard lock(mutex_);
    if (finished_ || reads_.size() >= kMostReads) return false;
    reads_.push_back({.request = std::move(request), .alive = std::move(alive), .done = std::move(done)});
  }
  reads_news_.notify_one();
  return true;
}

void Journal::when_stored(std::uint64_t beyond, std::weak_ptr<void> alive, std::function<void()> done) {
  waiters_.push_back({.alive = std::move(alive), .done = std::move(done)});
  bool now = false;
  {
    const std::lock_guard lock(mutex_);
    now = report_.through > beyond || report_.state != JournalReport::State::ok || stopping_;
    waited_for_ = !now;
  }
  if (now) post_([this] { wake_waiters(); });
}

void Journal::wake_waiters() {
  for (Waiter& waiter : std::exchange(waiters_, {}))
    if (!waiter.alive.expired()) waiter.done();
}

void Journal::begin_stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  news_.notify_one();
}

bool Journal::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

void Journal::finish() {
  std::size_t left = 0;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(finished_, true)) return;
    stopping_ = true;
    if (!ended_) left = queue_.size() + under_way_;
    reads_.clear();
  }
  if (left != 0)
    log_(LogLevel::warning, "the journal: " + std::to_string(left) + " events could not be stored before the end");
  news_.notify_one();
  reads_news_.notify_all();
  if (writer_.joinable()) writer_.join();
  for (std::thread& reader : readers_)
    if (reader.joinable()) reader.join();
}

// ── The writer ───────────────────────────────────────────────────────────────────────────────────────────────────────

void Journal::write() {
  pthread_setname_np(pthread_self(), "bindcast-jrnl");
  for (;;) {
    wait_for_work();
    {
      const std::lock_guard lock(mutex_);
      if (finished_ || ended_) break;
    }
    try {
      try {
        write_turn();
        end_in_order();
      } catch (const std::exception& fault) {
        trouble(fault);
      }
    } catch (const std::exception&) {  // no memory even to say so: once more
    }
  }
  store_.reset();
}

// Until there is something to do: a group of events, a step of retention, another try.
void Journal::wait_for_work() {
  std::unique_lock lock(mutex_);
  const auto at_once = [this] {
    return changed_ || stopping_ || finished_ || damaged_ || (store_ && queue_.size() >= kMostPerCommit);
  };
  if (!store_ && retry_at_us_ == 0 && in_force_.enabled && !refused_) return;
  if (!batch_.empty() || (!store_ && in_force_.enabled)) {  // what failed a moment ago is tried again in a while
    news_.wait_for(lock, stopping_ ? kPause : kLook, [this] { return changed_ || stopping_ || finished_; });
    return;
  }
  if (more_to_remove_) {
    news_.wait_for(lock, kPause, at_once);
    return;
  }
  news_.wait_for(lock, kLook, [&] { return at_once() || (store_ && (!queue_.empty() || !holes_.empty())); });
  if (store_ && !queue_.empty()) news_.wait_for(lock, kGroup, at_once);
}

void Journal::write_turn() {
  bool reopen = false, damaged = false;
  {
    const std::lock_guard lock(mutex_);
    damaged = std::exchange(damaged_, false);
    if (std::exchange(changed_, false)) {
      reopen = refused_ || path_of(options_) != path_of(in_force_) || options_.enabled != in_force_.enabled;
      in_force_ = options_;
      report_.path = path_of(in_force_);
    }
  }
  if (reopen) {
    close_store();
    refused_ = false;
    retry_at_us_ = 0;
  } else if (store_) {
    store_->configure(in_force_);
  }
  if (!in_force_.enabled) {
    tell_state(JournalReport::State::off, "");
    return;
  }
  if (damaged) throw DatabaseFault(SQLITE_CORRUPT, "a reader found the file damaged");
  const Now now = read_clock();
  if (store_ && now.mono_us - looked_at_us_ >= kLookUs && !store_->in_place()) {
    log_(LogLevel::warning, "the journal: somebody has removed or replaced " + path_of(in_force_));
    close_store();
  }
  if (!store_) {
    if (refused_) return;
    open_store();
  }
  if (batch_.empty()) take_batch();
  if (!batch_.empty()) {
    if (!store_->log_fits())
      throw StoreFault(StoreFault::Kind::unusable, "who reads it in another process keeps its -wal from being cut");
    for (std::size_t step = 0; step < kMostStepsPerTurn && store_->retain(now, batch_.bytes); ++step) continue;
    store_batch();
  }
  if (more_to_remove_ || now.mono_us - looked_at_us_ >= kLookUs) {
    looked_at_us_ = now.mono_us;
    more_to_remove_ = store_->retain(now);
  }
  tell_state(JournalReport::State::ok, "");
  publish();
}

void Journal::take_batch() {
  const std::lock_guard lock(mutex_);
  const std::size_t most = std::min(queue_.size(), kMostPerCommit);
  batch_.rows.reserve(most);
  while (batch_.rows.size() < most && batch_.bytes < kMostBytesPerCommit) {
    batch_.bytes += sizeof(StoredRow) + queue_.front().json.size();
    batch_.rows.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  under_way_ = batch_.rows.size();
  batch_.through = queue_.empty() ? told_ : batch_.rows.back().offset;
  // Those that begin before what is stored with them: in a later one they would come too late for a reader.
  const auto later = std::ranges::find_if(holes_, [this](const Hole& hole) { return hole.first > batch_.through; });
  batch_.holes.assign(holes_.begin(), later);
  holes_.erase(holes_.begin(), later);
}

void Journal::open_store() {
  const Now now = read_clock();
  retry_at_us_ = now.mono_us + kLookUs;
  auto store = std::make_unique<Store>(path_of(in_force_));
  store->configure(in_force_);
  std::uint64_t told = 0;
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t next = !batch_.rows.empty() ? batch_.rows.front().offset
                               : !queue_.empty()    ? queue_.front().offset
                                                    : told_ + 1;
    const std::uint64_t hole = !batch_.holes.empty() ? batch_.holes.front().first
                               : !holes_.empty()     ? holes_.front().first
                                                     : next;
    told = std::max<std::uint64_t>(std::min(next, hole), 1) - 1;
  }
  store->begin_epoch(hub_.identity(), told, now);
  const auto epochs = store->epochs();
  store_ = std::move(store);
  more_to_remove_ = true;
  const std::lock_guard lock(mutex_);
  ++generation_;
  epochs_ = {epochs.begin(), epochs.end()};
}

void Journal::close_store() {
  store_.reset();
  const std::lock_guard lock(mutex_);
  ++generation_;  // readers let go of it
}

void Journal::store_batch() {
  // A commit that seemed to fail may have been one.
  std::span<const StoredRow> rows(batch_.rows);
  while (!rows.empty() && rows.front().offset <= store_->through()) rows = rows.subspan(1);
  store_->append(rows, batch_.holes, std::max(batch_.through, store_->through()));
  const std::size_t stored = batch_.rows.size(), bytes = batch_.bytes;
  batch_ = {};
  const std::lock_guard lock(mutex_);
  queued_bytes_ -= bytes;
  under_way_ = 0;
  report_.stored += stored;
}

void Journal::trouble(const std::exception& fault) {
  const auto* database = dynamic_cast<const DatabaseFault*>(&fault);
  if (const auto* store = dynamic_cast<const StoreFault*>(&fault)) {
    refused_ = store->kind == StoreFault::Kind::not_ours;
    tell_state(JournalReport::State::failing, fault.what());
    return;
  }
  const bool locked = database != nullptr && (database->code == SQLITE_BUSY || database->code == SQLITE_LOCKED);
  if (!locked) close_store();  // it is tried anew from the beginning
  if (database != nullptr && database->damaged()) set_aside(fault.what());
  tell_state(JournalReport::State::failing, database != nullptr ? why_of(*database) : fault.what());
}

void Journal::set_aside(const std::string& why) {
  const Now now = read_clock();
  if (set_aside_us_ != 0 && now.mono_us - set_aside_us_ < kSetAsideEveryUs) return;
  set_aside_us_ = now.mono_us;
  const std::string path = path_of(in_force_);
  char stamp[32] = "";
  const std::time_t seconds = now.wall_us / 1'000'000;
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) != nullptr) std::strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &parts);
  const std::string aside = path + ".corrupt-" + stamp;
  // The log first: left behind, it would be taken for the new file's.
  const bool done = (std::rename((path + "-wal").c_str(), (aside + "-wal").c_str()) == 0 || errno == ENOENT) &&
                    std::rename(path.c_str(), aside.c_str()) == 0;
  if (!done) {
    log_(LogLevel::error,
         "the journal: " + path + " is damaged (" + why + ") and cannot be set aside: " + std::strerror(errno));
    return;
  }
  unlink((path + "-shm").c_str());
  log_(LogLevel::error,
       "the journal: " + path + " is damaged (" + why + "); it is now " + aside + ", and a new one begins");
  retry_at_us_ = 0;
}

void Journal::tell_state(JournalReport::State state, const std::string& reason) {
  using State = JournalReport::State;
  std::string path;
  bool changed = false, wake = false;
  {
    const std::lock_guard lock(mutex_);
    changed = report_.state != state;
    if (changed) report_.since_us = read_clock().wall_us;
    report_.state = state;
    report_.reason = reason;
    report_.attempts = state == State::failing ? report_.attempts + 1 : 0;
    report_.refused = state == State::failing && refused_;
    path = report_.path;
    wake = state != State::ok && std::exchange(waited_for_, false);
  }
  if (wake) post_([this] { wake_waiters(); });
  if (!changed) return;
  if (state == State::ok)
    log_(LogLevel::info,
         std::exchange(said_, false) ? "the journal is written again: " + path : "the journal is " + path);
  if (state == State::failing && !std::exchange(said_, true))
    log_(LogLevel::warning, "the journal cannot be written: " + reason +
                                (refused_ ? "; there is none until journal.path leads elsewhere"
                                          : "; what comes waits in memory (16 MiB), and it is tried every second"));
}

// After a turn in which all went well.
void Journal::publish() {
  const std::uint64_t size = store_->size_bytes();
  const std::int64_t oldest = store_->oldest_us();
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    wake = store_->through() > report_.through && std::exchange(waited_for_, false);
    report_.through = store_->through();
    report_.events = store_->events();
    report_.queries = store_->queries();
    report_.removed = store_->removed();
    report_.size_bytes = size;
    report_.oldest_us = oldest;
  }
  if (wake) post_([this] { wake_waiters(); });
}

// When the end is near and nothing waits any more.
void Journal::end_in_order() {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ || !store_ || !batch_.empty() || !queue_.empty() || !holes_.empty()) return;
  }
  store_->end_epoch(read_clock());
  const std::lock_guard lock(mutex_);
  ended_ = true;
}

// ── The readers ──────────────────────────────────────────────────────────────────────────────────────────────────────

void Journal::read_requests() {
  pthread_setname_np(pthread_self(), "bindcast-past");
  std::unique_ptr<PastReader> reader;
  for (;;) {
    Read read;
    std::string path;
    std::uint64_t generation = 0;
    {
      std::unique_lock lock(mutex_);
      reads_news_.wait(lock, [this] { return finished_ || !reads_.empty(); });
      if (finished_) return;
      read = std::move(reads_.front());
      reads_.pop_front();
      path = report_.path;
      generation = generation_;
    }
    PastPortion portion;
    bool damaged = false;
    try {
      if (!reader || reader->generation() != generation) {
        reader.reset();
        reader = std::make_unique<PastReader>(path, generation, hub_.identity());
      }
      if (read.request.position && read.request.generation != generation)
        portion.fault = "the journal is another file than before";
      else
        portion = reader->read(read.request);
    } catch (const std::exception& fault) {
      portion = {};
      portion.fault = "the journal cannot be read";
      reader.reset();
      const auto* database = dynamic_cast<const DatabaseFault*>(&fault);
      damaged = database != nullptr && database->damaged();
    }
    if (damaged) {
      const std::lock_guard lock(mutex_);
      damaged_ = damaged_ || generation == generation_;
      news_.notify_one();
    }
    while (!answer(read, portion)) std::this_thread::sleep_for(kPause);  // no memory; whoever asks waits for it
  }
}

bool Journal::answer(Read& read, PastPortion& portion) noexcept {
  try {
    const auto result = std::make_shared<std::pair<Read, PastPortion>>();
    std::function<void()> work = [result] {
      if (!result->first.alive.expired()) result->first.done(std::move(result->second));
    };
    result->first = std::move(read);
    result->second = std::move(portion);
    try {
      post_(work);
    } catch (const std::exception&) {
      read = std::move(result->first);
      portion = std::move(result->second);
      throw;
    }
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace bindcast
