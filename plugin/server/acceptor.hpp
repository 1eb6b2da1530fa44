// One listening socket of our own on the runtime's loop. libwebsockets 4.1 is not let near it: there an address with a
// fault is bound elsewhere, and a listener cannot be closed while the context lives (its vhosts are never marked as
// being destroyed). Loop thread only.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>

#include "config/options.hpp"

namespace bindcast {

class Acceptor {
 public:
  static constexpr int kAcceptsPerTurn = 64;

  // `accepted` owns the descriptor that it is given: connected, non-blocking, close-on-exec.
  Acceptor(uv_loop_t* loop, std::function<void(int fd)> accepted);
  ~Acceptor();  // the loop must turn once more to free the handle
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // Empty, or why it does not listen. A unix socket that nobody serves any more is replaced; it gets mode 0660.
  [[nodiscard]] std::string open(const ListenAddress& address);
  // What is really bound, the port read back.
  [[nodiscard]] const ListenAddress& bound() const noexcept { return bound_; }
  // It has stopped accepting, because there are no descriptors to be had, until resume() is called.
  [[nodiscard]] bool paused() const noexcept { return paused_; }
  void resume();

 private:
  void on_readable();
  void pause();
  [[nodiscard]] std::string fail(const char* what);

  uv_loop_t* loop_;
  std::function<void(int)> accepted_;
  uv_poll_t* poll_ = nullptr;  // freed by its close callback
  int fd_ = -1;
  bool paused_ = false;
  ListenAddress bound_;
  std::string unix_path_;  // to be removed at the end
};

}  // namespace bindcast
