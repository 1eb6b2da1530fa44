// Writing events as JSON. See json.hpp.
//
// Every query may become one of these, so text goes through a raw pointer into space that the string was
// grown by beforehand, and a text that needs no escape (nearly all) is checked eight bytes at a time and copied whole.
#include "events/json.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

namespace bindcast {
namespace {

// Appends to a string through a pointer. The string has its true length again when the sink goes.
class Sink {
 public:
  Sink(std::string& out, std::size_t expected_bytes) : out_(out), used_(out.size()) { grow(expected_bytes); }
  ~Sink() { out_.resize(used_); }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  // Room for `bytes` at the returned place; take() tells how many were used.
  char* room(std::size_t bytes) {
    if (out_.size() - used_ < bytes) grow(bytes);
    return out_.data() + used_;
  }
  void take(std::size_t bytes) noexcept { used_ += bytes; }
  void take_to(const char* end) noexcept { used_ = static_cast<std::size_t>(end - out_.data()); }

  void put(char c) {
    *room(1) = c;
    ++used_;
  }
  void put(std::string_view text) {
    text.copy(room(text.size()), text.size());
    used_ += text.size();
  }

 private:
  void grow(std::size_t bytes) { out_.resize(used_ + bytes + kSpare); }

  static constexpr std::size_t kSpare = 256;
  std::string& out_;
  std::size_t used_;
};

// ── Strings ───────────────────────────────────────────────────────────────────

bool is_plain(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

// Does any of eight bytes need a closer look? Each term sets the top bit of a byte that is: not ASCII, a control
// character, a quote, a backslash.
bool any_special(std::uint64_t bytes) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kTops = 0x8080808080808080;
  const std::uint64_t quote = bytes ^ (kOnes * '"');
  const std::uint64_t slash = bytes ^ (kOnes * '\\');
  return ((bytes | (bytes - kOnes * 0x20) | (quote - kOnes) | (slash - kOnes)) & kTops) != 0;
}

template <typename Word>
std::uint64_t load(const char* at) noexcept {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// Can the whole text be copied as it is? Words at both ends of a short text overlap instead of a loop over its tail.
bool all_plain(std::string_view text) noexcept {
  const char* const data = text.data();
  const std::size_t size = text.size();
  if (size >= 8) {
    for (std::size_t at = 0; at + 8 <= size; at += 8) {
      if (any_special(load<std::uint64_t>(data + at))) return false;
    }
    return !any_special(load<std::uint64_t>(data + size - 8));
  }
  if (size >= 4) {
    return !any_special(load<std::uint32_t>(data) << 32 | load<std::uint32_t>(data + size - 4));
  }
  for (const char c : text) {
    if (!is_plain(c)) return false;
  }
  return true;
}

// The length of the leading part that can be copied as it is.
std::size_t plain_prefix(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at + 8 <= text.size() && !any_special(load<std::uint64_t>(text.data() + at))) at += 8;
  while (at < text.size() && is_plain(text[at])) ++at;
  return at;
}

// The length of the well-formed UTF-8 character at the front (RFC 3629), or 0; then `bad` is how many bytes the broken
// one covers: the longest start of a character that could have been, as the Unicode standard advises.
std::size_t character_bytes(std::string_view text, std::size_t& bad) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  std::size_t size;
  unsigned low = 0x80, high = 0xBF;  // what the second byte may be
  if (lead < 0x80) {
    size = 1;
  } else if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    size = 3;
    if (lead == 0xE0) low = 0xA0;   // overlong
    if (lead == 0xED) high = 0x9F;  // surrogates
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
    if (lead == 0xF0) low = 0x90;   // overlong
    if (lead == 0xF4) high = 0x8F;  // beyond U+10FFFF
  } else {
    bad = 1;
    return 0;
  }
  for (std::size_t i = 1; i < size; ++i) {
    if (i >= text.size() || byte(i) < low || byte(i) > high) {
      bad = i;
      return 0;
    }
    low = 0x80, high = 0xBF;
  }
  return size;
}

void put_control(Sink& sink, unsigned char byte) {
  switch (byte) {
    case '\b':
      return sink.put("\\b");
    case '\f':
      return sink.put("\\f");
    case '\n':
      return sink.put("\\n");
    case '\r':
      return sink.put("\\r");
    case '\t':
      return sink.put("\\t");
    default: {
      constexpr char kHex[] = "0123456789abcdef";
      const char escaped[] = {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
      return sink.put({escaped, sizeof escaped});
    }
  }
}

// One character that is not plain, or a broken one; returns the bytes it covers.
std::size_t put_special(Sink& sink, std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead == '"' || lead == '\\') {
    sink.put('\\');
    sink.put(text.front());
    return 1;
  }
  if (lead < 0x20) {
    put_control(sink, lead);
    return 1;
  }
  std::size_t bad = 0;
  const std::size_t size = character_bytes(text, bad);
  if (size == 0) {
    sink.put("\xEF\xBF\xBD");
    return bad;
  }
  const std::string_view character = text.substr(0, size);
  // Line separators that older JavaScript takes for the end of a line inside a string.
  if (character == "\xE2\x80\xA8") {
    sink.put("\\u2028");
  } else if (character == "\xE2\x80\xA9") {
    sink.put("\\u2029");
  } else {
    sink.put(character);
  }
  return size;
}

// Escaped, without the quotes.
void put_escaped(Sink& sink, std::string_view text) {
  for (;;) {
    const std::size_t plain = plain_prefix(text);
    sink.put(text.substr(0, plain));
    if (plain == text.size()) return;
    text.remove_prefix(plain);
    text.remove_prefix(put_special(sink, text));
  }
}

