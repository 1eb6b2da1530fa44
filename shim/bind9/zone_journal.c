#include "shim/bind9/zone_journal.h"

#include <stdlib.h>
#include <string.h>

#include <dns/journal.h>

#include "shim/bind9/rrset.h"
#include "shim/bind9/zone_change.h"
#include "shim/bind9/zone_walk.h"

enum {
	/* Of one reading: all RRsets it touches stay in memory. Above it a full comparison is no dearer. */
	most_records = 1000000
};

/* An RRset that the journal touches, followed from the old version through all change sets. */
struct tracked_rrset {
	struct tracked_rrset *next;	    /* in its bucket */
	struct tracked_rrset *next_touched; /* in this change set */
	uint32_t step;			    /* the change set that touched it last */
	dns_rdatatype_t type, covers;
	struct rrset before, now;
	dns_name_t name;
	unsigned char wire[];
};

struct reader {
	const struct zone_diff *diff;
	dns_journal_t *journal;
	struct zone_walk *tree, *nsec3_tree; /* of the old version; NULL until needed */
	struct arena lasting; /* tracked RRsets and their rdata */
	struct arena passing; /* the `before` of one change set */
	struct tracked_rrset **buckets;
	uint32_t bucket_count; /* a power of two */
	struct tracked_rrset *touched, **touched_end;
	uint32_t step;
	bool signatures; /* this change set touches records that are not shown */
};

/*
 * A journal is a sequence of change sets: SOA out, records out, SOA in, records in. Which part a record belongs to is
 * said by counting the SOAs, as in IXFR.
 */
struct position {
	unsigned soas; /* of this change set: 1 while records go out, 2 while they come in */
	uint32_t from, to;
};

static bool
stopping(const struct zone_diff *diff) {
	return atomic_load_explicit(diff->stop, memory_order_relaxed);
}

