#include "plugin/publish/answer_json.hpp"

#include <string>
#include <utility>

#include "plugin/server/messages.hpp"

namespace bindcast {

Json published_json(const PublishAnswer& answer) {
  Json object(json_object());
  json_t* o = object.get();
  if (!answer.id.empty()) set(o, "id", answer.id);
  if (answer.duplicate) set_json(o, "duplicate", Json(json_true()));
  if (answer.held_back) set_json(o, "held_back", Json(json_true()));
  if (!answer.correlation_id.empty()) set(o, "correlation_id", answer.correlation_id);
  return object;
}

namespace {

void set_details(json_t* object, const Refusal& refusal) {
  if (!refusal.field.empty()) set(object, "field", refusal.field);
  if (refusal.retry_after_us != 0)
    set_json(object, "retry_after", Json(json_real(static_cast<double>(refusal.retry_after_us) / 1e6)));
}

}  // namespace

Json refusal_details_json(const Refusal& refusal) {
  if (refusal.field.empty() && refusal.retry_after_us == 0) return {};
  Json object(json_object());
  set_details(object.get(), refusal);
  return object;
}

Json publish_answer_json(const PublishAnswer& answer) {
  if (!answer.refusal) return published_json(answer);
  Json object(json_object());
  set(object.get(), "error", answer.refusal->message);
  set(object.get(), "code", code_of(answer.refusal->because));
  set_details(object.get(), *answer.refusal);
  return object;
}

Json publishing_json(const Publishing& publishing) {
  const Publishing::Counters& counters = publishing.counters();
  Json object(json_object());
  json_t* o = object.get();
  set(o, "published", counters.published);
  set(o, "duplicates", counters.duplicates);
  Json refused(json_object());
  for (std::size_t i = 0; i < kRefusedBecauseCount; ++i)
    set(refused.get(), std::string(kRefusedBecauseNames[i]).c_str(), counters.refused[i]);
  set_json(o, "refused", std::move(refused));
  set(o, "ids_known", std::uint64_t{publishing.known_ids().entries()});
  set(o, "ids_forgotten_early", publishing.known_ids().forgotten_early());
  Json bulk(json_object());
  set(bulk.get(), "open", std::uint64_t{publishing.bulk().open()});
  set(bulk.get(), "given_up", publishing.bulk().given_up());
  set(bulk.get(), "progress_held_back", counters.held_back);
  set(bulk.get(), "progress_overtaken", publishing.bulk().overtaken());
  set_json(o, "bulk_operations", std::move(bulk));
  return object;
}

}  // namespace bindcast
