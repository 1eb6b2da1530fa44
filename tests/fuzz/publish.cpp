// What publishers say: events in both forms, again and again under the same ids, in any order, with a hub behind them
// and the clock by hand. Whatever is answered is what came out.
//
// An input is read line by line; a line is one event, or does something else:
//   !cloud !own   the form from here on          !admin !job !other   who speaks
//   !later N      N milliseconds pass            !key TEXT            a header with an id for the next event
//   !host N       an event of the N-th type of the host's own, under the correlation id "c"
#include <charconv>
#include <memory>

#include "fuzz.hpp"
#include "plugin/publish/answer_json.hpp"
#include "plugin/publish/publishing.hpp"
#include "plugin/server/messages.hpp"
#include "plugin/server/roles.hpp"

namespace {

using namespace bindcast;
using fuzz::require;

constexpr std::size_t kMostLines = 200;
constexpr std::size_t kMostMessageBytes = 700;

std::size_t number(std::string_view text) {
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Keeps the events of one step.
struct Witness : Subscriber {
  std::vector<EncodedRef> events;
  Witness() { subscriptions.resize(1), needs_events = true; }
  void deliver(const EncodedRef& event, Now) override { events.push_back(event); }
  void lost(DropReason, EventType, std::uint64_t, Now) override { require(false, "nothing is lost"); }
  void failed() noexcept override { require(false, "nothing fails"); }
};

struct House {
  Hub hub{StreamIdentity{.epoch = "e", .host = "ns1", .service = "named"}, Now{}};
  Now now{.mono_us = 1'000'000'000, .wall_us = 1'795'442'531'000'000};
  Roles roles{Options{}};
  Witness witness;
  std::unique_ptr<Publishing> publishing;
  PublishOptions options;

  House() {
    options.events_per_second = 0;
    options.max_event_bytes = 4096;
    options.bulk_silence = std::chrono::seconds(20);
    publishing = std::make_unique<Publishing>(hub, roles, options);
    hub.configure({});
    hub.add_subscriber(witness);
  }
  ~House() { hub.remove_subscriber(witness); }

  void look(const EncodedRef& one, bool trusted) {
    const Event& event = *one->event;
    json_error_t fault;
    const Json json(json_loadb(reinterpret_cast<const char*>(one->payload()), one->json_bytes,
                               JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault));
    require(json != nullptr, fault.text, one->json());
    require(event.source_service == "publisher" || event.source_service == "named", "the source is set by the server");
    require(trusted || type_info(event.type).origin == Origin::published, "only what is a publisher's to say",
            one->json());
    require(event.timestamp_us == now.wall_us, "the time is the server's", one->json());
    require(event.expires_at_us == 0 || event.expires_at_us > 0, "an expiry is a time", one->json());
    require(event.data.bytes() < 512 * 1024 && event.tags.size() <= kMaxPublishedTags, "an event is bounded");
  }

  void say(std::string_view text, const User& user, PublishedForm form, std::string_view key) {
    std::string fault;
    const Json json = parse_published(text, fault);
    if (!json) return fuzz::require_line(fault, kMostMessageBytes);
    const bool trusted = user.has_role("admin");
    witness.events.clear();
    const PublishAnswer answer =
        publishing->publish(json.get(), {.user = user, .by = PublishedBy::http, .form = form, .id = key}, now);
    const std::string told = dump(publish_answer_json(answer).get());
    for (const EncodedRef& one : witness.events) look(one, true);
    if (answer.refusal) {
      fuzz::require_line(answer.refusal->message, kMostMessageBytes);
      fuzz::require_line(answer.refusal->field, kMostMessageBytes);
      return require(witness.events.empty(), "what is refused is not told", told);
    }
    require(answer.id.empty() == answer.held_back, "it is told, or held back", told);
    if (answer.duplicate || answer.held_back) return require(witness.events.empty(), "nothing is told twice", told);
    require(!witness.events.empty(), "what is accepted is told", told);
    const EncodedRef& last = witness.events.back();
    look(last, trusted);
    require(last->event->source_user_id == user.name, "in the name of who said it", last->json());
    require(event_id(hub.identity(), last->offset) == answer.id, "the answer is its id", told);
    require(json_dumpb(json.get(), nullptr, 0, JSON_COMPACT) <= options.max_event_bytes, "it is not too large", told);
    if (const json_t* data = json_object_get(json.get(), "data");
        data != nullptr && !BulkOperations::concerns(last->type)) {
      std::size_t members = 0;
      for (auto one = last->event->data.root().first(); one; one = one.next()) ++members;
      require(members == json_object_size(data), "all its data is there", last->json());
    }
    if (json_object_get(json.get(), "id") == nullptr && key.empty()) return;
    witness.events.clear();
    const PublishAnswer again =
        publishing->publish(json.get(), {.user = user, .by = PublishedBy::http, .form = form, .id = key}, now);
    require(again.duplicate && again.id == answer.id && witness.events.empty(), "said again it is known", told);
  }

  void later(std::int64_t us) {
    now.mono_us += us;
    now.wall_us += us;
    witness.events.clear();
    publishing->run(now);
    publishing->tick(now);
    for (const EncodedRef& one : witness.events) look(one, true);
    require(publishing->due_us() == 0 || publishing->due_us() > now.mono_us, "what is due has been done");
    require(publishing->known_ids().bytes() <= KnownIds::kMaxBytes, "ids are bounded");
  }
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  House house;
  const User users[] = {{.name = "admin", .roles = {"admin"}},
                        {.name = "job", .roles = {"publisher"}},
                        {.name = "other", .roles = {"publisher"}}};
  const User* user = &users[1];
  PublishedForm form = PublishedForm::own;
  std::string key;
  for (std::size_t lines = 0; lines < kMostLines && !input.empty(); ++lines) {
    const std::string_view line = input.until('\n');
    const auto word = line.substr(0, line.find(' '));
    const auto rest = line.substr(std::min(word.size() + 1, line.size()));
    if (word == "!cloud") {
      form = PublishedForm::cloud_event;
    } else if (word == "!own") {
      form = PublishedForm::own;
    } else if (word == "!admin") {
      user = &users[0];
    } else if (word == "!job") {
      user = &users[1];
    } else if (word == "!other") {
      user = &users[2];
    } else if (word == "!later") {
      house.later(static_cast<std::int64_t>(number(rest) % 100'000) * 1000);
    } else if (word == "!key") {
      key = std::string(rest.substr(0, kMaxPublishedTextBytes));
    } else if (word == "!host") {
      Event event = make_event(static_cast<EventType>(number(rest) % kEventTypeCount));
      event.correlation_id = "c";
      house.publishing->publish_from_host(std::move(event), house.now);
    } else {
      house.say(line, *user, form, std::exchange(key, {}));
    }
  }
  house.publishing->stop(house.now);
  require(house.publishing->bulk().open() == 0, "nothing stays open");
  return 0;
}
