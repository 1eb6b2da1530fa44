// The pure parts of bindcast, the command line tool: what is safe for a terminal, an event as a line, where the server
// is, what top works out.

#include <cstdlib>
#include <ctime>

#include "events/type.hpp"
#include "harness.hpp"
#include "plugin/json_parse.hpp"
#include "tool/event_line.hpp"
#include "tool/failure.hpp"
#include "tool/json_slices.hpp"
#include "tool/safe_text.hpp"
#include "tool/server_address.hpp"
#include "tool/top_model.hpp"
#include "tool/top_screen.hpp"

using namespace bindcast;
using namespace bindcast::tool;

namespace {

Json parsed(std::string_view text) {
  json_error_t fault;
  Json json = parse_json(text, JSON_ALLOW_NUL | JSON_DECODE_ANY, fault);
  if (!json) print_error("%s: %s\n", std::string(text).c_str(), fault.text);
  return json;
}

// No byte that a terminal could take for more than a letter, and no character that hides or turns others.
bool is_safe(std::string_view text) {
  for (const unsigned char c : text)
    if (c < 0x20 || c == 0x7f) return false;
  for (const std::string_view bad :
       {"\xc2\x9b", "\xc2\x85", "\u202e", "\u2066", "\u200b", "\u2028", "\ufeff", "\u061c"})
    if (text.find(bad) != text.npos) return false;
  return true;
}

void what_is_safe_stays(void**) {
  for (const std::string_view text : {"", "www.example.com", "a \\027 b", "Grüße, 世界 \U0001f600", "\u00a0\u00ae"}) {
    assert_text(safe_text(text), text);
    assert_text(safe_json(text), text);
  }
}

void what_is_not_is_written_out(void**) {
  const struct {
    std::string_view text, shown;
  } kRows[] = {
      {"\x1b[31m", "\\x1b[31m"},
      {std::string_view("a\0b\n\t\r", 6), "a\\x00b\\x0a\\x09\\x0d"},
      {"\x7f", "\\x7f"},
      {"\xc2\x9b"
       "31m",
       "\\x9b31m"},  // C1: CSI in one character
      {"\xc2\x90\xc2\x9c", "\\x90\\x9c"},
      {"\u202egpj", "\\u{202e}gpj"},
      {"a\u2066b\u2069", "a\\u{2066}b\\u{2069}"},
      {"\u200b\u2028\ufeff", "\\u{200b}\\u{2028}\\u{feff}"},
      {"\U000e0041", "\\u{e0041}"},
      {"\xff\xc3", "\\xff\\xc3"},           // no UTF-8
      {"\xc0\x9b", "\\xc0\\x9b"},           // overlong ESC
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},  // half of a surrogate pair
      {"\xe2\x80", "\\xe2\\x80"},           // cut off
  };
  for (const auto& row : kRows) {
    assert_text(safe_text(row.text), row.shown);
    assert_true(is_safe(safe_text(row.text)));
    assert_true(is_safe(safe_json(row.text)));
  }
}

void every_byte_and_pair_of_bytes_is_safe(void**) {
  for (int first = 0; first < 256; ++first)
    for (int second = 0; second < 256; ++second) {
      const char bytes[] = {static_cast<char>(first), static_cast<char>(second)};
      const std::string shown = safe_text({bytes, 2}) + safe_json({bytes, 2});
      if (!is_safe(shown)) print_error("%02x %02x\n", first, second);
      assert_true(is_safe(shown));
    }
}

void what_is_long_is_cut(void**) {
  const std::string text = safe_text(std::string(100000, 'a'), 100);
  assert_int_equal(text.size(), 103);
  assert_text(text.substr(98), "aa...");
  assert_text(safe_text("äöü", 4), "äö...");  // whole characters
}

void safe_json_means_the_same(void**) {
  const std::string_view json = "{\"a\":\"\xc2\x9b \u202e \U000e0041 \x7f\",\n\t\"b\": [1,\r\n2]}";
  const std::string safe = safe_json(json);
  assert_true(is_safe(safe));
  assert_true(json_equal(parsed(json).get(), parsed(safe).get()));
}

