// Forwarders: which there are, what is an answer to a probe, and what makes one up, slow, degraded, down or flapping.

#include "harness.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <random>

#include "plugin/sources/forwarders/forwarder_list.hpp"
#include "plugin/sources/forwarders/forwarder_state.hpp"
#include "plugin/sources/forwarders/probe_question.hpp"

namespace {

using namespace bindcast;

// ── Which there are ──────────────────────────────────────────────────────────

// One line for each: the server, "tls" where it is asked so, and its scopes.
std::string shown(const ForwarderList& list) {
  std::string text;
  for (const Forwarder& forwarder : list.all()) {
    text += forwarder.server + (forwarder.tls ? " tls" : "");
    for (const std::string& scope : forwarder.scopes) text += " | " + scope;
    if (forwarder.more_scopes != 0) text += " | " + std::to_string(forwarder.more_scopes) + " more";
    text += "\n";
  }
  return text;
}

std::string of_conf(std::string_view text) {
  ForwarderList list;
  list.add_forwarders(read_statements(text));
  return shown(list);
}

struct ConfRow {
  const char* conf;
  const char* list;
};

// As BIND prints a configuration.
const ConfRow kConf[] = {
    {"options { recursion yes; };", ""},
    {"options { forwarders { 192.0.2.1; 2001:DB8::1; }; };", "192.0.2.1 | options\n2001:db8::1 | options\n"},
    {"options { forwarders { }; };", ""},
    {"options { forwarders port 99 { 192.0.2.1; 192.0.2.2 port 5300; 2001:db8::1 port 5300; }; };",
     "192.0.2.1:99 | options\n192.0.2.2:5300 | options\n[2001:db8::1]:5300 | options\n"},
    {"options { port 5353; forwarders { 192.0.2.1; 192.0.2.2 port 53; }; };",
     "192.0.2.1:5353 | options\n192.0.2.2 | options\n"},
    {"options { forwarders port 53 dscp 4 { 192.0.2.1 port 54 dscp 7; 192.0.2.2 dscp 7; }; };",
     "192.0.2.1:54 | options\n192.0.2.2 | options\n"},
    {"options { forwarders { fe80::1%1; fe80::1%lo port 54; }; };", "fe80::1%1 | options\n[fe80::1%lo]:54 | options\n"},
    // Over TLS, which later versions of BIND have.
    {"options { forwarders tls \"up; {stream\" { 192.0.2.1; 192.0.2.2 port 54; 192.0.2.3 tls none; }; };",
     "192.0.2.1:853 tls | options\n192.0.2.2:54 tls | options\n192.0.2.3 | options\n"},
    {"options { forwarders { 192.0.2.1 port 853; 192.0.2.1 tls ephemeral; }; };",
     "192.0.2.1:853 | options\n192.0.2.1:853 tls | options\n"},
    // Zones: of type forward, and others.
    {"options { forwarders { 192.0.2.1; 192.0.2.1; }; };"
     "zone \"a.test\" { type forward; forwarders { 192.0.2.1; 192.0.2.2; }; };"
     "zone \"b.test\" IN { type primary; forwarders { 192.0.2.2; }; };"
     "zone \"c.test\" { type forward; forwarders { }; };",
     "192.0.2.1 | options | zone \"a.test\"\n192.0.2.2 | zone \"a.test\" | zone \"b.test\"\n"},
    // Names with what else would end them.
    {"view \"a.b\" in { zone \"x\\\".forwarders\" { forwarders { 192.0.2.1; }; }; };",
     "192.0.2.1 | view \"a.b\".zone \"x\\\".forwarders\"\n"},
    // Views have those of the options, or their own, be they none.
    {"options { forwarders { 192.0.2.1; }; }; view \"a\" { recursion yes; }; view \"b\" { forwarders { 192.0.2.2; }; "
     "};",
     "192.0.2.1 | options\n192.0.2.2 | view \"b\"\n"},
    {"options { forwarders { 192.0.2.1; }; }; view \"a\" { forwarders { }; }; view \"b\" { forwarders { 192.0.2.2; }; "
     "};",
     "192.0.2.2 | view \"b\"\n"},
    // Nothing that named would take.
    {"options { forwarders { \"certainly no address\"; 192.0.2; 192.0.2.1 port; 192.0.2.3 port 70000; }; };",
     "192.0.2.1 | options\n192.0.2.3 | options\n"},
    {"options { forwarders port { 192.0.2.1 ", ""},
    {"options { other-forwarders { 192.0.2.1; }; };", ""},
};

void the_forwarders_of_named_conf_are_found_with_their_scopes(void**) {
  for (const ConfRow& row : kConf) {
    const std::string found = of_conf(row.conf);
    if (found != row.list) print_error("%s\n", row.conf);
    assert_text(found, row.list);
  }
}

void their_addresses_are_those_to_connect_to(void**) {
  ForwarderList list;
  list.add_forwarders(read_statements("options { forwarders { 192.0.2.1 port 5300; fe80::1%1; }; };"));
  sockaddr_in v4{};
  std::memcpy(&v4, &list.all()[0].address, sizeof v4);
  assert_int_equal(v4.sin_family, AF_INET);
  assert_int_equal(ntohl(v4.sin_addr.s_addr), 0xc0000201);
  assert_int_equal(ntohs(v4.sin_port), 5300);
  sockaddr_in6 v6{};
  std::memcpy(&v6, &list.all()[1].address, sizeof v6);
  assert_int_equal(v6.sin6_family, AF_INET6);
  assert_int_equal(v6.sin6_addr.s6_addr[0], 0xfe);
  assert_int_equal(v6.sin6_addr.s6_addr[15], 1);
  assert_int_equal(ntohs(v6.sin6_port), 53);
  assert_int_equal(v6.sin6_scope_id, 1);
}

void servers_of_the_configuration_join_them(void**) {
  ForwarderList list, of_host;
  list.add_servers({"192.0.2.1", "192.0.2.1:54", "2001:DB8::0:1", "[2001:db8::1]:5300", "192.0.2.1"});
  of_host.add_forwarders(read_statements("options { forwarders { 2001:db8::1; 192.0.2.9; }; };"));
  list.add(of_host);
  const std::string ours = " | sources.forwarders.servers";
  assert_text(shown(list), "192.0.2.1" + ours + "\n192.0.2.1:54" + ours + "\n2001:db8::1" + ours +
                               " | options\n[2001:db8::1]:5300" + ours + "\n192.0.2.9 | options\n");
}

void of_many_scopes_the_first_are_kept_and_the_others_counted(void**) {
  std::string conf;
  for (int i = 0; i < 40; ++i)
    conf += "zone \"" + std::to_string(100 + i) + "\" { type forward; forwarders { 192.0.2.1; }; };";
  ForwarderList of_host, list;
  of_host.add_forwarders(read_statements(conf));
  list.add_servers({"192.0.2.1"});
  list.add(of_host);
  assert_int_equal(list.all().size(), 1);
  assert_int_equal(list.all()[0].scopes.size(), ForwarderList::kMostScopes);
  assert_int_equal(list.all()[0].more_scopes, 1 + 40 - ForwarderList::kMostScopes);
  ForwarderList copy;
  copy.add(of_host);
  assert_text(shown(copy), shown(of_host));
}

// ── Answers ──────────────────────────────────────────────────────────────────

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

constexpr std::uint16_t kId = 0x1234;

// An answer's first bytes: flags, counts, and what follows.
std::string answer(std::uint8_t flags, std::uint8_t rcode, std::uint8_t questions, std::string_view rest) {
  std::string text = {0x12, 0x34, static_cast<char>(flags), static_cast<char>(rcode), 0, static_cast<char>(questions)};
  return text.append(6, '\0').append(rest);
}

constexpr char kWww[] = "\3www\7example\4test\0\0\x1c\0\1";  // www.example.test AAAA IN
const std::string kQuestion(kWww, sizeof kWww - 1);

void the_question_is_as_the_standard_has_it(void**) {
  const auto message = ProbeQuestion(". NS").message(kId);
  const std::string expected("\x12\x34\1\0\0\1\0\0\0\0\0\0\0\0\2\0\1", 17);
  assert_true(std::string(message.begin(), message.end()) == expected);
  const auto other = ProbeQuestion("WWW.Example.test. AAAA").message(kId);
  assert_true(std::string(other.begin() + 12, other.end()) == kQuestion);
}

void an_answer_to_the_question_counts(void**) {
  const ProbeQuestion question("www.example.test AAAA");
  const auto plain = question.check(bytes_of(answer(0x81, 0x80, 1, kQuestion + "and whatever follows")), kId);
  assert_true(plain && plain->rcode == 0 && !plain->truncated);
  const auto cut = question.check(bytes_of(answer(0x83, 0x83, 1, kQuestion)), kId);
  assert_true(cut && cut->rcode == 3 && cut->truncated);
  std::string loud = kQuestion;
  for (char& c : loud)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  assert_true(question.check(bytes_of(answer(0x80, 0, 1, loud)), kId).has_value());
  // Bare errors, without the question.
  const auto refused = question.check(bytes_of(answer(0x80, 5, 0, "")), kId);
  assert_true(refused && refused->rcode == 5);
}

void what_is_no_answer_does_not_count(void**) {
  const ProbeQuestion question("www.example.test AAAA");
  const std::string good = answer(0x81, 0x80, 1, kQuestion);
  assert_true(question.check(bytes_of(good), kId).has_value());
  for (std::size_t size = 0; size < good.size(); ++size)
    assert_false(question.check(bytes_of(good).first(size), kId).has_value());
  assert_false(question.check(bytes_of(good), kId + 1).has_value());

  const auto changed = [](std::string text, std::size_t at, char to) {
    text[at] = to;
    return text;
  };
  const std::string wrong[] = {
      std::string(good).replace(2, 1, "\1"),      // a question
      changed(good, 2, static_cast<char>(0xa8)),  // another kind: NOTIFY
      changed(good, 5, 2),                        // two questions
      changed(good, 4, 1),                        // 257
      changed(good, 12, 4),                       // another name
      changed(good, 13, 'v'),
      changed(good, good.size() - 3, 0x1d),  // another type, class
      changed(good, good.size() - 1, 3),
      changed(good, good.size() - 3, 0x3c),                      // 0x1c with the bit of case: only names have a case
      answer(0x80, 0, 0, ""),                                    // no question, and no error
      answer(0x80, 2, 0, kQuestion),                             // an error that says more than it counts
      answer(0x80, 0, 1, std::string("\xc0\x0c\0\x1c\0\1", 6)),  // a name that points at itself
      answer(0x80, 0, 1, std::string("\xc0\x00\0\x1c\0\1", 6) + std::string(400, '\xc0')),
      std::string(65'535, '\xff'),
      std::string(65'535, '\0'),
  };
  for (const std::string& bytes : wrong) assert_false(question.check(bytes_of(bytes), kId).has_value());

  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 64, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    if (bytes.size() > 1) bytes[0] = 0x12, bytes[1] = 0x34;
    const auto found = question.check(bytes_of(bytes), kId);
    assert_true(!found || (bytes.size() == 12 && found->rcode != 0));
  }
}

// ── States ───────────────────────────────────────────────────────────────────

// Probes one second apart, by a row of letters: . answered, s slowly, e with an error, x lost.
struct Driven {
  ForwarderTrack track{Now{}};
  ForwarderLimits limits{.slow_us = 100'000, .down_after = 3, .up_after = 2};
  Now now{};
  std::string changes;  // "3 up, 7 down": after which probe, and to what
  std::optional<ForwarderChange> last;
  int probes = 0;

  Driven& probe(std::string_view letters) {
    for (const char c : letters) {
      now.mono_us += 1'000'000;
      now.wall_us = now.mono_us + 5'000'000'000;
      const std::string_view what = c == 'x' ? "timeout" : c == 'e' ? "SERVFAIL" : "NOERROR";
      const ProbeOutcome outcome{
          .answered = c != 'x', .error = c == 'e', .rtt_us = c == 's' ? 150'000U : 10'000U, .what = what};
      ++probes;
      if (auto change = track.take(outcome, limits, now)) {
        changes += (changes.empty() ? "" : ", ") + std::to_string(probes) + " " +
                   std::string(kForwarderStateNames[static_cast<std::size_t>(change->after)]);
        last = std::move(change);
      }
    }
    return *this;
  }
};

struct StateRow {
  const char* probes;
  const char* changes;
};

const StateRow kStates[] = {
    {".", "1 up"},
    {"xx", ""},
    {"xxx", "3 down"},
    {"xx.", "3 up"},
    {".xx.xx.", "1 up"},  // never three in a row, and too few to speak of loss
    {".xxx", "1 up, 4 down"},
    {".xxx.x.x.", "1 up, 4 down"},  // one answer is not enough
    {".xxx..", "1 up, 4 down, 6 up"},
    // Errors are answers, and not good ones.
    {".ee.ee.", "1 up"},
    {".eee", "1 up, 4 degraded"},
    {".eee.e..", "1 up, 4 degraded, 8 up"},
    {"eee", "3 degraded"},
    {".exx", "1 up, 4 degraded"},  // three without a good answer, two of them lost
    {".eeexxx", "1 up, 4 degraded, 7 down"},
    {".xxxee..", "1 up, 4 down, 6 degraded, 8 up"},
    {".xxxe...", "1 up, 4 down, 6 degraded, 7 up"},
    // Slow by the median of the last five answers.
    {"ss", "1 up"},
    {"sss", "1 up, 3 slow"},
    {".....sss", "1 up, 8 slow"},
    {".....s.s.s.", "1 up, 10 slow, 11 up"},
    {"sss..", "1 up, 3 slow"},
    {"sss...", "1 up, 3 slow, 6 up"},
    {"sssxxx..", "1 up, 3 slow, 6 down, 8 up"},  // what was before it went down does not count
    {"ssseee..", "1 up, 3 slow, 6 degraded, 8 slow"},
    // Loss: three of ten, then not more than one of ten.
    {"...x...x...x", "1 up"},
    {"..x..x..x..x", "1 up, 10 degraded"},
};

void one_bad_probe_changes_nothing_and_a_row_of_them_does(void**) {
  for (const StateRow& row : kStates) {
    Driven driven;
    driven.probe(row.probes);
    if (driven.changes != row.changes) print_error("%s\n", row.probes);
    assert_text(driven.changes, row.changes);
  }
}

void loss_ends_at_a_lower_share_than_it_began(void**) {
  Driven driven;
  driven.probe(".x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x");
  assert_true(driven.track.state() == ForwarderState::degraded);
  assert_text(driven.last->why, "loses 50 % of the probes");
  assert_true(driven.track.loss() == 0.5);
  assert_int_equal(driven.track.probes_in_window(), 32);
  for (int i = 0; i < 24; ++i) driven.probe(".");
  assert_true(driven.track.state() == ForwarderState::degraded);  // 4 of 32
  driven.probe("..");
  assert_true(driven.track.state() == ForwarderState::up);  // 3 of 32
  driven.probe("xx.xx");
  assert_true(driven.track.state() == ForwarderState::up);
}

void slowness_ends_at_a_lower_limit_than_it_began(void**) {
  Driven driven;
  driven.probe("sssss");
  assert_text(driven.last->why, "takes 150 ms, the median of its last answers");
  driven.limits.slow_us = 160'000;  // its median is now below the limit, but not by much
  driven.probe("sssss");
  assert_true(driven.track.state() == ForwarderState::slow);
  driven.limits.slow_us = 201'000;
  driven.probe("s");
  assert_true(driven.track.state() == ForwarderState::up);
}

void a_change_says_since_when_how_long_before_and_why(void**) {
  Driven driven;
  driven.probe("..........xxx");
  assert_true(driven.last->before == ForwarderState::up && driven.last->after == ForwarderState::down);
  assert_int_equal(driven.last->since_wall_us, 11'000'000 + 5'000'000'000);  // the first that was lost
  assert_int_equal(driven.last->lasted_us, 12'000'000);
  assert_text(driven.last->why, "3 probes failed in a row, the last: timeout");
  assert_false(driven.track.answers());
  driven.probe("xxxx..");
  assert_int_equal(driven.last->since_wall_us, 18'000'000 + 5'000'000'000);
  assert_text(driven.last->why, "answers again");
  driven.probe("eee");
  assert_text(driven.last->why, "answers with SERVFAIL");
  assert_int_equal(driven.last->since_wall_us, 20'000'000 + 5'000'000'000);
}

void limits_may_be_one(void**) {
  Driven driven;
  driven.limits.down_after = driven.limits.up_after = 1;
  driven.probe(".x.e.");
  assert_text(driven.changes, "1 up, 2 down, 3 up, 4 degraded, 5 up");
}

void who_changes_too_often_is_told_once_until_it_is_steady(void**) {
  Driven driven;
  driven.probe("..xxx..xxx..xxx..xxx..xxx..xxx..");
  assert_text(driven.changes, "1 up, 5 down, 7 up, 10 down, 12 up, 15 flapping");
  assert_text(driven.last->why, "changed 6 times within 15 probes, now down");
  assert_true(driven.track.answers());
  driven.probe("xxx");
  assert_false(driven.track.answers());  // that is not held back
  driven.changes.clear();
  driven.probe("xxxxxxxxxxxxxxxxxxx");
  assert_text(driven.changes, "");
  driven.probe("x");
  assert_text(driven.changes, "55 down");
  assert_true(driven.last->before == ForwarderState::flapping);
  assert_contains(driven.last->why, "steady for 20 probes");
  driven.changes.clear();
  driven.probe("..");
  assert_text(driven.changes, "57 up");  // and from here on it is told again
}

void changes_far_apart_are_no_flapping(void**) {
  Driven driven;
  for (int i = 0; i < 20; ++i) driven.probe("........................................xxx");
  assert_true(driven.changes.find("flapping") == std::string::npos);
  assert_true(driven.track.state() == ForwarderState::down);
}

void the_window_of_round_trips_is_bounded(void**) {
  Driven driven;
  driven.probe("x");
  assert_int_equal(driven.track.round_trips().count(), 0);
  for (int i = 0; i < 300; ++i) driven.probe("s");
  assert_int_equal(driven.track.round_trips().count(), ForwarderTrack::kRttAnswers);
  for (int i = 0; i < 250; ++i) driven.probe(".");
  assert_in_range(driven.track.round_trips().percentile(50), 10'000, 10'100);
  assert_int_equal(driven.track.round_trips().percentile(100), 150'000);
  driven.probe("e......");
  assert_int_equal(driven.track.round_trips().percentile(100), 10'000);
}

void what_is_probed_no_more_says_so_where_it_was_not_up(void**) {
  for (const char* probes : {"", ".", "xxx.."}) assert_false(Driven().probe(probes).track.end({}).has_value());
  for (const char* probes : {"xxx", "sss", "eee"}) {
    Driven driven;
    driven.probe(probes);
    const auto change = driven.track.end(driven.now);
    assert_true(change && change->before == driven.last->after && change->after == ForwarderState::unknown);
    assert_text(change->why, "no longer probed");
    assert_int_equal(change->since_wall_us, driven.now.wall_us);
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(the_forwarders_of_named_conf_are_found_with_their_scopes),
      cmocka_unit_test(their_addresses_are_those_to_connect_to),
      cmocka_unit_test(servers_of_the_configuration_join_them),
      cmocka_unit_test(of_many_scopes_the_first_are_kept_and_the_others_counted),
      cmocka_unit_test(the_question_is_as_the_standard_has_it),
      cmocka_unit_test(an_answer_to_the_question_counts),
      cmocka_unit_test(what_is_no_answer_does_not_count),
      cmocka_unit_test(one_bad_probe_changes_nothing_and_a_row_of_them_does),
      cmocka_unit_test(loss_ends_at_a_lower_share_than_it_began),
      cmocka_unit_test(slowness_ends_at_a_lower_limit_than_it_began),
      cmocka_unit_test(a_change_says_since_when_how_long_before_and_why),
      cmocka_unit_test(what_is_probed_no_more_says_so_where_it_was_not_up),
      cmocka_unit_test(limits_may_be_one),
      cmocka_unit_test(who_changes_too_often_is_told_once_until_it_is_steady),
      cmocka_unit_test(changes_far_apart_are_no_flapping),
      cmocka_unit_test(the_window_of_round_trips_is_bounded),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
