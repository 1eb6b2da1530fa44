// CMocka, as C++ sees it. CMocka fails by longjmp, which skips destructors: keep what must be freed in fixtures.
#pragma once

extern "C" {
// cmocka.h needs these first, in this order.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// then
#include <cmocka.h>
}
#undef fail  // a macro of that name breaks std::ios

#include <string>
#include <string_view>

// Text comparison that shows both sides.
inline void assert_text(std::string_view actual, std::string_view expected) {
  const std::string a(actual), e(expected);
  assert_string_equal(a.c_str(), e.c_str());
}

// `text` holds `part`; shows the text when it does not.
inline void assert_contains(std::string_view text, std::string_view part) {
  if (text.find(part) == std::string_view::npos) {
    print_error("\"%.*s\" does not contain \"%.*s\"\n", static_cast<int>(text.size()), text.data(),
                static_cast<int>(part.size()), part.data());
    _fail(__FILE__, __LINE__);
  }
}
