#include "shim/bind9/zone_diff.h"

#include <stdlib.h>
#include <string.h>

#include <dns/rdatasetiter.h>

#include "shim/bind9/rrset.h"
#include "shim/bind9/zone_change.h"
#include "shim/bind9/zone_journal.h"
#include "shim/bind9/zone_walk.h"

/* The RRsets of one node in one version. */
struct node_rrsets {
	dns_rdataset_t *sets;
	size_t count, room;
};

/* A full comparison: tells `change` of what differs, or only sums up what kinds do. */
struct comparison {
	const struct zone_diff *diff;
	struct zone_change *change; /* NULL: end at the first ordinary difference */
	struct record_kinds kinds;
	bool shown; /* a difference of a kind that is shown */
	bool failed;
	struct arena arena;
	struct node_rrsets old_node, new_node;
};

static bool
stopping(const struct zone_diff *diff) {
	return atomic_load_explicit(diff->stop, memory_order_relaxed);
}

static void
clear_node(struct node_rrsets *node) {
	while (node->count > 0) {
		dns_rdataset_disassociate(&node->sets[--node->count]);
	}
}

static bool
add_rrset(struct node_rrsets *node, dns_rdatasetiter_t *iterator) {
	if (node->count == node->room) {
		const size_t room = node->room == 0 ? 16 : node->room * 2;
		dns_rdataset_t *larger = realloc(node->sets, room * sizeof(*larger));
		if (larger == NULL) {
			return false;
		}
		node->sets = larger;
		node->room = room;
	}
	dns_rdataset_init(&node->sets[node->count]);
	dns_rdatasetiter_current(iterator, &node->sets[node->count]);
	++node->count;
	return true;
}

/* `node` may be NULL: the name does not exist in that version. */
static bool
load_node(struct node_rrsets *out, dns_db_t *db, dns_dbversion_t *version, dns_dbnode_t *node) {
	dns_rdatasetiter_t *iterator = NULL;
	clear_node(out);
	if (node == NULL) {
		return true;
	}
	if (dns_db_allrdatasets(db, node, version, 0, 0, &iterator) != ISC_R_SUCCESS) {
		return false;
	}
	bool loaded = true;
	isc_result_t result = dns_rdatasetiter_first(iterator);
	while (loaded && result == ISC_R_SUCCESS) {
		loaded = add_rrset(out, iterator);
		result = dns_rdatasetiter_next(iterator);
	}
	dns_rdatasetiter_destroy(&iterator);
	return loaded && result == ISC_R_NOMORE;
}

static dns_rdataset_t *
counterpart(struct node_rrsets *node, const dns_rdataset_t *of) {
	for (size_t i = 0; i < node->count; ++i) {
		if (node->sets[i].type == of->type && node->sets[i].covers == of->covers) {
			return &node->sets[i];
		}
	}
	return NULL;
}

/* By far the most RRsets are equal: told by walking both, without a copy. Rdata stands in the same order in both. */
static bool
equal_as_stored(dns_rdataset_t *a, dns_rdataset_t *b) {
	if (a->ttl != b->ttl) {
		return false;
	}
	isc_result_t in_a = dns_rdataset_first(a), in_b = dns_rdataset_first(b);
	while (in_a == ISC_R_SUCCESS && in_b == ISC_R_SUCCESS) {
		dns_rdata_t left = DNS_RDATA_INIT, right = DNS_RDATA_INIT;
		dns_rdataset_current(a, &left);
		dns_rdataset_current(b, &right);
		if (dns_rdata_compare(&left, &right) != 0) {
			return false;
		}
		in_a = dns_rdataset_next(a);
		in_b = dns_rdataset_next(b);
	}
	return in_a == ISC_R_NOMORE && in_b == ISC_R_NOMORE;
}

/* Either side may be NULL. False ends the comparison. */
static bool
compare_rrset(struct comparison *self, const dns_name_t *name, dns_rdataset_t *old_set, dns_rdataset_t *new_set) {
	const dns_rdatatype_t type = (old_set != NULL ? old_set : new_set)->type;
	const enum record_kind kind = record_kind(self->diff, type);
	const bool shown = kind != RECORD_SIGNATURE || self->diff->dnssec_records;
	if (!shown && self->kinds.signing) {
		return true; /* nothing is left to learn from it */
	}
	if (old_set != NULL && new_set != NULL && equal_as_stored(old_set, new_set)) {
		return true;
	}
	struct rrset before = { 0 }, after = { 0 };
	arena_reset(&self->arena);
	if ((old_set != NULL && !rrset_load(&self->arena, &before, old_set)) ||
	    (new_set != NULL && !rrset_load(&self->arena, &after, new_set)))
	{
		self->failed = true;
		return false;
	}
	if (rrset_same(&before, &after, type)) {
		return true;
	}
	record_kinds_add(&self->kinds, kind);
	if (self->change == NULL) {
		return !self->kinds.ordinary;
	}
	self->shown = self->shown || shown;
	self->failed = !zone_change_record(self->change, name, type, &before, &after);
	return !self->failed;
}

