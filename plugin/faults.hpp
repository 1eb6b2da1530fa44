// Where exceptions on the loop thread end. Below it are libuv and libwebsockets, which are C, and the thread is the
// host's: whatever is thrown and not caught would end the host. What this leaves is out of memory: a piece of work is
// lost then, and counted here.
//
// Loop thread only.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <exception>

namespace bindcast {

class Faults {
 public:
  // Does a piece of work; false when it ended by an exception.
  template <typename Work>
  bool contain(Work&& work) noexcept {
    try {
      work();
      return true;
    } catch (const std::exception& fault) {
      note(fault.what());
    } catch (...) {
      note("unknown");
    }
    return false;
  }
  void note(const char* what) noexcept {
    ++count_;
    std::snprintf(last_.data(), last_.size(), "%s", what);
  }

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] const char* last() const noexcept { return last_.data(); }

 private:
  std::uint64_t count_ = 0;
  std::array<char, 128> last_{};
};

}  // namespace bindcast
