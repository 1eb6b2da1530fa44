// The filter language: what each expression says of one well-known event, what is refused and in which column.
#include "events/filter.hpp"

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>
#include <utility>

extern "C" {
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
}

namespace {

std::atomic<std::size_t> allocations{0};

}  // namespace

#pragma GCC diagnostic ignored "-Wmismatched-new-delete"  // inlined, the pair below looks mismatched

// Counts, so that a test can hold evaluation to its promise not to allocate.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace {

using namespace bindcast;

const StreamIdentity kStream{"e1", "ns1.example.net", "named"};

struct Row {
  const char* expression;
  bool matches;
};

// A query event with a field of every kind.
Event query() {
  Event event = make_event(EventType::dns_query_log);
  event.offset = 42;
  event.timestamp_us = 1'795'442'531'031'415;  // 2026-11-23T14:02:11.031415Z
  event.source_service = "named";
  event.source_component = "query";
  event.view = "internal";
  event.correlation_id = "c-7";
  event.tags = {"night", "lab"};
  event.custom_fields.add("site", "berlin").add_integer("rack", 7).add("a.b", "dotted").add("x-y", "dashed");
  event.source_user_id = "ann";
  event.data.add("client", "10.1.2.3").add("ecs", "2001:db8:1::/56").add("qname", "www.Example.COM");
  event.data.add("qtype", "A").add("rcode", "SERVFAIL").add_integer("latency_us", 6000).add_real("load", 0.5);
  event.data.add_boolean("recursive", true).add_boolean("cached", false).add_null("tsig_key").add_integer("zero", 0);
  event.data.begin_array("flags").add("", "RD").add("", "AD").end().begin_array("none").end();
  event.data.begin_object("edns").add_integer("udp_size", 1232).add_boolean("do", true).end();
  event.data.begin_array("changes").begin_object("").add("path", "options.recursion").end();
  event.data.begin_object("").add("path", "logging").add_integer("n", 3).end().end();
  event.data.add("view", "other")
      .add("file", "/var/log/x")
      .add("resolver", "2001:db8::53")
      .add("text", "say \"hi\" \\");
  return event;
}

bool compile(std::string_view expression, Filter& out) {
  Filter::Error error;
  if (Filter::compile(expression, out, error)) return true;
  print_error("%.*s\n  column %zu: %s\n", static_cast<int>(expression.size()), expression.data(), error.column,
              error.message.c_str());
  return false;
}

void assert_row(const Event& event, const Row& row) {
  Filter filter;
  assert_true(compile(row.expression, filter));
  if (filter.matches(event, kStream) != row.matches) fail_msg("%s: expected %d", row.expression, row.matches);
}

template <std::size_t count>
void assert_rows(const Event& event, const Row (&rows)[count]) {
  for (const Row& row : rows) assert_row(event, row);
}

void blank_matches_everything(void**) {
  const Event event = query();
  Filter filter;
  assert_true(filter.matches_everything());
  assert_true(filter.matches(event, kStream));
  assert_string_equal(filter.expression().c_str(), "");
  for (const char* blank : {"", " ", "\t\r\n "}) {
    assert_true(compile("type = \"heartbeat\"", filter));
    assert_false(filter.matches_everything());
    assert_true(compile(blank, filter));
    assert_true(filter.matches_everything());
    assert_true(filter.matches(event, kStream));
  }
}

void the_documented_example(void**) {
  const char* const expression =
      "category = \"security\" or (type = \"dns_query_log\" and rcode in (\"SERVFAIL\",\"REFUSED\")\n"
      "  and qname under \"example.com\" and client in \"10.0.0.0/8\" and latency_us > 5000)";
  assert_row(query(), {expression, true});
  Event quick = query();
  quick.data.clear();
  quick.data.add("client", "10.1.2.3").add("qname", "example.com").add("rcode", "SERVFAIL");
  quick.data.add_integer("latency_us", 5000);
  assert_row(quick, {expression, false});
  assert_row(make_event(EventType::malware_blocked), {expression, true});
}

