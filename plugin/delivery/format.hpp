// The forms in which events travel: the WebSocket subprotocols.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bindcast {

// plain: no subprotocol was asked for.
enum class Format : std::uint8_t { plain, json, deflate, cloudevents };
inline constexpr std::array<std::string_view, 4> kSubprotocols{"", "bindcast.v1.json", "bindcast.v1.deflate",
                                                               "cloudevents.json"};
[[nodiscard]] constexpr std::string_view subprotocol_of(Format format) noexcept {
  return kSubprotocols[static_cast<std::size_t>(format)];
}
// Does a client of this format get batches unless it says otherwise? May it have them at all?
[[nodiscard]] constexpr bool batches_by_default(Format format) noexcept {
  return format == Format::json || format == Format::deflate;
}
[[nodiscard]] constexpr bool may_batch(Format format) noexcept {
  return format != Format::cloudevents;
}

}  // namespace bindcast
