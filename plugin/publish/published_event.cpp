#include "plugin/publish/published_event.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "config/reader.hpp"
#include "events/timestamp.hpp"
#include "plugin/capture/fields_json.hpp"
#include "plugin/publish/type_name.hpp"

namespace bindcast {

namespace {

// What the server puts into custom_fields.
constexpr std::string_view kPublisherId = "publisher_id", kPublisherSource = "publisher_source",
                           kPublisherTime = "publisher_time";

std::string_view text_of(const json_t* value) {
  return json_is_string(value) ? std::string_view(json_string_value(value), json_string_length(value)) : "";
}

// Empty, or what is wrong with a text of the envelope.
std::string text_fault(const json_t* value, std::size_t most = kMaxPublishedTextBytes) {
  const std::string_view text = text_of(value);
  const bool plain = std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (!text.empty() && text.size() <= most && plain) return {};
  return "must be a text of 1 to " + std::to_string(most) + " bytes without control characters";
}

class Reading {
 public:
  Reading(const json_t* json, bool trusted, Now now) : json_(json), trusted_(trusted), now_(now) {}

  PublishedEvent own() {
    if (!begin(json_object_get(json_, "type"), {})) return std::move(made_);
    members(json_, {}, kEnvelope, kStamped);
    return end(text_of(id_));
  }

  PublishedEvent cloud_event() {
    if (text_of(json_object_get(json_, "specversion")) != "1.0") {
      refuse("specversion", R"(must be "1.0")");
      return std::move(made_);
    }
    if (!begin(json_object_get(json_, "type"), "bindcast.")) return std::move(made_);
    members(json_, {}, kAttributes, {}, &Reading::extension);
    for (const char* required : {"id", "source"})
      if (json_object_get(json_, required) == nullptr) refuse(required, "is missing");
    // As CloudEvents has it, source and id together are unique.
    return end(source_.empty() ? "" : source_ + '\n' + std::string(text_of(id_)));
  }

 private:
  // Reads one member; empty, or what is wrong with it.
  using Take = std::string (Reading::*)(std::string_view name, const json_t* value);
  struct Member {
    std::string_view name;
    Take take;
  };
  template <std::size_t size>
  using Members = std::array<Member, size>;

  static const Members<9> kEnvelope;
  static const Members<5> kMetadata;
  static const Members<15> kAttributes;
  static constexpr std::array<std::string_view, 2> kStamped{"source_user_id", "category"};
  static constexpr std::array<std::string_view, 5> kStampedMetadata{"source_service", "source_component", "host",
                                                                    "sampled", "attempt"};

  void refuse(std::string field, const std::string& fault, RefusedBecause because = RefusedBecause::invalid) {
    if (made_.refusal) return;  // the first fault is told
    std::string message = field.empty() ? fault : field + ": " + fault;
    made_.refusal = Refusal{.because = because, .message = std::move(message), .field = std::move(field)};
  }

  bool begin(const json_t* type, std::string_view prefix) {
    const std::string_view name = text_of(type);
    std::string fault;
    if (name.empty())
      refuse("type", "is missing, or no text");
    else if (!name.starts_with(prefix))
      refuse("type", "must begin with \"" + std::string(prefix) + "\", before one of our event types");
    else if (!make_event_of(name.substr(prefix.size()), made_.event, fault))
      refuse("type", fault);
    else if (const TypeInfo& info = type_info(made_.event.type); info.origin != Origin::published && !trusted_)
      refuse("type", std::string(info.name) + " is told by the server itself; only the role admin may publish it",
             RefusedBecause::not_permitted);
    return !made_.refusal;
  }

