// The sketches of the analytics against exact counts, on traffic as skewed as that of names is, and on the worst there
// is.

#include "harness.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "plugin/analytics/hyperloglog.hpp"
#include "plugin/analytics/space_saving.hpp"
#include "plugin/histogram.hpp"
#include "plugin/registered_domains.hpp"
#include "plugin/siphash.hpp"

namespace {

using namespace bindcast;

constexpr SipHash::Key kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

std::uint64_t hash_of(std::uint64_t number) {
  std::array<std::uint8_t, 8> bytes;
  for (int i = 0; i < 8; ++i) bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(number >> (8 * i));
  return SipHash(kKey)(bytes);
}

// Numbers from 0, the n-th as often as 1/(n+1) has it.
class Zipf {
 public:
  explicit Zipf(std::size_t count) {
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) up_to_.push_back(sum += 1 / static_cast<double>(i + 1));
  }
  std::uint64_t next() {
    const double at = std::uniform_real_distribution<double>(0, up_to_.back())(random_);
    return static_cast<std::uint64_t>(std::upper_bound(up_to_.begin(), up_to_.end(), at) - up_to_.begin());
  }

 private:
  std::mt19937 random_{20261126};  // NOLINT: the same in every run is the point
  std::vector<double> up_to_;
};

// By another implementation, which gives the vectors of the paper (appendix A) with two and four rounds: the bytes 0,
// 1, 2, …
void siphash_is_siphash(void**) {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i);
  const SipHash hash(kKey);
  assert_int_equal(hash(std::span(bytes).first(0)), 0xabac0158050fc4dc);
  assert_int_equal(hash(std::span(bytes).first(1)), 0xc9f49bf37d57ca93);
  assert_int_equal(hash(std::span(bytes).first(7)), 0xd3927d989bb11140);
  assert_int_equal(hash(std::span(bytes).first(8)), 0x369095118d299a8e);
  assert_int_equal(hash(std::span(bytes).first(15)), 0xd320d86d2a519956);
  assert_int_equal(hash(std::span(bytes).first(16)), 0xcc4fdd1a7d908b66);
  const SipHash other = SipHash::random();
  assert_true(hash(bytes) != other(bytes));
}

// ── Space-Saving ─────────────────────────────────────────────────────────────────────────────────────────────────────

// Counts everything exactly beside it.
struct Counted {
  explicit Counted(std::size_t capacity = 256) : sketch(capacity), owners(capacity) {}
  SpaceSaving sketch;
  std::map<std::uint64_t, std::uint64_t> exact;
  std::vector<std::uint64_t> owners;  // the key of each slot
  std::uint64_t sum = 0;

  void add(std::uint64_t number, std::uint64_t weight) {
    const std::uint64_t key = hash_of(number);
    const auto added = sketch.add(key, weight);
    // A slot is fresh exactly when its owner does not know its key there yet.
    assert_int_equal(added.fresh, owners[added.slot] != key);
    owners[added.slot] = key;
    exact[key] += weight;
    sum += weight;
  }
  std::optional<SpaceSaving::Slot> slot_of(std::uint64_t key) const {
    const auto found = std::ranges::find(owners, key);
    if (found == owners.end()) return std::nullopt;
    return static_cast<SpaceSaving::Slot>(found - owners.begin());
  }
  void check() const {
    std::uint64_t counted = 0, least = UINT64_MAX;
    for (std::size_t i = 0; i < sketch.size(); ++i) {
      const auto slot = static_cast<SpaceSaving::Slot>(i);
      const std::uint64_t truth = exact.at(sketch.key(slot));
      assert_true(sketch.count(slot) >= truth);
      assert_true(sketch.count(slot) - sketch.error(slot) <= truth);
      assert_true(sketch.error(slot) <= sum / sketch.capacity());
      counted += sketch.count(slot);
      least = std::min(least, sketch.count(slot));
    }
    assert_int_equal(counted, sum);  // Lemma 3.1 of the paper
    if (!sketch.exact()) assert_int_equal(sketch.unseen(), least);
    for (const auto& [key, truth] : exact)
      if (truth > sketch.unseen()) assert_true(slot_of(key).has_value());
  }
};

void counts_are_exact_while_there_is_room(void**) {
  Counted counted;
  for (int round = 0; round < 5; ++round)
    for (std::uint64_t i = 0; i < 256; ++i)
      for (std::uint64_t times = 0; times <= i % 7; ++times) counted.add(i, 1);
  assert_true(counted.sketch.exact());
  assert_int_equal(counted.sketch.unseen(), 0);
  assert_int_equal(counted.sketch.size(), 256);
  for (const auto& [key, count] : counted.exact) {
    const SpaceSaving::Slot slot = counted.slot_of(key).value();
    assert_int_equal(counted.sketch.count(slot), count);
    assert_int_equal(counted.sketch.error(slot), 0);
  }
  counted.add(256, 1);
  assert_false(counted.sketch.exact());
  counted.check();
}

