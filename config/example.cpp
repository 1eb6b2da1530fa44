// config/example.yaml: every key with its default and documentation, made from the tables.
//
// See load.hpp.
#include "config/item.hpp"
#include "config/load.hpp"
#include "config/options_table.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kMaxColumns = 110;

constexpr std::string_view kHeader =
    "# Every key of Bindcast's configuration with its default, for reading. Put into your own file only what you\n"
    "# change: keys that are left out have these values, and written ones override batching.profile.\n"
    "# Durations: a number and ms, s, m, h or d. Sizes: bytes, or a number and KiB, MiB or GiB.\n"
    "# Booleans: true or false. Check a file with named-checkconf.\n";

// Comment lines of at most kMaxColumns; `hang` indents all but the first.
void comment(std::string& out, std::size_t indent, std::string_view text, std::size_t hang = 0) {
  const std::string lead = std::string(indent, ' ') + "# ";
  std::string line = lead;
  bool fresh = true;
  while (!text.empty()) {
    const auto cut = text.find(' ');
    const auto word = text.substr(0, cut);
    text.remove_prefix(cut == std::string_view::npos ? text.size() : cut + 1);
    if (!fresh && line.size() + 1 + word.size() > kMaxColumns) {
      out += line + "\n";
      line = lead + std::string(hang, ' ');
      fresh = true;
    }
    if (!fresh) line += ' ';
    line += word;
    fresh = false;
  }
  out += line + "\n";
}

void describe(std::string& out, std::size_t indent, const ItemText& item, const std::vector<ItemText>& entry_keys) {
  comment(out, indent, item.doc);
  comment(out, indent, "(" + what_it_may_be(item) + ")");
  for (const auto& key : entry_keys) {
    comment(out, indent, "  " + std::string(key.path) + ": " + std::string(key.doc) + " (" + what_it_may_be(key) + ")",
            4);
  }
  if (!item.sample.empty()) {
    comment(out, indent, std::string(item.path.substr(item.path.rfind('.') + 1)) + ": " + std::string(item.sample), 2);
  }
}

}  // namespace

std::string example_yaml() {
  std::string out(kHeader);
  std::vector<std::string_view> open;  // headings of the sections around the last key
  for (const auto& item : options_table()) {
    std::vector<std::string_view> headings;
    std::string_view rest = item.path;
    for (auto dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
      headings.push_back(rest.substr(0, dot));
      rest.remove_prefix(dot + 1);
    }
    std::size_t shared = 0;
    while (shared < open.size() && shared < headings.size() && open[shared] == headings[shared]) ++shared;
    if (shared == 0) out += '\n';
    for (std::size_t i = shared; i < headings.size(); ++i) {
      out += std::string(2 * i, ' ') + std::string(headings[i]) + ":\n";
    }
    const std::size_t indent = 2 * headings.size();
    describe(out, indent, item, item.entry_keys);
    out += std::string(indent, ' ') + std::string(rest) + ": " + std::string(item.fallback) + "\n";
    open = std::move(headings);
  }
  return out;
}

}  // namespace bindcast
