#include "plugin/server/history.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "events/timestamp.hpp"
#include "plugin/server/replay.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kMostBytesPerPage = std::size_t{4} << 20;
constexpr std::string_view kKnown[] = {"since", "until",  "type",  "category", "filter",
                                       "limit", "cursor", "order", "token"};

// What one who asks for the history wants of it.
class HistoryWish : public PastWish {
 public:
  explicit HistoryWish(Subscription wanted) : wanted_(std::move(wanted)) {}
  [[nodiscard]] bool has(const PastLook& event, bool filters) const override {
    if (!wanted_.concerns(event.type, event.priority, event.severity)) return false;
    if (!filters || wanted_.filter.matches_everything()) return true;
    const Event* made = event.event();
    return made != nullptr && wanted_.filter.matches(*made, *event.stream);
  }

 private:
  Subscription wanted_;
};

// The arguments into a request and a wish; empty, or what is wrong.
class Reading {
 public:
  Reading(const HttpRequest& request, const Hub& hub, const Past& past) : request_(request), hub_(hub), past_(past) {}

  std::string read(PastRequest& out, Subscription& wanted) {
    for (const std::string& argument : request_.arguments)
      if (const std::string_view name = std::string_view(argument).substr(0, argument.find('='));
          name.size() < argument.size() && std::ranges::find(kKnown, name) == std::end(kKnown))
        return std::string(name.substr(0, 64)) +
               ": unknown; since, until, type, category, filter, limit, cursor and order are known";
    const std::string_view order = request_.argument("order").value_or("newest");
    if (order != "newest" && order != "oldest") return "order: newest or oldest";
    out.order = order == "newest" ? PastRequest::Order::newest_first : PastRequest::Order::oldest_first;
    out.most_events = History::kPerPage;
    out.most_bytes = kMostBytesPerPage;
    std::string fault = place_or_time("since", out.after, out.since_us);
    if (fault.empty()) fault = place_or_time("until", out.until, out.until_us);
    if (fault.empty() && request_.argument("cursor")) {
      std::int64_t none = 0;
      fault = place_or_time("cursor", out.place, none);
      if (fault.empty() && !out.place) fault = "cursor: no cursor of an answer";
    }
    if (fault.empty()) fault = limit(out.most_events);
    if (fault.empty()) fault = names(wanted);
    if (!fault.empty()) return fault;
    Filter::Error error;
    if (!Filter::compile(request_.argument("filter").value_or(""), wanted.filter, error))
      return "filter, column " + std::to_string(error.column) + ": " + error.message;
    return {};
  }

 private:
  std::string place_or_time(std::string_view name, std::optional<StreamPlace>& place, std::int64_t& time_us) {
    const auto text = request_.argument(name);
    if (!text || text->empty()) return {};
    if (const auto time = timestamp_from(*text)) {
      time_us = *time;
      return {};
    }
    place = past_place_from(*text, hub_, past_);
    return place ? "" : std::string(name) + ": an RFC 3339 time (\"+\" is %2B here), or the id of an event";
  }

  std::string limit(std::size_t& out) {
    const auto text = request_.argument("limit");
    if (!text) return {};
    const auto [end, fault] = std::from_chars(text->data(), text->data() + text->size(), out);
    if (fault == std::errc() && end == text->data() + text->size() && out >= 1 && out <= History::kMostPerPage)
      return {};
    return "limit: a number from 1 to " + std::to_string(History::kMostPerPage);
  }

  // Each may be there several times, or hold several names with commas between them.
  std::string names(Subscription& wanted) {
    for (const std::string& argument : request_.arguments) {
      const std::size_t equals = argument.find('=');
      const std::string_view key = std::string_view(argument).substr(0, equals);
      if (equals == std::string::npos || (key != "type" && key != "category")) continue;
      std::string_view rest = std::string_view(argument).substr(equals + 1);
      while (!rest.empty()) {
        const std::string_view name = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(name.size() + 1, rest.size()));
        const auto type = key == "type" ? type_from(name) : std::nullopt;
        const auto category = key == "category" ? category_from(name) : std::nullopt;
        if (type)
          wanted.types.set(static_cast<std::size_t>(*type));
        else if (category)
          wanted.categories.set(static_cast<std::size_t>(*category));
        else
          return std::string(key) + ": \"" + std::string(name.substr(0, 64)) + "\" is unknown";
      }
    }
    return {};
  }

  const HttpRequest& request_;
  const Hub& hub_;
  const Past& past_;
};

}  // namespace

void History::take(const PastViewer& viewer, const HttpRequest& request, const Reply& reply, Now now) {
  PastRequest asked;
  Subscription wanted;
  if (const std::string fault = Reading(request, hub_, past_).read(asked, wanted); !fault.empty()) {
    reply(http_error(kHttpBadRequest, fault));
    return;
  }
  if (!past_.readable()) {
    reply(http_error(kHttpUnavailable, "there is no journal to be read; the status says why"));
    return;
  }
  std::bitset<kEventTypeCount> types;
  for (std::size_t i = 0; i < kEventTypeCount; ++i) types.set(i, wanted.covers(static_cast<EventType>(i)));
  const auto wish = std::make_shared<const HistoryWish>(std::move(wanted));
  view_.ask_for(asked, types, wish, viewer);
  const auto answer = [this, wish, viewer, reply, now](PastPortion&& portion) {
    --under_way_;
    if (!portion.fault.empty()) {
      reply(http_error(kHttpUnavailable, portion.fault));
      return;
    }
    HttpAnswer page;
    page.body = "{\"events\":[";
    for (PastEvent& event : portion.events) {
      const EncodedRef seen = view_.show(event, *wish, viewer, now);
      if (!seen) continue;
      if (page.body.back() != '[') page.body += ',';
      page.body += seen->json();
    }
    page.body += ']';
    if (!portion.end)
      page.body += ",\"cursor\":\"" +
                   event_id({.epoch = portion.last.epoch, .host = {}, .service = {}}, portion.last.offset) + '"';
    page.body += "}\n";
    reply(std::move(page));
  };
  if (under_way_ < kMostUnderWay && past_.read(std::move(asked), alive_, answer))
    ++under_way_;
  else
    reply(http_error(kHttpUnavailable, "too many pages are being read; ask again in a moment"));
}

}  // namespace bindcast
