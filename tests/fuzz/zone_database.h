/*
 * A zone in BIND's own database, changed as a dynamic update changes it: the other side of fuzz target `diff`, in C
 * because BIND's headers are. One thread. Names and rdata are text; names without a final dot are below the origin.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shim/bindcast.h"

#ifdef __cplusplus
extern "C" {
#endif

struct zone_database;
struct zone_version; /* a version that is kept open for reading */

/* With an SOA of serial 1 at its apex. */
struct zone_database *
zone_create(void);
/* A database of its own with the same content. */
struct zone_database *
zone_copy(struct zone_database *zone);
/* Every version that was opened must be closed. */
void
zone_destroy(struct zone_database *zone);

/* Between zone_begin and zone_end a version is open for writing. */
void
zone_begin(struct zone_database *zone);
void
zone_add(struct zone_database *zone, const char *name, const char *type, uint32_t ttl, const char *rdata);
void
zone_remove(struct zone_database *zone, const char *name, const char *type, const char *rdata);
void
zone_remove_rrset(struct zone_database *zone, const char *name, const char *type, const char *covers);
void
zone_remove_name(struct zone_database *zone, const char *name);
void
zone_set_ttl(struct zone_database *zone, const char *name, const char *type, const char *covers, uint32_t ttl);
/* Commits, with the next serial where `next_serial` says so, and writes the change set to `journal` unless it is NULL.
 */
void
zone_end(struct zone_database *zone, bool next_serial, const char *journal);

struct zone_version *
zone_open(struct zone_database *zone);
void
zone_close(struct zone_version *version);
uint32_t
zone_serial(const struct zone_version *version);

/* Each record of a version, read straight from the database. `covers` is that of an RRSIG, else "". */
typedef void (*zone_record_fn)(void *closure, const char *name, const char *type, const char *covers, uint32_t ttl,
			       const char *rdata);
void
zone_each_record(const struct zone_version *version, zone_record_fn record, void *closure);

/* zone_diff, which tells what it finds to the bindcast_change_… functions. `journal` may be NULL. */
struct zone_comparison {
	const struct zone_version *old_version, *new_version;
	const char *journal;
	bool transferred, has_serials, dnssec_records;
};
void
zone_compare(const struct zone_comparison *comparison);

#ifdef __cplusplus
}
#endif
