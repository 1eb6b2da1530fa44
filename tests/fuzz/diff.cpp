// The diff of zones: random zones in BIND's own database, random changes; what is told, applied to the old version,
// gives the new one, and each `before` is what was there. Where the journal tells of states in between, those too.
//
// An input: how to compare, then one change after the other, of the tables below. Its first kBaseChanges changes make
// the old version.
#include <unistd.h>

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "fuzz.hpp"
#include "zone_database.h"

namespace {

using bindcast::fuzz::Input;
using bindcast::fuzz::require;

constexpr int kMostChanges = 60, kMostRun = 100;

// "@" is the apex, and one name lies outside of the zone.
constexpr const char* kNames[] = {"@",
                                  "a",
                                  "A",
                                  "b.a",
                                  "B.A",
                                  "*",
                                  "*.a",
                                  "c.b.a",
                                  "deep.er.ent",
                                  "x.deep.ent",
                                  "ns",
                                  "sub",
                                  "ns.sub",
                                  "_sip._tcp",
                                  "\\000.a",
                                  "dotted\\.label",
                                  "sp\\032ace",
                                  "z",
                                  "y.z",
                                  "aaaa",
                                  "aaaaaaaaaa",
                                  "other.test.",
                                  "com.example",
                                  "\\\"q\\\"",
                                  "63aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
// Names of NSEC3 records, which BIND keeps in a tree of their own.
constexpr const char* kHashedNames[] = {"0p9mhaveqvm6t7vbl5lop2u3t2rp3tom", "2t7b4g4vsa5smi47k61mv5bv1a22bojr",
                                        "35mthgpgcu1qg68fab165klnsnk3dpvl"};
constexpr std::uint32_t kTtls[] = {300, 0, 1, 3600, 86400, 0x7fffffff};

struct Rdata {
  const char* type;
  const char* text;  // "%u": a number of the input
  const char* covers = "";
};
constexpr Rdata kRdata[] = {
    {"A", "192.0.2.%u"},
    {"A", "192.0.2.1"},
    {"AAAA", "2001:db8::%x"},
    {"NS", "ns%u.example."},
    {"NS", "ns.sub"},
    {"CNAME", "c%u"},
    {"DNAME", "d%u.example."},
    {"MX", "%u mail"},
    {"MX", "10 MAIL.example."},
    {"MX", "10 mail.EXAMPLE."},
    {"TXT", "\"v=spf1 -all\" \"%u\""},
    {"TXT", "\"\""},
    {"TXT", "\"\\%03u\""},
    {"SRV", "0 5 %u sip"},
    {"CAA", "0 issue \"ca%u.example\""},
    {"TYPE65280", "\\# 1 %02x"},
    {"TYPE65280", "\\# 0"},
    {"TYPE65534", "\\# 5 08%02x0000%02x"},
    {"DS", "%u 8 2 E2D3C916F6DEEAC73294E8268FB5885044A833FC5459588F4A9184CFC41A5766"},
    {"DNSKEY", "257 3 8 AwEAAQ=="},
    {"CDS", "%u 8 2 E2D3C916F6DEEAC73294E8268FB5885044A833FC5459588F4A9184CFC41A5766"},
    {"CDNSKEY", "257 3 8 AwEAAQ=="},
    {"NSEC", "n%u.example. A RRSIG NSEC"},
    {"NSEC3PARAM", "1 0 %u -"},
    {"RRSIG", "A 8 2 300 20300101000000 20200101000000 %u example. c2ln", "A"},
    {"RRSIG", "MX 8 2 300 20300101000000 20200101000000 %u example. c2ln", "MX"},
    {"RRSIG", "NSEC 8 2 300 20300101000000 20200101000000 %u example. c2ln", "NSEC"},
    // From here on only below hashed names.
    {"NSEC3", "1 0 %u - 35MTHGPGCU1QG68FAB165KLNSNK3DPVL A"},
    {"RRSIG", "NSEC3 8 2 300 20300101000000 20200101000000 %u example. c2ln", "NSEC3"},
};
constexpr std::size_t kHashedRdata = 2;

// ── What a zone holds ─────────────────────────────────────────────────────────

struct RecordSet {
  std::uint32_t ttl = 0;
  std::set<std::string> rdata;
  bool operator==(const RecordSet&) const = default;
};
struct Content {
  std::map<std::pair<std::string, std::string>, RecordSet> sets;  // by owner, and type with what it covers
  bool dnssec_records = true;
  bool operator==(const Content&) const = default;
};

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return text;
}

bool is_signature(std::string_view type) {
  return type == "RRSIG" || type == "NSEC" || type == "NSEC3" || type == "NSEC3PARAM" || type == "TYPE65534";
}
bool is_key(std::string_view type) {
  return type == "DNSKEY" || type == "CDS" || type == "CDNSKEY";
}

// The serial and the TTL of an SOA are not told as a record, and the case of names in rdata is no difference.
void put(RecordSet& set, std::string_view type, std::uint32_t ttl, std::string text) {
  if (type == "SOA") {
    std::size_t at = text.find(' ', text.find(' ') + 1) + 1;
    text.replace(at, text.find(' ', at) - at, "-");
    ttl = 0;
  }
  if (type != "TXT") text = lower(std::move(text));
  set.ttl = ttl;
  require(set.rdata.insert(std::move(text)).second, "an RRset has no record twice");
}

Content content_of(const zone_version* version, bool dnssec_records) {
  Content content;
  content.dnssec_records = dnssec_records;
  zone_each_record(
      version,
      [](void* closure, const char* name, const char* type, const char* covers, std::uint32_t ttl, const char* rdata) {
        auto& into = *static_cast<Content*>(closure);
        if (!into.dnssec_records && is_signature(type)) return;
        put(into.sets[{lower(name), std::string(type) + " " + covers}], type, ttl, rdata);
      },
      &content);
  return content;
}

std::string difference(const Content& a, const Content& b) {
  std::string text;
  for (const auto* side : {&a, &b}) {
    const Content& other = side == &a ? b : a;
    for (const auto& [key, set] : side->sets) {
      const auto found = other.sets.find(key);
      if (found != other.sets.end() && found->second == set) continue;
      text +=
          (side == &a ? "\n  applied:  " : "\n  database: ") + key.first + " " + key.second + std::to_string(set.ttl);
      for (const std::string& rdata : set.rdata) text += " | " + rdata;
    }
  }
  return text;
}

// ── What is told ──────────────────────────────────────────────────────────────

struct Told {
  Content content;                              // the old version, with what was told so far
  std::map<std::uint32_t, Content> in_between;  // the content at each serial
  std::uint32_t serial = 0;
  bool has_serials = true;
  unsigned committed = 0, begun = 0;
};
Told* g_told = nullptr;

}  // namespace

