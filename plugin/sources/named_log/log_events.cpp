#include "plugin/sources/named_log/log_events.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace bindcast {

namespace {

// What this plugin itself has said, into the same log.
constexpr std::string_view kOwn = "bindcast: ";
constexpr std::string_view kDefaultView = "_default";
// A file's fault is told by itself when named has not said within this time which zone it is of.
constexpr std::int64_t kKeepUs = 5'000'000;
constexpr std::int64_t kKeepTransferUs = 4LL * 3600 * 1'000'000;

constexpr std::array<std::string_view, 8> kNumbers{"line",   "records", "messages",    "bytes",
                                                   "serial", "seconds", "serial_from", "key_tag"};

std::string_view clipped(std::string_view text) noexcept {
  return text.substr(0, LogEvents::kMaxText);
}

bool is_number(std::string_view name) noexcept {
  return std::ranges::find(kNumbers, name) != kNumbers.end();
}

template <typename Number>
bool read_number(std::string_view text, Number& number) noexcept {
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  return fault == std::errc() && end == text.data() + text.size();
}

bool numbers_are_numbers(const LogMatch& match) noexcept {
  return std::ranges::all_of(match, [](const LogMatch::Part& part) {
    double number = 0;
    return !is_number(part.name) || read_number(part.text, number);
  });
}

void add_part(Fields& data, std::string_view name, std::string_view text) {
  std::int64_t whole = 0;
  double real = 0;
  if (is_number(name) && read_number(text, whole)) {
    data.add_integer(name, whole);
  } else if (is_number(name) && read_number(text, real)) {
    data.add_real(name, real);
  } else {
    // Of an address with its port only the address.
    if (name == "peer" || name == "server") text = text.substr(0, text.find('#'));
    data.add(name, clipped(text));
  }
}

// "name=text name=text"
void add_constants(Fields& data, std::string_view constants) {
  while (!constants.empty()) {
    const std::string_view one = constants.substr(0, constants.find(' '));
    constants.remove_prefix(std::min(one.size() + 1, constants.size()));
    const std::size_t equals = one.find('=');
    data.add(one.substr(0, equals), one.substr(equals + 1));
  }
}

std::string_view view_of(const LogSubject& subject) noexcept {
  if (!subject.view.empty()) return subject.view;
  return subject.kind == LogSubject::Kind::none ? std::string_view() : kDefaultView;
}

Event event_about(EventType type, const LogSubject& subject, std::string_view zone) {
  Event event = make_event(type);
  event.source_component = "named_log";
  if (!zone.empty()) event.data.add("zone", clipped(zone));
  if (const std::string_view view = view_of(subject); !view.empty()) {
    event.view = clipped(view);
    event.data.add("view", event.view);
  }
  return event;
}

// Who it was, in the members that hide by themselves from whoever may not see it.
void add_client(Fields& data, const LogSubject& subject, std::string_view address_member) {
  data.add(address_member, clipped(subject.address));
  std::int64_t port = 0;
  if (address_member == "client" && read_number(subject.port, port)) data.add_integer("client_port", port);
  if (!subject.key.empty()) data.add("tsig_key", clipped(subject.key));
}

std::string key_of(const LogSubject& subject) {
  std::string key(subject.zone);
  key.push_back('\0');
  key += subject.view;
  key.push_back('\0');
  key += subject.address;
  return key;
}

}  // namespace