static uint32_t
soa_serial(const dns_rdata_t *soa) {
	const unsigned char *at = soa->data + soa->length - 20;
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/*
 * Does the file hold one unbroken chain from the old serial to the new one, of a bearable size? Asked before anything is
 * told, so that a full comparison can still take over.
 */
static bool
chain_is_whole(const struct zone_diff *diff, dns_journal_t *journal, uint32_t *records) {
	struct position at = { .to = diff->old_serial };
	*records = 0;
	isc_result_t result;
	for (result = dns_journal_first_rr(journal); result == ISC_R_SUCCESS; result = dns_journal_next_rr(journal)) {
		dns_name_t *name = NULL;
		dns_rdata_t *rdata = NULL;
		uint32_t ttl;
		dns_journal_current_rr(journal, &name, &ttl, &rdata);
		if (++*records > most_records || stopping(diff)) {
			return false;
		}
		if (rdata->type != dns_rdatatype_soa) {
			if (at.soas == 0) {
				return false;
			}
			continue;
		}
		if (rdata->length < 20) {
			return false;
		}
		at.soas = at.soas == 2 ? 1 : at.soas + 1;
		if (at.soas == 2) {
			at.to = soa_serial(rdata);
		} else if (soa_serial(rdata) != at.to) {
			return false;
		}
	}
	return result == ISC_R_NOMORE && at.soas == 2 && at.to == diff->new_serial;
}

/* The RRset as the old version has it. */
static bool
load_old(struct reader *reader, struct tracked_rrset *tracked) {
	const struct zone_diff *diff = reader->diff;
	const bool nsec3 = tracked->type == dns_rdatatype_nsec3 || tracked->covers == dns_rdatatype_nsec3;
	struct zone_walk **tree = nsec3 ? &reader->nsec3_tree : &reader->tree;
	if (*tree == NULL) {
		*tree = zone_walk_begin(diff->old_db, diff->old_version, nsec3 ? DNS_DB_NSEC3ONLY : DNS_DB_NONSEC3);
		if (*tree == NULL) {
			return false;
		}
	}
	dns_dbnode_t *node = zone_walk_find(*tree, &tracked->name);
	if (node == NULL) {
		return !zone_walk_failed(*tree);
	}
	dns_rdataset_t rdataset;
	dns_rdataset_init(&rdataset);
	bool loaded = true;
	if (dns_db_findrdataset(diff->old_db, node, diff->old_version, tracked->type, tracked->covers, 0, &rdataset,
				NULL) == ISC_R_SUCCESS)
	{
		loaded = rrset_load(&reader->lasting, &tracked->now, &rdataset);
		dns_rdataset_disassociate(&rdataset);
	}
	return loaded;
}

static struct tracked_rrset *
track(struct reader *reader, const dns_name_t *name, dns_rdatatype_t type, dns_rdatatype_t covers) {
	const uint32_t hash = dns_name_hash(name, false) ^ ((uint32_t)type * 31) ^ covers;
	struct tracked_rrset **bucket = &reader->buckets[hash & (reader->bucket_count - 1)];
	for (struct tracked_rrset *at = *bucket; at != NULL; at = at->next) {
		if (at->type == type && at->covers == covers && dns_name_equal(&at->name, name)) {
			return at;
		}
	}
	isc_region_t wire;
	dns_name_toregion(name, &wire);
	struct tracked_rrset *tracked = arena_take(&reader->lasting, sizeof(*tracked) + wire.length);
	if (tracked == NULL) {
		return NULL;
	}
	memset(tracked, 0, sizeof(*tracked));
	memcpy(tracked->wire, wire.base, wire.length);
	wire.base = tracked->wire;
	dns_name_init(&tracked->name, NULL);
	dns_name_fromregion(&tracked->name, &wire);
	tracked->type = type;
	tracked->covers = covers;
	if (!load_old(reader, tracked)) {
		return NULL;
	}
	tracked->next = *bucket;
	*bucket = tracked;
	return tracked;
}

static bool
apply(struct reader *reader, bool incoming, const dns_name_t *name, uint32_t ttl, dns_rdata_t *rdata) {
	if (record_kind(reader->diff, rdata->type) == RECORD_SIGNATURE) {
		reader->signatures = true;
		if (!reader->diff->dnssec_records) {
			return true;
		}
	}
	const dns_rdatatype_t covers = rdata->type == dns_rdatatype_rrsig ? dns_rdata_covers(rdata) : 0;
	struct tracked_rrset *tracked = track(reader, name, rdata->type, covers);
	if (tracked == NULL) {
		return false;
	}
	if (tracked->step != reader->step) {
		if (!rrset_copy(&reader->passing, &tracked->before, &tracked->now)) {
			return false;
		}
		tracked->step = reader->step;
		tracked->next_touched = NULL;
		*reader->touched_end = tracked;
		reader->touched_end = &tracked->next_touched;
	}
	if (incoming) {
		return rrset_insert(&reader->lasting, &tracked->now, ttl, rdata);
	}
	rrset_remove(&tracked->now, rdata);
	return true;
}

static void
begin_step(struct reader *reader) {
	arena_reset(&reader->passing);
	++reader->step;
	reader->touched = NULL;
	reader->touched_end = &reader->touched;
	reader->signatures = false;
}

/* Tells the change set just read. */
static bool
finish_step(struct reader *reader, struct position at) {
	const struct zone_diff *diff = reader->diff;
	struct record_kinds kinds = { .signing = reader->signatures };
	for (const struct tracked_rrset *set = reader->touched; set != NULL; set = set->next_touched) {
		if (!rrset_same(&set->before, &set->now, set->type)) {
			record_kinds_add(&kinds, record_kind(diff, set->type));
		}
	}
	struct zone_change change;
	zone_change_open(&change, diff, at.from, at.to, change_cause(diff, kinds));
	for (const struct tracked_rrset *set = reader->touched; set != NULL; set = set->next_touched) {
		if (rrset_same(&set->before, &set->now, set->type)) {
			continue;
		}
		if (stopping(diff) || !zone_change_record(&change, &set->name, set->type, &set->before, &set->now)) {
			zone_change_abandon(&change);
			return false;
		}
	}
	zone_change_commit(&change);
	return true;
}

static enum zone_journal_outcome
read_chain(struct reader *reader, uint32_t *reached) {
	struct position at = { 0 };
	isc_result_t result;
	begin_step(reader);
	for (result = dns_journal_first_rr(reader->journal); result == ISC_R_SUCCESS;
	     result = dns_journal_next_rr(reader->journal))
	{
		dns_name_t *name = NULL;
		dns_rdata_t *rdata = NULL;
		uint32_t ttl;
		dns_journal_current_rr(reader->journal, &name, &ttl, &rdata);
		if (rdata->type == dns_rdatatype_soa) {
			if (at.soas == 2) {
				if (!finish_step(reader, at)) {
					return ZONE_JOURNAL_BROKEN;
				}
				*reached = at.to;
				begin_step(reader);
				at.soas = 0;
			}
			++at.soas;
			*(at.soas == 1 ? &at.from : &at.to) = soa_serial(rdata);
		}
		if (stopping(reader->diff) || !apply(reader, at.soas == 2, name, ttl, rdata)) {
			return ZONE_JOURNAL_BROKEN;
		}
	}
	if (result != ISC_R_NOMORE || !finish_step(reader, at)) {
		return ZONE_JOURNAL_BROKEN;
	}
	*reached = at.to;
	return ZONE_JOURNAL_READ;
}

enum zone_journal_outcome
zone_journal_read(const struct zone_diff *diff, uint32_t *reached) {
	struct reader reader = { .diff = diff };
	enum zone_journal_outcome outcome = ZONE_JOURNAL_UNUSABLE;
	uint32_t records;
	*reached = diff->old_serial;
	if (dns_journal_open(diff->mctx, diff->journal, DNS_JOURNAL_READ, &reader.journal) != ISC_R_SUCCESS) {
		return outcome;
	}
	if (dns_journal_iter_init(reader.journal, diff->old_serial, diff->new_serial, NULL) == ISC_R_SUCCESS &&
	    chain_is_whole(diff, reader.journal, &records))
	{
		reader.bucket_count = 16;
		while (reader.bucket_count < records) {
			reader.bucket_count *= 2;
		}
		reader.buckets = calloc(reader.bucket_count, sizeof(*reader.buckets));
		if (reader.buckets != NULL) {
			outcome = read_chain(&reader, reached);
			free(reader.buckets);
			zone_walk_end(reader.tree);
			zone_walk_end(reader.nsec3_tree);
		}
	}
	dns_journal_destroy(&reader.journal);
	arena_free(&reader.passing);
	arena_free(&reader.lasting);
	return outcome;
}