void envelope_fields(void**) {
  const Row rows[] = {
      {"id = 'e1-000000000042'", true},
      {"id > 'e1-000000000041'", true},
      {"id > 'e1-000000000042'", false},
      {"type = 'dns_query_log'", true},
      {"type = 'zone_created'", false},
      {"type != 'zone_created'", true},
      {"type != 'dns_query_log'", false},
      {"type in ('zone_created','dns_query_log')", true},
      {"type not in ('zone_created','zone_deleted')", true},
      {"type ~ 'dns_*'", true},
      {"type ~ 'ZONE_*'", false},
      {"category = 'dns'", true},
      {"category in ('security','audit')", false},
      {"view = 'internal'", true},
      {"view = 'Internal'", false},
      {"view = 'other'", false},
      {"data.view = 'other'", true},
      {"metadata.view = 'internal'", true},
      {"host = 'ns1.example.net'", true},
      {"host under 'example.net'", true},
      {"metadata.host ~ 'ns?.*'", true},
      {"source_service = 'named'", true},
      {"source_component != 'zone'", true},
      {"correlation_id = 'c-7'", true},
      {"trace_id = 't'", false},
      {"has trace_id", false},
      {"source_user_id in ('bob','ann')", true},
      {"has target_user_id", false},
      {"tags = 'lab'", true},
      {"tags = 'day'", false},
      {"tags in ('day','night')", true},
      {"tags not in ('day','night')", false},
      {"tags != 'day'", true},
      {"tags ~ 'NI*'", true},
      {"custom_fields.site = 'berlin'", true},
      {"metadata.custom_fields.rack >= 7", true},
      {"custom_fields.a.b = 'dotted'", true},
      {"custom_fields.x-y = 'dashed'", true},
      {"has custom_fields", true},
      {"has custom_fields.nothing", false},
      {"has data", true},
      {"has type and has priority and has id and has timestamp", true},
      {"has sampled", false},
      {"sampled > 1", false},
  };
  assert_rows(query(), rows);
  Event sampled = query();
  sampled.sampled = 10;
  assert_row(sampled, {"sampled = 10 and has sampled and sampled in (5, 10) and sampled < 10.5", true});
  assert_row(make_event(EventType::heartbeat), {"has data or has custom_fields or has tags or has view", false});
}

void ranks(void**) {
  Event event = make_event(EventType::security_alert);  // urgent, critical
  event.priority = Priority::high;
  event.severity = Severity::warning;
  const Row rows[] = {
      {"priority = 'high'", true},
      {"priority >= 'high'", true},
      {"priority > 'high'", false},
      {"priority > 'normal'", true},
      {"priority < 'urgent'", true},
      {"priority <= 'critical'", true},
      {"priority < 'critical' and priority > 'low'", true},
      {"priority != 'low'", true},
      {"priority in ('low','high')", true},
      {"priority not in ('low','high')", false},
      {"severity >= 'warning'", true},
      {"severity < 'error'", true},
      {"severity > 'debug' and severity != 'info'", true},
      {"severity <= 'info'", false},
      {"severity ~ 'warn*'", true},
  };
  assert_rows(event, rows);
}

void times(void**) {
  Event event = query();
  const Row rows[] = {
      {"timestamp > '2026-11-23T14:02:11Z'", true},
      {"timestamp >= '2026-11-23T14:02:11.031415Z'", true},
      {"timestamp = '2026-11-23T15:02:11.031415+01:00'", true},
      {"timestamp < '2026-11-23T14:02:11.031415Z'", false},
      {"timestamp < '2027-01-01T00:00:00Z' and timestamp != '2027-01-01T00:00:00Z'", true},
      {"timestamp in ('2026-11-23T14:02:11.031415Z')", true},
      {"expires_at > '2000-01-01T00:00:00Z'", false},
      {"has expires_at", false},
  };
  assert_rows(event, rows);
  event.expires_at_us = event.timestamp_us;
  assert_row(event, {"has expires_at and expires_at > '2000-01-01T00:00:00Z'", true});
}

