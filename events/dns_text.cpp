// DNS data as text. See dns_text.hpp.
#include "events/dns_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "events/digits.hpp"
#include "events/plain_text.hpp"

namespace bindcast {
namespace {

using Entry = std::pair<std::uint16_t, std::string_view>;

// The IANA registry of resource record types; type 0 and unassigned numbers are written as RFC 3597 says.
constexpr Entry kTypeNames[] = {
    {1, "A"},          {2, "NS"},        {3, "MD"},          {4, "MF"},     {5, "CNAME"},     {6, "SOA"},
    {7, "MB"},         {8, "MG"},        {9, "MR"},          {10, "NULL"},  {11, "WKS"},      {12, "PTR"},
    {13, "HINFO"},     {14, "MINFO"},    {15, "MX"},         {16, "TXT"},   {17, "RP"},       {18, "AFSDB"},
    {19, "X25"},       {20, "ISDN"},     {21, "RT"},         {22, "NSAP"},  {23, "NSAP-PTR"}, {24, "SIG"},
    {25, "KEY"},       {26, "PX"},       {27, "GPOS"},       {28, "AAAA"},  {29, "LOC"},      {30, "NXT"},
    {31, "EID"},       {32, "NIMLOC"},   {33, "SRV"},        {34, "ATMA"},  {35, "NAPTR"},    {36, "KX"},
    {37, "CERT"},      {38, "A6"},       {39, "DNAME"},      {40, "SINK"},  {41, "OPT"},      {42, "APL"},
    {43, "DS"},        {44, "SSHFP"},    {45, "IPSECKEY"},   {46, "RRSIG"}, {47, "NSEC"},     {48, "DNSKEY"},
    {49, "DHCID"},     {50, "NSEC3"},    {51, "NSEC3PARAM"}, {52, "TLSA"},  {53, "SMIMEA"},   {55, "HIP"},
    {56, "NINFO"},     {57, "RKEY"},     {58, "TALINK"},     {59, "CDS"},   {60, "CDNSKEY"},  {61, "OPENPGPKEY"},
    {62, "CSYNC"},     {63, "ZONEMD"},   {64, "SVCB"},       {65, "HTTPS"}, {66, "DSYNC"},    {67, "HHIT"},
    {68, "BRID"},      {99, "SPF"},      {100, "UINFO"},     {101, "UID"},  {102, "GID"},     {103, "UNSPEC"},
    {104, "NID"},      {105, "L32"},     {106, "L64"},       {107, "LP"},   {108, "EUI48"},   {109, "EUI64"},
    {128, "NXNAME"},   {249, "TKEY"},    {250, "TSIG"},      {251, "IXFR"}, {252, "AXFR"},    {253, "MAILB"},
    {254, "MAILA"},    {255, "ANY"},     {256, "URI"},       {257, "CAA"},  {258, "AVC"},     {259, "DOA"},
    {260, "AMTRELAY"}, {261, "RESINFO"}, {262, "WALLET"},    {263, "CLA"},  {264, "IPN"},     {32768, "TA"},
    {32769, "DLV"},
};

constexpr Entry kClassNames[] = {{1, "IN"}, {3, "CH"}, {4, "HS"}, {254, "NONE"}, {255, "ANY"}};

constexpr Entry kRcodeNames[] = {
    {0, "NOERROR"},  {1, "FORMERR"},    {2, "SERVFAIL"}, {3, "NXDOMAIN"},  {4, "NOTIMP"},
    {5, "REFUSED"},  {6, "YXDOMAIN"},   {7, "YXRRSET"},  {8, "NXRRSET"},   {9, "NOTAUTH"},
    {10, "NOTZONE"}, {11, "DSOTYPENI"}, {16, "BADVERS"}, {17, "BADKEY"},   {18, "BADTIME"},
    {19, "BADMODE"}, {20, "BADNAME"},   {21, "BADALG"},  {22, "BADTRUNC"}, {23, "BADCOOKIE"},
};

// A name in a row of constant length, so that copying it takes no call. `size` 0: there is none.
struct CodeName {
  char text[kMaxCodeText];
  std::uint8_t size;
};

// The names of small numbers, indexed by the number: the hot path looks up a type and an rcode for every query.
template <std::size_t size, std::size_t count>
constexpr std::array<CodeName, size> make_index(const Entry (&entries)[count]) {
  std::array<CodeName, size> index{};
  for (const auto& [code, name] : entries) {
    if (code >= size) continue;
    std::ranges::copy(name, index[code].text);
    index[code].size = static_cast<std::uint8_t>(name.size());
  }
  return index;
}

constexpr auto kTypeIndex = make_index<265>(kTypeNames);
constexpr auto kClassIndex = make_index<256>(kClassNames);
constexpr auto kRcodeIndex = make_index<24>(kRcodeNames);

char* write_coded(char* out, std::span<const CodeName> index, std::uint16_t code, std::string_view prefix) noexcept {
  if (code < index.size() && index[code].size != 0) {
    std::memcpy(out, index[code].text, kMaxCodeText);
    return out + index[code].size;
  }
  out = copy_text(out, prefix);
  return std::to_chars(out, out + 5, code).ptr;
}

constexpr std::size_t kMaxLabelBytes = 63;

// How a byte of a label is written. What needs a backslash in a master file is the same set as BIND's, so that one name
// has one text everywhere.
enum Escape : std::uint8_t { kNone = 0, kBackslash = 1, kDecimal = 2 };

constexpr auto kEscapes = [] {
  std::array<Escape, 256> escapes{};
  for (std::size_t byte = 0; byte < escapes.size(); ++byte)
    if (byte <= 0x20 || byte >= 0x7f) escapes[byte] = kDecimal;
  for (const char c : std::string_view("\"$().;@\\")) escapes[static_cast<unsigned char>(c)] = kBackslash;
  return escapes;
}();

char* write_escaped_label(char* out, std::span<const std::uint8_t> label) noexcept {
  for (const std::uint8_t byte : label) {
    if (kEscapes[byte] != kNone) *out++ = '\\';
    if (kEscapes[byte] == kDecimal) {
      *out++ = static_cast<char>('0' + byte / 100);
      out = write_2_digits(out, byte % 100U);
    } else {
      *out++ = static_cast<char>(byte);
    }
  }
  return out;
}

char* write_label(char* out, std::span<const std::uint8_t> label) noexcept {
  unsigned escapes = kNone;
  for (std::size_t i = 0; i < label.size(); ++i) {
    out[i] = static_cast<char>(label[i]);
    escapes |= kEscapes[label[i]];
  }
  return escapes == kNone ? out + label.size() : write_escaped_label(out, label);
}

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

// Walks a name in presentation form byte by byte, escapes undone, case folded; the final dot is not part of the walk.
class NameReader {
 public:
  static constexpr int kEnd = -1;
  static constexpr int kDot = -2;  // between two labels

