#include "shim/bind9/rrset.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { block_bytes = 64 * 1024 };

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	alignas(max_align_t) unsigned char bytes[];
};

void *
arena_take(struct arena *arena, size_t size) {
	struct arena_block *block = arena->blocks;
	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (block == NULL || block->size - block->used < size) {
		const size_t room = size > block_bytes ? size : block_bytes;
		block = malloc(sizeof(*block) + room);
		if (block == NULL) {
			return NULL;
		}
		block->used = 0;
		block->size = room;
		block->next = arena->blocks;
		arena->blocks = block;
	}
	void *taken = block->bytes + block->used;
	block->used += size;
	return taken;
}

void
arena_reset(struct arena *arena) {
	struct arena_block *kept = arena->blocks;
	if (kept == NULL) {
		return;
	}
	struct arena rest = { .blocks = kept->next };
	kept->next = NULL;
	kept->used = 0;
	arena_free(&rest);
}

void
arena_free(struct arena *arena) {
	while (arena->blocks != NULL) {
		struct arena_block *block = arena->blocks;
		arena->blocks = block->next;
		free(block);
	}
}

void
rrset_get(const struct rrset *set, uint32_t index, dns_rdatatype_t type, dns_rdata_t *out) {
	struct wire_rdata *item = set->rdata[index];
	isc_region_t region = { .base = item->data, .length = item->length };
	dns_rdata_init(out);
	dns_rdata_fromregion(out, dns_rdataclass_in, type, &region);
}

/* Where `rdata` is or belongs; `*found` says which. */
static uint32_t
place_of(const struct rrset *set, const dns_rdata_t *rdata, bool *found) {
	uint32_t low = 0, high = set->count;
	*found = false;
	/* Databases and journals give rdata in order, so the end is the likeliest place. */
	if (high > 0) {
		dns_rdata_t last;
		rrset_get(set, high - 1, rdata->type, &last);
		if (dns_rdata_compare(&last, rdata) < 0) {
			return high;
		}
	}
	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;
		dns_rdata_t at;
		rrset_get(set, middle, rdata->type, &at);
		const int order = dns_rdata_compare(&at, rdata);
		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static bool
reserve(struct arena *arena, struct rrset *set, uint32_t wanted) {
	if (wanted <= set->capacity) {
		return true;
	}
	uint32_t capacity = set->capacity < 4 ? 4 : set->capacity * 2;
	capacity = capacity < wanted ? wanted : capacity;
	struct wire_rdata **larger = arena_take(arena, capacity * sizeof(struct wire_rdata *));
	if (larger == NULL) {
		return false;
	}
	if (set->count > 0) {
		memcpy(larger, set->rdata, set->count * sizeof(struct wire_rdata *));
	}
	set->rdata = larger;
	set->capacity = capacity;
	return true;
}

bool
rrset_insert(struct arena *arena, struct rrset *set, uint32_t ttl, const dns_rdata_t *rdata) {
	bool found;
	const uint32_t place = place_of(set, rdata, &found);
	set->ttl = ttl;
	if (found) {
		return true;
	}
	struct wire_rdata *copy = arena_take(arena, sizeof(*copy) + rdata->length);
	if (copy == NULL || !reserve(arena, set, set->count + 1)) {
		return false;
	}
	copy->length = (uint16_t)rdata->length;
	if (rdata->length > 0) {
		memcpy(copy->data, rdata->data, rdata->length);
	}
	memmove(set->rdata + place + 1, set->rdata + place, (set->count - place) * sizeof(struct wire_rdata *));
	set->rdata[place] = copy;
	++set->count;
	return true;
}

void
rrset_remove(struct rrset *set, const dns_rdata_t *rdata) {
	bool found;
	const uint32_t place = place_of(set, rdata, &found);
	if (found) {
		--set->count;
		memmove(set->rdata + place, set->rdata + place + 1,
			(set->count - place) * sizeof(struct wire_rdata *));
	}
}

bool
rrset_load(struct arena *arena, struct rrset *set, dns_rdataset_t *rdataset) {
	*set = (struct rrset){ .ttl = rdataset->ttl };
	if (!reserve(arena, set, dns_rdataset_count(rdataset))) {
		return false;
	}
	isc_result_t result;
	for (result = dns_rdataset_first(rdataset); result == ISC_R_SUCCESS; result = dns_rdataset_next(rdataset)) {
		dns_rdata_t rdata = DNS_RDATA_INIT;
		dns_rdataset_current(rdataset, &rdata);
		if (!rrset_insert(arena, set, rdataset->ttl, &rdata)) {
			return false;
		}
	}
	return result == ISC_R_NOMORE;
}

bool
rrset_copy(struct arena *arena, struct rrset *copy, const struct rrset *set) {
	*copy = (struct rrset){ .ttl = set->ttl };
	if (!reserve(arena, copy, set->count)) {
		return false;
	}
	if (set->count > 0) {
		memcpy(copy->rdata, set->rdata, set->count * sizeof(struct wire_rdata *));
	}
	copy->count = set->count;
	return true;
}

/* mname rname serial refresh retry expire minimum: five 32-bit fields at the end. */
static bool
same_soa_but_serial(const struct wire_rdata *a, const struct wire_rdata *b) {
	enum { from_serial = 20, after_serial = 16 };
	if (a->length != b->length || a->length < from_serial) {
		return false;
	}
	return memcmp(a->data, b->data, a->length - from_serial) == 0 &&
	       memcmp(a->data + a->length - after_serial, b->data + b->length - after_serial, after_serial) == 0;
}

bool
rrset_same(const struct rrset *a, const struct rrset *b, dns_rdatatype_t type) {
	if (a->count != b->count) {
		return false;
	}
	if (a->count == 0) {
		return true;
	}
	if (type == dns_rdatatype_soa && a->count == 1) {
		return same_soa_but_serial(a->rdata[0], b->rdata[0]);
	}
	if (a->ttl != b->ttl) {
		return false;
	}
	for (uint32_t i = 0; i < a->count; ++i) {
		dns_rdata_t left, right;
		rrset_get(a, i, type, &left);
		rrset_get(b, i, type, &right);
		if (dns_rdata_compare(&left, &right) != 0) {
			return false;
		}
	}
	return true;
}