void data_fields(void**) {
  const Row rows[] = {
      {"rcode = 'SERVFAIL'", true},
      {"rcode = \"SERVFAIL\"", true},
      {"rcode = 'servfail'", false},
      {"data.rcode = 'SERVFAIL'", true},
      {"rcode != 'NOERROR'", true},
      {"rcode > 'NOERROR'", true},
      {"latency_us = 6000", true},
      {"latency_us = 6000.0", true},
      {"latency_us != 6000", false},
      {"latency_us >= 6000 and latency_us <= 6000", true},
      {"latency_us < 6000.5", true},
      {"latency_us > -1", true},
      {"latency_us in (1, 2, 6000)", true},
      {"latency_us not in (1, 2)", true},
      {"zero = 0 and zero > -1 and zero < 1e3", true},
      {"load = 0.5", true},
      {"load = 5e-1", true},
      {"load > 0", true},
      {"recursive = true", true},
      {"recursive != true", false},
      {"cached = false", true},
      {"cached in (true, false)", true},
      {"edns.udp_size > 512", true},
      {"data.edns.do = true", true},
      {"text = 'say \"hi\" \\\\'", true},
      {"text = \"say \\\"hi\\\" \\\\\"", true},
      {"file = '/var/log/x'", true},
      {"file ~ '/var/*'", true},
  };
  assert_rows(query(), rows);
}

void kinds_that_differ_are_never_equal(void**) {
  const Row rows[] = {
      {"latency_us = '6000'", false}, {"latency_us != '6000'", true}, {"rcode = 2", false},     {"rcode > 2", false},
      {"recursive = 1", false},       {"recursive = 'true'", false},  {"edns = 'x'", false},    {"edns != 'x'", true},
      {"latency_us ~ '6*'", false},   {"latency_us under ''", false}, {"recursive > 0", false},
  };
  assert_rows(query(), rows);
}

void names_compare_as_names(void**) {
  const Row rows[] = {
      {"qname = 'WWW.example.com'", true},
      {"qname = 'www.example.com.'", true},
      {"qname != 'www.example.com.'", false},
      {"qname in ('a.', 'www.EXAMPLE.com.')", true},
      {"qname = 'example.com'", false},
      {"qname under 'EXAMPLE.com'", true},
      {"qname under 'www.example.com'", true},
      {"qname under 'ample.com'", false},
      {"qname under '.'", true},
      {"qname under 'org'", false},
      {"not qname under 'org'", true},
      {"qname ~ '*.EXAMPLE.*'", true},
      {"qname ~ '*.org'", false},
  };
  assert_rows(query(), rows);
  Event event = make_event(EventType::record_created);
  event.data.add("zone", "Example.org").add("name", "A.Example.org").add("policy_zone", "RPZ").add("rule", "x.rpz");
  assert_row(event,
             {"zone = 'example.ORG.' and name = 'a.example.org' and policy_zone = 'rpz.' and rule = 'X.rpz'", true});
  // A reverse zone for less than an octet (RFC 2317) has a slash and is no network.
  event.data.clear();
  event.data.add("zone", "0/25.2.0.192.in-addr.arpa");
  assert_row(event, {"zone in ('0/25.2.0.192.in-addr.arpa.')", true});
}

void addresses_and_networks(void**) {
  const Row rows[] = {
      {"client in '10.0.0.0/8'", true},
      {"client in ('192.0.2.0/24', '10.1.2.0/30')", true},
      {"client in '10.1.2.0/31'", false},
      {"client in '10.1.2.3/32'", true},
      {"client in '0.0.0.0/0'", true},
      {"client in '10.1.2.255/24'", true},
      {"client not in '10.0.0.0/8'", false},
      {"client not in '11.0.0.0/8'", true},
      {"client in '10.1.2.3'", true},
      {"client in ('10.1.2.4')", false},
      {"client = '10.1.2.3'", true},
      {"client in '::/0'", false},
      {"client in ('fe80::/10', '10.1.0.0/16')", true},
      {"ecs in '2001:db8::/32'", true},
      {"ecs in '2001:DB8:1::/56'", true},
      {"ecs in '2001:db8:1::/57'", false},
      {"ecs in '2001:db8:1::1'", false},
      {"ecs in '10.0.0.0/8'", false},
      {"resolver in '2001:0db8:0:0::53'", true},
      {"resolver in '2001:db8::50/124'", true},
      {"resolver in '2001:db8::60/124'", false},
      {"resolver in '2001:db8::52/127'", true},
      {"resolver in '::/1'", true},
      {"resolver in '8000::/1'", false},
      {"rcode in '10.0.0.0/8'", false},
      {"flags in ('10.0.0.0/8')", false},
  };
  assert_rows(query(), rows);
}

