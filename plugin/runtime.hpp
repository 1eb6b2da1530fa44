// The runtime of one process: the loop thread with its intake, hub and server, and the doors by which host threads
// reach it. It outlives every plugin instance, so a reload keeps sockets, queues and sequence numbers.
//
// Public functions may be called from any thread, unless they say otherwise.
#pragma once

#include <uv.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "config/load.hpp"
#include "events/event.hpp"
#include "plugin/capture/cold_queue.hpp"
#include "plugin/capture/intake.hpp"
#include "plugin/changes/configuration_diff.hpp"
#include "plugin/host_info.hpp"
#include "plugin/hub/hub.hpp"
#include "plugin/run_state.hpp"

namespace bindcast {

class Health;
class Journal;
class Metrics;
class Server;
class Sources;
class Vitals;
struct HostReading;

class Runtime {
 public:
  // Starts the loop thread; throws when there is no memory, thread or loop to be had.
  Runtime(HostInfo host, Configuration configuration);
  // Announces service_stopped, closes clients with 1001, ends the thread: half a second, at most one.
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Holds a configuration ready; apply() puts it in force and announces what differs.
  void prepare(Configuration configuration);
  void apply();
  void discard();
  [[nodiscard]] std::shared_ptr<const Options> options() const;

  [[nodiscard]] Producer* add_producer() { return intake_.add_producer(); }  // not the query path
  [[nodiscard]] const CaptureControl& control() noexcept { return intake_.control(); }

  // See cold_queue.hpp for the waiting; not the query path.
  void emit(std::vector<Event>&& events, ColdQueue::WhenFull when_full = ColdQueue::WhenFull::wait);
  void emit(Event&& event, ColdQueue::WhenFull when_full = ColdQueue::WhenFull::wait);
  // One that could not be made or emitted, to be told as lost.
  void lost(EventType type) noexcept;
  // Remembers the host's configuration; from the second call on announces what differs. Read on the loop.
  void configuration(std::string text, std::string correlation_id);
  // The host's counters. One that the loop has not looked at yet gives way to the next.
  void counted(HostReading&& reading);

  [[nodiscard]] const HostInfo& host() const noexcept { return host_; }

 private:
  void run();  // the loop thread
  void begin();
  void post(std::function<void()>);  // runs on the loop thread, in order; what fails is tried again
  void take_posts();
  void take_reading();
  bool take_cold_events();  // true: there are more
  void before_wait();
  void tick();
  void watch(Now now);
  void tell_status(Now now);
  void announce_start(const RunState::Before& before);
  void stop_loop();
  [[nodiscard]] std::shared_ptr<const Configuration> current_configuration() const;
  void put_in_force(const Options& options);
  void compare_configuration(std::string_view text, std::string correlation_id);

  HostInfo host_;
  uv_loop_t loop_{};
  uv_async_t posted_{};
  uv_timer_t second_{};
  uv_prepare_t before_wait_{};
  uv_timer_t stop_poll_{};
  std::int64_t stop_bound_us_ = 0;
  bool abandoned_ = false;                               // the loop did not come to its end
  std::int64_t turn_began_us_ = 0, idle_before_us_ = 0;  // of the loop's present turn
  Hub hub_;
  Intake intake_;
  ColdQueue cold_;
  RunState run_state_;
  // These are made and destroyed on the loop thread.
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Health> health_;
  std::unique_ptr<Vitals> vitals_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Sources> sources_;

  mutable std::mutex mutex_;  // guards the four below
  std::shared_ptr<const Configuration> configuration_;
  std::optional<Configuration> prepared_;
  std::deque<std::function<void()>> posts_;
  std::unique_ptr<HostReading> reading_;

  std::optional<Statements> host_statements_;  // the loop's
  std::int64_t status_told_us_ = 0;            // as well, all below
  std::uint64_t faults_said_ = 0;
  std::int64_t faults_said_us_ = 0;
  std::atomic<bool> stop_{false};

  std::thread thread_;
};

}  // namespace bindcast
