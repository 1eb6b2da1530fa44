// The grammar of filter expressions. See filter_parser.hpp.
#include "events/filter_parser.hpp"

#include <utility>

#include "events/filter.hpp"

namespace bindcast::filter {
namespace {

std::string describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::end:
      return "the end of the expression";
    case TokenKind::word:
      return quoted(token.text);
    case TokenKind::text:
      return "the text " + quoted(token.text);
    case TokenKind::integer:
    case TokenKind::real:
      return "a number";
    case TokenKind::left:
      return "\"(\"";
    case TokenKind::right:
      return "\")\"";
    case TokenKind::comma:
      return "\",\"";
    default:
      return "an operator";
  }
}

class Parser {
 public:
  explicit Parser(std::string_view expression) : lexer_(expression), current_(lexer_.next()) {}

  Program run() {
    if (peek().kind == TokenKind::end) return {};
    expression();
    if (peek().kind == TokenKind::right) throw Fault{peek().column, "this \")\" has no \"(\" before it"};
    if (peek().kind != TokenKind::end) fail("and, or, or the end of the expression");
    return std::move(program_);
  }

 private:
  using PartRule = void (Parser::*)();

  [[nodiscard]] const Token& peek() const noexcept { return current_; }
  Token take() { return std::exchange(current_, lexer_.next()); }

  bool accept(TokenKind kind) {
    if (peek().kind != kind) return false;
    take();
    return true;
  }

  bool accept(Keyword keyword) {
    if (peek().kind != TokenKind::word || peek().keyword != keyword) return false;
    take();
    return true;
  }

  [[noreturn]] void fail(const std::string& expected) const {
    throw Fault{peek().column, "expected " + expected + ", found " + describe(peek())};
  }

  // part { keyword part }, left as soon as the value is decided.
  void chain(PartRule part, Keyword keyword, Step::Kind skip) {
    std::vector<std::size_t> skips;
    (this->*part)();
    while (accept(keyword)) {
      skips.push_back(program_.steps.size());
      program_.steps.push_back({skip, 0});
      (this->*part)();
    }
    for (const std::size_t index : skips) {
      program_.steps[index].operand = static_cast<std::uint32_t>(program_.steps.size());
    }
  }

  void expression() { chain(&Parser::conjunction, Keyword::or_, Step::Kind::skip_if_true); }
  void conjunction() { chain(&Parser::negation, Keyword::and_, Step::Kind::skip_if_false); }

  void negation() {
    const std::size_t column = peek().column;
    if (accept(Keyword::not_)) {
      descend(column);
      negation();
      --depth_;
      program_.steps.push_back({Step::Kind::negate, 0});
    } else if (accept(TokenKind::left)) {
      descend(column);
      expression();
      --depth_;
      if (!accept(TokenKind::right)) fail("and, or, or \")\" for the \"(\" in column " + std::to_string(column));
    } else {
      term();
    }
  }

  // Guards the stack of this parser.
  void descend(std::size_t column) {
    if (++depth_ > Filter::kMaxDepth) {
      throw Fault{column, "parentheses and not are nested deeper than " + std::to_string(Filter::kMaxDepth)};
    }
  }

  void term() {
    if (program_.terms.size() == Filter::kMaxTerms) {
      throw Fault{peek().column, "more than " + std::to_string(Filter::kMaxTerms) + " comparisons"};
    }
    Term made;
    if (accept(Keyword::has)) {
      made.field = field("a field after has");
    } else {
      made.field = field("a field, not, has or \"(\"");
      comparison(made);
    }
    program_.steps.push_back({Step::Kind::term, static_cast<std::uint32_t>(program_.terms.size())});
    program_.terms.push_back(std::move(made));
  }

  Field field(const std::string& expected) {
    if (peek().kind != TokenKind::word || peek().keyword != Keyword::none) fail(expected);
    return resolve_field(take());
  }

  void comparison(Term& made) {
    const std::size_t op_column = peek().column;
    std::vector<Operand> operands;
    if (read_test(made)) {
      if (made.test == Test::any_of) {
        operands = list();
      } else {
        operands.push_back(operand());
      }
      finish_term(made, op_column, std::move(operands));
      return;
    }
    fail("one of = != < <= > >= ~ in, not in, under");
  }

  bool read_test(Term& made) {
    if (accept(Keyword::not_)) {
      if (!accept(Keyword::in)) fail("in after not");
      made.negated = true;
      made.test = Test::any_of;
      return true;
    }
    if (accept(Keyword::in)) {
      made.test = Test::any_of;
      return true;
    }
    if (accept(Keyword::under)) {
      made.test = Test::under;
      return true;
    }
    switch (peek().kind) {
      case TokenKind::equal:
        made.test = Test::equal;
        break;
      case TokenKind::not_equal:
        made.test = Test::equal;
        made.negated = true;
        break;
      case TokenKind::less:
        made.test = Test::less;
        break;
      case TokenKind::less_equal:
        made.test = Test::less_equal;
        break;
      case TokenKind::greater:
        made.test = Test::greater;
        break;
      case TokenKind::greater_equal:
        made.test = Test::greater_equal;
        break;
      case TokenKind::glob:
        made.test = Test::glob;
        break;
      default:
        return false;
    }
    take();
    return true;
  }

  std::vector<Operand> list() {
    std::vector<Operand> operands;
    if (!accept(TokenKind::left)) {
      operands.push_back(operand());
      return operands;
    }
    do {
      operands.push_back(operand());
    } while (accept(TokenKind::comma));
    if (!accept(TokenKind::right)) fail("\",\" or \")\" in the list");
    return operands;
  }

  Operand operand() {
    Operand made;
    made.column = peek().column;
    Scalar& value = made.literal.value;
    if (accept(Keyword::true_)) {
      value.kind = Fields::Kind::boolean;
      value.boolean = true;
    } else if (accept(Keyword::false_)) {
      value.kind = Fields::Kind::boolean;
    } else if (peek().kind == TokenKind::text) {
      value.kind = Fields::Kind::text;
      made.literal.text = take().text;
    } else if (peek().kind == TokenKind::integer || peek().kind == TokenKind::real) {
      const Token number = take();
      value.kind = number.kind == TokenKind::integer ? Fields::Kind::integer : Fields::Kind::real;
      value.integer = number.integer;
      value.real = number.real;
    } else if (peek().kind == TokenKind::word) {
      throw Fault{made.column, quoted(peek().text) + " is not a value; a text stands between quotes"};
    } else {
      fail("a text in quotes, a number, true or false");
    }
    return made;
  }

  Lexer lexer_;
  Token current_;
  std::size_t depth_ = 0;
  Program program_;
};

}  // namespace

Program parse(std::string_view expression) {
  return Parser(expression).run();
}

}  // namespace bindcast::filter
