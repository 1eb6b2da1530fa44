// The configuration as an admin meets it: defaults, the example, profiles, units, changes.
//
// The messages of faults are in config_fault_rows.hpp.
#include "harness.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>

#include "config/load.hpp"
#include "config/options_table.hpp"
#include "config/shown.hpp"
#include "config_fault_rows.hpp"

namespace {

using namespace bindcast;
using namespace std::chrono_literals;

constexpr const char* kFile = "test.yaml";
const std::string kHash(64, 'a');

// The options of a text that must be faultless.
Options load(const std::string& yaml) {
  LoadResult result = load_options_text(yaml, kFile);
  for (const auto& fault : result.faults) print_error("%s\n", fault.text().c_str());
  assert_true(result.ok());
  return std::move(result.options);
}

std::string read_all(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

const OptionChange* find_change(const std::vector<OptionChange>& changes, std::string_view path) {
  const auto found = std::find_if(changes.begin(), changes.end(), [&](const auto& c) { return c.path == path; });
  return found == changes.end() ? nullptr : &*found;
}

void assert_change(const std::vector<OptionChange>& changes, const char* path, const char* before, const char* after) {
  const OptionChange* change = find_change(changes, path);
  if (change == nullptr) print_error("no change of %s\n", path);
  assert_non_null(change);
  assert_text(change->before, before);
  assert_text(change->after, after);
}

void nothing_written_means_defaults(void**) {
  const LoadResult result = load_options_text("", kFile);
  assert_true(result.ok());
  assert_true(result.options == Options{});
  assert_true(load("# nothing\n---\n") == Options{});
}

void table_agrees_with_options(void**) {
  const Options defaults;
  for (const auto& item : options_table()) {
    std::vector<ShownValue> values;
    item.show(defaults, std::string(item.path), values);
    if (values.empty()) continue;  // entries: none by default
    if (values[0].text != item.fallback) print_error("%s\n", std::string(item.path).c_str());
    assert_int_equal(values.size(), 1);
    assert_true(values[0].text == item.fallback);
    assert_false(item.doc.empty());
  }
}

void table_keys_are_unique(void**) {
  std::set<std::string_view> paths;
  for (const auto& item : options_table()) assert_true(paths.insert(item.path).second);
}

void example_is_the_tables_text(void**) {
  assert_true(read_all(SOURCE_DIR "/config/example.yaml") == example_yaml());
}

void example_holds_every_default(void**) {
  const LoadResult result = load_options_text(example_yaml(), kFile);
  for (const auto& fault : result.faults) print_error("%s\n", fault.text().c_str());
  assert_true(result.ok());
  assert_true(result.options == Options{});
}

// The documentation's own example, every key away from its default.
constexpr const char* kEverything = R"(
server:
  listen: [127.0.0.1:1, "[2001:DB8::1]:443", unix:/run/named/bindcast.sock]
  tls: {certificate: /etc/bind/tls/cert.pem, key: /etc/bind/tls/key.pem}
  insecure: true
  allowed_origins: ["https://ops.example:8443"]
  max_connections: 10000
  max_connections_per_user: 1
  max_message_bytes: 16MiB
  heartbeat: 1h
  dashboard: false
auth:
  mode: required
  query_token: true
  session_ttl: 30d
  users:  [{name: ann, password: "$y$j9T$salt$hash", roles: [admin, helpdesk]}]
  tokens: [{name: backup-job, sha256: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", roles: [publisher]}]
  jwt: {algorithms: [RS256, HS256], key: /k, issuer: i, audience: a, roles_claim: r, user_claim: u}
  lockout: {failures: 6, window: 11m, duration: 16m}
roles:
  helpdesk: {may: [watch, publish], categories: [dns, security], types: [user_login], audience: admin,
             privacy: {client_address: prefix, query_name: domain}, filter: 'category = "dns"',
             subscribe: {categories: [security], types: [zone_created], filter: 'view = "v"'}}
events:
  filter: 'severity >= "info"'
  queries: {enabled: false, sample: 1000000, latency: false, ignore: [example.com, .]}
  zones:   {sweep: 50ms, bulk_threshold: 1, dnssec_records: true, builtin: true, ignore: ["*.arpa"]}
  rpz:     {feeds: {"rpz.malware": malware, "phish.*": phishing, "*": own_word}, repeat_window: 0s}
  types:   {dns_query_failed: {priority: high}, heartbeat: {severity: info, audience: admin, enabled: false}}
privacy: {client_address: hash, query_name: none}
batching:
  profile: high_volume
  strategy: size_based
  max_batch_size: 26
  max_batch_bytes: 33KiB
  batch_timeout: 501ms
  compression: {enabled: false, threshold: 513, level: 4, cache: 9MiB}
  priority_bypass: false
  adaptive_sizing: false
  min_batch_size: 6
  max_batch_timeout: 6s
  load_threshold: 0.5
queues: {max_events: 501, max_bytes: 5MiB, max_total_bytes: 257MiB, overflow: disconnect}
rate_limit: {events_per_second: 1, burst: 2, adaptive: false, messages_per_minute: 101, subscription_changes_per_minute: 11}
publish: {socket: /run/named/publish.sock, socket_idle: 6m, events_per_second: 501, burst: 2001, max_event_bytes: 65KiB,
          max_events: 1001, remember_ids: 2h, progress_per_second: 3, bulk_silence: 6m}
retry: {acknowledge: [high], initial: 2s, factor: 1.5, max: 61s, attempts: 9}
escalation:
  - {after: 0s,  to: {roles: [operator]}}
  - {after: 5m,  repeat: true}
  - {after: 15m, to: {roles: [helpdesk]}, priority: urgent}
  - {after: 30m, webhook: {url: "https://x.example/hook?key=s3cret", secret_file: /etc/bind/webhook.key}}
journal: {enabled: false, path: /j.db, retention: 31d, max_size: 2GiB, queries: true, sync: full}
sources:
  metrics:    {enabled: false, interval: 31s}
  named:      {enabled: false, interval: 11s}
  forwarders: {enabled: false, interval: 12s, timeout: 3s, probe: "example. SOA", slow: 201ms, down_after: 4, up_after: 3, servers: [192.0.2.53, "2001:db8::53", "[2001:db8::53]:5353"]}
  named_log:  {file: /var/log/named/xfer.log}
  analytics:  {enabled: true, interval: 6s, top: 21}
  detectors:
    enabled: true
    cooldown: 16m
    strong: 4
    entries: 8193
    ignore_clients: [192.0.2.0/24, "2001:db8::1"]
    ignore_domains: [zen.spamhaus.org]
    nxdomain_flood:  {enabled: false, window: 61s, client_names: 201, domain_names: 501, share: 0.6}
    tunnelling:      {enabled: false, window: 62s, names: 51, name_bytes: 41, entropy: 3.5}
    amplification:   {enabled: false, window: 63s, queries: 301, names: 21}
    qps_change:      {enabled: false, window: 11s, baseline: 11m, factor: 5, minimum: 51}
    beaconing:       {enabled: false, intervals: 25, variation: 0.06, shortest: 6s, longest: 2h, clients: 4}
    infected_client: {enabled: false, window: 11m, hits: 21}
health: {interval: 31s, recovery: 11s, disk_degraded: 94, disk_unhealthy: 98, hold: 12s, queue_depth: 79,
         capture_drops: 2, loop_lag: 251ms, latency: 501ms, query_rate: 21}
)";

void every_key_arrives(void**) {
  const Options o = load(kEverything);
  assert_int_equal(o.server.listen.size(), 3);
  assert_text(o.server.listen[1].text(), "[2001:db8::1]:443");
  assert_text(o.server.listen[2].text(), "unix:/run/named/bindcast.sock");
  assert_text(o.server.tls.key, "/etc/bind/tls/key.pem");
  assert_int_equal(o.server.max_message_bytes, 16 * 1024 * 1024);
  assert_true(o.server.heartbeat == 1h);
  assert_true(o.auth.session_ttl == 24h * 30);
  assert_true(o.auth.users.at(0).roles == (std::vector<std::string>{"admin", "helpdesk"}));
  assert_true(o.auth.tokens.at(0).sha256 == kHash);  // lower case
  const RoleOptions& role = o.roles.at("helpdesk");
  assert_true(role.categories == (std::vector<Category>{Category::dns, Category::security}));
  assert_true(role.types == std::vector<EventType>{EventType::user_login});
  assert_true(role.audience == Audience::admin);
  assert_true(role.may == (std::vector<Right>{Right::watch, Right::publish}));
  assert_true(role.privacy == (PrivacyOptions{ClientAddressPrivacy::prefix, QueryNamePrivacy::domain}));
  assert_true(role.subscribe.categories == std::vector<Category>{Category::security});
  assert_true(role.subscribe.types == std::vector<EventType>{EventType::zone_created});
  assert_text(role.subscribe.filter, "view = \"v\"");
  assert_text(o.events.filter, "severity >= \"info\"");
  assert_true(o.events.queries.ignore == (std::vector<std::string>{"example.com", "."}));
  assert_true(o.events.zones.sweep == 50ms);
  assert_true(o.events.rpz.repeat_window == 0s);
  const std::vector<FeedRule> feeds{{"rpz.malware", "malware"}, {"phish.*", "phishing"}, {"*", "own_word"}};
  assert_true(o.events.rpz.feeds == feeds);
  assert_true(o.events.types.at(EventType::dns_query_failed).priority == Priority::high);
  assert_true(o.events.types.at(EventType::dns_query_failed).enabled);
  assert_false(o.events.types.at(EventType::heartbeat).enabled);
  assert_true(o.events.types.at(EventType::heartbeat).severity == Severity::info);
  assert_true(o.privacy == (PrivacyOptions{ClientAddressPrivacy::hash, QueryNamePrivacy::none}));
  assert_int_equal(o.batching.max_batch_bytes, 33 * 1024);
  assert_true(o.batching.load_threshold == 0.5);
  assert_int_equal(o.batching.compression.level, 4);
  assert_true(o.queues.overflow == OverflowPolicy::disconnect);
  assert_text(o.publish.socket, "/run/named/publish.sock");
  assert_true(o.publish.remember_ids == 2h);
  assert_true(o.retry.acknowledge == std::vector<Priority>{Priority::high});
  assert_int_equal(o.escalation.size(), 4);
  assert_true(o.escalation[1].after == 5min && o.escalation[1].repeat);
  assert_true(o.escalation[2].roles == std::vector<std::string>{"helpdesk"});
  assert_true(o.escalation[2].priority == Priority::urgent);
  assert_text(o.escalation[3].webhook_secret_file, "/etc/bind/webhook.key");
  assert_true(o.journal.max_size == std::size_t{2} << 30);
  assert_int_equal(o.sources.forwarders.servers.size(), 3);
  assert_true(o.sources.detectors.ignore_clients == (std::vector<std::string>{"192.0.2.0/24", "2001:db8::1"}));
  assert_true(o.sources.detectors.beaconing.longest == 2h);
  assert_true(o.sources.detectors.nxdomain_flood.share == 0.6);
}

// Reads back what is written: a key that reaches the wrong place would leave its own unchanged.
void every_key_has_a_place_of_its_own(void**) {
  const auto changes = changed_options(Options{}, load(kEverything));
  for (const auto& item : options_table()) {
    const std::string path(item.path);
    if (path == "auth.mode") continue;  // `open` cannot go with listeners off loopback
    const bool changed = std::any_of(changes.begin(), changes.end(), [&](const OptionChange& change) {
      return change.path == path || change.path.rfind(path + ".", 0) == 0 || change.path.rfind(path + "[", 0) == 0;
    });
    if (!changed) print_error("%s did not change\n", path.c_str());
    assert_true(changed);
  }
}

struct ProfileRow {
  const char* name;
  BatchingOptions::Profile profile;
  BatchStrategy strategy;
  unsigned max_batch_size;
  std::size_t max_batch_bytes;
  Microseconds batch_timeout;
  bool compression;
  std::size_t threshold;
  bool adaptive;
  unsigned queue;
};

const ProfileRow kProfiles[] = {
    {"default", BatchingOptions::Profile::standard, BatchStrategy::hybrid, 50, 65536, 1s, true, 1024, true, 1000},
    {"production", BatchingOptions::Profile::production, BatchStrategy::hybrid, 25, 32768, 500ms, true, 512, true, 500},
    {"high_volume", BatchingOptions::Profile::high_volume, BatchStrategy::adaptive, 100, 131072, 2s, true, 256, true,
     2000},
    {"low_latency", BatchingOptions::Profile::low_latency, BatchStrategy::priority_based, 10, 16384, 100ms, false, 512,
     false, 200},
};

void profiles_set_their_values(void**) {
  for (const ProfileRow& row : kProfiles) {
    const Options o = load("batching: {profile: " + std::string(row.name) + "}");
    assert_true(o.batching.profile == row.profile);
    assert_true(o.batching.strategy == row.strategy);
    assert_int_equal(o.batching.max_batch_size, row.max_batch_size);
    assert_int_equal(o.batching.max_batch_bytes, row.max_batch_bytes);
    assert_true(o.batching.batch_timeout == row.batch_timeout);
    assert_int_equal(o.batching.compression.enabled, row.compression);
    if (row.compression) assert_int_equal(o.batching.compression.threshold, row.threshold);
    assert_int_equal(o.batching.adaptive_sizing, row.adaptive);
    assert_int_equal(o.queues.max_events, row.queue);
    assert_true(o.batching.priority_bypass);
  }
  assert_true(load("batching: {profile: production}") == Options{});
}

void written_keys_override_the_profile(void**) {
  for (const char* yaml : {"queues: {max_events: 7}\nbatching: {max_batch_size: 9, profile: high_volume}\n",
                           "batching: {profile: high_volume, max_batch_size: 9}\nqueues: {max_events: 7}\n"}) {
    const Options o = load(yaml);
    assert_int_equal(o.queues.max_events, 7);
    assert_int_equal(o.batching.max_batch_size, 9);
    assert_int_equal(o.batching.max_batch_bytes, 131072);
  }
}

void bounds_of_adaptive_sizing_follow_unless_written(void**) {
  const Options o = load("batching: {max_batch_size: 2, batch_timeout: 20s}");
  assert_int_equal(o.batching.min_batch_size, 2);
  assert_true(o.batching.max_batch_timeout == 20s);
}

void units_are_read(void**) {
  const struct {
    const char* text;
    Microseconds value;
  } durations[] = {{"0", 0s},    {"0s", 0s}, {"0ms", 0s}, {"1500ms", 1500ms}, {"90s", 90s},
                   {"5m", 5min}, {"8h", 8h}, {"1d", 24h}, {"'10s'", 10s}};
  for (const auto& row : durations) {
    assert_true(load("events: {rpz: {repeat_window: " + std::string(row.text) + "}}").events.rpz.repeat_window ==
                row.value);
  }
  const struct {
    const char* text;
    std::size_t value;
  } sizes[] = {{"0", 0}, {"512", 512}, {"64KiB", 65536}, {"4MiB", 4194304}, {"1GiB", 1073741824}};
  for (const auto& row : sizes) {
    assert_true(load("batching: {compression: {cache: " + std::string(row.text) + "}}").batching.compression.cache ==
                row.value);
  }
}

void listeners_are_read(void**) {
  const Options o = load(
      "server:\n  listen: [127.0.0.1:0, 127.0.0.1:0, 127.9.9.9:1, \"[0:0::1]:0\", \"[::ffff:127.0.0.1]:2\", "
      "unix:/s]\n");
  assert_int_equal(o.server.listen.size(), 6);
  for (const auto& address : o.server.listen) assert_true(address.loopback());
  assert_text(o.server.listen[3].text(), "[::1]:0");
  const Options far = load("server: {listen: [192.0.2.1:1, \"[::]:2\"], insecure: true}");
  for (const auto& address : far.server.listen) assert_false(address.loopback());
  assert_true(load("server: {listen: 0.0.0.0:1, tls: {certificate: /c, key: /k}}").server.listen[0].port == 1);
  assert_true(load("server: {listen: unix:/s}\nauth: {mode: open}").auth.mode == AuthOptions::Mode::open);
}

void filters_may_span_lines(void**) {
  const Options o = load("events:\n  filter: |\n    category = \"dns\"\n    or category = \"error\"\n");
  assert_text(o.events.filter, "category = \"dns\" or category = \"error\"");
}

// Does `line` agree with `expected`, whose final * stands for anything?
bool agrees(std::string_view expected, std::string_view line) {
  if (!expected.empty() && expected.back() == '*') {
    expected.remove_suffix(1);
    return line.size() > expected.size() && line.substr(0, expected.size()) == expected;
  }
  return line == expected;
}

void every_fault_is_named(void** /*state*/) {
  std::size_t wrong = 0;
  for (const FaultRow& row : kFaultRows) {
    const LoadResult result = load_options_text(row.yaml, kFile);
    std::string_view expected = row.faults;
    bool same = result.ok() == expected.empty();
    for (const auto& fault : result.faults) {
      const auto end = expected.find('\n');
      same = same && agrees(std::string(kFile) + ":" + std::string(expected.substr(0, end)), fault.text());
      expected.remove_prefix(end == std::string_view::npos ? expected.size() : end + 1);
    }
    if (same && expected.empty()) continue;
    ++wrong;
    print_error("%s: wanted\n%s\ngot\n", row.description, row.faults);
    for (const auto& fault : result.faults) print_error("%s\n", fault.text().c_str());
  }
  assert_int_equal(wrong, 0);
}

void faults_are_bounded(void**) {
  std::string yaml = "server:\n";
  for (int i = 0; i < 50; ++i) yaml += "  k" + std::to_string(i) + ": 1\n";
  assert_int_equal(load_options_text(yaml, kFile).faults.size(), 50);
  yaml += "  more: 1\n";
  const LoadResult result = load_options_text(yaml, kFile);
  assert_int_equal(result.faults.size(), 51);
  assert_string_equal(result.faults.back().text().c_str(),
                      "test.yaml: there are more than 50 faults; these are the first");
}

void secrets_are_not_repeated(void**) {
  const std::string secret = "hunter2hunter2";
  for (const auto& yaml :
       {"auth: {users: [{name: a, password: " + secret + "}]}", "auth: {tokens: [{name: a, sha256: " + secret + "}]}",
        "auth: {tokens: [" + secret + "]}", "auth: {users: " + secret + "}",
        "escalation: [{after: 0s, webhook: {url: \"" + secret + "\"}}]"}) {
    const LoadResult result = load_options_text(yaml, kFile);
    assert_false(result.ok());
    for (const auto& fault : result.faults) assert_true(fault.text().find(secret) == std::string::npos);
  }
}

void changes_are_listed(void**) {
  Options before, after;
  assert_true(changed_options(before, after).empty());
  after.server.max_connections = 5;
  after.events.zones.sweep = 2min;
  after.server.listen.push_back({ListenAddress::Kind::ipv6, "::1", 53});
  after.events.rpz.feeds = {{"a.*", "malware"}};
  after.events.types[EventType::heartbeat].enabled = false;
  const auto changes = changed_options(before, after);
  assert_int_equal(changes.size(), 5);
  assert_change(changes, "server.max_connections", "1000", "5");
  assert_change(changes, "events.zones.sweep", "500ms", "2m");
  assert_change(changes, "server.listen", "127.0.0.1:8353", "[127.0.0.1:8353, \"[::1]:53\"]");
  assert_change(changes, "events.rpz.feeds", "{}", "{\"a.*\": malware}");
  assert_change(changes, "events.types.heartbeat.enabled", "", "false");
  assert_change(changed_options(after, before), "events.types.heartbeat.enabled", "false", "");
}

void changes_hide_secrets(void**) {
  Options before, after;
  before.auth.tokens = {{"kept", std::string(64, 'b'), {"viewer"}}, {"gone", std::string(64, 'c'), {}}};
  after.auth.tokens = {{"new", std::string(64, 'd'), {}}, {"kept", std::string(64, 'e'), {"viewer", "publisher"}}};
  after.auth.users = {{"ann", "$y$j9T$s3cret", {}}};
  after.escalation = {{1s, {}, false, {}, "https://x/?key=s3cret", ""}};
  const auto changes = changed_options(before, after);
  assert_change(changes, "auth.tokens[kept].sha256", "(hidden)", "(hidden)");
  assert_change(changes, "auth.tokens[kept].roles", "[viewer]", "[viewer, publisher]");
  assert_change(changes, "auth.tokens[new].sha256", "", "(hidden)");
  assert_change(changes, "auth.tokens[gone].sha256", "(hidden)", "");
  assert_change(changes, "auth.users[ann].password", "", "(hidden)");
  assert_change(changes, "escalation[0].webhook.url", "", "(hidden)");
  assert_change(changes, "escalation[0].after", "", "1s");
  assert_null(find_change(changes, "auth.tokens[kept].name"));
  for (const auto& change : changes) {
    for (const auto& text : {change.before, change.after}) {
      assert_true(text.find("s3cret") == std::string::npos && text.find("dddd") == std::string::npos);
    }
  }
}

const ShownOption* find_shown(const std::vector<ShownOption>& shown, std::string_view path) {
  const auto found = std::ranges::find(shown, path, &ShownOption::path);
  return found == shown.end() ? nullptr : &*found;
}

void assert_shown(const std::vector<ShownOption>& shown, const char* path, const char* value, bool differs) {
  const ShownOption* option = find_shown(shown, path);
  if (option == nullptr) print_error("%s is not shown\n", path);
  assert_non_null(option);
  assert_text(option->value, value);
  assert_int_equal(option->differs(), differs);
}

void every_option_is_shown_and_what_is_a_default_says_so(void**) {
  const auto defaults = shown_options(Options{});
  assert_int_equal(defaults.size(), options_table().size());
  for (const ShownOption& option : defaults) {
    if (option.differs()) print_error("%s\n", option.path.c_str());
    assert_false(option.differs());
    assert_ptr_equal(option.about, option.option);
  }
  const auto shown = shown_options(load(kEverything));
  for (const auto& item : options_table()) {
    const bool differs = std::ranges::any_of(
        shown, [&](const ShownOption& option) { return option.option == &item && option.differs(); });
    const bool expected = item.path != "auth.mode";  // `open` cannot go with listeners off loopback
    if (differs != expected) print_error("%s\n", std::string(item.path).c_str());
    assert_int_equal(differs, expected);
  }
  assert_shown(shown, "server.heartbeat", "1h", true);
  assert_shown(shown, "auth.mode", "required", false);
  assert_shown(shown, "roles.helpdesk.privacy.query_name", "domain", true);
  assert_text(find_shown(shown, "roles.helpdesk.privacy.query_name")->about->doc,
              "How much of the names in queries it may see.");
  // What a profile sets is no default, whether it is written or not.
  assert_shown(shown_options(load("batching: {profile: low_latency}")), "batching.max_batch_size", "10", true);
}

void what_is_shown_hides_secrets(void**) {
  Options options;
  options.auth.users = {{"ann", "$y$j9T$s3cret", {}}};
  options.auth.tokens = {{"job", std::string(64, 'b'), {"viewer"}}};
  options.escalation = {{1s, {}, false, {}, "https://x/?key=s3cret", ""}, {2s, {"admin"}, false, {}, "", ""}};
  const auto shown = shown_options(options);
  assert_shown(shown, "auth.users[ann].password", "(hidden)", true);
  assert_shown(shown, "auth.tokens[job].sha256", "(hidden)", true);
  assert_shown(shown, "auth.tokens[job].roles", "[viewer]", true);
  assert_shown(shown, "escalation[0].webhook.url", "(hidden)", true);
  assert_shown(shown, "escalation[1].webhook.url", "\"\"", false);
  for (const ShownOption& option : shown)
    assert_true(option.value.find("s3cret") == std::string::npos && option.value.find("bbbb") == std::string::npos);
}

// A directory of its own for each run.
struct Scratch {
  std::filesystem::path path;
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "config_test.XXXXXX").string();
    path = mkdtemp(name.data()) != nullptr ? name : "";
  }
  ~Scratch() { std::filesystem::remove_all(path); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(path / name, std::ios::binary) << text;
    return (path / name).string();
  }
};

void assert_file_fault(const std::string& path, const std::string& message) {
  const LoadResult result = load_options_file(path);
  assert_int_equal(result.faults.size(), 1);
  assert_string_equal(result.faults[0].text().c_str(), (path + ": " + message).c_str());
}

void files_are_read_within_bounds(void**) {
  const Scratch scratch;
  const auto good = load_options_file(scratch.file("good.yaml", "queues: {max_events: 3}\n"));
  assert_true(good.ok());
  assert_int_equal(good.options.queues.max_events, 3);
  assert_string_equal(good.origin.file.c_str(), (scratch.path / "good.yaml").c_str());
  const auto read_at = std::chrono::system_clock::time_point(Microseconds(good.origin.read_us));
  assert_true(std::chrono::abs(std::chrono::system_clock::now() - read_at) < 1h);

  const auto bad = scratch.file("bad.yaml", "\nqueues: {max_events: 0}\n");
  assert_string_equal(load_options_file(bad).faults.at(0).text().c_str(),
                      (bad + ":2: queues.max_events: 0 is out of range; accepted: 1 to 1000000 events").c_str());

  std::string text = "queues: {max_events: 4} #";
  text.resize(kMaxConfigBytes, ' ');
  assert_int_equal(load_options_file(scratch.file("full.yaml", text)).options.queues.max_events, 4);
  assert_file_fault(scratch.file("large.yaml", text + " "), "larger than 1MiB, the most that is accepted");

  assert_file_fault((scratch.path / "none.yaml").string(), "cannot be opened: No such file or directory");
  assert_file_fault(scratch.path.string(), "is not a regular file");
  const auto fifo = (scratch.path / "fifo").string();
  assert_int_equal(mkfifo(fifo.c_str(), 0600), 0);
  assert_file_fault(fifo, "is not a regular file");
}

// Damaged files neither crash nor yield a fault without words or with a line that the file does not have.
void damaged_files_are_survived(void**) {
  std::mt19937 random(8353);
  const std::string whole(kEverything);
  for (int round = 0; round < 400; ++round) {
    std::string text = whole;
    for (int i = 0; i < 4; ++i) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, random() % 20);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 20));
      }
    }
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    for (const auto& fault : load_options_text(text, kFile).faults) {
      assert_false(fault.message.empty());
      assert_true(fault.line <= lines);
      for (const char c : fault.text()) assert_false(static_cast<unsigned char>(c) < 0x20);
    }
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(nothing_written_means_defaults),
      cmocka_unit_test(table_agrees_with_options),
      cmocka_unit_test(table_keys_are_unique),
      cmocka_unit_test(example_is_the_tables_text),
      cmocka_unit_test(example_holds_every_default),
      cmocka_unit_test(every_key_arrives),
      cmocka_unit_test(every_key_has_a_place_of_its_own),
      cmocka_unit_test(profiles_set_their_values),
      cmocka_unit_test(written_keys_override_the_profile),
      cmocka_unit_test(bounds_of_adaptive_sizing_follow_unless_written),
      cmocka_unit_test(units_are_read),
      cmocka_unit_test(listeners_are_read),
      cmocka_unit_test(filters_may_span_lines),
      cmocka_unit_test(every_fault_is_named),
      cmocka_unit_test(faults_are_bounded),
      cmocka_unit_test(secrets_are_not_repeated),
      cmocka_unit_test(changes_are_listed),
      cmocka_unit_test(changes_hide_secrets),
      cmocka_unit_test(every_option_is_shown_and_what_is_a_default_says_so),
      cmocka_unit_test(what_is_shown_hides_secrets),
      cmocka_unit_test(files_are_read_within_bounds),
      cmocka_unit_test(damaged_files_are_survived),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
