// dns_analytics_update, with a hand-driven clock: what is told of known queries, when, of which views, and how masked.

#include "harness.hpp"

#include <array>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "events/network.hpp"
#include "plugin/analytics/analytics.hpp"

namespace {

using namespace bindcast;
using When = SourcesOptions::Analytics::When;

struct Query {
  std::string_view client = "10.1.2.3";
  std::string name = "www.example.com";
  std::string_view view = "_default";
  std::uint16_t qtype = 1, rcode = 0;
  std::uint32_t sample = 1;
  std::uint64_t latency_us = 100;
  bool dropped = false, rpz = false;
  RpzAction action = RpzAction::nxdomain;
};

struct Taker : Subscriber {
  std::vector<EventRef> got;
  void deliver(const EncodedRef& event, Now) override { got.push_back(event->event); }
  void lost(DropReason, EventType, std::uint64_t, Now) override {}
  void failed() noexcept override {}
};

struct House {
  Now now{.mono_us = 1000'000'000, .wall_us = 1'795'000'000'000'000};
  Hub hub{StreamIdentity{.epoch = "e", .host = "ns1", .service = "named"}, now};
  Intake intake{hub};
  Metrics metrics;
  Analytics analytics{hub, intake, metrics};
  Options options;
  Taker taker;

  explicit House(bool subscribed = true) {
    taker.needs_events = true;
    hub.add_subscriber(taker);
    if (subscribed) subscribe();
    configure();
  }
  ~House() { hub.remove_subscriber(taker); }
  void subscribe() {
    taker.subscriptions.emplace_back().types.set(static_cast<std::size_t>(EventType::dns_analytics_update));
    hub.subscriptions_changed();
  }
  void configure() {
    hub.configure(options);
    analytics.configure(options, now);
  }
  void privacy(ClientAddressPrivacy client_address, QueryNamePrivacy query_name) {
    options.privacy = {client_address, query_name};
    configure();
  }

  void see(const Query& query, int times = 1) {
    std::vector<std::uint8_t> wire;
    for (std::string_view rest(query.name); !rest.empty();) {
      const std::string_view label = rest.substr(0, rest.find('.'));
      wire.push_back(static_cast<std::uint8_t>(label.size()));
      wire.insert(wire.end(), label.begin(), label.end());
      rest.remove_prefix(std::min(rest.size(), label.size() + 1));
    }
    wire.push_back(0);
    QueryView seen{};
    Network client;
    assert_true(parse_network(query.client, client));
    seen.fixed.client_family = static_cast<std::uint8_t>(client.family);
    seen.fixed.client = client.bytes;
    seen.fixed.sample = query.sample;
    seen.fixed.latency_ns = query.latency_us * 1000;
    seen.fixed.qtype = query.qtype;
    seen.fixed.rcode = query.rcode;
    seen.fixed.dropped = query.dropped;
    seen.fixed.has_rpz = query.rpz;
    seen.fixed.action = query.action;
    seen.qname = wire;
    seen.view = query.view;
    for (int i = 0; i < times; ++i) analytics.see(seen, now);
  }
  void tick(std::int64_t seconds) {
    for (; seconds > 0; --seconds) {
      now.mono_us += 1'000'000;
      now.wall_us += 1'000'000;
      analytics.tick(now);
    }
  }
  // The next update, at the end of the interval.
  Fields::Value update() {
    const std::size_t before = taker.got.size();
    for (int i = 0; i < 6 && taker.got.size() == before; ++i) tick(1);
    assert_int_equal(taker.got.size(), before + 1);
    return taker.got.back()->data.root();
  }
  std::string scrape() const { return metrics.text(MetricsFormat::openmetrics); }
};

// A list as "what count" of each entry, sorted; what a sketch may be wrong by is behind it, unless it is nothing.
std::multiset<std::string> list(Fields::Value of, std::string_view name) {
  std::multiset<std::string> entries;
  for (auto entry = of.find(name).first(); entry; entry = entry.next()) {
    std::string text(entry.first().kind() == Fields::Kind::text ? entry.first().text() : std::string_view("-"));
    text += " " + std::to_string(entry.find("count").integer());
    if (entry.find("error").integer() != 0) text += " ±" + std::to_string(entry.find("error").integer());
    entries.insert(text);
  }
  return entries;
}

void assert_list(Fields::Value of, std::string_view name, const std::multiset<std::string>& expected) {
  const auto actual = list(of, name);
  if (actual != expected)
    for (const std::string& entry : actual) print_error("%s: %s\n", std::string(name).c_str(), entry.c_str());
  assert_true(actual == expected);
}

Fields::Value view_of(Fields::Value update, std::string_view name) {
  for (auto view = update.find("views").first(); view; view = view.next())
    if (view.find("view").text() == name) return view;
  return {};
}

void it_looks_only_while_somebody_looks_at_it(void**) {
  House house(false);
  assert_false(house.analytics.watches());
  house.tick(20);
  assert_true(house.scrape().find("analytics") == std::string::npos);
  house.subscribe();
  assert_true(house.analytics.watches());
  house.see({});
  house.update();
  assert_contains(house.scrape(), "bindcast_analytics_queries_total 1\n");
  house.taker.subscriptions.clear();
  house.hub.subscriptions_changed();
  assert_false(house.analytics.watches());
  house.tick(20);
  assert_int_equal(house.taker.got.size(), 1);
  assert_true(house.scrape().find("analytics") == std::string::npos);
}

void it_is_on_or_off_where_that_is_said(void**) {
  House house(false);
  house.options.sources.analytics.enabled = When::always;
  house.configure();
  assert_true(house.analytics.watches());
  house.see({.latency_us = 2008}, 3);
  house.see({.latency_us = 1'000'000, .rpz = true});
  house.see({.dropped = true});
  house.analytics.missed(2, house.now);
  house.tick(5);
  const std::string text = house.scrape();
  for (const char* line : {"bindcast_analytics_queries_total 5\n", "bindcast_analytics_blocked_queries_total 1\n",
                           "bindcast_analytics_missed_queries_total 2\n", "bindcast_analytics_distinct_clients 1\n",
                           "bindcast_analytics_distinct_names 1\n", "bindcast_analytics_interval_seconds 5\n",
                           "bindcast_query_latency_seconds{quantile=\"0.5\"} 0.002008\n",
                           "bindcast_query_latency_seconds{quantile=\"0.99\"} 1\n",
                           "bindcast_query_latency_seconds_count 4\n", "bindcast_query_latency_seconds_sum 1.006024\n"})
    assert_contains(text, line);
  house.tick(5);  // nothing: no quantiles of it
  assert_true(house.scrape().find("quantile=") == std::string::npos);
  assert_contains(house.scrape(), "bindcast_query_latency_seconds_count 4\n");
  house.subscribe();
  house.options.sources.analytics.enabled = When::never;
  house.configure();
  assert_false(house.analytics.watches());
  house.tick(20);
  assert_true(house.taker.got.size() <= 1);  // what was under way
}

void an_update_tells_what_was_asked_since_the_last(void**) {
  House house;
  house.now.mono_us += 2'000'000;  // the first interval has begun without us
  house.see({.name = "WWW.Example.com", .latency_us = 50}, 3);
  house.see({.client = "2001:db8::1", .name = "a.b.example.co.uk", .qtype = 28, .rcode = 3, .latency_us = 2000});
  house.see({.client = "::ffff:10.1.2.3", .name = "bad.example.com", .rcode = 3, .rpz = true});
  house.see({.name = "fine.example.com", .rpz = true, .action = RpzAction::passthru});
  house.see({.name = "", .qtype = 65280, .dropped = true, .rpz = true, .action = RpzAction::drop});
  const auto update = house.update();
  assert_int_equal(update.find("interval_ms").integer(), 3000);
  assert_int_equal(update.find("queries").integer(), 7);
  assert_true(update.find("qps").real() == 2.33);
  assert_int_equal(update.find("blocked").integer(), 2);
  assert_true(update.find("blocked_share").real() == 0.285714);
  assert_int_equal(update.find("dropped").integer(), 1);
  assert_int_equal(update.find("missed").integer(), 0);
  assert_int_equal(update.find("distinct_clients").integer(), 2);
  assert_int_equal(update.find("distinct_names").integer(), 5);
  assert_list(update, "clients", {"10.1.2.3 6", "2001:db8::1 1"});
  assert_list(update, "names",
              {"www.example.com 3", "a.b.example.co.uk 1", "bad.example.com 1", "fine.example.com 1", ". 1"});
  assert_list(update, "domains", {"example.com 5", "example.co.uk 1"});
  assert_list(update, "types", {"A 5", "AAAA 1", "TYPE65280 1"});
  assert_list(update, "rcodes", {"NOERROR 4", "NXDOMAIN 2"});
  assert_text(update.find("names").first().find("qname").text(), "www.example.com");  // the most frequent first
  const auto latency = update.find("latency_us");
  assert_int_equal(latency.find("p50").integer(), 50);
  assert_int_equal(latency.find("max").integer(), 2000);
  assert_int_equal(latency.find("mean").integer(), 392);
  assert_list(view_of(update, "_default"), "domains", {"example.com 5", "example.co.uk 1"});

  const auto next = house.update();
  assert_int_equal(next.find("interval_ms").integer(), 5000);
  assert_int_equal(next.find("queries").integer(), 0);
  assert_list(next, "names", {});
  assert_false(static_cast<bool>(next.find("views").first()));
  assert_int_equal(next.find("latency_us.p99").integer(), 0);
}

void a_sampled_query_counts_for_those_it_stands_for_and_what_was_missed_is_told(void**) {
  House house;
  house.options.events.queries.sample = 10;
  house.configure();
  house.see({.sample = 10}, 2);
  house.analytics.missed(3, house.now);
  const auto update = house.update();
  assert_int_equal(update.find("queries").integer(), 20);
  assert_int_equal(update.find("missed").integer(), 30);
  assert_int_equal(update.find("distinct_clients").integer(), 1);
  assert_list(update, "clients", {"10.1.2.3 20"});
  assert_int_equal(house.update().find("missed").integer(), 0);
}

void lists_are_as_long_as_they_may_be(void**) {
  House house;
  house.options.sources.analytics.top = 2;
  house.configure();
  for (const char* name : {"a.test", "b.test", "b.test", "c.test", "c.test", "c.test"}) house.see({.name = name});
  const auto update = house.update();
  assert_list(update, "names", {"c.test 3", "b.test 2"});
  assert_int_equal(update.find("distinct_names").integer(), 3);
  // Those of a view end at a hundred.
  house.options.sources.analytics.top = 1000;
  house.configure();
  for (int i = 0; i < 150; ++i) house.see({.name = "n" + std::to_string(i) + ".test"});
  const auto longer = house.update();
  assert_int_equal(list(longer, "names").size(), 150);
  assert_int_equal(list(view_of(longer, "_default"), "names").size(), Analytics::kMostOfAView);
}

void views_are_told_apart_and_together(void**) {
  House house;
  house.see({.client = "10.0.0.1", .view = "in"}, 3);
  house.see({.client = "10.0.0.1", .view = "out", .rpz = true});
  house.see({.client = "10.0.0.2", .view = "out"});
  const auto update = house.update();
  assert_list(update, "clients", {"10.0.0.1 4", "10.0.0.2 1"});
  assert_list(view_of(update, "in"), "clients", {"10.0.0.1 3"});
  assert_list(view_of(update, "out"), "clients", {"10.0.0.1 1", "10.0.0.2 1"});
  assert_int_equal(update.find("distinct_clients").integer(), 2);
  assert_int_equal(update.find("blocked").integer(), 1);
  assert_int_equal(view_of(update, "in").find("blocked").integer(), 0);
}

void further_views_are_counted_in_one(void**) {
  House house;
  std::vector<std::string> names;
  for (int i = 0; i < 40; ++i) names.push_back("view" + std::to_string(i));
  for (const std::string& name : names) house.see({.view = name});
  auto update = house.update();
  int views = 0;
  for (auto view = update.find("views").first(); view; view = view.next()) ++views;
  assert_int_equal(views, Analytics::kMostViews + 1);
  assert_int_equal(view_of(update, Analytics::kOtherViews).find("queries").integer(), 40 - Analytics::kMostViews);
  assert_int_equal(update.find("queries").integer(), 40);
  // Those that were asked nothing for long make room.
  for (int i = 0; i <= Analytics::kIdleIntervals; ++i) {
    house.see({.view = "view0"});
    update = house.update();
  }
  house.see({.view = "new"});
  assert_int_equal(view_of(house.update(), "new").find("queries").integer(), 1);
}

// More names than there is room for, in two views: the truth is within what is told.
void what_a_list_may_be_wrong_by_is_told(void**) {
  House house;
  std::mt19937 random(3);  // NOLINT: the same in every run is the point
  std::map<std::string, std::int64_t> exact;
  std::set<std::string> clients;
  for (int i = 0; i < 60'000; ++i) {
    const double u = static_cast<double>(random()) / 4294967296.0;
    const std::string name = "n" + std::to_string(static_cast<int>(20'000 * u * u * u)) + ".test";
    const std::string client = "10.0." + std::to_string(i % 20) + "." + std::to_string(i / 20 % 250);
    const char* const view = random() % 3 == 0 ? "a" : "b";
    house.see({.client = client, .name = name, .view = view});
    ++exact[name];
    clients.insert(client);
  }
  const auto update = house.update();
  int entries = 0;
  for (auto entry = update.find("names").first(); entry; entry = entry.next(), ++entries) {
    const std::int64_t truth = exact[std::string(entry.find("qname").text())];
    const std::int64_t count = entry.find("count").integer(), error = entry.find("error").integer();
    assert_true(truth <= count && truth >= count - error);
    assert_in_range(error, 0, 60'000 / 1024);
  }
  assert_int_equal(entries, 20);
  const auto off = [](Fields::Value told, std::size_t truth) {
    return std::abs(static_cast<double>(told.integer()) / static_cast<double>(truth) - 1);
  };
  constexpr double kFiveStandardErrors = 0.04;  // the key is another one each time
  assert_true(off(update.find("distinct_names"), exact.size()) < kFiveStandardErrors);
  assert_true(off(update.find("distinct_clients"), clients.size()) < kFiveStandardErrors);
}

void there_are_never_more_different_ones_than_queries(void**) {
  for (int run = 0; run < 8; ++run) {  // every other estimate would be above
    House house;
    for (int i = 0; i < 1500; ++i) house.see({.name = "n" + std::to_string(i) + ".test"});
    assert_in_range(house.update().find("distinct_names").integer(), 1460, 1500);
  }
}

// ── Privacy ──────────────────────────────────────────────────────────────────────────────────────────────────────────

void see_neighbours(House& house) {
  house.see({.client = "10.1.2.3", .name = "www.shop.example.com"}, 2);
  house.see({.client = "10.1.2.4", .name = "mail.example.com"});
  house.see({.client = "::ffff:10.1.2.5", .name = "x.example.co.uk"});
  house.see({.client = "2001:db8:1:2ff::9", .name = "y.example.co.uk"});
  house.see({.client = "2001:db8:1:200::8", .name = "COM"});
}

void networks_and_domains_are_counted_as_one(void**) {
  House house;
  house.privacy(ClientAddressPrivacy::prefix, QueryNamePrivacy::domain);
  see_neighbours(house);
  house.see({.client = "10.1.2.3", .name = ""});  // the root is no domain
  const auto update = house.update();
  for (const auto& part : {update, view_of(update, "_default")}) {
    assert_list(part, "clients", {"10.1.2.0/24 5", "2001:db8:1:200::/56 2"});
    assert_list(part, "names", {"example.com 3", "co.uk 2", "com 1", ". 1"});
    assert_list(part, "domains", {"example.com 3", "co.uk 2", "com 1"});
    assert_int_equal(part.find("distinct_clients").integer(), 5);
    assert_int_equal(part.find("distinct_names").integer(), 6);
  }
}

void hashes_are_those_of_every_other_event(void**) {
  House house;
  house.privacy(ClientAddressPrivacy::hash, QueryNamePrivacy::hash);
  see_neighbours(house);
  const auto update = house.update();
  const auto hashed = [&](std::string_view client) {
    return *house.hub.masker().address(client, ClientAddressPrivacy::hash, house.now);
  };
  const auto named = [&](std::string_view name) {
    return *house.hub.masker().name(name, QueryNamePrivacy::hash, house.now);
  };
  for (const auto& part : {update, view_of(update, "_default")}) {
    assert_list(part, "clients",
                {hashed("10.1.2.3") + " 2", hashed("10.1.2.4") + " 1", hashed("10.1.2.5") + " 1",
                 hashed("2001:db8:1:2ff::9") + " 1", hashed("2001:db8:1:200::8") + " 1"});
    assert_list(part, "names",
                {named("www.shop.example.com") + " 2", named("mail.example.com") + " 1",
                 named("x.example.co.uk") + " 1", named("y.example.co.uk") + " 1", named("com") + " 1"});
    assert_list(part, "domains", {named("example.com") + " 3", named("example.co.uk") + " 2"});
  }
}

void what_is_to_be_left_out_is_not_counted(void**) {
  House house;
  house.privacy(ClientAddressPrivacy::none, QueryNamePrivacy::none);
  see_neighbours(house);
  const auto update = house.update();
  for (const auto& part : {update, view_of(update, "_default")}) {
    for (const char* name : {"clients", "names", "domains"}) assert_false(static_cast<bool>(part.find(name)));
    assert_int_equal(part.find("distinct_clients").integer(), 5);
    assert_int_equal(part.find("distinct_names").integer(), 5);
    assert_list(part, "types", {"A 6"});
  }
}

void a_role_sees_what_its_privacy_leaves(void**) {
  House house;
  see_neighbours(house);
  house.update();
  Event event = *house.taker.got.back();
  assert_list(event.data.root(), "domains", {"example.com 3", "example.co.uk 2"});
  Masker masker;
  assert_true(masker.mask(event, {ClientAddressPrivacy::prefix, QueryNamePrivacy::domain}, house.now));
  for (const auto& part : {event.data.root(), view_of(event.data.root(), "_default")}) {
    assert_list(part, "clients",
                {"10.1.2.0/24 2", "10.1.2.0/24 1", "10.1.2.0/24 1", "2001:db8:1:200::/56 1", "2001:db8:1:200::/56 1"});
    assert_list(part, "names", {"example.com 2", "example.com 1", "co.uk 1", "co.uk 1", "com 1"});
    assert_list(part, "domains", {"example.com 3", "co.uk 2"});
  }
  assert_true(masker.mask(event, {ClientAddressPrivacy::none, QueryNamePrivacy::none}, house.now));
  assert_list(event.data.root(), "clients", {"- 2", "- 1", "- 1", "- 1", "- 1"});
  assert_list(event.data.root(), "domains", {"- 3", "- 2"});
}

// What was seen before the change is told with it, masked as is asked from then on.
void a_change_of_privacy_begins_an_interval(void**) {
  House house;
  house.see({.client = "10.1.2.3"});
  house.now.mono_us += 1'000'000;
  house.privacy(ClientAddressPrivacy::prefix, QueryNamePrivacy::full);
  assert_int_equal(house.taker.got.size(), 1);
  assert_list(house.taker.got[0]->data.root(), "clients", {"10.1.2.0/24 1"});
  assert_int_equal(house.taker.got[0]->data.find("interval_ms").integer(), 1000);
  house.see({.client = "10.1.2.3"});
  house.see({.client = "10.1.2.4"});
  assert_list(house.update(), "clients", {"10.1.2.0/24 2"});
  house.options.sources.analytics.top = 30;
  house.see({.client = "10.1.2.4"});
  house.configure();
  assert_int_equal(house.taker.got.size(), 3);
  house.configure();
  assert_int_equal(house.taker.got.size(), 3);
}

void the_end_tells_what_is_left(void**) {
  House house;
  house.see({});
  house.analytics.end();
  assert_int_equal(house.taker.got.size(), 1);
  assert_int_equal(house.taker.got[0]->data.find("queries").integer(), 1);
}

void memory_is_what_is_said(void**) {
  ViewSketch::Shared shared({});
  assert_in_range(ViewSketch(shared, "v", 20).bytes(), 600'000, 800'000);
  assert_int_equal(ViewSketch(shared, "v", 20).bytes(), ViewSketch(shared, "v", 256).bytes());
  assert_in_range(ViewSketch(shared, "v", 1000).bytes(), 2'400'000, 3'000'000);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(it_looks_only_while_somebody_looks_at_it),
      cmocka_unit_test(it_is_on_or_off_where_that_is_said),
      cmocka_unit_test(an_update_tells_what_was_asked_since_the_last),
      cmocka_unit_test(a_sampled_query_counts_for_those_it_stands_for_and_what_was_missed_is_told),
      cmocka_unit_test(lists_are_as_long_as_they_may_be),
      cmocka_unit_test(views_are_told_apart_and_together),
      cmocka_unit_test(further_views_are_counted_in_one),
      cmocka_unit_test(what_a_list_may_be_wrong_by_is_told),
      cmocka_unit_test(there_are_never_more_different_ones_than_queries),
      cmocka_unit_test(networks_and_domains_are_counted_as_one),
      cmocka_unit_test(hashes_are_those_of_every_other_event),
      cmocka_unit_test(what_is_to_be_left_out_is_not_counted),
      cmocka_unit_test(a_role_sees_what_its_privacy_leaves),
      cmocka_unit_test(a_change_of_privacy_begins_an_interval),
      cmocka_unit_test(the_end_tells_what_is_left),
      cmocka_unit_test(memory_is_what_is_said),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
