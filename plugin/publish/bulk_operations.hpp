// Work that takes long, as its publisher tells it: started, progress, completed or failed, under one correlation id.
// The families are bulk_operation, import, export, backup and restore; the last two have no progress of their own.
//
// Here progress that comes faster than it may is held back (the newest wins, and comes before the end at the latest),
// rate and time to go are computed, and what falls silent is reported as failed. An operation belongs to its publisher:
// nobody else can end it. Progress of one that is not known is adopted, because named may have been restarted
// meanwhile.
//
// The clock is a parameter; where events go is one, too. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "config/options.hpp"
#include "events/event.hpp"
#include "plugin/clock.hpp"
#include "plugin/publish/refusal.hpp"

namespace bindcast {

class BulkOperations {
 public:
  static constexpr std::size_t kMaxOperations = 1000;
  static constexpr std::size_t kMaxEnded = 1000;  // that are remembered, so that their stragglers are refused

  // Tells an event to everybody; returns its offset, 0 when it was refused or failed.
  using Emit = std::function<std::uint64_t(Event&&, Now)>;

  BulkOperations(const PublishOptions& options, Emit emit) : options_(options), emit_(std::move(emit)) {}
  void configure(const PublishOptions& options) { options_ = options; }

  // Is it an event of a bulk operation?
  [[nodiscard]] static bool concerns(EventType type) noexcept;

  struct Outcome {
    std::optional<Refusal> refusal;
    bool held_back = false;    // progress that is told later, or is overtaken by newer
    std::uint64_t offset = 0;  // else; 0: it was not let through
    std::string correlation_id;
  };
  // An event that concerns(), of `event.source_user_id`. One that starts without a correlation id gets one.
  Outcome publish(Event&& event, Now now);
  // Any other event of that publisher under that correlation id: a sign of life.
  void heard(std::string_view publisher, std::string_view correlation_id, Now now);

  // When the next progress held back is due, monotonic; 0: there is none.
  [[nodiscard]] std::int64_t due_us() const noexcept { return due_us_; }
  // Tells progress that is due, and the silence of those of which nothing was heard.
  void run(Now now);
  // The server stops: what was held back is told, and that nobody watches over the rest any more.
  void stop(Now now);

  [[nodiscard]] std::size_t open() const noexcept { return operations_.size(); }
  [[nodiscard]] std::uint64_t held_back() const noexcept { return held_back_; }
  [[nodiscard]] std::uint64_t overtaken() const noexcept { return overtaken_; }
  [[nodiscard]] std::uint64_t given_up() const noexcept { return given_up_; }

 private:
  // How far it is, and how fast: the mean of the last seconds, later ones weighing more.
  struct Pace {
    std::optional<double> done, total, per_second;
    std::int64_t at_us = 0;  // of `done`
    void note(std::optional<double> now_done, std::optional<double> now_total, Now now);
  };
  struct Operation {
    EventType failed;  // of its family
    std::string publisher, correlation_id;
    std::int64_t started_us = 0, heard_us = 0, silence_us = 0;
    bool adopted = false;
    std::optional<double> done_at_start;
    Pace pace;
    std::int64_t told_us = 0;  // the last progress; 0: none
    std::optional<Event> waiting;
  };
  using Operations = std::map<std::string, Operation, std::less<>>;

  Operation& enter(const std::string& key, const Event& event, Now now);
  Outcome start(const std::string& key, Event&& event, Now now);
  Outcome progress(const std::string& key, Event&& event, Now now);
  Outcome finish(const std::string& key, Event&& event, Now now);
  void tell_waiting(Operation& operation, Now now);
  void fail(Operations::iterator operation, std::string_view reason, Now now);
  void make_room(Now now);
  void remember_end(const std::string& key, Now now);

  PublishOptions options_;
  Emit emit_;
  Operations operations_;                                   // by publisher, correlation id and family
  std::map<std::string, std::int64_t, std::less<>> ended_;  // by the publisher himself, and when
  std::int64_t due_us_ = 0;
  std::int64_t looked_us_ = 0;  // for silence
  std::uint64_t held_back_ = 0, overtaken_ = 0, given_up_ = 0;
};

}  // namespace bindcast
