#include "plugin/server/acceptor.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace bindcast {

namespace {

constexpr int kBacklog = SOMAXCONN;  // a burst that does not fit waits a second for its next SYN
constexpr int kUnsentBytes = 128 * 1024;

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
  sockaddr_un path;
};

// The size of the address; 0 when it is none.
socklen_t to_socket_address(const ListenAddress& address, SocketAddress& out) {
  std::memset(&out, 0, sizeof out);
  switch (address.kind) {
    case ListenAddress::Kind::ipv4:
      out.v4.sin_family = AF_INET;
      out.v4.sin_port = htons(address.port);
      return inet_pton(AF_INET, address.host.c_str(), &out.v4.sin_addr) == 1 ? sizeof out.v4 : 0;
    case ListenAddress::Kind::ipv6:
      out.v6.sin6_family = AF_INET6;
      out.v6.sin6_port = htons(address.port);
      return inet_pton(AF_INET6, address.host.c_str(), &out.v6.sin6_addr) == 1 ? sizeof out.v6 : 0;
    case ListenAddress::Kind::unix_path:
      out.path.sun_family = AF_UNIX;
      if (address.host.size() >= sizeof out.path.sun_path) return 0;
      std::memcpy(out.path.sun_path, address.host.c_str(), address.host.size() + 1);
      return sizeof out.path;
  }
  return 0;
}

// A socket file whose server is gone would keep the name taken for ever; a live one is left alone.
void remove_dead_socket(const std::string& path, const SocketAddress& address, socklen_t size) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return;
  if (connect(probe, &address.any, size) != 0 && errno == ECONNREFUSED) unlink(path.c_str());
  close(probe);
}

}  // namespace

Acceptor::Acceptor(uv_loop_t* loop, std::function<void(int)> accepted) : loop_(loop), accepted_(std::move(accepted)) {}

Acceptor::~Acceptor() {
  if (poll_ != nullptr) {
    poll_->data = nullptr;
    uv_poll_stop(poll_);
    uv_close(reinterpret_cast<uv_handle_t*>(poll_),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
  }
  if (fd_ >= 0) close(fd_);
  if (!unix_path_.empty()) unlink(unix_path_.c_str());
}

std::string Acceptor::fail(const char* what) {
  const std::string reason =
      errno == EADDRINUSE ? "address in use" : std::string(what) + ": " + std::generic_category().message(errno);
  if (fd_ >= 0) close(std::exchange(fd_, -1));
  return reason;
}

std::string Acceptor::open(const ListenAddress& address) {
  SocketAddress where;
  const socklen_t size = to_socket_address(address, where);
  if (size == 0) return "no address to listen on";
  fd_ = socket(where.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) return fail("socket");
  const int on = 1;
  if (address.kind == ListenAddress::Kind::unix_path)
    remove_dead_socket(address.host, where, size);
  else
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.kind == ListenAddress::Kind::ipv6) setsockopt(fd_, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd_, &where.any, size) != 0) return fail("bind");
  if (address.kind == ListenAddress::Kind::unix_path) {
    unix_path_ = address.host;
    // Before listen(), so nobody comes in under another mode.
    if (chmod(address.host.c_str(), 0660) != 0) return fail("chmod");
  }
  if (listen(fd_, kBacklog) != 0) return fail("listen");

  bound_ = address;
  socklen_t bound_size = sizeof where;
  if (address.kind != ListenAddress::Kind::unix_path && getsockname(fd_, &where.any, &bound_size) == 0)
    bound_.port = ntohs(address.kind == ListenAddress::Kind::ipv4 ? where.v4.sin_port : where.v6.sin6_port);

  auto poll = std::make_unique<uv_poll_t>();
  if (const int fault = uv_poll_init_socket(loop_, poll.get(), fd_); fault != 0) {
    errno = -fault;
    return fail("poll");
  }
  poll_ = poll.release();
  poll_->data = this;
  resume();
  return {};
}

void Acceptor::resume() {
  paused_ = false;
  if (poll_ == nullptr) return;
  uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* handle, int, int) {
    if (handle->data != nullptr) static_cast<Acceptor*>(handle->data)->on_readable();
  });
}

void Acceptor::pause() {
  paused_ = true;
  if (poll_ != nullptr) uv_poll_stop(poll_);
}

void Acceptor::on_readable() {
  for (int i = 0; i < kAcceptsPerTurn && !paused_; ++i) {
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
      // Without descriptors the socket stays readable: do not turn the loop for nothing until there are some again.
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) pause();
      return;
    }
    if (bound_.kind != ListenAddress::Kind::unix_path) {
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      // What the kernel has not sent waits in our queues instead, where an urgent event can overtake it.
      setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes, sizeof kUnsentBytes);
    }
    accepted_(fd);
  }
}

}  // namespace bindcast
