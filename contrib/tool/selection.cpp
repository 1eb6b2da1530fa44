#include "tool/selection.hpp"

#include "events/filter.hpp"
#include "events/type.hpp"
#include "plugin/server/messages.hpp"

namespace bindcast::tool {

void check_selection(const Selection& selection) {
  for (const std::string& type : selection.types)
    if (!type_from(type)) throw Failure(Exit::usage, "--type: there is no event type " + type);
  for (const std::string& category : selection.categories)
    if (!category_from(category)) throw Failure(Exit::usage, "--category: there is no category " + category);
  Filter filter;
  Filter::Error fault;
  if (!Filter::compile(selection.filter, filter, fault))
    throw Failure(Exit::usage, "--filter, column " + std::to_string(fault.column) + ": " + fault.message);
}

Json subscription_of(const Selection& selection) {
  Json data(json_object());
  const auto add = [&](const char* key, const std::vector<std::string>& names) {
    if (names.empty()) return;
    Json list(json_array());
    for (const std::string& name : names) append(list.get(), json_text(name));
    set_json(data.get(), key, std::move(list));
  };
  add("event_types", selection.types);
  add("categories", selection.categories);
  if (!selection.filter.empty()) set(data.get(), "filter", selection.filter);
  return data;
}

}  // namespace bindcast::tool
