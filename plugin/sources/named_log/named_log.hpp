// named's own log: a file of one of its channels is followed, and what its lines say becomes events, and the actors of
// record events.
//
// The kernel wakes it when the file grows or another takes its place; once a second it looks by itself. It reads a
// bounded piece in a turn of the loop. What is too much to be read is skipped, counted, and told as a gap.
// Loop thread only.
#pragma once

#include <uv.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "events/type.hpp"
#include "plugin/sources/named_log/log_events.hpp"
#include "plugin/sources/named_log/log_follower.hpp"
#include "plugin/sources/named_log/update_actors.hpp"
#include "plugin/sources/source.hpp"
#include "plugin/sources/sources.hpp"

namespace bindcast {

class NamedLog : public Source {
 public:
  // Events in one second; a stranger can make named write a line for each packet. What is more is told as a gap.
  static constexpr std::uint32_t kMaxEventsInSecond = 500;

  explicit NamedLog(const SourceTools& tools);
  ~NamedLog() override;
  void configure(const Options& options, Now now) override;
  void host_configuration(const Statements& statements, Now now) override;
  void tick(Now now) override;
  void end() override;

 private:
  void retarget(Now now);
  void start(const std::string& path, Now now);
  void stop(Now now);
  void make_handles();
  void watch_file();
  void wait_for_more(bool more_is_there);
  void paused();
  void woken();
  bool turn(Now now);  // true: there is more to read
  bool work(Now now);
  void read_for_actors();
  void take(std::string_view line);
  void hold(Event&& event);
  void emit_waiting(Now now);
  void tell_losses(Now now);
  void report_health(Now now);
  void write_metrics(MetricsText& text) const;

  SourceTools tools_;
  UpdateActors& actors_;  // the hub's
  std::string option_file_, host_file_;

  std::unique_ptr<LogFollower> follower_;  // null: there is nothing to follow
  LogEvents events_;
  std::vector<Event> waiting_;  // to be emitted
  Now now_;                     // for the lines that are being read

  uv_timer_t timer_{};
  uv_poll_t poll_{};
  int inotify_ = -1, folder_watch_ = -1, file_watch_ = -1;
  bool has_handles_ = false, ended_ = false;

  std::int64_t next_look_us_ = 0, wait_us_ = 0;  // by ourselves; longer and longer while there is no file
  std::int64_t missing_since_us_ = 0;
  std::uint32_t events_in_second_ = 0;
  std::array<std::uint64_t, kEventTypeCount> lost_{};  // events beyond the bound, until they are told
  std::uint64_t lost_events_ = 0;                      // of them all
  std::uint64_t lost_lines_ = 0;                       // that ended by an exception
  std::uint64_t skipped_told_ = 0, skipped_lately_ = 0;
  std::int64_t skipped_us_ = 0;
};

}  // namespace bindcast