void LogEvents::take(std::string_view text, Now now) {
  const LogLine line = read_log_line(text);
  if (line.message.starts_with(kOwn)) return;
  LogSubject subject = read_log_subject(line.message);
  const auto count = [&] {
    const auto* const found = std::ranges::find(kLogCategories, line.category);
    ++matched_[static_cast<std::size_t>(found - kLogCategories.begin())];
  };
  // named marks what it says too early or only would do.
  std::string_view message = subject.message;
  if (line.category.empty() || line.category == "rate-limit") {
    if (message.starts_with('*')) message.remove_prefix(1);
    if (constexpr std::string_view kWould = "would "; message.starts_with(kWould)) message.remove_prefix(kWould.size());
  }
  LogMatch match;
  for (const LogRow& row : log_rows()) {
    if (!line.category.empty() && row.category != line.category) continue;
    if (row.subject != subject.kind || !match.match(row.pattern, message) || !numbers_are_numbers(match)) continue;
    if (row.meaning == LogMeaning::file_error && line.severity != LogSeverity::unknown &&
        line.severity < LogSeverity::warning)
      return;
    count();
    follow(row, match, subject, line.severity, now);
    return;
  }
  if ((line.category.empty() || line.category == "zoneload") && line.severity >= LogSeverity::error &&
      subject.kind == LogSubject::Kind::zone)
    keep(zones_, key_of(subject), now) = {
        .reason = std::string(clipped(subject.message)), .told = true, .at_us = now.mono_us};
  if (line.severity < LogSeverity::warning) return;
  count();
  tell_other(line, subject);
}

void LogEvents::follow(const LogRow& row, const LogMatch& match, const LogSubject& subject, LogSeverity severity,
                       Now now) {
  switch (row.meaning) {
    case LogMeaning::nothing:
      break;
    case LogMeaning::event:
      tell(row, match, subject);
      break;
    case LogMeaning::update:
      update_({.client = subject.address,
               .key = subject.key,
               .view = view_of(subject),
               .zone = match["zone"],
               .name = match["name"],
               .rtype = match["rtype"],
               .rdata = match["rdata"],
               .adds = !match["rdata"].empty()});
      break;
    case LogMeaning::file_error: {
      Kept& kept = keep(files_, std::string(match["file"]), now);
      ++kept.faults;
      if (kept.faults > 1 && severity <= kept.severity) break;  // what follows from the first
      kept.severity = severity;
      kept.reason = clipped(match["reason"]);
      read_number(match["line"], kept.line);
      break;
    }
    case LogMeaning::zone_error:
      keep(zones_, key_of(subject), now) = {.reason = std::string(clipped(subject.message)), .at_us = now.mono_us};
      break;
    case LogMeaning::load_failed:
      tell_load_failed(subject, match["file"], match["reason"]);
      keep(zones_, key_of(subject), now) = {.told = true, .at_us = now.mono_us};
      break;
    case LogMeaning::not_loaded: {
      const auto found = zones_.find(key_of(subject));
      const Kept kept = found == zones_.end() ? Kept{} : std::move(found->second);
      if (found != zones_.end()) zones_.erase(found);
      if (!kept.told || !kept.reason.empty()) tell_load_failed(subject, {}, kept.reason);
      break;
    }
    case LogMeaning::transfer_fault:
      keep(transfers_, key_of(subject), now).reason = clipped(match["reason"]);
      break;
    case LogMeaning::transfer_status: {
      Kept& kept = keep(transfers_, key_of(subject), now);
      const std::string_view status = match["reason"];
      kept.told = status == "success" || status == "up to date";
      if (kept.told || kept.reason.empty()) kept.reason = clipped(status);
      break;
    }
    case LogMeaning::transfer_ended: {
      const auto found = transfers_.find(key_of(subject));
      const Kept kept = found == transfers_.end() ? Kept{.reason = "success", .told = true} : std::move(found->second);
      if (found != transfers_.end()) transfers_.erase(found);
      if (!kept.told) {
        LogRow failed = row;
        failed.type = EventType::zone_transfer_failed;
        tell(failed, match, subject, kept.reason);
      } else if (kept.reason == "success") {
        tell(row, match, subject);
      }
      break;
    }
  }
}

