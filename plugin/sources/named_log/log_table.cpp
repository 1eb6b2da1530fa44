#include "plugin/sources/named_log/log_table.hpp"

namespace bindcast {

namespace {

using enum LogMeaning;
using enum EventType;
constexpr auto kNone = LogSubject::Kind::none, kClient = LogSubject::Kind::client, kZone = LogSubject::Kind::zone,
               kTransfer = LogSubject::Kind::transfer;

// Places that hold numbers are those whose names are in log_events.cpp, kNumbers. Rows of one category are tried in
// this order.
constexpr LogRow kRows[] = {
    // Dynamic updates: what is changed, before it is.
    {"update", kClient, "updating zone '{zone}/IN': adding an RR at '{name}' {rtype} {rdata...}", update},
    {"update", kClient, "updating zone '{zone}/IN': deleting an RR at {name} {rtype}", update},
    {"update", kClient, "updating zone '{zone}/IN': deleting rrset at '{name}' {rtype}", update},
    {"update", kClient, "updating zone '{zone}/IN': delete all rrsets from name '{name}'", update},
    {"update", kClient, "updating zone '{zone}/IN': update failed: rejected by secure update (REFUSED)", event,
     update_denied, "reason=update-policy"},
    {"update", kClient, "update failed: {zone}: not authoritative for update zone (NOTAUTH)", event, update_denied,
     "reason=not-authoritative"},
    {"update-security", kClient, "update '{zone}/IN' denied due to allow-query", event, update_denied,
     "reason=allow-query"},
    {"update-security", kClient, "update '{zone}/IN' denied", event, update_denied, "reason=allow-update"},
    {"update-security", kClient, "update forwarding '{zone}/IN' denied", event, update_denied,
     "reason=allow-update-forwarding"},
    // "signer … approved" comes with each signed update, "denied" with one that is told below it.
    {"update-security", kClient, "signer \"{}\" {}", nothing},

    // Transfers to this server. The last two lines of each come in this order.
    {"xfer-in", kZone, "Transfer started.", nothing},
    {"xfer-in", kTransfer, "connected using {} TSIG {tsig_key}", event, zone_transfer_started, "direction=in"},
    {"xfer-in", kTransfer, "connected using {}", event, zone_transfer_started, "direction=in"},
    {"xfer-in", kTransfer, "Transfer status: {reason...}", transfer_status},
    {"xfer-in", kTransfer,
     "Transfer completed: {messages} messages, {records} records, {bytes} bytes, {seconds} secs ({} bytes/sec) "
     "(serial {serial})",
     transfer_ended, zone_transfer_completed, "direction=in"},
    {"xfer-in", kTransfer, "resetting", nothing},
    {"xfer-in", kTransfer, "failed to connect: {reason...}", transfer_fault},
    {"xfer-in", kTransfer, "failed while receiving responses: {reason...}", transfer_fault},
    {"xfer-in", kTransfer, "failed sending request data: {reason...}", transfer_fault},
    {"xfer-in", kTransfer, "connected but unable to send: {reason...}", transfer_fault},
    {"xfer-in", kTransfer, "maximum transfer time exceeded: {reason...}", transfer_fault},
    {"xfer-in", kTransfer, "maximum idle time exceeded: {reason...}", transfer_fault},
    // What could not be asked has no transfer.
    {"general", kZone, "refresh: failure trying primary {peer} (source {}): {reason...}", event, zone_transfer_failed,
     "direction=in stage=refresh"},
    {"general", kZone, "refresh: retry limit for primary {peer} exceeded (source {})", event, zone_transfer_failed,
     "direction=in stage=refresh reason=timeout"},
    {"general", kZone, "refresh: non-authoritative answer from primary {peer} (source {})", event, zone_transfer_failed,
     "direction=in stage=refresh reason=non-authoritative"},
    {"general", kZone, "refresh: unexpected rcode ({reason}) from primary {peer} (source {})", event,
     zone_transfer_failed, "direction=in stage=refresh"},
    {"general", kZone, "refresh: skipping {} as primary {peer} (source {}) is unreachable (cached)", event,
     zone_transfer_failed, "direction=in stage=refresh reason=unreachable"},

    // Transfers from this server.
    {"xfer-out", kClient, "transfer of '{zone}/IN': {method} started: TSIG {} (serial {serial_from} -> {serial})",
     event, zone_transfer_started, "direction=out"},
    {"xfer-out", kClient, "transfer of '{zone}/IN': {method} started: TSIG {} (serial {serial})", event,
     zone_transfer_started, "direction=out"},
    {"xfer-out", kClient, "transfer of '{zone}/IN': {method...} started (serial {serial_from} -> {serial})", event,
     zone_transfer_started, "direction=out"},
    {"xfer-out", kClient, "transfer of '{zone}/IN': {method...} started (serial {serial})", event,
     zone_transfer_started, "direction=out"},
    {"xfer-out", kClient,
     "transfer of '{zone}/IN': {method...} ended: {messages} messages, {records} records, {bytes} bytes, {seconds} "
     "secs ({} bytes/sec) (serial {serial})",
     event, zone_transfer_completed, "direction=out"},
    {"xfer-out", kClient, "transfer of '{zone}/IN': aborted: {reason...}", event, zone_transfer_failed,
     "direction=out"},
    {"xfer-out", kClient, "transfer of '{zone}/IN': send: {reason...}", event, zone_transfer_failed, "direction=out"},
    {"xfer-out", kClient, "bad zone transfer request: '{zone}/IN': {reason...} ({rcode})", event, transfer_denied},
    {"security", kClient, "zone transfer '{zone}/{method}/IN' denied", event, transfer_denied, "reason=allow-transfer"},
    {"security", kClient, "zone transfer '{zone}/IN' denied", event, transfer_denied, "reason=allow-transfer"},

    // Signatures of messages.
    {"security", kClient, "request has invalid signature: TSIG {tsig_key} ({}): {reason...} ({error})", event,
     tsig_failure},
    {"security", kClient, "request has invalid signature: TSIG {tsig_key}: {reason...} ({error})", event, tsig_failure},
    {"security", kClient, "request has invalid signature: {reason...} ({error})", event, tsig_failure},

    // Zones that do not load. named says first what is wrong in the file, then with which zone, then that it gives up.
    {"general", kNone, "dns_master_load: {file}:{line}: {reason...}", file_error},
    {"general", kNone, "dns_rdata_fromtext: {file}:{line}: {reason...}", file_error},
    {"general", kNone, "{file}:{line}: {reason...}", file_error},
    {"zoneload", kZone, "loading from master file {file} failed: {reason...}", load_failed, zone_load_failed},
    {"zoneload", kZone, "not loaded due to errors.", not_loaded, zone_load_failed},
    {"zoneload", kZone, "has {} SOA records", zone_error},
    {"zoneload", kZone, "has no NS records", zone_error},
    {"zoneload", kZone, "could not find NS and/or SOA records", zone_error},

    // Signatures of records.
    {"dnssec", kNone, "validating {qname}/{qtype}: verify failed due to bad signature (keyid={key_tag}): {reason...}",
     event, dnssec_failure, "stage=validation"},
    {"dnssec", kNone, "validating {qname}/{qtype}: bad cache hit ({})", event, dnssec_failure,
     "stage=validation reason=bad-cache"},
    {"dnssec", kNone, "validating {qname}/{qtype}: no valid signature found", event, dnssec_failure,
     "stage=validation reason=no-valid-signature"},
    {"dnssec", kNone, "validating {qname}/{qtype}: no valid signature found (DS)", event, dnssec_failure,
     "stage=validation reason=no-valid-signature"},
    {"dnssec", kNone, "validating {qname}/{qtype}: got insecure response; parent indicates it should be secure", event,
     dnssec_failure, "stage=validation reason=insecure-response"},
    {"dnssec", kNone, "validating {qname}/{qtype}: must be secure failure, {reason...}", event, dnssec_failure,
     "stage=validation"},
    {"dnssec", kNone, "validating {qname}/{qtype}: invalid selfsigned DNSKEY: {reason...}", event, dnssec_failure,
     "stage=validation"},
    {"lame-servers", kNone, "insecurity proof failed resolving '{qname}/{qtype}/IN': {server}", event, dnssec_failure,
     "stage=resolution reason=insecurity-proof-failed"},
    {"lame-servers", kNone, "broken trust chain resolving '{qname}/{qtype}/IN': {server}", event, dnssec_failure,
     "stage=resolution reason=broken-trust-chain"},
    {"lame-servers", kNone, "no valid RRSIG resolving '{qname}/{qtype}/IN': {server}", event, dnssec_failure,
     "stage=resolution reason=no-valid-signature"},
    {"lame-servers", kNone, "no valid DS resolving '{qname}/{qtype}/IN': {server}", event, dnssec_failure,
     "stage=resolution reason=no-valid-ds"},
    {"lame-servers", kNone, "no valid KEY resolving '{qname}/{qtype}/IN': {server}", event, dnssec_failure,
     "stage=resolution reason=no-valid-key"},
    {"lame-servers", kNone, "must-be-secure resolving '{qname}/{qtype}/IN': {server}", event, dnssec_failure,
     "stage=resolution reason=must-be-secure"},

    // Response rate limiting: when it begins for a network and when it ends. Each response that it held back has a
    // line too, which is not told.
    {"rate-limit", kNone, "limit {kind...} responses to {client} for {qname} IN {qtype}  ({})", event, rate_limited,
     "action=began"},
    {"rate-limit", kNone, "limit {kind...} responses to {client} for {qname} IN  ({})", event, rate_limited,
     "action=began"},
    {"rate-limit", kNone, "limit {kind...} responses to {client} for {qname}  ({})", event, rate_limited,
     "action=began"},
    {"rate-limit", kNone, "limit {kind...} responses to {client}", event, rate_limited, "action=began"},
    {"rate-limit", kNone, "limit responses to {client} for {qname} IN {qtype}  ({})", event, rate_limited,
     "action=began"},
    {"rate-limit", kNone, "limit responses to {client}", event, rate_limited, "action=began"},
    {"rate-limit", kNone, "stop limiting {kind...} responses to {client} for {qname} IN {qtype}  ({})", event,
     rate_limited, "action=ended"},
    {"rate-limit", kNone, "stop limiting {kind...} responses to {client} for {qname} IN  ({})", event, rate_limited,
     "action=ended"},
    {"rate-limit", kNone, "stop limiting {kind...} responses to {client} for {qname}  ({})", event, rate_limited,
     "action=ended"},
    {"rate-limit", kNone, "stop limiting {kind...} responses to {client}", event, rate_limited, "action=ended"},
    {"rate-limit", kNone, "stop limiting responses to {client} for {qname} IN {qtype}  ({})", event, rate_limited,
     "action=ended"},
    {"rate-limit", kNone, "stop limiting responses to {client}", event, rate_limited, "action=ended"},
    {"rate-limit", kNone, "continue limiting {...}", nothing},
    {"rate-limit", kClient, "rate limit {...}", nothing},
};

}  // namespace

std::span<const LogRow> log_rows() noexcept {
  return kRows;
}

}  // namespace bindcast
