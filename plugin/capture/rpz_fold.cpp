#include "plugin/capture/rpz_fold.hpp"

#include <utility>

#include "plugin/hub/privacy.hpp"

namespace bindcast {

namespace {

// A hash keeps apart what is different.
constexpr bool tells_apart(ClientAddressPrivacy how) noexcept {
  return how == ClientAddressPrivacy::full || how == ClientAddressPrivacy::hash;
}
constexpr bool tells_apart(QueryNamePrivacy how) noexcept {
  return how == QueryNamePrivacy::full || how == QueryNamePrivacy::hash;
}

std::span<const std::uint8_t> masked(std::span<const std::uint8_t> wire, QueryNamePrivacy how) {
  if (tells_apart(how)) return wire;
  return how == QueryNamePrivacy::domain ? domain_of(wire) : std::span<const std::uint8_t>();
}

}  // namespace

std::string RpzFold::key_of(const QueryView& query) const {
  const QueryRecord& record = query.fixed;
  std::string key;
  key.reserve(64 + record.names_size());
  if (privacy_.client_address != ClientAddressPrivacy::none) {
    key.push_back(static_cast<char>(record.client_family));
    Network client{.family = record.client_family == 6 ? 6 : 4, .bytes = record.client, .prefix = 128};
    if (!tells_apart(privacy_.client_address)) client = network_of_client(client);
    key.append(reinterpret_cast<const char*>(client.bytes.data()), client.bytes.size());
  }
  key.push_back(static_cast<char>(record.trigger));
  key.push_back(static_cast<char>(record.action));
  key.push_back(static_cast<char>(record.qtype >> 8));
  key.push_back(static_cast<char>(record.qtype & 0xff));
  const auto append = [&key](std::span<const std::uint8_t> part) {
    key.push_back(static_cast<char>(part.size()));
    // DNS names compare without case (RFC 4343); label lengths are below 'A'.
    for (const std::uint8_t byte : part)
      key.push_back(static_cast<char>(byte >= 'A' && byte <= 'Z' ? byte + 32 : byte));
  };
  append(masked(query.qname, privacy_.query_name));
  append(query.policy_zone);
  const bool of_client = record.trigger == RpzTrigger::client_ip;
  if (of_client ? tells_apart(privacy_.client_address) : tells_apart(privacy_.query_name)) append(query.rule);
  key.append(query.view);
  return key;
}

void RpzFold::hit(std::span<const std::byte> payload, const QueryView& query, Now now) {
  if (window_us_ <= 0) {
    tell_(query, 1, now);
    return;
  }
  std::string key = key_of(query);
  if (const auto known = folded_.find(key); known != folded_.end()) {
    known->second.latest.assign(payload.begin(), payload.end());
    ++known->second.untold;
    return;
  }
  if (folded_.size() < kMaxFolded) begin_window(std::move(key), now);
  tell_(query, 1, now);
}

// Both or neither: a window without an end would fold its hits for ever.
void RpzFold::begin_window(std::string key, Now now) {
  expiries_.push_back({now.mono_us + window_us_, key});
  try {
    folded_.emplace(std::move(key), Folded{});
  } catch (...) {
    expiries_.pop_back();
    throw;
  }
}

void RpzFold::expire(Now now, bool all) {
  while (!expiries_.empty() && (all || expiries_.front().at_us <= now.mono_us)) {
    Expiry due = std::move(expiries_.front());
    expiries_.pop_front();
    const auto found = folded_.find(due.key);
    if (found == folded_.end()) continue;
    const Folded folded = std::move(found->second);
    folded_.erase(found);
    if (folded.untold == 0) continue;
    QueryView query;
    if (!QueryView::read(folded.latest, query)) continue;
    tell_(query, folded.untold, now);
    // Still going on: a new window begins, so that a steady stream gives one event per window.
    if (!all) begin_window(std::move(due.key), now);
  }
}

std::int64_t RpzFold::next_expiry_us() const noexcept {
  return expiries_.empty() ? -1 : expiries_.front().at_us;
}

}  // namespace bindcast
