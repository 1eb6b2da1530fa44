// What a client may say, however it is malformed, and the frame around what the server answers.

#include "harness.hpp"

#include "plugin/server/messages.hpp"

namespace {

using namespace bindcast;

// The reason of the refusal; empty when the text was taken.
std::string fault_of(std::string_view text) {
  ClientMessage message;
  std::string error;
  if (parse_client_message(text, message, error)) return {};
  return error.empty() ? "refused without a reason" : error;
}

std::string nested(std::size_t depth) {
  return R"({"type":"ping","data":{"x":)" + std::string(depth, '[') + std::string(depth, ']') + "}}";
}

void a_message_is_taken_apart(void**) {
  ClientMessage message;
  std::string error;
  assert_true(parse_client_message(R"({"type":"subscribe","id":"a\"1","data":{"name":"n"}})", message, error));
  assert_text(message.type, "subscribe");
  assert_text(message.id, R"("a\"1")");  // as JSON, so that it goes back as it came
  assert_text(text_member(message.data.get(), "name"), "n");
  assert_text(text_member(message.data.get(), "none"), "");

  assert_true(parse_client_message(R"({"type":"ping","id":7})", message, error));
  assert_text(message.id, "7");
  assert_true(json_is_object(message.data.get()));
  assert_true(parse_client_message(R"({"type":"ping","data":null})", message, error));
  assert_text(message.id, "");
}

void what_is_no_message_is_refused_with_a_reason(void**) {
  const std::string_view rows[] = {
      "",
      " ",
      "no json",
      "[]",
      "17",
      "\"text\"",
      "null",
      "{}",
      "{\"type\":5}",
      "{\"type\":\"\"}",
      "{\"type\":null}",
      "{\"type\":\"ping\"",
      "{\"type\":\"ping\"} {}",
      "{\"type\":\"ping\",\"type\":\"pong\"}",
      "{\"type\":\"ping\",\"data\":[]}",
      "{\"type\":\"ping\",\"data\":\"x\"}",
      "{\"type\":\"ping\",\"id\":{}}",
      "{\"type\":\"ping\",\"id\":1.5}",
      "{\"type\":\"p\xff\"}",
      "{\"type\":\"ping\",\"data\":{\"n\":1e999}}",
  };
  for (const std::string_view row : rows) assert_true(!fault_of(row).empty());
  assert_true(!fault_of(R"({"type":")" + std::string(65, 'x') + "\"}").empty());
  assert_true(!fault_of(R"({"type":"ping","id":")" + std::string(129, 'x') + "\"}").empty());
  assert_text(fault_of(R"({"type":")" + std::string(64, 'x') + R"(","id":")" + std::string(128, 'x') + "\"}"), "");
}

void depth_is_bounded_before_anything_recurses(void**) {
  assert_text(fault_of(nested(14)), "");  // 16 with the message and its data
  assert_contains(fault_of(nested(15)), "16");
  assert_contains(fault_of(nested(1'000'000)), "16");
  assert_contains(fault_of(std::string(1'000'000, '[')), "16");
  // Brackets inside a text are text, also after an escaped quote.
  assert_text(fault_of(R"({"type":"ping","data":{"x":"\"[[[[[[[[[[[[[[[[[[[[\\"}})"), "");
}

void an_answer_has_type_timestamp_and_reply_to(void**) {
  const Now now{.mono_us = 1, .wall_us = 1'795'442'531'031'415};
  Json data(json_object());
  set(data.get(), "n", std::uint64_t{3});
  assert_text(server_message("pong", now, "\"r1\"", data),
              R"({"type":"pong","timestamp":"2026-11-23T14:02:11.031415Z","reply_to":"r1","data":{"n":3}})");
  assert_text(server_message("pong", now, {}, {}), R"({"type":"pong","timestamp":"2026-11-23T14:02:11.031415Z"})");
}

void what_is_no_utf_8_still_becomes_valid_json(void**) {
  Json data(json_object());
  set(data.get(), "x",
      "a\xff\xfe"
      "b");
  set(data.get(), "nul", std::string_view("a\0b", 3));
  const std::string text = server_message("error", Now{}, {}, data);
  const Json back(json_loadb(text.data(), text.size(), JSON_ALLOW_NUL, nullptr));
  assert_non_null(back.get());
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_message_is_taken_apart),
      cmocka_unit_test(what_is_no_message_is_refused_with_a_reason),
      cmocka_unit_test(depth_is_bounded_before_anything_recurses),
      cmocka_unit_test(an_answer_has_type_timestamp_and_reply_to),
      cmocka_unit_test(what_is_no_utf_8_still_becomes_valid_json),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
