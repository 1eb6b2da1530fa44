// Changed statements of named.conf, and that no secret is ever shown.

#include "harness.hpp"

#include "plugin/changes/configuration_diff.hpp"

namespace {

using bindcast::changed_statements;
using bindcast::read_statements;

constexpr const char* kBefore =
    "options { directory \"/var\"; recursion yes; listen-on port 53 { 127.0.0.1/32; ::1/128; }; };\n"
    "key \"ddns\" { algorithm \"hmac-sha256\"; secret \"????????\"; };\n"
    "zone \"example.com\" { type primary; file \"a.db\"; };\n"
    "view \"inside\" { zone \"x.test\" { type primary; file \"x.db\"; }; };\n"
    "plugin query \"other.so\" { password \"hunter2\"; };\n"
    "dyndb \"ldap\" \"ldap.so\" { uri \"ldap://x\"; password \"hunter2\"; };\n";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  return text.replace(text.find(from), from.size(), to);
}

void the_same_text_gives_no_change(void**) {
  assert_int_equal(changed_statements(read_statements(kBefore), read_statements(kBefore)).size(), 0);
}

void a_changed_statement_has_path_before_and_after(void**) {
  const auto changes =
      changed_statements(read_statements(kBefore), read_statements(replaced(kBefore, "recursion yes", "recursion no")));
  assert_int_equal(changes.size(), 1);
  assert_text(changes[0].path, "options.recursion");
  assert_text(changes[0].before, "yes");
  assert_text(changes[0].after, "no");
}

void nested_statements_carry_their_path(void**) {
  const auto changes = changed_statements(read_statements(kBefore), read_statements(replaced(kBefore, "x.db", "y.db")));
  assert_int_equal(changes.size(), 1);
  assert_text(changes[0].path, "view \"inside\".zone \"x.test\".file");
  assert_text(changes[0].after, "\"y.db\"");
}

void lists_are_values(void**) {
  const auto changes =
      changed_statements(read_statements(kBefore), read_statements(replaced(kBefore, "::1/128; ", "")));
  assert_int_equal(changes.size(), 1);
  assert_text(changes[0].path, "options.listen-on");
  assert_text(changes[0].before, "port 53 { 127.0.0.1/32; ::1/128; }");
}

void a_new_zone_is_told_with_empty_before(void**) {
  const auto changes = changed_statements(
      read_statements(kBefore), read_statements(std::string(kBefore) + "zone \"new.test\" { type forward; };"));
  assert_int_equal(changes.size(), 1);
  assert_text(changes[0].path, "zone \"new.test\".type");
  assert_text(changes[0].before, "");
  assert_text(changes[0].after, "forward");
}

void secrets_are_hidden_yet_their_change_is_seen(void**) {
  const auto changes =
      changed_statements(read_statements(kBefore), read_statements(replaced(kBefore, "hunter2", "hunter3")));
  assert_int_equal(changes.size(), 1);
  assert_contains(changes[0].path, "plugin");
  for (const auto& statements : {read_statements(kBefore)})
    for (const auto& [path, values] : statements)
      for (const std::string& value : values) {
        assert_true(value.find("hunter") == std::string::npos);
        assert_true(value.find('?') == std::string::npos);
      }
}

void unbalanced_text_ends_at_the_fault(void**) {
  assert_int_equal(read_statements("options { recursion yes; ").count("options.recursion"), 1);
  assert_true(read_statements("}}}} \"").empty());
  std::string deep;
  for (int i = 0; i < 10'000; ++i) deep += "view \"a\" { ";
  assert_true(read_statements(deep).size() < 100);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(the_same_text_gives_no_change),
      cmocka_unit_test(a_changed_statement_has_path_before_and_after),
      cmocka_unit_test(nested_statements_carry_their_path),
      cmocka_unit_test(lists_are_values),
      cmocka_unit_test(a_new_zone_is_told_with_empty_before),
      cmocka_unit_test(secrets_are_hidden_yet_their_change_is_seen),
      cmocka_unit_test(unbalanced_text_ends_at_the_fault),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
