#include "zone_database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/bind9/zone_diff.h"

#include <dns/dbiterator.h>
#include <dns/diff.h>
#include <dns/fixedname.h>
#include <dns/journal.h>
#include <dns/rdatasetiter.h>
#include <dns/rdatatype.h>
#include <dns/soa.h>

#include <isc/lex.h>

static const char origin_text[] = "example.";
static const char first_soa[] = "ns.example. hostmaster.example. 1 3600 600 86400 300";

struct zone_database {
	dns_db_t *db;
	dns_dbversion_t *writing;
	dns_dbversion_t *before; /* the version that it follows */
};

struct zone_version {
	dns_db_t *db;
	dns_dbversion_t *version;
};

static isc_mem_t *mctx;
static isc_lex_t *lexer;
static dns_fixedname_t origin;

/* What this file itself does must work; zone_diff is what is being tested. */
static void
must(isc_result_t result, const char *what) {
	if (result != ISC_R_SUCCESS) {
		fprintf(stderr, "the test's own %s: %s\n", what, isc_result_totext(result));
		abort();
	}
}

static void
initialise(void) {
	if (mctx == NULL) {
		isc_mem_create(&mctx);
		must(isc_lex_create(mctx, 256, &lexer), "isc_lex_create");
		must(dns_name_fromstring(dns_fixedname_initname(&origin), origin_text, 0, NULL), "origin");
	}
}

static dns_name_t *
name_of(const char *text, dns_fixedname_t *room) {
	dns_name_t *name = dns_fixedname_initname(room);
	must(dns_name_fromstring2(name, text, dns_fixedname_name(&origin), 0, NULL), text);
	return name;
}

static dns_rdatatype_t
type_of(const char *text) {
	dns_rdatatype_t type = 0;
	char copy[32];
	snprintf(copy, sizeof(copy), "%s", text);
	isc_textregion_t region = { .base = copy, .length = (unsigned)strlen(copy) };
	if (*text != '\0') {
		must(dns_rdatatype_fromtext(&type, &region), text);
	}
	return type;
}

static unsigned char rdata_room[70000];

static bool
rdata_of(dns_rdatatype_t type, const char *text, dns_rdata_t *rdata) {
	isc_buffer_t source, target;
	isc_buffer_constinit(&source, text, strlen(text));
	isc_buffer_add(&source, (unsigned)strlen(text));
	isc_buffer_init(&target, rdata_room, sizeof(rdata_room));
	must(isc_lex_openbuffer(lexer, &source), "isc_lex_openbuffer");
	dns_rdata_init(rdata);
	const isc_result_t result = dns_rdata_fromtext(rdata, dns_rdataclass_in, type, lexer,
						       dns_fixedname_name(&origin), 0, mctx, &target, NULL);
	isc_lex_close(lexer);
	return result == ISC_R_SUCCESS;
}

static bool
of_nsec3(dns_rdatatype_t type, dns_rdatatype_t covers) {
	return type == dns_rdatatype_nsec3 || (type == dns_rdatatype_rrsig && covers == dns_rdatatype_nsec3);
}

/* One record in or out, as named's update.c does it. */
static void
apply(struct zone_database *zone, dns_diffop_t op, const dns_name_t *name, uint32_t ttl, dns_rdata_t *rdata) {
	dns_difftuple_t *tuple = NULL;
	dns_diff_t single;
	dns_diff_init(mctx, &single);
	must(dns_difftuple_create(mctx, op, name, ttl, rdata, &tuple), "dns_difftuple_create");
	ISC_LIST_APPEND(single.tuples, tuple, link);
	dns_diff_applysilently(&single, zone->db, zone->writing);
	dns_diff_clear(&single);
}

