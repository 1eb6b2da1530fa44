/*
 * Watches the zones of every view that carries the plugin, and tells the runtime what changes in them.
 *
 * A thread of its own (isc_thread_create) sweeps at the interval of events.zones.sweep: it has the task collect every
 * zone's database and current version, compares them with those it holds, and reads the differences (zone_diff.h).
 * A zone is known by view name and origin, never by address, so a reload neither deletes nor creates it. The thread
 * holds databases and versions (released on stop), never a zone and never a view between sweeps.
 */
#pragma once

#include <stdbool.h>

#include "shim/bindcast.h"

/* Starts the thread; false after logging why. Server task thread (plugin_register). */
bool
zone_watch_start(bindcast_runtime *runtime);

/*
 * Ends the thread, releasing every BIND reference; superseded versions go by an event on their zone's own task
 * (zone_content.h), which named runs before it exits. Returns within a fraction of a second: a diff under way looks at
 * the stop flag at every step, and the thread never waits for the task without looking at it too. Any named thread,
 * also one that the task would run on.
 */
void
zone_watch_stop(void);

/* Sweeps soon instead of at the next interval. Any thread; cheap, no allocation. */
void
zone_watch_wake(void);

/*
 * A (re)load of named's configuration took: what the next sweep finds new or gone was caused by it ("config"), content
 * that differs by "reload", all under this correlation id (27 bytes with the NUL). Any thread.
 */
void
zone_watch_reloaded(const char *correlation);
