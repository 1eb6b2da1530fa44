// Faults, and the nearest known word.
//
// See reader.hpp.
#include "config/reader.hpp"

#include <algorithm>
#include <numeric>

#include "events/utf8.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kMaxShownBytes = 80;
constexpr std::size_t kMaxComparedBytes = 64;

// Is `key` equal to `parent` or inside it ("a" encloses "a.b" and "a[0]")?
bool encloses(std::string_view parent, std::string_view key) {
  return key.substr(0, parent.size()) == parent &&
         (key.size() == parent.size() || key[parent.size()] == '.' || key[parent.size()] == '[');
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last, last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    before_last = last;
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

void Reader::fault(std::size_t line, std::string_view key, std::string message) {
  if (faults_.size() >= kMaxFaults) {
    more_ = true;
    return;
  }
  faults_.push_back({file_, line, shown(key), std::move(message)});
}

std::size_t Reader::line_of(std::string key) const {
  for (;;) {
    if (const auto found = lines_.find(key); found != lines_.end()) return found->second;
    const auto cut = key.find_last_of(".[");
    if (cut == std::string::npos) return 0;
    key.resize(cut);
  }
}

bool Reader::clean(std::initializer_list<std::string_view> keys) const {
  if (more_) return false;
  return std::none_of(faults_.begin(), faults_.end(), [&](const ConfigFault& fault) {
    return std::any_of(keys.begin(), keys.end(),
                       [&](std::string_view key) { return encloses(key, fault.key) || encloses(fault.key, key); });
  });
}

void Reader::finish(LoadResult& result) {
  const auto by_line = [](const ConfigFault& a, const ConfigFault& b) { return a.line < b.line; };
  std::stable_sort(faults_.begin(), faults_.end(), by_line);
  if (more_) {
    faults_.push_back({file_, 0, "",
                       "there are more than " + std::to_string(kMaxFaults) +
                           " faults; these are the "
                           "first"});
  }
  result.faults = std::move(faults_);
}

std::string shown(std::string_view text) {
  using enum Utf8Character::State;
  std::string out;
  for (std::string_view rest = text.substr(0, kMaxShownBytes); !rest.empty();) {
    const Utf8Character next = first_character(rest);
    if (next.state == cut_off && text.size() > kMaxShownBytes) break;
    const auto byte = static_cast<unsigned char>(rest.front());
    if (next.state == whole && byte >= 0x20 && byte != 0x7f)
      out += rest.substr(0, next.bytes);
    else
      out += '?';
    rest.remove_prefix(next.bytes);
  }
  return text.size() <= kMaxShownBytes ? out : out + "...";
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  if (word.size() > kMaxComparedBytes) return {};
  std::size_t best = word.size() <= 3 ? 1 : word.size() <= 7 ? 2 : 3;
  std::string_view found;
  for (const auto candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best || (found.empty() && distance == best)) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates) {
  const auto found = nearest(word, candidates);
  return found.empty() ? std::string() : " did you mean `" + std::string(found) + "`?";
}

std::string join(const std::vector<std::string_view>& words) {
  std::string out;
  for (const auto word : words) {
    if (!out.empty()) out += ", ";
    out += word;
  }
  return out;
}

}  // namespace bindcast
