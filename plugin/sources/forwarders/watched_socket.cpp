#include "plugin/sources/forwarders/watched_socket.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <utility>

namespace bindcast {

WatchedSocket::Owner WatchedSocket::connect(uv_loop_t* loop, Faults& faults, int type, const sockaddr_storage& address,
                                            std::function<void()> ready) {
  const int descriptor = ::socket(address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return nullptr;
  const socklen_t size = address.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  int fault = 0;
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), size) != 0 && errno != EINPROGRESS)
    fault = errno;
  std::unique_ptr<WatchedSocket> socket;
  if (fault == 0) {
    // Not made by make_unique: the constructor is ours alone.
    socket.reset(new (std::nothrow) WatchedSocket(faults, descriptor, std::move(ready)));
    fault = socket ? -uv_poll_init(loop, &socket->poll_, descriptor) : ENOMEM;
  }
  if (fault != 0) {
    ::close(descriptor);
    errno = fault;
    return nullptr;
  }
  socket->poll_.data = socket.get();
  return Owner(socket.release());
}

bool WatchedSocket::watch(int events) noexcept {
  const int fault = uv_poll_start(&poll_, events, [](uv_poll_t* poll, int, int) {
    auto* socket = static_cast<WatchedSocket*>(poll->data);
    socket->faults_.contain(socket->ready_);  // an error is ready, too: the next call of the socket tells it
  });
  errno = -fault;
  return fault == 0;
}

void WatchedSocket::Close::operator()(WatchedSocket* socket) const noexcept {
  uv_close(reinterpret_cast<uv_handle_t*>(&socket->poll_), [](uv_handle_t* handle) {
    const std::unique_ptr<WatchedSocket> ended(static_cast<WatchedSocket*>(handle->data));
    ::close(ended->descriptor_);
  });
}

}  // namespace bindcast
