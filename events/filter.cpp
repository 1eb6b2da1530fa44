// The filter as others see it: compiles, holds and shares a program. See filter.hpp.
#include "events/filter.hpp"

#include <utility>

#include "events/filter_parser.hpp"
#include "events/filter_program.hpp"

namespace bindcast {

struct Filter::Program {
  std::string expression;
  filter::Program code;
};

Filter::Filter() = default;
Filter::Filter(const Filter&) = default;
Filter::Filter(Filter&&) noexcept = default;
Filter& Filter::operator=(const Filter&) = default;
Filter& Filter::operator=(Filter&&) noexcept = default;
Filter::~Filter() = default;

bool Filter::compile(std::string_view expression, Filter& out, Error& error) {
  if (expression.size() > kMaxExpressionBytes) {
    error = {kMaxExpressionBytes + 1,
             "the expression is longer than " + std::to_string(kMaxExpressionBytes) + " bytes"};
    return false;
  }
  try {
    filter::Program code = filter::parse(expression);
    Filter made;
    if (!code.steps.empty()) {
      made.program_ = std::make_shared<const Program>(Program{std::string(expression), std::move(code)});
    }
    out = std::move(made);
    return true;
  } catch (filter::Fault& fault) {
    error = {fault.column, std::move(fault.message)};
    return false;
  }
}

bool Filter::matches(const Event& event, const StreamIdentity& stream) const {
  return matches_everything() || filter::run(program_->code, event, stream);
}

bool Filter::matches_everything() const noexcept {
  return program_ == nullptr;
}

const std::string& Filter::expression() const noexcept {
  static const std::string kNone;
  return program_ == nullptr ? kNone : program_->expression;
}

}  // namespace bindcast
