// The part of the table of options that says what Bindcast measures, probes and follows by itself.
#pragma once

#include "config/item.hpp"
#include "config/options.hpp"

namespace bindcast {

void add_sources(Table<Options>& table);
void add_health(Table<Options>& table);

}  // namespace bindcast
