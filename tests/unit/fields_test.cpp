// The tree of values: what was appended is found again, in order, by name and by path, and bounds hold.
#include "events/fields.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
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

using namespace bindcast;
using Kind = Fields::Kind;

void assert_text(Fields::Value value, std::string_view expected) {
  assert_true(value.kind() == Kind::text);
  assert_int_equal(value.text().size(), expected.size());
  assert_memory_equal(value.text().data(), expected.data(), expected.size());
}

Fields sample() {
  Fields fields;
  fields.add("qname", "example.com").add_integer("answers", 2).add_real("load", 0.25).add_boolean("cached", true);
  fields.begin_object("edns").add_integer("udp_size", 1232).add_boolean("do", false).end();
  fields.begin_array("flags").add("", "RD").add("ignored", "RA").end();
  fields.add_null("ecs").add("last", "");
  return fields;
}

void values_keep_kind_and_content(void**) {
  const Fields fields = sample();
  assert_false(fields.empty());
  assert_text(fields.find("qname"), "example.com");
  assert_true(fields.find("answers").kind() == Kind::integer);
  assert_int_equal(fields.find("answers").integer(), 2);
  assert_true(fields.find("load").kind() == Kind::real);
  assert_true(fields.find("load").real() == 0.25);
  assert_true(fields.find("cached").boolean());
  assert_true(fields.find("ecs").kind() == Kind::null);
  assert_true(static_cast<bool>(fields.find("ecs")));
  assert_text(fields.find("last"), "");
}

void order_is_the_order_of_appending(void**) {
  const Fields fields = sample();
  std::string keys;
  for (auto value = fields.root().first(); value; value = value.next()) keys.append(value.key()).append(" ");
  assert_string_equal(keys.c_str(), "qname answers load cached edns flags ecs last ");
}

void paths_lead_into_objects(void**) {
  const Fields fields = sample();
  assert_int_equal(fields.find("edns.udp_size").integer(), 1232);
  assert_true(fields.find("edns.do").kind() == Kind::boolean);
  assert_true(fields.find("edns").kind() == Kind::object);
  for (const char* absent :
       {"", ".", "edns.", "edns.x", "edns.udp_size.x", "qname.x", "flags.0", "QNAME", "udp_size"}) {
    assert_false(static_cast<bool>(fields.find(absent)));
  }
}

void keys_with_dots_are_found(void**) {
  Fields fields;
  fields.add_integer("a.b", 1).begin_object("c").add_integer("d.e", 2).end();
  assert_int_equal(fields.find("a.b").integer(), 1);
  assert_int_equal(fields.find("c.d.e").integer(), 2);
}

void arrays_hold_nameless_children(void**) {
  const Fields fields = sample();
  const auto flags = fields.find("flags");
  assert_true(flags.kind() == Kind::array);
  auto element = flags.first();
  assert_text(element, "RD");
  element = element.next();
  assert_text(element, "RA");
  assert_true(element.key().empty());
  assert_false(static_cast<bool>(element.next()));
}

void containers_nest(void**) {
  Fields fields;
  fields.begin_array("rows");
  for (int i = 0; i < 3; ++i) {
    fields.begin_object("").add_integer("n", i).begin_array("empty").end().end();
  }
  fields.end().add_integer("after", 9);
  int n = 0;
  for (auto row = fields.find("rows").first(); row; row = row.next()) {
    assert_int_equal(row.find("n").integer(), n++);
    assert_false(static_cast<bool>(row.find("empty").first()));
    assert_false(static_cast<bool>(row.find("after")));
  }
  assert_int_equal(n, 3);
  assert_int_equal(fields.find("after").integer(), 9);
}

void absent_values_answer_calmly(void**) {
  const Fields::Value none;
  assert_false(static_cast<bool>(none));
  assert_true(none.kind() == Kind::null);
  assert_true(none.key().empty() && none.text().empty());
  assert_int_equal(none.integer(), 0);
  assert_false(static_cast<bool>(none.first()));
  assert_false(static_cast<bool>(none.next()));
  assert_false(static_cast<bool>(none.find("x")));

  const Fields empty;
  assert_true(empty.empty());
  assert_true(empty.root().kind() == Kind::object);
  assert_false(static_cast<bool>(empty.root().first()));
  assert_false(static_cast<bool>(empty.root().next()));
  assert_false(static_cast<bool>(empty.find("x")));
}

void wrong_kinds_read_as_nothing(void**) {
  const Fields fields = sample();
  assert_int_equal(fields.find("qname").integer(), 0);
  assert_false(fields.find("answers").boolean());
  assert_true(fields.find("answers").text().empty());
  assert_true(fields.find("answers").real() == 2.0);
  assert_false(static_cast<bool>(fields.find("flags").find("")));
}