void arrays_match_by_any_element(void**) {
  const Row rows[] = {
      {"flags = 'RD'", true},
      {"flags = 'AD'", true},
      {"flags = 'CD'", false},
      {"flags in ('CD','AD')", true},
      {"flags ~ 'R*'", true},
      {"flags != 'CD'", true},
      {"flags != 'RD'", false},
      {"flags not in ('CD')", true},
      {"flags not in ('CD','RD')", false},
      {"has flags", true},
      {"has none", true},
      {"none = 'RD'", false},
      {"none != 'RD'", true},
      {"changes.path = 'logging'", true},
      {"changes.path = 'options'", false},
      {"changes.path ~ 'options.*'", true},
      {"changes.n = 3", true},
      {"has changes.n", true},
      {"has changes.m", false},
      {"changes = 'x'", false},
  };
  assert_rows(query(), rows);
}

void missing_fields_make_comparisons_false(void**) {
  const Row rows[] = {
      {"nothing = 1", false},        {"nothing != 1", false},
      {"nothing < 1", false},        {"nothing in (1)", false},
      {"nothing not in (1)", false}, {"nothing under '.'", false},
      {"nothing ~ '*'", false},      {"has nothing", false},
      {"not (nothing = 1)", true},   {"not nothing != 1", true},
      {"not has nothing", true},     {"edns.nothing != 1", false},
      {"rcode.x != 1", false},       {"tsig_key = 'x'", false},
      {"tsig_key != 'x'", false},    {"has tsig_key", false},
      {"trace_id != 'x'", false},    {"expires_at != '2000-01-01T00:00:00Z'", false},
      {"has qname", true},           {"has edns", true},
      {"has edns.do", true},         {"has zero", true},
      {"has cached", true},          {"data.id = 1", false},
  };
  assert_rows(query(), rows);
}

void custom_types(void**) {
  Event event = make_event(EventType::custom_event);
  event.custom_name = "deploy";
  const Row rows[] = {
      {"type = 'custom.deploy'", true},
      {"type = 'custom.other'", false},
      {"type = 'custom.Deploy'", false},
      {"type != 'custom.deploy'", false},
      {"type != 'custom.other'", true},
      {"type in ('heartbeat', 'custom.deploy')", true},
      {"type not in ('heartbeat', 'custom.deploy')", false},
      {"type = 'custom_event'", true},
      {"type ~ 'custom.d*'", true},
      {"type ~ 'custom.x*'", false},
      {"type = 'heartbeat'", false},
  };
  assert_rows(event, rows);
  event.custom_name.clear();
  assert_row(event, {"type = 'custom_event'", true});
  assert_row(event, {"type = 'custom.deploy'", false});
}

// T and F are true and false of the event; every rule of precedence must show.
void precedence(void**) {
  const auto expand = [](std::string text) {
    for (std::size_t at = 0; (at = text.find_first_of("TF", at)) != std::string::npos;) {
      const std::string term = text[at] == 'T' ? "zero = 0" : "zero = 1";
      text.replace(at, 1, term);
      at += term.size();
    }
    return text;
  };
  const Row rows[] = {
      {"T", true},
      {"F", false},
      {"T and T", true},
      {"T and F", false},
      {"F and T", false},
      {"F or T", true},
      {"F or F", false},
      {"T or F and F", true},
      {"(T or F) and F", false},
      {"F and F or T", true},
      {"F and (F or T)", false},
      {"T or T and F", true},
      {"F and T or T and T", true},
      {"F and T or T and F", false},
      {"not F", true},
      {"not T or T", true},
      {"not (T or T)", false},
      {"not T and F", false},
      {"not (T and F)", true},
      {"not not T", true},
      {"not not not T", false},
      {"not F and not F", true},
      {"T and not F and T", true},
      {"F or F or F or T", true},
      {"T and T and T and F", false},
      {"((((T))))", true},
      {"(F or (T and (F or T)))", true},
      {"not (F or not (T and not F))", true},
      {"F or not T or not (F and T)", true},
      {"(T and F) or (F or T) and not (T and F)", true},
  };
  const Event event = query();
  for (const Row& row : rows) assert_row(event, {expand(row.expression).c_str(), row.matches});
}