void slices_are_the_bytes_that_came(void**) {
  const auto events = list_members(
      R"({"type":"batched_events", "x": {"events":[9]}, "n":1,"s":"],}\"", "events" : [ {"a":"]}\\"} ,{"b":[{}, []]},3,true, "s\"," ],"after":[1]})",
      "events");
  const std::vector<std::string_view> expected = {R"({"a":"]}\\"})", R"({"b":[{}, []]})", "3", "true", R"("s\",")"};
  assert_int_equal(events.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) assert_text(events[i], expected[i]);
  for (const std::string_view none :
       {"", "{}", "[]", "3", R"({"events":{}})", R"({"events":[]})", R"({"events":)", "{\"events"})
    assert_int_equal(list_members(none, "events").size(), 0);
}

// ── Lines ────────────────────────────────────────────────────────────────────────────────────────────────────────────

std::string line_of(std::string_view type, std::string_view data, std::string_view metadata = "{}") {
  const std::string event = R"({"id":"1-2","type":")" + std::string(type) +
                            R"(","severity":"info","timestamp":"2026-11-23T14:02:11.031415Z","data":)" +
                            std::string(data) + R"(,"metadata":)" + std::string(metadata) + "}";
  return event_line(parsed(event).get(), {});
}

void each_kind_has_its_line(void**) {
  const struct {
    std::string_view type, data, essentials;
  } kRows[] = {
      {"dns_query_log",
       R"({"client":"192.0.2.1","client_port":5,"transport":"udp","qname":"www.example.com","qtype":"A","rcode":"NOERROR","latency_us":1250,"cached":true})",
       "192.0.2.1 www.example.com A NOERROR 1.2 ms cached"},
      {"dns_query_log",
       R"({"client":"::1","transport":"tls","qname":"a","qtype":"A","dropped":true,"rpz":{"policy_zone":"rpz","action":"drop"}})",
       "::1 a A dropped tls rewritten by rpz: drop"},
      {"dns_query_failed", R"({"client":"::1","transport":"udp","qname":"a","qtype":"MX","rcode":"SERVFAIL","ede":22})",
       "::1 a MX SERVFAIL ede=22"},
      {"dns_query_batch",
       R"({"qname":"a","qtype":"A","rcode":"NXDOMAIN","count":12,"clients":3,"latency_us":{"min":1,"mean":400,"max":9}})",
       "a A NXDOMAIN x12 from 3 clients 0.4 ms"},
      {"malware_blocked",
       R"({"client":"192.0.2.1","qname":"bad.test","qtype":"A","rcode":"NXDOMAIN","policy_zone":"rpz","rule":"bad.test.rpz","trigger":"qname","action":"nxdomain","count":3})",
       "192.0.2.1 bad.test A -> nxdomain by rpz, rule bad.test.rpz (qname) x3"},
      {"record_created",
       R"({"name":"www","rtype":"A","after":{"ttl":60,"rdata":["192.0.2.1","192.0.2.2"]},"cause":"update"})",
       "www A: + 60 192.0.2.1,192.0.2.2 (update)"},
      {"record_updated",
       R"({"name":"www","rtype":"A","before":{"ttl":300,"rdata":["192.0.2.1"]},"after":{"ttl":60,"rdata":["192.0.2.2"]}})",
       "www A: 300 192.0.2.1 -> 60 192.0.2.2"},
      {"record_deleted", R"({"name":"www","rtype":"A","before":{"ttl":300,"rdata":["192.0.2.1"]}})",
       "www A: - 300 192.0.2.1"},
      {"record_bulk_operation",
       R"({"zone":"z","rrsets":1000,"by_operation":{"created":990,"updated":0,"deleted":10},"serial":{"from":1,"to":2},"cause":"transfer"})",
       "z: 1000 RRsets: 990 created, 10 deleted, serial 1->2 (transfer)"},
      {"zone_updated",
       R"({"zone":"z","zone_type":"primary","serial":{"from":1,"to":2},"records":{"added":3,"removed":0},"cause":"reload"})",
       "z primary, serial 1->2, records +3 -0 (reload)"},
      {"zone_deleted", R"({"zone":"z","zone_type":"primary","serial":7,"cause":"delzone"})",
       "z primary, serial 7 (delzone)"},
      {"rpz_update", R"({"policy_zone":"rpz","serial":{"from":1,"to":2},"rules":{"added":1,"updated":0,"removed":2}})",
       "rpz, serial 1->2, rules: 1 added, 2 removed"},
      {"rpz_rule_updated",
       R"({"policy_zone":"rpz","rule":"bad.test.rpz","before":{"action":"nxdomain"},"after":{"action":"passthru"}})",
       "rpz bad.test.rpz: nxdomain -> passthru"},
      {"bind_reload", R"({"cause":"reload","outcome":"succeeded","duration_ms":12,"zones":3})",
       "succeeded (reload) in 12 ms, 3 zones"},
      {"config_change", R"({"changes":[{"path":"a.b","before":"1","after":"2"}]})", "a.b: 1 -> 2"},
      {"service_stopped", R"({"version":"0.1.0","host":"named","host_version":"9.18","pid":5,"uptime_seconds":9})",
       "bindcast 0.1.0 in named 9.18, pid 5, up 9 s"},
      {"backup_failed", R"({"target":"nas","nested":{"a":1,"b":[true,null]},"empty":"","many":[1,2,3,4,5,6,7,8,9,10]})",
       "target=nas nested.a=1 nested.b=true,null many=1,2,3,4,5,6,7,8,... (10)"},
      {"custom.mine", "{}", ""},
  };
  for (const auto& row : kRows) {
    std::string type(row.type);
    type.resize(std::max<std::size_t>(type.size(), 22), ' ');
    assert_text(line_of(row.type, row.data), "14:02:11.031 " + type + " " + std::string(row.essentials));
  }
  assert_contains(line_of("custom.x", "{}", R"({"view":"internal","sampled":10,"attempt":2})"),
                  "[view internal] [1 of 10] [sent again, attempt 2]");
}