void LogEvents::tell(const LogRow& row, const LogMatch& match, const LogSubject& subject, std::string_view reason) {
  const std::string_view zone = subject.zone.empty() ? match["zone"] : subject.zone;
  Event event = event_about(row.type, subject, zone);
  Fields& data = event.data;
  add_constants(data, row.constants);
  const bool transfer = row.type == EventType::zone_transfer_started ||
                        row.type == EventType::zone_transfer_completed || row.type == EventType::zone_transfer_failed;
  if (!subject.address.empty()) add_client(data, subject, transfer ? "peer" : "client");
  for (const LogMatch::Part& part : match)
    if (part.name != "zone") add_part(data, part.name, part.text);
  if (!reason.empty()) data.add("reason", reason);
  event_(std::move(event));
}

void LogEvents::tell_load_failed(const LogSubject& subject, std::string_view file, std::string_view reason) {
  Event event = event_about(EventType::zone_load_failed, subject, subject.zone);
  Fields& data = event.data;
  if (!file.empty()) data.add("file", clipped(file));
  if (const auto found = files_.find(file); found != files_.end()) {
    data.add_integer("line", found->second.line);
    reason = found->second.reason;
    data.add("reason", reason);
    if (found->second.faults > 1) data.add_integer("faults", found->second.faults);
    files_.erase(found);
  } else if (!reason.empty()) {
    data.add("reason", clipped(reason));
  }
  event_(std::move(event));
}

void LogEvents::tell_other(const LogLine& line, const LogSubject& subject) {
  const bool error = line.severity >= LogSeverity::error;
  Event event = event_about(error ? EventType::error_occurred : EventType::warning_issued, subject, subject.zone);
  if (line.severity == LogSeverity::critical) event.severity = Severity::critical;
  if (!line.category.empty()) event.data.add("log_category", line.category);
  event.data.add("log_severity", kLogSeverityNames[static_cast<std::size_t>(line.severity)]);
  if (!subject.address.empty())
    add_client(event.data, subject, subject.kind == LogSubject::Kind::client ? "client" : "peer");
  if (!subject.qname.empty()) event.data.add("qname", clipped(subject.qname));
  event.data.add("log_message", clipped(subject.message));
  event_(std::move(event));
}

LogEvents::Kept& LogEvents::keep(Keeping& keeping, std::string key, Now now) {
  if (keeping.size() >= kMaxKept && !keeping.contains(key)) {
    if (&keeping == &files_) tell_file_errors();
    keeping.clear();
  }
  Kept& kept = keeping[std::move(key)];
  kept.at_us = now.mono_us;
  return kept;
}

void LogEvents::tell_file_errors() {
  for (const auto& [file, kept] : files_) tell_kept("file", file, kept);
}

void LogEvents::tell_kept(std::string_view member, std::string_view what, const Kept& kept) {
  const bool warning = kept.severity == LogSeverity::warning;
  Event event = make_event(warning ? EventType::warning_issued : EventType::error_occurred);
  event.source_component = "named_log";
  event.data.add("log_severity", warning ? "warning" : "error");
  event.data.add(member, clipped(what));
  if (kept.line != 0) event.data.add_integer("line", kept.line);
  if (kept.faults > 1) event.data.add_integer("faults", kept.faults);
  event.data.add("log_message", kept.reason);
  event_(std::move(event));
}

void LogEvents::tick(Now now) {
  const bool late =
      std::ranges::any_of(files_, [&](const auto& entry) { return now.mono_us - entry.second.at_us >= kKeepUs; });
  if (late) {
    tell_file_errors();
    files_.clear();
  }
  std::erase_if(zones_, [&](const auto& entry) {
    const auto& [key, kept] = entry;
    if (now.mono_us - kept.at_us < kKeepUs) return false;
    if (!kept.told) tell_kept("zone", key.substr(0, key.find('\0')), kept);
    return true;
  });
  std::erase_if(transfers_, [&](const auto& entry) { return now.mono_us - entry.second.at_us >= kKeepTransferUs; });
}

}  // namespace bindcast
