// What the host says of itself when it starts the runtime.
#pragma once

#include <functional>
#include <string>

#include "plugin/log.hpp"

namespace bindcast {

struct HostInfo {
  std::string name = "host";
  std::string version;
  std::string state_dir = ".";
  Log log;
  std::function<void()> counters_wanted;  // asks for a HostReading; empty: the host has none. Called on the loop.
};

}  // namespace bindcast