void forms_are_for_types_that_exist(void**) {
  for (const std::string_view type : types_with_own_form()) {
    if (!type_from(type)) print_error("%s\n", std::string(type).c_str());
    assert_true(type_from(type).has_value());
  }
}

// Whatever a field holds, of whatever kind it is.
void no_data_makes_an_unsafe_or_endless_line(void**) {
  std::string evil = R"("\u001b[31m\u009b\u202e\u0000\n)" + std::string(5000, 'x') + '"';
  const std::string kValues[] = {evil,
                                 "null",
                                 "-3",
                                 "1e300",
                                 "[]",
                                 "{}",
                                 "[" + evil + "]",
                                 R"({"from":)" + evil + "}",
                                 R"({"\u001b\u202e":)" + evil + "}",
                                 "[[[[" + evil + "]]]]"};
  const char* const kKeys[] = {"client",  "qname",        "qtype",  "rcode",   "latency_us", "transport", "rpz",
                               "count",   "clients",      "action", "rule",    "before",     "after",     "serial",
                               "records", "rules",        "cause",  "changes", "zone",       "reason",    "name",
                               "rtype",   "by_operation", "roles",  "\\u009b", "view",       "ede"};
  std::vector<std::string_view> types = types_with_own_form();
  types.push_back("custom.x");
  for (const std::string& value : kValues) {
    std::string data, list;
    for (const char* key : kKeys) data += (data.empty() ? "{\"" : ",\"") + std::string(key) + "\":" + value;
    data += "}";
    for (const std::string_view type : types)
      for (const std::string& tried : {data, value}) {
        const std::string line = line_of(type, tried, tried);
        assert_true(is_safe(line));
        assert_in_range(line.size(), 1, 12000);
      }
  }
  const std::string event = R"({"type":)" + evil + R"(,"severity":)" + evil + R"(,"timestamp":)" + evil + "}";
  assert_true(is_safe(event_line(parsed(event).get(), {})));
  assert_true(is_safe(gap_line(parsed(event).get(), {})));
  assert_true(is_safe(event_line(parsed("{}").get(), {})));
}

void gaps_tell_what_was_missed(void**) {
  const auto gap = parsed(
      R"({"type":"gap","timestamp":"2026-11-23T14:02:11.031415Z","data":{"reason":"queue_overflow","count":5,"by_type":{"dns_query_log":5}}})");
  assert_text(gap_line(gap.get(), {}),
              "14:02:11.031 gap                    5 events missed: queue_overflow (5 dns_query_log)");
}

void colours_follow_the_severity(void**) {
  const Palette palette{.colours = true};
  assert_text(palette.painted("x", "critical"), "\x1b[1;31mx\x1b[0m");
  assert_text(palette.painted("x", "unheard of"), "x");
  assert_text(Palette{}.painted("x", "critical"), "x");
}

