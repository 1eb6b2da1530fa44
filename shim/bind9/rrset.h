/*
 * RRsets held outside a database: a sorted array of rdata in wire form, for before/after comparison.
 *
 * Used by the zone thread only. All memory comes from an arena, which is freed as a whole: nothing here is freed one by
 * one. A function that needs memory returns false (or NULL) when there is none.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/bind9/compat.h"

/* Memory that is given back all at once. Zero-initialised is empty. */
struct arena {
	struct arena_block *blocks;
};

void *
arena_take(struct arena *arena, size_t size);
/* Forgets everything taken; keeps one block for the next use. */
void
arena_reset(struct arena *arena);
void
arena_free(struct arena *arena);

struct wire_rdata {
	uint16_t length;
	unsigned char data[];
};

/* Sorted in DNSSEC order, without duplicates. Zero-initialised is the RRset that does not exist. */
struct rrset {
	uint32_t ttl;
	uint32_t count, capacity;
	struct wire_rdata **rdata;
};

/* Borrows item `index` of `set` as a dns_rdata_t of class IN. */
void
rrset_get(const struct rrset *set, uint32_t index, dns_rdatatype_t type, dns_rdata_t *out);

/* Adds a copy of `rdata`; one that is there already stays. The TTL of the set becomes `ttl`. */
bool
rrset_insert(struct arena *arena, struct rrset *set, uint32_t ttl, const dns_rdata_t *rdata);

/* Takes `rdata` out; nothing happens when it is not there. */
void
rrset_remove(struct rrset *set, const dns_rdata_t *rdata);

/* Fills the empty `set` from an associated rdataset. */
bool
rrset_load(struct arena *arena, struct rrset *set, dns_rdataset_t *rdataset);

/* `copy` gets an array of its own; the rdata, which never change, are shared. */
bool
rrset_copy(struct arena *arena, struct rrset *copy, const struct rrset *set);

/* Same TTL, same rdata. Of an SOA neither the TTL nor the serial counts: a change of serial alone is told elsewhere. */
bool
rrset_same(const struct rrset *a, const struct rrset *b, dns_rdatatype_t type);
