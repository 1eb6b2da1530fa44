// The batching profiles: what each sets before single keys override it. Pure; any thread.
#pragma once

#include "config/options.hpp"

namespace bindcast {

void apply_profile(BatchingOptions::Profile profile, Options& options);

}  // namespace bindcast