/* The records of an RRset as tuples of `out`; type `any`: of all RRsets that are not in the tree of NSEC3. */
static void
collect(struct zone_database *zone, const dns_name_t *name, dns_rdatatype_t type, dns_rdatatype_t covers,
	dns_diff_t *out) {
	dns_dbnode_t *node = NULL;
	dns_rdatasetiter_t *sets = NULL;
	dns_diff_init(mctx, out);
	const isc_result_t found = of_nsec3(type, covers) ? dns_db_findnsec3node(zone->db, name, false, &node)
							  : dns_db_findnode(zone->db, name, false, &node);
	if (found != ISC_R_SUCCESS) {
		return;
	}
	must(dns_db_allrdatasets(zone->db, node, zone->writing, 0, 0, &sets), "dns_db_allrdatasets");
	for (isc_result_t more = dns_rdatasetiter_first(sets); more == ISC_R_SUCCESS;
	     more = dns_rdatasetiter_next(sets)) {
		dns_rdataset_t set = DNS_RDATASET_INIT;
		dns_rdatasetiter_current(sets, &set);
		if (type == dns_rdatatype_any ? set.type != dns_rdatatype_soa
					      : set.type == type && set.covers == covers) {
			for (isc_result_t next = dns_rdataset_first(&set); next == ISC_R_SUCCESS;
			     next = dns_rdataset_next(&set)) {
				dns_rdata_t rdata = DNS_RDATA_INIT;
				dns_difftuple_t *tuple = NULL;
				dns_rdataset_current(&set, &rdata);
				must(dns_difftuple_create(mctx, DNS_DIFFOP_EXISTS, name, set.ttl, &rdata, &tuple),
				     "dns_difftuple_create");
				dns_diff_append(out, &tuple);
			}
		}
		dns_rdataset_disassociate(&set);
	}
	dns_rdatasetiter_destroy(&sets);
	dns_db_detachnode(zone->db, &node);
}

static void
apply_all(struct zone_database *zone, dns_diffop_t op, const dns_diff_t *diff, const uint32_t *ttl) {
	for (dns_difftuple_t *tuple = ISC_LIST_HEAD(diff->tuples); tuple != NULL; tuple = ISC_LIST_NEXT(tuple, link)) {
		apply(zone, op, &tuple->name, ttl == NULL ? tuple->ttl : *ttl, &tuple->rdata);
	}
}

/* As update.c: no CNAME beside other data. The database would refuse it, but only after it has taken it. */
static bool
fits(struct zone_database *zone, const dns_name_t *name, dns_rdatatype_t type) {
	dns_diff_t present;
	bool fitting = true;
	collect(zone, name, dns_rdatatype_any, 0, &present);
	for (dns_difftuple_t *tuple = ISC_LIST_HEAD(present.tuples); tuple != NULL;
	     tuple = ISC_LIST_NEXT(tuple, link)) {
		const dns_rdatatype_t other = tuple->rdata.type;
		fitting = fitting && (type != dns_rdatatype_cname || other == type || dns_rdatatype_atcname(other)) &&
			  (other != dns_rdatatype_cname || other == type || dns_rdatatype_atcname(type));
	}
	dns_diff_clear(&present);
	return fitting && (type != dns_rdatatype_cname || !dns_name_equal(name, dns_fixedname_name(&origin)));
}

void
zone_add(struct zone_database *zone, const char *name_text, const char *type_text, uint32_t ttl, const char *rdata_text) {
	const dns_rdatatype_t type = type_of(type_text);
	dns_fixedname_t room;
	dns_name_t *name = name_of(name_text, &room);
	dns_rdata_t rdata;
	dns_diff_t present;
	if (!rdata_of(type, rdata_text, &rdata) || !fits(zone, name, type)) {
		return;
	}
	collect(zone, name, type, type == dns_rdatatype_rrsig ? dns_rdata_covers(&rdata) : 0, &present);
	bool there = false;
	for (dns_difftuple_t *tuple = ISC_LIST_HEAD(present.tuples); tuple != NULL;
	     tuple = ISC_LIST_NEXT(tuple, link)) {
		there = there || dns_rdata_compare(&tuple->rdata, &rdata) == 0;
	}
	/* All records of an RRset have the TTL of the latest. */
	if (!ISC_LIST_EMPTY(present.tuples) && ISC_LIST_HEAD(present.tuples)->ttl != ttl) {
		apply_all(zone, DNS_DIFFOP_DEL, &present, NULL);
		apply_all(zone, DNS_DIFFOP_ADD, &present, &ttl);
	}
	if (!there) {
		apply(zone, DNS_DIFFOP_ADD, name, ttl, &rdata);
	}
	dns_diff_clear(&present);
}

void
zone_remove(struct zone_database *zone, const char *name_text, const char *type_text, const char *rdata_text) {
	const dns_rdatatype_t type = type_of(type_text);
	dns_fixedname_t room;
	dns_name_t *name = name_of(name_text, &room);
	dns_rdata_t rdata;
	dns_diff_t present;
	if (!rdata_of(type, rdata_text, &rdata)) {
		return;
	}
	collect(zone, name, type, type == dns_rdatatype_rrsig ? dns_rdata_covers(&rdata) : 0, &present);
	for (dns_difftuple_t *tuple = ISC_LIST_HEAD(present.tuples); tuple != NULL;
	     tuple = ISC_LIST_NEXT(tuple, link)) {
		if (dns_rdata_compare(&tuple->rdata, &rdata) == 0) {
			apply(zone, DNS_DIFFOP_DEL, name, tuple->ttl, &rdata);
		}
	}
	dns_diff_clear(&present);
}

