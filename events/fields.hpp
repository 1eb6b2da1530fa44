// A JSON-like tree of named values in one flat buffer: the `data` and `custom_fields` of an event.
//
// Built once by appending (begin/add/end), then read many times: by the filter, which looks fields up by name, and by
// the JSON writer, which walks it in order. Two growing buffers and no node allocations, because the hot path makes
// one of these for every query. A Fields owns all its text. Not thread safe while it is being built; afterwards any
// number of threads may read it. Bounded: 16 MiB of values and text, containers nested 64 deep; what does not fit is
// left out and the rest stays intact.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bindcast {

class Fields {
 public:
  enum class Kind : std::uint8_t { null, boolean, integer, real, text, array, object };

  // One value inside a Fields, valid while that Fields lives unchanged.
  class Value {
   public:
    [[nodiscard]] Kind kind() const noexcept;
    [[nodiscard]] std::string_view key() const noexcept;   // empty inside an array
    [[nodiscard]] bool boolean() const noexcept;           // false unless kind() is boolean
    [[nodiscard]] std::int64_t integer() const noexcept;   // a real is truncated; 0 for other kinds
    [[nodiscard]] double real() const noexcept;            // an integer is converted; 0 for other kinds
    [[nodiscard]] std::string_view text() const noexcept;  // empty unless kind() is text

    // Children of an array or object, in order. `for (auto v = x.first(); v; v = v.next())`.
    [[nodiscard]] Value first() const noexcept;
    [[nodiscard]] Value next() const noexcept;
    [[nodiscard]] Value find(std::string_view key) const noexcept;  // a child by name; empty when absent
    [[nodiscard]] explicit operator bool() const noexcept { return fields_ != nullptr; }

   private:
    friend class Fields;
    const Fields* fields_ = nullptr;
    std::uint32_t index_ = 0;
    std::uint32_t end_ = 0;  // one past the last sibling
  };

  Fields();

  // Appending. `key` is ignored while the innermost open container is an array. Neither `key` nor `text` may point
  // into this same Fields.
  Fields& add(std::string_view key, std::string_view text);
  Fields& add(std::string_view key, const char* text) { return add(key, std::string_view(text)); }
  Fields& add_integer(std::string_view key, std::int64_t value);
  Fields& add_real(std::string_view key, double value);
  Fields& add_boolean(std::string_view key, bool value);
  Fields& add_null(std::string_view key);
  Fields& begin_object(std::string_view key);
  Fields& begin_array(std::string_view key);
  Fields& end();  // closes the innermost open container
  // Appends a deep copy of `value` under `key`.
  Fields& add_copy(std::string_view key, Value value);

  // Keeps the buffers' capacity, so that a reused Fields does not allocate.
  void clear() noexcept;
  [[nodiscard]] bool empty() const noexcept;

  [[nodiscard]] Value root() const noexcept;  // the outermost object
  // A value by dotted path ("edns.udp_size"); empty when absent.
  [[nodiscard]] Value find(std::string_view path) const noexcept;
  // Bytes held, for bounded queues.
  [[nodiscard]] std::size_t bytes() const noexcept;

 private:
  struct Node {
    Kind kind;
    std::uint32_t key_at, key_size;
    std::uint32_t end;  // containers: index one past the last descendant; others: own index + 1
    union {
      bool boolean;
      std::int64_t integer;
      double real;
      struct {
        std::uint32_t at, size;
      } text;
    };
  };
  bool fits(std::size_t text_bytes);  // may a value with so much text be appended here?
  Node& append(Kind kind, std::string_view key);
  Fields& begin(Kind kind, std::string_view key);
  std::uint32_t store(std::string_view text);

  std::vector<Node> nodes_;          // pre-order; nodes_[0] is the root object, made with the first value
  std::vector<std::uint32_t> open_;  // indices of open containers, the root first
  std::string text_;
};

// What the JSON writer and the filter call for every value of every event stands here, to be inlined.

inline Fields::Kind Fields::Value::kind() const noexcept {
  if (fields_ == nullptr) return Kind::null;
  // The root of a Fields that holds nothing has no node.
  if (index_ >= fields_->nodes_.size()) return Kind::object;
  return fields_->nodes_[index_].kind;
}

inline std::string_view Fields::Value::key() const noexcept {
  if (fields_ == nullptr || index_ >= fields_->nodes_.size()) return {};
  const Node& node = fields_->nodes_[index_];
  return {fields_->text_.data() + node.key_at, node.key_size};
}

inline bool Fields::Value::boolean() const noexcept {
  return kind() == Kind::boolean && fields_->nodes_[index_].boolean;
}

inline std::string_view Fields::Value::text() const noexcept {
  if (kind() != Kind::text) return {};
  const Node& node = fields_->nodes_[index_];
  return {fields_->text_.data() + node.text.at, node.text.size};
}

inline Fields::Value Fields::Value::first() const noexcept {
  Value child;
  if (fields_ == nullptr || index_ >= fields_->nodes_.size()) return child;
  const Node& node = fields_->nodes_[index_];
  if (node.end == index_ + 1) return child;
  child.fields_ = fields_;
  child.index_ = index_ + 1;
  child.end_ = node.end;
  return child;
}

inline Fields::Value Fields::Value::next() const noexcept {
  Value sibling;
  if (fields_ == nullptr || index_ >= fields_->nodes_.size()) return sibling;
  const std::uint32_t after = fields_->nodes_[index_].end;
  if (after >= end_) return sibling;
  sibling.fields_ = fields_;
  sibling.index_ = after;
  sibling.end_ = end_;
  return sibling;
}

}  // namespace bindcast
