// Which options differ between two configurations.
//
// See load.hpp. Every value of a configuration is shown with a path of its own: entries of lists by their name
// ("auth.tokens[backup-job].roles"), steps of escalation by their place. A path that one side lacks is empty there.
#include <map>

#include "config/load.hpp"
#include "config/options_table.hpp"

namespace bindcast {

namespace {

std::vector<ShownValue> show_all(const Options& options) {
  std::vector<ShownValue> values;
  for (const auto& item : options_table()) item.show(options, std::string(item.path), values);
  return values;
}

std::string for_people(const ShownValue* value) {
  if (value == nullptr) return {};
  return value->secret && value->text != "\"\"" ? "(hidden)" : value->text;
}

}  // namespace

std::vector<OptionChange> changed_options(const Options& before, const Options& after) {
  const auto old_values = show_all(before), new_values = show_all(after);
  std::map<std::string_view, const ShownValue*> by_path;
  for (const auto& value : old_values) by_path.emplace(value.path, &value);
  std::vector<OptionChange> changes;
  for (const auto& value : new_values) {
    const auto found = by_path.find(value.path);
    const ShownValue* old_value = found == by_path.end() ? nullptr : found->second;
    if (found != by_path.end()) by_path.erase(found);
    if (old_value != nullptr && old_value->text == value.text) continue;
    changes.push_back({value.path, for_people(old_value), for_people(&value)});
  }
  for (const auto& value : old_values) {  // what is gone, in its order
    if (by_path.count(value.path) != 0) changes.push_back({value.path, for_people(&value), {}});
  }
  return changes;
}

}  // namespace bindcast
