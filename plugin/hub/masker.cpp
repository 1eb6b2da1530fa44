#include "plugin/hub/masker.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "events/dns_text.hpp"
#include "events/network.hpp"
#include "plugin/changes/policy_rule.hpp"

namespace bindcast {

namespace {

constexpr std::int64_t kDayUs = 24LL * 3600 * 1'000'000;
constexpr std::string_view kHashBegins = "hash:";
constexpr std::size_t kHashBytes = 8;

enum class Holds : std::uint8_t {
  nothing,
  address,  // of a client, or what else names one (a key's name): what is no address is hashed where a prefix is asked
  port,     // of a client: with its address it would tell it again
  if_address,  // an address, or something else
  name,        // that was asked for
  free_text,   // that may say any of these: gone where any is masked
  rule,        // of a policy zone: by its trigger a client's network, or by what was asked what is like it
};

struct Member {
  std::string_view key;
  Holds holds;
  std::string_view inside = {};  // only as a member of this one
};

// Every member of an event that tells of a client, by the length of its name: each value of each event is looked up.
constexpr Member kMembers[] = {
    {"ecs", Holds::address},
    {"key", Holds::address, "actor"},
    {"peer", Holds::address},
    {"rule", Holds::rule},
    {"after", Holds::if_address},
    {"qname", Holds::name},
    {"before", Holds::if_address},
    {"client", Holds::address},
    {"domain", Holds::name},
    {"qnames", Holds::name},
    {"clients", Holds::address},
    {"subject", Holds::rule},
    {"tsig_key", Holds::address},
    {"client_ip", Holds::address},
    {"source_ip", Holds::address},
    {"ip_address", Holds::address},
    {"query_name", Holds::name},
    {"client_port", Holds::port},
    {"log_message", Holds::free_text},
    {"client_address", Holds::address},
    {"remote_address", Holds::address},
};
constexpr std::size_t kLongestMember = kMembers[std::size(kMembers) - 1].key.size();
static_assert(std::ranges::is_sorted(kMembers, {}, [](const Member& member) { return member.key.size(); }));

// Where the members of each length begin.
constexpr auto kByLength = [] {
  std::array<std::uint8_t, kLongestMember + 2> begins{};
  for (std::size_t length = 0; length < begins.size(); ++length)
    for (const Member& member : kMembers) begins[length] += member.key.size() < length;
  return begins;
}();

Holds held_by(std::string_view key, std::string_view inside) noexcept {
  if (key.size() > kLongestMember) return Holds::nothing;
  for (std::size_t i = kByLength[key.size()]; i < kByLength[key.size() + 1]; ++i) {
    const Member& member = kMembers[i];
    if (member.key == key && (member.inside.empty() || member.inside == inside)) return member.holds;
  }
  return Holds::nothing;
}

bool is_hash(std::string_view text) noexcept {
  return text.size() == kHashBegins.size() + 2 * kHashBytes && text.starts_with(kHashBegins) &&
         std::ranges::all_of(text.substr(kHashBegins.size()),
                             [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// ::ffff:192.0.2.1 is 192.0.2.1.
void unmap(Network& network) noexcept {
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (network.family != 6 || network.prefix < 96 || !std::equal(kMapped.begin(), kMapped.end(), network.bytes.begin()))
    return;
  network.family = 4;
  network.prefix -= 96;
  std::rotate(network.bytes.begin(), network.bytes.begin() + 12, network.bytes.end());
  std::fill(network.bytes.begin() + 4, network.bytes.end(), std::uint8_t{0});
}

std::string network_text(const Network& network) {
  return address_text(network) + "/" + std::to_string(network.prefix);
}

std::string_view bytes_of(const Network& network) noexcept {
  return {reinterpret_cast<const char*>(network.bytes.data()), network.bytes.size()};
}

// Without case and final dot, as names compare.
std::string canonical_name(std::string_view name) {
  if (name.size() > 1 && name.ends_with('.')) name.remove_suffix(1);
  std::string text(name);
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return text;
}

}  // namespace

void Masker::FreeMac::operator()(evp_mac_ctx_st* mac) const noexcept {
  EVP_MAC_CTX_free(mac);
}

// 64 bits of SipHash-2-4. `kind` keeps addresses and names apart.
std::string Masker::hash(std::string_view kind, std::string_view what, Now now) {
  if (!mac_) {
    EVP_MAC* const siphash = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
    mac_.reset(siphash == nullptr ? nullptr : EVP_MAC_CTX_new(siphash));
    EVP_MAC_free(siphash);
    if (!mac_) throw std::runtime_error("OpenSSL has no SipHash");
  }
  if (const std::int64_t day = now.wall_us / kDayUs; day != key_day_) {
    if (RAND_bytes(key_.data(), static_cast<int>(key_.size())) != 1) throw std::runtime_error("no random bytes");
    key_day_ = day;
  }
  const auto* const first = reinterpret_cast<const unsigned char*>(kind.data());
  const auto* const then = reinterpret_cast<const unsigned char*>(what.data());
  std::array<unsigned char, 16> digest{};
  std::size_t size = 0;
  if (EVP_MAC_init(mac_.get(), key_.data(), key_.size(), nullptr) != 1 ||
      EVP_MAC_update(mac_.get(), first, kind.size()) != 1 || EVP_MAC_update(mac_.get(), then, what.size()) != 1 ||
      EVP_MAC_final(mac_.get(), digest.data(), &size, digest.size()) != 1 || size < kHashBytes)
    throw std::runtime_error("OpenSSL cannot hash");
  constexpr char kHex[] = "0123456789abcdef";
  std::string hashed(kHashBegins);
  for (std::size_t i = 0; i < kHashBytes; ++i) {
    hashed.push_back(kHex[digest[i] >> 4]);
    hashed.push_back(kHex[digest[i] & 15]);
  }
  return hashed;
}

std::optional<std::string> Masker::address(std::string_view text, ClientAddressPrivacy how, Now now) {
  if (how == ClientAddressPrivacy::none) return std::nullopt;
  if (how == ClientAddressPrivacy::full || text.empty() || is_hash(text)) return std::string(text);
  Network network;
  if (!parse_network(text, network)) return hash("other/", text, now);
  unmap(network);
  if (how == ClientAddressPrivacy::prefix) return network_text(network_of_client(network));
  return hash(std::to_string(network.family) + "/" + std::to_string(network.prefix) + "/", bytes_of(network), now);
}

std::optional<std::string> Masker::name(std::string_view text, QueryNamePrivacy how, Now now) {
  switch (how) {
    case QueryNamePrivacy::full:
      break;
    case QueryNamePrivacy::domain:
      return std::string(domain_of(text));
    case QueryNamePrivacy::hash:
      if (!text.empty() && !is_hash(text)) return hash("name/", canonical_name(text), now);
      break;
    case QueryNamePrivacy::none:
      return std::nullopt;
  }
  return std::string(text);
}

// ── One event ────────────────────────────────────────────────────────────────────────────────────────────────────────

// Copies a tree, what is to be masked masked.
class Masker::Walk {
 public:
  Walk(Masker& masker, const PrivacyOptions& how, bool of_a_query, Fields& out, Now now)
      : masker_(masker), how_(how), of_a_query_(of_a_query), out_(out), now_(now) {}

  // False: nothing was to be masked.
  bool all_of(const Fields& fields) {
    const Fields::Value root = fields.root();
    for (auto value = root.first(); value; value = value.next()) copy(root, value, held_by(value.key(), {}));
    return changed_;
  }

 private:
  [[nodiscard]] bool hides_addresses() const noexcept { return how_.client_address != ClientAddressPrivacy::full; }

  void copy(Fields::Value parent, Fields::Value value, Holds holds) {
    const bool array = value.kind() == Fields::Kind::array;
    if (array || value.kind() == Fields::Kind::object) {
      array ? out_.begin_array(value.key()) : out_.begin_object(value.key());
      for (auto child = value.first(); child; child = child.next()) {
        Holds held = array ? holds : held_by(child.key(), value.key());
        // What stands inside of a client tells of it, however it is called.
        if (!array && held == Holds::nothing && (holds == Holds::address || holds == Holds::name)) held = holds;
        copy(array ? parent : value, child, held);
      }
      out_.end();
    } else if (holds == Holds::nothing) {
      out_.add_copy(value.key(), value);
    } else if (value.kind() == Fields::Kind::text) {
      put(value.key(), value.text(), masked(parent, value, holds));
    } else if (hides_addresses() && (holds == Holds::port || (holds == Holds::address && value.key() == "client"))) {
      changed_ = true;  // an address as a number
    } else {
      out_.add_copy(value.key(), value);
    }
  }

  void put(std::string_view key, std::string_view before, const std::optional<std::string>& after) {
    changed_ = changed_ || after != before;
    if (after) out_.add(key, *after);
  }

  std::optional<std::string> masked(Fields::Value parent, Fields::Value value, Holds holds) {
    const std::string_view text = value.text();
    Network network;
    switch (holds) {
      case Holds::address:
        return masker_.address(text, how_.client_address, now_);
      case Holds::if_address:
        if (parse_network(text, network)) return masker_.address(text, how_.client_address, now_);
        break;
      case Holds::port:
        if (hides_addresses()) return std::nullopt;
        break;
      case Holds::name:
        return masker_.name(text, how_.query_name, now_);
      case Holds::free_text:
        if (hides_addresses() || how_.query_name != QueryNamePrivacy::full) return std::nullopt;
        break;
      case Holds::rule:
        return masked_rule(parent, text);
      case Holds::nothing:
        break;
    }
    return std::string(text);
  }

  std::optional<std::string> masked_rule(Fields::Value parent, std::string_view text) {
    const std::string_view trigger = parent.find("trigger").text();
    auto of_client = client_ip_rule(text);
    if (of_client || trigger == "client-ip") {
      if (!hides_addresses() || is_hash(text)) return std::string(text);
      if (!of_client) return masker_.address(text, how_.client_address, now_);  // its subject
      if (how_.client_address != ClientAddressPrivacy::prefix)
        return masker_.address(network_text(of_client->network), how_.client_address, now_);
      of_client->network = network_of_client(of_client->network);
      return owner_name(*of_client);
    }
    // What a policy zone says is its author's; which of it was met tells what was asked.
    if (!of_a_query_) return std::string(text);
    std::string_view zone = parent.find("policy_zone").text();
    std::size_t of_zone = zone.size() + 1;
    if (zone.empty() || text.size() <= of_zone || !name_under(text, zone)) of_zone = 0;
    constexpr std::string_view kNameServers = ".rpz-nsdname";
    const std::string_view relative = text.substr(0, text.size() - of_zone);
    std::string_view asked = relative;
    if (trigger == "nsdname" && name_under(relative, kNameServers.substr(1)) && relative.size() > kNameServers.size())
      asked.remove_suffix(kNameServers.size());
    if (how_.query_name != QueryNamePrivacy::domain) return masker_.name(asked, how_.query_name, now_);
    if (trigger == "ip" || trigger == "nsip") return std::string(text);
    return std::string(domain_of(asked)) + std::string(text.substr(asked.size()));
  }

  Masker& masker_;
  const PrivacyOptions& how_;
  const bool of_a_query_;
  Fields& out_;
  const Now now_;
  bool changed_ = false;
};

bool Masker::mask(Event& event, const PrivacyOptions& how, Now now) {
  if (masks_nothing(how)) return false;
  const bool of_a_query = static_cast<bool>(event.data.find("qname"));
  bool changed = false;
  for (Fields* fields : {&event.data, &event.custom_fields}) {
    if (fields->empty()) continue;
    masked_.clear();
    if (!Walk(*this, how, of_a_query, masked_, now).all_of(*fields)) continue;
    std::swap(*fields, masked_);
    changed = true;
  }
  return changed;
}

}  // namespace bindcast
