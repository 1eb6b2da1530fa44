// The server's HTTP interface: an answer, or a Failure that says what the server said.
#pragma once

#include <string>

#include "tool/network.hpp"

namespace bindcast::tool {

// The body of the answer. Throws Failure for any status but 2xx.
[[nodiscard]] std::string get(Network& network, const std::string& path);
[[nodiscard]] std::string post(Network& network, const std::string& path, const std::string& body = {});

// Percent-encoded for a query (RFC 3986).
[[nodiscard]] std::string url_encoded(std::string_view text);

// Of a 401, whatever it was asked for.
[[nodiscard]] std::string no_admission(const std::string& said, const ServerAddress& server);

}  // namespace bindcast::tool