void put_string(Sink& sink, std::string_view text) {
  if (all_plain(text)) {
    char* at = sink.room(text.size() + 2);
    *at++ = '"';
    at += text.copy(at, text.size());
    *at++ = '"';
    sink.take_to(at);
    return;
  }
  sink.put('"');
  put_escaped(sink, text);
  sink.put('"');
}

// ── Numbers and trees ─────────────────────────────────────────────────────────

constexpr std::size_t kNumberBytes = 32;  // the longest int64 takes 20, the longest shortest double 24

template <typename Integer>
void put_integer(Sink& sink, Integer value) {
  char* at = sink.room(kNumberBytes);
  sink.take_to(std::to_chars(at, at + kNumberBytes, value).ptr);
}

void put_real(Sink& sink, double value) {
  if (!std::isfinite(value)) return sink.put("null");  // JSON has no word for it
  char* at = sink.room(kNumberBytes);
  const char* end = std::to_chars(at, at + kNumberBytes, value).ptr;
  const std::string_view written(at, static_cast<std::size_t>(end - at));
  sink.take(written.size());
  // A reader must see that this is a real, or it would come back from the journal as an integer.
  if (written.find_first_of(".e") == std::string_view::npos) sink.put(".0");
}

void put_value(Sink& sink, Fields::Value value) {
  switch (value.kind()) {
    case Fields::Kind::null:
      return sink.put("null");
    case Fields::Kind::boolean:
      return sink.put(value.boolean() ? "true" : "false");
    case Fields::Kind::integer:
      return put_integer(sink, value.integer());
    case Fields::Kind::real:
      return put_real(sink, value.real());
    case Fields::Kind::text:
      return put_string(sink, value.text());
    case Fields::Kind::array: {
      char separator = '[';
      for (auto child = value.first(); child; child = child.next()) {
        sink.put(separator);
        separator = ',';
        put_value(sink, child);
      }
      return sink.put(separator == '[' ? "[]" : "]");
    }
    case Fields::Kind::object: {
      char separator = '{';
      for (auto child = value.first(); child; child = child.next()) {
        sink.put(separator);
        separator = ',';
        put_string(sink, child.key());
        sink.put(':');
        put_value(sink, child);
      }
      return sink.put(separator == '{' ? "{}" : "}");
    }
  }
}

// ── Events ────────────────────────────────────────────────────────────────────

void put_id(Sink& sink, const StreamIdentity& stream, std::uint64_t offset) {
  sink.put('"');
  put_escaped(sink, stream.epoch);
  char suffix[kMaxIdSuffixBytes];
  sink.put(id_suffix(suffix, offset));
  sink.put('"');
}

void put_type(Sink& sink, const Event& event) {
  sink.put('"');
  if (event.type == EventType::custom_event && !event.custom_name.empty()) {
    sink.put("custom.");
    put_escaped(sink, event.custom_name);
  } else {
    sink.put(to_text(event.type));
  }
  sink.put('"');
}

// Writes the members of one object.
class Members {
 public:
  explicit Members(Sink& sink) : sink_(sink) {}

  void begin(std::string_view name) {
    sink_.put(separator_);
    separator_ = ',';
    put_string(sink_, name);
    sink_.put(':');
  }
  // An empty text is left out.
  void text(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    begin(name);
    put_string(sink_, value);
  }
  void time(std::string_view name, std::int64_t unix_us) {
    begin(name);
    char* at = sink_.room(kTimestampBytes + 2);
    at[0] = '"';
    write_timestamp(at + 1, unix_us);
    at[kTimestampBytes + 1] = '"';
    sink_.take(kTimestampBytes + 2);
  }
  void end() { sink_.put(separator_ == '{' ? "{}" : "}"); }

 private:
  Sink& sink_;
  char separator_ = '{';
};

void put_metadata(Sink& sink, const Event& event, const StreamIdentity& stream) {
  Members metadata(sink);
  metadata.text("source_service", event.source_service);
  metadata.text("source_component", event.source_component);
  metadata.text("host", stream.host);
  metadata.text("view", event.view);
  metadata.text("correlation_id", event.correlation_id);
  metadata.text("trace_id", event.trace_id);
  if (!event.tags.empty()) {
    metadata.begin("tags");
    char separator = '[';
    for (const std::string& tag : event.tags) {
      sink.put(separator);
      separator = ',';
      put_string(sink, tag);
    }
    sink.put(']');
  }
  if (!event.custom_fields.empty()) {
    metadata.begin("custom_fields");
    put_value(sink, event.custom_fields.root());
  }
  if (event.sampled > 1) {
    metadata.begin("sampled");
    put_integer(sink, event.sampled);
  }
  if (event.attempt > 1) {
    metadata.begin("attempt");
    put_integer(sink, event.attempt);
  }
  metadata.end();
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  Sink sink(out, text.size() + 2);
  put_string(sink, text);
}

void append_json_value(std::string& out, Fields::Value value) {
  Sink sink(out, 0);
  put_value(sink, value);
}

void append_event_json(std::string& out, const Event& event, const StreamIdentity& stream) {
  Sink sink(out, 512 + event.data.bytes());  // a guess that spares growing in the middle
  Members members(sink);
  members.begin("id");
  put_id(sink, stream, event.offset);
  members.begin("type");
  put_type(sink, event);
  members.text("category", to_text(event.category()));
  members.text("priority", to_text(event.priority));
  members.text("severity", to_text(event.severity));
  members.time("timestamp", event.timestamp_us);
  members.begin("data");
  put_value(sink, event.data.root());
  members.text("source_user_id", event.source_user_id);
  members.text("target_user_id", event.target_user_id);
  members.begin("metadata");
  put_metadata(sink, event, stream);
  if (event.expires_at_us != 0) members.time("expires_at", event.expires_at_us);
  members.end();
}

}  // namespace bindcast
