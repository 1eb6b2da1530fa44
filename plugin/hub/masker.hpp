// Masks what tells of people in an event: clients' addresses, and the names they asked for (`privacy`).
//
// Which members hold such things stands in one table (masker.cpp), for every event from wherever it comes: a member is
// known by its name, wherever in `data` or `custom_fields` it is. An address or name inside a free text is not found.
// What an event's masked member looks like: doc/roles.md. Masking what is masked already does nothing more, unless it
// is asked to leave it out. Loop thread only.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "config/options.hpp"
#include "events/event.hpp"
#include "plugin/clock.hpp"
#include "plugin/hub/privacy.hpp"

struct evp_mac_ctx_st;  // OpenSSL's

namespace bindcast {

class Masker {
 public:
  // False, and the event is as it was: there is nothing in it to mask. Throws when there is no key to be had.
  bool mask(Event& event, const PrivacyOptions& how, Now now);
  // Nothing: it is to be left out.
  [[nodiscard]] std::optional<std::string> address(std::string_view text, ClientAddressPrivacy how, Now now);
  [[nodiscard]] std::optional<std::string> name(std::string_view text, QueryNamePrivacy how, Now now);

 private:
  class Walk;
  [[nodiscard]] std::string hash(std::string_view kind, std::string_view what, Now now);

  struct FreeMac {
    void operator()(evp_mac_ctx_st* mac) const noexcept;
  };
  std::unique_ptr<evp_mac_ctx_st, FreeMac> mac_;
  // Of hashes: in memory only, and another one each day (UTC), so that nobody can undo a hash by trying all addresses
  // once the day is over or named has ended.
  std::array<unsigned char, 16> key_{};
  std::int64_t key_day_ = -1;
  Fields masked_;  // kept for its buffers
};

}  // namespace bindcast
