// The one table of options. A key stands here and nowhere else.
//
// See options_table.hpp. A default is written as YAML text; a test holds it against options.hpp.
#include "config/options_table.hpp"

#include <algorithm>

#include "config/make_item.hpp"
#include "config/sources_table.hpp"

namespace bindcast {

namespace {

using namespace std::chrono_literals;
using Make = MakeItem<Options>;

constexpr auto kDay = 24h;

// server.listen: one address, or a list of them.
Item<Options> listen_item() {
  Item<Options> item{
      {"server.listen", ItemKind::address_list, "address:port, \"[v6]:port\" or unix:/path", "127.0.0.1:8353",
       "Where to listen. Off loopback this needs server.tls, or server.insecure: true. Port 0 is any "
       "free port. An IPv6 address needs quotes.",
       0, ""},
      {},
      {},
      {}};
  item.read = [](const YamlNode& node, Options& options, Reader& reader, const std::string& key) {
    std::vector<ListenAddress> addresses;
    if (node.kind == YamlNode::Kind::sequence) {
      if (!check_sequence(node, reader, key)) return;
      for (const YamlNode& child : node.children) {
        const std::string place = key + "[" + std::to_string(&child - node.children.data()) + "]";
        reader.written(place, child.line);
        if (auto address = read_listen_address(child, reader, place)) addresses.push_back(std::move(*address));
      }
      if (node.children.empty()) reader.fault(node.line, key, "must name at least one address");
    } else if (read_scalar(node, reader, key, "an address or a list of addresses")) {
      if (auto address = read_listen_address(node, reader, key)) addresses.push_back(std::move(*address));
    }
    if (!addresses.empty()) options.server.listen = std::move(addresses);
  };
  item.show = [](const Options& options, const std::string& key, std::vector<ShownValue>& out) {
    std::vector<std::string> written;
    for (const auto& address : options.server.listen) written.push_back(write_text(address.text()));
    out.push_back({key, written.size() == 1 ? written[0] : write_list(written), false});
  };
  return item;
}

// events.rpz.feeds: pattern to category; the order of the file counts, so the whole is shown as one value.
Item<Options> feeds_item() {
  Item<Options> item{{"events.rpz.feeds", ItemKind::mapping, "pattern of a policy zone's name: category", "{}",
                      "The threat category of each policy zone; the first pattern that matches wins. malware and "
                      "phishing make events of their own, any other word only marks dns_query_blocked.",
                      0, "{\"rpz.malware\": malware, \"phish.*\": phishing}"},
                     {},
                     {},
                     {}};
  item.read = [](const YamlNode& node, Options& options, Reader& reader, const std::string& key) {
    if (!check_mapping(node, reader, key)) return;
    for (const YamlNode& child : node.children) {
      const std::string place = key + "." + child.key;
      const auto wrong = zone_pattern(child.key);
      if (!wrong.empty()) reader.fault(child.key_line, place, wrong);
      auto category = read_text(child, reader, place, feed_category);
      if (wrong.empty() && category) options.events.rpz.feeds.push_back({child.key, std::move(*category)});
    }
  };
  item.show = [](const Options& options, const std::string& key, std::vector<ShownValue>& out) {
    std::string text;
    for (const auto& rule : options.events.rpz.feeds) {
      text += (text.empty() ? "" : ", ") + write_text(rule.zone_pattern) + ": " + write_text(rule.category);
    }
    out.push_back({key, "{" + text + "}", false});
  };
  return item;
}

std::optional<std::string> read_role_name(const YamlNode& node, Reader& reader, const std::string& key) {
  const auto wrong = name_text(node.key);
  if (wrong.empty()) return node.key;
  reader.fault(node.key_line, key, wrong);
  return std::nullopt;
}

std::optional<EventType> read_event_type(const YamlNode& node, Reader& reader, const std::string& key) {
  const auto type = type_from(node.key);
  if (type) return type;
  auto hint = did_you_mean(node.key, names_of<EventType>());
  reader.fault(node.key_line, key, "unknown event type `" + shown(node.key) + "`" + (hint.empty() ? "" : ";" + hint));
  return std::nullopt;
}

std::string algorithm(std::string_view text) {
  static const Names known{"RS256", "ES256", "EdDSA", "HS256"};
  if (std::find(known.begin(), known.end(), text) != known.end()) return {};
  return "\"" + shown(text) + "\" is not known; accepted: " + join(known);
}

template <class Entry>
std::string label_by_name(const Entry& entry, std::size_t) {
  return entry.name;
}

std::string label_by_index(const EscalationStep&, std::size_t index) {
  return std::to_string(index);
}

void add_server(Table<Options>& table) {
  table.push_back(listen_item());
  table.push_back(Make::path(OPTION(server.tls.certificate), "\"\"", any_text,
                             "PEM file of the certificate and its chain; goes with server.tls.key."));
  table.push_back(Make::path(OPTION(server.tls.key), "\"\"", any_text, "PEM file of the certificate's private key."));
  table.push_back(Make::boolean(OPTION(server.insecure), "false",
                                "Permits listening off loopback without TLS, where another TLS proxy stands in "
                                "front or the network is trusted."));
  table.push_back(Make::text_list(OPTION(server.allowed_origins), "[]", origin_text,
                                  "Origins of web pages that may connect; the listener's own always may."));
  table.push_back(Make::integer(OPTION(server.max_connections), "1000", {1, 10000, "connections"},
                                "Clients at the same time; more are refused."));
  table.push_back(Make::integer(OPTION(server.max_connections_per_user), "8", {1, 10000, "connections"},
                                "Clients of one user or token at the same time. One more of a token is refused; of a "
                                "login session it replaces the oldest one."));
  table.push_back(Make::size(OPTION(server.max_message_bytes), "64KiB", {kKiB, 16 * kMiB},
                             "The largest message taken from a client."));
  table.push_back(Make::duration(OPTION(server.heartbeat), "30s", {1s, 1h},
                                 "Silence after which a client is pinged; after twice that it is dropped."));
  table.push_back(Make::boolean(OPTION(server.dashboard), "true", "Serve the web dashboard."));
}

void add_auth(Table<Options>& table) {
  table.push_back(Make::enumeration(OPTION(auth.mode), "required",
                                    "open: everybody is admin; accepted only when every listener is on loopback or "
                                    "a unix socket."));
  table.push_back(Make::boolean(OPTION(auth.query_token), "false",
                                "Accept a token as ?token= in the URL, which may end up in logs of proxies."));
  table.push_back(
      Make::duration(OPTION(auth.session_ttl), "8h", {1s, 30 * kDay}, "How long a login lasts, unless it is renewed."));
  table.push_back(Make::entries(OPTION(auth.users), user_table(), label_by_name<UserOptions>,
                                "Users who log in with a password.",
                                "[{name: ann, password: \"$y$j9T$...\", roles: [admin]}]"));
  table.push_back(Make::entries(OPTION(auth.tokens), token_table(), label_by_name<TokenOptions>,
                                "Tokens of programs. Make one with `openssl rand -hex 32`, and its SHA-256 with "
                                "`printf %s TOKEN | sha256sum`.",
                                "[{name: backup-job, sha256: \"9f86d081...\", roles: [publisher]}]"));
  table.push_back(Make::text_list(OPTION(auth.jwt.algorithms), "[]", algorithm,
                                  "Signatures accepted on JSON Web Tokens, of RS256, ES256, EdDSA, HS256; none: no "
                                  "such tokens."));
  table.push_back(Make::path(OPTION(auth.jwt.key), "\"\"", any_text,
                             "The file of the key that verifies them: PEM of a public key or certificate (RSA, P-256, "
                             "Ed25519), or the bytes of a secret for HS256. Read again when it changes."));
  table.push_back(Make::text(OPTION(auth.jwt.issuer), "\"\"", any_text, "Their `iss`; empty: any."));
  table.push_back(Make::text(OPTION(auth.jwt.audience), "\"\"", any_text, "Their `aud`; empty: any."));
  table.push_back(Make::text(OPTION(auth.jwt.roles_claim), "roles", filled_text, "The claim that holds the roles."));
  table.push_back(Make::text(OPTION(auth.jwt.user_claim), "sub", filled_text, "The claim that holds the user's name."));
  table.push_back(Make::integer(OPTION(auth.lockout.failures), "5", {1, 1000, "failures"},
                                "Failures within the window that lock out: of a user, or of an address (of IPv6, a "
                                "/64)."));
  table.push_back(Make::duration(OPTION(auth.lockout.window), "10m", {1s, kDay}, "The window they are counted in."));
  table.push_back(Make::duration(OPTION(auth.lockout.duration), "15m", {1s, 30 * kDay},
                                 "How long a locked out user or address has to wait. Valid tokens and open sessions "
                                 "are not concerned."));
  table.push_back(Make::keyed(
      OPTION(roles), role_table(), read_role_name, +[](const std::string& name) { return name; },
      "Roles besides the built-in admin, operator, viewer and publisher, or instead of them; see doc/roles.md.",
      "{helpdesk: {categories: [dns, security], privacy: {client_address: prefix}, "
      "filter: 'view = \"internal\"'}}"));
}

void add_events(Table<Options>& table) {
  table.push_back(Make::expression(OPTION(events.filter), "\"\"",
                                   "What this refuses exists for nobody; empty: nothing is refused."));
  table.push_back(Make::boolean(OPTION(events.queries.enabled), "true", "Events about queries."));
  table.push_back(Make::integer(OPTION(events.queries.sample), "1", {1, 1'000'000}, "Report one query in so many."));
  table.push_back(Make::boolean(OPTION(events.queries.latency), "true", "Measure how long each answer took."));
  table.push_back(Make::text_list(OPTION(events.queries.ignore), "[]", domain_name,
                                  "Domain names; queries for them and for names below them are not reported."));
  table.push_back(Make::duration(OPTION(events.zones.sweep), "500ms", {50ms, 1h},
                                 "How often zones are looked over for changes; less often where there are many "
                                 "thousands. One whose files named touches is looked at at once."));
  table.push_back(Make::integer(OPTION(events.zones.bulk_threshold), "1000", {1, 1'000'000, "records"},
                                "More changes than this at once become one record_bulk_operation."));
  table.push_back(Make::boolean(OPTION(events.zones.dnssec_records), "false",
                                "Report changes of RRSIG, NSEC, NSEC3 and the like too."));
  table.push_back(Make::boolean(OPTION(events.zones.builtin), "false", "Report named's own empty and built-in zones."));
  table.push_back(Make::text_list(OPTION(events.zones.ignore), "[]", zone_pattern,
                                  "Zones that are not watched: names, or patterns with * and ?."));
  table.push_back(feeds_item());
  table.push_back(Make::duration(OPTION(events.rpz.repeat_window), "10s", {0s, kDay},
                                 "The same client hitting the same rule again within this time is counted, not "
                                 "reported anew; 0s: everything is reported."));
  table.push_back(Make::keyed(
      OPTION(events.types), type_override_table(), read_event_type,
      +[](const EventType& type) { return std::string(name_of(type)); }, "Changes to single types of events.",
      "{dns_query_failed: {priority: high}}"));
  table.push_back(Make::enumeration(OPTION(privacy.client_address), "full",
                                    "How clients' addresses are kept and shown, to anybody: whole; the /24 or /56 "
                                    "they are in; a hash whose key changes daily; not at all."));
  table.push_back(Make::enumeration(OPTION(privacy.query_name), "full",
                                    "How the names in queries are: whole; their last two labels; a hash whose key "
                                    "changes daily; not at all."));
}

void add_delivery(Table<Options>& table) {
  table.push_back(Make::enumeration(OPTION(batching.profile), "production",
                                    "A set of values for batching and for queues.max_events; each key that is "
                                    "written too overrides it.",
                                    kReadFirst));
  table.push_back(Make::enumeration(OPTION(batching.strategy), "hybrid",
                                    "What decides that a batch is sent; see doc/batching.md."));
  table.push_back(
      Make::integer(OPTION(batching.max_batch_size), "25", {1, 10000, "events"}, "A batch of so many events is sent."));
  table.push_back(
      Make::size(OPTION(batching.max_batch_bytes), "32KiB", {kKiB, 16 * kMiB}, "A batch of so many bytes is sent."));
  table.push_back(Make::duration(OPTION(batching.batch_timeout), "500ms", {1ms, 1min},
                                 "A batch whose first event has waited so long is sent."));
  table.push_back(Make::boolean(OPTION(batching.compression.enabled), "true", "Compress batches."));
  table.push_back(
      Make::size(OPTION(batching.compression.threshold), "512", {0, kMiB}, "Smaller messages are sent as they are."));
  table.push_back(Make::integer(OPTION(batching.compression.level), "3", {1, 9}, "1 is fastest, 9 is smallest."));
  table.push_back(Make::size(OPTION(batching.compression.cache), "8MiB", {0, kGiB},
                             "Memory for compressed batches that may be wanted again."));
  table.push_back(
      Make::boolean(OPTION(batching.priority_bypass), "true", "Critical and urgent events do not wait for a batch."));
  table.push_back(
      Make::boolean(OPTION(batching.adaptive_sizing), "true", "Batches as large as the stream and the load ask for."));
  table.push_back(Make::integer(OPTION(batching.min_batch_size), "5", {1, 10000, "events"},
                                "Adaptive sizing goes no lower; unless written, never above max_batch_size."));
  table.push_back(Make::duration(OPTION(batching.max_batch_timeout), "5s", {1ms, 5min},
                                 "Adaptive sizing waits no longer; unless written, never below batch_timeout."));
  table.push_back(Make::real(
      OPTION(batching.load_threshold), "0.8", {0.1, 1},
      "The part of its queue from which on a client counts as being behind: its batches wait for nothing, and like "
      "queries come folded into dns_query_batch."));

  table.push_back(
      Make::integer(OPTION(queues.max_events), "500", {1, 1'000'000, "events"}, "Events that wait for one client."));
  table.push_back(
      Make::size(OPTION(queues.max_bytes), "4MiB", {64 * kKiB, kGiB}, "Bytes of events that wait for one client."));
  table.push_back(Make::size(OPTION(queues.max_total_bytes), "256MiB", {kMiB, 1024 * kGiB},
                             "Bytes that wait for all clients together, what they share counted once. Above it a "
                             "client whose queue holds more than its share counts as full."));
  table.push_back(Make::enumeration(OPTION(queues.overflow), "drop_lowest",
                                    "What goes when a client's queue is full. The client is told of every loss."));

  table.push_back(Make::integer(
      OPTION(rate_limit.events_per_second), "0", {0, 1'000'000, "events"},
      "Events to one client; 0: no limit. Above it like queries are folded, other events are lost and told; critical "
      "and urgent ones are not counted."));
  table.push_back(Make::integer(OPTION(rate_limit.burst), "0", {0, 1'000'000, "events"},
                                "Events that may come at once; 0: as many as in one second."));
  table.push_back(Make::boolean(OPTION(rate_limit.adaptive), "true",
                                "Lower the limit, down to a quarter, while the clients or the loop are busy."));
  table.push_back(Make::integer(OPTION(rate_limit.messages_per_minute), "100", {1, 100'000, "messages"},
                                "Messages taken from one client."));
  table.push_back(Make::integer(OPTION(rate_limit.subscription_changes_per_minute), "10", {1, 100'000, "changes"},
                                "Changes of subscriptions taken from one client."));

  table.push_back(Make::path(OPTION(publish.socket), "\"\"", socket_path,
                             "A unix socket on which local scripts publish, one JSON event a line; empty: none. Who "
                             "may write to it (mode 0660, named's user and group) is a publisher."));
  table.push_back(Make::duration(OPTION(publish.socket_idle), "5m", {1s, kDay},
                                 "A connection to it that says nothing for so long is closed."));
  table.push_back(Make::integer(OPTION(publish.events_per_second), "500", {0, 1'000'000, "events"},
                                "Events taken from one publisher; 0: no limit."));
  table.push_back(Make::integer(OPTION(publish.burst), "2000", {0, 1'000'000, "events"},
                                "Events that he may publish at once; 0: as many as in one second."));
  table.push_back(Make::size(OPTION(publish.max_event_bytes), "64KiB", {kKiB, kMiB},
                             "The largest event taken, as JSON without spaces."));
  table.push_back(Make::integer(OPTION(publish.max_events), "1000", {1, 10'000, "events"},
                                "Events in one request over HTTP, which itself may have 1 MiB."));
  table.push_back(Make::duration(OPTION(publish.remember_ids), "1h", {1s, kDay},
                                 "An event that a publisher sends again under the same id within this time is not "
                                 "published again."));
  table.push_back(Make::integer(OPTION(publish.progress_per_second), "2", {1, 1000, "events"},
                                "Progress told of one bulk operation; of what comes faster only the newest is told."));
  table.push_back(Make::duration(OPTION(publish.bulk_silence), "5m", {1s, 7 * kDay},
                                 "A bulk operation of which nothing is heard for so long is reported as failed, unless "
                                 "it said another silence_seconds when it started."));

  table.push_back(Make::name_list(OPTION(retry.acknowledge), "[critical, urgent]",
                                  "Priorities whose events are sent again until acknowledged."));
  table.push_back(Make::duration(OPTION(retry.initial), "1s", {10ms, 1h}, "Wait before the first repetition."));
  table.push_back(Make::real(OPTION(retry.factor), "2", {1, 10}, "Each wait is so many times the one before."));
  table.push_back(Make::duration(OPTION(retry.max), "1m", {10ms, kDay}, "The longest wait."));
  table.push_back(Make::integer(OPTION(retry.attempts), "8", {0, 100, "repetitions"}, "Then the event is given up."));
  table.push_back(Make::entries(OPTION(escalation), escalation_table(), label_by_index,
                                "Who is told when nobody acknowledges an urgent event. An empty list stands for the "
                                "ladder shown, without its webhook.",
                                "[{after: 0s, to: {roles: [operator]}}, {after: 5m, repeat: true}, "
                                "{after: 15m, to: {roles: [admin]}, priority: urgent}, "
                                "{after: 30m, webhook: {url: \"https://example.com/hook\", "
                                "secret_file: /etc/bind/webhook.key}}]"));
}

void add_journal(Table<Options>& table) {
  table.push_back(Make::boolean(OPTION(journal.enabled), "true", "Store durable events on disk."));
  table.push_back(Make::path(OPTION(journal.path), "bindcast.db", filled_text,
                             "The database of durable events; a relative path is below named's working directory."));
  table.push_back(Make::duration(OPTION(journal.retention), "30d", {1min, 3650 * kDay}, "Older events are removed."));
  table.push_back(Make::size(OPTION(journal.max_size), "1GiB", {kMiB, 1024 * kGiB}, "Above this the oldest go."));
  table.push_back(Make::boolean(OPTION(journal.queries), "false",
                                "Store events about queries too; they have at most a quarter of max_size."));
  table.push_back(Make::enumeration(OPTION(journal.sync), "normal", "How hard SQLite waits for the disk."));
}

}  // namespace

const Table<Options>& options_table() {
  static const Table<Options> table = [] {
    Table<Options> all;
    add_server(all);
    add_auth(all);
    add_events(all);
    add_delivery(all);
    add_journal(all);
    add_sources(all);
    add_health(all);
    return all;
  }();
  return table;
}

}  // namespace bindcast
