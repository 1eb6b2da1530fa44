// What comes in from the wire of DNS by way of a ring: names that a hostile client chose, in a record of ours.
#include <arpa/inet.h>

#include <memory>
#include <utility>
#include <vector>

#include "events/dns_text.hpp"
#include "events/json.hpp"
#include "fuzz.hpp"
#include "plugin/capture/query_event.hpp"
#include "plugin/capture/rpz_fold.hpp"
#include "plugin/server/messages.hpp"

namespace {

using namespace bindcast;
using fuzz::require;
using Bytes = std::span<const std::uint8_t>;

const StreamIdentity kStream{.epoch = "e", .host = "ns1", .service = "named"};

Bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// A name in presentation form as it is on the wire, by RFC 1035 section 5.1.
std::string wire_of(std::string_view text) {
  std::string wire, label;
  const auto end_label = [&] {
    wire += static_cast<char>(label.size());
    wire += std::exchange(label, {});
  };
  for (std::size_t i = 0; text != "." && i < text.size(); ++i) {
    if (text[i] == '.') {
      end_label();
    } else if (text[i] != '\\') {
      label += text[i];
    } else if (text[i + 1] >= '0' && text[i + 1] <= '9') {
      label += static_cast<char>((text[i + 1] - '0') * 100 + (text[i + 2] - '0') * 10 + (text[i + 3] - '0'));
      i += 3;
    } else {
      label += text[++i];
    }
  }
  if (!label.empty()) end_label();
  return wire + '\0';
}

void try_name(std::string_view wire) {
  std::vector<char> room(max_name_text(wire.size()) + 1);
  const std::string_view text(room.data(),
                              static_cast<std::size_t>(write_name(room.data(), bytes_of(wire)) - room.data()));
  if (text.empty()) return;
  require(std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c < 0x7f; }), "a name is plain text",
          text);
  require(wire_of(text) == wire, "a name's text says what it is", text);
  require(name_equal(text, text), "a name is itself", text);
  require(text == "." || name_equal(text, std::string(text) + "."), "a final dot does not count", text);
  // A name is under each of its ancestors, and no ancestor is under it.
  for (std::string_view below = wire; !below.empty(); below.remove_prefix(1 + static_cast<std::uint8_t>(below[0]))) {
    char above[kMaxNameText];
    const std::string_view ancestor(above, static_cast<std::size_t>(write_name(above, bytes_of(below)) - above));
    require(name_under(text, ancestor), "a name is under its ancestor",
            std::string(text) + " " + std::string(ancestor));
    require(below == wire || !name_under(ancestor, text), "an ancestor is not under a name", text);
  }
  std::string prefix(text);
  prefix += '*';
  require(glob_match(text, text) && glob_match(prefix, text) && glob_match("*", text), "a name is like itself", text);
}

void try_address(std::string_view bytes) {
  std::string whole(bytes);
  whole.resize(16);
  for (const int family : {4, 6}) {
    char text[kMaxAddressText + 1] = "";
    *write_address(text, family, bytes_of(whole).data()) = '\0';
    unsigned char again[16];
    require(inet_pton(family == 4 ? AF_INET : AF_INET6, text, again) == 1, "an address can be read", text);
    require(std::equal(again, again + (family == 4 ? 4 : 16), bytes_of(whole).data()), "an address is itself", text);
  }
}

