// Detectors, with a hand-driven clock: what they find of attacks whose truth is known, and that they are silent on
// ordinary traffic; cool-down, bounds under hostile traffic, masking. Prints the table of doc/detectors.md.

#include "harness.hpp"

#include <cstring>
#include <map>
#include <vector>

#include "detector_traffic.hpp"
#include "plugin/detectors/detectors.hpp"
#include "plugin/detectors/distinct.hpp"

namespace {

using namespace bindcast;
using traffic::Attack;
using traffic::client_text;
using traffic::Kind;
using traffic::Question;
using traffic::Traffic;
using namespace std::string_view_literals;

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kWall = 1'795'000'000 * kSecond;

std::vector<std::uint8_t> wire(std::string_view name) {
  std::vector<std::uint8_t> bytes;
  while (!name.empty()) {
    const std::size_t size = std::min(name.find('.'), name.size());
    bytes.push_back(static_cast<std::uint8_t>(size));
    bytes.insert(bytes.end(), name.begin(), name.begin() + static_cast<std::ptrdiff_t>(size));
    name.remove_prefix(std::min(size + 1, name.size()));
  }
  bytes.push_back(0);
  return bytes;
}

struct Told {
  EventType type;
  Severity severity;
  std::string detector, state, client, domain, qname, direction, correlation_id, json;
  double score = 0;
  std::int64_t suppressed = 0, found = 0, untold = 0, at_us = 0;
};

// The detectors as they stand in the runtime, and a subscriber who sees all that they tell.
struct House : Subscriber {
  Hub hub{StreamIdentity{.epoch = "e", .host = "ns1", .service = "named"}, Now{}};
  Intake intake{hub};
  Health health{hub};
  Metrics metrics;
  Log log = [](LogLevel, const std::string&) {};
  HostInfo host;
  Options options;
  Detectors detectors{SourceTools{nullptr, hub, intake, health, metrics, log, host}, SipHash({20261126, 6})};
  std::vector<Told> told;
  Now now{.mono_us = 1000 * kSecond, .wall_us = kWall};
  std::vector<std::byte> payload;

  House() {
    needs_events = true;
    subscriptions.emplace_back();
    hub.add_subscriber(*this);
    options.sources.detectors.enabled = true;
    options.events.rpz.feeds = {{"rpz.malware", "malware"}, {"phish.*", "phishing"}};
    configure();
  }
  House(const House&) = delete;
  House& operator=(const House&) = delete;
  ~House() override { hub.remove_subscriber(*this); }

  void configure() {
    hub.configure(options);
    detectors.configure(options, now);
  }
  void deliver(const EncodedRef& encoded, Now at) override {
    const Event& event = *encoded->event;
    const auto text = [&](std::string_view key) { return std::string(event.data.find(key).text()); };
    told.push_back({.type = event.type,
                    .severity = event.severity,
                    .detector = text("detector"),
                    .state = text("state"),
                    .client = text("client"),
                    .domain = text("domain"),
                    .qname = text("qname"),
                    .direction = text("direction"),
                    .correlation_id = event.correlation_id,
                    .json = std::string(encoded->json()),
                    .score = event.data.find("score").real(),
                    .suppressed = event.data.find("cooldown.suppressed").integer(),
                    .found = event.data.find("cooldown.found").integer(),
                    .untold = event.data.find("cooldown.others_untold").integer(),
                    .at_us = at.mono_us});
  }
  void lost(DropReason, EventType, std::uint64_t, Now) override { assert_true(false); }
  void failed() noexcept override {}

