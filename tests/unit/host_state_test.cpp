// The host's counters: what they grew by, the events and metrics made of them, and when the host is asked.

#include "harness.hpp"

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "events/json.hpp"
#include "plugin/hub/hub.hpp"
#include "plugin/sources/host_state.hpp"

namespace {

using namespace bindcast;

HostCounter counter(CounterGroup group, const char* name, std::uint64_t value, std::uint64_t life = 0,
                    const char* view = "") {
  return {.group = group, .view = view, .name = name, .value = value, .limit = 0, .life = life};
}

HostReading reading(std::vector<HostCounter> counters, std::int64_t taken_us = 0) {
  HostReading made{.taken_us = taken_us, .uptime_seconds = 0, .counters = std::move(counters), .left_out = 0};
  made.complete();
  return made;
}

// "view/name=value" for each that grew.
std::string grown(const std::vector<HostCounter>& before, const std::vector<HostCounter>& after) {
  std::string text;
  for (const HostCounter& each : growth(reading(before), reading(after)))
    text += (text.empty() ? "" : " ") + each.view + "/" + each.name + "=" + std::to_string(each.value);
  return text;
}

constexpr auto kServer = CounterGroup::server;
constexpr auto kCache = CounterGroup::cache;

void counters_grow_by_what_was_added(void**) {
  assert_text(grown({counter(kServer, "a", 5, 1), counter(kServer, "b", 5, 1)},
                    {counter(kServer, "a", 8, 1), counter(kServer, "b", 5, 1)}),
              "/a=3");
  // One that was left out because it was zero.
  assert_text(grown({counter(kServer, "a", 5, 1)}, {counter(kServer, "a", 5, 1), counter(kServer, "b", 2, 1)}), "/b=2");
  constexpr auto kMost = ~std::uint64_t{0};
  assert_text(grown({counter(kServer, "a", kMost - 1)}, {counter(kServer, "a", kMost)}), "/a=1");
}

void gauges_do_not_grow(void**) {
  assert_text(grown({counter(CounterGroup::zones, "all", 1)}, {counter(CounterGroup::zones, "all", 9)}), "");
}

void a_counter_that_began_anew_has_grown_by_all_it_has(void**) {
  assert_text(grown({counter(kServer, "a", 50, 1)}, {counter(kServer, "a", 60, 2)}), "/a=60");
  assert_text(grown({counter(kServer, "a", 50)}, {counter(kServer, "a", 3)}), "/a=3");
  assert_text(grown({counter(kServer, "a", 50, 1)}, {counter(kServer, "a", 3, 1)}), "/a=3");
}

void of_a_view_that_was_not_there_nothing_is_known(void**) {
  const std::vector<HostCounter> one{counter(kCache, "hits", 5, 1, "one")};
  const std::vector<HostCounter> both{counter(kCache, "hits", 6, 1, "one"), counter(kCache, "hits", 900, 2, "two")};
  const std::vector<HostCounter> later{counter(kCache, "hits", 6, 1, "one"), counter(kCache, "hits", 907, 2, "two")};
  assert_text(grown(one, both), "one/hits=1");
  assert_text(grown(both, later), "two/hits=7");
  assert_text(grown(later, one), "one/hits=5");
  // The server's own were not readable at first.
  assert_text(grown(one, {counter(kServer, "a", 900, 9), counter(kCache, "hits", 5, 1, "one")}), "");
}

void a_view_that_takes_anothers_cache_grows_with_it(void**) {
  assert_text(grown({counter(kCache, "hits", 500, 1, "one"), counter(kCache, "hits", 5, 2, "two")},
                    {counter(kCache, "hits", 503, 1, "one"), counter(kCache, "hits", 503, 1, "two")}),
              "one/hits=3 two/hits=3");
}

void what_is_no_counter_is_left_out_and_counted(void**) {
  HostReading made = reading({
      counter(kServer, "good", 1), counter(kServer, "good", 2),  // again
      counter(kServer, "not good", 1),                           // no name
      counter(kServer, "no\"\n", 1),                             // neither
      counter(kServer, "", 1),                                   // needs one
      counter(kServer, std::string(64, 'a').c_str(), 1),         // too long
      counter(CounterGroup::cache_nodes, "x", 1, 0, "v"),        // has no names
      counter(kCache, "hits", 1),                                // of no view
      counter(kServer, "of_a_view", 1, 0, "v"),                  // belongs to none
      counter(CounterGroup::queries, "NSAP-PTR", 1),             //
      counter(CounterGroup::cache_nodes, "", 1, 0, "v"),         //
  });
  assert_int_equal(made.counters.size(), 3);
  assert_int_equal(made.left_out, 8);
  assert_int_equal(made.counters[1].value, 1);

  HostReading many;
  for (std::size_t i = 0; i < HostReading::kMaxCounters + 5; ++i)
    many.counters.push_back(counter(kServer, ("c" + std::to_string(i)).c_str(), 1));
  many.complete();
  assert_int_equal(many.counters.size(), HostReading::kMaxCounters);
  assert_int_equal(many.left_out, 5);
}

struct Taker : Subscriber {
  std::vector<std::string> got;
  void deliver(const EncodedRef& event, Now) override { got.emplace_back(event->json()); }
  void lost(DropReason, EventType, std::uint64_t, Now) override {}
  void failed() noexcept override {}
};

constexpr Now at(std::int64_t seconds) {
  return {.mono_us = seconds * 1'000'000, .wall_us = 1'000'000};
}

struct Fixture {
  Hub hub{StreamIdentity{.epoch = "e", .host = "ns1", .service = "named"}, Now{}};
  Taker taker;
  HostInfo host;
  Metrics metrics;
  int asked = 0;
  Options options;
  HostLoad load;  // the last that was told
  HostState state{hub, host, metrics, [this](const HostLoad& told, Now) { load = told; }};

