// One question to one server, and its answer: by UDP from a socket and port of its own, then by TCP when the answer by
// UDP was cut short. Loop thread only.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "plugin/clock.hpp"
#include "plugin/sources/forwarders/probe_question.hpp"
#include "plugin/sources/forwarders/watched_socket.hpp"

namespace bindcast {

enum class ProbeFailure : std::uint8_t {
  none,
  timeout,
  refused,      // nothing listens there: ICMP or a TCP reset says so
  unreachable,  // no way there
  closed,       // by the server, before it answered; TCP only
  bad_answer,   // what came was no answer to the question
  not_made,     // for want of descriptors or memory here; says nothing of the server
};
inline constexpr std::string_view kProbeFailureNames[] = {"none",   "timeout",    "refused", "unreachable",
                                                          "closed", "bad_answer", "not_made"};

struct ProbeResult {
  ProbeFailure failure = ProbeFailure::none;
  std::uint8_t rcode = 0;
  std::uint32_t rtt_us = 0;  // from the first question to the answer, by TCP too
  bool tcp = false;
  std::uint32_t rejected = 0;  // messages that were no answer
};

class Probe {
 public:
  // `ready` is called when the probe wants to look().
  Probe(uv_loop_t* loop, Faults& faults, const sockaddr_storage& address, const ProbeQuestion& question,
        std::function<void()> ready);

  // Each gives the result when there is one, and is not called again then.
  [[nodiscard]] std::optional<ProbeResult> begin();
  [[nodiscard]] std::optional<ProbeResult> look();
  // Its time is over. What has come while the loop was at other work still counts.
  [[nodiscard]] ProbeResult expire();

 private:
  // Who sends so many messages that are no answers is not listened to any longer.
  static constexpr std::uint32_t kMostRejected = 16;

  [[nodiscard]] std::optional<ProbeResult> connect(int type, int watch);
  [[nodiscard]] std::optional<ProbeResult> look_by_udp();
  [[nodiscard]] std::optional<ProbeResult> look_by_tcp();
  [[nodiscard]] ProbeResult answered(std::uint8_t rcode) const noexcept;
  [[nodiscard]] ProbeResult failed(ProbeFailure failure) const noexcept;
  [[nodiscard]] ProbeResult failed_by_errno() const noexcept;

  uv_loop_t* loop_;
  Faults& faults_;
  sockaddr_storage address_;
  ProbeQuestion question_;
  std::uint16_t id_;
  std::function<void()> ready_;
  WatchedSocket::Owner socket_;
  std::int64_t began_us_ = 0;
  std::uint32_t rejected_ = 0;
  bool tcp_ = false, asked_ = false;  // the question was sent
  // Of an answer by TCP: its first bytes, behind the two that tell its length, and how many have come.
  std::array<std::uint8_t, 2 + ProbeQuestion::kMostLookedAt> head_{};
  std::size_t received_ = 0;
};

}  // namespace bindcast