  void see(const Question& question) {
    const auto name = wire(question.name);
    const auto zone = question.policy_zone ? wire(question.policy_zone) : std::vector<std::uint8_t>();
    constexpr std::string_view kView = "_default";
    QueryRecord record{};
    record.ended_ns = static_cast<std::uint64_t>(now.mono_us) * 1000;
    record.sample = 1;
    record.qtype = question.qtype;
    record.qclass = 1;
    record.rcode = question.rcode;
    record.client_family = 4;
    const std::uint32_t client = question.client;
    record.client = {10, static_cast<std::uint8_t>(client >> 16), static_cast<std::uint8_t>(client >> 8),
                     static_cast<std::uint8_t>(client)};
    record.has_rpz = question.policy_zone != nullptr;
    record.qname_size = static_cast<std::uint8_t>(name.size());
    record.view_size = kView.size();
    record.policy_zone_size = static_cast<std::uint8_t>(zone.size());
    payload.resize(sizeof record + record.names_size());
    std::memcpy(payload.data(), &record, sizeof record);
    std::byte* at = payload.data() + sizeof record;
    std::memcpy(at, name.data(), name.size());
    std::memcpy(at + name.size(), kView.data(), kView.size());
    if (!zone.empty()) std::memcpy(at + name.size() + kView.size(), zone.data(), zone.size());
    QueryView query;
    assert_true(QueryView::read(payload, query));
    detectors.see(query, now);
  }
  void ask(std::uint32_t client, std::string name, std::uint16_t qtype = 1, std::uint16_t rcode = 0,
           const char* zone = nullptr) {
    see({.name = std::move(name), .qtype = qtype, .rcode = rcode, .client = client, .policy_zone = zone});
  }
  void pass(std::int64_t seconds) {
    for (std::int64_t i = 0; i < seconds; ++i) {
      now.mono_us += kSecond;
      now.wall_us += kSecond;
      detectors.tick(now);
    }
  }
  // Second by second from `from` to `to`.
  std::uint64_t run(Traffic& traffic, std::int64_t from, std::int64_t to) {
    std::uint64_t queries = 0;
    const Now start = now;
    for (std::int64_t second = from; second < to; ++second) {
      const std::int64_t began_us = start.mono_us + (second - from) * kSecond;
      for (const Question& question : traffic.second(second)) {
        now.mono_us = began_us + (question.at_us - second * kSecond);
        now.wall_us = start.wall_us + (now.mono_us - start.mono_us);
        see(question);
        ++queries;
      }
      now.mono_us = began_us + kSecond;
      now.wall_us = start.wall_us + (now.mono_us - start.mono_us);
      detectors.tick(now);
    }
    return queries;
  }
  [[nodiscard]] std::vector<Told> of(std::string_view detector, std::string_view state = {}) const {
    std::vector<Told> some;
    for (const Told& each : told)
      if (each.detector == detector && (state.empty() || each.state == state)) some.push_back(each);
    return some;
  }
  // NXDOMAIN for so many different names of one client.
  void flood(std::uint32_t client, int names, const std::string& domain = "example.org") {
    for (int i = 0; i < names; ++i) ask(client, "n" + std::to_string(number_++) + "." + domain, 1, 3);
  }

