#include "plugin/journal/past_reader.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "events/timestamp.hpp"
#include "plugin/clock.hpp"
#include "plugin/journal/store.hpp"
#include "plugin/journal/stored_event.hpp"

namespace bindcast {

namespace {

constexpr int kBusyMs = 200;
constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
constexpr std::string_view kTargetKey = "\"target_user_id\":";
constexpr const char* kTableNames[] = {"events", "queries"};
enum Column : int { kPosition, kTime, kKind, kPriority, kSeverity, kText };

std::uint64_t began_at(std::string_view epoch) {
  std::uint64_t at = 0;
  std::from_chars(epoch.data(), epoch.data() + epoch.size(), at, 16);
  return at;
}

std::uint64_t at_least(std::int64_t count, std::uint64_t least) {
  return std::max<std::uint64_t>(count > 0 ? static_cast<std::uint64_t>(count) : 0, least);
}

// Where there is one, it is the last member (events/json.hpp).
bool expired(std::string_view json, std::int64_t now_us) {
  constexpr std::string_view kKey = "\"expires_at\":\"";
  constexpr std::size_t kMember = kKey.size() + kTimestampBytes + 2;  // with the quote and the brace behind it
  if (json.size() < kMember || json.substr(json.size() - kMember, kKey.size()) != kKey) return false;
  const auto at = timestamp_from(json.substr(json.size() - kMember + kKey.size(), kTimestampBytes));
  return at && *at <= now_us;
}

class Look : public PastLook {
 public:
  explicit Look(std::string_view json) : json_(json) {}
  [[nodiscard]] const Event* event() const override {
    if (!std::exchange(tried_, true)) made_ = event_from_json(json_, offset);
    return made_.get();
  }
  [[nodiscard]] EventRef made() const { return made_; }

