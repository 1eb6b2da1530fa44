/*
 * Looks at zones on named's task: who is there, and whose content is no longer what is held.
 *
 * Two kinds of step: a glance at a few zones of the table, found by name; and a portion of a full sweep, which goes
 * through all zones of all our views. The first portion collects them; they stay referenced until each was looked at, a
 * chunk of them per task event, so that no thread of named is held for long. After the last portion nothing but the
 * databases of what changed stays referenced. Between two portions there may be glances.
 *
 * Called by the zone thread only. While a step runs, the zone table belongs to it: the thread waits and leaves it
 * alone.
 *
 * The state is static and each step has a number: an event that comes late, or never (named drops what its task has
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
	char *file, *journal;	     /* NULL: none */
};

/* What a step has found. */
struct zone_step {
	struct zone_sight *sights;
	uint64_t busy_ns; /* how long the task worked for it */
	/* Of a glance. */
	bool missing; /* a zone was not found */
	/* Of a portion. */
	bool last;	/* the full sweep is through */
	uint64_t sweep; /* its number: entries seen have it in their `seen` */
	size_t views;
	uint64_t views_mark; /* another one when a (re)load has replaced the views */
};

enum zone_step_state { ZONE_STEP_RUNNING, ZONE_STEP_DONE, ZONE_STEP_FAILED };

/*
 * Each begins a step; `finished` is called on the task when it is done or has failed, without a lock. False when there
 * is no task; then, and when it has failed, the full sweep under way is given up. The entries must be the table's.
 */
bool
zone_sweep_glance(const struct zone_table *table, struct zone_entry *const *entries, size_t count,
		  void (*finished)(void));

/* Goes on with the full sweep under way, or begins one. `builtin`: look at automatic zones too. */
bool
zone_sweep_portion(const struct zone_table *table, bool builtin, void (*finished)(void));

enum zone_step_state
zone_sweep_state(void);

/* Takes the outcome of a step that is ZONE_STEP_DONE; each sight is then the caller's, to free. */
void
zone_sweep_take(struct zone_step *step);

/* Gives up the step and the full sweep under way, if any, and releases what they held. */
void
zone_sweep_cancel(void);

void
zone_sight_free(struct zone_sight *sight);
