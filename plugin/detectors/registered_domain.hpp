// The one place that says where a domain begins that somebody registered: "example.co.uk" of "a.b.example.co.uk".
#pragma once

#include <cstdint>
#include <span>

namespace bindcast {

// A part of `wire`, which is a name in wire form; all of it where it is no longer. Pure; any thread.
[[nodiscard]] std::span<const std::uint8_t> registered_domain(std::span<const std::uint8_t> wire) noexcept;

}  // namespace bindcast
