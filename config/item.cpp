// What items have in common whatever their record: what they may be, and the fault for an unknown key.
//
// See item.hpp.
#include "config/item.hpp"

#include <algorithm>

namespace bindcast {

std::string_view to_text(ItemKind kind) noexcept {
  switch (kind) {
    case ItemKind::boolean:
      return "true or false";
    case ItemKind::integer:
      return "integer";
    case ItemKind::real:
      return "number";
    case ItemKind::size:
      return "size";
    case ItemKind::duration:
      return "duration";
    case ItemKind::text:
      return "text";
    case ItemKind::path:
      return "path";
    case ItemKind::enumeration:
      return "one of";
    case ItemKind::expression:
      return "filter expression";
    case ItemKind::address_list:
      return "address, or list of addresses";
    case ItemKind::text_list:
      return "list of texts";
    case ItemKind::name_list:
      return "list of";
    case ItemKind::entries:
      return "list of mappings";
    case ItemKind::mapping:
      break;
  }
  return "mapping";
}

std::string what_it_may_be(const ItemText& item) {
  std::string text(to_text(item.kind));
  if (!item.accepts.empty()) text += (text.ends_with(" of") ? " " : ", ") + item.accepts;
  if ((item.flags & kRequired) != 0) text += "; required";
  return text;
}

bool inside_section(std::string_view path, std::string_view section) noexcept {
  return path.size() > section.size() && path[section.size()] == '.' && path.substr(0, section.size()) == section;
}

void fault_unknown_key(const YamlNode& node, const std::string& full, const std::vector<std::string_view>& siblings,
                       const std::vector<std::string_view>& paths, Reader& reader) {
  std::string message = "unknown key `" + shown(node.key) + "`";
  auto hint = did_you_mean(node.key, siblings);
  if (hint.empty()) {  // perhaps the right key at the wrong place
    const auto elsewhere = std::find_if(paths.begin(), paths.end(), [&](std::string_view path) {
      return path.substr(path.rfind('.') + 1) == node.key;
    });
    if (elsewhere != paths.end()) hint = " did you mean `" + std::string(*elsewhere) + "`?";
  }
  message += ";" + (hint.empty() ? " known here: " + join(siblings) : hint);
  reader.fault(node.key_line, full, std::move(message));
}

}  // namespace bindcast
