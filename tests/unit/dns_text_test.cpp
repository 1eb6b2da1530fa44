// DNS data as text: names, types, classes, rcodes, addresses, and the comparisons that filters use.
#include "events/dns_text.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
}

namespace {

using namespace bindcast;

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// A wire-form name from its labels.
std::string wire(std::initializer_list<std::string> labels) {
  std::string name;
  for (const std::string& label : labels) name.append(1, static_cast<char>(label.size())).append(label);
  name.push_back('\0');
  return name;
}

// What `write` puts into exactly as much room as it may use.
template <typename Write>
std::string written(std::size_t room, Write write) {
  const std::unique_ptr<char[]> text(new char[room]);
  return {text.get(), write(text.get())};
}

std::string name_of(const std::string& bytes) {
  return written(max_name_text(bytes.size()), [&](char* at) { return write_name(at, bytes_of(bytes)); });
}

void names_become_text(void**) {
  struct Row {
    std::string wire;
    const char* text;
  };
  const Row rows[] = {
      {wire({}), "."},
      {wire({"com"}), "com"},
      {wire({"www", "Example", "com"}), "www.Example.com"},
      {wire({"a.b", "c\\d"}), "a\\.b.c\\\\d"},
      {wire({"a b", std::string("\0\x7f\xff", 3)}), "a\\032b.\\000\\127\\255"},
      {wire({"_dmarc", "*", "x-y"}), "_dmarc.*.x-y"},
      {wire({"a@b", "$x", "(;\")"}), "a\\@b.\\$x.\\(\\;\\\"\\)"},
      {wire({"1", "2"}), "1.2"},
  };
  for (const Row& row : rows) {
    assert_string_equal(name_of(row.wire).c_str(), row.text);
  }
  std::string longest;
  for (int i = 0; i < 3; ++i) longest += '\x3f' + std::string(63, 'x');
  longest += '\x3d' + std::string(61, 'y') + '\0';
  assert_int_equal(longest.size(), 255);
  assert_int_equal(name_of(longest).size(), 253);
  std::ranges::replace(longest, 'x', '\1');
  assert_int_equal(name_of(longest).size(), 3 * (4 * 63 + 1) + 61);
}

void what_is_no_name_gives_nothing(void**) {
  std::string too_long;
  for (int i = 0; i < 4; ++i) too_long += '\x3f' + std::string(63, 'x');
  too_long.push_back('\0');
  const std::string wrong[] = {
      "",
      "\x03",
      "\x03"
      "com",  // no root label
      std::string("\x05"
                  "com\0",
                  5),              // the label runs over the end
      std::string("\0\0", 2),      // something after the root
      std::string("\xc0\x0c", 2),  // a compression pointer
      '\x40' + std::string(64, 'x') + std::string(1, '\0'),
      too_long,
  };
  for (const std::string& bytes : wrong) assert_string_equal(name_of(bytes).c_str(), "");
}

std::string wire_of(std::string_view text) {
  std::array<std::uint8_t, kMaxNameBytes> bytes{};
  return {reinterpret_cast<const char*>(bytes.data()), read_name(bytes, text)};
}

void text_becomes_a_name(void**) {
  assert_true(wire_of(".") == wire({}));
  assert_true(wire_of("com") == wire({"com"}));
  assert_true(wire_of("WWW.Example.com.") == wire({"www", "example", "com"}));
  assert_true(wire_of("a\\.b.\\000\\255c") == wire({"a.b", std::string("\0\xff", 2) + "c"}));
  const std::string label(63, 'x');
  const std::string longest = label + '.' + label + '.' + label + '.' + std::string(61, 'y');
  assert_int_equal(wire_of(longest).size(), 255);
  assert_true(name_of(wire_of(longest + '.')) == longest);
  for (const std::string& wrong : {std::string(".."), std::string(".com"), std::string("a..b"), std::string("a.."),
                                   label + 'x', "a." + label + 'x', longest + 'y', longest + ".z", longest + longest})
    assert_int_equal(wire_of(wrong).size(), 0);
}

std::string coded(char* (*write)(char*, std::uint16_t), std::uint16_t code) {
  return written(kMaxCodeText, [=](char* at) { return write(at, code); });
}

std::string address_of(int family, const std::uint8_t* bytes) {
  return written(kMaxAddressText, [=](char* at) { return write_address(at, family, bytes); });
}

void types_have_their_names(void**) {
  struct Row {
    std::uint16_t type;
    const char* name;
  };
  const Row rows[] = {
      {1, "A"},
      {2, "NS"},
      {5, "CNAME"},
      {6, "SOA"},
      {12, "PTR"},
      {13, "HINFO"},
      {15, "MX"},
      {16, "TXT"},
      {17, "RP"},
      {18, "AFSDB"},
      {28, "AAAA"},
      {29, "LOC"},
      {33, "SRV"},
      {35, "NAPTR"},
      {36, "KX"},
      {37, "CERT"},
      {39, "DNAME"},
      {41, "OPT"},
      {42, "APL"},
      {43, "DS"},
      {44, "SSHFP"},
      {45, "IPSECKEY"},
      {46, "RRSIG"},
      {47, "NSEC"},
      {48, "DNSKEY"},
      {49, "DHCID"},
      {50, "NSEC3"},
      {51, "NSEC3PARAM"},
      {52, "TLSA"},
      {53, "SMIMEA"},
      {55, "HIP"},
      {59, "CDS"},
      {60, "CDNSKEY"},
      {61, "OPENPGPKEY"},
      {62, "CSYNC"},
      {63, "ZONEMD"},
      {64, "SVCB"},
      {65, "HTTPS"},
      {99, "SPF"},
      {104, "NID"},
      {105, "L32"},
      {106, "L64"},
      {107, "LP"},
      {108, "EUI48"},
      {109, "EUI64"},
      {249, "TKEY"},
      {250, "TSIG"},
      {251, "IXFR"},
      {252, "AXFR"},
      {255, "ANY"},
      {256, "URI"},
      {257, "CAA"},
      {259, "DOA"},
      {260, "AMTRELAY"},
      {32768, "TA"},
      {32769, "DLV"},
      {0, "TYPE0"},
      {54, "TYPE54"},
      {265, "TYPE265"},
      {65280, "TYPE65280"},
      {65535, "TYPE65535"},
  };
  for (const Row& row : rows) {
    assert_string_equal(coded(write_rrtype, row.type).c_str(), row.name);
    assert_true(read_rrtype(row.name) == row.type);
  }
  for (const char* wrong : {"", "ns", "TYPE", "TYPE65536", "TYPE1x", "NSX"})
    assert_false(read_rrtype(wrong).has_value());
}

void classes_and_rcodes_have_their_names(void**) {
  assert_string_equal(coded(write_rrclass, 1).c_str(), "IN");
  assert_string_equal(coded(write_rrclass, 3).c_str(), "CH");
  assert_string_equal(coded(write_rrclass, 254).c_str(), "NONE");
  assert_string_equal(coded(write_rrclass, 255).c_str(), "ANY");
  assert_string_equal(coded(write_rrclass, 300).c_str(), "CLASS300");
  assert_string_equal(coded(write_rrclass, 0).c_str(), "CLASS0");
  assert_string_equal(coded(write_rcode, 0).c_str(), "NOERROR");
  assert_string_equal(coded(write_rcode, 2).c_str(), "SERVFAIL");
  assert_string_equal(coded(write_rcode, 3).c_str(), "NXDOMAIN");
  assert_string_equal(coded(write_rcode, 5).c_str(), "REFUSED");
  assert_string_equal(coded(write_rcode, 16).c_str(), "BADVERS");
  assert_string_equal(coded(write_rcode, 23).c_str(), "BADCOOKIE");
  assert_string_equal(coded(write_rcode, 12).c_str(), "RCODE12");
  assert_string_equal(coded(write_rcode, 77).c_str(), "RCODE77");
}

void addresses_are_written_as_rfc_5952_says(void**) {
  const char* const texts[] = {"0.0.0.0",
                               "192.0.2.1",
                               "255.255.255.255",
                               "::",
                               "::1",
                               "1::",
                               "2001:db8::1",
                               "2001:db8:0:1:1:1:1:1",
                               "2001:0:0:1::1",
                               "2001:db8::1:0:0:1",
                               "fe80::1:2:3:4",
                               "::ffff:192.0.2.1",
                               "0:1::",
                               "1:2:3:4:5:6:7:8",
                               "ff02::1:ff00:1234",
                               "0:0:1::"};
  for (const char* text : texts) {
    std::uint8_t bytes[16] = {};
    const int family = std::string_view(text).find(':') == std::string_view::npos ? 4 : 6;
    assert_int_equal(inet_pton(family == 4 ? AF_INET : AF_INET6, text, bytes), 1);
    assert_string_equal(address_of(family, bytes).c_str(), text);
  }
}

void addresses_agree_with_the_system(void**) {
  std::mt19937 random(5952);
  for (int i = 0; i < 20'000; ++i) {
    std::uint8_t bytes[16];
    // Many zeroes, so that runs of every place and length occur.
    for (std::uint8_t& byte : bytes) byte = random() % 3 == 0 ? static_cast<std::uint8_t>(random()) : 0;
    if (bytes[0] == 0) bytes[0] = 0x20;  // the system writes deprecated ::192.0.2.1 differently
    char expected[INET6_ADDRSTRLEN];
    assert_string_equal(address_of(6, bytes).c_str(), inet_ntop(AF_INET6, bytes, expected, sizeof expected));
    assert_string_equal(address_of(4, bytes).c_str(), inet_ntop(AF_INET, bytes, expected, sizeof expected));
  }
}

void names_are_equal_without_case_and_final_dot(void**) {
  struct Row {
    const char *a, *b;
    bool equal;
  };
  const Row rows[] = {
      {"example.com", "EXAMPLE.com.", true},
      {"example.com", "example.org", false},
      {".", "", true},
      {".", ".", true},
      {"a", "", false},
      {"a\\.b", "a.b", false},
      {"a\\.b", "A\\046B", true},
      {"a\\.", "a", false},
      {"a\\.", "a\\.", true},
      {"a\\\\.", "a\\\\", true},
      {"\\097", "a", true},
      {"a..b", "a.b", false},
      {"a\\", "a\\\\", true},
      {"example.com.", "example.com", true},
      {"example.co", "example.com", false},
  };
  for (const Row& row : rows) {
    assert_int_equal(name_equal(row.a, row.b), row.equal);
    assert_int_equal(name_equal(row.b, row.a), row.equal);
  }
}

void names_lie_under_their_ancestors(void**) {
  struct Row {
    const char *name, *ancestor;
    bool under;
  };
  const Row rows[] = {
      {"www.example.com", "example.com", true},
      {"example.com", "example.com", true},
      {"WWW.Example.COM.", "exAMple.com", true},
      {"www.example.com", "example.com.", true},
      {"notexample.com", "example.com", false},
      {"com", "example.com", false},
      {"example.com.org", "example.com", false},
      {"example.com", ".", true},
      {"example.com", "", true},
      {".", ".", true},
      {".", "com", false},
      {"www\\.example.com", "example.com", false},
      {"a.www\\.example.com", "www\\.example.com", true},
      {"a\\\\.example.com", "example.com", true},
      {"x.a\\.b.com", "a\\046b.com", true},
      {"a.b.c.d.e.f", "d.e.f", true},
      {"a.b.c.d.e.f", "c.e.f", false},
  };
  for (const Row& row : rows) assert_int_equal(name_under(row.name, row.ancestor), row.under);
}

void globs_match(void**) {
  struct Row {
    const char *pattern, *text;
    bool matches;
  };
  const Row rows[] = {
      {"", "", true},
      {"", "a", false},
      {"*", "", true},
      {"*", "anything", true},
      {"?", "", false},
      {"?", "a", true},
      {"?", "ab", false},
      {"a*", "a", true},
      {"a*c", "abbbc", true},
      {"a*c", "abbbd", false},
      {"*.Example.com", "www.EXAMPLE.com", true},
      {"*.example.com", "example.com", false},
      {"a?c", "aXc", true},
      {"**a**b**", "xxaxxbxx", true},
      {"*ab*ab", "abab", true},
      {"*ab*ab", "ab", false},
      {"b\xc3\xbc?her", "b\xc3\xbc\x63her", true},
      {"b?cher", "b\xc3\xbc\x63her", true},
      {"[a]", "a", false},
      {"a\\*", "a\\b", true},
  };
  for (const Row& row : rows) assert_int_equal(glob_match(row.pattern, row.text), row.matches);
}

// A pattern that makes a backtracking matcher take exponential time.
void globs_stay_quick(void**) {
  std::string pattern;
  for (int i = 0; i < 40; ++i) pattern += "a*";
  assert_false(glob_match(pattern + "b", std::string(5000, 'a')));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(names_become_text),
      cmocka_unit_test(what_is_no_name_gives_nothing),
      cmocka_unit_test(text_becomes_a_name),
      cmocka_unit_test(types_have_their_names),
      cmocka_unit_test(classes_and_rcodes_have_their_names),
      cmocka_unit_test(addresses_are_written_as_rfc_5952_says),
      cmocka_unit_test(addresses_agree_with_the_system),
      cmocka_unit_test(names_are_equal_without_case_and_final_dot),
      cmocka_unit_test(names_lie_under_their_ancestors),
      cmocka_unit_test(globs_match),
      cmocka_unit_test(globs_stay_quick),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
