#include "config/shown.hpp"

#include <utility>

#include "config/options_table.hpp"

namespace bindcast {

std::vector<ShownValue> show_all(const Options& options) {
  std::vector<ShownValue> values;
  for (const auto& item : options_table()) show_item(item, options, std::string(item.path), values);
  return values;
}

std::string for_people(const ShownValue& value) {
  return value.secret && value.text != "\"\"" ? "(hidden)" : value.text;
}

std::vector<ShownOption> shown_options(const Options& options) {
  std::vector<ShownOption> shown;
  std::vector<ShownValue> values;
  for (const auto& item : options_table()) {
    values.clear();
    show_item(item, options, std::string(item.path), values);
    if (values.empty()) values.push_back({std::string(item.path), std::string(item.fallback), false, &item});
    for (ShownValue& value : values) shown.push_back({std::move(value.path), for_people(value), value.about, &item});
  }
  return shown;
}

}  // namespace bindcast
