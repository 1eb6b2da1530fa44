#include "shim/bind9/server_counters.h"

#include <pthread.h>
#include <stdlib.h>

#include "shim/bind9/compat.h"
#include "shim/bind9/monotonic.h"
#include "shim/bind9/server_access.h"

#include <dns/cache.h>
#include <dns/opcode.h>
#include <dns/resolver.h>
#include <dns/stats.h>

#include <isc/quota.h>
#include <isc/stats.h>
#include <isc/time.h>

#include <ns/stats.h>

/* named's own, exported by the program; NULL in a program that has none. */
extern isc_time_t named_g_boottime __attribute__((weak, visibility("default")));

enum {
	/* Counting the zones goes through all of them: it takes at most this part of the time. */
	zones_share = 200,
	/* named makes a memory context for each thousand zones, and gives each zone one of them at random. */
	most_zones_asked = 4096,
	most_contexts = 1024
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards both below */
static bindcast_runtime *current_runtime;
static bool asked; /* a reading is on its way */

/* The task's: its events come one after the other. */
static struct {
	uint64_t due_ns; /* when the zones may be counted again */
	uint64_t all, automatic;
	uint64_t memory; /* in use by all of the contexts that zones have */
} zones;

/* ── Names ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* By the numbers of ns/stats.h; those without a name are told in another group, or are of no use. */
static const char *const server_names[ns_statscounter_max] = {
	[ns_statscounter_requestv4] = "requests_ipv4",
	[ns_statscounter_requestv6] = "requests_ipv6",
	[ns_statscounter_edns0in] = "requests_with_edns",
	[ns_statscounter_badednsver] = "requests_with_unknown_edns",
	[ns_statscounter_tsigin] = "requests_with_tsig",
	[ns_statscounter_sig0in] = "requests_with_sig0",
	[ns_statscounter_invalidsig] = "requests_with_bad_signature",
	[ns_statscounter_authrej] = "queries_rejected",
	[ns_statscounter_recurserej] = "recursive_queries_rejected",
	[ns_statscounter_xfrrej] = "transfers_rejected",
	[ns_statscounter_updaterej] = "updates_rejected",
	[ns_statscounter_response] = "responses",
	[ns_statscounter_truncatedresp] = "responses_truncated",
	[ns_statscounter_edns0out] = "responses_with_edns",
	[ns_statscounter_tsigout] = "responses_with_tsig",
	[ns_statscounter_sig0out] = "responses_with_sig0",
	[ns_statscounter_success] = "success",
	[ns_statscounter_authans] = "authoritative",
	[ns_statscounter_nonauthans] = "not_authoritative",
	[ns_statscounter_referral] = "referral",
	[ns_statscounter_nxrrset] = "nodata",
	[ns_statscounter_servfail] = "servfail",
	[ns_statscounter_formerr] = "formerr",
	[ns_statscounter_nxdomain] = "nxdomain",
	[ns_statscounter_recursion] = "recursion",
	[ns_statscounter_duplicate] = "duplicate",
	[ns_statscounter_dropped] = "dropped",
	[ns_statscounter_failure] = "other_failure",
	[ns_statscounter_xfrdone] = "transfers_done",
	[ns_statscounter_updatereqfwd] = "updates_forwarded",
	[ns_statscounter_updaterespfwd] = "update_responses_forwarded",
	[ns_statscounter_updatefwdfail] = "update_forwards_failed",
	[ns_statscounter_updatedone] = "updates_done",
	[ns_statscounter_updatefail] = "updates_failed",
	[ns_statscounter_updatebadprereq] = "updates_with_bad_prerequisite",
	[ns_statscounter_dns64] = "dns64",
	[ns_statscounter_ratedropped] = "rate_limit_dropped",
	[ns_statscounter_rateslipped] = "rate_limit_truncated",
	[ns_statscounter_rpz_rewrites] = "rpz_rewrites",
	[ns_statscounter_nsidopt] = "option_nsid",
	[ns_statscounter_expireopt] = "option_expire",
	[ns_statscounter_otheropt] = "option_other",
	[ns_statscounter_ecsopt] = "option_ecs",
	[ns_statscounter_padopt] = "option_padding",
	[ns_statscounter_keepaliveopt] = "option_keepalive",
	[ns_statscounter_keytagopt] = "option_keytag",
	[ns_statscounter_nxdomainredirect] = "nxdomain_redirected",
	[ns_statscounter_nxdomainredirect_rlookup] = "nxdomain_redirected_by_lookup",
	[ns_statscounter_cookiein] = "cookies",
	[ns_statscounter_cookiebadsize] = "cookies_of_bad_size",
	[ns_statscounter_cookiebadtime] = "cookies_of_bad_time",
	[ns_statscounter_cookienomatch] = "cookies_unmatched",
	[ns_statscounter_cookiematch] = "cookies_matched",
	[ns_statscounter_cookienew] = "cookies_new",
	[ns_statscounter_badcookie] = "badcookie",
	[ns_statscounter_nxdomainsynth] = "synthesized_nxdomain",
	[ns_statscounter_nodatasynth] = "synthesized_nodata",
	[ns_statscounter_wildcardsynth] = "synthesized_wildcard",
	[ns_statscounter_trystale] = "stale_tried",
	[ns_statscounter_usedstale] = "stale_used",
	[ns_statscounter_prefetch] = "prefetch",
	[ns_statscounter_reclimitdropped] = "recursive_clients_dropped",
	[ns_statscounter_updatequota] = "update_quota_exceeded",
};

static const char *const resolver_names[dns_resstatscounter_max] = {
	[dns_resstatscounter_queryv4] = "queries_ipv4",
	[dns_resstatscounter_queryv6] = "queries_ipv6",
	[dns_resstatscounter_responsev4] = "responses_ipv4",
	[dns_resstatscounter_responsev6] = "responses_ipv6",
	[dns_resstatscounter_nxdomain] = "nxdomain",
	[dns_resstatscounter_servfail] = "servfail",
	[dns_resstatscounter_formerr] = "formerr",
	[dns_resstatscounter_refused] = "refused",
	[dns_resstatscounter_othererror] = "other_error",
	[dns_resstatscounter_edns0fail] = "edns_failed",
	[dns_resstatscounter_mismatch] = "mismatched",
	[dns_resstatscounter_truncated] = "truncated",
	[dns_resstatscounter_lame] = "lame",
	[dns_resstatscounter_retry] = "retries",
	[dns_resstatscounter_gluefetchv4] = "address_fetches_ipv4",
	[dns_resstatscounter_gluefetchv6] = "address_fetches_ipv6",
	[dns_resstatscounter_gluefetchv4fail] = "address_fetches_failed_ipv4",
	[dns_resstatscounter_gluefetchv6fail] = "address_fetches_failed_ipv6",
	[dns_resstatscounter_val] = "validations",
	[dns_resstatscounter_valsuccess] = "validated",
	[dns_resstatscounter_valnegsuccess] = "validated_negative",
	[dns_resstatscounter_valfail] = "validations_failed",
	[dns_resstatscounter_dispabort] = "aborted_by_quota",
	[dns_resstatscounter_dispsockfail] = "sockets_failed",
	[dns_resstatscounter_querytimeout] = "timeouts",
	[dns_resstatscounter_queryrtt0] = "rtt_below_" DNS_RESOLVER_QRYRTTCLASS0STR "_ms",
	[dns_resstatscounter_queryrtt1] = "rtt_below_" DNS_RESOLVER_QRYRTTCLASS1STR "_ms",
	[dns_resstatscounter_queryrtt2] = "rtt_below_" DNS_RESOLVER_QRYRTTCLASS2STR "_ms",
	[dns_resstatscounter_queryrtt3] = "rtt_below_" DNS_RESOLVER_QRYRTTCLASS3STR "_ms",
	[dns_resstatscounter_queryrtt4] = "rtt_below_" DNS_RESOLVER_QRYRTTCLASS4STR "_ms",
	[dns_resstatscounter_queryrtt5] = "rtt_above_" DNS_RESOLVER_QRYRTTCLASS4STR "_ms",
	[dns_resstatscounter_cookienew] = "cookies_sent_new",
	[dns_resstatscounter_cookieout] = "cookies_sent",
	[dns_resstatscounter_cookiein] = "cookies",
	[dns_resstatscounter_cookieok] = "cookies_matched",
	[dns_resstatscounter_badvers] = "badvers",
	[dns_resstatscounter_badcookie] = "badcookie",
	[dns_resstatscounter_zonequota] = "spilled_by_zone_quota",
	[dns_resstatscounter_serverquota] = "spilled_by_server_quota",
	[dns_resstatscounter_clientquota] = "spilled_by_clients_quota",
	[dns_resstatscounter_nextitem] = "waited_for_next",
	[dns_resstatscounter_priming] = "priming",
};

static const char *const resolver_active_names[dns_resstatscounter_max] = {
	[dns_resstatscounter_nfetch] = "fetches",
	[dns_resstatscounter_disprequdp] = "queries_udp",
	[dns_resstatscounter_dispreqtcp] = "queries_tcp",
};

static const char *const cache_names[dns_cachestatscounter_max] = {
	[dns_cachestatscounter_hits] = "hits",
	[dns_cachestatscounter_misses] = "misses",
	[dns_cachestatscounter_queryhits] = "query_hits",
	[dns_cachestatscounter_querymisses] = "query_misses",
	[dns_cachestatscounter_deletelru] = "evicted",
	[dns_cachestatscounter_deletettl] = "expired",
	[dns_cachestatscounter_coveringnsec] = "covering_nsec",
};

static const char *const opcode_names[16] = {
	[dns_opcode_query] = "QUERY",	[dns_opcode_iquery] = "IQUERY", [dns_opcode_status] = "STATUS",
	[dns_opcode_notify] = "NOTIFY", [dns_opcode_update] = "UPDATE",
};

/* ── One reading ───────────────────────────────────────────────────────────────────────────────────────────────── */

struct reading {
	struct bindcast_counter *counters;
	size_t count, room;
	bool failed;
	/* What the counters that are added belong to. */
	uint8_t group;
	const char *view;
	uint64_t life;
};

static void
begin_group(struct reading *reading, enum bindcast_counter_group group, const void *counters) {
	reading->group = (uint8_t)group;
	reading->life = (uintptr_t)counters;
}

static struct bindcast_counter *
add(struct reading *reading, const char *name, uint64_t value) {
	static struct bindcast_counter nowhere;
	if (reading->count == reading->room) {
		const size_t room = reading->room == 0 ? 512 : reading->room * 2;
		struct bindcast_counter *larger = realloc(reading->counters, room * sizeof(*larger));
		if (larger == NULL) {
			reading->failed = true;
			return &nowhere;
		}
		reading->counters = larger;
		reading->room = room;
	}
	struct bindcast_counter *counter = &reading->counters[reading->count++];
	*counter = (struct bindcast_counter){
		.group = reading->group, .view = reading->view, .name = name, .value = value, .life = reading->life
	};
	return counter;
}

/* A gauge that another thread is just changing may be below zero for a moment. */
static uint64_t
value_of(isc_stats_t *stats, int number) {
	const isc_statscounter_t value = isc_stats_get_counter(stats, number);
	return value < 0 ? 0 : (uint64_t)value;
}

/* Those that have a name. */
static void
add_named(struct reading *reading, enum bindcast_counter_group group, isc_stats_t *stats, const char *const *names,
	  int count) {
	if (stats == NULL) {
		return;
	}
	begin_group(reading, group, stats);
	for (int i = 0; i < count && i < isc_stats_ncounters(stats); ++i) {
		if (names[i] != NULL) {
			add(reading, names[i], value_of(stats, i));
		}
	}
}

static void
add_rcode(dns_rcode_t rcode, uint64_t value, void *closure) {
	add(closure, NULL, value)->code = rcode;
}

/* BIND has one counter for all types above 255; it is told as type 0. */
static void
add_type(dns_rdatastatstype_t type, uint64_t value, void *closure) {
	const dns_rdatatype_t base = DNS_RDATASTATSTYPE_BASE(type);
	add(closure, base == 0 ? "other" : NULL, value)->code = base;
}

static void
add_opcode(dns_opcode_t opcode, uint64_t value, void *closure) {
	if (opcode < sizeof(opcode_names) / sizeof(opcode_names[0])) {
		add(closure, opcode_names[opcode] == NULL ? "other" : opcode_names[opcode], value);
	}
}

static void
add_quota(struct reading *reading, const char *name, isc_quota_t *quota) {
	add(reading, name, isc_quota_getused(quota))->limit = isc_quota_getmax(quota);
}

static void
add_server(struct reading *reading, ns_server_t *context) {
	isc_stats_t *stats = ns_stats_get(context->nsstats);
	begin_group(reading, BINDCAST_REQUESTS, stats);
	const uint64_t tcp = value_of(stats, ns_statscounter_requesttcp);
	const uint64_t all = value_of(stats, ns_statscounter_requestv4) + value_of(stats, ns_statscounter_requestv6);
	add(reading, "udp", all > tcp ? all - tcp : 0);
	add(reading, "tcp", tcp);
	begin_group(reading, BINDCAST_RESPONSES, context->rcodestats);
	dns_rcodestats_dump(context->rcodestats, add_rcode, reading, 0);
	begin_group(reading, BINDCAST_QUERIES, context->rcvquerystats);
	dns_rdatatypestats_dump(context->rcvquerystats, add_type, reading, 0);
	begin_group(reading, BINDCAST_OPCODES, context->opcodestats);
	dns_opcodestats_dump(context->opcodestats, add_opcode, reading, 0);
	add_named(reading, BINDCAST_SERVER, stats, server_names, ns_statscounter_max);

	begin_group(reading, BINDCAST_QUOTAS, context);
	add_quota(reading, "recursive_clients", &context->recursionquota);
	add_quota(reading, "tcp_clients", &context->tcpquota);
	add_quota(reading, "outgoing_transfers", &context->xfroutquota);
	add_quota(reading, "updates", &context->updquota);
	add(reading, "tcp_clients_high_water", value_of(stats, ns_statscounter_tcphighwater));
	begin_group(reading, BINDCAST_MEMORY, context);
	add(reading, "main", isc_mem_inuse(context->mctx));
}

/* ── Zones ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static isc_result_t
take_manager(dns_zone_t *zone, void *closure) {
	*(dns_zonemgr_t **)closure = dns_zone_getmgr(zone);
	return ISC_R_NOMORE;
}

/* Any zone leads to the manager of all. */
static void
find_manager(dns_view_t *view, void *closure) {
	dns_zonemgr_t **manager = closure;
	LOCK(&view->lock);
	if (*manager == NULL && view->zonetable != NULL) {
		dns_zt_apply(view->zonetable, isc_rwlocktype_read, true, NULL, take_manager, manager);
	}
	UNLOCK(&view->lock);
}

/* The contexts that zones have, each once. named's own, where one has that, is told by itself. */
struct zone_contexts {
	const isc_mem_t *main;
	const isc_mem_t *seen[most_contexts]; /* only compared: a zone may be gone, and its context with it */
	size_t count, asked;
	uint64_t memory;
};

static bool
is_known(const struct zone_contexts *contexts, const isc_mem_t *context) {
	for (size_t i = 0; i < contexts->count; ++i) {
		if (contexts->seen[i] == context) {
			return true;
		}
	}
	return context == contexts->main;
}

static isc_result_t
take_context(dns_zone_t *zone, void *closure) {
	struct zone_contexts *contexts = closure;
	if (contexts->asked == most_zones_asked || contexts->count == most_contexts) {
		return ISC_R_NOMORE;
	}
	isc_mem_t *context = dns_zone_getmctx(zone);
	if (!is_known(contexts, context)) {
		contexts->seen[contexts->count++] = context;
		contexts->memory += isc_mem_inuse(context);
	}
	++contexts->asked;
	return ISC_R_SUCCESS;
}

/* Not under the view's lock, which each query takes. */
static void
take_contexts(dns_view_t *view, void *closure) {
	dns_zt_t *table = NULL;
	LOCK(&view->lock);
	if (view->zonetable != NULL) {
		dns_zt_attach(view->zonetable, &table);
	}
	UNLOCK(&view->lock);
	if (table != NULL) {
		dns_zt_apply(table, isc_rwlocktype_read, true, NULL, take_context, closure);
		dns_zt_detach(&table);
	}
}

static uint64_t
memory_of_zones(void) {
	const ns_server_t *context = server_context();
	struct zone_contexts contexts = { .main = context == NULL ? NULL : context->mctx };
	server_each_view(take_contexts, &contexts);
	return contexts.memory;
}

static void
add_zones(struct reading *reading) {
	dns_zonemgr_t *manager = NULL;
	server_each_view(find_manager, &manager);
	if (manager == NULL) {
		return;
	}
	const uint64_t now_ns = monotonic_ns();
	if (now_ns >= zones.due_ns) {
		zones.all = dns_zonemgr_getcount(manager, DNS_ZONESTATE_ANY);
		zones.automatic = dns_zonemgr_getcount(manager, DNS_ZONESTATE_AUTOMATIC);
		zones.memory = memory_of_zones();
		zones.due_ns = now_ns + (monotonic_ns() - now_ns) * zones_share;
	}
	begin_group(reading, BINDCAST_ZONES, NULL);
	add(reading, "all", zones.all);
	add(reading, "automatic", zones.automatic);
	add(reading, "transfers_running", dns_zonemgr_getcount(manager, DNS_ZONESTATE_XFERRUNNING));
	add(reading, "transfers_deferred", dns_zonemgr_getcount(manager, DNS_ZONESTATE_XFERDEFERRED));
	begin_group(reading, BINDCAST_MEMORY, NULL);
	add(reading, "zones", zones.memory);
}

/* ── Views ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void
add_cache(struct reading *reading, const dns_view_t *view) {
	add_named(reading, BINDCAST_CACHE, dns_cache_getstats(view->cache), cache_names, dns_cachestatscounter_max);
	if (view->cachedb == NULL) {
		return;
	}
	/* Its own memory context, to which max-cache-size applies. */
	begin_group(reading, BINDCAST_CACHE_MEMORY, view->cachedb);
	add(reading, NULL, isc_mem_inuse(view->cachedb->mctx))->limit = dns_cache_getcachesize(view->cache);
	begin_group(reading, BINDCAST_CACHE_NODES, view->cachedb);
	add(reading, NULL, dns_db_nodecount(view->cachedb, dns_dbtree_main));
}

