/*
 * One look at all zones of all our views, on named's task: who is there, and whose content is no longer what is held.
 *
 * Called by the zone thread only. While a sweep runs, the zone table belongs to it: the thread waits and leaves it
 * alone. Zones are referenced from the collection until each was looked at, a chunk of them per task event, so that no
 * thread of named is held for long; then nothing but the databases of what changed stays referenced.
 *
 * The state is static and each sweep has a number: an event that comes late, or never (named drops what its task has
 * left at exit), finds another number and does nothing, and zone_sweep_cancel has released everything by then. So the
 * thread can end at any moment without waiting for the task.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/bind9/compat.h"
#include "shim/bind9/zone_table.h"

/* A zone that is new, or whose database or version differs from the one its entry holds. */
struct zone_sight {
	struct zone_sight *next;
	struct zone_entry *entry; /* NULL: not in the table */
	char *view;
	unsigned char origin[DNS_NAME_MAXWIRE];
	uint8_t origin_length;
	bool redirect;
	const char *type; /* static */
	bool transferred; /* the content comes from a primary server */
	bool policy_zone, automatic, added;
	bool expired; /* not loaded, and its time of expiry has passed */
	dns_rdatatype_t private_type;
	struct zone_content content; /* none: not loaded */
	char *journal;		     /* NULL: none */
};

struct zone_sweep {
	uint64_t number; /* entries seen have it in their `seen` */
	size_t views;
	uint64_t views_mark; /* another one when a (re)load has replaced the views */
	uint64_t busy_ns; /* how long the task worked for it */
	struct zone_sight *sights;
};

enum zone_sweep_state { ZONE_SWEEP_RUNNING, ZONE_SWEEP_DONE, ZONE_SWEEP_FAILED };

/*
 * Begins a sweep; `finished` is called on the task when it is done or has failed, without a lock. False when there is no
 * task. `builtin`: look at automatic zones too.
 */
bool
zone_sweep_begin(const struct zone_table *table, bool builtin, void (*finished)(void));

enum zone_sweep_state
zone_sweep_state(void);

/* Takes the outcome of a sweep that is ZONE_SWEEP_DONE; each sight is then the caller's, to free. */
void
zone_sweep_take(struct zone_sweep *sweep);

/* Gives up the sweep under way, if any, and releases what it held. */
void
zone_sweep_cancel(void);

void
zone_sight_free(struct zone_sight *sight);
