// What travels through a ring: one finished request, with the rewrite that a response policy did to it, if any.
//
//   | QueryRecord | qname | tsig_key | view | policy_zone | rule |
//
// Names stay in wire form and addresses in binary; text is made on the loop, and only for events that somebody wants.
// Written by the shim, read by the intake.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace bindcast {

enum class RecordKind : std::uint32_t { query = 1, rpz_hit = 2 };

enum class Transport : std::uint8_t { udp, tcp, tls, https };
inline constexpr std::string_view kTransportNames[] = {"udp", "tcp", "tls", "https"};

enum class RpzTrigger : std::uint8_t { qname, client_ip, ip, nsdname, nsip };
inline constexpr std::string_view kTriggerNames[] = {"qname", "client-ip", "ip", "nsdname", "nsip"};

enum class RpzAction : std::uint8_t { nxdomain, nodata, drop, tcp_only, passthru, cname, local_data };
inline constexpr std::string_view kActionNames[] = {"nxdomain", "nodata", "drop",      "tcp-only",
                                                    "passthru", "cname",  "local-data"};

struct QueryRecord {
  std::uint64_t ended_ns;  // CLOCK_MONOTONIC
  std::uint64_t latency_ns;
  std::uint32_t sample;  // this record stands for so many
  std::uint32_t policy_serial;
  std::uint32_t hook_ns;  // what capturing an earlier query took; 0: not measured
  std::uint16_t client_port;
  std::uint16_t qtype, qclass, rcode, flags;
  std::uint16_t answers, authority, additional;
  std::int16_t edns_version;
  std::uint16_t edns_udp_size;
  std::uint16_t ede_code;
  std::uint8_t client_family, ecs_family;  // 4, 6, 0: none
  std::array<std::uint8_t, 16> client, ecs;
  std::uint8_t ecs_source;
  Transport transport;
  RpzTrigger trigger;
  RpzAction action;
  bool counted;  // as a query: only its failure is to be told
  bool dropped, recursed, cached, edns_do, has_ede, has_rpz;
  std::uint8_t qname_size, tsig_size, view_size, policy_zone_size, rule_size;

  [[nodiscard]] std::size_t names_size() const noexcept {
    return std::size_t{qname_size} + tsig_size + view_size + policy_zone_size + rule_size;
  }
};

// A QueryRecord read back out of a ring. Borrows the ring's bytes.
struct QueryView {
  QueryRecord fixed;
  std::span<const std::uint8_t> qname, tsig_key, policy_zone, rule;
  std::string_view view;

  // False when the payload cannot be a record (a fault of ours; never read past its end).
  [[nodiscard]] static bool read(std::span<const std::byte> payload, QueryView& out) noexcept {
    if (payload.size() < sizeof(QueryRecord)) return false;
    std::memcpy(&out.fixed, payload.data(), sizeof(QueryRecord));
    if (payload.size() < sizeof(QueryRecord) + out.fixed.names_size()) return false;
    const auto* at = reinterpret_cast<const std::uint8_t*>(payload.data() + sizeof(QueryRecord));
    const auto take = [&at](std::size_t size) {
      std::span<const std::uint8_t> part{at, size};
      at += size;
      return part;
    };
    out.qname = take(out.fixed.qname_size);
    out.tsig_key = take(out.fixed.tsig_size);
    const auto view_bytes = take(out.fixed.view_size);
    out.view = {reinterpret_cast<const char*>(view_bytes.data()), view_bytes.size()};
    out.policy_zone = take(out.fixed.policy_zone_size);
    out.rule = take(out.fixed.rule_size);
    return true;
  }
};

}  // namespace bindcast