void spelling_is_free(void**) {
  const Row rows[] = {
      {"zero=0 AND NOT zero=1", true},
      {"zero = 0 And recursive = TRUE", true},
      {"qname UNDER 'example.com' Or zero = 1", true},
      {"\n\tzero\r\n=\n0\n", true},
      {"(zero=0)and(zero=0)", true},
      {"rcode NOT IN('A','B')", true},
      {"HAS qname", true},
  };
  assert_rows(query(), rows);
}

struct ErrorRow {
  std::string expression;
  std::size_t column;
  const char* message;  // a part of it
};

void assert_refused(const ErrorRow& row) {
  Filter filter;
  assert_true(compile("type = 'heartbeat'", filter));
  Filter::Error error;
  if (Filter::compile(row.expression, filter, error)) fail_msg("accepted: %s", row.expression.c_str());
  if (error.column != row.column || error.message.find(row.message) == std::string::npos) {
    fail_msg("%s\n  column %zu: %s\n  expected column %zu: %s", row.expression.c_str(), error.column,
             error.message.c_str(), row.column, row.message);
  }
  // What was there before is untouched.
  assert_string_equal(filter.expression().c_str(), "type = 'heartbeat'");
}

void errors_name_the_column_and_what_is_allowed(void**) {
  const ErrorRow rows[] = {
      // vocabularies
      {"type = \"no_such\"", 8, "unknown type \"no_such\"; the nearest known one is"},
      {"type = 'zone_create'", 8, "\"zone_created\""},
      {"type in ('heartbeat', 'dns_query_lag')", 23, "\"dns_query_log\""},
      {"type = 'custom.'", 8, "unknown type"},
      {"priority = 'higher'", 12, "unknown priority \"higher\"; one of low, normal, high, critical, urgent"},
      {"a = 1 and severity >= 'fatal'", 23, "unknown severity \"fatal\"; one of debug, info, warning, error, critical"},
      {"category = 'DNS'", 12, "one of health, dns, security"},
      {"priority > 3", 12, "priority is compared with a text"},
      {"type = true", 8, "type is compared with a text"},
      {"type > 'heartbeat'", 6, "type can be compared by = != ~ in, not in"},
      {"category under 'dns'", 10, "category can be compared by"},
      {"priority under 'low'", 10, "priority can be compared by"},
      // times
      {"timestamp > 'yesterday'", 13, "not an RFC 3339 time"},
      {"timestamp > 5", 13, "timestamp is compared with a text"},
      {"timestamp ~ '2026*'", 11, "timestamp can be compared by"},
      {"expires_at < '2026-02-30T00:00:00Z'", 14, "not an RFC 3339 time"},
      // other kinds
      {"view = 5", 8, "view is compared with a text"},
      {"tags in ('a', true)", 15, "tags is compared with a text"},
      {"sampled = 'x'", 11, "compared with a number"},
      {"sampled ~ 'x'", 9, "sampled can be compared by"},
      {"qname under 5", 13, "under is compared with a text"},
      {"qname ~ true", 9, "~ is compared with a text"},
      {"cached > true", 10, "true and false are compared by"},
      // networks
      {"client in '10.0.0.0/33'", 11, "is not a network"},
      {"client in ('10.0.0.0/8', 'nonsense/8')", 26, "\"nonsense/8\" is not a network"},
      {"client in '10.0.0/8'", 11, "is not a network"},
      {"client in '::/129'", 11, "is not a network"},
      {"client in '10.0.0.0/'", 11, "is not a network"},
      {"client in '10.0.0.0/-1'", 11, "is not a network"},
      {"client in '10.0.0.0/8/8'", 11, "is not a network"},
      {"client in '1:2:3:4:5:6:7:8:9/64'", 11, "is not a network"},
      // fields
      {"metadata.foo = 1", 1, "metadata has no member \"foo\"; one of view, host"},
      {"metadata = 1", 1, "metadata has no member"},
      {"metadata.type = 'x'", 1, "metadata has no member"},
      {"type.x = 1", 1, "type has no members"},
      {"a..b = 1", 3, "between two dots"},
      {"a. = 1", 2, "after the dot"},
      {"and = 1", 1, "expected a field"},
      {"has and", 5, "expected a field after has, found \"and\""},
      {"has 'x'", 5, "expected a field after has, found the text \"x\""},
      {"5 = a", 1, "expected a field, not, has or \"(\", found a number"},
      // grammar
      {"a", 2, "expected one of = != < <= > >= ~ in, not in, under, found the end"},
      {"a =", 4, "expected a text in quotes, a number, true or false, found the end"},
      {"a = b", 5, "\"b\" is not a value; a text stands between quotes"},
      {"a = (1)", 5, "expected a text in quotes"},
      {"a = 1 b = 2", 7, "expected and, or, or the end of the expression, found \"b\""},
      {"a = 1 and", 10, "found the end"},
      {"a = 1 or or b = 2", 10, "found \"or\""},
      {"not", 4, "found the end"},
      {"(a = 1", 7, "\")\" for the \"(\" in column 1"},
      {"a = 1)", 6, "no \"(\" before it"},
      {"()", 2, "expected a field"},
      {"a not = 1", 7, "expected in after not"},
      {"a in", 5, "found the end"},
      {"a in ()", 7, "expected a text in quotes"},
      {"a in (1", 8, "\",\" or \")\" in the list"},
      {"a in (1 2)", 9, "\",\" or \")\" in the list"},
      {"a in (1,)", 9, "expected a text in quotes"},
      {"a has b", 3, "expected one of ="},
      // tokens
      {"a == 1", 3, "equality is written ="},
      {"a ! 1", 3, "write != or not"},
      {"a = 1 && b = 1", 7, "write and"},
      {"a = 1 || b = 1", 7, "write or"},
      {"a = 'x", 5, "no closing quote"},
      {"a = \"x\\", 7, "backslash"},
      {"a = 'x\\ny'", 7, "a backslash in a text must stand before a quote or a backslash"},
      {"a = 12ab", 5, "\"12ab\" is not a number"},
      {"a = 10.0.0.1", 5, "is not a number; a text stands between quotes"},
      {"a = -", 5, "is not a number"},
      {"a = 1.e", 5, "is not a number"},
      {"a = 99999999999999999999", 5, "too large"},
      {"a = 1e999", 5, "too large"},
      {"a # 1", 3, "unexpected character \"#\""},
      {"a = 1;", 6, "unexpected character \";\""},
      {std::string("a = 1\0", 6), 6, "unexpected character \"\\x00\""},
      {"\xc3\xa4 = 1", 1, "unexpected character \"\\xc3\""},
      // the first fault from the left is the one that is told
      {"a = and 'unclosed", 5, "\"and\" is not a value"},
  };
  for (const ErrorRow& row : rows) assert_refused(row);
}

