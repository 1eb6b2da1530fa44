// How a command ends, and the one way to end it early. See EXIT STATUS in bindcast.1.
#pragma once

#include <stdexcept>
#include <string>

namespace bindcast::tool {

enum class Exit : int { ok = 0, refused = 1, usage = 2, unreachable = 3, unauthenticated = 4 };

// Thrown to end the program: main() prints the text as one line and returns the code.
struct Failure : std::runtime_error {
  Failure(Exit how, const std::string& what) : std::runtime_error(what), code(how) {}
  Exit code;
};

// Whoever reads our output has gone, as head(1) does: the program ends, and well.
struct OutputClosed {};

}  // namespace bindcast::tool
