// Counters as JSON, for get_statistics and get_status. Loop thread only.
#pragma once

#include "events/fields.hpp"
#include "plugin/delivery/channel.hpp"
#include "plugin/delivery/client_queue.hpp"
#include "plugin/health/health.hpp"
#include "plugin/journal/journal.hpp"
#include "plugin/server/messages.hpp"
#include "plugin/server/webhooks.hpp"

namespace bindcast {

// Adds the members events_accepted, events_delivered, … to `object`.
void set_account(json_t* object, const Account& account);
[[nodiscard]] Json fields_json(const Fields& fields);
[[nodiscard]] Json delivery_json(const DeliveryStatistics& statistics);
// What waits for one client, what it lost, and what batches and compression make of the rest; short, because there may
// be a thousand of them.
[[nodiscard]] Json queue_json(const ClientQueue& queue);
[[nodiscard]] Json channel_json(const Channel& channel, Now now);
[[nodiscard]] Json webhooks_json(const WebhookCounters& counters, std::size_t pending);
[[nodiscard]] Json journal_json(const JournalReport& report, const StreamIdentity& stream);
// {"state", "components": {"listener": {"state", "reason", "since", …}}}
[[nodiscard]] Json health_json(const Health& health);
// {"count","mean","p50","p90","p99","max"} in microseconds.
[[nodiscard]] Json histogram_json(const Histogram& histogram);
// A count for each drop reason.
[[nodiscard]] Json by_reason_json(const std::array<std::uint64_t, kDropReasonCount>& counts);

}  // namespace bindcast
