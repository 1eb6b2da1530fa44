// The loop's end of the capture: drains the producers' rings into the hub, priority lanes first, and keeps the host
// told what is wanted. Polls while traffic flows and sleeps when it does not. Loop thread only, except add_producer.
#pragma once

#include <uv.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "config/options.hpp"
#include "plugin/capture/producer.hpp"
#include "plugin/capture/query_event.hpp"
#include "plugin/capture/query_observer.hpp"
#include "plugin/capture/rpz_fold.hpp"
#include "plugin/hub/hub.hpp"

namespace bindcast {

class Intake {
 public:
  static constexpr std::size_t kMaxProducers = 1024;
  static constexpr std::size_t kMostRecordsPerDrain = 512, kFewestRecordsPerDrain = 64;

  explicit Intake(Hub& hub);

  // Any thread, not the query path. nullptr when there are kMaxProducers already.
  Producer* add_producer();
  [[nodiscard]] CaptureControl& control() noexcept { return control_; }

  void attach(uv_loop_t* loop);  // before any producer exists
  void detach();                 // closes the handles; run the loop once more afterwards
  void configure(const Options& options);
  // Borrowed; before any producer exists, and as long as this lives.
  void add_observer(QueryObserver& observer) { observers_.push_back(&observer); }

  enum class Drained : std::uint8_t { nothing, all, more /* a ring had more than a drain takes */ };
  // Takes what is in the rings: at most half of what a client's queue holds, because the sockets are written to between
  // two drains, and a client that keeps up must not lose anything for our own haste.
  Drained drain(Now now);
  // What the host only counted: once a second, because it leaves no record that would wake the loop, and before anybody
  // comes, goes or is told what it missed.
  void collect_counts(Now now);
  // Everything that is left, folded repeats too: at the end.
  void drain_all(Now now);
  // Tells the hosts what the hub's subscribers want now.
  void update_interest();

 private:
  struct Reported {
    std::uint64_t queries = 0, failures = 0, rpz = 0, sampled = 0, passed = 0;
  };
  struct Lane {
    std::unique_ptr<Producer> producer;
    Reported reported;
  };
  void take_query(const Ring::Record& record, Now now);
  void take_rpz(const Ring::Record& record, Now now);
  void take_new_lanes();
  void lose_rpz(std::uint64_t count, Now now) noexcept;
  void report_losses(Lane& lane, Now now);
  [[nodiscard]] bool observed() const noexcept;
  void show_observers(const QueryView& query, Now now);
  [[nodiscard]] bool ignored(const QueryView& query) const;
  void poll();
  void fall_asleep();

  Hub& hub_;
  CaptureControl control_;
  RpzFold fold_;
  std::vector<FeedRule> feeds_;
  std::vector<std::string> ignored_names_;
  QueryEventOptions query_options_;
  Event event_;  // of the query at hand; kept for its buffers
  bool queries_enabled_ = true;
  std::vector<QueryObserver*> observers_;
  std::size_t records_per_drain_ = kMostRecordsPerDrain;
  std::size_t taken_ = 0;  // by the last drain

  std::vector<std::unique_ptr<Lane>> lanes_;  // the loop's
  std::mutex adding_;                         // guards what follows; held for moments only
  std::vector<std::unique_ptr<Lane>> new_lanes_;
  std::size_t producers_ = 0;

  uv_timer_t poll_timer_{};
  uv_idle_t more_{};  // runs while the rings have more than one drain takes
  int idle_polls_ = 0;
};

}  // namespace bindcast
