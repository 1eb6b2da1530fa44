// The event table: names lead to types and back, and the table says of each type what subscribers rely on.
#include "events/type.hpp"

#include <set>
#include <string>

extern "C" {
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
}

namespace {

using namespace bindcast;

void every_type_is_found_by_its_name(void**) {
  assert_int_equal(kEventTypeCount, 103);
  for (std::size_t i = 0; i < kEventTypeCount; ++i) {
    const auto type = static_cast<EventType>(i);
    const auto found = type_from(to_text(type));
    assert_true(found.has_value());
    assert_true(*found == type);
    assert_true(type_info(type).name == to_text(type));
    assert_false(type_info(type).when.empty());
  }
}

void only_exact_names_are_types(void**) {
  const char* const wrong[] = {
      "",     " ",    "Zone_Created", "zone_create",   "zone_created ", "zone_createdx", "custom",         "custom.foo",
      "aaaa", "zzzz", "api_call_mad", "zone_updated_", "dns",           "zone",          "dns_query_log\n"};
  for (const char* name : wrong) assert_false(type_from(name).has_value());
  assert_false(type_from(std::string_view("heartbeat\0", 10)).has_value());
}

void rows_say_what_the_table_says(void**) {
  struct Row {
    EventType type;
    const char* name;
    Category category;
    Priority priority;
    Severity severity;
    Class klass;
    Audience audience;
    Origin origin;
  };
  const Row rows[] = {
      {EventType::health_update, "health_update", Category::health, Priority::normal, Severity::info, Class::live,
       Audience::all, Origin::runtime},
      {EventType::dns_query_log, "dns_query_log", Category::dns, Priority::low, Severity::info, Class::live,
       Audience::all, Origin::named},
      {EventType::malware_blocked, "malware_blocked", Category::security, Priority::critical, Severity::critical,
       Class::durable, Audience::all, Origin::named},
      {EventType::security_alert, "security_alert", Category::security, Priority::urgent, Severity::critical,
       Class::durable, Audience::all, Origin::runtime},
      {EventType::update_denied, "update_denied", Category::security, Priority::high, Severity::warning, Class::durable,
       Audience::all, Origin::log},
      {EventType::bind_config_change, "bind_config_change", Category::dns, Priority::high, Severity::info,
       Class::durable, Audience::admin, Origin::named},
      {EventType::heartbeat, "heartbeat", Category::connection, Priority::low, Severity::debug, Class::live,
       Audience::all, Origin::runtime},
      {EventType::custom_event, "custom_event", Category::custom, Priority::normal, Severity::info, Class::durable,
       Audience::all, Origin::published},
  };
  for (const Row& row : rows) {
    const TypeInfo& info = type_info(row.type);
    assert_true(info.name == row.name);
    assert_true(info.category == row.category);
    assert_true(info.priority == row.priority);
    assert_true(info.severity == row.severity);
    assert_true(info.klass == row.klass);
    assert_true(info.audience == row.audience);
    assert_true(info.origin == row.origin);
  }
}

// A type that asks for attention must reach the journal, or an outage would hide it.
void pressing_types_of_security_are_durable(void**) {
  for (std::size_t i = 0; i < kEventTypeCount; ++i) {
    const TypeInfo& info = type_info(static_cast<EventType>(i));
    if (info.category == Category::security && info.priority >= Priority::high) {
      assert_true(info.klass == Class::durable);
    }
  }
}

template <typename Enum, typename From>
void assert_round_trip(std::size_t count, From from) {
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view name = to_text(static_cast<Enum>(i));
    assert_false(name.empty());
    const auto found = from(name);
    assert_true(found.has_value());
    assert_int_equal(static_cast<std::size_t>(*found), i);
    seen.insert(name);
  }
  assert_int_equal(seen.size(), count);
  assert_false(from("").has_value());
  assert_false(from("Normal").has_value());
  assert_false(from("none").has_value());
}

void vocabularies_read_what_they_write(void**) {
  assert_round_trip<Category>(kCategoryCount, category_from);
  assert_round_trip<Priority>(kPriorityCount, priority_from);
  assert_round_trip<Severity>(kSeverityCount, severity_from);
  assert_true(to_text(Category::bulk_operation) == "bulk_operation");
  assert_true(*category_from("audit") == Category::audit);
  assert_true(*priority_from("urgent") == Priority::urgent);
  assert_true(*severity_from("warning") == Severity::warning);
}

void ranks_are_ordered(void**) {
  assert_true(Priority::low < Priority::normal && Priority::normal < Priority::high);
  assert_true(Priority::high < Priority::critical && Priority::critical < Priority::urgent);
  assert_true(Severity::debug < Severity::info && Severity::info < Severity::warning);
  assert_true(Severity::warning < Severity::error && Severity::error < Severity::critical);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(every_type_is_found_by_its_name),   cmocka_unit_test(only_exact_names_are_types),
      cmocka_unit_test(rows_say_what_the_table_says),      cmocka_unit_test(pressing_types_of_security_are_durable),
      cmocka_unit_test(vocabularies_read_what_they_write), cmocka_unit_test(ranks_are_ordered),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
