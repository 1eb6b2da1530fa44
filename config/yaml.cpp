// libyaml's events made into a tree.
//
// See yaml.hpp. The tree is built with an explicit stack, whose depth is bounded before anything is added.
#include "config/yaml.hpp"

#include <yaml.h>

#include <algorithm>
#include <map>
#include <new>

#include "config/values.hpp"

namespace bindcast {

namespace {

constexpr std::string_view kAnchorsRefused = "anchors and aliases are refused; write the value out";

class Parser {
 public:
  Parser(std::string_view text, Reader& reader) : text_(text), reader_(reader) {
    if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~Parser() { yaml_parser_delete(&parser_); }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  std::optional<YamlNode> run() {
    for (bool going = true; going;) {
      yaml_event_t event;
      if (yaml_parser_parse(&parser_, &event) == 0) {
        syntax_fault();
        return std::nullopt;
      }
      const bool end = event.type == YAML_STREAM_END_EVENT;
      bool taken = false;
      try {
        taken = take(event);
      } catch (...) {
        yaml_event_delete(&event);
        throw;
      }
      yaml_event_delete(&event);
      if (!taken) return std::nullopt;
      going = !end;
    }
    return std::move(root_);
  }

 private:
  // A sequence or mapping that is still open.
  struct Open {
    YamlNode node;
    std::string path;
    bool has_key = false;     // mappings: a key was read and its value comes next
    bool drop_value = false;  // the key was refused
    std::string key;
    std::size_t key_line = 0;
    std::map<std::string, std::size_t> seen;  // keys to their lines
  };

  static std::size_t line_of(const yaml_mark_t& mark) { return mark.line + 1; }

  static std::string_view view(const yaml_char_t* text) {
    return text == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text));
  }

  [[nodiscard]] std::string place() const {  // the dotted path of the value that comes next
    if (open_.empty()) return {};
    const Open& top = open_.back();
    if (top.node.kind == YamlNode::Kind::sequence) {
      return top.path + "[" + std::to_string(top.node.children.size()) + "]";
    }
    if (!top.has_key) return top.path;
    return top.path.empty() ? top.key : top.path + "." + top.key;
  }

  // False: parsing cannot go on.
  bool take(const yaml_event_t& event) {
    const std::size_t line = line_of(event.start_mark);
    switch (event.type) {
      case YAML_DOCUMENT_START_EVENT:
        if (documents_++ == 0) return true;
        reader_.fault(line, "", "only one YAML document is accepted; a second one starts here");
        return false;
      case YAML_ALIAS_EVENT: {
        reader_.fault(line, place(), std::string(kAnchorsRefused));
        if (awaits_key()) return false;
        YamlNode node;
        node.refused = true;
        node.line = line;
        add(std::move(node));
        return true;
      }
      case YAML_SCALAR_EVENT:
        take_scalar(event);
        return true;
      case YAML_SEQUENCE_START_EVENT:
        return begin(YamlNode::Kind::sequence, line, view(event.data.sequence_start.anchor),
                     view(event.data.sequence_start.tag));
      case YAML_MAPPING_START_EVENT:
        return begin(YamlNode::Kind::mapping, line, view(event.data.mapping_start.anchor),
                     view(event.data.mapping_start.tag));
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT: {
        YamlNode node = std::move(open_.back().node);
        open_.pop_back();
        add(std::move(node));
        return true;
      }
      default:
        return true;
    }
  }

  void check_properties(std::size_t line, std::string_view anchor, std::string_view tag) {
    if (!anchor.empty()) reader_.fault(line, place(), std::string(kAnchorsRefused));
    if (!tag.empty()) reader_.fault(line, place(), "the tag `" + shown(tag) + "` is refused; write the value alone");
  }

  bool begin(YamlNode::Kind kind, std::size_t line, std::string_view anchor, std::string_view tag) {
    if (awaits_key()) {
      reader_.fault(line, place(), "a key must be a single word, not a list or a mapping");
      return false;
    }
    check_properties(line, anchor, tag);
    if (open_.size() >= kMaxYamlDepth) {
      reader_.fault(line, place(), "nested deeper than " + std::to_string(kMaxYamlDepth) + " levels");
      return false;
    }
    Open open;
    open.path = place();
    open.node.kind = kind;
    open.node.line = line;
    open_.push_back(std::move(open));
    return true;
  }

