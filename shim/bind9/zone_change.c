#include "shim/bind9/zone_change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	first_room = 16 * 1024,
	least_free = 4 * 1024,
	/* 65,535 bytes of rdata, each written as \DDD, with quotes and spaces between. */
	most_per_rdata = 512 * 1024
};

enum record_kind
record_kind(const struct zone_diff *diff, dns_rdatatype_t type) {
	switch (type) {
	case dns_rdatatype_soa:
		return RECORD_SOA;
	case dns_rdatatype_dnskey:
	case dns_rdatatype_cds:
	case dns_rdatatype_cdnskey:
		return RECORD_KEY;
	case dns_rdatatype_rrsig:
	case dns_rdatatype_nsec:
	case dns_rdatatype_nsec3:
	case dns_rdatatype_nsec3param:
		return RECORD_SIGNATURE;
	default:
		return type == diff->private_type ? RECORD_SIGNATURE : RECORD_ORDINARY;
	}
}

void
record_kinds_add(struct record_kinds *kinds, enum record_kind kind) {
	kinds->ordinary = kinds->ordinary || kind == RECORD_ORDINARY;
	kinds->signing = kinds->signing || kind == RECORD_KEY || kind == RECORD_SIGNATURE;
}

const char *
change_cause(const struct zone_diff *diff, struct record_kinds kinds) {
	if (diff->transferred) {
		return "transfer";
	}
	if (diff->old_db != diff->new_db) {
		return "reload";
	}
	return kinds.signing && !kinds.ordinary ? "signing" : "update";
}

void
zone_change_open(struct zone_change *change, const struct zone_diff *diff, uint32_t from, uint32_t to,
		 const char *cause) {
	struct bindcast_zone zone = *diff->zone;
	zone.cause = cause;
	zone.has_serial = diff->has_serials;
	zone.serial = to;
	*change = (struct zone_change){ .diff = diff };
	change->change = bindcast_change_begin(diff->runtime, &zone, from, to, diff->correlation);
}

static bool
make_room(struct zone_change *change, size_t wanted) {
	if (change->room - change->used >= wanted) {
		return true;
	}
	size_t room = change->room == 0 ? first_room : change->room * 2;
	while (room - change->used < wanted) {
		room *= 2;
	}
	char *larger = realloc(change->text, room);
	if (larger == NULL) {
		return false;
	}
	change->text = larger;
	change->room = room;
	return true;
}

/* RFC 3597, for rdata that BIND cannot print. */
static bool
append_generic(struct zone_change *change, const dns_rdata_t *rdata) {
	const size_t wanted = sizeof("\\# 65535 ") + 2 * (size_t)rdata->length;
	if (!make_room(change, wanted)) {
		return false;
	}
	char *at = change->text + change->used;
	at += snprintf(at, wanted, rdata->length == 0 ? "\\# %u" : "\\# %u ", rdata->length);
	for (unsigned i = 0; i < rdata->length; ++i) {
		at += snprintf(at, 3, "%02X", rdata->data[i]);
	}
	change->used = (size_t)(at - change->text) + 1;
	return true;
}

static bool
append_rdata(struct zone_change *change, dns_rdata_t *rdata) {
	for (size_t wanted = least_free; wanted <= most_per_rdata; wanted *= 2) {
		if (!make_room(change, wanted)) {
			return false;
		}
		isc_buffer_t buffer;
		isc_buffer_init(&buffer, change->text + change->used, (unsigned)(change->room - change->used - 1));
		/* Width 0: base64 and hex in one piece. */
		const isc_result_t result = dns_rdata_tofmttext(rdata, NULL, 0, 0, 0, "", &buffer);
		if (result == ISC_R_SUCCESS) {
			change->used += isc_buffer_usedlength(&buffer);
			change->text[change->used++] = '\0';
			return true;
		}
		if (result != ISC_R_NOSPACE) {
			break;
		}
	}
	return append_generic(change, rdata);
}

static bool
append_rrset(struct zone_change *change, dns_rdatatype_t type, const struct rrset *set) {
	for (uint32_t i = 0; i < set->count; ++i) {
		dns_rdata_t rdata;
		rrset_get(set, i, type, &rdata);
		if (!append_rdata(change, &rdata)) {
			return false;
		}
	}
	return true;
}

/* `text` holds the RRset's texts one after the other; returns what follows them. */
static const char *
point_at(struct bindcast_rrset *out, const struct rrset *set, const char **pointers, const char *text) {
	for (uint32_t i = 0; i < set->count; ++i) {
		pointers[i] = text;
		text += strlen(text) + 1;
	}
	out->ttl = set->count == 0 ? 0 : set->ttl;
	out->count = set->count;
	out->rdata = pointers;
	return text;
}

bool
zone_change_record(struct zone_change *change, const dns_name_t *name, dns_rdatatype_t type, const struct rrset *before,
		   const struct rrset *after) {
	if (record_kind(change->diff, type) == RECORD_SIGNATURE && !change->diff->dnssec_records) {
		return true;
	}
	if (change->change == NULL) {
		return false;
	}
	change->used = 0;
	const char **pointers = malloc(((size_t)before->count + after->count + 1) * sizeof(*pointers));
	const bool complete = pointers != NULL && append_rrset(change, type, before) &&
			      append_rrset(change, type, after);
	if (complete) {
		char owner[DNS_NAME_FORMATSIZE], rtype[DNS_RDATATYPE_FORMATSIZE];
		struct bindcast_record record = BINDCAST_INIT(record);
		const char *text = point_at(&record.before, before, pointers, change->text);
		point_at(&record.after, after, pointers + before->count, text);
		dns_name_format(name, owner, sizeof(owner));
		dns_rdatatype_format(type, rtype, sizeof(rtype));
		record.name = owner;
		record.rtype = rtype;
		bindcast_change_record(change->change, &record);
	}
	free(pointers);
	return complete;
}

static void
finish(struct zone_change *change, void (*end)(bindcast_change *)) {
	if (change->change != NULL) {
		end(change->change);
	}
	free(change->text);
	*change = (struct zone_change){ 0 };
}

void
zone_change_commit(struct zone_change *change) {
	finish(change, bindcast_change_commit);
}

void
zone_change_abandon(struct zone_change *change) {
	finish(change, bindcast_change_abandon);
}
