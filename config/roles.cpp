// What each role may do. See roles.hpp.
#include "config/roles.hpp"

#include <algorithm>

namespace bindcast {

namespace {

struct BuiltIn {
  std::string_view name;
  std::vector<Right> may;
  Audience audience;
};

const std::vector<BuiltIn>& built_in_roles() {
  using enum Right;
  static const std::vector<BuiltIn> roles{
      {"admin", {watch, acknowledge, publish, administer}, Audience::admin},
      {"operator", {watch, acknowledge}, Audience::all},
      {"viewer", {watch}, Audience::all},
      {"publisher", {publish}, Audience::all},
  };
  return roles;
}

}  // namespace

std::map<std::string, RoleOptions> roles_in_force(const Options& options) {
  std::map<std::string, RoleOptions> roles = options.roles;
  for (const BuiltIn& known : built_in_roles()) {
    RoleOptions& role = roles[std::string(known.name)];
    if (!role.may) role.may = known.may;
    if (!role.audience) role.audience = known.audience;
  }
  for (auto& [name, role] : roles) {
    if (!role.may) role.may = {Right::watch};
    if (!role.audience) role.audience = Audience::all;
  }
  return roles;
}

bool allows(const RoleOptions& role, Right right) noexcept {
  return role.may && std::ranges::find(*role.may, right) != role.may->end();
}

Audience audience_of(EventType type, const EventsOptions& events) noexcept {
  const auto change = events.types.find(type);
  const auto changed = change == events.types.end() ? std::nullopt : change->second.audience;
  return changed.value_or(type_info(type).audience);
}

}  // namespace bindcast
