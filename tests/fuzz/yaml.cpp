// The configuration file: any bytes are either valid options or a list of faults that an admin can read.
#include "config/load.hpp"
#include "config/options_table.hpp"
#include "fuzz.hpp"

namespace {

using namespace bindcast;
using fuzz::require;

constexpr std::size_t kMostFaults = 51;  // 50, and one that says there are more
constexpr std::size_t kLongestFault = 2000;

void require_readable(const std::vector<ConfigFault>& faults, std::size_t lines) {
  for (const ConfigFault& fault : faults) {
    fuzz::require_line(fault.text(), kLongestFault);
    require(fault.line <= lines, "a fault's line is one of the file", fault.text());
    require(!fault.message.empty(), "a fault says what is wrong");
  }
}

// Every value as the list of changes shows it: what was accepted is accepted again, and means the same.
void require_readable_again(const Options& options) {
  for (const auto& item : options_table()) {
    if (item.kind == ItemKind::entries || item.kind == ItemKind::mapping) continue;  // shown entry by entry
    const std::string path(item.path);
    std::vector<ShownValue> shown, shown_again;
    item.show(options, path, shown);
    for (const ShownValue& value : shown) {
      Reader reader("again");
      Options again;
      const auto node = parse_yaml(value.text, reader);
      require(node.has_value(), "a shown value is YAML", path + ": " + value.text);
      if (node->kind == YamlNode::Kind::null) continue;
      item.read(*node, again, reader, path);
      require(reader.fault_count() == 0, "an accepted value is accepted again", path + ": " + value.text);
      item.show(again, path, shown_again);
    }
    for (std::size_t i = 0; i < shown_again.size(); ++i)
      require(shown_again[i].text == shown[i].text, "a shown value is what was read",
              path + ": " + shown[i].text + " → " + shown_again[i].text);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view yaml(reinterpret_cast<const char*>(data), size);
  const LoadResult result = load_options_text(yaml, "bindcast.yaml");
  const auto ends_line = [](char c) { return c == '\n' || c == '\r'; };
  const auto lines = static_cast<std::size_t>(std::ranges::count_if(yaml, ends_line));
  require(result.faults.size() <= kMostFaults, "the faults are bounded");
  // Unicode's line ends count for libyaml, each of two or three bytes, and so does the end of the text.
  require_readable(result.faults, lines + 2 + size / 2);
  if (result.ok()) {
    require(changed_options(result.options, result.options).empty(), "options do not differ from themselves");
    require_readable_again(result.options);
  }
  return 0;
}