void the_most_frequent_are_found_and_no_error_exceeds_its_bound(void**) {
  Counted counted(1024);
  Zipf zipf(50'000);
  for (int i = 0; i < 200'000; ++i) counted.add(zipf.next(), 1);
  counted.check();
  using Ranked = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
  Ranked sketched, exact;
  for (std::size_t i = 0; i < counted.sketch.size(); ++i) {
    const auto slot = static_cast<SpaceSaving::Slot>(i);
    sketched.emplace_back(counted.sketch.count(slot), counted.sketch.key(slot));
  }
  for (const auto& [key, count] : counted.exact) exact.emplace_back(count, key);
  for (Ranked* ranked : {&sketched, &exact}) std::ranges::sort(*ranked, std::greater());
  int found = 0;
  for (const auto& [count, key] : std::span(exact).first(20))
    for (const auto& entry : std::span(sketched).first(20)) found += entry.second == key ? 1 : 0;
  assert_int_equal(found, 20);
}

void any_weights_and_any_order_keep_the_bounds(void**) {
  for (const std::uint64_t weights : {1, 10, 1000}) {
    Counted counted;
    Zipf zipf(2000);
    std::mt19937 random(1);  // NOLINT
    for (int i = 0; i < 20'000; ++i) {
      counted.add(zipf.next(), 1 + random() % weights);
      if (i % 2000 == 0) counted.check();
    }
    counted.check();
    counted.sketch.clear();
    assert_int_equal(counted.sketch.size(), 0);
    assert_true(counted.sketch.exact());
  }
}

void a_flood_of_new_keys_hides_nobody_who_is_frequent(void**) {
  Counted counted;
  for (std::uint64_t i = 0; i < 100'000; ++i) counted.add(i % 50 == 0 ? 0 : i, 1);
  counted.check();
  const SpaceSaving::Slot slot = counted.slot_of(hash_of(0)).value();
  assert_true(counted.sketch.count(slot) - counted.sketch.error(slot) <= 2000 && counted.sketch.count(slot) >= 2000);
}

void a_sketch_that_was_cleared_is_as_new(void**) {
  SpaceSaving sketch(4);
  for (std::uint64_t i = 0; i < 100; ++i) sketch.add(hash_of(i), 1 + i % 3);
  sketch.clear();
  for (std::uint64_t i = 0; i < 4; ++i) assert_true(sketch.add(hash_of(i), i + 1).fresh);
  for (std::uint64_t i = 0; i < 4; ++i) {
    const auto added = sketch.add(hash_of(i), 1);
    assert_false(added.fresh);
    assert_int_equal(sketch.count(added.slot), i + 2);
  }
  assert_true(sketch.exact());
}

// ── HyperLogLog, percentiles ─────────────────────────────────────────────────────────────────────────────────────────

void distinct_things_are_counted_within_the_standard_error(void**) {
  constexpr double kStandardError = 0.0081;
  // Few, and around where older estimators change their formula; three independent ones of each.
  for (const std::uint64_t count : {0, 1, 10, 1000, 20'000, 40'000, 65'000, 150'000}) {
    double squares = 0;
    for (std::uint64_t series = 0; series < 3; ++series) {
      HyperLogLog distinct;
      for (std::uint64_t i = 0; i < count; ++i) {
        distinct.add(hash_of((series << 40) + i));
        if (i % 3 == 0) distinct.add(hash_of((series << 40) + i));
      }
      const double off = static_cast<double>(distinct.estimate()) - static_cast<double>(count);
      if (count <= 10) assert_true(off == 0);
      const double share = count == 0 ? 0 : off / static_cast<double>(count);
      assert_true(std::abs(share) <= 3 * kStandardError);
      squares += share * share;
    }
    assert_true(std::sqrt(squares / 3) <= 2 * kStandardError);
  }
}

void merged_is_as_if_one_had_seen_all(void**) {
  HyperLogLog a, b, both;
  for (std::uint64_t i = 0; i < 30'000; ++i) {
    if (i < 20'000) a.add(hash_of(i));
    if (i >= 10'000) b.add(hash_of(i));
    both.add(hash_of(i));
  }
  a.merge(b);
  assert_int_equal(a.estimate(), both.estimate());
  a.clear();
  assert_int_equal(a.estimate(), 0);
}

// Latencies as they are: most from the cache, some recursed, a few timed out.
void percentiles_are_within_one_in_128(void**) {
  std::mt19937 random(7);  // NOLINT
  std::lognormal_distribution<double> cached(4, 0.5), recursed(10, 1);
  std::vector<std::int64_t> all;
  Histogram histogram, parts[3];
  for (int i = 0; i < 50'000; ++i) {
    all.push_back(1 + static_cast<std::int64_t>(i % 4 == 0 ? recursed(random) : cached(random)));
    parts[i % 3].record(all.back());
  }
  for (const Histogram& part : parts) histogram.add(part);
  std::ranges::sort(all);
  for (const int percent : {50, 90, 95, 99}) {
    const auto truth = static_cast<double>(all[all.size() * static_cast<std::size_t>(percent) / 100 - 1]);
    assert_true(std::abs(histogram.percentile(percent) - truth) <= truth / 128);
  }
}

// ── Registered domains ───────────────────────────────────────────────────────────────────────────────────────────────

std::vector<std::uint8_t> wire_of(std::string_view text) {
  std::vector<std::uint8_t> wire;
  while (!text.empty()) {
    const std::string_view label = text.substr(0, text.find('.'));
    wire.push_back(static_cast<std::uint8_t>(label.size()));
    wire.insert(wire.end(), label.begin(), label.end());
    text.remove_prefix(std::min(text.size(), label.size() + 1));
  }
  wire.push_back(0);
  return wire;
}

// As https://publicsuffix.org/list has it, twice: libpsl's answer and the remembered one.
void domains_are_by_the_public_suffix_list(void**) {
  const SipHash hash(kKey);
  RegisteredDomains domains(hash);
  struct {
    std::string_view name, domain;  // empty: none
  } const rows[] = {
      {"www.example.com", "example.com"},
      {"example.com", "example.com"},
      {"com", ""},
      {"co.uk", ""},
      {"a.b.example.co.uk", "example.co.uk"},
      {"x.y.unknown-tld", "y.unknown-tld"},
      {"localhost", ""},
      {"", ""},
      {"who.github.io", "who.github.io"},
      {"deep.down.who.github.io", "who.github.io"},
      {"www.ck", "www.ck"},  // an exception of *.ck
      {"a.b.whatever.ck", "b.whatever.ck"},
      {"www.city.kawasaki.jp", "city.kawasaki.jp"},
      {"a.b.kawasaki.jp", "a.b.kawasaki.jp"},
      {"4.3.2.1.in-addr.arpa", "1.in-addr.arpa"},
      {"a.b.c.d.e.f.g.h.i.j.k.l.m.n.example.org", "example.org"},
      {"bucket.s3.dualstack.eu-central-1.amazonaws.com", "bucket.s3.dualstack.eu-central-1.amazonaws.com"},
      {"xn--hxajbheg2az3al.xn--jxalpdlp", "xn--hxajbheg2az3al.xn--jxalpdlp"},
  };
  for (int round = 0; round < 2; ++round) {
    for (const auto& row : rows) {
      const auto wire = wire_of(row.name);
      const auto domain = domains.find(wire, hash(wire));
      if (domain.has_value() == row.domain.empty()) print_error("%s\n", std::string(row.name).c_str());
      assert_int_equal(domain.has_value(), !row.domain.empty());
      if (!domain) continue;
      const auto found = std::span(wire).subspan(domain->at);
      assert_true(std::ranges::equal(found, wire_of(row.domain)));
      assert_int_equal(domain->key, hash(found));
    }
  }
}

void hostile_names_have_a_domain_or_none(void**) {
  const SipHash hash(kKey);
  RegisteredDomains domains(hash);
  const auto domain_at = [&](std::vector<std::uint8_t> wire) {
    const auto domain = domains.find(wire, hash(wire));
    return domain ? domain->at : 255;
  };
  // A dot, a zero, a byte of UTF-8 inside of labels are none of the text's own.
  assert_int_equal(domain_at({1, 'x', 6, 'c', 'o', '.', 'u', 'k', 0, 3, 'c', 'o', 'm', 0}), 2);
  assert_int_equal(domain_at({1, 'x', 2, 0xc3, 0xa9, 3, 'c', 'o', 'm', 0}), 2);
  assert_int_equal(domain_at({1, 'x', 1, 0, 3, 'c', 'o', 'm', 0}), 2);
  std::vector<std::uint8_t> longest;
  for (int i = 0; i < 127; ++i) longest.insert(longest.end(), {1, '*'});
  longest.push_back(0);
  assert_int_equal(domain_at(longest), 250);
  // No names at all.
  assert_int_equal(domain_at({}), 255);
  assert_int_equal(domain_at({3, 'c', 'o', 'm'}), 255);
  assert_int_equal(domain_at({63, 'c', 'o', 'm', 0}), 255);
  assert_int_equal(domain_at({0, 0}), 255);
  assert_int_equal(domain_at({0xc0, 12}), 255);
  assert_int_equal(domain_at(std::vector<std::uint8_t>(300, 1)), 255);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(siphash_is_siphash),
      cmocka_unit_test(counts_are_exact_while_there_is_room),
      cmocka_unit_test(the_most_frequent_are_found_and_no_error_exceeds_its_bound),
      cmocka_unit_test(any_weights_and_any_order_keep_the_bounds),
      cmocka_unit_test(a_flood_of_new_keys_hides_nobody_who_is_frequent),
      cmocka_unit_test(a_sketch_that_was_cleared_is_as_new),
      cmocka_unit_test(distinct_things_are_counted_within_the_standard_error),
      cmocka_unit_test(merged_is_as_if_one_had_seen_all),
      cmocka_unit_test(percentiles_are_within_one_in_128),
      cmocka_unit_test(domains_are_by_the_public_suffix_list),
      cmocka_unit_test(hostile_names_have_a_domain_or_none),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
