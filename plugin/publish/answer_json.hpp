// What a publisher is answered, and what the status says of publishing, as JSON. Loop thread only.
#pragma once

#include "plugin/json_parse.hpp"
#include "plugin/publish/publishing.hpp"

namespace bindcast {

// {"id", "duplicate", "held_back", "correlation_id"}: what applies.
[[nodiscard]] Json published_json(const PublishAnswer& answer);
// {"field", "retry_after"} (seconds); empty where neither applies.
[[nodiscard]] Json refusal_details_json(const Refusal& refusal);
// Outside of the WebSocket: the first of these, or {"error": message, "code", "field", "retry_after"}.
[[nodiscard]] Json publish_answer_json(const PublishAnswer& answer);
[[nodiscard]] Json publishing_json(const Publishing& publishing);

}  // namespace bindcast
