// The tables of all keys of the YAML: of the whole configuration, and of the entries of its lists.
//
// Each is built at its first use and never changes; any thread.
#pragma once

#include "config/item.hpp"
#include "config/options.hpp"

namespace bindcast {

// Items of one section stand together, in the order in which config/example.yaml shows them.
[[nodiscard]] const Table<Options>& options_table();

[[nodiscard]] const Table<UserOptions>& user_table();
[[nodiscard]] const Table<TokenOptions>& token_table();
[[nodiscard]] const Table<RoleOptions>& role_table();
[[nodiscard]] const Table<TypeOverride>& type_override_table();
[[nodiscard]] const Table<EscalationStep>& escalation_table();

}  // namespace bindcast
