// Parts of the server's status in words, for `status` and `top`. Safe for a terminal. Pure.
#pragma once

#include <jansson.h>

#include <string>

namespace bindcast::tool {

// "1 d 2:03:04".
[[nodiscard]] std::string duration_text(json_int_t seconds);
[[nodiscard]] std::string one_decimal(const json_t* number);

// What named last counted: "120.4 queries/s, 74.3 % from the cache, up 2:03:04, version 9.18"; "-" where it is not
// known.
[[nodiscard]] std::string named_text(const json_t* status);
// "recursive_clients 3 of 1000, tcp_clients 0 of 150".
[[nodiscard]] std::string limits_text(const json_t* status);
[[nodiscard]] std::string answers_text(const json_t* status);
[[nodiscard]] std::string cache_text(const json_t* status);
// "healthy, 9 components", or the worst state and which components are not well, and why.
[[nodiscard]] std::string health_text(const json_t* status);

}  // namespace bindcast::tool