QueryRecord fixed_part(fuzz::Input& input) {
  QueryRecord record{};
  record.ended_ns = input.number(5);
  record.latency_ns = input.number(5);
  record.sample = static_cast<std::uint32_t>(input.number(1));
  record.policy_serial = static_cast<std::uint32_t>(input.number(2));
  for (auto* code : {&record.client_port, &record.qtype, &record.qclass, &record.rcode, &record.flags, &record.answers,
                     &record.edns_udp_size, &record.ede_code})
    *code = static_cast<std::uint16_t>(input.number(2));
  record.edns_version = static_cast<std::int16_t>(input.number(2));
  constexpr std::uint8_t kFamilies[] = {0, 4, 6};
  record.client_family = kFamilies[input.byte() % 3];
  record.ecs_family = kFamilies[input.byte() % 3];
  std::ranges::copy(input.bytes(16), record.client.begin());
  std::ranges::copy(input.bytes(16), record.ecs.begin());
  record.ecs_source = input.byte();
  record.transport = static_cast<Transport>(input.byte() % 4);
  record.trigger = static_cast<RpzTrigger>(input.byte() % 5);
  record.action = static_cast<RpzAction>(input.byte() % 7);
  const std::uint8_t flags = input.byte();
  record.dropped = (flags & 1) != 0;
  record.recursed = (flags & 2) != 0;
  record.cached = (flags & 4) != 0;
  record.edns_do = (flags & 8) != 0;
  record.has_ede = (flags & 16) != 0;
  record.has_rpz = (flags & 32) != 0;
  return record;
}

// A text of the input as a name of the wire: cut into labels where it says so, or taken as it stands.
std::string name_from(fuzz::Input& input) {
  const std::string_view text = input.text();
  if (text.empty() || (static_cast<unsigned char>(text[0]) & 1) != 0) return std::string(text);
  std::string wire;
  fuzz::Input labels(bytes_of(text).data() + 1, text.size() - 1);
  while (!labels.empty() && wire.size() < 190) {
    const std::string_view label = labels.bytes(labels.byte() % 63 + 1U);
    if (label.empty()) break;
    wire += static_cast<char>(label.size());
    wire += label;
  }
  return wire + '\0';
}

void require_json(const Event& event) {
  EventWriter writer(kStream);
  const std::string_view text = writer.write(event);
  json_error_t fault;
  const Json root(json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault));
  require(root != nullptr, fault.text, text);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::vector<FeedRule> feeds{{"malware.*", "malware"}, {"*phish*", "phishing"}};
  std::uint64_t hits = 0, told = 0;
  Now now{.mono_us = 1'000'000'000'000, .wall_us = 1'795'442'531'000'000};
  RpzFold fold([&](const QueryView& query, std::uint64_t count, Now when) {
    told += count;
    require_json(rpz_event(query, feeds, count, when));
  });
  for (int records = 0; records < 8 && !input.empty(); ++records) {
    QueryRecord record = fixed_part(input);
    std::string names;
    const auto add = [&](std::uint8_t& length, const std::string& name) {
      try_name(name);
      length = static_cast<std::uint8_t>(name.size());
      names += name;
    };
    try_address({reinterpret_cast<const char*>(record.client.data()), record.client.size()});
    add(record.qname_size, name_from(input));
    add(record.tsig_size, name_from(input));
    add(record.view_size, std::string(input.text()));
    add(record.policy_zone_size, name_from(input));
    add(record.rule_size, name_from(input));
    const std::size_t missing = input.byte() % 16 == 0 ? input.byte() : 0;

    const std::size_t whole = sizeof record + names.size();
    std::vector<std::byte> payload(whole - std::min(missing, whole));
    std::string bytes(reinterpret_cast<const char*>(&record), sizeof record);
    bytes += names;
    std::ranges::copy(std::as_bytes(std::span(bytes)).first(payload.size()), payload.begin());
    QueryView view;
    const bool read = QueryView::read(payload, view);
    require(read == (missing == 0), "what is cut off is no record");
    if (!read) continue;
    Event event;
    for (const EventType type : {EventType::dns_query_log, EventType::dns_query_failed}) {
      write_query_event(event, type, view, {}, now);
      require_json(event);
    }
    ++hits;
    fold.hit(payload, view, now);
    now.mono_us += static_cast<std::int64_t>(input.byte()) * 100'000;
    fold.expire(now);
  }
  fold.expire(now, true);
  require(told == hits, "every hit is in one event's count");
  return 0;
}
