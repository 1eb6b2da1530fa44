// The vocabulary of events: types, categories, priorities, severities, and what the table says of each type.
//
// One table, events/types.def, is the only place that names a type; everything else is made from it. Pure: any
// thread may call anything here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace bindcast {

enum class Category : std::uint8_t {
  health,
  dns,
  security,
  user,
  system,
  connection,
  bulk_operation,
  error,
  audit,
  custom
};
inline constexpr std::size_t kCategoryCount = 10;

// Ordered: a larger value is more pressing.
enum class Priority : std::uint8_t { low, normal, high, critical, urgent };
inline constexpr std::size_t kPriorityCount = 5;

// Ordered: a larger value is worse.
enum class Severity : std::uint8_t { debug, info, warning, error, critical };
inline constexpr std::size_t kSeverityCount = 5;

// live: kept in memory only, may be sampled or dropped (counted). durable: never dropped silently.
enum class Class : std::uint8_t { live, durable };

enum class Audience : std::uint8_t { all, admin };

// Who may create events of a type: named's own happenings, this runtime, named's log, or a publisher.
enum class Origin : std::uint8_t { named, runtime, published, log };

enum class EventType : std::uint8_t {
#define BINDCAST_EVENT(name, category, priority, severity, klass, audience, origin, when) name,
#include "events/types.def"
#undef BINDCAST_EVENT
};

inline constexpr std::size_t kEventTypeCount =
#define BINDCAST_EVENT(...) +1
#include "events/types.def"
#undef BINDCAST_EVENT
    ;
static_assert(kEventTypeCount < 256, "EventType is one byte");

// What the table says of one type. The texts live as long as the program.
struct TypeInfo {
  std::string_view name;
  Category category;
  Priority priority;
  Severity severity;
  Class klass;
  Audience audience;
  Origin origin;
  std::string_view when;
};

[[nodiscard]] const TypeInfo& type_info(EventType type) noexcept;

[[nodiscard]] std::string_view to_text(EventType type) noexcept;
[[nodiscard]] std::string_view to_text(Category category) noexcept;
[[nodiscard]] std::string_view to_text(Priority priority) noexcept;
[[nodiscard]] std::string_view to_text(Severity severity) noexcept;

// Each reads the exact lower-case name that to_text writes; nothing else is accepted.
[[nodiscard]] std::optional<EventType> type_from(std::string_view name) noexcept;
[[nodiscard]] std::optional<Category> category_from(std::string_view name) noexcept;
[[nodiscard]] std::optional<Priority> priority_from(std::string_view name) noexcept;
[[nodiscard]] std::optional<Severity> severity_from(std::string_view name) noexcept;

}  // namespace bindcast