// ── Where the server is ──────────────────────────────────────────────────────────────────────────────────────────────

void addresses(void**) {
  const struct {
    std::string_view url, host, authority, prefix;
    int port;
    bool encrypted, local;
  } kRows[] = {
      {"ws://127.0.0.1:8353", "127.0.0.1", "127.0.0.1:8353", "", 8353, false, true},
      {"ws://ns1.example/ws", "ns1.example", "ns1.example:8353", "", 8353, false, false},
      {"wss://ns1.example:443/bindcast/ws", "ns1.example", "ns1.example:443", "/bindcast", 443, true, false},
      {"https://[2001:db8::1]:443/", "2001:db8::1", "[2001:db8::1]:443", "", 443, true, false},
      {"http://[::1]", "::1", "[::1]:8353", "", 8353, false, true},
  };
  for (const auto& row : kRows) {
    const ServerAddress address = parse_server_address(row.url);
    assert_text(address.host, row.host);
    assert_text(address.authority, row.authority);
    assert_text(address.prefix, row.prefix);
    assert_int_equal(address.port, row.port);
    assert_int_equal(address.encrypted, row.encrypted);
    assert_int_equal(address.is_local(), row.local);
  }
  assert_text(parse_server_address("unix:/run/named/bindcast").unix_path, "/run/named/bindcast");
  for (const std::string_view wrong :
       {"", "host", "host:8353", "ftp://host", "ws://", "ws://:1", "ws://host:0", "ws://host:65536", "ws://host:x",
        "ws://[::1", "unix:", "unix:relative", "ws://host/?token=secret", "ws://ann:secret@host", "ws://ho st",
        "ws://host\r\nX: y"}) {
    bool refused = false;
    try {
      (void)parse_server_address(wrong);
    } catch (const Failure& failure) {
      refused =
          failure.code == Exit::usage && std::string_view(failure.what()).find("secret") == std::string_view::npos;
    }
    if (!refused) print_error("%s\n", std::string(wrong).c_str());
    assert_true(refused);
  }
}

// ── top ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

void take(TopModel& model, std::string_view type, std::string_view data, std::string_view metadata = "{}") {
  model.take_event(parsed(R"({"type":")" + std::string(type) + R"(","data":)" + std::string(data) + R"(,"metadata":)" +
                          std::string(metadata) + "}")
                       .get());
}

constexpr std::string_view kQuery =
    R"({"client":"192.0.2.1","qname":"www.example.com","qtype":"A","rcode":"NOERROR","latency_us":1000})";
constexpr std::string_view kFailed =
    R"({"client":"192.0.2.2","qname":"x","qtype":"A","rcode":"SERVFAIL","latency_us":9000})";

void top_counts_what_events_stand_for(void**) {
  TopModel model;
  take(model, "dns_query_log", kQuery);
  take(model, "dns_query_log", kFailed, R"({"sampled":10})");
  take(model, "dns_query_batch",
       R"({"qname":"www.example.com","qtype":"A","rcode":"NOERROR","count":5,"queries":9,"clients":2})");
  model.take_gap(
      parsed(R"({"type":"gap","data":{"reason":"queue_overflow","count":4,"by_type":{"dns_query_log":4}}})").get());
  model.take_gap(parsed(R"({"type":"gap","data":{"reason":"sampled","count":9,"by_type":{"dns_query_log":9}}})").get());
  assert_true(model.queries_now() == 0);  // the second is not over
  model.end_second();
  assert_true(model.queries_now() == 1 + 10 + 9 + 4);
  assert_int_equal(model.missed_ever(), 4);
  assert_int_equal(model.received_now(), 3);
  const auto names = model.names(5);
  assert_int_equal(names.size(), 2);
  assert_text(names[0].first, "www.example.com");
  assert_true(names[0].second == 10);
  assert_text(model.clients(1)[0].first, "192.0.2.2");
  assert_true(model.rcodes()[0].second == 0.5);
  assert_true(model.latency_us(50) == 1000);
  assert_true(model.latency_us(99) == 9000);

  for (std::size_t i = 0; i < TopModel::kWindowSeconds; ++i) model.end_second();
  assert_true(model.queries_per_second() == 0);
  assert_int_equal(model.names(5).size(), 0);
  assert_true(model.latency_us(99) == 0);
}

