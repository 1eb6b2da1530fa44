// Turns a filter expression into a program by recursive descent. Inside events/ only.
//
//   expression = conjunction { "or" conjunction }
//   conjunction = negation { "and" negation }
//   negation = "not" negation | "(" expression ")" | "has" FIELD | comparison
//   comparison = FIELD ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) value | FIELD ( "under" | "~" ) text
//              | FIELD [ "not" ] "in" ( value | "(" value { "," value } ")" )
#pragma once

#include <string_view>

#include "events/filter_lexer.hpp"
#include "events/filter_program.hpp"

namespace bindcast::filter {

// Throws Fault. A blank expression gives an empty program.
[[nodiscard]] Program parse(std::string_view expression);

// ── What a term may say; filter_terms.cpp ─────────────────────────────────────

struct Operand {
  Literal literal;
  std::size_t column = 0;
};

// Resolves a field's name: the envelope's own first, then data. Throws Fault at the word's column.
[[nodiscard]] Field resolve_field(const Token& word);

// Checks that the test and the operands fit the field and works out beforehand what can be. `op_column` is where the
// operator stands. Throws Fault.
void finish_term(Term& term, std::size_t op_column, std::vector<Operand> operands);

}  // namespace bindcast::filter
