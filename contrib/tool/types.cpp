// bindcast types: the types of events there are.

#include "events/type.hpp"
#include "tool/commands.hpp"
#include "tool/output.hpp"

namespace bindcast::tool {

void list_types() {
  const auto column = [](std::string_view text, std::size_t width) {
    return std::string(text) + std::string(text.size() < width ? width - text.size() : 0, ' ') + " ";
  };
  for (std::size_t i = 0; i < kEventTypeCount; ++i) {
    const TypeInfo& info = type_info(static_cast<EventType>(i));
    print_line(column(info.name, 26) + column(to_text(info.category), 14) + column(to_text(info.priority), 8) +
               column(to_text(info.severity), 8) + std::string(info.when));
  }
}

}  // namespace bindcast::tool
