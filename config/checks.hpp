// What must hold between keys, once each has been read by itself.
#pragma once

#include "config/options.hpp"
#include "config/reader.hpp"

namespace bindcast {

// Reports faults; fits the bounds of adaptive sizing to what was written. A check is left out when one of
// its keys is already faulty.
void check_options(Options& options, Reader& reader);

}  // namespace bindcast