  template <std::size_t size>
  void members(const json_t* object, const std::string& path, const Members<size>& known,
               std::span<const std::string_view> stamped, Take otherwise = nullptr) {
    const char* key = nullptr;
    json_t* value = nullptr;
    json_object_foreach(const_cast<json_t*>(object), key, value) {
      if (made_.refusal) return;
      const std::string_view name(key);
      const auto member = std::ranges::find(known, name, &Member::name);
      std::string fault;
      if (member != known.end()) {
        if (member->take != nullptr) fault = (this->*member->take)(name, value);
      } else if (std::ranges::find(stamped, name) != stamped.end()) {
        fault = "is set by the server";
      } else if (otherwise != nullptr) {
        fault = (this->*otherwise)(name, value);
      } else {
        fault = "is not known";
      }
      if (!fault.empty()) refuse(path + shown(name), fault);
    }
  }

  PublishedEvent end(std::string_view id) {
    Fields& fields = made_.event.custom_fields;
    if (id_ != nullptr) fields.add(kPublisherId, text_of(id_));
    if (!source_.empty()) fields.add(kPublisherSource, source_);
    if (!time_.empty()) fields.add(kPublisherTime, time_);
    made_.id = id;
    return std::move(made_);
  }

  std::string id(std::string_view, const json_t* value) {
    id_ = value;
    return text_fault(value);
  }
  std::string source(std::string_view, const json_t* value) {
    source_ = text_of(value);
    return text_fault(value, kMaxPublishedSourceBytes);
  }
  std::string time(std::string_view, const json_t* value) {
    const auto at = timestamp_from(text_of(value));
    if (!at) return "must be a time as in 2026-11-23T14:02:11.031415Z (RFC 3339)";
    if (*at > now_.wall_us + kMaxAheadUs)
      return "is more than " + std::to_string(kMaxAheadUs / 60'000'000) + " minutes ahead of the server's clock";
    append_timestamp(time_, *at);
    return {};
  }
  std::string expires_at(std::string_view, const json_t* value) {
    const auto at = timestamp_from(text_of(value));
    if (!at) return "must be a time as in 2026-11-23T14:02:11.031415Z (RFC 3339)";
    if (*at <= now_.wall_us) return "is past";
    made_.event.expires_at_us = *at;
    return {};
  }
  std::string priority(std::string_view, const json_t* value) {
    const auto known = priority_from(text_of(value));
    if (!known) return "must be one of low, normal, high, critical, urgent";
    made_.event.priority = *known;
    return {};
  }
  std::string severity(std::string_view, const json_t* value) {
    const auto known = severity_from(text_of(value));
    if (!known) return "must be one of debug, info, warning, error, critical";
    made_.event.severity = *known;
    return {};
  }
  template <std::string Event::*text>
  std::string take_text(std::string_view, const json_t* value) {
    made_.event.*text = text_of(value);
    return text_fault(value);
  }
  std::string tags(std::string_view, const json_t* value) {
    const std::string allowed = "must be a list of at most " + std::to_string(kMaxPublishedTags) + " texts";
    if (!json_is_array(value) || json_array_size(value) > kMaxPublishedTags) return allowed;
    for (std::size_t i = 0; i < json_array_size(value); ++i) {
      const json_t* tag = json_array_get(value, i);
      if (std::string fault = text_fault(tag, kMaxPublishedTagBytes); !fault.empty())
        return "item " + std::to_string(i) + " " + fault;
      made_.event.tags.emplace_back(text_of(tag));
    }
    return {};
  }
  std::string data(std::string_view, const json_t* value) {
    return json_is_object(value) ? read_fields(value, bounds_, made_.event.data) : "must be an object";
  }
  std::string custom_fields(std::string_view, const json_t* value) {
    if (!json_is_object(value)) return "must be an object";
    for (const std::string_view name : {kPublisherId, kPublisherSource, kPublisherTime})
      if (json_object_get(value, name.data()) != nullptr) return std::string(name) + " is set by the server";
    return read_fields(value, bounds_, made_.event.custom_fields);
  }
  std::string metadata(std::string_view, const json_t* value) {
    if (!json_is_object(value)) return "must be an object";
    members(value, "metadata.", kMetadata, kStampedMetadata);
    return {};
  }

