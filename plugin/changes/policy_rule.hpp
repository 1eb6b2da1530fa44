// What a record of a response policy zone means (the BIND 9 ARM, "Response Policy Zones"). Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "events/network.hpp"

namespace bindcast {

// The trigger and its subject, from an owner name relative to the policy zone's origin: "bad.example" is a qname,
// "24.0.2.0.192.rpz-client-ip" the client-ip 192.0.2.0/24.
struct PolicyTrigger {
  std::string_view kind;  // qname, client-ip, ip, nsdname, nsip
  std::string subject;    // a name, or an address prefix
};
// `owner` and `origin` in presentation form without the final dot. The apex itself is no rule: empty `kind`.
[[nodiscard]] PolicyTrigger policy_trigger(std::string_view owner, std::string_view origin);

// The owner name of a client-ip rule taken apart, and put together again. Nothing: it is no such name.
struct ClientIpRule {
  Network network;        // "32.5.0.0.10" is 10.0.0.5/32
  std::string_view rest;  // of the name, from ".rpz-client-ip" on
};
[[nodiscard]] std::optional<ClientIpRule> client_ip_rule(std::string_view owner);
[[nodiscard]] std::string owner_name(const ClientIpRule& rule);

// The action that an RRset stands for: nxdomain, nodata, drop, tcp-only, passthru, cname, local-data.
[[nodiscard]] std::string_view policy_action(std::string_view rtype, const std::vector<std::string>& rdata,
                                             std::string_view owner_subject);

}  // namespace bindcast
