// The flat tree of values. See fields.hpp.
//
// Layout: nodes_ holds every value in pre-order, each with the index one past its last descendant; a sibling is found
// by jumping there. Nothing is allocated until the first value arrives, so an unused Fields costs nothing.
// Bounds: 16 MiB of nodes and text, and containers nested 64 deep. A value past a bound is left out, a container with
// everything put into it, and the matching end() is still taken; what is already there stays intact.
#include "events/fields.hpp"

#include <limits>

namespace bindcast {
namespace {

constexpr std::size_t kMaxBytes = 16 * 1024 * 1024;
constexpr std::size_t kMaxOpen = 64;
// In `open_`: a container that was left out.
constexpr std::uint32_t kLeftOut = std::numeric_limits<std::uint32_t>::max();

// A query event holds about 25 values and 300 bytes of text.
constexpr std::size_t kFirstNodes = 32;
constexpr std::size_t kFirstText = 384;

}  // namespace

// ── Reading ───────────────────────────────────────────────────────────────────

std::int64_t Fields::Value::integer() const noexcept {
  switch (kind()) {
    case Kind::integer:
      return fields_->nodes_[index_].integer;
    case Kind::real: {
      const double value = fields_->nodes_[index_].real;
      // 2^63 is exact as a double; what lies outside would be undefined to convert.
      if (!(value >= -0x1p63)) return value < 0 ? std::numeric_limits<std::int64_t>::min() : 0;
      if (value >= 0x1p63) return std::numeric_limits<std::int64_t>::max();
      return static_cast<std::int64_t>(value);
    }
    default:
      return 0;
  }
}

double Fields::Value::real() const noexcept {
  switch (kind()) {
    case Kind::integer:
      return static_cast<double>(fields_->nodes_[index_].integer);
    case Kind::real:
      return fields_->nodes_[index_].real;
    default:
      return 0;
  }
}

Fields::Value Fields::Value::find(std::string_view key) const noexcept {
  if (kind() != Kind::object) return {};
  for (Value child = first(); child; child = child.next()) {
    if (child.key() == key) return child;
  }
  return {};
}

bool Fields::empty() const noexcept {
  return nodes_.size() <= 1;
}

Fields::Value Fields::root() const noexcept {
  Value value;
  value.fields_ = this;
  value.end_ = static_cast<std::uint32_t>(nodes_.size());
  return value;
}

Fields::Value Fields::find(std::string_view path) const noexcept {
  Value value = root();
  while (value) {
    // A key may itself hold dots, so the whole rest of the path is tried first.
    if (const Value whole = value.find(path)) return whole;
    const std::size_t dot = path.find('.');
    if (dot == std::string_view::npos) break;
    value = value.find(path.substr(0, dot));
    path.remove_prefix(dot + 1);
  }
  return {};
}

std::size_t Fields::bytes() const noexcept {
  static const std::size_t kInPlace = std::string().capacity();
  return nodes_.capacity() * sizeof(Node) + open_.capacity() * sizeof(std::uint32_t) +
         (text_.capacity() > kInPlace ? text_.capacity() + 1 : 0);
}

// ── Building ──────────────────────────────────────────────────────────────────

Fields::Fields() = default;

void Fields::clear() noexcept {
  nodes_.clear();
  open_.clear();
  text_.clear();
}

std::uint32_t Fields::store(std::string_view text) {
  const auto at = static_cast<std::uint32_t>(text_.size());
  text_.append(text);
  return at;
}

bool Fields::fits(std::size_t text_bytes) {
  if (nodes_.empty()) {
    nodes_.reserve(kFirstNodes);
    text_.reserve(kFirstText);
    open_.reserve(4);
    nodes_.push_back({.kind = Kind::object, .key_at = 0, .key_size = 0, .end = 1, .integer = 0});
    open_.push_back(0);
  }
  if (open_.back() == kLeftOut) return false;
  const std::size_t used = text_.size() + (nodes_.size() + 1) * sizeof(Node);
  return used <= kMaxBytes && text_bytes <= kMaxBytes - used;
}

Fields::Node& Fields::append(Kind kind, std::string_view key) {
  if (nodes_[open_.back()].kind == Kind::array) key = {};
  Node node{
      .kind = kind, .key_at = store(key), .key_size = static_cast<std::uint32_t>(key.size()), .end = 0, .integer = 0};
  node.end = static_cast<std::uint32_t>(nodes_.size() + 1);
  nodes_.push_back(node);
  // Open containers reach to the last value, so that a Fields can be read at any moment.
  for (const std::uint32_t container : open_) nodes_[container].end = node.end;
  return nodes_.back();
}

Fields& Fields::add(std::string_view key, std::string_view text) {
  if (!fits(key.size() + text.size())) return *this;
  Node& node = append(Kind::text, key);
  node.text.size = static_cast<std::uint32_t>(text.size());
  node.text.at = store(text);
  return *this;
}

Fields& Fields::add_integer(std::string_view key, std::int64_t value) {
  if (fits(key.size())) append(Kind::integer, key).integer = value;
  return *this;
}

Fields& Fields::add_real(std::string_view key, double value) {
  if (fits(key.size())) append(Kind::real, key).real = value;
  return *this;
}

Fields& Fields::add_boolean(std::string_view key, bool value) {
  if (fits(key.size())) append(Kind::boolean, key).boolean = value;
  return *this;
}

Fields& Fields::add_null(std::string_view key) {
  if (fits(key.size())) append(Kind::null, key);
  return *this;
}

Fields& Fields::begin(Kind kind, std::string_view key) {
  if (fits(key.size()) && open_.size() < kMaxOpen) {
    const auto index = static_cast<std::uint32_t>(nodes_.size());
    append(kind, key);
    open_.push_back(index);
  } else {
    open_.push_back(kLeftOut);
  }
  return *this;
}

Fields& Fields::begin_object(std::string_view key) {
  return begin(Kind::object, key);
}
Fields& Fields::begin_array(std::string_view key) {
  return begin(Kind::array, key);
}

Fields& Fields::end() {
  if (open_.size() > 1) open_.pop_back();
  return *this;
}

Fields& Fields::add_copy(std::string_view key, Value value) {
  if (!value) return *this;
  if (value.fields_ == this) {
    // Appending moves the text that the value's keys and texts refer to.
    const Fields source = *this;
    value.fields_ = &source;
    return add_copy(std::string(key), value);
  }
  switch (value.kind()) {
    case Kind::null:
      return add_null(key);
    case Kind::boolean:
      return add_boolean(key, value.boolean());
    case Kind::integer:
      return add_integer(key, value.integer());
    case Kind::real:
      return add_real(key, value.real());
    case Kind::text:
      return add(key, value.text());
    case Kind::array:
    case Kind::object:
      begin(value.kind(), key);
      for (Value child = value.first(); child; child = child.next()) add_copy(child.key(), child);
      return end();
  }
  return *this;
}

}  // namespace bindcast
