// Cuts a filter expression into tokens. Inside events/ only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bindcast::filter {

// A fault in an expression; thrown inside the compiler and turned into Filter::Error by Filter::compile.
struct Fault {
  std::size_t column;  // from 1
  std::string message;
};

enum class TokenKind : std::uint8_t {
  word,  // a field, or a keyword: see `keyword`
  text,
  integer,
  real,
  left,
  right,
  comma,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  glob,
  end
};

enum class Keyword : std::uint8_t { none, and_, or_, not_, in, under, has, true_, false_ };

struct Token {
  TokenKind kind = TokenKind::end;
  Keyword keyword = Keyword::none;
  std::size_t column = 0;  // from 1
  std::string text;        // a word as written, a text with its escapes undone
  std::int64_t integer = 0;
  double real = 0;
};

// Hands out the tokens of an expression one by one, at last and then for ever one of kind `end`. Keywords are
// recognised in any case. The expression must outlive the lexer.
class Lexer {
 public:
  explicit Lexer(std::string_view expression) : expression_(expression) {}
  [[nodiscard]] Token next();  // throws Fault

 private:
  [[nodiscard]] char peek(std::size_t ahead = 0) const noexcept;
  template <typename Accept>
  std::string_view take_while(Accept accept);
  void word(Token& token);
  void number(Token& token);
  void text(Token& token);
  void symbol(Token& token);

  std::string_view expression_;
  std::size_t at_ = 0;
};

// `text` between quotes for a message: shortened, unprintable bytes replaced.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace bindcast::filter