  explicit NameReader(std::string_view name) : rest_(name) {}

  // A byte of a label, kDot or kEnd.
  int next() noexcept {
    if (rest_.empty()) return kEnd;
    const char c = take();
    if (c == '.') return rest_.empty() ? kEnd : kDot;
    if (c != '\\' || rest_.empty()) return fold(c);
    if (rest_.size() >= 3 && is_digit(rest_[0]) && is_digit(rest_[1]) && is_digit(rest_[2])) {
      const int value = (rest_[0] - '0') * 100 + (rest_[1] - '0') * 10 + (rest_[2] - '0');
      if (value <= 255) {
        rest_.remove_prefix(3);
        return fold(static_cast<char>(value));
      }
    }
    return fold(take());
  }

  // The number of labels from here on; 0 for the root.
  [[nodiscard]] std::size_t labels() const noexcept {
    NameReader walker = *this;
    std::size_t count = 0;
    for (int c = walker.next(); c != kEnd; c = walker.next()) {
      if (count == 0 || c == kDot) ++count;
    }
    return count;
  }

  void skip_labels(std::size_t count) noexcept {
    while (count > 0) {
      const int c = next();
      if (c == kEnd) return;
      if (c == kDot) --count;
    }
  }

 private:
  char take() noexcept {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  static int fold(char c) noexcept { return static_cast<unsigned char>(lower(c)); }

  std::string_view rest_;
};

bool same_rest(NameReader a, NameReader b) noexcept {
  for (;;) {
    const int c = a.next();
    if (c != b.next()) return false;
    if (c == NameReader::kEnd) return true;
  }
}

// An octet in decimal, in a row of constant length.
struct Octet {
  char text[3];
  std::uint8_t size;
};

constexpr auto kOctets = [] {
  std::array<Octet, 256> octets{};
  for (unsigned value = 0; value < octets.size(); ++value) {
    char* at = octets[value].text;
    if (value >= 100) *at++ = static_cast<char>('0' + value / 100);
    if (value >= 10) *at++ = static_cast<char>('0' + value / 10 % 10);
    *at++ = static_cast<char>('0' + value % 10);
    octets[value].size = static_cast<std::uint8_t>(at - octets[value].text);
  }
  return octets;
}();

char* write_v4(char* out, const std::uint8_t* bytes) noexcept {
  for (int i = 0; i < 4; ++i) {
    const Octet& octet = kOctets[bytes[i]];
    std::memcpy(out, octet.text, sizeof octet.text);
    out += octet.size;
    *out++ = '.';
  }
  return out - 1;
}

char* write_hex(char* out, unsigned group) noexcept {
  int shift = group >= 0x1000 ? 12 : group >= 0x100 ? 8 : group >= 0x10 ? 4 : 0;
  for (; shift >= 0; shift -= 4) *out++ = "0123456789abcdef"[group >> shift & 15];
  return out;
}

char* write_v6(char* out, const std::uint8_t* bytes) noexcept {
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < groups.size(); ++i) groups[i] = bytes[2 * i] * 256U + bytes[2 * i + 1];