void messages_show_hostile_text_safely(void**) {
  Filter filter;
  Filter::Error error;
  assert_false(Filter::compile("type = '" + std::string(5000, 'x') + "\n\xff'", filter, error));
  assert_int_equal(error.column, 8);
  assert_true(error.message.size() < 200);
  assert_false(Filter::compile("type = 'a\x1b[31m'", filter, error));
  assert_true(error.message.find('\x1b') == std::string::npos);
  assert_true(error.message.find("\\x1b") != std::string::npos);
}

std::string repeated(std::string_view part, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += part;
  return out;
}

void depth_is_bounded(void**) {
  constexpr std::size_t kMax = Filter::kMaxDepth;
  assert_row(query(), {(repeated("(", kMax) + "zero = 0" + repeated(")", kMax)).c_str(), true});
  assert_refused({repeated("(", kMax + 1) + "zero = 0" + repeated(")", kMax + 1), kMax + 1, "nested deeper than 64"});
  assert_row(query(), {(repeated("not ", kMax) + "zero = 0").c_str(), true});
  assert_refused({repeated("not ", kMax + 1) + "zero = 0", 4 * kMax + 1, "nested deeper than 64"});
  assert_refused({repeated("(", 8192), kMax + 1, "nested deeper than 64"});
  assert_refused({repeated("not(", 2048), 2 * kMax + 1, "nested deeper than 64"});
  // Depth is what is open at once, not what was opened.
  assert_row(query(), {(repeated("(zero = 0) and ", 200) + "not zero = 1").c_str(), true});
  // A path as deep as the expression is long meets a tree that is not.
  assert_row(query(), {(repeated("edns.", 1500) + "do = true").c_str(), false});
}

