#include "shim/bind9/zone_walk.h"

#include <stdlib.h>

#include <dns/dbiterator.h>
#include <dns/fixedname.h>
#include <dns/rdatasetiter.h>

enum {
	batch_names = 64,
	/* The tree is locked while a batch is taken; most names with no records at all that it passes meanwhile. */
	batch_visits = 256
};

struct step {
	dns_fixedname_t name;
	dns_dbnode_t *node;
};

struct zone_walk {
	dns_db_t *db;
	dns_dbversion_t *version;
	dns_dbiterator_t *iterator;
	bool begun, ended, failed;
	/* Where the paused iterator stands; referenced, so that it is still in the tree when it is sought again. */
	dns_dbnode_t *anchor;
	dns_fixedname_t anchor_name;
	unsigned next, count;
	struct step steps[batch_names];
};

static void
release_steps(struct zone_walk *walk) {
	for (unsigned i = 0; i < walk->count; ++i) {
		dns_db_detachnode(walk->db, &walk->steps[i].node);
	}
	walk->next = walk->count = 0;
}

/* The iterator stands on the anchor. */
static void
release_anchor(struct zone_walk *walk) {
	if (walk->anchor != NULL) {
		dns_db_detachnode(walk->db, &walk->anchor);
	}
}

static isc_result_t
has_records(const struct zone_walk *walk, dns_dbnode_t *node, bool *out) {
	dns_rdatasetiter_t *iterator = NULL;
	isc_result_t result = dns_db_allrdatasets(walk->db, node, walk->version, 0, 0, &iterator);
	if (result != ISC_R_SUCCESS) {
		return result;
	}
	result = dns_rdatasetiter_first(iterator);
	*out = result == ISC_R_SUCCESS;
	dns_rdatasetiter_destroy(&iterator);
	return result == ISC_R_NOMORE ? ISC_R_SUCCESS : result;
}

/* Puts the iterator's node into the batch, unless it is empty, and makes it the anchor if it is the last one. */
static isc_result_t
take_step(struct zone_walk *walk, unsigned visit) {
	struct step *step = &walk->steps[walk->count];
	dns_name_t *name = dns_fixedname_initname(&step->name);
	dns_dbnode_t *node = NULL;
	bool wanted = false;
	isc_result_t result = dns_dbiterator_current(walk->iterator, &node, name);
	if (result == ISC_R_SUCCESS) {
		result = has_records(walk, node, &wanted);
	}
	if (result == ISC_R_SUCCESS && (walk->count + wanted == batch_names || visit + 1 == batch_visits)) {
		dns_db_attachnode(walk->db, node, &walk->anchor);
		dns_name_copy(name, dns_fixedname_initname(&walk->anchor_name));
	}
	if (wanted && result == ISC_R_SUCCESS) {
		step->node = node;
		++walk->count;
	} else if (node != NULL) {
		dns_db_detachnode(walk->db, &node);
	}
	return result;
}

static isc_result_t
resume(struct zone_walk *walk) {
	if (!walk->begun) {
		walk->begun = true;
		return dns_dbiterator_first(walk->iterator);
	}
	const isc_result_t result = dns_dbiterator_seek(walk->iterator, dns_fixedname_name(&walk->anchor_name));
	release_anchor(walk);
	if (result != ISC_R_SUCCESS) {
		return ISC_R_UNEXPECTED;
	}
	return dns_dbiterator_next(walk->iterator);
}

/* Takes the next batch. Nothing waits while the iterator has the tree locked. */
static void
take_batch(struct zone_walk *walk) {
	release_steps(walk);
	isc_result_t result = resume(walk);
	for (unsigned visit = 0; result == ISC_R_SUCCESS; ++visit) {
		result = take_step(walk, visit);
		if (result != ISC_R_SUCCESS || walk->anchor != NULL) {
			break;
		}
		result = dns_dbiterator_next(walk->iterator);
	}
	walk->ended = result == ISC_R_NOMORE;
	walk->failed = result != ISC_R_SUCCESS && result != ISC_R_NOMORE;
	dns_dbiterator_pause(walk->iterator);
}

struct zone_walk *
zone_walk_begin(dns_db_t *db, dns_dbversion_t *version, unsigned options) {
	struct zone_walk *walk = calloc(1, sizeof(*walk));
	if (walk == NULL) {
		return NULL;
	}
	walk->db = db;
	walk->version = version;
	if (dns_db_createiterator(db, options, &walk->iterator) != ISC_R_SUCCESS) {
		free(walk);
		return NULL;
	}
	return walk;
}

bool
zone_walk_current(struct zone_walk *walk, dns_name_t **name, dns_dbnode_t **node) {
	while (walk->next == walk->count) {
		if (walk->ended || walk->failed) {
			return false;
		}
		take_batch(walk);
	}
	*name = dns_fixedname_name(&walk->steps[walk->next].name);
	*node = walk->steps[walk->next].node;
	return true;
}

void
zone_walk_next(struct zone_walk *walk) {
	++walk->next;
}

bool
zone_walk_failed(const struct zone_walk *walk) {
	return walk->failed;
}

dns_dbnode_t *
zone_walk_find(struct zone_walk *walk, const dns_name_t *name) {
	release_anchor(walk);
	const isc_result_t found = dns_dbiterator_seek(walk->iterator, name);
	if (found == ISC_R_SUCCESS) {
		walk->failed = dns_dbiterator_current(walk->iterator, &walk->anchor,
						      dns_fixedname_initname(&walk->anchor_name)) != ISC_R_SUCCESS;
	} else {
		walk->failed = found != DNS_R_PARTIALMATCH && found != ISC_R_NOTFOUND;
	}
	dns_dbiterator_pause(walk->iterator);
	return walk->anchor;
}

void
zone_walk_end(struct zone_walk *walk) {
	if (walk == NULL) {
		return;
	}
	release_steps(walk);
	release_anchor(walk);
	/* The iterator's own node is let go of properly only in a step, not in the end: leave it on the apex. */
	dns_dbiterator_first(walk->iterator);
	dns_dbiterator_pause(walk->iterator);
	dns_dbiterator_destroy(&walk->iterator);
	free(walk);
}