 private:
  std::string_view json_;
  mutable bool tried_ = false;
  mutable EventRef made_;
};

}  // namespace

PastReader::PastReader(const std::string& path, std::uint64_t generation, StreamIdentity stream)
    : generation_(generation), stream_(std::move(stream)), database_(path, true, kBusyMs) {}

PastReader::~PastReader() = default;

// ── What there is ────────────────────────────────────────────────────────────────────────────────────────────────────

void PastReader::load_epochs() {
  epochs_.clear();
  Statement rows(database_,
                 "SELECT number, base, epoch, host, ended_us, through, forgotten, removed, queries_forgotten, "
                 "queries_removed FROM epochs ORDER BY number");
  while (rows.step())
    epochs_.push_back(
        {.number = rows.integer(0),
         .base = rows.integer(1),
         .stream = std::make_shared<const StreamIdentity>(StreamIdentity{
             .epoch = std::string(rows.text(2)), .host = std::string(rows.text(3)), .service = stream_.service}),
         .ended = !rows.is_null(4),
         .through = rows.integer(5),
         .forgotten = rows.integer(6),
         .removed = rows.integer(7),
         .queries_forgotten = rows.integer(8),
         .queries_removed = rows.integer(9)});
}

void PastReader::load_kinds() {
  kinds_.clear();
  Statement rows(database_, "SELECT kind, type FROM kinds");
  while (rows.step())
    if (const auto type = type_from(rows.text(1))) kinds_.push_back({.kind = rows.integer(0), .type = *type});
}

const PastReader::Epoch* PastReader::epoch_at(std::int64_t position) const {
  const auto after = std::ranges::upper_bound(epochs_, position - 1, {}, &Epoch::base);
  return after == epochs_.begin() ? nullptr : &*std::prev(after);
}

const PastReader::Epoch* PastReader::epoch_named(std::string_view name) const {
  const auto found = std::ranges::find(epochs_, name, [](const Epoch& e) { return std::string_view(e.stream->epoch); });
  return found == epochs_.end() ? nullptr : &*found;
}

// Of an epoch that is not here: where the first one after it begins.
std::int64_t PastReader::position_of(const StreamPlace& place) const {
  const auto named = std::ranges::find(epochs_, place.epoch, [](const Epoch& e) { return e.stream->epoch; });
  if (named == epochs_.end()) {
    const auto next = std::ranges::find_if(
        epochs_, [&](const Epoch& e) { return began_at(e.stream->epoch) > began_at(place.epoch); });
    return next == epochs_.end() ? kLast : next->base - 1;
  }
  const std::int64_t most = std::next(named) == epochs_.end() ? kLast : std::next(named)->base - 1;
  const auto offset = static_cast<std::int64_t>(std::min<std::uint64_t>(place.offset, kLast / 2));
  return std::min(named->base + offset, most);
}

StreamPlace PastReader::place_of(std::int64_t position) const {
  const Epoch* epoch = epoch_at(position);
  if (epoch == nullptr) return {};
  return {.epoch = epoch->stream->epoch, .offset = static_cast<std::uint64_t>(position - epoch->base)};
}

std::vector<PastReader::Source> PastReader::sources_of(const std::bitset<kEventTypeCount>& types) const {
  std::vector<Source> sources;
  for (std::size_t table = 0; table < std::size(kTableNames); ++table) {
    Source source{.table = table, .kinds = {}};
    bool all = true;
    for (const Kind& kind : kinds_) {
      if (is_about_queries(kind.type) != (table == 1)) continue;
      if (types.test(static_cast<std::size_t>(kind.type)))
        source.kinds.push_back(kind.kind);
      else
        all = false;
    }
    if (source.kinds.empty()) continue;
    if (all) source.kinds.clear();
    sources.push_back(std::move(source));
  }
  return sources;
}

Statement& PastReader::statement(std::size_t table, bool by_kind, bool newest_first) {
  const std::size_t shape = table * 4 + (by_kind ? 2 : 0) + (newest_first ? 1 : 0);
  auto& made = statements_[shape];
  if (in_use_[shape] == made.size()) {
    const std::string sql = std::string("SELECT position, time_us, kind, priority, severity, event FROM ") +
                            kTableNames[table] + " WHERE position > ?1 AND position <= ?2" +
                            (by_kind ? " AND kind = ?3" : "") + " ORDER BY position" + (newest_first ? " DESC" : "");
    made.push_back(std::make_unique<Statement>(database_, sql));
  }
  return *made[in_use_[shape]++];
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────

PastPortion PastReader::read(const PastRequest& request) {
  const bool newest_first = request.order == PastRequest::Order::newest_first;
  PastPortion portion;
  portion.generation = generation_;
  examined_ = bytes_ = 0;
  began_us_ = read_clock().mono_us;
  Transaction transaction(database_, Transaction::Kind::reading);
  load_epochs();
  load_kinds();
  if (epochs_.empty()) {
    portion.end = true;
    return portion;
  }
  Range range{.low = 0, .high = epochs_.back().base + epochs_.back().through};
  if (request.after) range.low = position_of(*request.after);
  if (request.until) range.high = std::min(range.high, position_of(*request.until));
  std::optional<std::int64_t> from = request.position;
  if (!from && request.place) from = position_of(*request.place);
  if (from && newest_first) range.high = std::min(range.high, *from - 1);
  if (from && !newest_first) range.low = std::max(range.low, *from);

  bool whole = true;
  const auto sources = sources_of(request.types);
  if (!sources.empty() && range.low < range.high) {
    if (request.since_us == 0 && request.until_us == 0) {
      whole = scan(request, sources, range, portion);
    } else {
      Statement blocks(database_, std::string("SELECT first, last FROM blocks WHERE last > ?1 AND first <= ?2 AND "
                                              "newest_us >= ?3 AND oldest_us < ?4 ORDER BY first") +
                                      (newest_first ? " DESC" : ""));
      blocks.bind(1, range.low)
          .bind(2, range.high)
          .bind(3, request.since_us)
          .bind(4, request.until_us == 0 ? kLast : request.until_us);
      while (whole && blocks.step())
        whole =
            scan(request, sources,
                 {.low = std::max(range.low, blocks.integer(0) - 1), .high = std::min(range.high, blocks.integer(1))},
                 portion);
    }
  }
  if (whole) {
    portion.position = newest_first ? range.low : std::max(range.low, range.high);
    portion.end = true;
  }
  portion.last = place_of(portion.position);
  if (portion.last.epoch == stream_.epoch) portion.through_offset = portion.last.offset;
  if (request.tell_losses) tell_losses(request, range.low, portion);
  transaction.commit();
  return portion;
}

// Merges the sources by position. False: not all was read.
bool PastReader::scan(const PastRequest& request, const std::vector<Source>& sources, Range range,
                      PastPortion& portion) {
  const bool newest_first = request.order == PastRequest::Order::newest_first;
  in_use_.fill(0);
  cursors_.clear();
  const auto begin = [&](Statement& rows) {
    rows.bind(1, range.low).bind(2, range.high);
    if (rows.step()) cursors_.push_back({.statement = &rows, .position = rows.integer(kPosition)});
  };
  for (const Source& source : sources) {
    if (source.kinds.empty()) begin(statement(source.table, false, newest_first));
    for (const std::int64_t kind : source.kinds) begin(statement(source.table, true, newest_first).bind(3, kind));
  }
  const auto later = [newest_first](const Cursor& a, const Cursor& b) {
    return newest_first ? a.position < b.position : a.position > b.position;
  };
  std::ranges::make_heap(cursors_, later);
  bool whole = true;
  while (!cursors_.empty()) {
    if (portion.events.size() >= request.most_events || bytes_ >= request.most_bytes || examined_ >= kMostExamined ||
        (examined_ % 64 == 63 && read_clock().mono_us - began_us_ > kMostUs)) {
      whole = false;
      break;
    }
    std::ranges::pop_heap(cursors_, later);
    Cursor& next = cursors_.back();
    ++examined_;
    portion.position = next.position;
    take(request, *next.statement, next.position, portion);
    if (next.statement->step()) {
      next.position = next.statement->integer(kPosition);
      std::ranges::push_heap(cursors_, later);
    } else {
      cursors_.pop_back();
    }
  }
  for (auto& made : statements_)
    for (auto& statement : made) statement->reset();
  return whole;
}

void PastReader::take(const PastRequest& request, Statement& row, std::int64_t position, PastPortion& portion) {
  const std::int64_t time_us = row.integer(kTime);
  if (time_us < request.since_us || (request.until_us != 0 && time_us >= request.until_us)) return;
  const auto kind = std::ranges::find(kinds_, row.integer(kKind), &Kind::kind);
  const Epoch* epoch = epoch_at(position);
  if (kind == kinds_.end() || epoch == nullptr) return;
  const std::string_view json = row.text(kText);
  if (request.not_expired_us != 0 && expired(json, request.not_expired_us)) return;
  Look look(json);
  look.type = kind->type;
  look.priority = static_cast<Priority>(std::clamp<std::int64_t>(row.integer(kPriority), 0, kPriorityCount - 1));
  look.severity = static_cast<Severity>(std::clamp<std::int64_t>(row.integer(kSeverity), 0, kSeverityCount - 1));
  look.offset = static_cast<std::uint64_t>(position - epoch->base);
  look.of_this_epoch = is_running(*epoch);
  look.stream = epoch->stream.get();
  const bool clear = request.sight->clear_types().test(static_cast<std::size_t>(kind->type));
  if (!request.wish->has(look, clear)) return;
  const bool with_event = request.events || !clear || json.find(kTargetKey) != std::string_view::npos;
  if (with_event && look.event() == nullptr) return;
  bytes_ += json.size();
  portion.events.push_back({.position = position,
                            .offset = look.offset,
                            .of_this_epoch = look.of_this_epoch,
                            .type = look.type,
                            .priority = look.priority,
                            .stream = epoch->stream,
                            .json = std::string(json),
                            .event = with_event ? look.made() : nullptr});
}

// What stood in between `from` and the portion's position, and is not there.
void PastReader::tell_losses(const PastRequest& request, std::int64_t from, PastPortion& portion) {
  const std::int64_t to = portion.position;
  const auto lose = [&](DropReason reason, std::uint64_t count) {
    if (count == 0) return;
    const auto told = std::ranges::find(portion.losses, reason, &PastLoss::reason);
    if (told == portion.losses.end())
      portion.losses.push_back({.reason = reason, .count = count});
    else
      told->count += count;
  };
  bool durable = false, queries = false;
  for (std::size_t i = 0; i < kEventTypeCount; ++i)
    if (request.types.test(i)) (is_about_queries(static_cast<EventType>(i)) ? queries : durable) = true;

  // Up to where a life is known to have told something, which the client may have seen itself.
  const auto unknown_after = [&](std::string_view epoch, std::int64_t known, bool ended) -> std::uint64_t {
    const Predecessor& before = request.predecessor;
    if (epoch != before.epoch) return ended ? 0 : 1;
    return at_least(static_cast<std::int64_t>(before.offset) - known, before.ended ? 0 : 1);
  };
  const auto seen_in = [&](std::string_view epoch) {
    return request.place && request.place->epoch == epoch ? static_cast<std::int64_t>(request.place->offset) : 0;
  };
  const std::string& before = request.predecessor.epoch;
  const bool begins_unknown = request.place && epoch_named(request.place->epoch) == nullptr;
  if (begins_unknown)
    lose(DropReason::restart, unknown_after(request.place->epoch, seen_in(request.place->epoch), false));

  for (std::size_t i = 0; i < epochs_.size(); ++i) {
    const Epoch& epoch = epochs_[i];
    const auto gone = [&](std::int64_t forgotten, std::int64_t removed) {
      if (epoch.base + forgotten > from && epoch.base < to)
        lose(DropReason::retention,
             at_least(std::min(forgotten - std::max<std::int64_t>(0, from - epoch.base), removed), 1));
    };
    if (durable && epoch.forgotten > 0) gone(epoch.forgotten, epoch.removed);
    if (queries && epoch.queries_forgotten > 0) gone(epoch.queries_forgotten, epoch.queries_removed);
    // Over the seam to the next life: what this one told and did not store.
    if (i == 0 || from >= epoch.base || to < epoch.base) continue;
    const Epoch& last = epochs_[i - 1];
    if (!last.ended)
      lose(DropReason::restart,
           unknown_after(last.stream->epoch, std::max(last.through, seen_in(last.stream->epoch)), false));
    const bool skipped = is_running(epoch) && !before.empty() && epoch_named(before) == nullptr &&
                         !(begins_unknown && request.place->epoch == before);
    if (skipped) lose(DropReason::restart, unknown_after(before, 0, false));
  }
  // A hole counts where it begins; the first portion may begin inside of one.
  Statement holes(database_, "SELECT sum(count) FROM holes WHERE first <= ?2 AND (first > ?1 OR (?3 AND last > ?1))");
  holes.bind(1, from).bind(2, to).bind(3, request.place ? 1 : 0);
  if (holes.step()) lose(DropReason::retention, at_least(holes.integer(0), 0));
}

}  // namespace bindcast
