// A socket that the loop watches. Loop thread only.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>

#include "plugin/faults.hpp"

namespace bindcast {

class WatchedSocket {
 public:
  // Closing ends the calls at once, and the socket when the loop comes round to it. It may happen inside a call.
  struct Close {
    void operator()(WatchedSocket* socket) const noexcept;
  };
  using Owner = std::unique_ptr<WatchedSocket, Close>;

  // A socket of `family` and `type` that never blocks, connected (a stream: about to be) to `address`, from a port of
  // its own that the kernel chooses at random. Calls `ready` when what watch() asked for has come. Null: errno says
  // why.
  [[nodiscard]] static Owner connect(uv_loop_t* loop, Faults& faults, int type, const sockaddr_storage& address,
                                     std::function<void()> ready);

  // UV_READABLE or UV_WRITABLE, until it is called again; false: errno says why.
  [[nodiscard]] bool watch(int events) noexcept;
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  WatchedSocket(Faults& faults, int descriptor, std::function<void()> ready)
      : faults_(faults), descriptor_(descriptor), ready_(std::move(ready)) {}

  uv_poll_t poll_{};
  Faults& faults_;
  int descriptor_;
  std::function<void()> ready_;
};

}  // namespace bindcast