  void take_scalar(const yaml_event_t& event) {
    const auto& scalar = event.data.scalar;
    const std::size_t line = line_of(event.start_mark);
    std::string text(reinterpret_cast<const char*>(scalar.value), scalar.length);
    if (awaits_key()) {
      if (scalar.anchor != nullptr) reader_.fault(line, place(), std::string(kAnchorsRefused));
      take_key(std::move(text), line);
      return;
    }
    check_properties(line, view(scalar.anchor), view(scalar.tag));
    YamlNode node;
    node.line = line;
    node.quoted = scalar.style != YAML_PLAIN_SCALAR_STYLE;
    const bool null =
        !node.quoted && (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL");
    node.kind = null ? YamlNode::Kind::null : YamlNode::Kind::scalar;
    if (!null) node.text = std::move(text);
    add(std::move(node));
  }

  [[nodiscard]] bool awaits_key() const {
    return !open_.empty() && open_.back().node.kind == YamlNode::Kind::mapping && !open_.back().has_key;
  }

  void take_key(std::string key, std::size_t line) {
    Open& top = open_.back();
    top.has_key = true;
    top.key = std::move(key);
    top.key_line = line;
    const auto [first, fresh] = top.seen.emplace(top.key, line);
    top.drop_value = !fresh;
    if (!fresh) {
      reader_.fault(line, place(), "duplicate key; it is already written on line " + std::to_string(first->second));
    }
  }

  // Puts a finished value where it belongs.
  void add(YamlNode&& node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& top = open_.back();
    if (top.node.kind == YamlNode::Kind::mapping) {
      top.has_key = false;
      if (top.drop_value) return;
      node.key = std::move(top.key);
      node.key_line = top.key_line;
    }
    top.node.children.push_back(std::move(node));
  }

  void syntax_fault() {
    std::string message = parser_.problem != nullptr ? parser_.problem : "not readable";
    if (parser_.error == YAML_READER_ERROR) {  // libyaml gives such a fault an offset, but no line
      const auto end = text_.begin() + static_cast<std::ptrdiff_t>(std::min(parser_.problem_offset, text_.size()));
      reader_.fault(1 + static_cast<std::size_t>(std::count(text_.begin(), end, '\n')), "", "not YAML: " + message);
      return;
    }
    const yaml_mark_t& mark = parser_.problem_mark;
    const auto line = line_text(mark.line);
    const auto indent = line.substr(0, line.find_first_not_of(" \t"));
    if (indent.find('\t') != std::string_view::npos) {
      message = "a tab where YAML wants spaces; tabs cannot indent";
    } else if (line.find("]:") != std::string_view::npos) {
      message += "; an IPv6 address needs quotes: \"[::1]:8353\"";
    } else if (parser_.context != nullptr && parser_.context[0] != '\0') {
      message += " (" + std::string(parser_.context);
      if (parser_.context_mark.line != mark.line) {
        message += " that begins on line " + std::to_string(line_of(parser_.context_mark));
      }
      message += ")";
    }
    reader_.fault(line_of(mark), "", "not YAML: " + message);
  }

  // Marks count characters, not bytes, so a line is found by its number.
  [[nodiscard]] std::string_view line_text(std::size_t number) const {
    std::size_t at = 0;
    for (; number > 0; --number) {
      at = text_.find('\n', at);
      if (at == std::string_view::npos) return {};
      ++at;
    }
    return text_.substr(at, text_.find('\n', at) - at);
  }

  std::string_view text_;
  Reader& reader_;
  yaml_parser_t parser_;
  std::optional<YamlNode> root_ = YamlNode{};
  std::vector<Open> open_;
  std::size_t documents_ = 0;
};

// The offset of the first byte that is not UTF-8 (no overlong forms, no surrogates), or the size.
std::size_t first_not_utf8(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  std::size_t at = 0;
  while (at < text.size()) {
    const unsigned char lead = byte(at);
    const std::size_t more = lead < 0x80   ? 0
                             : lead < 0xc2 ? 4
                             : lead < 0xe0 ? 1
                             : lead < 0xf0 ? 2
                             : lead < 0xf5 ? 3
                                           : 4;
    if (more == 4 || text.size() - at <= more) return at;
    for (std::size_t i = 1; i <= more; ++i) {
      if ((byte(at + i) & 0xc0) != 0x80) return at;
    }
    if (more > 1) {
      const unsigned char second = byte(at + 1);
      if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
          (lead == 0xf4 && second > 0x8f)) {
        return at;
      }
    }
    at += more + 1;
  }
  return text.size();
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view name) const noexcept {
  if (kind != Kind::mapping) return nullptr;
  const auto found = std::find_if(children.begin(), children.end(), [&](const YamlNode& c) { return c.key == name; });
  return found == children.end() ? nullptr : &*found;
}

std::optional<YamlNode> parse_yaml(std::string_view text, Reader& reader) {
  if (text.size() > kMaxConfigBytes) {
    reader.fault(0, "", "larger than " + write_size(kMaxConfigBytes) + ", the most that is accepted");
    return std::nullopt;
  }
  // libyaml takes a zero byte for the end of the text, and gives bad UTF-8 no line.
  const std::size_t bad = std::min({text.find('\0'), first_not_utf8(text), text.size()});
  if (bad < text.size()) {
    const auto line =
        1 + static_cast<std::size_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n'));
    reader.fault(line, "", text[bad] == '\0' ? "a zero byte; the file must be UTF-8 text" : "not UTF-8 text");
    return std::nullopt;
  }
  return Parser(text, reader).run();
}

}  // namespace bindcast
