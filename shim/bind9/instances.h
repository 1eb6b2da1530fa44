/*
 * The plugin's instances: one for each view that has the directive, and for a moment two generations of them, because
 * on a reload the new ones register before the old ones are destroyed. The process-wide runtime lives while there is
 * any.
 */
#pragma once

#include <stdbool.h>

#include "shim/bind9/compat.h"
#include "shim/bindcast.h"

struct instance {
	ns_hooktable_t	*hooktable; /* borrowed; identifies the view */
	dns_view_t	*view_hint; /* from dyndb, or NULL; valid while the instance lives */
	unsigned	 load;	    /* number of the load that made it (loads.h); 0: not known yet */
	struct instance *next;
};

/* NULL without memory. Server task thread. */
struct instance *
instances_add(ns_hooktable_t *hooktable, isc_mem_t *mctx, dns_view_t *view_hint);

/* Server task thread. */
void
instances_set_load(struct instance *instance, unsigned load);

/* Frees `instance`; true when it was the last. Any named thread. */
bool
instances_remove(struct instance *instance);

/* Is this the hook table of a live instance? Any thread. */
bool
instances_own(const void *hooktable);

/* The load that made the instance of this hook table, or 0. Any thread. */
unsigned
instances_load_of(const void *hooktable);

/* Are there live instances of this load? Any thread. */
bool
instances_of_load(unsigned load);

/* The view of a live instance that dyndb told of, or NULL. Task only. */
dns_view_t *
instances_hinted_view(void);

/* named's memory context, while there is an instance. */
isc_mem_t *
instances_mctx(void);
