// Events as JSON: what is written is valid, in the documented order, and Jansson, the other reader and writer of JSON
// here, agrees with every value of every type of event, whatever bytes were put in.
#include "events/json.hpp"

#include <jansson.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "plugin/capture/query_event.hpp"

extern "C" {
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
}

namespace {

using namespace bindcast;

constexpr const char* kTypeTime = "2026-11-23T14:02:11.031415Z";
constexpr std::int64_t kTime_us = 1'795'442'531'031'415;

struct HostileText {
  std::string bytes;
  std::string read_as;  // after the invalid parts were replaced
};

#define REPLACED "\xEF\xBF\xBD"

const std::vector<HostileText>& hostile_texts() {
  static const std::vector<HostileText> texts = [] {
    std::string controls;
    for (int c = 0; c < 0x20; ++c) controls.push_back(static_cast<char>(c));
    const auto same = [](std::string text) { return HostileText{text, text}; };
    return std::vector<HostileText>{
        same(""),
        same("plain"),
        same("exactly8"),
        same("\"quotes\" and \\backslashes\\ and /slashes/ and </script>"),
        same(controls),
        same("after sixteen chars\n"),
        same("\x7f delete"),
        same("line\xE2\x80\xA8separators\xE2\x80\xA9 and n\xC3\xA4hbours \xE2\x80\xA7\xE2\x80\xAA"),
        same("\xF0\x9F\x92\xA1 \xF4\x8F\xBF\xBF \xED\x9F\xBF \xEE\x80\x80 \xC2\x80 \xE0\xA0\x80 \xF0\x90\x80\x80"),
        {"\xff", REPLACED},
        {"a\x80z", "a" REPLACED "z"},
        {"\xC0\xAF", REPLACED REPLACED},                            // overlong
        {"\xE0\x80\xAF", REPLACED REPLACED REPLACED},               // overlong
        {"\xED\xA0\x80", REPLACED REPLACED REPLACED},               // a surrogate
        {"\xF4\x90\x80\x80", REPLACED REPLACED REPLACED REPLACED},  // beyond Unicode
        {"\xE2\x82", REPLACED},                                     // cut off
        {"\xE2\x82x", REPLACED "x"},
        {"\xF0\x9F\x92", REPLACED},
        {"\xF0\x9F\x92\"", REPLACED "\""},
        {"12345678\xC3", "12345678" REPLACED},
        {std::string("nul\0inside", 10), std::string("nul\0inside", 10)},
    };
  }();
  return texts;
}

void append_event_json(std::string& out, const Event& event, const StreamIdentity& stream) {
  EventWriter writer(stream);
  out += writer.write(event);
}

json_t* parse(const std::string& text) {
  json_error_t error;
  json_t* value =
      json_loadb(text.data(), text.size(), JSON_ALLOW_NUL | JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
  if (value == nullptr) print_error("%s at %d in: %s\n", error.text, error.position, text.c_str());
  assert_non_null(value);
  return value;
}

json_t* text_of(const std::string& text) {
  return json_stringn(text.data(), text.size());
}

// The same tree in Jansson's hands, made from the tree itself.
json_t* to_jansson(Fields::Value value) {
  json_t* made = nullptr;
  switch (value.kind()) {
    case Fields::Kind::null:
      return json_null();
    case Fields::Kind::boolean:
      return json_boolean(value.boolean());
    case Fields::Kind::integer:
      return json_integer(value.integer());
    case Fields::Kind::real:
      return json_real(value.real());
    case Fields::Kind::text:
      return text_of(std::string(value.text()));
    case Fields::Kind::array:
      made = json_array();
      for (auto child = value.first(); child; child = child.next()) json_array_append_new(made, to_jansson(child));
      return made;
    case Fields::Kind::object:
      made = json_object();
      for (auto child = value.first(); child; child = child.next()) {
        json_object_set_new(made, std::string(child.key()).c_str(), to_jansson(child));
      }
      return made;
  }
  return made;
}

// Equal in content and in the order of members.
void assert_same(json_t* actual, json_t* expected) {
  char* actual_text = json_dumps(actual, JSON_ENCODE_ANY);
  char* expected_text = json_dumps(expected, JSON_ENCODE_ANY);
  assert_string_equal(actual_text, expected_text);
  assert_true(json_equal(actual, expected));
  free(actual_text);
  free(expected_text);
}

Event full_event(EventType type, std::size_t n) {
  Event event = make_event(type);
  event.offset = n + 1;
  event.timestamp_us = kTime_us;
  event.expires_at_us = kTime_us + 1'000'000;
  event.data.add("qname", "www.example.com").add_integer("n", static_cast<std::int64_t>(n) - 50);
  event.data.add_integer("least", std::numeric_limits<std::int64_t>::min());
  event.data.add_integer("most", std::numeric_limits<std::int64_t>::max());
  event.data.add_real("third", 1.0 / 3).add_real("whole", 5).add_real("huge", 1e300).add_real("tiny", -5e-324);
  event.data.add_boolean("yes", true).add_boolean("no", false).add_null("nothing");
  event.data.begin_object("before").add_integer("ttl", 300).begin_array("rdata").add("", "192.0.2.1").add("", "\"x\"");
  event.data.end().end();
  event.data.begin_object("empty").end().begin_array("none").end();
  event.data.begin_array("rows").begin_object("").add("a", "b").end().begin_array("").add_integer("", 1).end().end();
  event.data.add("text", hostile_texts()[n % 9].bytes);
  event.source_service = "named";
  event.source_component = "zone";
  event.view = "_default";
  event.correlation_id = "c-1";
  event.trace_id = "t-1";
  event.tags = {"one", "t\"wo"};
  event.custom_fields.add("site", "berlin").add_integer("rack", 7);
  event.source_user_id = "ann";
  event.target_user_id = "bob";
  event.sampled = 10;
  event.attempt = 3;
  return event;
}

// The event by Jansson alone, from the documented form.
json_t* expected_json(const Event& event, const StreamIdentity& stream, const char* type, const char* expires_at) {
  const std::string id = event_id(stream, event.offset);
  json_t* made = json_object();
  json_object_set_new(made, "id", text_of(id));
  json_object_set_new(made, "type", json_string(type));
  json_object_set_new(made, "category", json_string(std::string(to_text(event.category())).c_str()));
  json_object_set_new(made, "priority", json_string(std::string(to_text(event.priority)).c_str()));
  json_object_set_new(made, "severity", json_string(std::string(to_text(event.severity)).c_str()));
  json_object_set_new(made, "timestamp", json_string(kTypeTime));
  json_object_set_new(made, "data", to_jansson(event.data.root()));
  json_object_set_new(made, "source_user_id", json_string("ann"));
  json_object_set_new(made, "target_user_id", json_string("bob"));
  json_object_set_new(
      made, "metadata",
      json_pack("{ss ss ss ss ss ss s[ss] s{ss si} si si}", "source_service", "named", "source_component", "zone",
                "host", "ns1", "view", "_default", "correlation_id", "c-1", "trace_id", "t-1", "tags", "one", "t\"wo",
                "custom_fields", "site", "berlin", "rack", 7, "sampled", 10, "attempt", 3));
  json_object_set_new(made, "expires_at", json_string(expires_at));
  return made;
}

void jansson_agrees_with_every_type(void**) {
  const StreamIdentity stream{"0af3", "ns1", "named"};
  for (std::size_t i = 0; i < kEventTypeCount; ++i) {
    const auto type = static_cast<EventType>(i);
    const Event event = full_event(type, i);
    std::string out;
    append_event_json(out, event, stream);
    json_t* actual = parse(out);
    json_t* expected = expected_json(event, stream, std::string(to_text(type)).c_str(), "2026-11-23T14:02:12.031415Z");
    assert_same(actual, expected);
    json_decref(actual);
    json_decref(expected);
  }
}

void a_full_event_is_written_byte_by_byte_as_documented(void**) {
  Event event = make_event(EventType::record_updated);
  event.offset = 42;
  event.timestamp_us = kTime_us;
  event.expires_at_us = kTime_us;
  event.data.add("zone", "example.com").add_integer("ttl", 300);
  event.source_service = "named";
  event.source_component = "zone";
  event.view = "_default";
  event.correlation_id = "c";
  event.trace_id = "t";
  event.tags = {"x", "y"};
  event.custom_fields.add("k", "v");
  event.source_user_id = "ann";
  event.target_user_id = "bob";
  std::string out = "[";
  append_event_json(out, event, {"e1", "ns1", "named"});
  assert_string_equal(
      out.c_str(),
      R"([{"id":"e1-000000000042","type":"record_updated","category":"dns","priority":"normal","severity":"info",)"
      R"("timestamp":"2026-11-23T14:02:11.031415Z","data":{"zone":"example.com","ttl":300},"source_user_id":"ann",)"
      R"("target_user_id":"bob","metadata":{"source_service":"named","source_component":"zone","host":"ns1",)"
      R"("view":"_default","correlation_id":"c","trace_id":"t","tags":["x","y"],"custom_fields":{"k":"v"}},)"
      R"("expires_at":"2026-11-23T14:02:11.031415Z"})");
}

void absent_members_are_left_out(void**) {
  Event event = make_event(EventType::heartbeat);
  event.offset = 1;
  event.source_service = "named";
  std::string out;
  append_event_json(out, event, {"e", "", ""});
  assert_string_equal(out.c_str(),
                      R"({"id":"e-000000000001","type":"heartbeat","category":"connection","priority":"low",)"
                      R"("severity":"debug","timestamp":"1970-01-01T00:00:00.000000Z","data":{},)"
                      R"("metadata":{"source_service":"named"}})");
  event.source_service = "";
  out.clear();
  append_event_json(out, event, {"e", "", ""});
  json_t* value = parse(out);
  assert_int_equal(json_object_size(json_object_get(value, "metadata")), 0);
  json_decref(value);
}

void events_follow_each_other_in_one_buffer(void**) {
  const StreamIdentity stream{"e", "h", "named"};
  const Event event = full_event(EventType::dns_query_log, 1);
  std::string one, many = "[";
  append_event_json(one, event, stream);
  for (int i = 0; i < 100; ++i) {
    append_event_json(many, event, stream);
    many.push_back(i == 99 ? ']' : ',');
  }
  assert_int_equal(many.size(), 1 + 100 * (one.size() + 1));
  json_t* value = parse(many);
  assert_int_equal(json_array_size(value), 100);
  json_decref(value);
}

void custom_events_bear_their_own_name(void**) {
  Event event = make_event(EventType::custom_event);
  const auto type_text = [&] {
    std::string out;
    append_event_json(out, event, {"e", "h", "named"});
    json_t* value = parse(out);
    json_t* type = json_object_get(value, "type");
    std::string text(json_string_value(type), json_string_length(type));
    json_decref(value);
    return text;
  };
  assert_string_equal(type_text().c_str(), "custom_event");
  event.custom_name = "deploy";
  assert_string_equal(type_text().c_str(), "custom.deploy");
  event.custom_name = "a\"b\xff";
  assert_string_equal(type_text().c_str(), "custom.a\"b" REPLACED);
}

void hostile_strings_come_back_whole(void**) {
  for (const HostileText& text : hostile_texts()) {
    std::string out;
    append_json_string(out, text.bytes);
    for (const char c : out) assert_true(static_cast<unsigned char>(c) >= 0x20);
    json_t* value = parse(out);
    assert_int_equal(json_string_length(value), text.read_as.size());
    assert_memory_equal(json_string_value(value), text.read_as.data(), text.read_as.size());
    json_decref(value);
  }
}

// Every pair of bytes, at every place of a word of eight, so that no shortcut misses one.
void no_byte_escapes_the_escaping(void**) {
  for (std::size_t at = 0; at < 10; ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string text = "0123456789";
      text[at] = static_cast<char>(byte);
      std::string out;
      append_json_string(out, text);
      json_t* value = parse(out);
      const std::string read(json_string_value(value), json_string_length(value));
      json_decref(value);
      const std::string expected = byte < 0x80 ? text : text.substr(0, at) + REPLACED + text.substr(at + 1);
      assert_true(read == expected);
    }
  }
}

void line_separators_are_escaped(void**) {
  std::string out;
  append_json_string(out, "\xE2\x80\xA8\xE2\x80\xA9");
  assert_string_equal(out.c_str(), R"("\u2028\u2029")");
}

void hostile_bytes_anywhere_in_an_event_leave_it_valid(void**) {
  for (const HostileText& text : hostile_texts()) {
    Event event = make_event(EventType::custom_event);
    const std::string& bytes = text.bytes;
    event.data.add(bytes, bytes).begin_object("o" + bytes).add(bytes, bytes).end();
    event.custom_fields.add("k" + bytes, bytes);
    event.view = event.correlation_id = event.trace_id = event.custom_name = bytes;
    event.source_user_id = event.target_user_id = bytes;
    event.tags = {bytes, bytes};
    std::string out;
    append_event_json(out, event, {bytes, bytes, bytes});
    json_error_t error;
    // Keys may not hold a NUL in Jansson; everything else must be read.
    if (bytes.find('\0') != std::string::npos) continue;
    json_t* value = json_loadb(out.data(), out.size(), 0, &error);
    assert_non_null(value);
    json_t* tag = json_array_get(json_object_get(json_object_get(value, "metadata"), "tags"), 1);
    assert_string_equal(json_string_value(tag), text.read_as.c_str());
    json_decref(value);
  }
}

std::string written(const Fields& fields) {
  std::string out;
  append_json_value(out, fields.root());
  return out;
}

void numbers_are_exact_and_keep_their_kind(void**) {
  Fields fields;
  fields.begin_array("n").add_integer("", 0).add_integer("", std::numeric_limits<std::int64_t>::min());
  fields.add_real("", 0.1).add_real("", 1).add_real("", -0.0).add_real("", 1e25).add_real("", 123456.75);
  fields.add_real("", std::nan("")).add_real("", std::numeric_limits<double>::infinity());
  fields.add_real("", -std::numeric_limits<double>::infinity()).end();
  assert_string_equal(written(fields).c_str(),
                      R"({"n":[0,-9223372036854775808,0.1,1.0,-0.0,1e+25,123456.75,null,null,null]})");
  for (const double value : {1.0 / 3, 5e-324, 1.7976931348623157e308, 123456789.123, -2.5e-10}) {
    Fields one;
    one.add_real("x", value);
    json_t* read = parse(written(one));
    assert_true(json_is_real(json_object_get(read, "x")));
    assert_true(json_real_value(json_object_get(read, "x")) == value);
    json_decref(read);
  }
}

void empty_trees_are_empty_containers(void**) {
  Fields fields;
  assert_string_equal(written(fields).c_str(), "{}");
  fields.begin_array("a").end().begin_object("o").end();
  assert_string_equal(written(fields).c_str(), R"({"a":[],"o":{}})");
  std::string out;
  append_json_value(out, Fields::Value{});
  assert_string_equal(out.c_str(), "null");
}

void deep_trees_are_written(void**) {
  Fields fields;
  for (int i = 0; i < 1000; ++i) fields.begin_array("x");
  json_t* value = parse(written(fields));
  assert_true(json_is_array(json_object_get(value, "x")));
  json_decref(value);
}

void long_texts_are_written(void**) {
  std::string text(3'000'000, 'x');
  text[2'999'999] = '\n';
  std::string out;
  append_json_string(out, text);
  assert_int_equal(out.size(), text.size() + 3);
  assert_string_equal(out.c_str() + out.size() - 4, "x\\n\"");
}

// Every length, so that the end of the room falls at every place of what is written: within a plain text, on its last
// character that becomes six, and in a row of punctuation.
void no_length_overruns_the_room(void**) {
  constexpr std::size_t kLengths = 600;
  for (std::size_t size = 0; size < kLengths; ++size) {
    for (const char* end : {"", "\"", "\x01", "\xff", "\xE2\x80\xA8"}) {
      const std::string text = std::string(size, 'x') + end;
      std::string out;
      append_json_string(out, text);
      json_t* read = parse(out);
      const bool broken = *end == '\xff';
      assert_string_equal(json_string_value(read), broken ? (std::string(size, 'x') + REPLACED).c_str() : text.c_str());
      json_decref(read);

      Fields fields;
      fields.add(text, text).begin_array("a").add({}, text).end().add_integer(std::string(size, 'k') + end, -1);
      out = "before";
      append_json_value(out, fields.root());
      read = json_loadb(out.data() + 6, out.size() - 6, 0, nullptr);
      assert_non_null(read);
      assert_string_equal(json_string_value(json_array_get(json_object_get(read, "a"), 0)),
                          broken ? (std::string(size, 'x') + REPLACED).c_str() : text.c_str());
      json_decref(read);
    }
    Fields fields;
    fields.begin_array("a");
    std::string expected = R"({"a":[)";
    for (std::size_t i = 0; i < size; ++i) {
      fields.begin_array({}).end();
      expected += i == 0 ? "[]" : ",[]";
    }
    assert_string_equal(written(fields).c_str(), (expected + "]}").c_str());
  }
  Fields deep;
  for (int i = 0; i < 62; ++i) deep.begin_array({});
  deep.add_integer({}, std::numeric_limits<std::int64_t>::min());
  assert_string_equal(written(deep).c_str(),
                      (R"({"":)" + std::string(62, '[') + "-9223372036854775808" + std::string(62, ']') + "}").c_str());
}

void keys_that_need_escapes_are_escaped(void**) {
  Fields fields;
  fields.add("say \"hi\"", "x").add_integer("tab\t", 1).begin_object("\\").add_boolean("b\xff", true).end();
  fields.add_integer("plain"_key, 2).add("12345678\n", "y").add_null("").add("a/b", "\"");
  assert_string_equal(written(fields).c_str(), R"({"say \"hi\"":"x","tab\t":1,"\\":{"b)" REPLACED
                                               R"(":true},"plain":2,"12345678\n":"y","":null,"a/b":"\""})");
}

