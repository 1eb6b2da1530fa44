// DNS data as text. See dns_text.hpp.
#include "events/dns_text.hpp"

#include <array>
#include <charconv>
#include <utility>

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

// The names of small numbers, indexed by the number: the hot path looks up a type and an rcode for every query.
template <std::size_t size, std::size_t count>
constexpr std::array<std::string_view, size> make_index(const Entry (&entries)[count]) {
  std::array<std::string_view, size> index{};
  for (const Entry& entry : entries) {
    if (entry.first < size) index[entry.first] = entry.second;
  }
  return index;
}

constexpr auto kTypeIndex = make_index<265>(kTypeNames);
constexpr auto kClassIndex = make_index<256>(kClassNames);
constexpr auto kRcodeIndex = make_index<24>(kRcodeNames);

void append_number(std::string& out, unsigned value) {
  char digits[10];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

void append_coded(std::string& out, std::span<const std::string_view> index, std::uint16_t code,
                  std::string_view prefix) {
  if (code < index.size() && !index[code].empty()) {
    out.append(index[code]);
    return;
  }
  out.append(prefix);
  append_number(out, code);
}

constexpr std::size_t kMaxNameBytes = 255;
constexpr std::size_t kMaxLabelBytes = 63;

bool is_name(std::span<const std::uint8_t> wire) noexcept {
  if (wire.size() > kMaxNameBytes) return false;
  std::size_t at = 0;
  while (at < wire.size() && wire[at] != 0) {
    if (wire[at] > kMaxLabelBytes) return false;
    at += wire[at] + 1U;
  }
  return at + 1 == wire.size();
}

// What needs a backslash in a master file; the same set as BIND's, so that one name has one text everywhere.
bool is_special(std::uint8_t byte) noexcept {
  switch (byte) {
    case '"':
    case '$':
    case '(':
    case ')':
    case '.':
    case ';':
    case '@':
    case '\\':
      return true;
    default:
      return false;
  }
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

void append_v6(std::string& out, const std::uint8_t* bytes) {
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

  char text[4];
  const std::size_t hex_groups = mapped ? 6 : groups.size();
  for (std::size_t i = 0; i < hex_groups; ++i) {
    if (i == gap_at) {
      out.append("::");
      i += gap_size - 1;
      continue;
    }
    if (i != 0 && out.back() != ':') out.push_back(':');
    out.append(text, std::to_chars(text, text + sizeof text, groups[i], 16).ptr);
  }
  if (mapped) {
    out.push_back(':');
    append_address(out, 4, bytes + 12);
  }
}

}  // namespace

bool append_name(std::string& out, std::span<const std::uint8_t> wire) {
  if (!is_name(wire)) return false;
  if (wire.size() == 1) {
    out.push_back('.');
    return true;
  }
  for (std::size_t at = 0; wire[at] != 0;) {
    if (at != 0) out.push_back('.');
    const std::size_t end = at + wire[at] + 1U;
    for (++at; at < end; ++at) {
      const std::uint8_t byte = wire[at];
      if (byte <= 0x20 || byte >= 0x7f) {
        const char escaped[] = {'\\', static_cast<char>('0' + byte / 100), static_cast<char>('0' + byte / 10 % 10),
                                static_cast<char>('0' + byte % 10)};
        out.append(escaped, sizeof escaped);
        continue;
      }
      if (is_special(byte)) out.push_back('\\');
      out.push_back(static_cast<char>(byte));
    }
  }
  return true;
}

void append_rrtype(std::string& out, std::uint16_t type) {
  // The two numbers beyond the index.
  if (type >= kTypeIndex.size()) {
    for (const Entry& entry : kTypeNames) {
      if (entry.first == type) {
        out.append(entry.second);
        return;
      }
    }
  }
  append_coded(out, kTypeIndex, type, "TYPE");
}

void append_rrclass(std::string& out, std::uint16_t rrclass) {
  append_coded(out, kClassIndex, rrclass, "CLASS");
}

void append_rcode(std::string& out, std::uint16_t rcode) {
  append_coded(out, kRcodeIndex, rcode, "RCODE");
}

void append_address(std::string& out, int family, const std::uint8_t* bytes) {
  if (family == 6) {
    append_v6(out, bytes);
    return;
  }
  if (family != 4) return;
  for (int i = 0; i < 4; ++i) {
    if (i != 0) out.push_back('.');
    append_number(out, bytes[i]);
  }
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