static void
remove_all(struct zone_database *zone, const char *name_text, dns_rdatatype_t type, dns_rdatatype_t covers) {
	dns_fixedname_t room;
	dns_diff_t present;
	collect(zone, name_of(name_text, &room), type, covers, &present);
	apply_all(zone, DNS_DIFFOP_DEL, &present, NULL);
	dns_diff_clear(&present);
}

void
zone_remove_rrset(struct zone_database *zone, const char *name, const char *type, const char *covers) {
	remove_all(zone, name, type_of(type), type_of(covers));
}

void
zone_remove_name(struct zone_database *zone, const char *name) {
	remove_all(zone, name, dns_rdatatype_any, 0);
}

void
zone_set_ttl(struct zone_database *zone, const char *name, const char *type, const char *covers, uint32_t ttl) {
	dns_fixedname_t room;
	dns_diff_t present;
	collect(zone, name_of(name, &room), type_of(type), type_of(covers), &present);
	apply_all(zone, DNS_DIFFOP_DEL, &present, NULL);
	apply_all(zone, DNS_DIFFOP_ADD, &present, &ttl);
	dns_diff_clear(&present);
}

void
zone_begin(struct zone_database *zone) {
	dns_db_currentversion(zone->db, &zone->before);
	must(dns_db_newversion(zone->db, &zone->writing), "dns_db_newversion");
}

static void
take_next_serial(struct zone_database *zone) {
	dns_difftuple_t *old_soa = NULL, *new_soa = NULL;
	must(dns_db_createsoatuple(zone->db, zone->writing, mctx, DNS_DIFFOP_DEL, &old_soa), "SOA");
	must(dns_difftuple_copy(old_soa, &new_soa), "SOA");
	dns_soa_setserial(dns_soa_getserial(&new_soa->rdata) + 1, &new_soa->rdata);
	apply(zone, DNS_DIFFOP_DEL, &old_soa->name, old_soa->ttl, &old_soa->rdata);
	apply(zone, DNS_DIFFOP_ADD, &new_soa->name, new_soa->ttl, &new_soa->rdata);
	dns_difftuple_free(&old_soa);
	dns_difftuple_free(&new_soa);
}

void
zone_end(struct zone_database *zone, bool next_serial, const char *journal) {
	if (next_serial) {
		take_next_serial(zone);
		if (journal != NULL) {
			/*
			 * By what differs, and not by what was done: BIND 9.18 merges the changes of one record only where
			 * its name is spelled the same (dns_diff_appendminimal), so the journal of an update that adds to
			 * A.example and removes from a.example is not what the database holds. That is for BIND to mend.
			 */
			dns_diff_t diff;
			dns_diff_init(mctx, &diff);
			must(dns_db_diffx(&diff, zone->db, zone->writing, zone->db, zone->before, journal),
			     "dns_db_diffx");
			dns_diff_clear(&diff);
		}
	}
	dns_db_closeversion(zone->db, &zone->writing, true);
	dns_db_closeversion(zone->db, &zone->before, false);
}

static struct zone_database *
create_empty(void) {
	initialise();
	struct zone_database *zone = calloc(1, sizeof(*zone));
	must(dns_db_create(mctx, "rbt", dns_fixedname_name(&origin), dns_dbtype_zone, dns_rdataclass_in, 0, NULL,
			   &zone->db),
	     "dns_db_create");
	return zone;
}

struct zone_database *
zone_create(void) {
	struct zone_database *zone = create_empty();
	zone_begin(zone);
	zone_add(zone, "@", "SOA", 3600, first_soa);
	zone_end(zone, false, NULL);
	return zone;
}

static void
add_copy(void *closure, const char *name, const char *type, const char *covers, uint32_t ttl, const char *rdata) {
	(void)covers;
	char absolute[DNS_NAME_FORMATSIZE + 1];
	snprintf(absolute, sizeof(absolute), "%s.", name);
	zone_add(closure, absolute, type, ttl, rdata);
}

struct zone_database *
zone_copy(struct zone_database *zone) {
	struct zone_database *copy = create_empty();
	struct zone_version *version = zone_open(zone);
	zone_begin(copy);
	zone_each_record(version, add_copy, copy);
	zone_end(copy, false, NULL);
	zone_close(version);
	return copy;
}

