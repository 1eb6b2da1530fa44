// Which options differ between two configurations.
//
// See load.hpp, and shown.hpp for the paths. A path that one side lacks is empty there.
#include <map>

#include "config/load.hpp"
#include "config/shown.hpp"

namespace bindcast {

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
    changes.push_back({value.path, old_value == nullptr ? std::string() : for_people(*old_value), for_people(value)});
  }
  for (const auto& value : old_values) {  // what is gone, in its order
    if (by_path.count(value.path) != 0) changes.push_back({value.path, for_people(value), {}});
  }
  return changes;
}

}  // namespace bindcast