void top_counts_an_alert_once(void**) {
  TopModel model;
  constexpr std::string_view kHit = R"({"client":"192.0.2.1","qname":"bad","qtype":"A","count":3})";
  take(model, "malware_blocked", kHit);
  take(model, "malware_blocked", kHit, R"({"attempt":2})");
  model.end_second();
  assert_true(model.blocked_ever() == 3);
  assert_int_equal(model.notes().size(), 1);
}

void top_is_bounded(void**) {
  TopModel model;
  for (std::size_t i = 0; i < TopModel::kMostNames + 10; ++i)
    take(model, "dns_query_log", R"({"qname":"n)" + std::to_string(i) + R"(","rcode":"NOERROR"})");
  for (int i = 0; i < 100; ++i) model.note("note");
  model.end_second();
  assert_int_equal(model.names(1'000'000).size(), TopModel::kMostNames);
  assert_true(model.queries_now() == TopModel::kMostNames + 10);
  assert_int_equal(model.notes().size(), TopModel::kMostNotes);
}

void top_fits_every_screen(void**) {
  TopModel model;
  const std::string evil =
      R"({"client":"\u001b[2J","qname":"\u009b\u202e)" + std::string(900, 'x') + R"(ü","rcode":"\u0007"})";
  for (int i = 0; i < 30; ++i)
    take(model, "dns_query_log", R"({"client":"c)" + std::to_string(i) + R"(","qname":"n","rcode":"r"})");
  take(model, "dns_query_log", evil);
  take(model, "malware_blocked", evil);
  model.end_second();
  const auto status =
      parsed(R"({"service":"named","host":"\u001b[31mns1","connections":3,"alerts":{"open":1},)"
             R"("named":{"qps":120.44,"cache_hit_ratio":0.743,"uptime_seconds":93784,"version":"9.18\u009b"},)"
             R"("health":{"state":"degraded","components":{"a":{"state":"healthy"},)"
             R"("\u001b[2J":{"state":"degraded","reason":"\u202e"}}}})");
  const TopHead head{.status = status.get(), .time = "12:34:56", .trouble = "", .sample = 10};
  for (const auto& [width, height] : {std::pair{80, 24}, {40, 1}, {40, 5}, {200, 60}, {81, 9}}) {
    const auto lines = top_screen(model, head, static_cast<std::size_t>(width), static_cast<std::size_t>(height));
    assert_in_range(lines.size(), 1, height);
    for (const std::string& line : lines) {
      assert_true(is_safe(line));
      std::size_t characters = 0;
      for (const char c : line) characters += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
      assert_in_range(characters, 0, width);
    }
  }
  const auto screen = top_screen(model, head, 200, 24);
  assert_text(screen.back(), "q quits");
  assert_text(screen[5], R"(named      120.4 queries/s, 74.3 % from the cache, up 1 d 2:03:04, version 9.18\x9b)");
  assert_text(screen[6], R"(health     degraded: \x1b[2J degraded (\u{202e}))");
  assert_true(is_safe(top_line(model, head)));
}

}  // namespace

int main() {
  setenv("TZ", "UTC", 1);
  tzset();
  const CMUnitTest tests[] = {
      cmocka_unit_test(what_is_safe_stays),
      cmocka_unit_test(what_is_not_is_written_out),
      cmocka_unit_test(every_byte_and_pair_of_bytes_is_safe),
      cmocka_unit_test(what_is_long_is_cut),
      cmocka_unit_test(safe_json_means_the_same),
      cmocka_unit_test(slices_are_the_bytes_that_came),
      cmocka_unit_test(each_kind_has_its_line),
      cmocka_unit_test(forms_are_for_types_that_exist),
      cmocka_unit_test(no_data_makes_an_unsafe_or_endless_line),
      cmocka_unit_test(gaps_tell_what_was_missed),
      cmocka_unit_test(colours_follow_the_severity),
      cmocka_unit_test(addresses),
      cmocka_unit_test(top_counts_what_events_stand_for),
      cmocka_unit_test(top_counts_an_alert_once),
      cmocka_unit_test(top_is_bounded),
      cmocka_unit_test(top_fits_every_screen),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
