#include "plugin/server/roles.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "config/roles.hpp"

namespace bindcast {

namespace {

// The configuration was validated when it was read.
Filter compiled(const std::string& expression) {
  Filter filter;
  Filter::Error error;
  if (!Filter::compile(expression, filter, error)) throw std::invalid_argument(error.message);
  return filter;
}

EventTypes types_of(const RoleOptions& role, const EventsOptions& events) {
  EventTypes types;
  for (std::size_t i = 0; i < kEventTypeCount; ++i) {
    const auto type = static_cast<EventType>(i);
    const bool named = (role.categories.empty() && role.types.empty()) ||
                       std::ranges::find(role.categories, type_info(type).category) != role.categories.end() ||
                       std::ranges::find(role.types, type) != role.types.end();
    types.set(i, named && (role.audience == Audience::admin || audience_of(type, events) == Audience::all));
  }
  return types;
}

std::optional<Subscription> subscription_of(const std::string& name, const RoleOptions::Subscribe& wanted) {
  if (wanted == RoleOptions::Subscribe{}) return std::nullopt;
  Subscription made;
  made.name = name;
  for (const Category category : wanted.categories) made.categories.set(static_cast<std::size_t>(category));
  for (const EventType type : wanted.types) made.types.set(static_cast<std::size_t>(type));
  made.filter = compiled(wanted.filter);
  return made;
}

}  // namespace

void Roles::configure(const Options& options) {
  std::map<std::string, Role, std::less<>> made;
  for (const auto& [name, role] : roles_in_force(options)) {
    Role& entry = made[name];
    for (std::size_t i = 0; i < kRightCount; ++i) entry.rights.set(i, allows(role, static_cast<Right>(i)));
    entry.sees = {.types = types_of(role, options.events), .filter = compiled(role.filter), .privacy = role.privacy};
    entry.subscribes = subscription_of(name, role.subscribe);
  }
  roles_ = std::move(made);
}

bool Roles::may(const User& user, Right right) const {
  return std::ranges::any_of(user.roles, [&](const std::string& name) {
    const auto role = roles_.find(name);
    return role != roles_.end() && role->second.rights.test(static_cast<std::size_t>(right));
  });
}

std::shared_ptr<const Sight> Roles::sight(const User& user) const {
  std::vector<Sight::Part> parts;
  for (const std::string& name : user.roles) {
    const auto role = roles_.find(name);
    if (role != roles_.end() && role->second.rights.test(static_cast<std::size_t>(Right::watch)))
      parts.push_back(role->second.sees);
  }
  return std::make_shared<const Sight>(std::move(parts), may(user, Right::administer));
}

std::vector<Subscription> Roles::subscriptions(const User& user) const {
  std::vector<Subscription> made;
  if (!may(user, Right::watch)) return made;
  for (const std::string& name : user.roles) {
    const auto role = roles_.find(name);
    if (role != roles_.end() && role->second.subscribes) made.push_back(*role->second.subscribes);
  }
  return made;
}

}  // namespace bindcast