  Fixture() {
    host.version = "9.18.1";
    host.counters_wanted = [this] { ++asked; };
    taker.subscriptions.emplace_back().types.set(static_cast<std::size_t>(EventType::bind_status_update));
    taker.subscriptions.back().types.set(static_cast<std::size_t>(EventType::dns_query_stats));
    hub.add_subscriber(taker);
    state.configure(options, at(0));
  }
  ~Fixture() { hub.remove_subscriber(taker); }
  void take(std::vector<HostCounter> counters, std::int64_t seconds) {
    state.take({.taken_us = at(seconds).mono_us, .uptime_seconds = 60, .counters = std::move(counters), .left_out = 0},
               at(seconds));
  }
  [[nodiscard]] std::string summary() const {
    std::string json;
    append_json_value(json, state.summary().root());
    return json;
  }
  // What is in `data` of the last event but `back`.
  [[nodiscard]] std::string data(std::size_t back = 0) const {
    const std::string& json = taker.got.at(taker.got.size() - 1 - back);
    const std::size_t begin = json.find("\"data\":") + 7;
    return json.substr(begin, json.find(",\"metadata\":") - begin);
  }
};

void two_readings_make_both_events(void**) {
  Fixture f;
  HostCounter quota = counter(CounterGroup::quotas, "recursive_clients", 0);
  quota.limit = 1000;
  HostCounter memory = counter(CounterGroup::cache_memory, "", 7000, 4, "v");
  memory.limit = 9000;
  f.take({counter(CounterGroup::queries, "A", 10, 1), counter(CounterGroup::queries, "MX", 3, 1),
          counter(CounterGroup::responses, "NOERROR", 13, 2), counter(CounterGroup::responses, "REFUSED", 0, 2),
          counter(kCache, "query_hits", 0, 3, "v"), quota, memory},
         10);
  assert_int_equal(f.taker.got.size(), 1);
  assert_text(f.data(),
              R"({"version":"9.18.1","uptime_seconds":60,"by_rcode":{"NOERROR":13},"by_type":{"A":10,"MX":3},)"
              R"("quotas":{"recursive_clients":{"used":0,"limit":1000}},)"
              R"("cache_memory_bytes":{"used":7000,"limit":9000},)"
              R"("views":[{"view":"v","cache_memory_bytes":{"used":7000,"limit":9000}}]})");
  assert_text(f.summary(),
              R"({"version":"9.18.1","uptime_seconds":60,"quotas":{"recursive_clients":{"used":0,"limit":1000}},)"
              R"("cache_memory_bytes":{"used":7000,"limit":9000}})");

  f.take({counter(CounterGroup::queries, "A", 14, 1), counter(CounterGroup::queries, "MX", 3, 1),
          counter(CounterGroup::responses, "NOERROR", 16, 2), counter(CounterGroup::responses, "REFUSED", 1, 2),
          counter(kCache, "query_hits", 3, 3, "v"), counter(kCache, "query_misses", 1, 3, "v")},
         12);
  assert_int_equal(f.taker.got.size(), 3);
  assert_true(f.load.queries_per_second == 2.0);
  assert_int_equal(f.load.elapsed_us, 2'000'000);
  assert_contains(f.data(1), R"("qps":2.0,"qps_by_rcode":{"NOERROR":1.5,"REFUSED":0.5},"qps_by_type":{"A":2.0},)");
  assert_text(f.data(), R"({"interval_seconds":2.0,"queries":4,"responses":4,"qps":2.0,)"
                        R"("by_rcode":{"NOERROR":3,"REFUSED":1},"by_type":{"A":4},)"
                        R"("cache":{"query_hits":3,"query_misses":1},"cache_hit_ratio":0.75,)"
                        R"("views":[{"view":"v","cache":{"query_hits":3,"query_misses":1},"cache_hit_ratio":0.75}]})");
  assert_text(f.summary(), R"({"version":"9.18.1","uptime_seconds":60,"qps":2.0,)"
                           R"("qps_by_rcode":{"NOERROR":1.5,"REFUSED":0.5},"cache_hit_ratio":0.75})");
}

void the_load_is_known_until_nothing_is_asked_any_more(void**) {
  Fixture f;
  assert_true(f.state.load() == nullptr);
  const auto reading_of = [](std::uint64_t hits, std::uint64_t clients) {
    HostCounter quota = counter(CounterGroup::quotas, "recursive_clients", clients);
    quota.limit = 1000;
    return std::vector{quota,
                       counter(CounterGroup::memory, "main", 5000),
                       counter(CounterGroup::memory, "zones", 300),
                       counter(kCache, "query_hits", hits, 3, "v"),
                       counter(kCache, "query_misses", 1, 3, "v"),
                       counter(CounterGroup::cache_memory, "", 40, 4, "v"),
                       counter(CounterGroup::cache_memory, "", 40, 4, "w"),
                       counter(CounterGroup::cache_memory, "", 2, 5, "x")};
  };
  f.take(reading_of(0, 5), 10);
  assert_int_equal(*f.state.load()->recursive_clients, 5);
  assert_int_equal(f.state.load()->recursive_clients_limit, 1000);
  assert_int_equal(f.state.load()->elapsed_us, 0);
  assert_true(f.state.load()->memory_contexts ==
              (std::map<std::string, std::uint64_t>{{"caches", 42}, {"main", 5000}, {"zones", 300}}));
  assert_contains(f.data(), R"("memory_bytes":{"main":5000,"zones":300})");
  f.take(reading_of(3, 0), 12);
  assert_int_equal(*f.state.load()->recursive_clients, 0);
  assert_true(f.state.load()->cache_hit_ratio == 1.0);
  f.options.sources.named.enabled = false;
  f.state.configure(f.options, at(13));
  assert_true(f.state.load() == nullptr);
}

void answers_of_other_servers_are_told_by_their_time(void**) {
  Fixture f;
  const auto resolvers = [](std::uint64_t below_10, std::uint64_t below_100, std::uint64_t timeouts) {
    std::vector<HostCounter> counters;
    for (const char* view : {"one", "two"}) {
      const std::uint64_t life = view[0] == 'o' ? 1 : 2;
      counters.push_back(counter(CounterGroup::resolver, "rtt_below_10_ms", below_10, life, view));
      counters.push_back(counter(CounterGroup::resolver, "rtt_below_100_ms", below_100, life, view));
      counters.push_back(counter(CounterGroup::resolver, "rtt_below_500_ms", 4, life, view));
      counters.push_back(counter(CounterGroup::resolver, "rtt_above_500_ms", 0, life, view));
      counters.push_back(counter(CounterGroup::resolver, "timeouts", timeouts, life, view));
      counters.push_back(counter(CounterGroup::resolver, "rtt_below_no_ms", below_10, life, view));
    }
    return counters;
  };
  f.take(resolvers(1, 1, 1), 0);
  f.take(resolvers(3, 1, 6), 10);
  assert_true(f.load.upstream == (HostLoad::AnswerTimes{{10, 4}, {100, 0}, {500, 0}, {HostLoad::kLate, 10}}));
}

void a_shared_cache_counts_once_in_the_sum(void**) {
  Fixture f;
  const auto both = [](std::uint64_t hits, std::uint64_t other) {
    return std::vector{counter(kCache, "hits", hits, 7, "one"), counter(kCache, "hits", hits, 7, "two"),
                       counter(kCache, "hits", other, 8, "three")};
  };
  f.take(both(10, 1), 0);
  assert_contains(f.data(), R"("cache":{"hits":11},"views")");
  f.take(both(15, 3), 10);
  assert_contains(f.data(), R"("cache":{"hits":7},"views")");
}

void what_views_there_are_too_many_is_told(void**) {
  Fixture f;
  std::vector<HostCounter> counters;
  for (int i = 0; i < 70; ++i) counters.push_back(counter(kCache, "hits", 1, 0, ("v" + std::to_string(i)).c_str()));
  f.take(std::move(counters), 0);
  assert_contains(f.data(), R"("views_left_out":6)");
}

void the_host_is_asked_each_interval(void**) {
  Fixture f;
  f.options.sources.named.interval = std::chrono::seconds(5);
  f.state.configure(f.options, at(0));
  f.state.tick(at(1));
  f.state.tick(at(2));
  assert_int_equal(f.asked, 2);  // no answer yet
  f.take({}, 2);
  for (int second = 3; second <= 12; ++second) f.state.tick(at(second));
  assert_int_equal(f.asked, 4);
  f.options.sources.named.interval = std::chrono::seconds(1);
  f.state.configure(f.options, at(12));
  f.state.tick(at(13));
  f.state.tick({.mono_us = 13'999'000, .wall_us = 0});  // a tick is not quite on time
  assert_int_equal(f.asked, 6);
}

void switched_off_it_does_nothing_and_forgets(void**) {
  Fixture f;
  f.take({counter(kServer, "a", 5)}, 1);
  f.options.sources.named.enabled = false;
  f.state.configure(f.options, at(1));
  f.state.tick(at(100));
  f.take({counter(kServer, "a", 9)}, 100);
  assert_int_equal(f.asked, 0);
  assert_int_equal(f.taker.got.size(), 1);
  assert_true(f.state.summary().empty());
  assert_true(f.metrics.text(MetricsFormat::openmetrics).find("named") == std::string::npos);
  f.options.sources.named.enabled = true;
  f.state.configure(f.options, at(200));
  f.take({counter(kServer, "a", 900)}, 200);
  assert_int_equal(f.taker.got.size(), 2);
  assert_true(f.data().find("qps") == std::string::npos);
}

void metrics_are_what_was_read_last(void**) {
  Fixture f;
  HostCounter memory = counter(CounterGroup::cache_memory, "", 7000, 4, "a \"view\"");
  memory.limit = 9000;
  f.take({counter(CounterGroup::responses, "NOERROR", 13), counter(kCache, "hits", 2, 0, "a \"view\""), memory}, 1);
  const std::string text = f.metrics.text(MetricsFormat::openmetrics);
  for (const char* line : {"bindcast_named_info{version=\"9.18.1\"} 1\n", "bindcast_named_uptime_seconds 60\n",
                           "bindcast_named_responses_total{rcode=\"NOERROR\"} 13\n",
                           "bindcast_named_cache_events_total{view=\"a \\\"view\\\"\",event=\"hits\"} 2\n",
                           "bindcast_named_cache_memory_bytes{view=\"a \\\"view\\\"\"} 7000\n",
                           "bindcast_named_cache_memory_limit_bytes{view=\"a \\\"view\\\"\"} 9000\n"})
    assert_contains(text, line);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(counters_grow_by_what_was_added),
      cmocka_unit_test(gauges_do_not_grow),
      cmocka_unit_test(a_counter_that_began_anew_has_grown_by_all_it_has),
      cmocka_unit_test(of_a_view_that_was_not_there_nothing_is_known),
      cmocka_unit_test(a_view_that_takes_anothers_cache_grows_with_it),
      cmocka_unit_test(what_is_no_counter_is_left_out_and_counted),
      cmocka_unit_test(two_readings_make_both_events),
      cmocka_unit_test(the_load_is_known_until_nothing_is_asked_any_more),
      cmocka_unit_test(answers_of_other_servers_are_told_by_their_time),
      cmocka_unit_test(a_shared_cache_counts_once_in_the_sum),
      cmocka_unit_test(what_views_there_are_too_many_is_told),
      cmocka_unit_test(the_host_is_asked_each_interval),
      cmocka_unit_test(switched_off_it_does_nothing_and_forgets),
      cmocka_unit_test(metrics_are_what_was_read_last),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
