/*
 * What changed in a zone, told to the runtime as change sets.
 *
 * New versions of the same database are read from the zone's journal, one change set for each step of the serial, so
 * that states between two sweeps are not lost and the cost follows the change. Where that cannot be (the database was
 * swapped, no journal, or a gap in it) both versions are compared in full.
 *
 * Zone thread only: reads files and whole zones. Never holds two locks of one database, and none while it waits. All
 * BIND references in struct zone_diff are borrowed. RRSIG, NSEC, NSEC3, NSEC3PARAM and named's own signing notes are
 * left out unless `dnssec_records`; an SOA is shown only when more than its serial and TTL differ.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shim/bind9/compat.h"
#include "shim/bindcast.h"

struct zone_diff {
	bindcast_runtime *runtime;
	const struct bindcast_zone *zone; /* `cause` and serial are not looked at */
	bool transferred;		  /* the content comes from a primary server */
	dns_db_t *old_db, *new_db;
	dns_dbversion_t *old_version, *new_version;
	bool has_serials; /* of both; false: not compared by journal */
	uint32_t old_serial, new_serial;
	const char *journal;	  /* file name, or NULL */
	isc_mem_t *mctx;	  /* for the journal reader */
	const char *correlation;  /* or NULL */
	dns_rdatatype_t private_type;
	bool dnssec_records;
	const atomic_bool *stop; /* looked at at every step; once set, nothing more is told */
};

/*
 * Tells all that differs. Should memory or the database fail half way, what is left is told as one change set without
 * records, so that the change itself is never lost.
 */
void
zone_diff(const struct zone_diff *diff);
