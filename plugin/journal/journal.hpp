// The journal of one process: durable events into a SQLite file, and out of it again. What is stored, and what may be
// relied on, stands in doc/journal.md.
//
//   loop thread: deliver ─▶ bounded queue ─▶ writer thread ─▶ file ─▶ reader threads ─▶ post to the loop ─▶ done
//
// The loop only ever takes a short mutex. Public functions are the loop thread's.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "config/options.hpp"
#include "plugin/hub/hub.hpp"
#include "plugin/journal/past.hpp"
#include "plugin/journal/store.hpp"
#include "plugin/log.hpp"

namespace bindcast {

// How the journal is, for the status.
struct JournalReport {
  enum class State : std::uint8_t { off, starting, ok, failing };
  State state = State::starting;
  std::string reason;          // of failing
  std::uint32_t attempts = 0;  // since it fails; the next one comes within a second,
  bool refused = false;        // or not at all, because the file is not ours
  std::int64_t since_us = 0;   // wall clock: in this state since
  std::string path;
  std::uint64_t through = 0;     // see durable_through
  Store::Table events, queries;  // in the file
  std::uint64_t stored = 0;      // by this process
  std::uint64_t removed = 0;     // by retention
  std::uint64_t dropped_events = 0, dropped_queries = 0;
  std::uint64_t queued = 0, queued_bytes = 0;
  std::uint64_t size_bytes = 0;
  std::int64_t oldest_us = 0;  // 0: there is none
};

class Journal : public Subscriber, public Past {
 public:
  static constexpr std::size_t kMostQueuedBytes = std::size_t{16} << 20;
  static constexpr std::size_t kMostPerCommit = 2000;  // events
  static constexpr std::size_t kMostReads = 4096;      // that wait for a reader
  using Post = std::function<void(std::function<void()>)>;

  // `post` runs something on the loop thread, from any thread. A path that is not absolute is below `state_dir`.
  Journal(Hub& hub, const JournalOptions& options, std::string state_dir, Log log, Post post);
  ~Journal() override;
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Begins to store; what comes before waits. Once.
  void start();
  void configure(const JournalOptions& options);
  [[nodiscard]] JournalReport report() const;

  // Commits what waits. When it has ended(), or patience has, finish() ends the threads; nothing is posted after it.
  void begin_stop();
  [[nodiscard]] bool ended() const;
  void finish();

  void deliver(const EncodedRef& event, Now now) override;
  void lost(DropReason reason, EventType type, std::uint64_t count, Now now) override;
  void failed() noexcept override;

  [[nodiscard]] bool readable() const override;
  [[nodiscard]] bool knows_epoch(std::string_view epoch) const override;
  [[nodiscard]] bool storing() const override;
  bool read(PastRequest request, std::weak_ptr<void> alive, std::function<void(PastPortion&&)> done) override;
  void when_stored(std::uint64_t beyond, std::weak_ptr<void> alive, std::function<void()> done) override;

 private:
  static constexpr std::size_t kReaders = 2;
  static constexpr std::size_t kMostHoles = 64;  // that wait to be stored; then they are put together
  struct Read {
    PastRequest request;
    std::weak_ptr<void> alive;
    std::function<void(PastPortion&&)> done;
  };
  struct Waiter {
    std::weak_ptr<void> alive;
    std::function<void()> done;
  };
  // What the writer has taken out of the queue and not committed yet.
  struct Batch {
    std::vector<StoredRow> rows;
    std::vector<Hole> holes;
    std::uint64_t through = 0;
    std::size_t bytes = 0;
    [[nodiscard]] bool empty() const noexcept { return rows.empty() && holes.empty(); }
  };

  void subscribe(const JournalOptions& options);
  [[nodiscard]] std::string path_of(const JournalOptions& options) const;
  void note_hole(std::uint64_t offset, std::uint64_t count) noexcept;  // under the mutex
  void wake_waiters();                                                 // loop thread

  void write();  // the writer's thread
  void write_turn();
  void wait_for_work();
  void take_batch();
  void open_store();
  void close_store();
  void store_batch();
  void trouble(const std::exception& fault);
  void set_aside(const std::string& why);
  void tell_state(JournalReport::State state, const std::string& reason);
  void publish();
  void end_in_order();

  void read_requests();  // a reader's thread
  [[nodiscard]] bool answer(Read& read, PastPortion& portion) noexcept;

  Hub& hub_;
  const std::string state_dir_;
  const Log log_;
  const Post post_;
  std::vector<Waiter> waiters_;  // the loop's

  mutable std::mutex mutex_;  // guards what follows, up to the writer's own
  std::condition_variable news_, reads_news_;
  std::deque<StoredRow> queue_;
  std::size_t queued_bytes_ = 0;  // with those of the batch under way
  std::size_t under_way_ = 0;     // events of it
  std::vector<Hole> holes_;
  std::uint64_t told_ = 0;  // the last offset that came
  JournalOptions options_;
  bool changed_ = true;      // options_ has, and the writer has not seen it
  bool waited_for_ = false;  // waiters_ want to know
  bool damaged_ = false;     // a reader has found the file so
  bool stopping_ = false, ended_ = false, finished_ = false;
  JournalReport report_;
  std::uint64_t generation_ = 0;  // of the file that is open, or was last
  std::unordered_set<std::string> epochs_;
  std::deque<Read> reads_;

  // The writer's own.
  std::unique_ptr<Store> store_;
  JournalOptions in_force_;
  Batch batch_;
  bool more_to_remove_ = false;
  bool refused_ = false;           // the file is not ours
  std::int64_t retry_at_us_ = 0;   // monotonic; 0: at once
  std::int64_t looked_at_us_ = 0;  // monotonic: once a second
  std::int64_t set_aside_us_ = 0;  // 0: never
  bool said_ = false;              // that it fails, since it last did not

  std::thread writer_;
  std::array<std::thread, kReaders> readers_;
};

}  // namespace bindcast