struct bindcast_change {
  Content content;
  std::uint32_t from, to;
  std::string cause;
  bool ordinary = false;
};

extern "C" {

bindcast_change* bindcast_change_begin(bindcast_runtime*, const bindcast_zone* zone, std::uint32_t serial_from,
                                       std::uint32_t serial_to, const char*) {
  require(++g_told->begun == 1, "one change set at a time");
  require(serial_from == g_told->serial, "change sets follow each other");
  require(zone->has_serial == g_told->has_serials && zone->serial == serial_to, "a change set has the zone's serial");
  return new bindcast_change{g_told->content, serial_from, serial_to, zone->cause};
}

void bindcast_change_record(bindcast_change* change, const bindcast_record* record) {
  const std::string type = record->rtype;
  require(g_told->content.dnssec_records || !is_signature(type), "what is not shown is not told", type);
  require(record->before.count + record->after.count > 0, "a difference has a side", record->name);
  std::string covers;
  if (type == "RRSIG") {
    covers = record->before.count > 0 ? record->before.rdata[0] : record->after.rdata[0];
    covers.resize(covers.find(' '));
  }
  const auto side = [&](const bindcast_rrset& rrset) {
    RecordSet set;
    for (std::size_t i = 0; i < rrset.count; ++i) put(set, type, rrset.ttl, rrset.rdata[i]);
    return set;
  };
  const RecordSet before = side(record->before), after = side(record->after);
  const std::pair key{lower(record->name), type + " " + covers};
  const auto found = change->content.sets.find(key);
  const RecordSet there = found == change->content.sets.end() ? RecordSet{} : found->second;
  require(before == there, "`before` is what was there", key.first + " " + key.second);
  require(before != after, "what is told differs", key.first + " " + key.second);
  if (after.rdata.empty()) {
    change->content.sets.erase(key);
  } else {
    change->content.sets[key] = after;
  }
  change->ordinary = change->ordinary || (!is_signature(type) && !is_key(type) && type != "SOA");
}

void bindcast_change_commit(bindcast_change* change) {
  --g_told->begun;
  ++g_told->committed;
  require(change->cause != "signing" || !change->ordinary, "an ordinary record is not changed by signing");
  if (const auto found = g_told->in_between.find(change->to); found != g_told->in_between.end())
    require(change->content == found->second, "a change set leads to the content of its serial",
            difference(change->content, found->second));
  g_told->content = change->content;
  g_told->serial = change->to;
  delete change;
}

void bindcast_change_abandon(bindcast_change* change) {
  --g_told->begun;
  delete change;
}

}  // extern "C"