void reals_become_integers_without_surprise(void**) {
  Fields fields;
  fields.begin_array("r").add_real("", 2.9).add_real("", -2.9).add_real("", 1e300).add_real("", -1e300);
  fields.add_real("", std::nan("")).add_real("", 0x1p63).end();
  const std::int64_t expected[] = {2,
                                   -2,
                                   std::numeric_limits<std::int64_t>::max(),
                                   std::numeric_limits<std::int64_t>::min(),
                                   0,
                                   std::numeric_limits<std::int64_t>::max()};
  std::size_t i = 0;
  for (auto value = fields.find("r").first(); value; value = value.next()) {
    assert_true(value.integer() == expected[i++]);
  }
  assert_int_equal(i, 6);
}

void literal_keys_are_keys_like_others(void**) {
  Fields fields;
  fields.add("qname"_key, "x").add_integer("twenty-nine-bytes-is-the-most"_key, 1).begin_object("o"_key);
  fields.add_boolean("k"_key, true).end().begin_array("a"_key).add("ignored"_key, "y").end().add("qname2", "z");
  assert_text(fields.find("qname"), "x");
  assert_int_equal(fields.find("twenty-nine-bytes-is-the-most").integer(), 1);
  assert_true(fields.find("o.k").boolean());
  assert_text(fields.find("a").first(), "y");
  assert_true(fields.find("a").first().key().empty());
  assert_text(fields.find("qname2"), "z");
}

void text_is_written_in_place(void**) {
  const auto digits = [](std::size_t count) { return [count](char* at) { return std::fill_n(at, count, '7'); }; };
  Fields fields;
  fields.add_text_with("none"_key, 100, digits(0)).add("next", "1");
  fields.add_text_with("all", 2000, digits(2000)).add_text_with("few"_key, 5000, digits(3)).add("last", "2");
  assert_text(fields.find("none"), "");
  assert_text(fields.find("next"), "1");
  assert_text(fields.find("all"), std::string(2000, '7'));
  assert_text(fields.find("few"), "777");
  assert_text(fields.find("last"), "2");
  // What could be too long is not asked for.
  fields.add_text_with("huge", 17 * 1024 * 1024, [](char* at) {
    fail();
    return at;
  });
  assert_false(static_cast<bool>(fields.find("huge")));
  assert_text(fields.find("last"), "2");
}

void text_may_hold_any_bytes(void**) {
  const std::string_view bytes("a\0b\xff\"", 5);
  Fields fields;
  fields.add(bytes, bytes);
  assert_text(fields.find(bytes), bytes);
}

void clear_makes_it_new_and_keeps_its_memory(void**) {
  Fields fields = sample();
  fields.begin_object("left open");
  const std::size_t held = fields.bytes();
  fields.clear();
  assert_true(fields.empty());
  assert_int_equal(fields.bytes(), held);
  fields.add("x", "y");
  assert_text(fields.find("x"), "y");
  assert_false(static_cast<bool>(fields.find("qname")));
}

// Deep within what was taken and what was left out.
void clear_forgets_open_containers(void**) {
  Fields fields;
  for (int depth : {1, 5, 100}) {
    for (int i = 0; i < depth; ++i) fields.begin_array("a");
    fields.clear();
    fields.end().add("x", "y").end().add("z", "w");
    assert_text(fields.find("x"), "y");
    assert_text(fields.find("z"), "w");
    fields.clear();
    fields.begin_object("o").add("x", "y").end().add("z", "w");
    assert_text(fields.find("o.x"), "y");
    assert_text(fields.find("z"), "w");
    fields.clear();
  }
}

void copies_go_their_own_way(void**) {
  Fields one;
  one.begin_object("o").add("a", "1");
  Fields other = one;
  one.end().add("b", "2");
  other.add("c", std::string(3000, '3')).end().add("d", "4");
  assert_text(one.find("o.a"), "1");
  assert_text(one.find("b"), "2");
  assert_false(static_cast<bool>(one.find("o.c")));
  assert_text(other.find("o.a"), "1");
  assert_text(other.find("o.c"), std::string(3000, '3'));
  assert_text(other.find("d"), "4");
  assert_false(static_cast<bool>(other.find("b")));
}

void moved_from_fields_can_be_used_again(void**) {
  Fields source = sample();
  const Fields target = std::move(source);
  assert_text(target.find("qname"), "example.com");
  source.clear();
  assert_true(source.empty());
  source.add("again", "yes");
  assert_text(source.find("again"), "yes");
}

void surplus_ends_do_no_harm(void**) {
  Fields fields;
  fields.end().end().add("a", "1").end().add("b", "2");
  assert_text(fields.find("a"), "1");
  assert_text(fields.find("b"), "2");
}

