// A configuration as people may see it: every value as YAML text under a path of its own, without secrets.
//
// Entries of lists stand under their name ("auth.tokens[backup-job].roles"), steps of escalation under their place.
// Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "config/item.hpp"
#include "config/options.hpp"

namespace bindcast {

struct ShownOption {
  std::string path;
  std::string value;                 // "(hidden)" for a secret that is set
  const ItemText* about = nullptr;   // the key, which lives for ever
  const ItemText* option = nullptr;  // the same, or the list or mapping that it is of an entry of
  // From the default; a key without one differs wherever it is written.
  [[nodiscard]] bool differs() const { return value != about->fallback; }
};

// In the order of the table. A list or mapping without entries is one value.
[[nodiscard]] std::vector<ShownOption> shown_options(const Options& options);

// Every value as it is, secrets too; for comparison.
[[nodiscard]] std::vector<ShownValue> show_all(const Options& options);
[[nodiscard]] std::string for_people(const ShownValue& value);

}  // namespace bindcast
