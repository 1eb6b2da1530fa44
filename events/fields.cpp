// The flat tree of values. See fields.hpp.
//
// Layout: nodes_ holds every value in pre-order, each with the index one past its last descendant; a sibling is found
// by jumping there. Nothing is allocated until the first value arrives, so an unused Fields costs nothing.
// text_ holds keys and texts as JSON has them, `"key":` and `"text"`, the key of a text right before it: where nothing
// in them needs an escape, which their nodes tell, the JSON writer copies both in one piece. Offsets lead to what
// stands between the quotes. Bounds: 16 MiB of nodes and text, and containers nested 64 deep. A value past a bound is
// left out, a container with everything put into it, and the matching end() is still taken; what is already there stays
// intact.
#include "events/fields.hpp"

#include <limits>

namespace bindcast {
namespace {

constexpr std::size_t kMaxBytes = 16 * 1024 * 1024;
constexpr std::size_t kMaxOpen = 64;

// A query event holds about 25 values and 400 bytes of text.
constexpr std::size_t kFirstNodes = 32;
constexpr std::size_t kFirstText = 512;

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
  return nodes_.capacity() * sizeof(Node) + (text_.capacity() > kInPlace ? text_.capacity() + 1 : 0);
}

// ── Building ──────────────────────────────────────────────────────────────────

Fields::Fields() = default;

void Fields::clear() noexcept {
  nodes_.clear();
  text_used_ = 0;
}

// The root. Not before the first value, and again after the content was moved away.
void Fields::start() {
  nodes_.reserve(kFirstNodes);
  nodes_.emplace_back().end = kOpen;
  innermost_ = left_out_ = 0;
  open_ = 1;
  in_array_ = false;
  text_used_ = 0;
  if (text_.size() < kFirstText) text_.resize(kFirstText);
}

void Fields::grow(std::size_t bytes) {
  text_.resize(std::max(text_used_ + bytes, 2 * text_.size()));
}

Fields::Node* Fields::append(Kind kind, Key key, std::size_t text_bytes) {
  if (nodes_.empty()) start();
  if (left_out_ != 0) return nullptr;
  constexpr std::size_t kQuotes = 5;  // and a colon
  const std::size_t bytes = kQuotes + key.size_ + text_bytes;
  const std::size_t used = text_used_ + (nodes_.size() + 1) * sizeof(Node);
  if (used > kMaxBytes || bytes > kMaxBytes - used) return nullptr;
  if (text_.size() - text_used_ < bytes + kBlockBytes) grow(bytes + kBlockBytes);

  const auto end = static_cast<std::uint32_t>(nodes_.size() + 1);
  // Filled in where it stays: a copy of one just written member by member waits for all of them.
  Node& node = nodes_.emplace_back();
  node.kind = kind;
  node.end = end;
  if (in_array_) return &node;

  node.plain_key = key.quoted_ != 0;
  node.key_at = static_cast<std::uint32_t>(text_used_ + 1);
  node.key_size = static_cast<std::uint32_t>(key.size_);
  char* const at = text_.data() + text_used_;
  text_used_ += key.size_ + 3;
  if (key.quoted_ != 0) {
    std::memcpy(at, key.text_, kBlockBytes);
  } else {
    at[0] = '"';
    std::memcpy(copy_text(at + 1, {key.text_, key.size_}), "\":", 2);
  }
  return &node;
}

char* Fields::begin_text(Key key, std::size_t max_bytes) {
  Node* const node = append(Kind::text, key, max_bytes);
  if (node == nullptr) return nullptr;
  char* const at = text_.data() + text_used_;
  *at = '"';
  node->text.at = static_cast<std::uint32_t>(++text_used_);
  return at + 1;
}

void Fields::end_text(char* end) {
  *end = '"';
  const auto used = static_cast<std::size_t>(end - text_.data());
  nodes_.back().text.size = static_cast<std::uint32_t>(used - text_used_);
  text_used_ = used + 1;
}

Fields& Fields::add(Key key, std::string_view text) {
  return add_text_with(key, text.size(), [text](char* at) { return copy_text(at, text); });
}

Fields& Fields::add_integer(Key key, std::int64_t value) {
  if (Node* const node = append(Kind::integer, key)) node->integer = value;
  return *this;
}

Fields& Fields::add_real(Key key, double value) {
  if (Node* const node = append(Kind::real, key)) node->real = value;
  return *this;
}

Fields& Fields::add_boolean(Key key, bool value) {
  if (Node* const node = append(Kind::boolean, key)) node->boolean = value;
  return *this;
}

Fields& Fields::add_null(Key key) {
  append(Kind::null, key);
  return *this;
}

Fields& Fields::begin(Kind kind, Key key) {
  if (nodes_.empty()) start();
  const auto index = static_cast<std::uint32_t>(nodes_.size());
  Node* const node = open_ < kMaxOpen ? append(kind, key) : nullptr;
  if (node == nullptr) {
    ++left_out_;
    return *this;
  }
  node->end = kOpen;
  node->parent = innermost_;
  innermost_ = index;
  ++open_;
  in_array_ = kind == Kind::array;
  return *this;
}

Fields& Fields::begin_object(Key key) {
  return begin(Kind::object, key);
}
Fields& Fields::begin_array(Key key) {
  return begin(Kind::array, key);
}

Fields& Fields::end() {
  if (nodes_.empty()) return *this;
  if (left_out_ != 0) {
    --left_out_;
  } else if (open_ > 1) {
    Node& closed = nodes_[innermost_];
    closed.end = static_cast<std::uint32_t>(nodes_.size());
    innermost_ = closed.parent;
    in_array_ = nodes_[innermost_].kind == Kind::array;
    --open_;
  }
  return *this;
}

Fields& Fields::add_copy(Key key, Value value) {
  if (!value) return *this;
  if (value.fields_ == this) {
    // Appending moves the text that the value's keys and texts refer to.
    const Fields source = *this;
    value.fields_ = &source;
    if (key.quoted_) return add_copy(key, value);
    return add_copy(std::string(key.text_, key.size_), value);
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
