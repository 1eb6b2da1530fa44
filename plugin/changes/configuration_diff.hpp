// Which statements of the host's configuration differ between two texts in named.conf's grammar. Pure; any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace bindcast {

// Statements by path, in the order of paths: `options.recursion`, `zone "example.com".file`,
// `view "inside".zone "example.com".type`. A statement written several times has several values.
// Secrets are hidden before anything else sees them: key material, and the parameters of databases and modules.
using Statements = std::map<std::string, std::vector<std::string>, std::less<>>;

struct StatementChange {
  std::string path, before, after;  // an empty side: the statement was not there
};

// Reads what it can: text that is not balanced ends at the fault.
[[nodiscard]] Statements read_statements(std::string_view text);
[[nodiscard]] std::vector<StatementChange> changed_statements(const Statements& before, const Statements& after);

}  // namespace bindcast
