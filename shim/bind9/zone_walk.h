/*
 * Walks the names of one version of a database in DNSSEC order, or finds single ones.
 *
 * Zone thread only. Two traps of BIND 9.18 decide how:
 *
 * - Two walks over one database that both kept its tree locked would deadlock with a writer waiting between them. So a
 *   walk takes a short batch of names, lets go of the tree, and goes on later by seeking the last name: a paused
 *   iterator alone would lose its place when a writer rebuilds the tree around it.
 * - The last reference to a node without data but with names below it must not be dropped while anybody else has the
 *   tree locked: the node is put aside as dead, the task that removes dead nodes never gets rid of it, and named spins
 *   for the rest of its life. So nodes that are empty in the version are only ever held while the iterator, which
 *   lets go of them properly, stands on them; the others have data as long as the version is open.
 */
#pragma once

#include <stdbool.h>

#include "shim/bind9/compat.h"

struct zone_walk;

/*
 * `db` and `version` are borrowed, and must outlive the walk. `options`: DNS_DB_NONSEC3 or DNS_DB_NSEC3ONLY. NULL when
 * memory or the database refuses.
 */
struct zone_walk *
zone_walk_begin(dns_db_t *db, dns_dbversion_t *version, unsigned options);

/*
 * The current name that has records, and its node, borrowed until the next zone_walk_next; false at the end and after a
 * failure.
 */
bool
zone_walk_current(struct zone_walk *walk, dns_name_t **name, dns_dbnode_t **node);

void
zone_walk_next(struct zone_walk *walk);

/* The database refused to go on: the names that follow are unknown, not absent. */
bool
zone_walk_failed(const struct zone_walk *walk);

/*
 * The node of `name`, borrowed until the next call; NULL when the name does not exist. A walk is used either for this
 * or for walking.
 */
dns_dbnode_t *
zone_walk_find(struct zone_walk *walk, const dns_name_t *name);

/* `walk` may be NULL. */
void
zone_walk_end(struct zone_walk *walk);
