// bindcast history: what the server has kept of the past.

#include <unistd.h>

#include <algorithm>

#include "plugin/server/messages.hpp"
#include "tool/api.hpp"
#include "tool/commands.hpp"
#include "tool/json_slices.hpp"
#include "tool/output.hpp"

namespace bindcast::tool {

namespace {

constexpr std::uint64_t kPage = 500;

std::string query_of(const HistoryOptions& options) {
  std::string query;
  const auto add = [&query](const char* name, const std::string& value) {
    if (!value.empty()) query += "&" + std::string(name) + "=" + url_encoded(value);
  };
  const auto joined = [](const std::vector<std::string>& names) {
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "" : ",") + name;
    return list;
  };
  add("since", options.since);
  add("until", options.until);
  add("type", joined(options.selection.types));
  add("category", joined(options.selection.categories));
  add("filter", options.selection.filter);
  add("order", options.order);
  return query;
}

}  // namespace

void history(const HistoryOptions& options) {
  Network network(options.access);
  const Palette palette = palette_for(STDOUT_FILENO, options.no_color);
  const std::string query = query_of(options);
  std::string cursor;
  for (std::uint64_t left = options.limit; left > 0 && !interrupted();) {
    const std::string page = std::to_string(std::min(left, kPage));
    const std::string body =
        get(network, "/api/v1/events?limit=" + page + query + (cursor.empty() ? "" : "&cursor=" + url_encoded(cursor)));
    json_error_t fault;
    const Json answer = parse_json(body, JSON_ALLOW_NUL, fault);
    const json_t* events = json_object_get(answer.get(), "events");
    if (!json_is_array(events)) throw Failure(Exit::refused, "the server's answer is no history");
    const auto slices = list_members(body, "events");
    const std::size_t size = std::min<std::size_t>({slices.size(), json_array_size(events), left});
    for (std::size_t i = 0; i < size; ++i)
      options.json ? print_json(slices[i]) : print_line(event_line(json_array_get(events, i), palette));
    flush();
    left -= size;
    std::string next(text_member(answer.get(), "cursor"));
    if (next.empty() || next == cursor) return;
    cursor = std::move(next);
  }
}

}  // namespace bindcast::tool
