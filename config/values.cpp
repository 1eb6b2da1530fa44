// Numbers, sizes, durations, booleans and words.
//
// See values.hpp. Texts with rules of their own are in texts.cpp.
#include "config/values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace bindcast {

namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
// Largest first, so that writing finds the shortest text.
constexpr std::array<Unit, 5> kDurationUnits{
    {{"d", 86'400'000'000}, {"h", 3'600'000'000}, {"m", 60'000'000}, {"s", 1'000'000}, {"ms", 1'000}}};
constexpr std::array<Unit, 4> kSizeUnits{{{"GiB", kGiB}, {"MiB", kMiB}, {"KiB", kKiB}, {"", 1}}};

std::string quoted(std::string_view text) {
  return "\"" + shown(text) + "\"";
}

void fault(const YamlNode& node, Reader& reader, const std::string& key, std::string message) {
  reader.fault(node.line, key, std::move(message));
}

void fault_range(const YamlNode& node, Reader& reader, const std::string& key, const std::string& range) {
  fault(node, reader, key, shown(node.text) + " is out of range; accepted: " + range);
}

std::string_view kind_text(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::sequence:
      return "a list";
    case YamlNode::Kind::mapping:
      return "a mapping";
    case YamlNode::Kind::scalar:
      return "a single value";
    case YamlNode::Kind::null:
      break;
  }
  return "nothing";
}

// A number and the unit behind it.
struct Quantity {
  std::uint64_t number = 0;
  std::string_view unit;
  bool too_large = false;
};

std::optional<Quantity> split_quantity(std::string_view text) {
  Quantity quantity;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, quantity.number);
  if (error == std::errc::invalid_argument) return std::nullopt;
  quantity.too_large = error == std::errc::result_out_of_range;
  quantity.unit = {rest, static_cast<std::size_t>(end - rest)};
  return quantity;
}

template <std::size_t N>
const Unit* find_unit(const std::array<Unit, N>& units, std::string_view name) {
  const auto found = std::find_if(units.begin(), units.end(), [&](const Unit& unit) { return unit.name == name; });
  return found == units.end() ? nullptr : &*found;
}

// The product, or nothing when it does not fit what a duration in microseconds can hold.
std::optional<std::uint64_t> multiply(const Quantity& quantity, const Unit& unit) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  if (quantity.too_large || quantity.number > kMost / unit.factor) return std::nullopt;
  return quantity.number * unit.factor;
}

template <std::size_t N>
std::string write_quantity(const std::array<Unit, N>& units, std::uint64_t value) {
  const auto found = std::find_if(units.begin(), units.end() - 1,
                                  [&](const Unit& unit) { return value != 0 && value % unit.factor == 0; });
  return std::to_string(value / found->factor) + std::string(found->name);
}

// A value that must stand without quotes.
std::optional<std::string_view> read_plain(const YamlNode& node, Reader& reader, const std::string& key,
                                           std::string_view what) {
  const auto text = read_scalar(node, reader, key, what);
  if (text && node.quoted) {
    fault(node, reader, key, "text in quotes where " + std::string(what) + " is wanted; write it without quotes");
    return std::nullopt;
  }
  return text;
}

}  // namespace

std::string IntegerRange::text() const {
  std::string out = std::to_string(min) + " to " + std::to_string(max);
  if (!unit.empty()) out += " " + std::string(unit);
  return out;
}
std::string RealRange::text() const {
  return write_real(min) + " to " + write_real(max);
}
std::string SizeRange::text() const {
  return write_size(min) + " to " + write_size(max);
}
std::string DurationRange::text() const {
  return write_duration(min) + " to " + write_duration(max);
}

std::optional<std::string_view> read_scalar(const YamlNode& node, Reader& reader, const std::string& key,
                                            std::string_view what) {
  if (node.refused) return std::nullopt;
  if (node.kind == YamlNode::Kind::scalar) return node.text;
  fault(node, reader, key, "must be " + std::string(what) + ", not " + std::string(kind_text(node)));
  return std::nullopt;
}

bool check_sequence(const YamlNode& node, Reader& reader, const std::string& key) {
  if (node.refused) return false;
  if (node.kind != YamlNode::Kind::sequence) {
    fault(node, reader, key, "must be a list such as [a, b], not " + std::string(kind_text(node)));
    return false;
  }
  if (node.children.size() <= kMaxEntries) return true;
  fault(node, reader, key,
        std::to_string(node.children.size()) + " entries; accepted: at most " + std::to_string(kMaxEntries));
  return false;
}

bool check_mapping(const YamlNode& node, Reader& reader, const std::string& key) {
  if (node.refused) return false;
  if (node.kind != YamlNode::Kind::mapping) {
    fault(node, reader, key, "must be a mapping of keys to values, not " + std::string(kind_text(node)));
    return false;
  }
  if (node.children.size() <= kMaxEntries) return true;
  fault(node, reader, key,
        std::to_string(node.children.size()) + " entries; accepted: at most " + std::to_string(kMaxEntries));
  return false;
}