// One writer for all, and all orders of two, so that nothing of an event gets into the next one.
void a_writer_forgets_the_event_before(void**) {
  const StreamIdentity stream{"e\"1", "ns1", "named"};
  std::vector<Event> events;
  for (const EventType type : {EventType::dns_query_log, EventType::zone_updated, EventType::custom_event})
    events.push_back(full_event(type, 7));
  events.push_back(make_event(EventType::dns_query_log));
  const auto variant = [&](auto change) { change(events.emplace_back(full_event(EventType::dns_query_log, 3))); };
  variant([](Event& event) { event.priority = Priority::urgent; });
  variant([](Event& event) { event.severity = Severity::critical; });
  variant([](Event& event) { event.source_service = "proxy"; });
  variant([](Event& event) { event.source_component = {}; });
  variant([](Event& event) { event.timestamp_us = -1; });
  variant([](Event& event) { event.offset = 1'000'000'000'000; });
  variant([](Event& event) { event.data.add("long", std::string(100'000, '\n')); });
  for (const char* name : {"", "deploy", "deplay"})
    events.emplace_back(make_event(EventType::custom_event)).custom_name = name;

  EventWriter writer(stream);
  for (const Event& first : events) {
    for (const Event& second : events) {
      static_cast<void>(writer.write(first));
      std::string alone;
      append_event_json(alone, second, stream);
      assert_true(writer.write(second) == alone);
    }
  }
}

void a_used_event_becomes_the_next_query_whole(void**) {
  constexpr std::uint8_t kLong[] = "\3www\x0a\"quoted\".x\7example\3com";
  constexpr std::uint8_t kShort[] = "\1a";
  QueryView rich;
  rich.fixed = QueryRecord{};
  rich.fixed.edns_version = 0;
  rich.fixed.client_family = rich.fixed.ecs_family = 6;
  rich.fixed.flags = 0xffff;
  rich.fixed.qtype = rich.fixed.qclass = rich.fixed.rcode = 0xffff;
  rich.fixed.has_ede = rich.fixed.has_rpz = true;
  rich.fixed.ecs_source = 56;
  rich.qname = rich.tsig_key = rich.policy_zone = rich.rule = kLong;
  rich.view = "a \"view\"";
  QueryView poor;
  poor.fixed = QueryRecord{};
  poor.fixed.edns_version = -1;
  poor.fixed.client_family = 4;
  poor.fixed.qtype = poor.fixed.qclass = 1;
  poor.qname = kShort;

  Event event;
  write_query_event(event, EventType::dns_query_failed, rich, {}, {});
  assert_string_equal(
      written(event.data).c_str(),
      R"({"client":"::","client_port":0,"transport":"udp","qname":"www.\\\"quoted\\\"\\.x.example.com",)"
      R"("qtype":"TYPE65535","qclass":"CLASS65535","rcode":"RCODE65535","flags":["qr","aa","tc","rd","ra","ad","cd"],)"
      R"("answers":0,"authority":0,"additional":0,"latency_us":0,"view":"a \"view\"",)"
      R"("edns":{"version":0,"udp_size":0,"do":false},"ecs":"::/56",)"
      R"("tsig_key":"www.\\\"quoted\\\"\\.x.example.com","recursive":false,"authoritative":true,"cached":false,"ede":0,)"
      R"("rpz":{"policy_zone":"www.\\\"quoted\\\"\\.x.example.com","trigger":"qname",)"
      R"("rule":"www.\\\"quoted\\\"\\.x.example.com","action":"nxdomain"}})");
  write_query_event(event, EventType::dns_query_log, poor, {}, {});
  assert_string_equal(
      written(event.data).c_str(),
      R"({"client":"0.0.0.0","client_port":0,"transport":"udp","qname":"a","qtype":"A","qclass":"IN",)"
      R"("rcode":"NOERROR","flags":[],"answers":0,"authority":0,"additional":0,"latency_us":0,"view":"",)"
      R"("recursive":false,"authoritative":false,"cached":false})");
}

