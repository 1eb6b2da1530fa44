// Remembers across lives of the host whether the last one ended in order: a small file beside the token.
#pragma once

#include <string>

#include "plugin/log.hpp"

namespace bindcast {

class RunState {
 public:
  enum class Before { nothing, orderly, crashed };

  RunState(std::string state_dir, Log log);
  // Notes that this process runs; says how the one before ended. A file that cannot be written is logged, no failure.
  Before begin();
  void end();  // an orderly stop

 private:
  bool write(const char* text);
  std::string path_;
  Log log_;
};

}  // namespace bindcast