  std::string json_only(std::string_view, const json_t* value) {
    const std::string_view type = text_of(value);
    const bool json = type == "application/json" || type.starts_with("application/json;");
    return json ? "" : "must be application/json";
  }
  // An attribute that CloudEvents does not define: kept for whoever reads it.
  std::string extension(std::string_view name, const json_t* value) {
    const bool valid = name.size() <= kMaxPublishedNameBytes && std::ranges::all_of(name, [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
                       });
    if (!valid) return "is no attribute of CloudEvents 1.0: these have names of a-z and 0-9";
    if (bounds_.values == 0) return "too many values";
    --bounds_.values;
    Fields& fields = made_.event.custom_fields;
    if (json_is_string(value)) {
      fields.add(name, text_of(value));
      return text_fault(value, kMaxPublishedSourceBytes);
    }
    if (json_is_integer(value))
      fields.add_integer(name, json_integer_value(value));
    else if (json_is_boolean(value))
      fields.add_boolean(name, json_is_true(value));
    else
      return "must be a text, an integer, true or false";
    return {};
  }
  std::string refuse_base64(std::string_view, const json_t*) { return "is not taken; data is a JSON object"; }

  const json_t* json_;
  const bool trusted_;
  const Now now_;
  PublishedEvent made_;
  FieldBounds bounds_{
      .depth = kMaxPublishedDataDepth, .values = kMaxPublishedValues, .key_bytes = kMaxPublishedNameBytes};
  const json_t* id_ = nullptr;
  std::string source_, time_;
};

const Reading::Members<9> Reading::kEnvelope{{{"type", nullptr},
                                              {"id", &Reading::id},
                                              {"timestamp", &Reading::time},
                                              {"priority", &Reading::priority},
                                              {"severity", &Reading::severity},
                                              {"data", &Reading::data},
                                              {"metadata", &Reading::metadata},
                                              {"target_user_id", &Reading::take_text<&Event::target_user_id>},
                                              {"expires_at", &Reading::expires_at}}};
const Reading::Members<5> Reading::kMetadata{{{"view", &Reading::take_text<&Event::view>},
                                              {"correlation_id", &Reading::take_text<&Event::correlation_id>},
                                              {"trace_id", &Reading::take_text<&Event::trace_id>},
                                              {"tags", &Reading::tags},
                                              {"custom_fields", &Reading::custom_fields}}};
// Of CloudEvents itself, and of its extensions those that say what our own form has a place for.
const Reading::Members<15> Reading::kAttributes{{{"specversion", nullptr},
                                                 {"type", nullptr},
                                                 {"id", &Reading::id},
                                                 {"source", &Reading::source},
                                                 {"time", &Reading::time},
                                                 {"subject", &Reading::take_text<&Event::view>},
                                                 {"datacontenttype", &Reading::json_only},
                                                 {"data", &Reading::data},
                                                 {"data_base64", &Reading::refuse_base64},
                                                 {"priority", &Reading::priority},
                                                 {"severity", &Reading::severity},
                                                 {"correlationid", &Reading::take_text<&Event::correlation_id>},
                                                 {"traceid", &Reading::take_text<&Event::trace_id>},
                                                 {"targetuserid", &Reading::take_text<&Event::target_user_id>},
                                                 {"expirytime", &Reading::expires_at}}};

}  // namespace

PublishedEvent read_published(const json_t* json, PublishedForm form, bool trusted, Now now) {
  if (!json_is_object(json)) {
    PublishedEvent none;
    none.refusal.emplace().message = "an event is a JSON object";
    return none;
  }
  Reading reading(json, trusted, now);
  return form == PublishedForm::cloud_event ? reading.cloud_event() : reading.own();
}

Json parse_published(std::string_view text, std::string& fault) {
  if (nesting_depth(text) > kMaxPublishedDepth) {
    fault = "nested deeper than " + std::to_string(kMaxPublishedDepth);
    return {};
  }
  json_error_t error;
  Json parsed = parse_json(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, error);
  if (!parsed) fault = "not JSON: " + shown(error.text) + " at byte " + std::to_string(error.position);
  return parsed;
}

}  // namespace bindcast
