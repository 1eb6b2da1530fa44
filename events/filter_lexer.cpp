// The lexer of filter expressions. See filter_lexer.hpp.
#include "events/filter_lexer.hpp"

#include <charconv>
#include <cmath>
#include <utility>

namespace bindcast::filter {
namespace {

constexpr std::pair<std::string_view, Keyword> kKeywords[] = {
    {"and", Keyword::and_},    {"or", Keyword::or_},  {"not", Keyword::not_},   {"in", Keyword::in},
    {"under", Keyword::under}, {"has", Keyword::has}, {"true", Keyword::true_}, {"false", Keyword::false_},
};

bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_word(char c) noexcept {
  return is_letter(c) || is_digit(c) || c == '.' || c == '-';
}
bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

Keyword keyword_of(std::string_view word) {
  std::string lower(word);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  for (const auto& [name, keyword] : kKeywords) {
    if (name == lower) return keyword;
  }
  return Keyword::none;
}

}  // namespace

Token Lexer::next() {
  while (at_ < expression_.size() && is_blank(expression_[at_])) ++at_;
  Token token;
  token.column = at_ + 1;
  if (at_ == expression_.size()) return token;
  const char c = expression_[at_];
  if (is_letter(c)) {
    word(token);
  } else if (is_digit(c) || c == '-') {
    number(token);
  } else if (c == '"' || c == '\'') {
    text(token);
  } else {
    symbol(token);
  }
  return token;
}

char Lexer::peek(std::size_t ahead) const noexcept {
  return at_ + ahead < expression_.size() ? expression_[at_ + ahead] : '\0';
}

template <typename Accept>
std::string_view Lexer::take_while(Accept accept) {
  const std::size_t start = at_;
  while (at_ < expression_.size() && accept(expression_[at_])) ++at_;
  return expression_.substr(start, at_ - start);
}

void Lexer::word(Token& token) {
  token.kind = TokenKind::word;
  token.text = take_while(is_word);
  const std::size_t dots = token.text.find("..");
  if (dots != std::string::npos) throw Fault{token.column + dots + 1, "a name is missing between two dots"};
  if (token.text.back() == '.') throw Fault{at_, "a name is missing after the dot"};
  token.keyword = keyword_of(token.text);
}

void Lexer::number(Token& token) {
  const std::string_view written =
      take_while([](char c) { return is_word(c) || c == '+'; });  // so that "12ab" is one faulty number
  const char* const end = written.data() + written.size();
  const bool whole = written.find_first_not_of("0123456789", written.front() == '-') == std::string_view::npos;
  std::from_chars_result result{};
  if (whole) {
    token.kind = TokenKind::integer;
    result = std::from_chars(written.data(), end, token.integer);
    token.real = static_cast<double>(token.integer);
  } else {
    token.kind = TokenKind::real;
    result = std::from_chars(written.data(), end, token.real);
  }
  if (result.ec == std::errc::result_out_of_range) {
    throw Fault{token.column, "the number " + quoted(written) + " is too large to be held"};
  }
  if (result.ec != std::errc() || result.ptr != end || !std::isfinite(token.real)) {
    throw Fault{token.column, quoted(written) + " is not a number; a text stands between quotes"};
  }
}

void Lexer::text(Token& token) {
  token.kind = TokenKind::text;
  const char quote = expression_[at_++];
  while (at_ < expression_.size() && expression_[at_] != quote) {
    if (expression_[at_] == '\\') {
      const char escaped = peek(1);
      if (escaped != '"' && escaped != '\'' && escaped != '\\') {
        throw Fault{at_ + 1, R"(a backslash in a text must stand before a quote or a backslash: \" \' \\)"};
      }
      ++at_;
    }
    token.text.push_back(expression_[at_++]);
  }
  if (at_ == expression_.size()) throw Fault{token.column, "the text that begins here has no closing quote"};
  ++at_;
}

void Lexer::symbol(Token& token) {
  const char c = expression_[at_++];
  const bool equals = peek() == '=';
  switch (c) {
    case '(':
      token.kind = TokenKind::left;
      return;
    case ')':
      token.kind = TokenKind::right;
      return;
    case ',':
      token.kind = TokenKind::comma;
      return;
    case '~':
      token.kind = TokenKind::glob;
      return;
    case '=':
      if (equals) throw Fault{token.column, "unknown operator \"==\"; equality is written ="};
      token.kind = TokenKind::equal;
      return;
    case '<':
      token.kind = equals ? TokenKind::less_equal : TokenKind::less;
      break;
    case '>':
      token.kind = equals ? TokenKind::greater_equal : TokenKind::greater;
      break;
    case '!':
      if (!equals) throw Fault{token.column, "unknown operator \"!\"; write != or not"};
      token.kind = TokenKind::not_equal;
      break;
    case '&':
      throw Fault{token.column, "unknown operator \"&\"; write and"};
    case '|':
      throw Fault{token.column, "unknown operator \"|\"; write or"};
    default:
      throw Fault{token.column, "unexpected character " + quoted({&c, 1})};
  }
  if (equals) ++at_;
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 60;
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out.push_back(c);
    } else {
      out.append({'\\', 'x', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  out.append(text.size() > kShown ? "…\"" : "\"");
  return out;
}

}  // namespace bindcast::filter