  // The longest run of two or more zero groups is written as "::", the first of equals.
  std::size_t gap_at = groups.size(), gap_size = 1;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    std::size_t end = i;
    while (end < groups.size() && groups[end] == 0) ++end;
    if (end - i > gap_size) gap_at = i, gap_size = end - i;
    if (end > i) i = end - 1;
  }
  const bool mapped = gap_at == 0 && gap_size == 5 && groups[5] == 0xffff;

  const std::size_t hex_groups = mapped ? 6 : groups.size();
  for (std::size_t i = 0; i < hex_groups; ++i) {
    if (i == gap_at) {
      out = copy_text(out, "::");
      i += gap_size - 1;
      continue;
    }
    if (i != 0 && out[-1] != ':') *out++ = ':';
    out = write_hex(out, groups[i]);
  }
  if (!mapped) return out;
  *out++ = ':';
  return write_v4(out, bytes + 12);
}

}  // namespace

char* write_name(char* out, std::span<const std::uint8_t> wire) noexcept {
  if (wire.size() > kMaxNameBytes) return out;
  char* at = out;
  while (!wire.empty()) {
    const std::size_t size = wire.front();
    wire = wire.subspan(1);
    if (size == 0) {
      if (!wire.empty()) break;
      if (at == out) *at++ = '.';
      return at;
    }
    if (size > kMaxLabelBytes || size > wire.size()) break;
    if (at != out) *at++ = '.';
    at = write_label(at, wire.first(size));
    wire = wire.subspan(size);
  }
  return out;
}

std::size_t read_name(std::span<std::uint8_t, kMaxNameBytes> out, std::string_view text) noexcept {
  std::size_t label = 0, at = 1;  // where the present label begins, by its length, and where the next byte goes
  const auto close_label = [&] {
    const std::size_t size = at - label - 1;
    out[label] = static_cast<std::uint8_t>(size);
    return size;
  };
  NameReader reader(text);
  for (int c = reader.next(); c != NameReader::kEnd; c = reader.next()) {
    if (at == out.size()) return 0;
    if (c != NameReader::kDot) {
      out[at++] = static_cast<std::uint8_t>(c);
      continue;
    }
    if (const std::size_t size = close_label(); size == 0 || size > kMaxLabelBytes) return 0;
    label = at++;
  }
  const std::size_t size = close_label();
  if (size == 0) return label == 0 ? 1 : 0;  // the root, or an empty label
  if (size > kMaxLabelBytes || at == out.size()) return 0;
  out[at++] = 0;
  return at;
}

std::optional<std::uint16_t> read_rrtype(std::string_view text) noexcept {
  for (const Entry& entry : kTypeNames)
    if (entry.second == text) return entry.first;
  constexpr std::string_view kUnnamed = "TYPE";
  if (!text.starts_with(kUnnamed)) return std::nullopt;
  std::uint16_t type = 0;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data() + kUnnamed.size(), end, type);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return type;
}

char* write_rrtype(char* out, std::uint16_t type) noexcept {
  // The two numbers beyond the index.
  if (type >= kTypeIndex.size()) {
    for (const Entry& entry : kTypeNames) {
      if (entry.first == type) return copy_text(out, entry.second);
    }
  }
  return write_coded(out, kTypeIndex, type, "TYPE");
}

char* write_rrclass(char* out, std::uint16_t rrclass) noexcept {
  return write_coded(out, kClassIndex, rrclass, "CLASS");
}

char* write_rcode(char* out, std::uint16_t rcode) noexcept {
  return write_coded(out, kRcodeIndex, rcode, "RCODE");
}

char* write_address(char* out, int family, const std::uint8_t* bytes) noexcept {
  if (family == 6) return write_v6(out, bytes);
  return family == 4 ? write_v4(out, bytes) : out;
}

bool name_equal(std::string_view a, std::string_view b) noexcept {
  return same_rest(NameReader(a), NameReader(b));
}

bool name_under(std::string_view name, std::string_view ancestor) noexcept {
  NameReader below(name);
  const NameReader above(ancestor);
  const std::size_t have = below.labels(), want = above.labels();
  if (want == 0) return true;
  if (have < want) return false;
  below.skip_labels(have - want);
  return same_rest(below, above);
}

bool glob_match(std::string_view pattern, std::string_view text) noexcept {
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t p = 0, t = 0;
  std::size_t star = kNone, resume = 0;  // the last '*' and where the text after its run was tried
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == '?') {
      ++p, ++t;
      // The rest of one UTF-8 character.
      while (t < text.size() && (static_cast<unsigned char>(text[t]) & 0xC0) == 0x80) ++t;
    } else if (p < pattern.size() && lower(pattern[p]) == lower(text[t])) {
      ++p, ++t;
    } else if (star != kNone) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace bindcast
