// One key of the YAML: what it is called, may be and means, and how it reaches its place in a record.
//
// A table of items describes a record (Options, or an entry of one of its lists). Parsing, config/example.yaml and the
// list of changes are all made from the tables, so no key is named twice. Tables are built once and never change; any
// thread may read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config/reader.hpp"
#include "config/yaml.hpp"

namespace bindcast {

enum class ItemKind : std::uint8_t {
  boolean,
  integer,
  real,
  size,
  duration,
  text,
  path,
  enumeration,
  expression,
  address_list,
  text_list,
  name_list,  // of an enumeration's words
  entries,    // a list of mappings
  mapping     // keys of the admin's own choice
};

[[nodiscard]] std::string_view to_text(ItemKind kind) noexcept;

enum ItemFlags : unsigned {
  kSecret = 1,     // never shown
  kRequired = 2,   // of an entry: must be written
  kReadFirst = 4,  // the others build on it, so load_options_text reads it before them
};

// What the documentation says of an item.
struct ItemText {
  std::string_view path;  // dotted, from the top of the record
  ItemKind kind = ItemKind::text;
  std::string accepts;        // range, unit or words; empty: the kind says all
  std::string_view fallback;  // the default as YAML text; empty: none
  std::string_view doc;
  unsigned flags = 0;
  std::string_view sample;  // entries and mappings: a value to copy
};

// "integer, 1 to 10000 connections; required".
[[nodiscard]] std::string what_it_may_be(const ItemText& item);

// One value as text, for people and for comparison.
struct ShownValue {
  std::string path, text;
  bool secret = false;
  const ItemText* about = nullptr;  // the key; set by show_item
};

template <class Record>
struct Item : ItemText {
  // Reads `node` into `record`, or reports a fault under `key` and leaves the place as it was.
  std::function<void(const YamlNode& node, Record& record, Reader& reader, const std::string& key)> read;
  // Appends the current value under `key`; entries and mappings append one value for each of their parts.
  std::function<void(const Record& record, const std::string& key, std::vector<ShownValue>& out)> show;
  // entries and mappings: the keys of one entry.
  std::vector<ItemText> entry_keys;
};

template <class Record>
using Table = std::vector<Item<Record>>;

// Appends the current value of `item`, or those of its entries, under `key`, each with its key of the table.
template <class Record>
void show_item(const Item<Record>& item, const Record& record, const std::string& key, std::vector<ShownValue>& out) {
  const std::size_t before = out.size();
  item.show(record, key, out);
  for (std::size_t i = before; i < out.size(); ++i)
    if (out[i].about == nullptr) out[i].about = &item;
}

// For a key that no table knows. `full` is its dotted path; `siblings` are the keys known at that place, `paths` all
// that the table has.
void fault_unknown_key(const YamlNode& node, const std::string& full, const std::vector<std::string_view>& siblings,
                       const std::vector<std::string_view>& paths, Reader& reader);

// `text` names a section when an item's path begins with it and a dot.
[[nodiscard]] bool inside_section(std::string_view path, std::string_view section) noexcept;

// Reads the keys of `node`, which stands at `section` (empty: the top) of the table and at `path` of the file.
template <class Record>
void read_keys(const Table<Record>& table, const YamlNode& node, const std::string& section, const std::string& path,
               Record& record, Reader& reader) {
  if (node.refused || node.kind == YamlNode::Kind::null) return;  // a heading with nothing under it
  if (node.kind != YamlNode::Kind::mapping) {
    reader.fault(node.line, path, "must be a mapping of keys to values");
    return;
  }
  for (const YamlNode& child : node.children) {
    if (reader.overflowed()) return;
    const std::string within = section.empty() ? child.key : section + "." + child.key;
    const std::string full = path.empty() ? child.key : path + "." + child.key;
    reader.written(full, child.key_line);
    const Item<Record>* item = nullptr;
    std::vector<std::string_view> siblings, paths;
    bool heading = false;
    for (const auto& candidate : table) {
      if (candidate.path == within) item = &candidate;
      heading = heading || inside_section(candidate.path, within);
      paths.push_back(candidate.path);
      if (!section.empty() && !inside_section(candidate.path, section)) continue;
      const auto rest = candidate.path.substr(section.empty() ? 0 : section.size() + 1);
      const auto sibling = rest.substr(0, rest.find('.'));
      if (siblings.empty() || siblings.back() != sibling) siblings.push_back(sibling);
    }
    if (item != nullptr) {
      if ((item->flags & kReadFirst) != 0) continue;
      item->read(child, record, reader, full);
    } else if (heading) {
      read_keys(table, child, within, full, record, reader);
    } else {
      fault_unknown_key(child, full, siblings, paths, reader);
    }
  }
}

// Reads one entry of a list or mapping: all its keys, and that the required ones are there.
template <class Record>
void read_entry(const Table<Record>& table, const YamlNode& node, const std::string& path, Record& record,
                Reader& reader) {
  read_keys(table, node, "", path, record, reader);
  if (node.refused || (node.kind != YamlNode::Kind::mapping && node.kind != YamlNode::Kind::null)) return;
  for (const auto& item : table) {
    if ((item.flags & kRequired) != 0 && node.find(item.path) == nullptr) {
      reader.fault(node.line, path, "`" + std::string(item.path) + "` is missing");
    }
  }
}

}  // namespace bindcast
