// The roles there are: the built-in ones, and those of the configuration with what their YAML leaves open filled in.
//
// Pure; any thread.
#pragma once

#include <map>
#include <string>

#include "config/options.hpp"

namespace bindcast {

// By name. Of each, `may` and `audience` are there.
[[nodiscard]] std::map<std::string, RoleOptions> roles_in_force(const Options& options);

[[nodiscard]] bool allows(const RoleOptions& role, Right right) noexcept;

// Whom events of that type are for: as the types' table says, or as `events.types` does.
[[nodiscard]] Audience audience_of(EventType type, const EventsOptions& events) noexcept;

}  // namespace bindcast
