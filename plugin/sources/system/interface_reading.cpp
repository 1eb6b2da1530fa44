// The network interfaces and what they have carried, by one question to the kernel (rtnetlink(7)).

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "plugin/sources/system/system_reading.hpp"

namespace bindcast {

namespace {

class Socket {
 public:
  Socket() : fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

// The kernel's macros cast const away, so nothing here is.
void take_interface(nlmsghdr& message, SystemReading& reading) {
  if (message.nlmsg_len < NLMSG_LENGTH(sizeof(ifinfomsg))) return;
  auto* about = static_cast<ifinfomsg*>(NLMSG_DATA(&message));
  InterfaceReading interface;
  interface.up = (about->ifi_flags & IFF_UP) != 0 && (about->ifi_flags & IFF_RUNNING) != 0;
  interface.loopback = (about->ifi_flags & IFF_LOOPBACK) != 0;
  auto left = static_cast<int>(message.nlmsg_len - NLMSG_LENGTH(sizeof(ifinfomsg)));
  for (rtattr* part = IFLA_RTA(about); RTA_OK(part, left); part = RTA_NEXT(part, left)) {
    const auto* data = static_cast<const char*>(RTA_DATA(part));
    if (part->rta_type == IFLA_IFNAME) {
      interface.name.assign(data, strnlen(data, RTA_PAYLOAD(part)));
    } else if (part->rta_type == IFLA_STATS64) {
      rtnl_link_stats64 stats{};
      std::memcpy(&stats, data, std::min(sizeof stats, static_cast<std::size_t>(RTA_PAYLOAD(part))));
      interface.receive = {stats.rx_bytes, stats.rx_packets, stats.rx_errors, stats.rx_dropped};
      interface.transmit = {stats.tx_bytes, stats.tx_packets, stats.tx_errors, stats.tx_dropped};
    }
  }
  if (reading.interfaces.size() < kMostInterfaces)
    reading.interfaces.push_back(std::move(interface));
  else
    ++reading.interfaces_left_out;
}

}  // namespace

int read_interfaces(SystemReading& reading) {
  const Socket netlink;
  if (netlink.fd() < 0) return errno;
  const timeval patience{.tv_sec = 5, .tv_usec = 0};
  setsockopt(netlink.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  struct {
    nlmsghdr head;
    ifinfomsg about;
  } question{};
  question.head.nlmsg_len = NLMSG_LENGTH(sizeof question.about);
  question.head.nlmsg_type = RTM_GETLINK;
  question.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  question.about.ifi_family = AF_UNSPEC;
  if (send(netlink.fd(), &question, question.head.nlmsg_len, 0) < 0) return errno;

  std::vector<char> buffer(64 * 1024);  // more than the kernel puts into one answer
  for (;;) {
    const ssize_t got = recv(netlink.fd(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    auto left = static_cast<unsigned>(got);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return 0;
      if (message->nlmsg_type == NLMSG_ERROR) return EIO;
      if (message->nlmsg_type == RTM_NEWLINK) take_interface(*message, reading);
    }
  }
}

}  // namespace bindcast
