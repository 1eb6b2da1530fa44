// bindcast check: the faults of a configuration, as named-checkconf finds them.

#include "config/load.hpp"
#include "tool/commands.hpp"
#include "tool/output.hpp"

namespace bindcast::tool {

void check(const std::string& file) {
  const LoadResult result = load_options_file(file);
  for (const ConfigFault& fault : result.faults) complain(fault.text());
  if (!result.ok()) throw Failure(Exit::refused, file + ": not valid");
  print_line(file + ": no faults");
}

}  // namespace bindcast::tool
