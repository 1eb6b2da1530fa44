#include "plugin/sources/forwarders/probe.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "plugin/histogram.hpp"

namespace bindcast {

namespace {

std::uint16_t random_id() {
  std::uint16_t id = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&id), sizeof id) != 1) throw std::runtime_error("no random bytes");
  return id;
}

ProbeFailure failure_of(int fault) noexcept {
  switch (fault) {
    case ECONNREFUSED:
      return ProbeFailure::refused;
    case ECONNRESET:
    case EPIPE:
      return ProbeFailure::closed;
    case ETIMEDOUT:
      return ProbeFailure::timeout;
    case EAGAIN:  // of connect: no port is left
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return ProbeFailure::not_made;
    default:
      return ProbeFailure::unreachable;
  }
}

}  // namespace

Probe::Probe(uv_loop_t* loop, Faults& faults, const sockaddr_storage& address, const ProbeQuestion& question,
             std::function<void()> ready)
    : loop_(loop),
      faults_(faults),
      address_(address),
      question_(question),
      id_(random_id()),
      ready_(std::move(ready)) {}

std::optional<ProbeResult> Probe::begin() {
  began_us_ = read_clock().mono_us;
  if (auto result = connect(SOCK_DGRAM, UV_READABLE)) return result;
  const auto message = question_.message(id_);
  if (::send(socket_->descriptor(), message.data(), message.size(), 0) < 0) return failed_by_errno();
  return std::nullopt;
}

std::optional<ProbeResult> Probe::look() {
  return tcp_ ? look_by_tcp() : look_by_udp();
}

ProbeResult Probe::expire() {
  if (!socket_) return failed(ProbeFailure::not_made);  // begin() came to no end, for want of memory
  if (const auto result = look()) return *result;
  return failed(rejected_ == 0 ? ProbeFailure::timeout : ProbeFailure::bad_answer);
}

std::optional<ProbeResult> Probe::connect(int type, int watch) {
  socket_ = WatchedSocket::connect(loop_, faults_, type, address_, ready_);
  if (!socket_ || !socket_->watch(watch)) return failed_by_errno();
  return std::nullopt;
}

std::optional<ProbeResult> Probe::look_by_udp() {
  for (;;) {
    std::array<std::uint8_t, ProbeQuestion::kMostLookedAt> bytes;
    const ssize_t size = ::recv(socket_->descriptor(), bytes.data(), bytes.size(), 0);
    if (size < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN ? std::nullopt : std::optional(failed_by_errno());
    }
    const auto answer = question_.check({bytes.data(), static_cast<std::size_t>(size)}, id_);
    if (!answer) {
      if (++rejected_ == kMostRejected) return failed(ProbeFailure::bad_answer);
      continue;
    }
    if (!answer->truncated) return answered(answer->rcode);
    id_ = random_id();
    tcp_ = true;
    return connect(SOCK_STREAM, UV_WRITABLE);
  }
}

std::optional<ProbeResult> Probe::look_by_tcp() {
  const int descriptor = socket_->descriptor();
  if (!asked_) {
    auto message = question_.message(id_);
    const std::uint8_t length[] = {static_cast<std::uint8_t>(message.size() >> 8),
                                   static_cast<std::uint8_t>(message.size() & 0xff)};
    message.insert(message.begin(), std::begin(length), std::end(length));
    // A connection that did not come about says so here; a new one has room for so little.
    if (::send(descriptor, message.data(), message.size(), MSG_NOSIGNAL) < 0)
      return errno == EAGAIN || errno == ENOTCONN ? std::nullopt : std::optional(failed_by_errno());
    asked_ = true;
    if (!socket_->watch(UV_READABLE)) return failed_by_errno();
  }
  std::array<std::uint8_t, 4096> bytes;
  const ssize_t size = ::recv(descriptor, bytes.data(), bytes.size(), 0);
  if (size < 0) return errno == EAGAIN || errno == EINTR ? std::nullopt : std::optional(failed_by_errno());
  if (size == 0) return failed(ProbeFailure::closed);
  if (received_ < head_.size())
    std::copy_n(bytes.begin(), std::min<std::size_t>(static_cast<std::size_t>(size), head_.size() - received_),
                head_.begin() + received_);
  received_ += static_cast<std::size_t>(size);
  if (received_ < 2) return std::nullopt;
  const std::size_t length = static_cast<std::size_t>(head_[0]) << 8 | head_[1];
  if (received_ < 2 + length) return std::nullopt;
  const auto answer = question_.check({head_.data() + 2, std::min(length, head_.size() - 2)}, id_);
  if (answer) return answered(answer->rcode);
  ++rejected_;
  return failed(ProbeFailure::bad_answer);
}

ProbeResult Probe::answered(std::uint8_t rcode) const noexcept {
  ProbeResult result = failed(ProbeFailure::none);
  result.rcode = rcode;
  result.rtt_us =
      static_cast<std::uint32_t>(std::clamp<std::int64_t>(read_clock().mono_us - began_us_, 0, Histogram::kMost));
  return result;
}

ProbeResult Probe::failed(ProbeFailure failure) const noexcept {
  return {.failure = failure, .tcp = tcp_, .rejected = rejected_};
}

ProbeResult Probe::failed_by_errno() const noexcept {
  return failed(failure_of(errno));
}

}  // namespace bindcast