 private:
  int number_ = 0;
};

// ── Truth ────────────────────────────────────────────────────────────────────────────────────────────────────────────

constexpr const char* kDetectorOf[] = {"nxdomain_flood", "nxdomain_flood", "tunnelling",
                                       "amplification",  "beaconing",      "infected_client"};

bool is_about(const Told& event, const Attack& attack) {
  if (event.detector != kDetectorOf[static_cast<std::size_t>(attack.kind)]) return false;
  switch (attack.kind) {
    case Kind::nxdomain_domain:
      return event.client.empty() && event.domain == attack.domain;
    case Kind::tunnel:
      return event.client == client_text(attack.client) && event.domain == attack.domain;
    case Kind::amplification:
      return event.client == client_text(attack.client & 0xffff00) + "/24";
    case Kind::beacon:
      return event.client == client_text(attack.client) && event.qname == attack.domain;
    case Kind::nxdomain_client:
    case Kind::infected:
      break;
  }
  return event.domain.empty() && event.client == client_text(attack.client);
}

// What reaches its threshold from 1.3 times to 10 times, and what stays well below.
std::vector<Attack> attacks(Traffic& traffic, std::int64_t seconds, int of_each, double least, double most,
                            std::uint32_t first_client) {
  struct Plan {
    Kind kind;
    double threshold_per_second;
  };
  constexpr Plan kPlans[] = {{Kind::nxdomain_client, 200 / 60.0},
                             {Kind::nxdomain_domain, 500 / 60.0},
                             {Kind::tunnel, 100 / 60.0},
                             {Kind::amplification, 300 / 60.0},
                             {Kind::infected, 20 / 600.0}};
  std::vector<Attack> all;
  std::uint32_t client = first_client;
  for (const Plan& plan : kPlans) {
    for (int i = 0; i < of_each; ++i, client += 256) {
      Attack attack;
      attack.kind = plan.kind;
      attack.client = client;
      attack.text = i % 2 == 1;
      attack.domain = traffic.letters(8) + (i % 3 == 0 ? ".co.uk" : ".com");
      const std::int64_t length = plan.kind == Kind::infected ? 1500 : 180;
      attack.begin_s = static_cast<std::int64_t>(traffic.number(static_cast<std::uint64_t>(seconds - length)));
      attack.end_s = attack.begin_s + length;
      const double strength = least * std::pow(most / least, traffic.chance());
      attack.per_second = plan.threshold_per_second * strength;
      if (plan.kind == Kind::tunnel && attack.text) attack.per_second /= 2;
      all.push_back(attack);
    }
  }
  return all;
}

struct Score {
  int attacks = 0, found = 0, events = 0, true_events = 0;
};

void print_score(const char* what, const Score& score) {
  print_message("| %s | %d | %d | %d | %d | %.3f | %.3f |\n", what, score.attacks, score.found, score.events,
                score.events - score.true_events,
                score.events == 0 ? 1.0 : static_cast<double>(score.true_events) / score.events,
                score.attacks == 0 ? 1.0 : static_cast<double>(score.found) / score.attacks);
}

void attacks_are_found_and_little_else(void**) {
  constexpr std::int64_t kSeconds = 7200;
  House house;
  house.options.sources.detectors.qps_change.enabled = false;  // has truth of its own below
  house.configure();
  Traffic traffic(20261126, 60);
  std::vector<Attack> truth = attacks(traffic, kSeconds, 20, 1.3, 10, 0x100000);
  for (int i = 0; i < 20; ++i) {
    const std::int64_t period_s = 15 + 6 * i;
    truth.push_back({.kind = Kind::beacon,
                     .client = 0x200000 + static_cast<std::uint32_t>(i),
                     .domain = traffic.letters(10) + ".net",
                     .begin_s = 100,
                     .end_s = 100 + 30 * period_s,
                     .per_second = 1.0 / static_cast<double>(period_s)});
  }
  for (const Attack& attack : truth) traffic.add(attack);
  for (const Attack& below : attacks(traffic, kSeconds, 10, 0.2, 0.6, 0x300000)) traffic.add(below);

  const std::uint64_t queries = house.run(traffic, 0, kSeconds);
  std::map<std::string, Score> scores;
  Score sum;
  for (const Told& event : house.told) {
    if (event.state == "ended") continue;
    const bool is_true = std::ranges::any_of(truth, [&](const Attack& attack) {
      const std::int64_t at_s = event.at_us / kSecond - 1000;
      return is_about(event, attack) && at_s >= attack.begin_s && at_s <= attack.end_s + 1;
    });
    if (!is_true) print_message("false: %s\n", event.json.c_str());
    for (Score* score : {&scores[event.detector], &sum}) {
      ++score->events;
      score->true_events += is_true;
    }
  }
  for (const Attack& attack : truth) {
    const bool found = std::ranges::any_of(house.told, [&](const Told& event) { return is_about(event, attack); });
    const char* const detector = kDetectorOf[static_cast<std::size_t>(attack.kind)];
    if (!found) print_message("missed: %s %s %g\n", detector, attack.domain.c_str(), attack.per_second);
    for (Score* score : {&scores[detector], &sum}) {
      ++score->attacks;
      score->found += found;
    }
  }
  print_message("%llu queries\n| detector | attacks | found | events | false | precision | recall |\n",
                static_cast<unsigned long long>(queries));
  for (const auto& [detector, score] : scores) print_score(detector.c_str(), score);
  print_score("all", sum);
  for (const auto& [detector, score] : scores) {
    assert_true(score.true_events >= 0.95 * score.events);
    assert_true(score.found >= 0.95 * score.attacks);
  }
  // Strong ones are called so, and what was told of one attack belongs together.
  assert_true(std::ranges::any_of(
      house.told, [](const Told& event) { return event.type == EventType::threat_detected && event.score >= 3; }));
  assert_true(std::ranges::none_of(
      house.told, [](const Told& event) { return event.type == EventType::threat_detected && event.score < 3; }));
}

void ordinary_traffic_is_silent(void**) {
  House house;
  Traffic traffic(7, 60);
  const std::uint64_t queries = house.run(traffic, 0, 3 * 3600);
  for (const Told& event : house.told) print_message("false: %s\n", event.json.c_str());
  print_message("%llu ordinary queries in 3 hours, %zu events\n", static_cast<unsigned long long>(queries),
                house.told.size());
  assert_int_equal(house.told.size(), 0);
}

void ordinary_traffic_of_one_resolver_is_silent(void**) {
  House house;
  Traffic traffic(8, 60);
  traffic.behind_one_resolver();
  house.run(traffic, 0, 3600);
  for (const Told& event : house.told) print_message("false: %s\n", event.json.c_str());
  assert_int_equal(house.told.size(), 0);
}

void sudden_changes_of_the_rate_are_told(void**) {
  House house;
  auto& detectors = house.options.sources.detectors;  // so many people would set off others
  detectors.nxdomain_flood.enabled = detectors.tunnelling.enabled = false;
  house.configure();
  Traffic traffic(9, 150);
  Score up, down;
  std::int64_t second = 0;
  const auto run = [&](double level, std::int64_t seconds) {
    traffic.set_level(level);
    house.run(traffic, second, second + seconds);
    second += seconds;
  };
  run(1, 900);
  for (int hour = 0; hour < 8; ++hour) run(1 + 0.1 * hour, 120);  // the morning comes
  for (const double level : {9.0, 0.05, 12.0, 0.0, 30.0, 0.1}) {
    const std::size_t before = house.told.size();
    run(level, 60);
    Score& score = level > 1 ? up : down;
    ++score.attacks;
    for (std::size_t i = before; i < house.told.size(); ++i) {
      if (house.told[i].state == "ended") continue;
      ++score.events;
      score.true_events += house.told[i].direction == (level > 1 ? "up" : "down");
    }
    score.found += score.events > 0;
    run(1, 1500);
  }
  print_score("qps_change, up", up);
  print_score("qps_change, down", down);
  assert_int_equal(up.found, 3);
  assert_int_equal(down.found, 3);
  int told = 0;
  for (const Told& event : house.told) told += event.state != "ended";
  assert_int_equal(told, up.true_events + down.true_events);
}

// ── What is told, and when ───────────────────────────────────────────────────────────────────────────────────────────

void the_same_is_told_again_only_after_the_cooldown(void**) {
  House house;
  house.options.sources.detectors.nxdomain_flood.domain_names = 1'000'000;  // the client's alone
  house.configure();
  const auto minute_of_flood = [&] {
    house.flood(5, 300);
    house.pass(60);
  };
  for (int minute = 0; minute < 15; ++minute) minute_of_flood();
  auto told = house.of("nxdomain_flood");
  assert_int_equal(told.size(), 1);
  assert_true(told[0].type == EventType::suspicious_activity);
  assert_text(told[0].state, "began");
  assert_text(told[0].client, "10.0.0.5");
  assert_contains(told[0].json, R"("window_seconds":60)");
  assert_contains(told[0].json, R"("qnames":["n)");
  minute_of_flood();
  told = house.of("nxdomain_flood");
  assert_int_equal(told.size(), 2);
  assert_text(told[1].state, "continues");
  assert_int_equal(told[1].suppressed, 14);
  assert_int_equal(told[1].found, 16);
  house.flood(5, 700);  // stronger: told at once
  house.pass(1);
  told = house.of("nxdomain_flood");
  assert_int_equal(told.size(), 3);
  assert_true(told[2].type == EventType::threat_detected);
  house.pass(14 * 60);
  assert_int_equal(house.of("nxdomain_flood").size(), 3);
  house.pass(2 * 60);
  told = house.of("nxdomain_flood");
  assert_int_equal(told.size(), 4);
  assert_text(told[3].state, "ended");
  assert_true(told[3].type == EventType::suspicious_activity && told[3].severity == Severity::info);
  for (const Told& event : told) assert_text(event.correlation_id, told[0].correlation_id);
  house.pass(3600);
  minute_of_flood();  // another one
  told = house.of("nxdomain_flood");
  assert_int_equal(told.size(), 5);
  assert_true(told[4].correlation_id != told[0].correlation_id);
}

void a_beacon_is_told_once_while_it_goes_on(void**) {
  House house;
  for (int i = 0; i < 200; ++i) {
    house.ask(5, "c2.example.net");
    house.ask(5, "c2.example.net", 28);  // the same beat
    house.pass(60);
  }
  assert_int_equal(house.told.size(), 1);
  assert_text(house.told[0].qname, "c2.example.net");
  assert_true(house.told[0].type == EventType::suspicious_activity);
  assert_contains(house.told[0].json, R"("interval_seconds":60)");
  house.pass(3600);
  assert_int_equal(house.told.size(), 2);
  assert_text(house.told[1].state, "ended");
  // A name that others ask for too is a service's.
  for (int i = 0; i < 200; ++i) {
    for (std::uint32_t client = 0; client < 4; ++client) house.ask(client, "time.example.net");
    house.pass(60);
  }
  assert_int_equal(house.told.size(), 2);
}

void an_infected_client_is_an_alert_with_its_feeds(void**) {
  House house;
  for (int i = 0; i < 25; ++i) house.ask(9, "a" + std::to_string(i) + ".bad.example", 1, 3, "rpz.malware");
  for (int i = 0; i < 3; ++i) house.ask(9, "bank.test", 1, 3, "phish.feed");
  for (int i = 0; i < 100; ++i) house.ask(8, "ads.test", 1, 3, "rpz.plain");  // no threat's feed
  house.pass(1);
  assert_int_equal(house.told.size(), 1);
  assert_true(house.told[0].type == EventType::security_alert);
  assert_text(house.told[0].client, "10.0.0.9");
  assert_contains(house.told[0].json, R"("value":28)");
  assert_contains(house.told[0].json, R"("malware":25,"phishing":3)");
  assert_contains(house.told[0].json,
                  R"("feeds":[{"policy_zone":"rpz.malware","count":25},{"policy_zone":"phish.feed","count":3}])");
}

void what_is_ignored_is_not_judged(void**) {
  House house;
  house.options.sources.detectors.ignore_clients = {"10.0.1.0/24"};
  house.options.sources.detectors.ignore_domains = {"blocklist.example"};
  house.configure();
  house.flood(0x105, 900);
  house.flood(0x205, 900, "of.blocklist.example");
  house.pass(1);
  assert_int_equal(house.told.size(), 0);
  house.flood(0x205, 900);
  house.pass(1);
  assert_int_equal(house.told.size(), 2);  // the client and the domain
}

void each_can_be_switched_off(void**) {
  House house;
  house.options.sources.detectors.nxdomain_flood.enabled = false;
  house.configure();
  house.flood(5, 2000);
  house.pass(1);
  assert_int_equal(house.told.size(), 0);
  assert_true(house.detectors.watches());
  house.options.sources.detectors.enabled = false;
  house.configure();
  assert_false(house.detectors.watches());
  house.pass(1);
  assert_true(house.metrics.text(MetricsFormat::openmetrics).find("detector_") == std::string::npos);
}

void what_is_masked_stands_nowhere(void**) {
  for (const auto address : {ClientAddressPrivacy::prefix, ClientAddressPrivacy::hash, ClientAddressPrivacy::none}) {
    for (const auto name : {QueryNamePrivacy::domain, QueryNamePrivacy::hash, QueryNamePrivacy::none}) {
      House house;
      house.options.privacy = {.client_address = address, .query_name = name};
      house.configure();
      Traffic traffic(3);
      for (int i = 0; i < 40; ++i) {
        house.ask(0x57, "c2.secret.net");
        house.pass(10);
      }
      house.flood(0x57, 2000, "victim.secret.org");
      for (int i = 0; i < 200; ++i) {
        house.ask(0x57, traffic.letters(45, "0123456789abcdef") + ".tunnel.secret.com", 10);
        house.ask(0x57, "secret.biz", 255);
        house.ask(0x57, "secret.biz", 255);
        house.ask(0x57, "x.bad.example", 1, 3, "rpz.malware");
      }
      house.pass(1);
      std::map<std::string, int> detectors;
      for (const Told& event : house.told) {
        ++detectors[event.detector];
        assert_true(event.json.find("10.0.0.87") == std::string::npos);
        for (const char* clear : {"c2.secret", "victim.secret", ".tunnel.secret", "x.bad"})
          assert_true(event.json.find(clear) == std::string::npos);
        if (name != QueryNamePrivacy::domain) assert_true(event.json.find("secret") == std::string::npos);
      }
      assert_int_equal(detectors.size(), 5);
      assert_true(house.metrics.text(MetricsFormat::openmetrics).find("secret") == std::string::npos);
    }
  }
}

// Or their number would tell how many there were.
void subjects_that_masking_makes_alike_are_one(void**) {
  House house;
  house.options.privacy.client_address = ClientAddressPrivacy::none;
  house.configure();
  for (std::uint32_t client = 1; client < 20; ++client)
    house.flood(client, 300, "of" + std::to_string(client) + ".test");
  house.pass(1);
  assert_int_equal(house.of("nxdomain_flood").size(), 1);
}

// ── Bounds ───────────────────────────────────────────────────────────────────────────────────────────────────────────

void hostile_traffic_fills_no_memory_and_hides_nobody(void**) {
  House house;
  house.options.sources.detectors.entries = 1024;
  house.options.sources.detectors.qps_change.enabled = false;
  house.configure();
  Traffic traffic(4);
  const auto noise = [&] {  // each query of another client, for the longest name there is, under another domain
    const std::string domain = "." + traffic.letters(60) + "." + traffic.letters(60);
    house.ask(static_cast<std::uint32_t>(traffic.number(1 << 24)),
              traffic.letters(60) + "." + traffic.letters(60) + domain, traffic.number(2) ? 16 : 255, 3,
              traffic.number(4) == 0 ? "rpz.malware" : nullptr);
  };
  for (int i = 0; i < 60; ++i) {
    for (int n = 0; n < 2000; ++n) noise();
    house.flood(5, 5);
    house.pass(1);
  }
  assert_int_equal(house.told.size(), 1);
  assert_text(house.told[0].client, "10.0.0.5");
  const std::string metrics = house.metrics.text(MetricsFormat::openmetrics);
  assert_contains(metrics, "bindcast_detector_tracked_entries{detector=\"nxdomain_flood\"} 2048\n");
  assert_contains(metrics,
                  "bindcast_detector_findings_total{detector=\"nxdomain_flood\",type=\"suspicious_activity\"} 1");
  const auto number_behind = [&](std::string_view line) {
    const std::size_t at = metrics.find(line);
    assert_true(at != std::string::npos);
    return std::stod(metrics.substr(at + line.size()));
  };
  assert_true(number_behind("bindcast_detector_table_evictions_total{detector=\"nxdomain_flood\"}") > 100'000);
  for (const char* detector : {"nxdomain_flood", "tunnelling", "amplification", "beaconing", "infected_client"}) {
    const double bytes = number_behind("bindcast_detector_table_bytes{detector=\"" + std::string(detector) + "\"}");
    assert_true(bytes < 3e6);
  }
}

// Samples of as many subjects as come near a threshold at once.
void samples_are_bounded_too(void**) {
  House house;
  house.options.sources.detectors.nxdomain_flood.client_names = 4;
  house.configure();
  Traffic traffic(5);
  for (std::uint32_t client = 0; client < 3000; ++client)
    for (int i = 0; i < 8; ++i)
      house.ask(client,
                traffic.letters(60) + "." + traffic.letters(60) + "." + traffic.letters(60) + "." + traffic.letters(60),
                1, 3);
  house.pass(1);
  const auto told = house.of("nxdomain_flood");
  assert_int_equal(told.size(), Judgement::kMostSubjects);
  const std::string metrics = house.metrics.text(MetricsFormat::openmetrics);
  assert_contains(metrics, "bindcast_detector_findings_untold_total{detector=\"nxdomain_flood\"} 256\n");
  house.flood(1 << 20, 900);
  house.pass(17 * 60);
  assert_true(std::ranges::any_of(house.told, [](const Told& event) { return event.untold >= 256; }));
}

// ── Parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────

void different_things_are_counted(void**) {
  const SipHash hash({1, 2});
  for (const int count : {1, 10, 100, 300, 1000, 30'000}) {
    Distinct distinct;
    for (int repeat = 0; repeat < 2; ++repeat)
      for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(count); ++i)
        distinct.add(hash({reinterpret_cast<const std::uint8_t*>(&i), sizeof i}));
    assert_true(std::abs(distinct.estimate() - count) <= 1 + 0.25 * count);
  }
}

void names_made_of_addresses_are_known(void**) {
  const SipHash hash({1, 2});
  RegisteredDomains domains(hash);
  const auto of_an_address = [&](std::string_view name) {
    const auto bytes = wire(name);
    QueryView query;
    query.fixed = {};
    query.qname = bytes;
    return SeenQuery(query, hash, domains).of_an_address;
  };
  assert_true(of_an_address("1.2.0.192.zen.spamhaus.org"));
  assert_true(of_an_address("2.0.192.in-addr.arpa"));
  assert_true(of_an_address("F.f.0.0.0.0.0.0.1.0.0.0.0.0.0.0.list.example.org"));
  assert_true(of_an_address("b._dns-sd._udp.0.2.0.192.in-addr.arpa"));
  for (const char* name :
       {"1.2.3.example.org", "1.2.3.x.example.org", "1234.1.2.3.example.org", "a.b.c.d.example.org", ""})
    assert_false(of_an_address(name));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(attacks_are_found_and_little_else),
      cmocka_unit_test(ordinary_traffic_is_silent),
      cmocka_unit_test(ordinary_traffic_of_one_resolver_is_silent),
      cmocka_unit_test(sudden_changes_of_the_rate_are_told),
      cmocka_unit_test(the_same_is_told_again_only_after_the_cooldown),
      cmocka_unit_test(a_beacon_is_told_once_while_it_goes_on),
      cmocka_unit_test(an_infected_client_is_an_alert_with_its_feeds),
      cmocka_unit_test(what_is_ignored_is_not_judged),
      cmocka_unit_test(each_can_be_switched_off),
      cmocka_unit_test(what_is_masked_stands_nowhere),
      cmocka_unit_test(subjects_that_masking_makes_alike_are_one),
      cmocka_unit_test(hostile_traffic_fills_no_memory_and_hides_nobody),
      cmocka_unit_test(samples_are_bounded_too),
      cmocka_unit_test(different_things_are_counted),
      cmocka_unit_test(names_made_of_addresses_are_known),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