std::optional<bool> read_boolean(const YamlNode& node, Reader& reader, const std::string& key) {
  const auto text = read_plain(node, reader, key, "true or false");
  if (!text) return std::nullopt;
  if (*text == "true") return true;
  if (*text == "false") return false;
  fault(node, reader, key, quoted(*text) + " is not a boolean; write true or false");
  return std::nullopt;
}

std::optional<std::int64_t> read_integer(const YamlNode& node, Reader& reader, const std::string& key,
                                         const IntegerRange& range) {
  const auto text = read_plain(node, reader, key, "an integer");
  if (!text) return std::nullopt;
  std::int64_t value = 0;
  const char* end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, value);
  if (error == std::errc::invalid_argument || rest != end) {
    fault(node, reader, key, quoted(*text) + " is not an integer; accepted: " + range.text());
    return std::nullopt;
  }
  if (error == std::errc() && value >= range.min && value <= range.max) return value;
  fault_range(node, reader, key, range.text());
  return std::nullopt;
}

std::optional<double> read_real(const YamlNode& node, Reader& reader, const std::string& key, const RealRange& range) {
  const auto text = read_plain(node, reader, key, "a number");
  if (!text) return std::nullopt;
  double value = 0;
  const char* end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, value);
  if (error == std::errc::invalid_argument || rest != end || !std::isfinite(value)) {
    fault(node, reader, key, quoted(*text) + " is not a number; accepted: " + range.text());
    return std::nullopt;
  }
  if (error == std::errc() && value >= range.min && value <= range.max) return value;
  fault_range(node, reader, key, range.text());
  return std::nullopt;
}

std::optional<std::size_t> read_size(const YamlNode& node, Reader& reader, const std::string& key,
                                     const SizeRange& range) {
  const auto text = read_scalar(node, reader, key, "a size");
  if (!text) return std::nullopt;
  const auto quantity = split_quantity(*text);
  const Unit* unit = quantity ? find_unit(kSizeUnits, quantity->unit) : nullptr;
  if (unit == nullptr) {
    fault(node, reader, key,
          quoted(*text) + " is not a size; write bytes, or a number with KiB, MiB or GiB; accepted: " + range.text());
    return std::nullopt;
  }
  const auto bytes = multiply(*quantity, *unit);
  if (bytes && *bytes >= range.min && *bytes <= range.max) return static_cast<std::size_t>(*bytes);
  fault_range(node, reader, key, range.text());
  return std::nullopt;
}

std::optional<Microseconds> read_duration(const YamlNode& node, Reader& reader, const std::string& key,
                                          const DurationRange& range) {
  const auto text = read_scalar(node, reader, key, "a duration");
  if (!text) return std::nullopt;
  const auto quantity = split_quantity(*text);
  if (quantity && quantity->unit.empty() && (quantity->number != 0 || quantity->too_large)) {
    fault(node, reader, key, shown(*text) + " has no unit; write a unit: ms, s, m, h, d");
    return std::nullopt;
  }
  const Unit* unit = nullptr;
  if (quantity) unit = find_unit(kDurationUnits, quantity->unit.empty() ? "s" : quantity->unit);
  if (unit == nullptr) {
    fault(node, reader, key,
          quoted(*text) + " is not a duration; write a number and a unit: ms, s, m, h, d; accepted: " + range.text());
    return std::nullopt;
  }
  const auto us = multiply(*quantity, *unit);
  const Microseconds value(us ? static_cast<std::int64_t>(*us) : -1);
  if (us && value >= range.min && value <= range.max) return value;
  fault_range(node, reader, key, range.text());
  return std::nullopt;
}

std::optional<std::size_t> read_enumeration(const YamlNode& node, Reader& reader, const std::string& key,
                                            const std::vector<std::string_view>& names) {
  constexpr std::size_t kMaxListed = 16;
  const auto text = read_scalar(node, reader, key, names.size() > kMaxListed ? "a name" : "one of " + join(names));
  if (!text) return std::nullopt;
  const auto found = std::find(names.begin(), names.end(), *text);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  const auto hint = did_you_mean(*text, names);
  std::string message = quoted(*text) + " is not known" + (hint.empty() ? "" : ";" + hint);
  if (names.size() <= kMaxListed) message += (hint.empty() ? "; accepted: " : " accepted: ") + join(names);
  fault(node, reader, key, std::move(message));
  return std::nullopt;
}

std::string write_integer(std::uint64_t value) {
  return std::to_string(value);
}

std::string write_real(double value) {
  std::array<char, 32> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return error == std::errc() ? std::string(buffer.data(), end) : std::string();
}

std::string write_size(std::size_t bytes) {
  return write_quantity(kSizeUnits, bytes);
}

std::string write_duration(Microseconds value) {
  if (value.count() == 0) return "0s";
  return write_quantity(kDurationUnits, static_cast<std::uint64_t>(value.count()));
}

}  // namespace bindcast
