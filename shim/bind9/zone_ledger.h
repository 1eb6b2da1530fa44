/*
 * What is known of the zones, and what it means when one is seen otherwise: the events of zones come from here.
 *
 * A sight (zone_sweep.h) is compared with the entry of its zone; the entry then holds what was seen. Owned and used by
 * the zone thread alone (zone_watch.h).
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shim/bind9/zone_sweep.h"
#include "shim/bind9/zone_table.h"
#include "shim/bindcast.h"

/* A (re)load of named's configuration. */
struct zone_reload {
	bool noted; /* since the last complete sweep began */
	bool under_way;
	uint64_t since_ms;
	char correlation[27];
};

struct zone_ledger {
	bindcast_runtime *runtime;
	struct zone_table table;
	struct bindcast_zone_watch options;
	bool swept;		   /* a first sweep was complete */
	bool builtin_changed;	   /* events.zones.builtin is not what it was in the last complete sweep */
	bool views_replaced;	   /* since the last complete sweep; may be seen before the reload is noted */
	struct zone_reload reload; /* as the sweep under way began */
	const atomic_bool *stop;   /* nothing long is begun once it is set */
	struct zone_reload (*last_reload)(void);
};

/* Takes what the sight holds; tells what differs. `sweep`: the number of the sweep under way. */
void
zone_ledger_compare(struct zone_ledger *ledger, struct zone_sight *sight, uint64_t sweep);

/* After a complete sweep: the zones that it did not meet are gone. */
void
zone_ledger_drop_unseen(struct zone_ledger *ledger, uint64_t sweep);

/* events.zones.ignore may have changed. */
void
zone_ledger_ignore_anew(struct zone_ledger *ledger);

/* Lets go of everything, without a word. */
void
zone_ledger_free(struct zone_ledger *ledger);
