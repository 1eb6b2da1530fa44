/*
 * A database of a zone and an open version of it, and how to let go of them without harm.
 *
 * On BIND 9.18 the last reference to a superseded version may only be dropped while no writer is at work: what the
 * close cannot remove because the tree is busy it puts aside as dead, nodes that still have names below them included,
 * and the task that removes dead nodes then spins over them for the rest of named's life. All writers of a zone run on
 * the zone's own task; so a superseded version is closed there, as an event.
 */
#pragma once

#include "shim/bind9/compat.h"

/* Zero-initialised is none. */
struct zone_content {
	dns_db_t *db;
	dns_dbversion_t *version; /* open, read only */
	isc_task_t *task;	  /* the zone's */
	isc_mem_t *mctx;	  /* the zone's */
};

/*
 * Has `zone` anything else now than `held`? If so it is attached to `out`: none, when nothing is loaded any more.
 * `held` stays as it is and is only compared. Bindcast's task.
 */
bool
zone_content_attach_other(dns_zone_t *zone, const struct zone_content *held, struct zone_content *out);

/* Lets go of it, perhaps a little later. Any thread. */
void
zone_content_release(struct zone_content *content);
