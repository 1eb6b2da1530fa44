#include "tool/json_slices.hpp"

#include <cstddef>

namespace bindcast::tool {

namespace {

constexpr std::string_view kSpace = " \t\r\n";

// Walks over JSON that is known to be valid.
class Walker {
 public:
  explicit Walker(std::string_view json) : json_(json) {}

  // Past white space: is it `c`? Then also past it.
  bool take(char c) {
    at_ = std::min(json_.find_first_not_of(kSpace, at_), json_.size());
    if (at_ == json_.size() || json_[at_] != c) return false;
    ++at_;
    return true;
  }

  // The next value whole, as it stands; empty at the end.
  std::string_view value() {
    at_ = std::min(json_.find_first_not_of(kSpace, at_), json_.size());
    const std::size_t begin = at_;
    int depth = 0;
    for (; at_ < json_.size(); ++at_) {
      const char c = json_[at_];
      if (c == '"') {
        skip_string();
        if (depth == 0) break;
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (c == '}' || c == ']') {
        if (depth == 0) return json_.substr(begin, at_ - begin);  // of a number or word, the end of what is around it
        if (--depth == 0) break;
      } else if (depth == 0 && (c == ',' || c == ':' || kSpace.find(c) != kSpace.npos)) {
        return json_.substr(begin, at_ - begin);
      }
    }
    at_ = std::min(at_ + 1, json_.size());
    return json_.substr(begin, at_ - begin);
  }

 private:
  // From the opening quote to the closing one.
  void skip_string() {
    for (++at_; at_ < json_.size() && json_[at_] != '"'; ++at_)
      if (json_[at_] == '\\') ++at_;
  }

  std::string_view json_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<std::string_view> list_members(std::string_view json, std::string_view key) {
  std::vector<std::string_view> members;
  Walker walker(json);
  if (!walker.take('{')) return members;
  while (true) {
    const std::string_view name = walker.value();
    if (name.size() < 2 || !walker.take(':')) return members;
    if (name.substr(1, name.size() - 2) != key) {
      walker.value();
    } else if (walker.take('[')) {
      while (!walker.take(']')) {
        const std::string_view member = walker.value();
        if (member.empty()) return members;
        members.push_back(member);
        walker.take(',');
      }
      return members;
    }
    if (!walker.take(',')) return members;
  }
}

}  // namespace bindcast::tool
