// What a filter expression is compiled to. Inside events/ only: made by filter_parser, run by filter_eval.
//
// A program is a list of steps over one truth value: evaluate a term into it, negate it, or jump on it. `a and b` is
// "a, skip if false, b", so evaluation stops as early as possible and needs no stack. Immutable once made; any number
// of threads may run it at once. Its size follows the expression's, which is bounded.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "events/event.hpp"
#include "events/network.hpp"

namespace bindcast::filter {

// Where a term looks. The last two go on with a path into the tree.
enum class Source : std::uint8_t {
  id,
  type,
  category,
  priority,
  severity,
  timestamp,
  expires_at,
  view,
  host,
  source_service,
  source_component,
  correlation_id,
  trace_id,
  tags,
  sampled,
  source_user_id,
  target_user_id,
  custom_fields,
  data,
};

struct Field {
  Source source = Source::data;
  std::string path;      // below custom_fields or data, dotted; empty: the whole tree
  bool is_name = false;  // holds DNS names: compared without case and final dot
};

enum class Test : std::uint8_t { present, equal, less, less_equal, greater, greater_equal, any_of, under, glob };

// A value written in the expression, or one found in an event.
struct Scalar {
  Fields::Kind kind = Fields::Kind::null;  // null, boolean, integer, real or text
  bool boolean = false;
  std::int64_t integer = 0;
  double real = 0;  // of an integer too
  std::string_view text{};
};

struct Literal {
  Scalar value;      // its text is not used
  std::string text;  // of a text
};

// One comparison, for example `qname under "example.com"`.
struct Term {
  Field field;
  Test test = Test::present;
  bool negated = false;  // != and `not in`: true where the field is there and the test fails
  std::vector<Literal> literals;
  std::vector<Network> networks;  // of `in`, beside the literals
  // type, category, priority, severity: the answer for each possible value, worked out beforehand.
  std::bitset<256> accepted;
};

struct Step {
  enum class Kind : std::uint8_t { term, negate, skip_if_false, skip_if_true };
  Kind kind = Kind::term;
  std::uint32_t operand = 0;  // term: its index; skip: the step to go on with
};

struct Program {
  std::vector<Term> terms;
  std::vector<Step> steps;
};

// Does the program's expression hold for the event? An empty program holds for none.
[[nodiscard]] bool run(const Program& program, const Event& event, const StreamIdentity& stream);

}  // namespace bindcast::filter
