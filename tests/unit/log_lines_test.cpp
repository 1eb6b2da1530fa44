// Lines of named's log as events: what a real named wrote (named_log_lines.txt), and what nobody should write.

#include "harness.hpp"

#include <fstream>
#include <set>
#include <vector>

#include "events/json.hpp"
#include "plugin/sources/named_log/log_channel.hpp"
#include "plugin/sources/named_log/log_events.hpp"

namespace {

using namespace bindcast;

constexpr Now kNow{.mono_us = 1'000'000, .wall_us = 1};

// What lines have led to, one a line of text, as named_log_lines.txt has it.
struct Seen {
  std::string text;
  std::set<EventType> types;
  LogEvents events{[this](Event&& event) {
                     types.insert(event.type);
                     text += "  " + std::string(type_info(event.type).name) + " ";
                     append_json_value(text, event.data.root());
                     text += "\n";
                   },
                   [this](const LoggedUpdate& update) {
                     text += "  update";
                     for (const std::string_view word :
                          {update.client, update.key, update.view, update.zone,
                           std::string_view(update.adds ? "adds" : "deletes"), update.name, update.rtype, update.rdata})
                       if (!word.empty()) text += " " + std::string(word);
                     text += "\n";
                   }};
  std::string take(std::string_view line, Now now = kNow) {
    text.clear();
    events.take(line, now);
    return text;
  }
};

struct Golden {
  std::string line, expected;
};

std::vector<Golden> golden() {
  std::ifstream file(SOURCE_DIR "/tests/unit/named_log_lines.txt");
  std::vector<Golden> all;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#') || line.empty()) continue;
    if (line.starts_with("  "))
      all.back().expected += line + "\n";
    else
      all.push_back({line, {}});
  }
  return all;
}

void each_line_of_a_real_named_says_what_it_should(void**) {
  Seen seen;
  const auto lines = golden();
  assert_true(lines.size() > 100);
  for (const Golden& one : lines) {
    const std::string got = seen.take(one.line);
    if (got != one.expected) print_error("%s\n", one.line.c_str());
    assert_text(got, one.expected);
  }
  // Every type that comes of the log alone.
  for (std::size_t i = 0; i < kEventTypeCount; ++i) {
    const auto type = static_cast<EventType>(i);
    if (type_info(type).origin != Origin::log) continue;
    if (!seen.types.contains(type)) print_error("no line of %s\n", std::string(type_info(type).name).c_str());
    assert_true(seen.types.contains(type));
  }
}

// Without the category a line is known by what it says; without the severity only errors and warnings are not.
void category_and_time_need_not_be_printed(void**) {
  Seen seen, bare;
  for (const Golden& one : golden()) {
    const std::size_t after_time = one.line.find(' ', one.line.find(':')) + 1;
    std::string line = one.line.substr(after_time);
    line = line.substr(line.find(": ") + 2);
    const std::string expected = seen.take(one.line), got = bare.take(line);
    if (expected.find("log_category") != std::string::npos) continue;
    if (got != expected) print_error("%s\n", line.c_str());
    assert_text(got, expected);
  }
}

void a_line_of_our_own_says_nothing(void**) {
  Seen seen;
  for (const char* line : {"2026-11-26T19:25:30.754Z general: error: bindcast: cannot write", "bindcast: cannot write",
                           "error: bindcast: cannot write", "26-Nov-2026 19:25:30.754 general: warning: bindcast: x"})
    assert_text(seen.take(line), "");
}

void a_fault_of_a_file_that_leads_to_nothing_is_told_by_itself(void**) {
  Seen seen;
  seen.take("general: error: dns_master_load: a.db:7: what is this");
  seen.text.clear();
  seen.events.tick({.mono_us = kNow.mono_us + 4'000'000, .wall_us = 1});
  assert_text(seen.text, "");
  seen.events.tick({.mono_us = kNow.mono_us + 6'000'000, .wall_us = 1});
  assert_text(
      seen.text,
      "  error_occurred {\"log_severity\":\"error\",\"file\":\"a.db\",\"line\":7,\"log_message\":\"what is this\"}\n");
}

void names_may_hold_what_patterns_hold(void**) {
  Seen seen;
  // A name has no blanks, but it may have quotes, slashes and braces.
  assert_text(
      seen.take("update: info: client @0x1 ::1#5/key a/b'{: view a b: updating zone '0/25.in-addr.arpa/IN': adding "
                "an RR at 'x'y'z{zone}.example' A 192.0.2.1"),
      "  update ::1 a/b'{ a b 0/25.in-addr.arpa adds x'y'z{zone}.example A 192.0.2.1\n");
  // What a client sends does not become another line's words.
  assert_text(seen.take("update: info: client @0x1 ::1#5: updating zone 'e/IN': adding an RR at 'x' TXT \"y': deleting "
                        "rrset at 'z' A\""),
              "  update ::1 _default e adds x TXT \"y': deleting rrset at 'z' A\"\n");
}

void hostile_lines_do_no_harm(void**) {
  Seen seen;
  const std::string lines[] = {"",
                               ":",
                               ": : : ",
                               "client @",
                               "client @0x1 ",
                               "client @0x1 : view : ",
                               "security: error: client @0x1 #: zone transfer '/IN' denied",
                               "zone : ",
                               "zone /IN: not loaded due to errors.",
                               "transfer of '' from : ",
                               "general: error: a.db:99999999999999999999: x",
                               std::string("general: error: \0\x01\xff\xfe", 20),
                               std::string(20'000, 'a'),
                               "general: error: " + std::string(20'000, ':'),
                               "update: info: client @" + std::string(20'000, ' ')};
  for (const std::string& line : lines) seen.take(line);
  // Texts are bounded, whatever comes.
  const std::string told = seen.take("general: error: " + std::string(20'000, 'x'));
  assert_in_range(told.size(), LogEvents::kMaxText, LogEvents::kMaxText + 200);
  // And so is what is kept.
  for (int i = 0; i < 2'000; ++i) {
    seen.take("general: error: " + std::to_string(i) + ".db:1: x");
    seen.take("zoneload: error: zone z" + std::to_string(i) + "/IN: has no NS records");
    seen.take("xfer-in: info: transfer of 'z" + std::to_string(i) + "/IN' from ::1#53: Transfer status: x");
  }
}

void the_channel_is_found_in_the_configuration(void**) {
  const auto file = [](std::string_view text) { return bindcast_channel_file(read_statements(text)); };
  assert_text(file("logging { channel \"bindcast\" { file \"bindcast.log\" versions 2 size 20m; severity info; }; };"),
              "bindcast.log");
  assert_text(
      file("logging { channel other { file \"o\"; }; channel bindcast { severity info; file \"/a b/\\\"c\"; }; };"),
      "/a b/\"c");
  assert_text(file("logging { channel bindcast { syslog daemon; }; };"), "");
  assert_text(file("logging { channel bindcast2 { file \"x\"; }; };"), "");
  assert_text(file("options { recursion no; };"), "");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(each_line_of_a_real_named_says_what_it_should),
      cmocka_unit_test(category_and_time_need_not_be_printed),
      cmocka_unit_test(a_line_of_our_own_says_nothing),
      cmocka_unit_test(a_fault_of_a_file_that_leads_to_nothing_is_told_by_itself),
      cmocka_unit_test(names_may_hold_what_patterns_hold),
      cmocka_unit_test(hostile_lines_do_no_harm),
      cmocka_unit_test(the_channel_is_found_in_the_configuration),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
