// What a message of named's log looks like, and a small matcher for it: linear in the message, no memory. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace bindcast {

// A pattern is literal text with places in it:
//   {zone}       a word: at least one character, none of them blank
//   {reason...}  any text, at least one character
//   {}           a word that is passed over
// A place ends where the literal text behind it is first found; the last one, at the end of the message. The whole
// message must match. A name is one word: named writes a blank in it as \032.
class LogMatch {
 public:
  static constexpr std::size_t kMost = 8;

  // False: it does not match, and nothing is held.
  bool match(std::string_view pattern, std::string_view message) noexcept;

  struct Part {
    std::string_view name, text;  // of the pattern, of the message
  };
  [[nodiscard]] const Part* begin() const noexcept { return parts_.data(); }
  [[nodiscard]] const Part* end() const noexcept { return parts_.data() + count_; }
  // Empty where the pattern has no such place.
  [[nodiscard]] std::string_view operator[](std::string_view name) const noexcept;

 private:
  std::array<Part, kMost> parts_{};
  std::size_t count_ = 0;
};

// Whom a message is about, which stands before what it says, in one of named's forms:
//   client @0x7f… 192.0.2.1#53/key KEY (qname): view VIEW: …
//   zone example.com/IN/VIEW: …
//   transfer of 'example.com/IN/VIEW' from 192.0.2.1#53: …
//   view VIEW: …
struct LogSubject {
  enum class Kind : unsigned char { none, client, zone, transfer };
  Kind kind = Kind::none;
  std::string_view handle;  // of the client: the same for one request, and for later ones
  std::string_view address, port, key, qname, zone, view;
  std::string_view message;  // what is left
};
[[nodiscard]] LogSubject read_log_subject(std::string_view message) noexcept;

}  // namespace bindcast
