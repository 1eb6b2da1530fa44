// Folding of repeated policy hits, with a hand-driven clock: the first at once, the rest counted, none lost.

#include "harness.hpp"

#include <cstring>
#include <tuple>
#include <vector>

#include "plugin/capture/rpz_fold.hpp"

namespace {

using bindcast::ClientAddressPrivacy;
using bindcast::Now;
using bindcast::PrivacyOptions;
using bindcast::QueryNamePrivacy;
using bindcast::QueryRecord;
using bindcast::QueryView;
using bindcast::RpzFold;

// "<label>." in wire form after a record with that client.
std::vector<std::byte> payload(std::uint8_t client, std::string_view label) {
  QueryRecord record{};
  record.has_rpz = true;
  record.client_family = 4;
  record.client[3] = client;
  record.qname_size = static_cast<std::uint8_t>(label.size() + 2);
  std::vector<std::byte> bytes(sizeof record + record.qname_size);
  std::memcpy(bytes.data(), &record, sizeof record);
  bytes[sizeof record] = static_cast<std::byte>(label.size());
  std::memcpy(bytes.data() + sizeof record + 1, label.data(), label.size());
  return bytes;
}

struct Told {
  std::vector<std::uint64_t> counts;
  RpzFold fold{[this](const QueryView&, std::uint64_t count, Now) { counts.push_back(count); }};
  void hit(std::uint8_t client, std::string_view label, std::int64_t at_us) {
    const auto bytes = payload(client, label);
    QueryView query;
    assert_true(QueryView::read(bytes, query));
    fold.hit(bytes, query, {.mono_us = at_us});
  }
};

void the_first_is_told_at_once_and_repeats_when_the_window_ends(void**) {
  Told told;
  told.fold.set_window(1000);
  told.hit(1, "bad", 0);
  told.hit(1, "bad", 10);
  told.hit(1, "BAD", 20);  // names compare without case
  assert_int_equal(told.counts.size(), 1);
  told.fold.expire({.mono_us = 999});
  assert_int_equal(told.counts.size(), 1);
  told.fold.expire({.mono_us = 1000});
  assert_int_equal(told.counts.size(), 2);
  assert_int_equal(told.counts[1], 2);
}

void other_clients_and_names_are_not_folded_together(void**) {
  Told told;
  told.hit(1, "bad", 0);
  told.hit(2, "bad", 0);
  told.hit(1, "worse", 0);
  assert_int_equal(told.counts.size(), 3);
}

void what_privacy_hides_makes_no_difference(void**) {
  using enum ClientAddressPrivacy;
  using Name = QueryNamePrivacy;
  // Clients 1 and 2 ask for two names each; so many different hits are there.
  const std::tuple<PrivacyOptions, std::size_t> rows[] = {
      {{full, Name::full}, 4}, {{hash, Name::hash}, 4}, {{prefix, Name::full}, 2}, {{none, Name::full}, 2},
      {{full, Name::none}, 2}, {{none, Name::none}, 1}, {{full, Name::domain}, 4},  // of one label, both are as they
                                                                                    // were
  };
  for (const auto& [privacy, different] : rows) {
    Told told;
    told.fold.set_privacy(privacy);
    for (const std::uint8_t client : {1, 2})
      for (const char* label : {"bad", "worse"}) told.hit(client, label, 0);
    assert_int_equal(told.counts.size(), different);
  }
}

void a_steady_stream_gives_one_event_per_window(void**) {
  Told told;
  told.fold.set_window(1000);
  for (std::int64_t at = 0; at < 10'000; at += 10) {
    told.fold.expire({.mono_us = at});
    told.hit(1, "bad", at);
  }
  told.fold.expire({.mono_us = 10'000}, true);
  std::uint64_t sum = 0;
  for (const std::uint64_t count : told.counts) sum += count;
  assert_int_equal(sum, 1000);
  assert_in_range(told.counts.size(), 10, 12);
}

void after_silence_the_next_hit_is_told_at_once(void**) {
  Told told;
  told.fold.set_window(1000);
  told.hit(1, "bad", 0);
  told.fold.expire({.mono_us = 1000});
  assert_int_equal(told.counts.size(), 1);
  assert_int_equal(told.fold.next_expiry_us(), -1);
  told.hit(1, "bad", 2000);
  assert_int_equal(told.counts.size(), 2);
}

void a_full_table_tells_singly_and_loses_none(void**) {
  Told told;
  for (std::size_t i = 0; i < RpzFold::kMaxFolded + 100; ++i) told.hit(1, "n" + std::to_string(i), 0);
  told.hit(1, "n" + std::to_string(RpzFold::kMaxFolded + 5), 1);
  assert_int_equal(told.counts.size(), RpzFold::kMaxFolded + 101);
}

void no_window_means_no_folding(void**) {
  Told told;
  told.fold.set_window(0);
  told.hit(1, "bad", 0);
  told.hit(1, "bad", 0);
  assert_int_equal(told.counts.size(), 2);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(the_first_is_told_at_once_and_repeats_when_the_window_ends),
      cmocka_unit_test(other_clients_and_names_are_not_folded_together),
      cmocka_unit_test(what_privacy_hides_makes_no_difference),
      cmocka_unit_test(a_steady_stream_gives_one_event_per_window),
      cmocka_unit_test(after_silence_the_next_hit_is_told_at_once),
      cmocka_unit_test(a_full_table_tells_singly_and_loses_none),
      cmocka_unit_test(no_window_means_no_folding),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