void timestamps_follow_each_other(void**) {
  TimestampWriter writer;
  const std::int64_t times[] = {
      999'999,  // the second that a new writer knows, then the next
      1'000'000,
      0,
      -1,
      -1'000'000,
      -1'000'001,
      kTime_us,
      kTime_us + 1,
      kTime_us - 1,
      1'798'761'599'999'999,  // the end of 2026
      1'798'761'600'000'000,
      1'798'761'659'999'999,  // and of a minute
      1'798'761'660'000'000,
      std::numeric_limits<std::int64_t>::max(),
      std::numeric_limits<std::int64_t>::min(),
      std::numeric_limits<std::int64_t>::min() + 1,
      std::numeric_limits<std::int64_t>::max(),
      -62'135'596'800'000'001,
  };
  for (const std::int64_t first : times) {
    for (const std::int64_t second : times) {
      for (const std::int64_t time : {first, second}) {
        std::string expected, actual(kTimestampBytes, '?');
        append_timestamp(expected, time);
        writer.write(actual.data(), time);
        assert_string_equal(actual.c_str(), expected.c_str());
      }
    }
  }
}

void timestamps_follow_rfc_3339(void**) {
  struct Row {
    std::int64_t unix_us;
    const char* text;
  };
  const Row rows[] = {
      {0, "1970-01-01T00:00:00.000000Z"},
      {kTime_us, kTypeTime},
      {-1, "1969-12-31T23:59:59.999999Z"},
      {951'782'400'000'000, "2000-02-29T00:00:00.000000Z"},
      {4'107'542'399'999'999, "2100-02-28T23:59:59.999999Z"},
      {4'107'542'400'000'000, "2100-03-01T00:00:00.000000Z"},
      {-62'135'596'800'000'000, "0001-01-01T00:00:00.000000Z"},
      {std::numeric_limits<std::int64_t>::max(), "9999-12-31T23:59:59.999999Z"},
      {std::numeric_limits<std::int64_t>::min(), "0000-01-01T00:00:00.000000Z"},
  };
  for (const Row& row : rows) {
    std::string out = "@";
    append_timestamp(out, row.unix_us);
    assert_string_equal(out.c_str() + 1, row.text);
    const auto read = timestamp_from(row.text);
    assert_true(read.has_value());
    if (row.unix_us != std::numeric_limits<std::int64_t>::max() &&
        row.unix_us != std::numeric_limits<std::int64_t>::min()) {
      assert_true(*read == row.unix_us);
    }
  }
}

void timestamps_are_read_with_any_offset(void**) {
  struct Row {
    const char* text;
    std::int64_t unix_us;
  };
  const Row rows[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"1970-01-01t00:00:00z", 0},
      {"1970-01-01 00:00:01Z", 1'000'000},
      {"1970-01-01T01:00:00+01:00", 0},
      {"1969-12-31T19:30:00-04:30", 0},
      {"1970-01-01T00:00:00.5Z", 500'000},
      {"1970-01-01T00:00:00.123456789Z", 123'456},
      {"2016-12-31T23:59:60Z", 1'483'228'800'000'000},
  };
  for (const Row& row : rows) {
    const auto read = timestamp_from(row.text);
    assert_true(read.has_value());
    assert_true(*read == row.unix_us);
  }
  for (const char* wrong :
       {"", "now", "2026-11-23", "2026-11-23T14:02:11", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00+24:00", "26-01-01T00:00:00Z",
        "2026-01-01X00:00:00Z", "2026-1-01T00:00:00Z", "+026-01-01T00:00:00Z"}) {
    assert_false(timestamp_from(wrong).has_value());
  }
}

void ids_sort_in_the_order_of_emission(void**) {
  const StreamIdentity stream{"abc", "h", "named"};
  assert_string_equal(event_id(stream, 1).c_str(), "abc-000000000001");
  assert_string_equal(event_id(stream, 999'999'999'999).c_str(), "abc-999999999999");
  assert_string_equal(event_id(stream, std::numeric_limits<std::uint64_t>::max()).c_str(), "abc-18446744073709551615");
  assert_true(event_id(stream, 9) < event_id(stream, 10));
  assert_true(event_id(stream, 99'999) < event_id(stream, 100'000));
}

void an_event_knows_its_size_and_its_defaults(void**) {
  Event event = make_event(EventType::malware_blocked);
  assert_true(event.priority == Priority::critical);
  assert_true(event.severity == Severity::critical);
  assert_true(event.category() == Category::security);
  const std::size_t before = event.bytes();
  assert_true(before >= sizeof(Event));
  event.data.add("x", std::string(5000, 'x'));
  assert_true(event.bytes() >= before + 5000);
  event.tags.push_back(std::string(3000, 'y'));
  event.view = std::string(2000, 'z');
  assert_true(event.bytes() >= before + 10'000);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(jansson_agrees_with_every_type),
      cmocka_unit_test(a_full_event_is_written_byte_by_byte_as_documented),
      cmocka_unit_test(absent_members_are_left_out),
      cmocka_unit_test(events_follow_each_other_in_one_buffer),
      cmocka_unit_test(custom_events_bear_their_own_name),
      cmocka_unit_test(hostile_strings_come_back_whole),
      cmocka_unit_test(no_byte_escapes_the_escaping),
      cmocka_unit_test(line_separators_are_escaped),
      cmocka_unit_test(hostile_bytes_anywhere_in_an_event_leave_it_valid),
      cmocka_unit_test(numbers_are_exact_and_keep_their_kind),
      cmocka_unit_test(empty_trees_are_empty_containers),
      cmocka_unit_test(deep_trees_are_written),
      cmocka_unit_test(long_texts_are_written),
      cmocka_unit_test(no_length_overruns_the_room),
      cmocka_unit_test(keys_that_need_escapes_are_escaped),
      cmocka_unit_test(a_writer_forgets_the_event_before),
      cmocka_unit_test(a_used_event_becomes_the_next_query_whole),
      cmocka_unit_test(timestamps_follow_each_other),
      cmocka_unit_test(timestamps_follow_rfc_3339),
      cmocka_unit_test(timestamps_are_read_with_any_offset),
      cmocka_unit_test(ids_sort_in_the_order_of_emission),
      cmocka_unit_test(an_event_knows_its_size_and_its_defaults),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
