// Writing events as JSON. See json.hpp.
//
// Every query may become one of these, so text goes through a raw pointer into space that is asked for once per value,
// and what needs no escape (nearly all) is copied whole: a member of a Fields with its key in one piece.
#include "events/json.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "events/plain_text.hpp"
#include "events/utf8.hpp"

namespace bindcast {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

char* write_control(char* at, unsigned char byte) noexcept {
  switch (byte) {
    case '\b':
      return copy_text(at, "\\b");
    case '\f':
      return copy_text(at, "\\f");
    case '\n':
      return copy_text(at, "\\n");
    case '\r':
      return copy_text(at, "\\r");
    case '\t':
      return copy_text(at, "\\t");
    default: {
      constexpr char kHex[] = "0123456789abcdef";
      const char escaped[] = {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
      return copy_text(at, {escaped, sizeof escaped});
    }
  }
}

constexpr std::size_t kEscapedBytes = 6;

// One character that is not plain, or a broken one, in at most kEscapedBytes; takes it off the front of `text`.
char* write_special(char* at, std::string_view& text) noexcept {
  const auto lead = static_cast<unsigned char>(text.front());
  std::size_t size = 1;
  if (lead == '"' || lead == '\\') {
    *at++ = '\\';
    *at++ = text.front();
  } else if (lead < 0x20) {
    at = write_control(at, lead);
  } else if (const Utf8Character first = first_character(text); first.state != Utf8Character::State::whole) {
    at = copy_text(at, kReplacement);
    size = first.bytes;
  } else {
    size = first.bytes;
    const std::string_view character = text.substr(0, size);
    // Line separators that older JavaScript takes for the end of a line inside a string.
    if (character == "\xE2\x80\xA8") {
      at = copy_text(at, "\\u2028");
    } else if (character == "\xE2\x80\xA9") {
      at = copy_text(at, "\\u2029");
    } else {
      at = copy_text(at, character);
    }
  }
  text.remove_prefix(size);
  return at;
}

constexpr std::size_t kNumberBytes = 32;  // the longest int64 takes 20, the longest shortest double 24

char* write_real(char* at, double value) noexcept {
  if (!std::isfinite(value)) return copy_text(at, "null");  // JSON has no word for it
  char* const end = std::to_chars(at, at + kNumberBytes, value).ptr;
  // A reader must see that this is a real, or it would come back from the journal as an integer.
  const std::string_view written(at, static_cast<std::size_t>(end - at));
  return written.find_first_of(".e") == std::string_view::npos ? copy_text(end, ".0") : end;
}

// Ends an object or an array whose members each wrote a comma behind them.
char* close(char* at, char bracket) noexcept {
  if (at[-1] == ',') --at;
  *at++ = bracket;
  return at;
}

}  // namespace

// Writes at the end of a string. Each function takes the place to write at and returns the one behind what it wrote;
// only room() may move them. Every function asks for its own room and leaves a block behind it, so that the punctuation
// between two values needs no asking.
class JsonSink {
 public:
  JsonSink(std::string& out, std::size_t used, std::size_t expected_bytes) : out_(out), start_(used) {
    const std::size_t needed = used + expected_bytes + kBlockBytes;
    if (out.size() < needed) out.resize(needed);
    end_ = out.data() + out.size() - kBlockBytes;
  }

  [[nodiscard]] char* begin() const noexcept { return out_.data() + start_; }
  void cut(const char* at) { out_.resize(used(at)); }

  // Room for `bytes` and a block more. Punctuation may have led into the block already, behind end_.
  [[nodiscard]] char* room(char* at, std::size_t bytes) {
    return end_ - at >= static_cast<std::ptrdiff_t>(bytes) ? at : grow(at, bytes);
  }

  char* raw(char* at, std::string_view text) { return copy_text(room(at, text.size()), text); }
  char* escaped(char* at, std::string_view text);  // without the quotes
  char* string(char* at, std::string_view text);
  // What stands in quotes already and needs no escape, in a buffer that goes on for a block.
  char* quoted(char* at, const char* text, std::size_t size) { return copy_blocks(room(at, size), text, size); }
  char* value(char* at, Fields::Value value);
  char* key(char* at, const QuotedKey& key) { return quoted(at, key.text, key.quoted().size()); }
  // A member and a comma. An empty text is left out.
  char* member(char* at, const QuotedKey& key, std::string_view text);
  char* member(char* at, const QuotedKey& key, std::uint32_t number);

