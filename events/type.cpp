// The event table and the names of its vocabularies, all constant data built by the compiler. See type.hpp.
#include "events/type.hpp"

#include <algorithm>

namespace bindcast {
namespace {

constexpr std::array<TypeInfo, kEventTypeCount> kTypes = {{
#define BINDCAST_EVENT(name, category, priority, severity, klass, audience, origin, when) \
  {#name,        Category::category, Priority::priority, Severity::severity,              \
   Class::klass, Audience::audience, Origin::origin,     when},
#include "events/types.def"
#undef BINDCAST_EVENT
}};

constexpr std::array<std::string_view, kCategoryCount> kCategories = {
    "health", "dns", "security", "user", "system", "connection", "bulk_operation", "error", "audit", "custom"};
constexpr std::array<std::string_view, kPriorityCount> kPriorities = {"low", "normal", "high", "critical", "urgent"};
constexpr std::array<std::string_view, kSeverityCount> kSeverities = {"debug", "info", "warning", "error", "critical"};

constexpr std::string_view name_of(std::uint8_t index) {
  return kTypes[index].name;
}

// The types' numbers in the order of their names, for the search by name.
constexpr auto kByName = [] {
  std::array<std::uint8_t, kEventTypeCount> order{};
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint8_t>(i);
  std::ranges::sort(order, {}, name_of);
  return order;
}();

static_assert(std::ranges::adjacent_find(kByName, {}, name_of) == kByName.end(), "a name occurs twice in types.def");
static_assert(std::ranges::all_of(kTypes,
                                  [](const TypeInfo& info) { return !info.name.empty() && !info.when.empty(); }),
              "a row of types.def lacks its name or its description");

template <typename Enum, std::size_t count>
std::optional<Enum> find_name(const std::array<std::string_view, count>& names, std::string_view name) noexcept {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

}  // namespace

const TypeInfo& type_info(EventType type) noexcept {
  return kTypes[static_cast<std::size_t>(type)];
}

std::string_view to_text(EventType type) noexcept {
  return type_info(type).name;
}
std::string_view to_text(Category category) noexcept {
  return kCategories[static_cast<std::size_t>(category)];
}
std::string_view to_text(Priority priority) noexcept {
  return kPriorities[static_cast<std::size_t>(priority)];
}
std::string_view to_text(Severity severity) noexcept {
  return kSeverities[static_cast<std::size_t>(severity)];
}

std::optional<EventType> type_from(std::string_view name) noexcept {
  const auto found = std::ranges::lower_bound(kByName, name, {}, name_of);
  if (found == kByName.end() || name_of(*found) != name) return std::nullopt;
  return static_cast<EventType>(*found);
}

std::optional<Category> category_from(std::string_view name) noexcept {
  return find_name<Category>(kCategories, name);
}
std::optional<Priority> priority_from(std::string_view name) noexcept {
  return find_name<Priority>(kPriorities, name);
}
std::optional<Severity> severity_from(std::string_view name) noexcept {
  return find_name<Severity>(kSeverities, name);
}

}  // namespace bindcast
