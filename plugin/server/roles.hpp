// What the roles of a user come to: what he may do, what he sees, what he is subscribed to from the beginning. The
// roles themselves are the configuration's (config/roles.hpp); one that it does not know gives nothing. Loop thread
// only.
#pragma once

#include <bitset>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/options.hpp"
#include "plugin/hub/hub.hpp"
#include "plugin/server/identity.hpp"

namespace bindcast {

class Roles {
 public:
  explicit Roles(const Options& options) { configure(options); }
  // Sights and subscriptions handed out before stay as they are.
  void configure(const Options& options);

  [[nodiscard]] bool may(const User& user, Right right) const;
  // Of one who may not watch: nothing.
  [[nodiscard]] std::shared_ptr<const Sight> sight(const User& user) const;
  // One for each of the user's roles that has one, by the role's name.
  [[nodiscard]] std::vector<Subscription> subscriptions(const User& user) const;

 private:
  struct Role {
    std::bitset<kRightCount> rights;
    Sight::Part sees;
    std::optional<Subscription> subscribes;
  };
  std::map<std::string, Role, std::less<>> roles_;
};

}  // namespace bindcast