static void
add_view(dns_view_t *view, void *closure) {
	struct reading *reading = closure;
	if (view->rdclass != dns_rdataclass_in) {
		return;
	}
	reading->view = view->name;
	if (view->cache != NULL) {
		add_cache(reading, view);
	}
	add_named(reading, BINDCAST_RESOLVER, view->resstats, resolver_names, dns_resstatscounter_max);
	add_named(reading, BINDCAST_RESOLVER_ACTIVE, view->resstats, resolver_active_names, dns_resstatscounter_max);
	if (view->resquerystats != NULL) {
		begin_group(reading, BINDCAST_RESOLVER_QUERIES, view->resquerystats);
		dns_rdatatypestats_dump(view->resquerystats, add_type, reading, 0);
	}
}

/* ── Telling it ────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint64_t
uptime_seconds(void) {
	isc_time_t now;
	if (&named_g_boottime == NULL || isc_time_now(&now) != ISC_R_SUCCESS) {
		return 0;
	}
	const uint32_t then = isc_time_seconds(&named_g_boottime), seconds = isc_time_seconds(&now);
	return seconds > then ? seconds - then : 0;
}

/* On the task. */
static void
read_all(void *unused) {
	(void)unused;
	pthread_mutex_lock(&lock);
	const bool stopped = current_runtime == NULL;
	pthread_mutex_unlock(&lock);
	if (stopped) {
		return;
	}
	struct reading reading = { 0 };
	ns_server_t *context = server_context();
	if (context != NULL) {
		add_server(&reading, context);
	}
	add_zones(&reading);
	server_each_view(add_view, &reading);

	struct bindcast_counters counters = BINDCAST_INIT(counters);
	counters.uptime_seconds = uptime_seconds();
	counters.counters = reading.counters;
	counters.count = reading.count;
	/* Only now the lock, under which nothing of BIND's may be asked: plugin_destroy waits for it. */
	pthread_mutex_lock(&lock);
	asked = false;
	if (current_runtime != NULL && !reading.failed) {
		bindcast_counted(current_runtime, &counters);
	}
	pthread_mutex_unlock(&lock);
	free(reading.counters);
}

void
server_counters_wanted(void *unused) {
	pthread_mutex_lock(&lock);
	const bool wanted = current_runtime != NULL && !asked;
	asked = asked || wanted;
	pthread_mutex_unlock(&lock);
	if (wanted && !server_run(read_all, unused)) {
		pthread_mutex_lock(&lock);
		asked = false;
		pthread_mutex_unlock(&lock);
	}
}

void
server_counters_start(bindcast_runtime *runtime) {
	pthread_mutex_lock(&lock);
	current_runtime = runtime;
	pthread_mutex_unlock(&lock);
}

void
server_counters_stop(void) {
	pthread_mutex_lock(&lock);
	current_runtime = NULL;
	asked = false;
	pthread_mutex_unlock(&lock);
}
