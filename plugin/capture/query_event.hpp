// Turns a captured request into the events it stands for. Loop thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/options.hpp"
#include "events/event.hpp"
#include "plugin/capture/records.hpp"
#include "plugin/clock.hpp"

namespace bindcast {

struct QueryEventOptions {
  bool latency = true;  // events.queries.latency
};

// dns_query_log, or dns_query_failed with the same data. The time of the event is when the request ended.
// Written over what `event` held, whose buffers are kept.
void write_query_event(Event& event, EventType type, const QueryView& query, const QueryEventOptions& options, Now now);

// What `feeds` calls a policy zone; empty: nothing.
inline constexpr std::string_view kMalwareFeed = "malware", kPhishingFeed = "phishing";
[[nodiscard]] std::string_view feed_category(const std::vector<FeedRule>& feeds, std::string_view policy_zone);

// malware_blocked, phishing_blocked, dns_query_blocked or dns_query_allowed: by the rewrite's action and the category
// that `feeds` gives its policy zone.
[[nodiscard]] Event rpz_event(const QueryView& query, const std::vector<FeedRule>& feeds, std::uint64_t count, Now now);

}  // namespace bindcast
