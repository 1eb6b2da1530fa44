#include "plugin/sources/named_log/log_pattern.hpp"

namespace bindcast {

namespace {

constexpr auto npos = std::string_view::npos;

// Takes the text before `end`, and `end`, from the front of `text`.
bool take_until(std::string_view& text, std::string_view end, std::string_view& taken) noexcept {
  const std::size_t at = text.find(end);
  if (at == npos || at == 0) return false;
  taken = text.substr(0, at);
  text.remove_prefix(at + end.size());
  return true;
}

bool take(std::string_view& text, std::string_view prefix) noexcept {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// 192.0.2.1#53
void read_address(std::string_view text, LogSubject& subject) noexcept {
  const std::size_t hash = text.find('#');
  subject.address = text.substr(0, hash);
  if (hash != npos) subject.port = text.substr(hash + 1);
}

// example.com/IN/VIEW; a zone's name may have slashes of its own.
bool read_zone(std::string_view text, LogSubject& subject) noexcept {
  constexpr std::string_view kClass = "/IN";
  std::size_t at = text.find("/IN/");
  if (at == npos && text.ends_with(kClass)) at = text.size() - kClass.size();
  if (at == npos || at == 0) return false;
  subject.zone = text.substr(0, at);
  text.remove_prefix(at + kClass.size());
  if (!text.empty()) subject.view = text.substr(1);
  return subject.zone.find(' ') == npos;
}

bool read_client(std::string_view text, LogSubject& subject) noexcept {
  std::string_view word;
  if (!take(text, "client @") || !take_until(text, " ", subject.handle)) return false;
  // Up to the first ": " that is not inside of a name: names have no blanks, IPv6 addresses no ": ".
  const std::size_t end = text.find(": ");
  if (end == npos) return false;
  std::string_view peer = text.substr(0, end);
  text.remove_prefix(end + 2);
  if (const std::size_t at = peer.find(" ("); at != npos && peer.ends_with(')')) {
    subject.qname = peer.substr(at + 2, peer.size() - at - 3);
    peer = peer.substr(0, at);
  }
  if (const std::size_t at = peer.find("/key "); at != npos) {
    subject.key = peer.substr(at + 5);
    peer = peer.substr(0, at);
  }
  if (peer.find(' ') != npos) return false;
  read_address(peer, subject);
  if (take(text, "view ") && take_until(text, ": ", word)) subject.view = word;
  subject.message = text;
  return true;
}

bool read_transfer(std::string_view text, LogSubject& subject) noexcept {
  std::string_view zone, peer;
  if (!take(text, "transfer of '") || !take_until(text, "' from ", zone) || !take_until(text, ": ", peer) ||
      !read_zone(zone, subject))
    return false;
  read_address(peer, subject);
  subject.message = text;
  return true;
}

bool read_zone_subject(std::string_view text, LogSubject& subject) noexcept {
  std::string_view zone;
  if (!take(text, "zone ") || !take_until(text, ": ", zone) || !read_zone(zone, subject)) return false;
  subject.message = text;
  return true;
}

}  // namespace

bool LogMatch::match(std::string_view pattern, std::string_view message) noexcept {
  count_ = 0;
  for (;;) {
    const std::size_t place = pattern.find('{');
    const std::string_view literal = pattern.substr(0, place);
    if (!take(message, literal)) break;
    if (place == npos) {
      if (!message.empty()) break;
      return true;
    }
    const std::size_t close = pattern.find('}', place);
    std::string_view name = pattern.substr(place + 1, close - place - 1);
    pattern.remove_prefix(close + 1);
    const bool any = name.ends_with("...");
    if (any) name.remove_suffix(3);
    const std::string_view next = pattern.substr(0, pattern.find('{'));
    const std::size_t end = next.empty() ? message.size() : message.find(next, 1);
    if (end == npos || end == 0) break;
    const std::string_view text = message.substr(0, end);
    if (!any && text.find(' ') != npos) break;
    message.remove_prefix(end);
    if (name.empty()) continue;
    if (count_ == kMost) break;
    parts_[count_++] = {name, text};
  }
  count_ = 0;
  return false;
}

std::string_view LogMatch::operator[](std::string_view name) const noexcept {
  for (const Part& part : *this)
    if (part.name == name) return part.text;
  return {};
}

LogSubject read_log_subject(std::string_view message) noexcept {
  using Kind = LogSubject::Kind;
  struct Form {
    Kind kind;
    bool (*read)(std::string_view, LogSubject&) noexcept;
  };
  constexpr Form kForms[] = {
      {Kind::client, read_client}, {Kind::zone, read_zone_subject}, {Kind::transfer, read_transfer}};
  for (const Form& form : kForms) {
    LogSubject subject;
    if (!form.read(message, subject)) continue;
    subject.kind = form.kind;
    return subject;
  }
  LogSubject subject;
  std::string_view view;
  if (take(message, "view ") && take_until(message, ": ", view)) subject.view = view;
  // The validator indents what it does for something else.
  while (take(message, " ")) continue;
  subject.message = message;
  return subject;
}

}  // namespace bindcast
