/*
 * The zones the watch knows, by view name and origin: a hash table.
 *
 * A zone is known by name, never by address, so a reload that replaces views or zones neither deletes nor creates it.
 * Not locked: zone_sweep.h says who may use it when. An entry owns the content it holds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/bind9/compat.h"
#include "shim/bind9/zone_content.h"

/* What names a zone. The redirect zone of a view has the origin ".", as the root zone may have beside it. */
struct zone_key {
	const char *view;
	const unsigned char *origin; /* wire form, any case */
	uint8_t origin_length;
	bool redirect;
};

struct zone_file;

/* The sets of zone_attention.h. */
enum { ZONE_WOKEN, ZONE_CLOSE, ZONE_SETS };

struct zone_entry {
	struct zone_entry *next; /* in its bucket */
	uint32_t hash;
	uint64_t seen;		     /* the last sweep that met it */
	struct zone_content content; /* none: not loaded, or ignored */
	bool has_serial;
	uint32_t serial;
	const char *type; /* static */
	bool policy_zone, automatic;
	bool ignored;		 /* events.zones.ignore: no database is held */
	bool adopt;		 /* take the next database without a word */
	const char *load_cause;	 /* of its first load; static */
	uint64_t reloaded_at_ms; /* the reload that swapped its database last */
	struct zone_file *files; /* zone_files.h's */
	uint64_t close_until_ms; /* zone_attention.h's, and the next two */
	uint32_t place[ZONE_SETS];
	uint8_t looks;
	struct zone_key key; /* points into this entry */
	char *name;	     /* the origin in presentation form */
	char texts[];
};

struct zone_table {
	struct zone_entry **buckets;
	size_t bucket_count, count;
};

/* NULL when there is none. */
struct zone_entry *
zone_table_find(const struct zone_table *table, const struct zone_key *key);

/* A new entry under a copy of `key`, which must not be there yet; NULL when memory is short. */
struct zone_entry *
zone_table_add(struct zone_table *table, const struct zone_key *key);

/*
 * Calls `keep` for every entry; one for which it returns false is taken out and freed. It must not touch the table, and
 * before it returns false it must have released what the entry holds.
 */
void
zone_table_filter(struct zone_table *table, bool (*keep)(struct zone_entry *entry, void *closure), void *closure);

/* Frees the table itself, which must be empty. */
void
zone_table_free(struct zone_table *table);
