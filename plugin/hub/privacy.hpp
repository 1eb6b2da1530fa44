// What `privacy` leaves of an address and of a name, where it leaves a part. Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "config/options.hpp"
#include "events/network.hpp"

namespace bindcast {

[[nodiscard]] constexpr bool masks_nothing(const PrivacyOptions& how) noexcept {
  return how == PrivacyOptions{};
}

// The /24 or /56 that it is in, or itself where it is larger.
[[nodiscard]] Network network_of_client(const Network& client) noexcept;

// The last two labels, or all there are; in presentation form, and in wire form.
[[nodiscard]] std::string_view domain_of(std::string_view name) noexcept;
[[nodiscard]] std::span<const std::uint8_t> domain_of(std::span<const std::uint8_t> wire) noexcept;

}  // namespace bindcast
