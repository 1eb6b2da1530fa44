// YAML text as a tree of plain values, with lines. The only file that knows libyaml is yaml.cpp.
//
// Bounded: kMaxConfigBytes, kMaxYamlDepth; anchors and aliases are refused, so the tree is never larger than the text.
// Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/reader.hpp"

namespace bindcast {

inline constexpr std::size_t kMaxYamlDepth = 16;

struct YamlNode {
  enum class Kind : std::uint8_t { null, scalar, sequence, mapping };
  Kind kind = Kind::null;
  bool refused = false;            // a fault was already reported in place of this value
  bool quoted = false;             // scalars: in quotes or a block, so never a number or a boolean
  std::size_t line = 0;            // from 1
  std::string text;                // scalars
  std::string key;                 // children of a mapping
  std::size_t key_line = 0;        // the same
  std::vector<YamlNode> children;  // of sequences and mappings, in the order of the file

  [[nodiscard]] const YamlNode* find(std::string_view name) const noexcept;  // a child by key; nullptr when absent
};

// Nothing when the text is not YAML at all (the fault is in `reader`); an empty text is a null node. Faults that leave
// the rest readable (a duplicate key, an anchor) are reported too, and the tree goes on without what they concern.
[[nodiscard]] std::optional<YamlNode> parse_yaml(std::string_view text, Reader& reader);

}  // namespace bindcast
