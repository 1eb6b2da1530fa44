// A JSON-like tree of named values in one flat buffer: the `data` and `custom_fields` of an event.
//
// Built once by appending (begin/add/end), then read many times: by the filter, which looks fields up by name, and by
// the JSON writer, which walks it in order. Two growing buffers and no node allocations, because the hot path makes
// one of these for every query. A Fields owns all its text. Not thread safe while it is being built; afterwards any
// number of threads may read it. Bounded: 16 MiB of values and text, containers nested 64 deep; what does not fit is
// left out and the rest stays intact.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "events/plain_text.hpp"

namespace bindcast {

// A key that stands in the source, made by the compiler into what is stored: "qname"_key is `"qname":` and needs
// neither a look for escapes nor a copy of odd length. One that is too long or not plain does not compile.
struct QuotedKey {
  char text[kBlockBytes] = {};
  std::uint8_t key_bytes = 0;

  template <std::size_t size>
  consteval QuotedKey(const char (&key)[size]) : key_bytes(size - 1) {
    static_assert(size + 2 <= kBlockBytes, "too long for a key made by the compiler");
    if (!std::all_of(key, key + size - 1, is_plain)) throw "not plain";
    text[0] = '"';
    std::copy_n(key, size - 1, text + 1);
    text[size] = '"';
    text[size + 1] = ':';
  }
  [[nodiscard]] constexpr std::string_view quoted() const noexcept { return {text, key_bytes + 3U}; }
};

class Fields {
 public:
  // How a key is handed over: any text, or a "literal"_key, which is quicker. Borrows it.
  class Key {
   public:
    constexpr Key() = default;
    constexpr Key(const QuotedKey& key) noexcept : text_(key.text), size_(key.key_bytes), quoted_(1) {}
    template <std::convertible_to<std::string_view> Text>
    constexpr Key(const Text& key) noexcept {
      const std::string_view text(key);
      text_ = text.data();
      size_ = text.size();
    }

   private:
    friend class Fields;

    const char* text_ = nullptr;
    std::size_t size_ : 63 = 0;  // without quotes
    std::size_t quoted_ : 1 = 0;
  };

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
    friend class JsonSink;
    const Fields* fields_ = nullptr;
    std::uint32_t index_ = 0;
    std::uint32_t end_ = 0;  // one past the last sibling
  };

  Fields();

  // Appending. `key` is ignored while the innermost open container is an array. Neither `key` nor `text` may point
  // into this same Fields.
  Fields& add(Key key, std::string_view text);
  // A text of at most `max_bytes` that write(char* at) puts there, returning its end. It must not throw, and may use
  // kBlockBytes more behind the text.
  template <typename Write>
  Fields& add_text_with(Key key, std::size_t max_bytes, const Write& write) {
    if (char* const at = begin_text(key, max_bytes)) end_text(write(at));
    return *this;
  }
  Fields& add_integer(Key key, std::int64_t value);
  Fields& add_real(Key key, double value);
  Fields& add_boolean(Key key, bool value);
  Fields& add_null(Key key);
  Fields& begin_object(Key key);
  Fields& begin_array(Key key);
  Fields& end();  // closes the innermost open container
  // Appends a deep copy of `value` under `key`.
  Fields& add_copy(Key key, Value value);

  // Keeps the buffers' capacity, so that a reused Fields does not allocate.
  void clear() noexcept;
  [[nodiscard]] bool empty() const noexcept;

  [[nodiscard]] Value root() const noexcept;  // the outermost object
  // A value by dotted path ("edns.udp_size"); empty when absent.
  [[nodiscard]] Value find(std::string_view path) const noexcept;
  // Bytes held, for bounded queues.
  [[nodiscard]] std::size_t bytes() const noexcept;

 private:
  friend class JsonSink;

  struct Node {
    Kind kind = Kind::object;
    bool plain_key = true;  // known to need no escape in JSON
    std::uint32_t key_at = 0, key_size = 0;
    std::uint32_t end = 0;  // containers: index one past the last descendant, or kOpen; others: own index + 1
    union {
      bool boolean;
      std::int64_t integer = 0;
      double real;
      std::uint32_t parent;  // of a container
      struct {
        std::uint32_t at, size;
      } text;
    };
  };
  // In `end`: whatever is appended next belongs to this container, so that all can be read at any moment.
  static constexpr std::uint32_t kOpen = std::numeric_limits<std::uint32_t>::max();

  [[nodiscard]] std::uint32_t end_of(const Node& node) const noexcept {
    return std::min(node.end, static_cast<std::uint32_t>(nodes_.size()));
  }
  void start();
  void grow(std::size_t bytes);
  Node* append(Kind kind, Key key, std::size_t text_bytes = 0);  // null: it does not fit, or its container did not
  char* begin_text(Key key, std::size_t max_bytes);
  void end_text(char* end);
  Fields& begin(Kind kind, Key key);

  std::vector<Node> nodes_;  // pre-order; nodes_[0] is the root object, made with the first value
  std::string text_;         // always at least kBlockBytes longer than what is used of it
  std::size_t text_used_ = 0;
  // The innermost open container, and how many are open. start() sets these.
  std::uint32_t innermost_ = 0;
  std::uint32_t open_ = 0;
  std::uint32_t left_out_ = 0;  // open containers that were left out
  bool in_array_ = false;
};

template <QuotedKey key>
consteval const QuotedKey& operator""_key() {
  return key;
}

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
  const std::uint32_t end = fields_->end_of(fields_->nodes_[index_]);
  if (end == index_ + 1) return child;
  child.fields_ = fields_;
  child.index_ = index_ + 1;
  child.end_ = end;
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
