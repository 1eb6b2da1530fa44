// Every option of Bindcast, as plain values with their defaults. What an admin writes in YAML ends up here.
//
// load_options() parses into a fresh object; a running system swaps a whole Options at once and never edits one.
// The table in options_table.cpp gives each key's path, kind, unit, default, range and documentation; the defaults
// below and the table are held against each other by a test.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "events/filter.hpp"
#include "events/type.hpp"

namespace bindcast {

using Microseconds = std::chrono::microseconds;

struct ListenAddress {
  enum class Kind : std::uint8_t { ipv4, ipv6, unix_path } kind = Kind::ipv4;
  std::string host = "127.0.0.1";                // or the path of the unix socket
  std::uint16_t port = 8353;                     // 0: any free port (tests)
  [[nodiscard]] bool loopback() const noexcept;  // true for unix sockets too
  [[nodiscard]] std::string text() const;
  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

struct TlsOptions {
  std::string certificate, key;  // paths; both empty: no TLS
  friend bool operator==(const TlsOptions&, const TlsOptions&) = default;
};

struct ServerOptions {
  std::vector<ListenAddress> listen{ListenAddress{}};
  TlsOptions tls;
  bool insecure = false;  // permits listening off loopback without TLS
  std::vector<std::string> allowed_origins;
  std::uint32_t max_connections = 1000;
  std::uint32_t max_connections_per_user = 8;
  std::size_t max_message_bytes = 64 * 1024;
  Microseconds heartbeat = std::chrono::seconds(30);  // silence after which a peer is pinged; dropped after two
  bool dashboard = true;
  friend bool operator==(const ServerOptions&, const ServerOptions&) = default;
};

struct TokenOptions {
  std::string name;
  std::string sha256;  // 64 hex digits, lower case
  std::vector<std::string> roles;
  friend bool operator==(const TokenOptions&, const TokenOptions&) = default;
};

struct UserOptions {
  std::string name, password;
  std::vector<std::string> roles;
  friend bool operator==(const UserOptions&, const UserOptions&) = default;
};

struct JwtOptions {
  std::vector<std::string> algorithms;
  std::string key, issuer, audience, roles_claim = "roles", user_claim = "sub";
  friend bool operator==(const JwtOptions&, const JwtOptions&) = default;
};

struct AuthOptions {
  enum class Mode : std::uint8_t { required, open } mode = Mode::required;
  bool query_token = false;
  Microseconds session_ttl = std::chrono::hours(8);
  std::vector<UserOptions> users;
  std::vector<TokenOptions> tokens;
  JwtOptions jwt;
  struct Lockout {
    std::uint32_t failures = 5;
    Microseconds window = std::chrono::minutes(10);
    Microseconds duration = std::chrono::minutes(15);
    friend bool operator==(const Lockout&, const Lockout&) = default;
  } lockout;
  friend bool operator==(const AuthOptions&, const AuthOptions&) = default;
};

// Both clearest first.
enum class ClientAddressPrivacy : std::uint8_t { full, prefix, hash, none };
enum class QueryNamePrivacy : std::uint8_t { full, domain, hash, none };

struct PrivacyOptions {
  ClientAddressPrivacy client_address = ClientAddressPrivacy::full;
  QueryNamePrivacy query_name = QueryNamePrivacy::full;
  friend bool operator==(const PrivacyOptions&, const PrivacyOptions&) = default;
};

// What a role may do. What it may see when it may watch is the rest of RoleOptions.
enum class Right : std::uint8_t { watch, acknowledge, publish, administer };
inline constexpr std::size_t kRightCount = 4;

struct RoleOptions {
  std::optional<std::vector<Right>> may;  // none: as the built-in role of that name, or watch
  std::vector<Category> categories;
  std::vector<EventType> types;
  std::optional<Audience> audience;  // none: as the built-in role of that name, or all
  std::string filter;
  PrivacyOptions privacy;
  struct Subscribe {
    std::vector<Category> categories;
    std::vector<EventType> types;
    std::string filter;
    friend bool operator==(const Subscribe&, const Subscribe&) = default;
  } subscribe;
  friend bool operator==(const RoleOptions&, const RoleOptions&) = default;
};

struct TypeOverride {
  std::optional<Priority> priority;
  std::optional<Severity> severity;
  std::optional<Audience> audience;
  bool enabled = true;
  friend bool operator==(const TypeOverride&, const TypeOverride&) = default;
};

struct FeedRule {
  std::string zone_pattern;  // glob on the policy zone's name
  std::string category;      // malware, phishing, or a name of the admin's own (no threat category)
  friend bool operator==(const FeedRule&, const FeedRule&) = default;
};

struct EventsOptions {
  std::string filter;
  struct Queries {
    bool enabled = true;
    std::uint32_t sample = 1;  // 1 in N
    bool latency = true;
    std::vector<std::string> ignore;  // names at or below which queries are no events
    friend bool operator==(const Queries&, const Queries&) = default;
  } queries;
  struct Zones {
    Microseconds sweep = std::chrono::milliseconds(500);
    std::uint32_t bulk_threshold = 1000;
    bool dnssec_records = false;
    bool builtin = false;
    std::vector<std::string> ignore;  // globs on the zone's name
    friend bool operator==(const Zones&, const Zones&) = default;
  } zones;
  struct Rpz {
    std::vector<FeedRule> feeds;  // the first that matches wins
    Microseconds repeat_window = std::chrono::seconds(10);
    friend bool operator==(const Rpz&, const Rpz&) = default;
  } rpz;
  std::map<EventType, TypeOverride> types;
  friend bool operator==(const EventsOptions&, const EventsOptions&) = default;
};

enum class BatchStrategy : std::uint8_t { time_based, size_based, hybrid, priority_based, adaptive };

struct CompressionOptions {
  bool enabled = true;
  std::size_t threshold = 512;
  int level = 3;
  std::size_t cache = 8 * 1024 * 1024;
  friend bool operator==(const CompressionOptions&, const CompressionOptions&) = default;
};

// The default is the profile `production`.
struct BatchingOptions {
  enum class Profile : std::uint8_t { standard /* "default" */, production, high_volume, low_latency };
  Profile profile = Profile::production;
  BatchStrategy strategy = BatchStrategy::hybrid;
  std::uint32_t max_batch_size = 25;
  std::size_t max_batch_bytes = 32 * 1024;
  Microseconds batch_timeout = std::chrono::milliseconds(500);
  CompressionOptions compression;
  bool priority_bypass = true;
  bool adaptive_sizing = true;
  std::uint32_t min_batch_size = 5;
  Microseconds max_batch_timeout = std::chrono::seconds(5);
  double load_threshold = 0.8;
  friend bool operator==(const BatchingOptions&, const BatchingOptions&) = default;
};

enum class OverflowPolicy : std::uint8_t { drop_lowest, drop_oldest, drop_newest, disconnect };

struct QueueOptions {
  std::uint32_t max_events = 500;  // the profile's, unless written
  std::size_t max_bytes = 4 * 1024 * 1024;
  std::size_t max_total_bytes = 256 * 1024 * 1024;
  OverflowPolicy overflow = OverflowPolicy::drop_lowest;
  friend bool operator==(const QueueOptions&, const QueueOptions&) = default;
};

struct RateLimitOptions {
  std::uint32_t events_per_second = 0;  // 0: no limit
  std::uint32_t burst = 0;
  bool adaptive = true;
  std::uint32_t messages_per_minute = 100;
  std::uint32_t subscription_changes_per_minute = 10;
  friend bool operator==(const RateLimitOptions&, const RateLimitOptions&) = default;
};

struct PublishOptions {
  std::string socket;  // path of the unix socket for local scripts; empty: none
  Microseconds socket_idle = std::chrono::minutes(5);
  std::uint32_t events_per_second = 500;  // of one publisher; 0: no limit
  std::uint32_t burst = 2000;             // 0: as many as in one second
  std::size_t max_event_bytes = 64 * 1024;
  std::uint32_t max_events = 1000;  // in one request
  Microseconds remember_ids = std::chrono::hours(1);
  std::uint32_t progress_per_second = 2;  // of one bulk operation
  Microseconds bulk_silence = std::chrono::minutes(5);
  friend bool operator==(const PublishOptions&, const PublishOptions&) = default;
};

struct RetryOptions {
  std::vector<Priority> acknowledge{Priority::critical, Priority::urgent};
  Microseconds initial = std::chrono::seconds(1);
  double factor = 2;
  Microseconds max = std::chrono::seconds(60);
  std::uint32_t attempts = 8;
  friend bool operator==(const RetryOptions&, const RetryOptions&) = default;
};

struct EscalationStep {
  Microseconds after{0};
  std::vector<std::string> roles;
  bool repeat = false;
  std::optional<Priority> priority;
  std::string webhook_url, webhook_secret_file;
  friend bool operator==(const EscalationStep&, const EscalationStep&) = default;
};

struct JournalOptions {
  bool enabled = true;
  std::string path = "bindcast.db";
  Microseconds retention = std::chrono::hours(24 * 30);
  std::size_t max_size = std::size_t{1} << 30;
  bool queries = false;
  enum class Sync : std::uint8_t { off, normal, full } sync = Sync::normal;
  friend bool operator==(const JournalOptions&, const JournalOptions&) = default;
};

struct SourcesOptions {
  struct Metrics {
    bool enabled = true;
    Microseconds interval = std::chrono::seconds(30);
    friend bool operator==(const Metrics&, const Metrics&) = default;
  } metrics;
  struct Named {
    bool enabled = true;
    Microseconds interval = std::chrono::seconds(10);
    friend bool operator==(const Named&, const Named&) = default;
  } named;
  struct Forwarders {
    bool enabled = true;
    Microseconds interval = std::chrono::seconds(10);
    Microseconds timeout = std::chrono::seconds(2);
    std::string probe = ". NS";
    Microseconds slow = std::chrono::milliseconds(200);
    std::uint32_t down_after = 3, up_after = 2;
    std::vector<std::string> servers;
    friend bool operator==(const Forwarders&, const Forwarders&) = default;
  } forwarders;
  struct NamedLog {
    std::string file;
    friend bool operator==(const NamedLog&, const NamedLog&) = default;
  } named_log;
  struct Analytics {
    enum class When : std::uint8_t { automatic /* "auto" */, always /* true */, never /* false */ };
    When enabled = When::automatic;
    Microseconds interval = std::chrono::seconds(5);
    std::uint32_t top = 20;
    friend bool operator==(const Analytics&, const Analytics&) = default;
  } analytics;
  struct Detectors {
    bool enabled = false;  // named captures every query while it is
    Microseconds cooldown = std::chrono::minutes(15);
    double strong = 3;
    std::uint32_t entries = 8192;  // of each table
    std::vector<std::string> ignore_clients, ignore_domains;
    struct NxdomainFlood {
      bool enabled = true;
      Microseconds window = std::chrono::minutes(1);
      std::uint32_t client_names = 200, domain_names = 500;
      double share = 0.5;
      friend bool operator==(const NxdomainFlood&, const NxdomainFlood&) = default;
    } nxdomain_flood;
    struct Tunnelling {
      bool enabled = true;
      Microseconds window = std::chrono::minutes(1);
      std::uint32_t names = 100, name_bytes = 40;
      double entropy = 3;
      friend bool operator==(const Tunnelling&, const Tunnelling&) = default;
    } tunnelling;
    struct Amplification {
      bool enabled = true;
      Microseconds window = std::chrono::minutes(1);
      std::uint32_t queries = 300, names = 20;
      friend bool operator==(const Amplification&, const Amplification&) = default;
    } amplification;
    struct QpsChange {
      bool enabled = true;
      Microseconds window = std::chrono::seconds(10), baseline = std::chrono::minutes(10);
      double factor = 4;
      std::uint32_t minimum = 50;  // queries per second
      friend bool operator==(const QpsChange&, const QpsChange&) = default;
    } qps_change;
    struct Beaconing {
      bool enabled = true;
      std::uint32_t intervals = 24;
      double variation = 0.05;
      Microseconds shortest = std::chrono::seconds(5), longest = std::chrono::hours(1);
      std::uint32_t clients = 3;
      friend bool operator==(const Beaconing&, const Beaconing&) = default;
    } beaconing;
    struct InfectedClient {
      bool enabled = true;
      Microseconds window = std::chrono::minutes(10);
      std::uint32_t hits = 20;
      friend bool operator==(const InfectedClient&, const InfectedClient&) = default;
    } infected_client;
    friend bool operator==(const Detectors&, const Detectors&) = default;
  } detectors;
  friend bool operator==(const SourcesOptions&, const SourcesOptions&) = default;
};

struct HealthOptions {
  Microseconds interval = std::chrono::seconds(30);
  Microseconds recovery = std::chrono::seconds(10);
  std::uint32_t disk_degraded = 95, disk_unhealthy = 99;  // percent in use
  Microseconds hold = std::chrono::seconds(10);
  std::uint32_t queue_depth = 80;   // percent; of this and the next ones, 0: no such alert
  std::uint32_t capture_drops = 1;  // a second
  Microseconds loop_lag = std::chrono::milliseconds(250);
  Microseconds latency = std::chrono::milliseconds(500);
  std::uint32_t query_rate = 20;  // percent of the usual
  friend bool operator==(const HealthOptions&, const HealthOptions&) = default;
};

struct Options {
  ServerOptions server;
  AuthOptions auth;
  std::map<std::string, RoleOptions> roles;
  EventsOptions events;
  PrivacyOptions privacy;
  BatchingOptions batching;
  QueueOptions queues;
  RateLimitOptions rate_limit;
  PublishOptions publish;
  RetryOptions retry;
  std::vector<EscalationStep> escalation;  // empty: the ladder of the documentation
  JournalOptions journal;
  SourcesOptions sources;
  HealthOptions health;
  friend bool operator==(const Options&, const Options&) = default;
};

}  // namespace bindcast
