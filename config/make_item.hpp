// Makes items: one function for each kind, given the place in the record that the key fills.
//
// `at` is a callable that returns a reference to that place; OPTION(a.b) gives both the path "a.b" and such a callable.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "config/item.hpp"
#include "config/names.hpp"
#include "config/values.hpp"

// The key and the member of the same name.
#define OPTION(member)                 \
#member, [](auto& record) -> auto& { \
    return record.member;              \
  }
// A key whose member is called otherwise.
#define OPTION_AT(path, member)     \
  path, [](auto& record) -> auto& { \
    return record.member;           \
  }

namespace bindcast {

template <class T>
struct Bare {
  using Type = std::remove_cv_t<std::remove_reference_t<T>>;
};
template <class T>
struct Bare<std::optional<T>> : Bare<T> {};

template <class Record>
struct MakeItem {
  using Made = Item<Record>;
  using Path = std::string_view;
  using Text = std::string_view;
  template <class At>
  using Place = std::remove_cv_t<std::remove_reference_t<std::invoke_result_t<At, Record&>>>;

  template <class At>
  static Made boolean(Path path, At at, Text fallback, Text doc, unsigned flags = 0) {
    return scalar({path, ItemKind::boolean, "", fallback, doc, flags, ""}, at, read_boolean,
                  [](bool value) { return std::string(value ? "true" : "false"); });
  }

  template <class At>
  static Made integer(Path path, At at, Text fallback, IntegerRange range, Text doc, unsigned flags = 0) {
    return scalar({path, ItemKind::integer, range.text(), fallback, doc, flags, ""}, at, bound(read_integer, range),
                  [](auto value) { return write_integer(static_cast<std::uint64_t>(value)); });
  }

  template <class At>
  static Made real(Path path, At at, Text fallback, RealRange range, Text doc, unsigned flags = 0) {
    return scalar({path, ItemKind::real, range.text(), fallback, doc, flags, ""}, at, bound(read_real, range),
                  write_real);
  }

  template <class At>
  static Made size(Path path, At at, Text fallback, SizeRange range, Text doc, unsigned flags = 0) {
    return scalar({path, ItemKind::size, range.text(), fallback, doc, flags, ""}, at, bound(read_size, range),
                  write_size);
  }

  template <class At>
  static Made duration(Path path, At at, Text fallback, DurationRange range, Text doc, unsigned flags = 0) {
    return scalar({path, ItemKind::duration, range.text(), fallback, doc, flags, ""}, at, bound(read_duration, range),
                  write_duration);
  }

  template <class At>
  static Made text(Path path, At at, Text fallback, TextRule rule, Text doc, unsigned flags = 0) {
    return scalar({path, ItemKind::text, "", fallback, doc, flags, ""}, at, bound(read_text, rule), write_text);
  }

  template <class At>
  static Made path(Path path, At at, Text fallback, TextRule rule, Text doc, unsigned flags = 0) {
    return scalar({path, ItemKind::path, "", fallback, doc, flags, ""}, at, bound(read_text, rule), write_text);
  }

  template <class At>
  static Made expression(Path path, At at, Text fallback, Text doc, unsigned flags = 0) {
    return scalar({path, ItemKind::expression, "", fallback, doc, flags, ""}, at, read_expression, write_text);
  }

  // The place is an enumeration, or an optional one.
  template <class At>
  static Made enumeration(Path path, At at, Text fallback, Text doc, unsigned flags = 0) {
    using E = typename Bare<Place<At>>::Type;
    return scalar({path, ItemKind::enumeration, join(names_of<E>()), fallback, doc, flags, ""}, at, read_name<E>,
                  [](E value) { return std::string(name_of(value)); });
  }

  template <class At>
  static Made text_list(Path path, At at, Text fallback, TextRule rule, Text doc, unsigned flags = 0) {
    return list({path, ItemKind::text_list, "", fallback, doc, flags, ""}, at, bound(read_text, rule), write_text);
  }

  // The place is a vector, or an optional one.
  template <class At>
  static Made name_list(Path path, At at, Text fallback, Text doc, unsigned flags = 0) {
    using E = typename Bare<Place<At>>::Type::value_type;
    std::string accepts = std::is_same_v<E, EventType> ? "event types" : join(names_of<E>());
    return list({path, ItemKind::name_list, std::move(accepts), fallback, doc, flags, ""}, at, read_name<E>,
                [](E value) { return std::string(name_of(value)); });
  }