void size_is_bounded(void**) {
  const std::string start = "zero = 0";
  std::string longest = start + std::string(Filter::kMaxExpressionBytes - start.size(), ' ');
  assert_row(query(), {longest.c_str(), true});
  longest.push_back(' ');
  assert_refused({longest, 8193, "longer than 8192 bytes"});
}

void terms_are_bounded(void**) {
  const std::string most = repeated("a=1 or ", Filter::kMaxTerms - 1);
  assert_row(query(), {(most + "zero=0").c_str(), true});
  assert_refused({most + "a=1 or a=1", most.size() + 8, "more than 1024 comparisons"});
}

void filters_are_copied_and_moved(void**) {
  const Event event = query();
  Filter first;
  assert_true(compile("rcode = 'SERVFAIL'", first));
  const Filter second = first;
  Filter third = std::move(first);
  assert_true(compile("rcode = 'NOERROR'", first));
  assert_false(first.matches(event, kStream));
  assert_true(second.matches(event, kStream));
  assert_true(third.matches(event, kStream));
  assert_string_equal(second.expression().c_str(), "rcode = 'SERVFAIL'");
  third = first;
  assert_false(third.matches(event, kStream));
}

void evaluation_does_not_allocate(void**) {
  const Event event = query();
  Filter filter;
  assert_true(
      compile("category = 'security' or priority > 'low' or not (type = 'dns_query_log' and "
              "rcode in ('SERVFAIL','REFUSED') and qname under 'example.com' and "
              "client in ('192.0.2.0/24', '10.0.0.0/8', 'fe80::/10') and latency_us > 5000 and "
              "qname ~ '*.example.*' and flags = 'AD' and view = 'internal' and tags != 'day' and "
              "timestamp > '2026-01-01T00:00:00Z' and edns.udp_size >= 512 and "
              "ecs in '2001:db8::/32' and has custom_fields.site and not has nothing)",
              filter));
  const std::size_t before = allocations;
  const bool matched = filter.matches(event, kStream);
  const std::size_t after = allocations;
  assert_false(matched);
  assert_int_equal(after - before, 0);
  // The counter does count.
  assert_true(compile("id = 'some id that is long enough for the heap'", filter));
  assert_true(allocations > after);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(blank_matches_everything),
      cmocka_unit_test(the_documented_example),
      cmocka_unit_test(envelope_fields),
      cmocka_unit_test(ranks),
      cmocka_unit_test(times),
      cmocka_unit_test(data_fields),
      cmocka_unit_test(kinds_that_differ_are_never_equal),
      cmocka_unit_test(names_compare_as_names),
      cmocka_unit_test(addresses_and_networks),
      cmocka_unit_test(arrays_match_by_any_element),
      cmocka_unit_test(missing_fields_make_comparisons_false),
      cmocka_unit_test(custom_types),
      cmocka_unit_test(precedence),
      cmocka_unit_test(spelling_is_free),
      cmocka_unit_test(errors_name_the_column_and_what_is_allowed),
      cmocka_unit_test(messages_show_hostile_text_safely),
      cmocka_unit_test(depth_is_bounded),
      cmocka_unit_test(size_is_bounded),
      cmocka_unit_test(terms_are_bounded),
      cmocka_unit_test(filters_are_copied_and_moved),
      cmocka_unit_test(evaluation_does_not_allocate),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
