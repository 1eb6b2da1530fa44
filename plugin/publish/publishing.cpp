#include "plugin/publish/publishing.hpp"

#include <new>
#include <utility>

#include "plugin/server/secret.hpp"

namespace bindcast {

namespace {

// The event as text, the same for the same content. Its size is the event's size.
std::string canonical(const json_t* json) {
  constexpr std::size_t kFlags = JSON_COMPACT | JSON_SORT_KEYS;
  const std::size_t size = json_dumpb(json, nullptr, 0, kFlags);
  std::string text(size, '\0');
  if (size == 0 || json_dumpb(json, text.data(), size, kFlags) != size) throw std::bad_alloc();
  return text;
}

Refusal refusal(RefusedBecause because, std::string message, std::string field = {}) {
  return {.because = because, .message = std::move(message), .field = std::move(field), .retry_after_us = 0};
}

}  // namespace

Publishing::Publishing(Hub& hub, const Roles& roles, const PublishOptions& options)
    : hub_(hub),
      roles_(roles),
      options_(options),
      known_ids_(options.remember_ids.count()),
      bulk_(options, [this](Event&& event, Now now) { return hub_.emit(std::move(event), now); }) {}

void Publishing::configure(const PublishOptions& options) {
  options_ = options;
  known_ids_.configure(options.remember_ids.count());
  bulk_.configure(options);
  for (auto& [publisher, bucket] : rates_) bucket.configure(options.events_per_second, options.burst);
}

PublishAnswer Publishing::publish(const json_t* json, const Request& request, Now now) {
  PublishAnswer given = answer(json, request, now);
  if (given.refusal)
    ++counters_.refused[static_cast<std::size_t>(given.refusal->because)];
  else if (given.duplicate)
    ++counters_.duplicates;
  else if (given.held_back)
    ++counters_.held_back;
  else
    ++counters_.published;
  return given;
}

PublishAnswer Publishing::refuse(RefusedBecause because, std::string message) {
  ++counters_.refused[static_cast<std::size_t>(because)];
  PublishAnswer given;
  given.refusal = refusal(because, std::move(message));
  return given;
}

PublishAnswer Publishing::answer(const json_t* json, const Request& request, Now now) {
  PublishAnswer given;
  const auto no = [&](Refusal why) {
    given.refusal = std::move(why);
    return std::move(given);
  };
  if (stopped_) return no(refusal(RefusedBecause::unavailable, "the server stops"));
  if (!may_publish(request.user))
    return no(refusal(RefusedBecause::not_permitted, "publishing needs a role that may publish"));
  if (auto limited = over_rate(request.user.name, now)) return no(std::move(*limited));
  if (!json_is_object(json)) return no(refusal(RefusedBecause::invalid, "an event is a JSON object"));
  const std::string text = canonical(json);
  if (text.size() > options_.max_event_bytes)
    return no(refusal(RefusedBecause::too_large, "the event has " + std::to_string(text.size()) +
                                                     " bytes; accepted: " + std::to_string(options_.max_event_bytes) +
                                                     " (publish.max_event_bytes)"));
  PublishedEvent read = read_published(json, request.form, roles_.may(request.user, Right::administer), now);
  if (read.refusal) return no(std::move(*read.refusal));
  std::string& id = read.id;
  if (!request.id.empty()) {
    if (!id.empty() && id != request.id)
      return no(refusal(RefusedBecause::invalid, "id: is not that of Idempotency-Key", "id"));
    if (id.empty()) read.event.custom_fields.add("publisher_id", request.id);
    id = request.id;
  }
  std::string digest;
  if (!id.empty()) {
    digest = sha256_of(text);
    if (const KnownIds::Known* known = known_ids_.find(request.user.name, id, now)) {
      if (known->content != digest)
        return no(refusal(RefusedBecause::conflict, "id: something else was published under it before", "id"));
      given.duplicate = true;
      given.held_back = known->offset == 0;
      if (known->offset != 0) given.id = event_id(hub_.identity(), known->offset);
      given.correlation_id = known->correlation_id;
      return given;
    }
  }
  read.event.source_user_id = request.user.name;
  read.event.source_service = "publisher";
  read.event.source_component = kPublishedByNames[static_cast<std::size_t>(request.by)];
  std::uint64_t offset = 0;
  const std::uint64_t failed_before = hub_.statistics().events_failed;
  if (BulkOperations::concerns(read.event.type)) {
    BulkOperations::Outcome outcome = bulk_.publish(std::move(read.event), now);
    if (outcome.refusal) return no(std::move(*outcome.refusal));
    offset = outcome.offset;
    given.held_back = outcome.held_back;
    given.correlation_id = std::move(outcome.correlation_id);
  } else {
    if (!read.event.correlation_id.empty()) bulk_.heard(request.user.name, read.event.correlation_id, now);
    offset = hub_.emit(std::move(read.event), now);
  }
  if (offset == 0 && !given.held_back) return no(why_not_told(failed_before));
  if (offset != 0) given.id = event_id(hub_.identity(), offset);
  // Without memory for it the event is told all the same, and a repetition would be, too.
  if (!id.empty())
    hub_.faults().contain([&] {
      known_ids_.remember(request.user.name, id,
                          {.content = std::move(digest), .offset = offset, .correlation_id = given.correlation_id},
                          now);
    });
  return given;
}

Refusal Publishing::why_not_told(std::uint64_t failed_before) const {
  if (hub_.statistics().events_failed != failed_before)
    return refusal(RefusedBecause::unavailable, "the server has no memory for the event");
  return refusal(RefusedBecause::filtered,
                 "the server's configuration leaves such events out (events.filter or events.types)");
}

std::optional<Refusal> Publishing::over_rate(const std::string& publisher, Now now) {
  const auto [entry, made] = rates_.try_emplace(publisher, TokenBucket(options_.events_per_second, options_.burst));
  TokenBucket& bucket = entry->second;
  if (bucket.take(now, 1)) return std::nullopt;
  Refusal why = refusal(RefusedBecause::rate_limited, "more than " + std::to_string(options_.events_per_second) +
                                                          " events a second (publish.events_per_second)");
  why.retry_after_us = bucket.wait_us();
  return why;
}

// What the host says without a correlation id, or out of order, is told as it is: it cannot be answered.
void Publishing::publish_from_host(Event&& event, Now now) noexcept {
  bool told = false;
  if (!event.correlation_id.empty() && BulkOperations::concerns(event.type))
    hub_.faults().contain([&] {
      Event kept = event;
      told = !bulk_.publish(std::move(kept), now).refusal;
    });
  if (!told) hub_.emit(std::move(event), now);
}

void Publishing::tick(Now now) {
  known_ids_.tick(now);
  bulk_.run(now);
  std::erase_if(rates_, [now](const auto& one) { return one.second.full(now); });
}

}  // namespace bindcast
