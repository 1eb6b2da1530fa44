// Golden messages: every kind of faulty YAML, and exactly what named-checkconf tells of it. Read by config_test.cpp.
//
// A row's faults are one per line, without the file's name. A line that ends in * is compared up to there: the rest is
// the filter's own words.
#pragma once

#include <string_view>

namespace bindcast {

using namespace std::string_view_literals;

struct FaultRow {
  const char* description;
  std::string_view yaml;
  const char* faults;
};

inline constexpr FaultRow kFaultRows[] = {
    {"empty text", ""sv, ""},
    {"only comments", "# nothing\n"sv, ""},
    {"headings with nothing under them",
     "server:\n"
     "auth:\n"
     "batching: {compression: }\n"sv,
     ""},
    {"unclosed list",
     "server:\n"
     "  listen: [127.0.0.1:1\n"
     "auth: {}\n"sv,
     "3: not YAML: did not find expected ',' or ']' (while parsing a flow sequence that begins on line 2)"},
    {"unclosed quote",
     "events:\n"
     "  filter: \"abc\n"sv,
     "3: not YAML: found unexpected end of stream (while scanning a quoted scalar that begins on line 2)"},
    {"tab as indentation",
     "server:\n"
     "\011listen: 127.0.0.1:1\n"sv,
     "2: not YAML: a tab where YAML wants spaces; tabs cannot indent"},
    {"bad indentation",
     "server:\n"
     "  insecure: true\n"
     " insecure: true\n"sv,
     "3: not YAML: did not find expected key (while parsing a block mapping that begins on line 1)"},
    {"unquoted IPv6",
     "server:\n"
     "  listen: [::1]:8353\n"sv,
     "2: not YAML: did not find expected node content; an IPv6 address needs quotes: \"[::1]:8353\""},
    {"reserved character", "events: {filter: @x}\n"sv,
     "1: not YAML: found character that cannot start any token (while scanning for the next token)"},
    {"two documents",
     "server: {}\n"
     "---\n"
     "server: {}\n"sv,
     "2: only one YAML document is accepted; a second one starts here"},
    {"anchor", "server: &s {insecure: true}\n"sv, "1: server: anchors and aliases are refused; write the value out"},
    {"alias", "server: {insecure: *s}\n"sv, "1: server.insecure: anchors and aliases are refused; write the value out"},
    {"anchor and alias",
     "queues: {max_events: &n 10}\n"
     "batching: {max_batch_size: *n}\n"sv,
     "1: queues.max_events: anchors and aliases are refused; write the value out\n"
     "2: batching.max_batch_size: anchors and aliases are refused; write the value out"},
    {"alias as a key", "*a : 1\n"sv, "1: anchors and aliases are refused; write the value out"},
    {"list as a key",
     "? [a, b]\n"
     ": 1\n"sv,
     "1: a key must be a single word, not a list or a mapping"},
    {"tag", "queues: {max_events: !!int \"10\"}\n"sv,
     "1: queues.max_events: the tag `tag:yaml.org,2002:int` is refused; write the value alone\n"
     "1: queues.max_events: text in quotes where an integer is wanted; write it without quotes"},
    {"duplicate key",
     "queues:\n"
     "  max_events: 10\n"
     "  max_bytes: 1MiB\n"
     "  max_events: 20\n"sv,
     "4: queues.max_events: duplicate key; it is already written on line 2"},
    {"duplicate section",
     "queues: {max_events: 10}\n"
     "server: {}\n"
     "queues: {max_events: 20}\n"sv,
     "3: queues: duplicate key; it is already written on line 1"},
    {"too deep", "a: [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]\n"sv,
     "1: a[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: nested deeper than 16 levels"},
    {"zero byte", "server: {}\nauth: \000\n"sv, "2: a zero byte; the file must be UTF-8 text"},
    {"not UTF-8",
     "server: {}\n"
     "\n"
     "auth: {mode: \377}\n"sv,
     "3: not UTF-8 text"},
    {"overlong UTF-8", "a: \300\257\n"sv, "1: not UTF-8 text"},
    {"UTF-16", "\377\376s\000e\000r\000v\000e\000r\000:\000 \000{\000}\000\n\000"sv, "1: not UTF-8 text"},
    {"control character",
     "server: {}\n"
     "auth: \001\n"sv,
     "2: not YAML: control characters are not allowed"},
    {"not a mapping",
     "- a\n"
     "- b\n"sv,
     "1: must be a mapping of keys to values"},
    {"a word alone", "hello\n"sv, "1: must be a mapping of keys to values"},
    {"unknown section, near", "batchng: {profile: default}\n"sv,
     "1: batchng: unknown key `batchng`; did you mean `batching`?"},
    {"unknown key, near",
     "server:\n"
     "  max_conections: 5\n"sv,
     "2: server.max_conections: unknown key `max_conections`; did you mean `max_connections`?"},
    {"unknown key, letters swapped", "batching: {proflie: default}\n"sv,
     "1: batching.proflie: unknown key `proflie`; did you mean `profile`?"},
    {"unknown key, known elsewhere", "max_batch_size: 5\n"sv,
     "1: max_batch_size: unknown key `max_batch_size`; did you mean `batching.max_batch_size`?"},
    {"unknown key, nothing near", "retry: {zebra: 1}\n"sv,
     "1: retry.zebra: unknown key `zebra`; known here: acknowledge, initial, factor, max, attempts"},
    {"unknown key in an entry",
     "auth:\n"
     "  tokens:\n"
     "    - name: a\n"
     "      sha265: x\n"sv,
     "3: auth.tokens[0]: `sha256` is missing\n"
     "4: auth.tokens[0].sha265: unknown key `sha265`; did you mean `sha256`?"},
    {"unknown key with an escape", "\"\\e[31mred\": 1\n"sv,
     "1: ?[31mred: unknown key `?[31mred`; known here: server, auth, roles, events, privacy, batching, queues, "
     "rate_limit, publish, retry, escalation, journal, sources, health"},
    {"key with a zero byte", "\"server\\0\": {}\n"sv, "1: server?: unknown key `server?`; did you mean `server`?"},
    {"mapping for a scalar", "queues: {max_events: {a: 1}}\n"sv,
     "1: queues.max_events: must be an integer, not a mapping"},
    {"list for a scalar", "queues: {max_events: [1]}\n"sv, "1: queues.max_events: must be an integer, not a list"},
    {"scalar for a section", "queues: 5\n"sv, "1: queues: must be a mapping of keys to values"},
    {"list for a section", "queues: [5]\n"sv, "1: queues: must be a mapping of keys to values"},
    {"scalar for a list", "events: {queries: {ignore: example.com}}\n"sv,
     "1: events.queries.ignore: must be a list such as [a, b], not a single value"},
    {"mapping for a list", "auth: {tokens: {name: a}}\n"sv,
     "1: auth.tokens: must be a list such as [a, b], not a mapping"},
    {"scalar for a mapping", "roles: admin\n"sv, "1: roles: must be a mapping of keys to values, not a single value"},
    {"nothing for a value", "queues: {max_events: }\n"sv, "1: queues.max_events: must be an integer, not nothing"},
    {"null for a value", "queues: {overflow: ~}\n"sv,
     "1: queues.overflow: must be one of drop_lowest, drop_oldest, drop_newest, disconnect, not nothing"},
    {"quoted number", "queues: {max_events: \"5\"}\n"sv,
     "1: queues.max_events: text in quotes where an integer is wanted; write it without quotes"},
    {"quoted boolean", "auth: {query_token: 'true'}\n"sv,
     "1: auth.query_token: text in quotes where true or false is wanted; write it without quotes"},
    {"yes for true", "auth: {query_token: yes}\n"sv,
     "1: auth.query_token: \"yes\" is not a boolean; write true or false"},
    {"True for true", "auth: {query_token: True}\n"sv,
     "1: auth.query_token: \"True\" is not a boolean; write true or false"},
    {"number for a boolean", "auth: {query_token: 1}\n"sv,
     "1: auth.query_token: \"1\" is not a boolean; write true or false"},
    {"word for an integer", "queues: {max_events: many}\n"sv,
     "1: queues.max_events: \"many\" is not an integer; accepted: 1 to 1000000 events"},
    {"fraction for an integer", "queues: {max_events: 1.5}\n"sv,
     "1: queues.max_events: \"1.5\" is not an integer; accepted: 1 to 1000000 events"},
    {"hexadecimal integer", "queues: {max_events: 0x10}\n"sv,
     "1: queues.max_events: \"0x10\" is not an integer; accepted: 1 to 1000000 events"},
    {"negative integer", "queues: {max_events: -1}\n"sv,
     "1: queues.max_events: -1 is out of range; accepted: 1 to 1000000 events"},
    {"integer too small", "server: {max_connections: 0}\n"sv,
     "1: server.max_connections: 0 is out of range; accepted: 1 to 10000 connections"},
    {"integer too large", "server: {max_connections: 10001}\n"sv,
     "1: server.max_connections: 10001 is out of range; accepted: 1 to 10000 connections"},
    {"integer beyond 64 bits", "server: {max_connections: 99999999999999999999}\n"sv,
     "1: server.max_connections: 99999999999999999999 is out of range; accepted: 1 to 10000 connections"},
    {"real out of range", "batching: {load_threshold: 1.5}\n"sv,
     "1: batching.load_threshold: 1.5 is out of range; accepted: 0.1 to 1"},
    {"real that is none", "batching: {load_threshold: nan}\n"sv,
     "1: batching.load_threshold: \"nan\" is not a number; accepted: 0.1 to 1"},
    {"sample of none", "events: {queries: {sample: 0}}\n"sv,
     "1: events.queries.sample: 0 is out of range; accepted: 1 to 1000000"},
    {"bulk threshold too large", "events: {zones: {bulk_threshold: 1000001}}\n"sv,
     "1: events.zones.bulk_threshold: 1000001 is out of range; accepted: 1 to 1000000 records"},
    {"duration without unit", "batching: {batch_timeout: 500}\n"sv,
     "1: batching.batch_timeout: 500 has no unit; write a unit: ms, s, m, h, d"},
    {"duration with a wrong unit", "batching: {batch_timeout: 5min}\n"sv,
     "1: batching.batch_timeout: \"5min\" is not a duration; write a number and a unit: ms, s, m, h, d; accepted: 1ms "
     "to 1m"},
    {"duration of two parts", "auth: {lockout: {window: 1h30m}}\n"sv,
     "1: auth.lockout.window: \"1h30m\" is not a duration; write a number and a unit: ms, s, m, h, d; accepted: 1s to "
     "1d"},
    {"duration that is none", "batching: {batch_timeout: soon}\n"sv,
     "1: batching.batch_timeout: \"soon\" is not a duration; write a number and a unit: ms, s, m, h, d; accepted: 1ms "
     "to 1m"},
    {"duration below the range", "events: {zones: {sweep: 49ms}}\n"sv,
     "1: events.zones.sweep: 49ms is out of range; accepted: 50ms to 1h"},
    {"duration above the range", "server: {heartbeat: 2h}\n"sv,
     "1: server.heartbeat: 2h is out of range; accepted: 1s to 1h"},
    {"duration beyond 64 bits", "server: {heartbeat: 9999999999999d}\n"sv,
     "1: server.heartbeat: 9999999999999d is out of range; accepted: 1s to 1h"},
    {"negative duration", "server: {heartbeat: -5s}\n"sv,
     "1: server.heartbeat: \"-5s\" is not a duration; write a number and a unit: ms, s, m, h, d; accepted: 1s to 1h"},
    {"size with a wrong unit", "queues: {max_bytes: 4MB}\n"sv,
     "1: queues.max_bytes: \"4MB\" is not a size; write bytes, or a number with KiB, MiB or GiB; accepted: 64KiB to "
     "1GiB"},
    {"size that is none", "queues: {max_bytes: big}\n"sv,
     "1: queues.max_bytes: \"big\" is not a size; write bytes, or a number with KiB, MiB or GiB; accepted: 64KiB to "
     "1GiB"},
    {"size below the range", "server: {max_message_bytes: 1023}\n"sv,
     "1: server.max_message_bytes: 1023 is out of range; accepted: 1KiB to 16MiB"},
    {"size above the range", "server: {max_message_bytes: 17MiB}\n"sv,
     "1: server.max_message_bytes: 17MiB is out of range; accepted: 1KiB to 16MiB"},
    {"size beyond 64 bits", "queues: {max_bytes: 99999999999GiB}\n"sv,
     "1: queues.max_bytes: 99999999999GiB is out of range; accepted: 64KiB to 1GiB"},
    {"unknown word, near", "batching: {strategy: hybird}\n"sv,
     "1: batching.strategy: \"hybird\" is not known; did you mean `hybrid`? accepted: time_based, size_based, hybrid, "
     "priority_based, adaptive"},
    {"unknown word, nothing near", "queues: {overflow: explode}\n"sv,
     "1: queues.overflow: \"explode\" is not known; accepted: drop_lowest, drop_oldest, drop_newest, disconnect"},
    {"word in the wrong case", "auth: {mode: Open}\n"sv,
     "1: auth.mode: \"Open\" is not known; did you mean `open`? accepted: required, open"},
    {"unknown priority in a list", "retry: {acknowledge: [critical, urgnt]}\n"sv,
     "1: retry.acknowledge[1]: \"urgnt\" is not known; did you mean `urgent`? accepted: low, normal, high, critical, "
     "urgent"},
    {"listen: a name", "server: {listen: \"localhost:8353\"}\n"sv,
     "1: server.listen: \"localhost\" is not an IPv4 address (names are not looked up); write address:port, [v6]:port "
     "or unix:/path"},
    {"listen: no port", "server: {listen: 127.0.0.1}\n"sv,
     "1: server.listen: \"127.0.0.1\" is not an address to listen on; write address:port, [v6]:port or unix:/path"},
    {"listen: port too large", "server: {listen: \"127.0.0.1:65536\"}\n"sv,
     "1: server.listen: \"65536\" is not a port; accepted: 0 to 65535, where 0 is any free one"},
    {"listen: IPv6 without brackets", "server: {listen: \"::1:8353\"}\n"sv,
     "1: server.listen: \"::1:8353\" is not an address to listen on; write address:port, [v6]:port or unix:/path"},
    {"listen: bad IPv6", "server: {listen: \"[::g]:1\"}\n"sv,
     "1: server.listen: \"::g\" is not an IPv6 address (names are not looked up); write address:port, [v6]:port or "
     "unix:/path"},
    {"listen: relative socket", "server: {listen: \"unix:run/x\"}\n"sv,
     "1: server.listen: \"unix:run/x\": the path of a unix socket must begin with /"},
    {"listen: long socket",
     "server: {listen: \"unix:/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}\n"sv,
     "1: server.listen: the path of a unix socket has 121 bytes; accepted: at most 107"},
    {"listen: nothing", "server: {listen: []}\n"sv, "1: server.listen: must name at least one address"},
    {"listen: a mapping", "server: {listen: {port: 1}}\n"sv,
     "1: server.listen: must be an address or a list of addresses, not a mapping"},
    {"listen: one bad in a list",
     "server:\n"
     "  listen:\n"
     "    - 127.0.0.1:1\n"
     "    - 127.0.0.300:2\n"sv,
     "4: server.listen[1]: \"127.0.0.300\" is not an IPv4 address (names are not looked up); write address:port, "
     "[v6]:port or unix:/path"},
    {"listen: twice",
     "server:\n"
     "  listen:\n"
     "    - \"[::1]:8353\"\n"
     "    - \"[0:0::1]:8353\"\n"sv,
     "4: server.listen[1]: [::1]:8353 is listed twice"},
    {"listen: off loopback", "server: {listen: 0.0.0.0:8353}\n"sv,
     "1: server.listen: 0.0.0.0:8353 is not on loopback; write server.tls, or server.insecure: true"},
    {"listen: second off loopback",
     "server:\n"
     "  listen: [\"[::1]:1\",\n"
     "    \"[2001:db8::1]:8353\"]\n"sv,
     "3: server.listen[1]: [2001:db8::1]:8353 is not on loopback; write server.tls, or server.insecure: true"},
    {"TLS: certificate only",
     "server:\n"
     "  tls:\n"
     "    certificate: /c.pem\n"sv,
     "3: server.tls.certificate: a certificate without a key; write both or neither"},
    {"TLS: key only",
     "server:\n"
     "  listen: 192.0.2.1:443\n"
     "  tls: {key: /k.pem}\n"sv,
     "3: server.tls.key: a key without a certificate; write both or neither"},
    {"open off loopback",
     "server: {listen: 192.0.2.1:8353, insecure: true}\n"
     "auth:\n"
     "  mode: open\n"sv,
     "3: auth.mode: open is accepted only when every listener is on loopback or a unix socket; 192.0.2.1:8353 is "
     "neither"},
    {"origin with a path", "server: {allowed_origins: [\"https://a.example/\"]}\n"sv,
     "1: server.allowed_origins[0]: \"https://a.example/\" is not an origin; write scheme://host or "
     "scheme://host:port, without a path"},
    {"token without a hash",
     "auth:\n"
     "  tokens:\n"
     "    - {name: a}\n"sv,
     "3: auth.tokens[0]: `sha256` is missing"},
    {"token: short hash", "auth: {tokens: [{name: a, sha256: abcdef}]}\n"sv,
     "1: auth.tokens[0].sha256: has 6 characters; accepted: the 64 hex digits of the token's SHA-256"},
    {"token: hash not hex",
     "auth: {tokens: [{name: a, sha256: gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg}]}\n"sv,
     "1: auth.tokens[0].sha256: not hex; accepted: the 64 hex digits of the token's SHA-256"},
    {"token: bad name",
     "auth: {tokens: [{name: \"a b\", sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}]}\n"sv,
     "1: auth.tokens[0].name: \"a b\" is not a name; accepted: 1 to 64 letters, digits and . _ @ -"},
    {"tokens with one name",
     "auth:\n"
     "  tokens:\n"
     "    - {name: a, sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\n"
     "    - {name: a, sha256: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb}\n"sv,
     "4: auth.tokens[1].name: another token has the name `a`"},
    {"tokens with one hash",
     "auth:\n"
     "  tokens:\n"
     "    - {name: a, sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}\n"
     "    - {name: b, sha256: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA}\n"sv,
     "4: auth.tokens[1].sha256: another token has the same hash"},
    {"token: unknown role, near",
     "auth: {tokens: [{name: a, sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, roles: [viewer, publsher]}]}\n"sv,
     "1: auth.tokens[0].roles[1]: unknown role `publsher`; did you mean `publisher`?"},
    {"token: unknown role, nothing near",
     "auth: {tokens: [{name: a, sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, roles: [x]}]}\n"sv,
     "1: auth.tokens[0].roles[0]: unknown role `x`; known: admin, operator, publisher, viewer"},
    {"token: no mapping", "auth: {tokens: [abc]}\n"sv, "1: auth.tokens[0]: must be a mapping of keys to values"},
    {"user: password not hashed", "auth: {users: [{name: ann, password: hunter2}]}\n"sv,
     "1: auth.users[0].password: not a crypt(5) hash; write one such as $y$..., never the password itself"},
    {"user: unknown role", "auth: {users: [{name: ann, password: $y$j9T$abc, roles: [admn]}]}\n"sv,
     "1: auth.users[0].roles[0]: unknown role `admn`; did you mean `admin`?"},
    {"users with one name",
     "auth: {users: [{name: ann, password: $y$j9T$abc},\n"
     "  {name: ann, password: $y$j9T$abd}]}\n"sv,
     "2: auth.users[1].name: another user has the name `ann`"},
    {"JWT algorithm", "auth: {jwt: {algorithms: [none]}}\n"sv,
     "1: auth.jwt.algorithms[0]: \"none\" is not known; accepted: RS256, ES256, EdDSA, HS256"},
    {"JWT algorithm without a key", "auth: {jwt: {algorithms: [RS256]}}\n"sv,
     "1: auth.jwt.algorithms: needs auth.jwt.key, the key that verifies"},
    {"JWT key without an algorithm", "auth:\n  jwt: {key: /etc/bind/jwt.pem}\n"sv,
     "2: auth.jwt.key: a key without auth.jwt.algorithms"},
    {"role: bad name", "roles: {\"a/b\": {}}\n"sv,
     "1: roles.a/b: \"a/b\" is not a name; accepted: 1 to 64 letters, digits and . _ @ -"},
    {"role: unknown category", "roles: {a: {categories: [dsn]}}\n"sv,
     "1: roles.a.categories[0]: \"dsn\" is not known; did you mean `dns`? accepted: health, dns, security, user, "
     "system, connection, bulk_operation, error, audit, custom"},
    {"role: unknown type", "roles: {a: {types: [zone_create]}}\n"sv,
     "1: roles.a.types[0]: \"zone_create\" is not known; did you mean `zone_created`?"},
    {"role: bad filter",
     "roles:\n"
     "  a:\n"
     "    filter: 'type ='\n"sv,
     "3: roles.a.filter: column 7: *"},
    {"role: unknown key", "roles: {a: {privcy: {}}}\n"sv,
     "1: roles.a.privcy: unknown key `privcy`; did you mean `privacy`?"},
    {"role: unknown right", "roles: {a: {may: [wach]}}\n"sv,
     "1: roles.a.may[0]: \"wach\" is not known; did you mean `watch`? accepted: watch, acknowledge, publish, "
     "administer"},
    {"role: types for admins only",
     "roles:\n"
     "  a: {types: [audit_log]}\n"
     "  b: {subscribe: {types: [zone_created, audit_log]}}\n"
     "  c: {types: [audit_log], audience: admin}\n"
     "  admin: {types: [audit_log]}\n"sv,
     "2: roles.a.types[0]: `audit_log` is for admins only; write `audience: admin` too\n"
     "3: roles.b.subscribe.types[1]: `audit_log` is for admins only; write `audience: admin` too"},
    {"role: a type that `events.types` makes one for admins",
     "events: {types: {zone_created: {audience: admin}}}\n"
     "roles: {a: {types: [zone_created]}}\n"sv,
     "2: roles.a.types[0]: `zone_created` is for admins only; write `audience: admin` too"},
    {"role: a subscription of one that may not watch", "roles: {publisher: {subscribe: {categories: [dns]}}}\n"sv,
     "1: roles.publisher.subscribe: the role may not watch; write `watch` among `may` too"},
    {"filter that does not compile",
     "events:\n"
     "  filter: 'category == '\n"sv,
     "2: events.filter: column 10: *"},
    {"filter with a control character", "events: {filter: \"a = \\\"\\a\\\"\"}\n"sv,
     "1: events.filter: control characters and line breaks are refused"},
    {"ignored name", "events: {queries: {ignore: [a..b]}}\n"sv,
     "1: events.queries.ignore[0]: \"a..b\" is not a domain name: it has an empty label"},
    {"type unknown", "events: {types: {dns_query_faild: {priority: high}}}\n"sv,
     "1: events.types.dns_query_faild: unknown event type `dns_query_faild`; did you mean `dns_query_failed`?"},
    {"type: unknown priority", "events: {types: {heartbeat: {priority: hihg}}}\n"sv,
     "1: events.types.heartbeat.priority: \"hihg\" is not known; did you mean `high`? accepted: low, normal, high, "
     "critical, urgent"},
    {"type: unknown key", "events: {types: {heartbeat: {enable: false}}}\n"sv,
     "1: events.types.heartbeat.enable: unknown key `enable`; did you mean `enabled`?"},
    {"feed category", "events: {rpz: {feeds: {a.example: Bad Stuff}}}\n"sv,
     "1: events.rpz.feeds.a.example: \"Bad Stuff\" is not a category; accepted: malware, phishing, or a word of your "
     "own of 1 to 32 characters of a-z 0-9 _ -"},
    {"feed pattern", "events: {rpz: {feeds: {\"a b\": malware}}}\n"sv,
     "1: events.rpz.feeds.a b: \"a b\" is not a zone's name or a pattern with * and ?"},
    {"text with a line break", "journal: {path: \"a\\nb\"}\n"sv,
     "1: journal.path: control characters and line breaks are refused"},
    {"empty text", "journal: {path: \"\"}\n"sv, "1: journal.path: must not be empty"},
    {"smallest batch above the largest", "batching: {min_batch_size: 11, profile: low_latency}\n"sv,
     "1: batching.min_batch_size: 11 is above max_batch_size; accepted: at most 10"},
    {"longest wait below the wait",
     "batching:\n"
     "  batch_timeout: 2s\n"
     "  max_batch_timeout: 1s\n"sv,
     "3: batching.max_batch_timeout: 1s is below batch_timeout; accepted: at least 2s"},
    {"first retry above the last", "retry: {initial: 2m}\n"sv,
     "1: retry.initial: initial (2m) is above max (1m); accepted: at most max"},
    {"escalation: no time", "escalation: [{repeat: true}]\n"sv, "1: escalation[0]: `after` is missing"},
    {"escalation: nothing to do",
     "escalation:\n"
     "  - after: 0s\n"sv,
     "2: escalation[0]: does nothing; write at least one of to, repeat, priority, webhook"},
    {"escalation: out of order",
     "escalation:\n"
     "  - {after: 5m, repeat: true}\n"
     "  - {after: 1m, repeat: true}\n"sv,
     "3: escalation[1].after: 1m is before the step above; accepted: at least 5m"},
    {"escalation: unknown role", "escalation: [{after: 0s, to: {roles: [operater]}}]\n"sv,
     "1: escalation[0].to.roles[0]: unknown role `operater`; did you mean `operator`?"},
    {"escalation: webhook without URL", "escalation: [{after: 0s, repeat: true, webhook: {secret_file: /k}}]\n"sv,
     "1: escalation[0].webhook: `url` is missing"},
    {"escalation: URL", "escalation: [{after: 0s, webhook: {url: ftp://x}}]\n"sv,
     "1: escalation[0].webhook.url: the URL begins with neither http:// nor https://; accepted: https://host/... or "
     "http://host/..."},
    {"escalation: URL that nothing could be posted to",
     "escalation: [{after: 0s, webhook: {url: http://x:99999/}}]\n"sv,
     "1: escalation[0].webhook.url: the URL's port is not from 1 to 65535; accepted: https://host/... or "
     "http://host/..."},
    {"publish socket", "publish: {socket: run/publish.sock}\n"sv,
     "1: publish.socket: \"run/publish.sock\": the path of a unix socket must begin with /"},
    {"forwarder", "sources: {forwarders: {servers: [dns.example]}}\n"sv,
     "1: sources.forwarders.servers[0]: \"dns.example\" is not an address; write an IPv4 or IPv6 address, address:port "
     "or [v6]:port"},
    {"forwarder without a port", "sources: {forwarders: {servers: [\"192.0.2.1:0\"]}}\n"sv,
     "1: sources.forwarders.servers[0]: \"192.0.2.1:0\" is not an address; write an IPv4 or IPv6 address, address:port "
     "or [v6]:port"},
    {"probe's type", "sources: {forwarders: {probe: . FOO}}\n"sv,
     "1: sources.forwarders.probe: \". FOO\" is not a question; write an owner name and a type, such as \". NS\""},
    {"probe's name", "sources: {forwarders: {probe: a..b NS}}\n"sv,
     "1: sources.forwarders.probe: \"a..b NS\" is not a question; write an owner name and a type, such as \". NS\""},
    {"probe", "sources: {forwarders: {probe: NS}}\n"sv,
     "1: sources.forwarders.probe: \"NS\" is not a question; write an owner name and a type, such as \". NS\""},
    {"detector", "sources: {detectors: {tuneling: {}}}\n"sv,
     "1: sources.detectors.tuneling: unknown key `tuneling`; did you mean `tunnelling`?"},
    {"detector: ignored network", "sources: {detectors: {ignore_clients: [10.0.0.0/33]}}\n"sv,
     "1: sources.detectors.ignore_clients[0]: \"10.0.0.0/33\" is neither an address nor a network such as 192.0.2.0/24 "
     "or 2001:db8::/32"},
    {"detector: the shortest interval above the longest",
     "sources: {detectors: {beaconing: {shortest: 2m, longest: 1m}}}\n"sv,
     "1: sources.detectors.beaconing.shortest: shortest (2m) is above longest (1m); accepted: at most longest"},
    {"several faults, in the order of the file",
     "queues: {max_events: 0}\n"
     "server:\n"
     "  insecure: maybe\n"
     "retry: {zebra: 1}\n"
     "auth: {mode: closed}\n"sv,
     "1: queues.max_events: 0 is out of range; accepted: 1 to 1000000 events\n"
     "3: server.insecure: \"maybe\" is not a boolean; write true or false\n"
     "4: retry.zebra: unknown key `zebra`; known here: acknowledge, initial, factor, max, attempts\n"
     "5: auth.mode: \"closed\" is not known; accepted: required, open"},
};

}  // namespace bindcast
