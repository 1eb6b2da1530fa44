// Passwords, asked for and forgotten. One thread.
#pragma once

#include <string.h>

#include <string>

namespace bindcast::tool {

// Forgets the text for good.
struct Secret {
  std::string text;
  ~Secret() { explicit_bzero(text.data(), text.size()); }
};

// On a terminal asks, without showing what is typed, and with `twice` asks again; elsewhere reads a line of standard
// input. Throws Failure when there is none, or when the two differ.
void read_password(Secret& password, bool twice);

}  // namespace bindcast::tool