namespace {

// ── Changes ───────────────────────────────────────────────────────────────────

// The journal is written anew for each input; in memory, because BIND waits for the disk.
const char* journal_path() {
  static const std::string path = "/dev/shm/bindcast-fuzz-" + std::to_string(getpid()) + ".jnl";
  static const bool removed_at_exit = std::atexit([] { unlink(path.c_str()); }) == 0;
  (void)removed_at_exit;
  return path.c_str();
}

struct Owner {
  std::string name;
  Rdata rdata;
  std::string text;
};

Owner owner_of(Input& input) {
  const std::uint8_t which = input.byte(), what = input.byte(), number = input.byte();
  Owner owner;
  owner.rdata = kRdata[what % std::size(kRdata)];
  const bool hashed = what % std::size(kRdata) >= std::size(kRdata) - kHashedRdata;
  if (hashed) {
    owner.name = kHashedNames[which % std::size(kHashedNames)];
  } else {
    owner.name = which < 200 ? kNames[which % std::size(kNames)] : "h" + std::to_string(which);
  }
  char text[200];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  std::snprintf(text, sizeof text, owner.rdata.text, number, number);
#pragma GCC diagnostic pop
  owner.text = text;
  return owner;
}

void change(zone_database* zone, Input& input) {
  const std::uint8_t what = input.byte();
  const std::uint32_t ttl = kTtls[(what >> 4) % std::size(kTtls)];
  switch (what & 15) {
    case 0:
    case 1:
    case 2:
    case 3: {
      const Owner owner = owner_of(input);
      return zone_add(zone, owner.name.c_str(), owner.rdata.type, ttl, owner.text.c_str());
    }
    case 4:
    case 5: {
      const Owner owner = owner_of(input);
      return zone_remove(zone, owner.name.c_str(), owner.rdata.type, owner.text.c_str());
    }
    case 6: {
      const Owner owner = owner_of(input);
      return zone_remove_rrset(zone, owner.name.c_str(), owner.rdata.type, owner.rdata.covers);
    }
    case 7:
      return zone_remove_name(zone, owner_of(input).name.c_str());
    case 8: {
      const Owner owner = owner_of(input);
      return zone_set_ttl(zone, owner.name.c_str(), owner.rdata.type, owner.rdata.covers, ttl);
    }
    case 9: {  // many names in a row, below one that may not exist
      const int first = input.byte(), count = input.byte() % kMostRun;
      const std::string below = kNames[input.byte() % 21];
      for (int i = first; i < first + count; ++i) {
        const std::string name = "r" + std::to_string(i) + (below == "@" ? "" : "." + below);
        (what & 0x80) != 0 ? zone_remove_name(zone, name.c_str())
                           : zone_add(zone, name.c_str(), "A", ttl, ("192.0.2." + std::to_string(i % 256)).c_str());
      }
      return;
    }
    case 10: {  // a record of arbitrary bytes
      const std::string name = kNames[input.byte() % std::size(kNames)];
      const std::string_view bytes = input.text();
      std::string text = "\\# " + std::to_string(bytes.size()) + " ";
      for (const unsigned char byte : bytes) {
        char hex[3];
        std::snprintf(hex, sizeof hex, "%02x", byte);
        text += hex;
      }
      return zone_add(zone, name.c_str(), "TYPE65281", ttl, text.c_str());
    }
    case 11:  // the SOA with other figures; its serial stays until zone_end
      zone_set_ttl(zone, "@", "SOA", "", ttl);
      return;
    default:
      return;
  }
}

void play(Input& input) {
  const std::uint8_t how = input.byte();
  // Mostly as a dynamic update changes a zone, with a journal.
  const bool dnssec_records = (how & 1) != 0, reloaded = how >= 192, journalled = how < 160;
  const int base_changes = input.byte() % 32;
  unlink(journal_path());
  const char* journal = journalled ? journal_path() : nullptr;

  zone_database* zone = zone_create();
  zone_begin(zone);
  for (int i = 0; i < base_changes; ++i) change(zone, input);
  zone_end(zone, true, journal);
  zone_version* const old_version = zone_open(zone);
  zone_database* const changed = reloaded ? zone_copy(zone) : zone;

  Told told;
  told.content = content_of(old_version, dnssec_records);
  told.serial = zone_serial(old_version);
  told.has_serials = (how & 12) != 12;
  zone_version* new_version = nullptr;
  const auto commit = [&](std::uint8_t what) {
    const bool next_serial = (what & 0x10) == 0 || journalled;
    const bool lost = (what & 0x20) != 0;  // the journal, and with it what it said so far
    zone_end(changed, next_serial, lost ? nullptr : journal);
    if (lost) unlink(journal_path());
    if (new_version == nullptr && next_serial) {
      zone_version* const now = zone_open(changed);
      told.in_between.insert_or_assign(zone_serial(now), content_of(now, dnssec_records));
      zone_close(now);
    }
  };
  zone_begin(changed);
  std::uint8_t last = 0;
  for (int i = 0; i < kMostChanges && !input.empty(); ++i) {
    const std::uint8_t what = input.byte();
    if (what < 200) {
      change(changed, input);
      continue;
    }
    last = what;
    commit(what);
    // What is written after the new version was looked at is none of its business.
    if (what >= 250 && new_version == nullptr) new_version = zone_open(changed);
    zone_begin(changed);
  }
  commit(last);
  if (new_version == nullptr) new_version = zone_open(changed);

  const Content expected = content_of(new_version, dnssec_records);
  const Content old_whole = content_of(old_version, true), new_whole = content_of(new_version, true);
  // Changes without a serial of their own: what is told with a serial that was committed before is the latest content.
  told.in_between.insert_or_assign(zone_serial(new_version), expected);
  g_told = &told;
  const zone_comparison comparison{.old_version = old_version,
                                   .new_version = new_version,
                                   .journal = journal,
                                   .transferred = (how & 2) != 0,
                                   .has_serials = told.has_serials,
                                   .dnssec_records = dnssec_records};
  zone_compare(&comparison);
  require(told.begun == 0, "what was begun is ended");
  require(told.content == expected, "what was told leads to the new version", difference(told.content, expected));
  if (old_whole == new_whole && zone_serial(old_version) == zone_serial(new_version))
    require(told.committed == 0, "nothing is told of nothing");
  if (told.has_serials && zone_serial(old_version) != zone_serial(new_version))
    require(told.committed > 0 && told.serial == zone_serial(new_version), "a new serial is told");
  g_told = nullptr;
  zone_close(old_version);
  zone_close(new_version);
  if (reloaded) zone_destroy(changed);
  zone_destroy(zone);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  play(input);
  return 0;
}
