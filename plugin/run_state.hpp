// Remembers across lives of the host how the last one ended and how far its stream went: a small file beside the token.
// Loop thread only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "plugin/log.hpp"

namespace bindcast {

class RunState {
 public:
  // What is known of the life before this one.
  struct Before {
    enum class End : std::uint8_t { unknown, orderly, crashed };
    End end = End::unknown;
    std::string epoch;         // of its stream; empty: not known
    std::uint64_t offset = 0;  // the last one that it noted
  };

  RunState(std::string state_dir, std::string epoch, Log log);
  // Notes that this process runs; says what is known of the one before.
  Before begin();
  // Once a second: how far the stream is. Writes when that is news, and when nothing could be written so far.
  void note(std::uint64_t offset);
  void end(std::uint64_t offset);  // an orderly stop

 private:
  // A file that cannot be written is logged once, until it can be; no failure.
  void write(std::string_view state, std::uint64_t offset, const char* consequence);
  [[nodiscard]] bool overwrite(std::string_view line) const;

  std::string path_;
  std::string epoch_;
  Log log_;
  std::uint64_t noted_ = 0;
  bool failing_ = false;
};

}  // namespace bindcast