void
zone_destroy(struct zone_database *zone) {
	dns_db_detach(&zone->db);
	free(zone);
}

struct zone_version *
zone_open(struct zone_database *zone) {
	struct zone_version *version = calloc(1, sizeof(*version));
	dns_db_attach(zone->db, &version->db);
	dns_db_currentversion(version->db, &version->version);
	return version;
}

void
zone_close(struct zone_version *version) {
	dns_db_closeversion(version->db, &version->version, false);
	dns_db_detach(&version->db);
	free(version);
}

uint32_t
zone_serial(const struct zone_version *version) {
	uint32_t serial = 0;
	must(dns_db_getsoaserial(version->db, version->version, &serial), "dns_db_getsoaserial");
	return serial;
}

static void
each_of_node(const struct zone_version *version, dns_dbnode_t *node, const dns_name_t *name, zone_record_fn record,
	     void *closure) {
	char owner[DNS_NAME_FORMATSIZE], type[DNS_RDATATYPE_FORMATSIZE], covers[DNS_RDATATYPE_FORMATSIZE];
	static char text[512 * 1024];
	dns_rdatasetiter_t *sets = NULL;
	dns_name_format(name, owner, sizeof(owner));
	must(dns_db_allrdatasets(version->db, node, version->version, 0, 0, &sets), "dns_db_allrdatasets");
	for (isc_result_t more = dns_rdatasetiter_first(sets); more == ISC_R_SUCCESS;
	     more = dns_rdatasetiter_next(sets)) {
		dns_rdataset_t set = DNS_RDATASET_INIT;
		dns_rdatasetiter_current(sets, &set);
		dns_rdatatype_format(set.type, type, sizeof(type));
		dns_rdatatype_format(set.covers, covers, sizeof(covers));
		for (isc_result_t next = dns_rdataset_first(&set); next == ISC_R_SUCCESS;
		     next = dns_rdataset_next(&set)) {
			dns_rdata_t rdata = DNS_RDATA_INIT;
			isc_buffer_t buffer;
			dns_rdataset_current(&set, &rdata);
			isc_buffer_init(&buffer, text, sizeof(text) - 1);
			must(dns_rdata_tofmttext(&rdata, NULL, 0, 0, 0, "", &buffer), "dns_rdata_tofmttext");
			text[isc_buffer_usedlength(&buffer)] = '\0';
			record(closure, owner, type, set.covers == 0 ? "" : covers, set.ttl, text);
		}
		dns_rdataset_disassociate(&set);
	}
	dns_rdatasetiter_destroy(&sets);
}

void
zone_each_record(const struct zone_version *version, zone_record_fn record, void *closure) {
	static const unsigned trees[] = { DNS_DB_NONSEC3, DNS_DB_NSEC3ONLY };
	for (int i = 0; i < 2; ++i) {
		dns_dbiterator_t *nodes = NULL;
		must(dns_db_createiterator(version->db, trees[i], &nodes), "dns_db_createiterator");
		for (isc_result_t more = dns_dbiterator_first(nodes); more == ISC_R_SUCCESS;
		     more = dns_dbiterator_next(nodes)) {
			dns_fixedname_t room;
			dns_name_t *name = dns_fixedname_initname(&room);
			dns_dbnode_t *node = NULL;
			must(dns_dbiterator_current(nodes, &node, name), "dns_dbiterator_current");
			each_of_node(version, node, name, record, closure);
			dns_db_detachnode(version->db, &node);
		}
		dns_dbiterator_destroy(&nodes);
	}
}

void
zone_compare(const struct zone_comparison *comparison) {
	static const atomic_bool never = false;
	struct bindcast_zone told = BINDCAST_INIT(told);
	told.zone = "example";
	told.view = "_default";
	told.zone_type = "primary";
	zone_diff(&(struct zone_diff){ .zone = &told,
				       .transferred = comparison->transferred,
				       .old_db = comparison->old_version->db,
				       .new_db = comparison->new_version->db,
				       .old_version = comparison->old_version->version,
				       .new_version = comparison->new_version->version,
				       .has_serials = comparison->has_serials,
				       .old_serial = zone_serial(comparison->old_version),
				       .new_serial = zone_serial(comparison->new_version),
				       .journal = comparison->journal,
				       .mctx = mctx,
				       .private_type = 65534,
				       .dnssec_records = comparison->dnssec_records,
				       .stop = &never });
}