 private:
  using Node = Fields::Node;
  char* value(char* at, const Fields& fields, const Node& node);
  char* member(char* at, const Fields& fields, const Node& node);
  char* container(char* at, const Fields& fields, const Node& node);

  [[nodiscard]] std::size_t used(const char* at) const noexcept { return static_cast<std::size_t>(at - out_.data()); }
  char* grow(char* at, std::size_t bytes);

  std::string& out_;
  std::size_t start_;
  char* end_;  // a block follows
};

// By at least as much as was written, so that a long tree does not grow it for each of its values.
char* JsonSink::grow(char* at, std::size_t bytes) {
  constexpr std::size_t kSpare = 256;
  const std::size_t before = used(at);
  out_.resize(before + bytes + kBlockBytes + std::max(kSpare, before - start_));
  end_ = out_.data() + out_.size() - kBlockBytes;
  return out_.data() + before;
}

char* JsonSink::escaped(char* at, std::string_view text) {
  for (;;) {
    const std::size_t plain = plain_prefix(text);
    at = copy_text(room(at, plain + kEscapedBytes), text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return at;
    at = write_special(at, text);
  }
}

char* JsonSink::string(char* at, std::string_view text) {
  at = room(at, 1);
  *at++ = '"';
  at = escaped(at, text);
  *at++ = '"';
  return at;
}

char* JsonSink::value(char* at, Fields::Value value) {
  if (!value) return raw(at, "null");
  const Fields& fields = *value.fields_;
  // The root of a Fields that holds nothing has no node.
  if (value.index_ >= fields.nodes_.size()) return raw(at, "{}");
  return this->value(at, fields, fields.nodes_[value.index_]);
}

char* JsonSink::value(char* at, const Fields& fields, const Node& node) {
  switch (node.kind) {
    case Fields::Kind::null:
      return raw(at, "null");
    case Fields::Kind::boolean:
      return raw(at, node.boolean ? "true" : "false");
    case Fields::Kind::integer:
      at = room(at, kNumberBytes);
      return std::to_chars(at, at + kNumberBytes, node.integer).ptr;
    case Fields::Kind::real:
      return write_real(room(at, kNumberBytes), node.real);
    case Fields::Kind::text: {
      const char* const text = fields.text_.data() + node.text.at;
      const std::size_t size = node.text.size;
      return all_plain(text, size) ? quoted(at, text - 1, size + 2) : string(at, {text, size});
    }
    case Fields::Kind::array:
    case Fields::Kind::object:
      return container(at, fields, node);
  }
  return at;
}

char* JsonSink::member(char* at, const Fields& fields, const Node& node) {
  const char* const key = fields.text_.data() + node.key_at;
  const std::size_t size = node.key_size;
  if (!node.plain_key && !all_plain(key, size)) {
    at = string(at, {key, size});
    *at++ = ':';
    return value(at, fields, node);
  }
  if (node.kind == Fields::Kind::text) {
    const std::size_t text_size = node.text.size;
    if (all_plain(fields.text_.data() + node.text.at, text_size)) return quoted(at, key - 1, size + 3 + text_size + 2);
  }
  return value(quoted(at, key - 1, size + 3), fields, node);
}

char* JsonSink::container(char* at, const Fields& fields, const Node& node) {
  const bool named = node.kind == Fields::Kind::object;
  at = room(at, 1);
  *at++ = named ? '{' : '[';
  const Node* const nodes = fields.nodes_.data();
  const std::size_t end = fields.end_of(node);
  for (auto child = static_cast<std::size_t>(&node - nodes) + 1; child < end; child = nodes[child].end) {
    at = named ? member(at, fields, nodes[child]) : value(at, fields, nodes[child]);
    *at++ = ',';
  }
  return close(room(at, 1), named ? '}' : ']');
}

char* JsonSink::member(char* at, const QuotedKey& name, std::string_view text) {
  if (text.empty()) return at;
  at = string(key(at, name), text);
  *at++ = ',';
  return at;
}

char* JsonSink::member(char* at, const QuotedKey& name, std::uint32_t number) {
  at = room(key(at, name), kNumberBytes);
  at = std::to_chars(at, at + kNumberBytes, number).ptr;
  *at++ = ',';
  return at;
}

void append_json_string(std::string& out, std::string_view text) {
  JsonSink sink(out, out.size(), text.size() + 2);
  sink.cut(sink.string(sink.begin(), text));
}

void append_json_value(std::string& out, Fields::Value value) {
  JsonSink sink(out, out.size(), 0);
  sink.cut(sink.value(sink.begin(), value));
}

// ── Events ────────────────────────────────────────────────────────────────────

namespace {

std::string id_head(const std::string& epoch) {
  std::string head = R"({"id":)";
  append_json_string(head, epoch);
  head.pop_back();
  return head;
}

// `"key":"text",`
void append_member(std::string& out, const QuotedKey& key, std::string_view text) {
  if (text.empty()) return;
  out += key.quoted();
  append_json_string(out, text);
  out += ',';
}

char* write_time(char* at, std::int64_t unix_us) noexcept {
  *at++ = '"';
  write_timestamp(at, unix_us);
  at += kTimestampBytes;
  *at++ = '"';
  return at;
}

}  // namespace

EventWriter::EventWriter(const StreamIdentity& stream) : stream_(stream), id_head_(id_head(stream.epoch)) {}

const EventWriter::TypePart& EventWriter::part_of(const Event& event) {
  TypePart& part = parts_[static_cast<std::size_t>(event.type)];
  if (part.head.empty() || part.priority != event.priority || part.severity != event.severity ||
      part.source_service != event.source_service || part.source_component != event.source_component ||
      part.custom_name != event.custom_name)
    make(part, event);
  return part;
}

void EventWriter::make(TypePart& part, const Event& event) const {
  part.priority = event.priority;
  part.severity = event.severity;
  part.source_service = event.source_service;
  part.source_component = event.source_component;
  part.custom_name = event.custom_name;

  const bool custom = event.type == EventType::custom_event && !event.custom_name.empty();
  part.head = "\",";
  append_member(part.head, "type"_key, custom ? "custom." + event.custom_name : std::string(to_text(event.type)));
  append_member(part.head, "category"_key, to_text(event.category()));
  append_member(part.head, "priority"_key, to_text(event.priority));
  append_member(part.head, "severity"_key, to_text(event.severity));
  part.head += R"("timestamp":")";

  part.metadata = R"("metadata":{)";
  append_member(part.metadata, "source_service"_key, event.source_service);
  append_member(part.metadata, "source_component"_key, event.source_component);
  append_member(part.metadata, "host"_key, stream_.host);
}

std::string_view EventWriter::write(const Event& event) {
  const TypePart& part = part_of(event);
  JsonSink sink(buffer_, 0, id_head_.size() + kMaxIdSuffixBytes + part.head.size() + kTimestampBytes);
  char* at = copy_text(sink.begin(), id_head_);
  at = write_id_suffix(at, event.offset);
  at = copy_text(at, part.head);
  timestamps_.write(at, event.timestamp_us);
  at = sink.raw(at + kTimestampBytes, R"(","data":)");
  at = sink.value(at, event.data.root());
  *at++ = ',';
  at = sink.member(at, "source_user_id"_key, event.source_user_id);
  at = sink.member(at, "target_user_id"_key, event.target_user_id);

  at = sink.raw(at, part.metadata);
  at = sink.member(at, "view"_key, event.view);
  at = sink.member(at, "correlation_id"_key, event.correlation_id);
  at = sink.member(at, "trace_id"_key, event.trace_id);
  if (!event.tags.empty()) {
    at = sink.raw(at, R"("tags":[)");
    for (const std::string& tag : event.tags) {
      at = sink.string(at, tag);
      *at++ = ',';
    }
    at = sink.raw(close(at, ']'), ",");
  }
  if (!event.custom_fields.empty()) {
    at = sink.value(sink.key(at, "custom_fields"_key), event.custom_fields.root());
    *at++ = ',';
  }
  if (event.sampled > 1) at = sink.member(at, "sampled"_key, event.sampled);
  if (event.attempt > 1) at = sink.member(at, "attempt"_key, event.attempt);
  at = sink.raw(close(at, '}'), ",");
  if (event.expires_at_us != 0)
    at = write_time(sink.room(sink.key(at, "expires_at"_key), kTimestampBytes + 2), event.expires_at_us);
  at = close(sink.room(at, 1), '}');
  return {buffer_.data(), static_cast<std::size_t>(at - buffer_.data())};
}

}  // namespace bindcast