void open_containers_can_be_read(void**) {
  Fields fields;
  fields.begin_object("a").begin_array("b").add_integer("", 7);
  assert_int_equal(fields.find("a.b").first().integer(), 7);
}

void copies_are_deep(void**) {
  Fields target;
  target.add("before", "x");
  {
    const Fields source = sample();
    target.add_copy("all", source.root());
    target.begin_array("list").add_copy("ignored", source.find("edns")).add_copy("", source.find("qname")).end();
    target.add_copy("absent", source.find("no such"));
  }
  assert_text(target.find("all.qname"), "example.com");
  assert_int_equal(target.find("all.edns.udp_size").integer(), 1232);
  assert_text(target.find("all.flags").first().next(), "RA");
  assert_true(target.find("all.ecs").kind() == Kind::null);
  assert_int_equal(target.find("list").first().find("udp_size").integer(), 1232);
  assert_text(target.find("list").first().next(), "example.com");
  assert_false(static_cast<bool>(target.find("absent")));
}

void a_tree_can_be_copied_into_itself(void**) {
  Fields fields = sample();
  // Under a key that lies in it, with text enough for the buffer to move.
  fields.add("filler", std::string(5000, 'f'));
  for (int i = 0; i < 3; ++i) fields.begin_object("o").add_copy(fields.find("qname").key(), fields.root()).end();
  assert_text(fields.find("o.qname.qname"), "example.com");
  for (int i = 0; i < 6; ++i) fields.add_copy("copy" + std::to_string(i), fields.root());
  assert_text(fields.find("copy5.copy4.copy0.qname"), "example.com");
  assert_text(fields.find("qname"), "example.com");
}

void nesting_is_bounded(void**) {
  Fields fields;
  for (int i = 0; i < 10000; ++i) fields.begin_object("d");
  fields.add("too deep", "x");
  for (int i = 0; i < 10000; ++i) fields.end();
  fields.add("after", "y");
  assert_text(fields.find("after"), "y");
  int depth = 0;
  for (auto value = fields.root().find("d"); value; value = value.find("d")) ++depth;
  assert_true(depth >= 32 && depth < 100);
}

void size_is_bounded(void**) {
  constexpr std::size_t kLimit = 16 * 1024 * 1024;
  Fields fields;
  const std::string megabyte(1024 * 1024, 'x');
  for (int i = 0; i < 20; ++i) fields.add("m" + std::to_string(i), megabyte);
  assert_int_equal(fields.find("m14").text().size(), megabyte.size());
  assert_false(static_cast<bool>(fields.find("m19")));
  // What still fits is taken, and a container too many costs nothing that was there.
  fields.add("small", "fits").begin_object(megabyte).add("inside", "lost").end().add("end", "fits");
  assert_text(fields.find("small"), "fits");
  assert_text(fields.find("end"), "fits");
  assert_false(static_cast<bool>(fields.find("inside")));
  assert_true(fields.bytes() < 3 * kLimit);

  Fields many;
  for (int i = 0; i < 2'000'000; ++i) many.add_integer("", i);
  int count = 0;
  for (auto value = many.root().first(); value; value = value.next()) ++count;
  assert_true(count > 100'000 && count < 2'000'000);
}

void bytes_follow_the_content(void**) {
  Fields fields;
  assert_int_equal(fields.bytes(), 0);
  fields.add("a", std::string(10'000, 'x'));
  assert_true(fields.bytes() >= 10'000);
  assert_true(fields.bytes() < 40'000);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(values_keep_kind_and_content),
      cmocka_unit_test(order_is_the_order_of_appending),
      cmocka_unit_test(paths_lead_into_objects),
      cmocka_unit_test(keys_with_dots_are_found),
      cmocka_unit_test(arrays_hold_nameless_children),
      cmocka_unit_test(containers_nest),
      cmocka_unit_test(absent_values_answer_calmly),
      cmocka_unit_test(wrong_kinds_read_as_nothing),
      cmocka_unit_test(reals_become_integers_without_surprise),
      cmocka_unit_test(literal_keys_are_keys_like_others),
      cmocka_unit_test(text_is_written_in_place),
      cmocka_unit_test(text_may_hold_any_bytes),
      cmocka_unit_test(clear_makes_it_new_and_keeps_its_memory),
      cmocka_unit_test(clear_forgets_open_containers),
      cmocka_unit_test(copies_go_their_own_way),
      cmocka_unit_test(moved_from_fields_can_be_used_again),
      cmocka_unit_test(surplus_ends_do_no_harm),
      cmocka_unit_test(open_containers_can_be_read),
      cmocka_unit_test(copies_are_deep),
      cmocka_unit_test(a_tree_can_be_copied_into_itself),
      cmocka_unit_test(nesting_is_bounded),
      cmocka_unit_test(size_is_bounded),
      cmocka_unit_test(bytes_follow_the_content),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
