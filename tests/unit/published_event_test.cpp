// What strangers say becomes an event, or is refused by the name of its fault.
#include "harness.hpp"

#include <string>

#include "events/json.hpp"
#include "plugin/publish/published_event.hpp"

namespace {

using namespace bindcast;
using namespace std::string_literals;

// 2026-11-23T14:02:11Z
constexpr Now kNow{.mono_us = 5'000'000, .wall_us = 1'795'442'531'000'000};

PublishedEvent read(const std::string& text, PublishedForm form = PublishedForm::own, bool trusted = false) {
  std::string fault;
  const Json json = parse_published(text, fault);
  if (json) return read_published(json.get(), form, trusted, kNow);
  PublishedEvent none;
  none.refusal.emplace().message = fault;
  return none;
}

// The event as everybody sees it, after its stamps.
std::string written(const Event& event) {
  const StreamIdentity stream{.epoch = "e", .host = "ns1", .service = "named"};
  return std::string(EventWriter(stream).write(event));
}

std::string repeated(const std::string& part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += part;
  return text;
}

void every_member_arrives(void**) {
  const PublishedEvent read_event =
      read(R"({"type":"zone_imported","id":"job-7","timestamp":"2026-11-23T15:00:00+01:00",
      "priority":"high","severity":"warning","target_user_id":"ann","expires_at":"2026-11-24T00:00:00Z",
      "data":{"zone":"example.com","list":[1,2.5,true,null,{"a":"b"}]},
      "metadata":{"view":"internal","correlation_id":"c-1","trace_id":"t-1","tags":["a","b"],
                  "custom_fields":{"ticket":17}}})");
  assert_false(read_event.refusal.has_value());
  assert_text(read_event.id, "job-7");
  assert_text(
      written(read_event.event),
      R"({"id":"e-000000000000","type":"zone_imported","category":"dns","priority":"high","severity":"warning",)"
      R"("timestamp":"1970-01-01T00:00:00.000000Z",)"
      R"("data":{"zone":"example.com","list":[1,2.5,true,null,{"a":"b"}]},"target_user_id":"ann",)"
      R"("metadata":{"host":"ns1","view":"internal","correlation_id":"c-1","trace_id":"t-1","tags":["a","b"],)"
      R"("custom_fields":{"ticket":17,"publisher_id":"job-7","publisher_time":"2026-11-23T14:00:00.000000Z"}},)"
      R"("expires_at":"2026-11-24T00:00:00.000000Z"})");
}

void the_least_is_a_type(void**) {
  const PublishedEvent least = read(R"({"type":"backup_failed"})");
  assert_false(least.refusal.has_value());
  assert_true(least.event.priority == Priority::critical);  // the table's
  assert_true(least.event.severity == Severity::error);
  assert_text(least.id, "");
  const PublishedEvent custom = read(R"({"type":"custom.deploy.web-1"})");
  assert_true(custom.event.type == EventType::custom_event);
  assert_text(custom.event.custom_name, "deploy.web-1");
  assert_false(read(R"({"type":"custom_event"})").refusal.has_value());
}

void only_the_trusted_speak_for_the_server(void**) {
  for (std::size_t i = 0; i < kEventTypeCount; ++i) {
    const TypeInfo& info = type_info(static_cast<EventType>(i));
    const std::string text = R"({"type":")" + std::string(info.name) + R"("})";
    const PublishedEvent made = read(text);
    assert_int_equal(made.refusal.has_value(), info.origin != Origin::published);
    if (made.refusal) assert_true(made.refusal->because == RefusedBecause::not_permitted);
    assert_false(read(text, PublishedForm::own, true).refusal.has_value());
  }
}

struct Row {
  std::string text;
  const char* field;
  const char* message;
  PublishedForm form = PublishedForm::own;
};

std::string with(const std::string& members) {
  return R"({"type":"custom.x",)" + members + "}";
}
std::string cloud(const std::string& members) {
  return R"({"specversion":"1.0","id":"1","source":"/s","type":"bindcast.custom.x",)" + members + "}";
}

const std::string kTooDeep = repeated("{\"a\":", 13) + "1" + repeated("}", 13);
const std::string kManyValues = "[" + repeated("1,", 999) + "1]";
const std::string kLong(129, 'x');

const Row kRows[] = {
    {"", "", "not JSON: '[' or '{' expected near end of file at byte 0"},
    {"{", "", "not JSON: string or '}' expected near end of file at byte 1"},
    {"[]", "", "an event is a JSON object"},
    {R"({"type":"custom.x","type":"custom.y"})", "", "not JSON: duplicate object key near '\"type\"' at byte 25"},
    {"{\"type\":\"custom.x\",\"data\":{\"a\":\"\xff\"}}", "",
     "not JSON: unable to decode byte 0xff near '\"' at byte 32"},
    {R"({"type":"custom.x","data":{"a":1e999}})", "", "not JSON: real number overflow near '1e999' at byte 36"},
    {R"({"type":"custom.x","data":{"a":99999999999999999999}})", "",
     "not JSON: too big integer near '99999999999999999999' at byte 51"},
    {repeated("[", 17) + repeated("]", 17), "", "nested deeper than 16"},
    {repeated("{\"a\":", 100'000), "", "nested deeper than 16"},

    {"{}", "type", "type: is missing, or no text"},
    {R"({"type":7})", "type", "type: is missing, or no text"},
    {R"({"type":""})", "type", "type: is missing, or no text"},
    {R"({"type":"nonsense"})", "type", "type: unknown event type \"nonsense\"; other names are written custom.<name>"},
    {R"({"type":"custom."})", "type", "type: a custom event's name is 1 to 64 of a-z, 0-9, '_', '-' and '.'"},
    {R"({"type":"custom.Hello"})", "type", "type: a custom event's name is 1 to 64 of a-z, 0-9, '_', '-' and '.'"},
    {R"({"type":"custom.)" + std::string(65, 'x') + R"("})", "type",
     "type: a custom event's name is 1 to 64 of a-z, 0-9, '_', '-' and '.'"},
    {R"({"type":"zone_deleted"})", "type",
     "type: zone_deleted is told by the server itself; only the role admin may publish it"},
    {R"({"type":"custom.x\u0000"})", "type", "type: a custom event's name is 1 to 64 of a-z, 0-9, '_', '-' and '.'"},

    {with(R"("dta":{})"), "dta", "dta: is not known"},
    {with("\"a\x1b[31m\":1"), "", "not JSON: control character 0x1b near '\"a' at byte 21"},
    {with(R"("a\u001b[31m":1)"), "a?[31m", "a?[31m: is not known"},
    {with(R"("offset":1)"), "offset", "offset: is not known"},
    {with(R"("source_user_id":"root")"), "source_user_id", "source_user_id: is set by the server"},
    {with(R"("category":"dns")"), "category", "category: is set by the server"},
    {with(R"("metadata":{"source_service":"named"})"), "metadata.source_service",
     "metadata.source_service: is set by the server"},
    {with(R"("metadata":{"host":"ns2"})"), "metadata.host", "metadata.host: is set by the server"},
    {with(R"("metadata":{"sampled":100})"), "metadata.sampled", "metadata.sampled: is set by the server"},
    {with(R"("metadata":{"tag":[]})"), "metadata.tag", "metadata.tag: is not known"},
    {with(R"("metadata":[])"), "metadata", "metadata: must be an object"},

    {with(R"("id":7)"), "id", "id: must be a text of 1 to 128 bytes without control characters"},
    {with(R"("id":"")"), "id", "id: must be a text of 1 to 128 bytes without control characters"},
    {with("\"id\":\"" + kLong + "\""), "id", "id: must be a text of 1 to 128 bytes without control characters"},
    {with(R"("id":"a\nb")"), "id", "id: must be a text of 1 to 128 bytes without control characters"},
    {with(R"("id":"a\u0000b")"), "id", "id: must be a text of 1 to 128 bytes without control characters"},
    {with(R"("target_user_id":null)"), "target_user_id",
     "target_user_id: must be a text of 1 to 128 bytes without control characters"},
    {with("\"metadata\":{\"correlation_id\":\"" + kLong + "\"}"), "metadata.correlation_id",
     "metadata.correlation_id: must be a text of 1 to 128 bytes without control characters"},
    {with(R"("priority":"extreme")"), "priority", "priority: must be one of low, normal, high, critical, urgent"},
    {with(R"("priority":1)"), "priority", "priority: must be one of low, normal, high, critical, urgent"},
    {with(R"("severity":"Info")"), "severity", "severity: must be one of debug, info, warning, error, critical"},
    {with(R"("timestamp":1795442531)"), "timestamp",
     "timestamp: must be a time as in 2026-11-23T14:02:11.031415Z (RFC 3339)"},
    {with(R"("timestamp":"2026-02-30T00:00:00Z")"), "timestamp",
     "timestamp: must be a time as in 2026-11-23T14:02:11.031415Z (RFC 3339)"},
    {with(R"("timestamp":"2026-11-23T14:07:11.000001Z")"), "timestamp",
     "timestamp: is more than 5 minutes ahead of the server's clock"},
    {with(R"("expires_at":"2026-11-23T14:02:11Z")"), "expires_at", "expires_at: is past"},
    {with(R"("expires_at":"soon")"), "expires_at",
     "expires_at: must be a time as in 2026-11-23T14:02:11.031415Z (RFC 3339)"},
    {with(R"("metadata":{"tags":"a"})"), "metadata.tags", "metadata.tags: must be a list of at most 16 texts"},
    {with("\"metadata\":{\"tags\":[" + repeated("\"t\",", 16) + "\"t\"]}"), "metadata.tags",
     "metadata.tags: must be a list of at most 16 texts"},
    {with(R"("metadata":{"tags":["a",""]})"), "metadata.tags",
     "metadata.tags: item 1 must be a text of 1 to 64 bytes without control characters"},

    {with(R"("data":[])"), "data", "data: must be an object"},
    {with(R"("data":null)"), "data", "data: must be an object"},
    {with("\"data\":" + kTooDeep), "data", "data: nested deeper than 12"},
    {with("\"data\":{\"a\":" + kManyValues + "}"), "data", "data: too many values"},
    {with("\"data\":{\"a\":" + repeated("[1,", 4) + "1" + repeated("]", 4) +
          "},\"metadata\":{\"custom_fields\":{\"b\":[" + repeated("1,", 990) + "1]}}"),
     "metadata.custom_fields", "metadata.custom_fields: too many values"},
    {with("\"data\":{\"" + kLong + "\":1}"), "data", "data: a name is longer than 128 bytes"},
    {with(R"("metadata":{"custom_fields":{"publisher_id":"forged"}})"), "metadata.custom_fields",
     "metadata.custom_fields: publisher_id is set by the server"},
    {with(R"("metadata":{"custom_fields":7})"), "metadata.custom_fields", "metadata.custom_fields: must be an object"},

    {R"({"type":"bindcast.custom.x"})", "specversion", "specversion: must be \"1.0\"", PublishedForm::cloud_event},
    {R"({"specversion":"0.3","id":"1","source":"/s","type":"bindcast.custom.x"})", "specversion",
     "specversion: must be \"1.0\"", PublishedForm::cloud_event},
    {R"({"specversion":"1.0","source":"/s","type":"bindcast.custom.x"})", "id", "id: is missing",
     PublishedForm::cloud_event},
    {R"({"specversion":"1.0","id":"1","type":"bindcast.custom.x"})", "source", "source: is missing",
     PublishedForm::cloud_event},
    {R"({"specversion":"1.0","id":"1","source":"/s","type":"com.example.thing"})", "type",
     "type: must begin with \"bindcast.\", before one of our event types", PublishedForm::cloud_event},
    {R"({"specversion":"1.0","id":"1","source":"/s","type":"bindcast.zone_deleted"})", "type",
     "type: zone_deleted is told by the server itself; only the role admin may publish it", PublishedForm::cloud_event},
    {cloud(R"("data":"text")"), "data", "data: must be an object", PublishedForm::cloud_event},
    {cloud(R"("data_base64":"aGk=")"), "data_base64", "data_base64: is not taken; data is a JSON object",
     PublishedForm::cloud_event},
    {cloud(R"("datacontenttype":"text/xml")"), "datacontenttype", "datacontenttype: must be application/json",
     PublishedForm::cloud_event},
    {cloud(R"("Wrong_Name":1)"), "Wrong_Name",
     "Wrong_Name: is no attribute of CloudEvents 1.0: these have names of a-z and 0-9", PublishedForm::cloud_event},
    {cloud(R"("more":{})"), "more", "more: must be a text, an integer, true or false", PublishedForm::cloud_event},
    {cloud(R"("priority":"x")"), "priority", "priority: must be one of low, normal, high, critical, urgent",
     PublishedForm::cloud_event},
};

void every_fault_is_named(void**) {
  for (const Row& row : kRows) {
    const PublishedEvent made = read(row.text, row.form);
    if (!made.refusal) print_error("taken: %.200s\n", row.text.c_str());
    assert_true(made.refusal.has_value());
    assert_text(made.refusal->message, row.message);
    assert_text(made.refusal->field, row.field);
  }
}

void what_is_just_allowed(void**) {
  for (const std::string& text :
       {with("\"data\":" + repeated("{\"a\":", 12) + "1" + repeated("}", 12)),
        with("\"data\":{\"a\":[" + repeated("1,", 998) + "1]}"), with("\"data\":{\"" + std::string(128, 'n') + "\":1}"),
        with("\"id\":\"" + std::string(128, 'x') + "\""), with(R"("timestamp":"2026-11-23T14:07:11Z")"),
        with(R"("timestamp":"1999-01-01T00:00:00Z")"), with(R"("expires_at":"2026-11-23T14:02:11.000001Z")"),
        with(R"("data":{"a":"\u0000\ud83d\ude00"})"),
        with("\"metadata\":{\"tags\":[" + repeated("\"t\",", 15) + "\"t\"]}"),
        R"({"type":"custom.)" + std::string(64, 'x') + R"("})"}) {
    const PublishedEvent made = read(text);
    assert_text(made.refusal ? made.refusal->message : "", "");
  }
}

void a_cloud_event_is_the_reverse_of_what_is_delivered(void**) {
  const PublishedEvent made = read(
      R"({"specversion":"1.0","id":"7","source":"/app/1","type":"bindcast.zone_imported",)"
      R"("time":"2026-11-23T14:00:00Z",)"
      R"("datacontenttype":"application/json; charset=utf-8","subject":"internal","data":{"zone":"example.com"},)"
      R"("priority":"high","correlationid":"c","traceid":"t","targetuserid":"ann","expirytime":"2026-11-24T00:00:00Z",)"
      R"("dataschema":"urn:x","sequence":5,"final":true})",
      PublishedForm::cloud_event);
  assert_text(made.refusal ? made.refusal->message : "", "");
  assert_text(made.id, "/app/1\n7");  // source and id together are unique
  assert_contains(
      written(made.event),
      R"("data":{"zone":"example.com"},"target_user_id":"ann","metadata":{"host":"ns1","view":"internal",)"
      R"("correlation_id":"c","trace_id":"t","custom_fields":{"dataschema":"urn:x","sequence":5,"final":true,)"
      R"("publisher_id":"7","publisher_source":"/app/1","publisher_time":"2026-11-23T14:00:00.000000Z"}},)"
      R"("expires_at":"2026-11-24T00:00:00.000000Z"})");
  assert_true(made.event.priority == Priority::high);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(every_member_arrives),
      cmocka_unit_test(the_least_is_a_type),
      cmocka_unit_test(only_the_trusted_speak_for_the_server),
      cmocka_unit_test(every_fault_is_named),
      cmocka_unit_test(what_is_just_allowed),
      cmocka_unit_test(a_cloud_event_is_the_reverse_of_what_is_delivered),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
