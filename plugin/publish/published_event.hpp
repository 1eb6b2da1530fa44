// What a publisher said, made into an event: the only place where JSON of strangers becomes one. Two forms: our own
// (doc/protocol.md, without what the server sets) and CloudEvents 1.0, read as the delivery writes them.
//
// Every bound is checked, and a member that is not known is refused by its name: what was said is never left out
// silently. No state; any thread.
#pragma once

#include <jansson.h>

#include <optional>
#include <string>
#include <string_view>

#include "events/event.hpp"
#include "plugin/clock.hpp"
#include "plugin/json_parse.hpp"
#include "plugin/publish/refusal.hpp"

namespace bindcast {

// Brackets of all that is said at once: a message or a list around an event, too.
inline constexpr int kMaxPublishedDepth = 16;
inline constexpr int kMaxPublishedDataDepth = 12;             // of data and of custom_fields
inline constexpr std::size_t kMaxPublishedValues = 1000;      // in both together
inline constexpr std::size_t kMaxPublishedNameBytes = 128;    // of a name in them
inline constexpr std::size_t kMaxPublishedTextBytes = 128;    // of a text of the envelope: ids, users
inline constexpr std::size_t kMaxPublishedSourceBytes = 512;  // of a CloudEvent's source
inline constexpr std::size_t kMaxPublishedTags = 16;
inline constexpr std::size_t kMaxPublishedTagBytes = 64;
inline constexpr std::int64_t kMaxAheadUs = 300'000'000;  // that a publisher's clock may be ahead of ours

enum class PublishedForm : std::uint8_t { own, cloud_event };

struct PublishedEvent {
  std::optional<Refusal> refusal;
  // Without what the server sets: id, time, user and source. The publisher's own id and time are in custom_fields, as
  // publisher_id, publisher_source (of a CloudEvent) and publisher_time.
  Event event;
  std::string id;  // the publisher's, unique among all of his; empty: none
};

// `trusted`: may make events of any origin, not only those that the table calls published.
[[nodiscard]] PublishedEvent read_published(const json_t* json, PublishedForm form, bool trusted, Now now);

// The text of one event or of a list of them. Empty, with what is wrong, when it is no JSON, or nested too deep.
[[nodiscard]] Json parse_published(std::string_view text, std::string& fault);

}  // namespace bindcast
