#include "plugin/publish/publish_requests.hpp"

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <utility>

#include "plugin/publish/answer_json.hpp"
#include "plugin/server/messages.hpp"

namespace bindcast {

namespace {

struct MediaType {
  std::string_view name;
  PublishedForm form;
  bool one, list;  // of events
};
constexpr MediaType kMediaTypes[] = {
    {"application/json", PublishedForm::own, true, true},
    {"application/cloudevents+json", PublishedForm::cloud_event, true, false},
    {"application/cloudevents-batch+json", PublishedForm::cloud_event, false, true},
};

const MediaType* media_type_of(std::string_view header) {
  std::string name(header.substr(0, header.find(';')));
  while (name.ends_with(' ')) name.pop_back();
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto found = std::ranges::find(kMediaTypes, name, &MediaType::name);
  return found == std::end(kMediaTypes) ? nullptr : found;
}

unsigned status_of(const PublishAnswer& answer) {
  if (!answer.refusal) return answer.duplicate ? kHttpOk : answer.held_back ? kHttpAccepted : kHttpCreated;
  switch (answer.refusal->because) {
    case RefusedBecause::invalid:
      return kHttpBadRequest;
    case RefusedBecause::not_permitted:
      return kHttpForbidden;
    case RefusedBecause::too_large:
      return kHttpTooLarge;
    case RefusedBecause::rate_limited:
      return kHttpTooManyRequests;
    case RefusedBecause::conflict:
      return kHttpConflict;
    case RefusedBecause::filtered:
      return kHttpUnprocessable;
    case RefusedBecause::unavailable:
      break;
  }
  return kHttpUnavailable;
}

// In whole seconds, as the header wants it.
void set_retry_after(HttpAnswer& answer, std::int64_t us) {
  if (us != 0) answer.headers.emplace_back("retry-after", std::to_string((us + 999'999) / 1'000'000));
}

HttpAnswer http_answer(const PublishAnswer& answer) {
  HttpAnswer http;
  http.status = status_of(answer);
  http.body = dump(publish_answer_json(answer).get()) + "\n";
  if (answer.refusal) set_retry_after(http, answer.refusal->retry_after_us);
  return http;
}

// Empty, or what is wrong with the key of one event.
std::string key_fault(std::string_view key) {
  const bool plain = std::ranges::all_of(key, [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
  if (plain && key.size() <= kMaxPublishedTextBytes) return {};
  return "Idempotency-Key: must be 1 to " + std::to_string(kMaxPublishedTextBytes) + " bytes of ASCII";
}

}  // namespace

class PublishRequests::List : public Worker {
 public:
  List(PublishRequests& house, const User& user, PublishedForm form, Json events, Reply reply)
      : house_(house), user_(user), form_(form), events_(std::move(events)), reply_(std::move(reply)) {}
  ~List() override { house_.turns_.remove(*this); }

  // One event.
  bool work(Now now) override {
    PublishAnswer answer;
    // Those before it are told: without memory for this one the others' answers must come all the same.
    const bool done = house_.faults_.contain([&] {
      answer = house_.publishing_.publish(json_array_get(events_.get(), at_),
                                          {.user = user_, .by = PublishedBy::http, .form = form_}, now);
    });
    if (!done)
      answer = house_.publishing_.refuse(RefusedBecause::unavailable, "the server has no memory for the event");
    note(answer);
    if (++at_ < json_array_size(events_.get())) return true;
    finish();
    return false;
  }
  void failed() noexcept override { house_.ended(*this); }

 private:
  void note(const PublishAnswer& answer) {
    if (at_ != 0) results_ += ",\n";
    results_ += dump(publish_answer_json(answer).get());
    if (answer.refusal) {
      ++refused_;
      retry_after_us_ = std::max(retry_after_us_, answer.refusal->retry_after_us);
    } else if (answer.duplicate) {
      ++duplicates_;
    } else if (answer.held_back) {
      ++held_back_;
    } else {
      ++published_;
    }
  }

  void finish() {
    HttpAnswer answer;
    answer.status = refused_ == 0 ? kHttpOk : kHttpMultiStatus;
    answer.body = "{\"published\":" + std::to_string(published_) + ",\"duplicates\":" + std::to_string(duplicates_) +
                  ",\"held_back\":" + std::to_string(held_back_) + ",\"refused\":" + std::to_string(refused_) +
                  ",\"results\":[" + results_ + "]}\n";
    set_retry_after(answer, retry_after_us_);
    reply_(std::move(answer));
    house_.ended(*this);
  }

  PublishRequests& house_;
  const User user_;
  const PublishedForm form_;
  const Json events_;
  const Reply reply_;
  std::size_t at_ = 0;
  std::string results_;
  std::uint64_t published_ = 0, duplicates_ = 0, held_back_ = 0, refused_ = 0;
  std::int64_t retry_after_us_ = 0;
};

PublishRequests::PublishRequests(Publishing& publishing, Turns& turns, Faults& faults)
    : publishing_(publishing), turns_(turns), faults_(faults) {}

PublishRequests::~PublishRequests() = default;

void PublishRequests::ended(List& list) noexcept {
  std::erase_if(lists_, [&](const auto& one) { return one.get() == &list; });
}

void PublishRequests::take(const User& user, const HttpRequest& request, const Reply& reply, Now now) {
  const auto refuse = [&](RefusedBecause because, std::string message) {
    return http_answer(publishing_.refuse(because, std::move(message)));
  };
  if (!publishing_.may_publish(user))
    return reply(refuse(RefusedBecause::not_permitted, "publishing needs a role that may publish"));
  const MediaType* type = media_type_of(request.content_type);
  if (type == nullptr) {
    HttpAnswer unsupported = refuse(
        RefusedBecause::invalid,
        "Content-Type: must be application/json, application/cloudevents+json or application/cloudevents-batch+json");
    unsupported.status = kHttpUnsupportedMediaType;
    return reply(std::move(unsupported));
  }
  std::string fault = key_fault(request.idempotency_key);
  Json body = fault.empty() ? parse_published(request.body, fault) : Json();
  if (!body) return reply(refuse(RefusedBecause::invalid, fault));
  if (json_is_object(body.get()) && type->one)
    return reply(http_answer(publishing_.publish(
        body.get(), {.user = user, .by = PublishedBy::http, .form = type->form, .id = request.idempotency_key}, now)));

  const std::size_t size = json_array_size(body.get());
  if (!json_is_array(body.get()) || !type->list)
    return reply(refuse(RefusedBecause::invalid, std::string(type->name) + " is " + (type->one ? "an event" : "") +
                                                     (type->one && type->list ? " or " : "") +
                                                     (type->list ? "a list of events" : "")));
  if (size == 0) return reply(refuse(RefusedBecause::invalid, "a list has at least one event"));
  if (!request.idempotency_key.empty())
    return reply(
        refuse(RefusedBecause::invalid, "Idempotency-Key: goes with one event; in a list each has an id of its own"));
  const std::size_t most = publishing_.options().max_events;
  if (size > most)
    return reply(refuse(RefusedBecause::too_large, "the list has " + std::to_string(size) + " events; accepted: " +
                                                       std::to_string(most) + " (publish.max_events)"));
  if (lists_.size() >= kMaxLists) {
    HttpAnswer full = refuse(RefusedBecause::unavailable, "too many lists are under way; try again");
    set_retry_after(full, 1);
    return reply(std::move(full));
  }
  lists_.push_back(std::make_unique<List>(*this, user, type->form, std::move(body), reply));
  turns_.add(*lists_.back());
}

}  // namespace bindcast
