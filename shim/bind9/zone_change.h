/*
 * One change set of a zone on its way to the runtime: RRsets in, presentation form out.
 *
 * Used by the zone thread only. open, any number of zone_change_record, then commit or abandon. A change set is opened
 * knowing its cause, so whoever opens it has looked at what differs before.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shim/bind9/compat.h"
#include "shim/bind9/rrset.h"
#include "shim/bind9/zone_diff.h"

/* What a difference in an RRset of some type says about its cause, and whether it is shown. */
enum record_kind {
	RECORD_ORDINARY,
	RECORD_SOA,	 /* written anew with every change */
	RECORD_KEY,	 /* DNSKEY, CDS, CDNSKEY: written by signing, and always shown */
	RECORD_SIGNATURE /* RRSIG, NSEC, NSEC3, NSEC3PARAM, named's signing notes: shown with dnssec_records only */
};
enum record_kind
record_kind(const struct zone_diff *diff, dns_rdatatype_t type);

/* What differs, summed up. */
struct record_kinds {
	bool ordinary, signing;
};
void
record_kinds_add(struct record_kinds *kinds, enum record_kind kind);

/* "transfer", "reload", "update" or "signing". */
const char *
change_cause(const struct zone_diff *diff, struct record_kinds kinds);

struct zone_change {
	const struct zone_diff *diff;
	bindcast_change *change;
	char *text; /* rdata in presentation form, one after the other, each with its NUL */
	size_t used, room;
};

void
zone_change_open(struct zone_change *change, const struct zone_diff *diff, uint32_t from, uint32_t to,
		 const char *cause);

/* `before` and `after` differ. Left out when its kind is not shown. False when memory is short: abandon. */
bool
zone_change_record(struct zone_change *change, const dns_name_t *name, dns_rdatatype_t type, const struct rrset *before,
		   const struct rrset *after);

void
zone_change_commit(struct zone_change *change);
void
zone_change_abandon(struct zone_change *change);
