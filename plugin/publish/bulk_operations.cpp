#include "plugin/publish/bulk_operations.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "plugin/correlation_id.hpp"

namespace bindcast {

namespace {

using enum EventType;

enum class Step : std::uint8_t { started, progress, ended };
struct Row {
  EventType type;
  Step step;
  EventType failed;  // of the same family
};
constexpr std::array kRows{
    Row{bulk_operation_started, Step::started, bulk_operation_failed},
    Row{bulk_operation_progress, Step::progress, bulk_operation_failed},
    Row{bulk_operation_completed, Step::ended, bulk_operation_failed},
    Row{bulk_operation_failed, Step::ended, bulk_operation_failed},
    Row{import_started, Step::started, import_failed},
    Row{import_progress, Step::progress, import_failed},
    Row{import_completed, Step::ended, import_failed},
    Row{import_failed, Step::ended, import_failed},
    Row{export_started, Step::started, export_failed},
    Row{export_progress, Step::progress, export_failed},
    Row{export_completed, Step::ended, export_failed},
    Row{export_failed, Step::ended, export_failed},
    Row{backup_started, Step::started, backup_failed},
    Row{backup_completed, Step::ended, backup_failed},
    Row{backup_failed, Step::ended, backup_failed},
    Row{restore_started, Step::started, restore_failed},
    Row{restore_completed, Step::ended, restore_failed},
    Row{restore_failed, Step::ended, restore_failed},
};

constexpr double kPaceSeconds = 10;  // the time over which the rate is a mean
constexpr std::int64_t kMaxSilenceSeconds = 7 * 24 * 3600;
constexpr std::int64_t kLookEveryUs = 500'000;
constexpr std::int64_t kEndedUs = 3'600'000'000;  // how long stragglers are known as such

const Row* row_of(EventType type) noexcept {
  const auto found = std::ranges::find(kRows, type, &Row::type);
  return found == kRows.end() ? nullptr : &*found;
}

std::string key_of(std::string_view publisher, std::string_view correlation_id) {
  std::string key(publisher);
  key += '\0';
  key += correlation_id;
  key += '\0';
  return key;
}

// A number of things; nothing: it is not there. `fault` is set when it is there and is none.
std::optional<double> count_in(const Fields& data, std::string_view name, std::string& fault) {
  const Fields::Value value = data.find(name);
  if (!value) return std::nullopt;
  const bool number = value.kind() == Fields::Kind::integer || value.kind() == Fields::Kind::real;
  if (number && value.real() >= 0) return value.real();
  fault = std::string(name);
  return std::nullopt;
}

// Where the publisher says it himself, his word stays.
void add_number(Fields& data, std::string_view name, double value) {
  if (data.find(name) || !std::isfinite(value)) return;
  const double rounded = std::round(value * 1000) / 1000;
  if (rounded == std::floor(rounded) && rounded < 1e15)
    data.add_integer(name, static_cast<std::int64_t>(rounded));
  else
    data.add_real(name, rounded);
}

void add_share(Fields& data, std::optional<double> done, std::optional<double> total) {
  if (done && total && *total > 0) add_number(data, "percent", std::min(100.0, *done / *total * 100));
}

double seconds(std::int64_t us) {
  return static_cast<double>(us) / 1e6;
}

BulkOperations::Outcome refused(RefusedBecause because, std::string message, std::string field) {
  BulkOperations::Outcome outcome;
  outcome.refusal =
      Refusal{.because = because, .message = std::move(message), .field = std::move(field), .retry_after_us = 0};
  return outcome;
}

}  // namespace

bool BulkOperations::concerns(EventType type) noexcept {
  return row_of(type) != nullptr;
}

void BulkOperations::Pace::note(std::optional<double> now_done, std::optional<double> now_total, Now now) {
  if (now_total) total = now_total;
  if (!now_done) return;
  const double passed = seconds(now.mono_us - at_us);
  if (done && *now_done >= *done) {
    if (passed <= 0) return;  // counted with what comes after it
    const double rate = (*now_done - *done) / passed;
    const double weight = 1 - std::exp(-passed / kPaceSeconds);
    per_second = per_second ? *per_second + weight * (rate - *per_second) : rate;
  } else {
    per_second.reset();  // the first, or it began anew
  }
  done = now_done;
  at_us = now.mono_us;
}

BulkOperations::Outcome BulkOperations::publish(Event&& event, Now now) {
  const Row& row = *row_of(event.type);
  std::string fault;
  for (const std::string_view name : {"done", "total"}) (void)count_in(event.data, name, fault);
  if (!fault.empty())
    return refused(RefusedBecause::invalid, "data." + fault + ": must be a number, not below 0", "data." + fault);
  if (event.correlation_id.empty()) {
    if (row.step != Step::started)
      return refused(RefusedBecause::invalid,
                     "metadata.correlation_id: is missing; it is the one under which the operation started",
                     "metadata.correlation_id");
    event.correlation_id = new_correlation_id();
  }
  std::string correlation_id = event.correlation_id;
  const std::string key = key_of(event.source_user_id, correlation_id) + std::string(to_text(row.failed));
  Outcome outcome = row.step == Step::started    ? start(key, std::move(event), now)
                    : row.step == Step::progress ? progress(key, std::move(event), now)
                                                 : finish(key, std::move(event), now);
  outcome.correlation_id = std::move(correlation_id);
  return outcome;
}

void BulkOperations::heard(std::string_view publisher, std::string_view correlation_id, Now now) {
  const std::string prefix = key_of(publisher, correlation_id);
  for (auto at = operations_.lower_bound(prefix); at != operations_.end() && at->first.starts_with(prefix); ++at)
    at->second.heard_us = now.mono_us;
}

BulkOperations::Operation& BulkOperations::enter(const std::string& key, const Event& event, Now now) {
  make_room(now);
  Operation& operation = operations_[key];
  operation.failed = row_of(event.type)->failed;
  operation.publisher = event.source_user_id;
  operation.correlation_id = event.correlation_id;
  operation.started_us = operation.heard_us = now.mono_us;
  operation.silence_us = options_.bulk_silence.count();
  std::string ignored;
  operation.done_at_start = count_in(event.data, "done", ignored);
  ended_.erase(key);
  return operation;
}

BulkOperations::Outcome BulkOperations::start(const std::string& key, Event&& event, Now now) {
  if (operations_.contains(key))
    return refused(RefusedBecause::conflict,
                   "metadata.correlation_id: an operation of this kind is under way under it already",
                   "metadata.correlation_id");
  const Fields::Value silence = event.data.find("silence_seconds");
  const std::int64_t silence_seconds = silence.integer();
  if (silence && (silence_seconds < 1 || silence_seconds > kMaxSilenceSeconds))
    return refused(RefusedBecause::invalid,
                   "data.silence_seconds: must be a number from 1 to " + std::to_string(kMaxSilenceSeconds),
                   "data.silence_seconds");
  std::string ignored;
  const auto done = count_in(event.data, "done", ignored), total = count_in(event.data, "total", ignored);
  Operation& operation = enter(key, event, now);
  operation.pace.note(done.value_or(0), total, now);
  if (!operation.done_at_start) operation.done_at_start = 0;
  if (silence) operation.silence_us = silence_seconds * 1'000'000;
  Outcome outcome;
  outcome.offset = emit_(std::move(event), now);
  if (outcome.offset == 0) operations_.erase(key);  // nobody knows that it began, so nobody hears of its silence
  return outcome;
}

BulkOperations::Outcome BulkOperations::progress(const std::string& key, Event&& event, Now now) {
  if (ended_.contains(key))
    return refused(RefusedBecause::conflict, "metadata.correlation_id: the operation has ended",
                   "metadata.correlation_id");
  std::string ignored;
  const auto done = count_in(event.data, "done", ignored), total = count_in(event.data, "total", ignored);
  auto found = operations_.find(key);
  if (found == operations_.end()) {
    enter(key, event, now).adopted = true;
    found = operations_.find(key);
  }
  Operation& operation = found->second;
  operation.heard_us = now.mono_us;
  operation.pace.note(done, total, now);
  const Pace& pace = operation.pace;
  add_share(event.data, pace.done, pace.total);
  if (pace.per_second) {
    add_number(event.data, "rate_per_second", *pace.per_second);
    if (pace.done && pace.total && *pace.total > 0 && *pace.per_second > 0)
      add_number(event.data, "eta_seconds", std::max(0.0, *pace.total - *pace.done) / *pace.per_second);
  }
  if (operation.adopted && !event.data.find("adopted")) event.data.add_boolean("adopted", true);

  Outcome outcome;
  const std::int64_t due = operation.told_us + 1'000'000 / options_.progress_per_second;
  if (operation.told_us == 0 || now.mono_us >= due) {
    if (operation.waiting) ++overtaken_;
    operation.waiting.reset();
    operation.told_us = now.mono_us;
    outcome.offset = emit_(std::move(event), now);
    return outcome;
  }
  if (operation.waiting) ++overtaken_;
  ++held_back_;
  operation.waiting = std::move(event);
  due_us_ = due_us_ == 0 ? due : std::min(due_us_, due);
  outcome.held_back = true;
  return outcome;
}

BulkOperations::Outcome BulkOperations::finish(const std::string& key, Event&& event, Now now) {
  if (ended_.contains(key))
    return refused(RefusedBecause::conflict, "metadata.correlation_id: the operation has ended already",
                   "metadata.correlation_id");
  const auto found = operations_.find(key);
  if (found != operations_.end()) {
    Operation& operation = found->second;
    tell_waiting(operation, now);
    std::string ignored;
    const auto said_done = count_in(event.data, "done", ignored), said_total = count_in(event.data, "total", ignored);
    const auto done = said_done ? said_done : operation.pace.done,
               total = said_total ? said_total : operation.pace.total;
    const double took = seconds(now.mono_us - operation.started_us);
    add_number(event.data, "duration_seconds", took);
    if (done && operation.done_at_start && *done > *operation.done_at_start && took > 0)
      add_number(event.data, "rate_per_second", (*done - *operation.done_at_start) / took);
    add_share(event.data, done, total);
  }
  Outcome outcome;
  outcome.offset = emit_(std::move(event), now);
  if (outcome.offset == 0) return outcome;  // it can be said again
  if (found != operations_.end()) operations_.erase(found);
  remember_end(key, now);
  return outcome;
}

void BulkOperations::remember_end(const std::string& key, Now now) {
  ended_[key] = now.mono_us;
  if (ended_.size() <= kMaxEnded) return;
  ended_.erase(std::ranges::min_element(ended_, {}, [](const auto& one) { return one.second; }));
}

void BulkOperations::tell_waiting(Operation& operation, Now now) {
  if (!operation.waiting) return;
  Event event = std::move(*operation.waiting);
  operation.waiting.reset();
  operation.told_us = now.mono_us;
  emit_(std::move(event), now);
}

void BulkOperations::run(Now now) {
  if (due_us_ != 0 && now.mono_us >= due_us_) {
    const std::int64_t interval = 1'000'000 / options_.progress_per_second;
    due_us_ = 0;
    for (auto& [key, operation] : operations_) {
      if (!operation.waiting) continue;
      const std::int64_t due = operation.told_us + interval;
      if (now.mono_us >= due)
        tell_waiting(operation, now);
      else
        due_us_ = due_us_ == 0 ? due : std::min(due_us_, due);
    }
  }
  if (now.mono_us - looked_us_ < kLookEveryUs) return;
  looked_us_ = now.mono_us;
  for (auto at = operations_.begin(); at != operations_.end();) {
    const auto next = std::next(at);
    if (now.mono_us - at->second.heard_us >= at->second.silence_us) fail(at, "silent", now);
    at = next;
  }
  std::erase_if(ended_, [&](const auto& one) { return now.mono_us - one.second > kEndedUs; });
}

// When there are too many, of the publisher who has most of them the one that has been silent longest.
void BulkOperations::make_room(Now now) {
  if (operations_.size() < kMaxOperations) return;
  std::map<std::string_view, std::size_t> of_publisher;
  for (const auto& [key, operation] : operations_) ++of_publisher[operation.publisher];
  const std::string most(std::ranges::max_element(of_publisher, {}, [](const auto& one) { return one.second; })->first);
  auto silent = operations_.end();
  for (auto at = operations_.begin(); at != operations_.end(); ++at)
    if (at->second.publisher == most && (silent == operations_.end() || at->second.heard_us < silent->second.heard_us))
      silent = at;
  fail(silent, "too_many_operations", now);
}

void BulkOperations::fail(Operations::iterator at, std::string_view reason, Now now) {
  Operation& operation = at->second;
  tell_waiting(operation, now);
  Event event = make_event(operation.failed);
  event.source_service = "publisher";
  event.source_component = "bulk";
  event.source_user_id = operation.publisher;
  event.correlation_id = operation.correlation_id;
  event.data.add("reason", reason);
  add_number(event.data, "silent_seconds", seconds(now.mono_us - operation.heard_us));
  add_number(event.data, "duration_seconds", seconds(now.mono_us - operation.started_us));
  if (operation.pace.done) add_number(event.data, "done", *operation.pace.done);
  if (operation.pace.total) add_number(event.data, "total", *operation.pace.total);
  add_share(event.data, operation.pace.done, operation.pace.total);
  operations_.erase(at);
  ++given_up_;
  emit_(std::move(event), now);
}

void BulkOperations::stop(Now now) {
  while (!operations_.empty()) fail(operations_.begin(), "server_stopped", now);
}

}  // namespace bindcast