static bool
compare_node(struct comparison *self, const dns_name_t *name, dns_dbnode_t *old_node, dns_dbnode_t *new_node) {
	const struct zone_diff *diff = self->diff;
	if (!load_node(&self->old_node, diff->old_db, diff->old_version, old_node) ||
	    !load_node(&self->new_node, diff->new_db, diff->new_version, new_node))
	{
		self->failed = true;
		return false;
	}
	bool go_on = true;
	for (size_t i = 0; go_on && i < self->old_node.count; ++i) {
		dns_rdataset_t *old_set = &self->old_node.sets[i];
		go_on = compare_rrset(self, name, old_set, counterpart(&self->new_node, old_set));
	}
	for (size_t i = 0; go_on && i < self->new_node.count; ++i) {
		dns_rdataset_t *new_set = &self->new_node.sets[i];
		if (counterpart(&self->old_node, new_set) == NULL) {
			go_on = compare_rrset(self, name, NULL, new_set);
		}
	}
	clear_node(&self->old_node);
	clear_node(&self->new_node);
	return go_on;
}

/* Merges both walks by name. False ends the comparison. */
static bool
merge(struct comparison *self, struct zone_walk *old_walk, struct zone_walk *new_walk) {
	bool go_on = true;
	while (go_on && !stopping(self->diff)) {
		dns_name_t *old_name = NULL, *new_name = NULL;
		dns_dbnode_t *old_node = NULL, *new_node = NULL;
		const bool in_old = zone_walk_current(old_walk, &old_name, &old_node);
		const bool in_new = zone_walk_current(new_walk, &new_name, &new_node);
		if (zone_walk_failed(old_walk) || zone_walk_failed(new_walk)) {
			self->failed = true;
			return false;
		}
		if (!in_old && !in_new) {
			return true;
		}
		const int order = !in_old ? 1 : !in_new ? -1 : dns_name_compare(old_name, new_name);
		go_on = compare_node(self, order <= 0 ? old_name : new_name, order <= 0 ? old_node : NULL,
				     order >= 0 ? new_node : NULL);
		if (order <= 0) {
			zone_walk_next(old_walk);
		}
		if (order >= 0) {
			zone_walk_next(new_walk);
		}
	}
	return false;
}

static bool
compare_tree(struct comparison *self, unsigned options) {
	const struct zone_diff *diff = self->diff;
	struct zone_walk *old_walk = zone_walk_begin(diff->old_db, diff->old_version, options);
	struct zone_walk *new_walk = zone_walk_begin(diff->new_db, diff->new_version, options);
	bool go_on = false;
	if (old_walk != NULL && new_walk != NULL) {
		go_on = merge(self, old_walk, new_walk);
	} else {
		self->failed = true;
	}
	/* What they hold of the last node goes first, while the walks still hold the node itself. */
	clear_node(&self->old_node);
	clear_node(&self->new_node);
	zone_walk_end(old_walk);
	zone_walk_end(new_walk);
	return go_on;
}

static void
compare(struct comparison *self) {
	if (compare_tree(self, DNS_DB_NONSEC3) && self->diff->dnssec_records) {
		compare_tree(self, DNS_DB_NSEC3ONLY);
	}
	free(self->old_node.sets);
	free(self->new_node.sets);
	arena_free(&self->arena);
}

/* A change set without records, from `serial` on. */
static void
tell_serials_only(const struct zone_diff *diff, uint32_t serial) {
	struct zone_change change;
	zone_change_open(&change, diff, serial, diff->new_serial, change_cause(diff, (struct record_kinds){ 0 }));
	zone_change_commit(&change);
}

static void
diff_in_full(const struct zone_diff *diff) {
	struct record_kinds kinds = { 0 };
	if (!diff->transferred && diff->old_db == diff->new_db) {
		/* Update or signing? That is said at the beginning of a change set, so it takes a look ahead. */
		struct comparison ahead = { .diff = diff };
		compare(&ahead);
		kinds = ahead.kinds;
	}
	struct zone_change change;
	struct comparison told = { .diff = diff, .change = &change };
	zone_change_open(&change, diff, diff->old_serial, diff->new_serial, change_cause(diff, kinds));
	compare(&told);
	const bool serial_differs = diff->has_serials && diff->old_serial != diff->new_serial;
	if (stopping(diff)) {
		zone_change_abandon(&change);
	} else if (told.failed) {
		zone_change_abandon(&change);
		tell_serials_only(diff, diff->old_serial);
	} else if (told.shown || told.kinds.signing || serial_differs) {
		zone_change_commit(&change);
	} else {
		zone_change_abandon(&change);
	}
}

void
zone_diff(const struct zone_diff *diff) {
	if (diff->old_db == diff->new_db && diff->has_serials && diff->journal != NULL) {
		uint32_t reached;
		const enum zone_journal_outcome outcome = zone_journal_read(diff, &reached);
		if (outcome == ZONE_JOURNAL_BROKEN && !stopping(diff)) {
			tell_serials_only(diff, reached);
		}
		if (outcome != ZONE_JOURNAL_UNUSABLE) {
			return;
		}
	}
	diff_in_full(diff);
}
