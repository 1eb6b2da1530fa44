/*
 * What named counts for itself: queries by rcode and type, quotas, caches, resolvers. Read on named's task when the loop
 * wants it; named counts anyway, so nothing of this is on a query's path.
 */
#pragma once

#include "shim/bindcast.h"

/* From here on what is wanted is read and told to `runtime`. Server task thread. */
void
server_counters_start(bindcast_runtime *runtime);

/* Nothing is told any more when it returns. Any named thread; takes no lock of BIND's. */
void
server_counters_stop(void);

/* Has all counters read on the task, soon; not at all while there is none. Any thread. */
void
server_counters_wanted(void *unused);
