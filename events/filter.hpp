// The filter expression language: compiled once, evaluated for every event.
//
//   category = "security" or (type = "dns_query_log" and rcode in ("SERVFAIL","REFUSED")
//     and qname under "example.com" and client in "10.0.0.0/8" and latency_us > 5000)
//
// Operators: = != < <= > >= in, not in, under (DNS name at or below), in with a CIDR for addresses, ~ (glob with * and
// ?), has FIELD, and, or, not, parentheses. Short names resolve to the envelope first, then to data.
// `priority` and `severity` compare by rank. DNS names compare without case. A field that an event does not have makes
// any comparison false (so `not (x = 1)` is true of it); null counts as not there. A comparison with a list of values,
// also one on the way to the field, holds when it holds for any of them; != and `not in` hold when = and `in` hold for
// none. `type = "custom_event"` means every custom event, `type = "custom.x"` those of that name. Pure; any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "events/event.hpp"

namespace bindcast {

class Filter {
 public:
  static constexpr std::size_t kMaxExpressionBytes = 8192;
  static constexpr std::size_t kMaxDepth = 64;  // nested parentheses and `not`
  static constexpr std::size_t kMaxTerms = 1024;

  struct Error {
    std::size_t column = 0;  // from 1, in bytes
    std::string message;     // what is wrong and what is allowed there
  };

  Filter();  // matches everything
  Filter(const Filter&);
  Filter(Filter&&) noexcept;
  Filter& operator=(const Filter&);
  Filter& operator=(Filter&&) noexcept;
  ~Filter();

  // An empty or blank expression matches everything. On failure returns false, sets `error`, leaves `out` as it was.
  [[nodiscard]] static bool compile(std::string_view expression, Filter& out, Error& error);

  [[nodiscard]] bool matches(const Event& event, const StreamIdentity& stream) const;
  [[nodiscard]] bool matches_everything() const noexcept;
  [[nodiscard]] const std::string& expression() const noexcept;

 private:
  struct Program;
  std::shared_ptr<const Program> program_;
};

}  // namespace bindcast