  // A list whose place is a vector, and whose elements are records of their own. `label` names an element to people.
  template <class At, class Entry>
  static Made entries(Path path, At at, const Table<Entry>& table, std::string (*label)(const Entry&, std::size_t),
                      Text doc, Text sample, unsigned flags = 0) {
    Made item{{path, ItemKind::entries, "", "[]", doc, flags, sample}, {}, {}, {table.begin(), table.end()}};
    item.read = [at, &table](const YamlNode& node, Record& record, Reader& reader, const std::string& key) {
      if (!check_sequence(node, reader, key)) return;
      for (const YamlNode& child : node.children) {
        auto& entry = at(record).emplace_back();
        const std::string place = key + "[" + std::to_string(at(record).size() - 1) + "]";
        reader.written(place, child.line);
        read_entry(table, child, place, entry, reader);
      }
    };
    item.show = [at, &table, label](const Record& record, const std::string& key, std::vector<ShownValue>& out) {
      std::size_t index = 0;
      for (const auto& entry : at(record)) {
        const std::string place = key + "[" + label(entry, index++) + "]";
        for (const auto& part : table) show_item(part, entry, place + "." + std::string(part.path), out);
      }
    };
    return item;
  }

  // Keys of the admin's own, each with a record. `key_from` reads a key or reports a fault; `key_text` writes it.
  template <class At, class Key, class Entry>
  static Made keyed(Path path, At at, const Table<Entry>& table,
                    std::optional<Key> (*key_from)(const YamlNode&, Reader&, const std::string&),
                    std::string (*key_text)(const Key&), Text doc, Text sample, unsigned flags = 0) {
    Made item{{path, ItemKind::mapping, "", "{}", doc, flags, sample}, {}, {}, {table.begin(), table.end()}};
    item.read = [at, &table, key_from](const YamlNode& node, Record& record, Reader& reader, const std::string& key) {
      if (!check_mapping(node, reader, key)) return;
      for (const YamlNode& child : node.children) {
        const std::string place = key + "." + child.key;
        reader.written(place, child.key_line);
        const auto name = key_from(child, reader, place);
        if (name) read_entry(table, child, place, at(record)[*name], reader);
      }
    };
    item.show = [at, &table, key_text](const Record& record, const std::string& key, std::vector<ShownValue>& out) {
      for (const auto& [name, entry] : at(record)) {
        const std::string place = key + "." + key_text(name) + ".";
        for (const auto& part : table) show_item(part, entry, place + std::string(part.path), out);
      }
    };
    return item;
  }

  // One value, read by `read_one(node, reader, key)` and written by `write_one(value)`.
  template <class At, class ReadOne, class WriteOne>
  static Made scalar(ItemText about, At at, ReadOne read_one, WriteOne write_one) {
    Made item{std::move(about), {}, {}, {}};
    item.read = [at, read_one](const YamlNode& node, Record& record, Reader& reader, const std::string& key) {
      using Value = typename Bare<Place<At>>::Type;
      if (auto value = read_one(node, reader, key)) at(record) = static_cast<Value>(std::move(*value));
    };
    const bool secret = (item.flags & kSecret) != 0;
    item.show = [at, write_one, secret](const Record& record, const std::string& key, std::vector<ShownValue>& out) {
      const auto& place = at(record);
      if constexpr (std::is_same_v<Place<At>, typename Bare<Place<At>>::Type>) {
        out.push_back({key, write_one(place), secret});
      } else if (place) {
        out.push_back({key, write_one(*place), secret});
      }
    };
    return item;
  }

 private:
  template <class E>
  static std::optional<E> read_name(const YamlNode& node, Reader& reader, const std::string& key) {
    const auto index = read_enumeration(node, reader, key, names_of<E>());
    return index ? std::optional<E>(static_cast<E>(*index)) : std::nullopt;
  }

  template <class Read, class Limit>
  static auto bound(Read read, Limit limit) {
    return [read, limit](const YamlNode& node, Reader& reader, const std::string& key) {
      return read(node, reader, key, limit);
    };
  }

  template <class At, class ReadOne, class WriteOne>
  static Made list(ItemText about, At at, ReadOne read_one, WriteOne write_one) {
    using List = typename Bare<Place<At>>::Type;
    const auto read_list = [read_one](const YamlNode& node, Reader& reader, const std::string& key) {
      std::optional<List> values;
      if (!check_sequence(node, reader, key)) return values;
      values.emplace();
      std::size_t index = 0;
      for (const YamlNode& child : node.children) {
        const std::string place = key + "[" + std::to_string(index++) + "]";
        reader.written(place, child.line);
        if (auto value = read_one(child, reader, place)) values->push_back(std::move(*value));
      }
      return values;
    };
    const auto write_values = [write_one](const List& values) {
      std::vector<std::string> written;
      for (const auto& value : values) written.push_back(write_one(value));
      return write_list(written);
    };
    return scalar(std::move(about), at, read_list, write_values);
  }
};

}  // namespace bindcast
