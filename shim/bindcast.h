/*
 * Bindcast's C ABI: how a DNS host process delivers what happens inside it.
 *
 * The BIND 9 shim (shim/bind9) uses exactly this; any other host can. Everything is opaque handles and plain structs;
 * no C++ and no BIND type crosses. All functions are safe to call at any time between start and stop, none throws,
 * none keeps a pointer it was given past its return. Texts are NUL-terminated UTF-8 or ASCII unless a length stands
 * beside them. Every struct begins with its size, so that later versions can grow it: use BINDCAST_INIT.
 *
 * Thread rules, said beside each function:
 *   Query path.  Wait-free: no lock, no allocation, no system call but one wake-up when the loop sleeps.
 *   Any thread.  May lock and allocate, for a bounded time; never call it while answering a query.
 *
 * Figures and limits: a query record is at most 1 KiB; a full ring drops the record and counts it (reported to every
 * subscriber that wanted it as a `gap`). Cold events (zones, records, emits) wait for room up to one second, then drop
 * and count.
 */
#ifndef BINDCAST_H
#define BINDCAST_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define BINDCAST_ABI_VERSION 1
/* struct bindcast_query q = BINDCAST_INIT(q); */
#define BINDCAST_INIT(object) { .size = sizeof(object) }

typedef struct bindcast_runtime  bindcast_runtime;  /* one per process */
typedef struct bindcast_producer bindcast_producer; /* one host thread's way in */
typedef struct bindcast_change	   bindcast_change;   /* the changes of one zone under way */

enum bindcast_log_level { BINDCAST_LOG_DEBUG, BINDCAST_LOG_INFO, BINDCAST_LOG_WARNING, BINDCAST_LOG_ERROR };

/* Called from any thread, one line without a newline; must not call back into Bindcast. */
typedef void (*bindcast_log_fn)(void *closure, enum bindcast_log_level level, const char *line);

struct bindcast_host {
	size_t		size;
	const char     *name;	   /* "named": the events' source_service */
	const char     *version;   /* the host's own version, for service_started */
	const char     *state_dir; /* where bindcast.token and bindcast.state live; NULL: the working directory */
	bindcast_log_fn log;	   /* NULL: stderr */
	void	       *log_closure;
	/*
	 * The host's own counters are wanted: called every sources.named.interval, while it is enabled, and answered, at
	 * once or later, by bindcast_counted, or not at all. Called on a thread of Bindcast's: must return at once, and
	 * call no other function of Bindcast. NULL: there are none.
	 */
	void (*counters_wanted)(void *closure);
	void *counters_closure;
};

/* The ABI version this library was built with. Any thread. */
unsigned
bindcast_abi_version(void);

/*
 * Validates a YAML file without opening anything else or starting anything. Each fault is logged as
 * "file:line: key: what". Returns true when the file is valid. Any thread.
 */
bool
bindcast_check(const struct bindcast_host *host, const char *config_path);

/*
 * Starts the runtime of this process, or, when it runs, takes one more reference to it (`config_path` is then ignored:
 * see bindcast_reconfigure). config_path may be NULL: defaults. A port that is taken is logged and tried again, it is
 * no failure. Returns NULL after logging why. Any thread.
 */
bindcast_runtime *
bindcast_start(const struct bindcast_host *host, const char *config_path);

/*
 * Gives one reference back. The last one stops everything in order: service_stopped is sent, clients are closed with
 * 1001, threads end. May take up to half a second then. Any thread, but no call of another function may be under way
 * or follow.
 */
void
bindcast_stop(bindcast_runtime *runtime);

/*
 * Reads a configuration and holds it ready; false (after logging every fault) leaves all as it was. A second call
 * replaces what was held. Any thread.
 */
bool
bindcast_prepare(bindcast_runtime *runtime, const char *config_path);
/* Applies what bindcast_prepare holds (announcing config_change when anything differs), or forgets it. Any thread. */
void
bindcast_apply(bindcast_runtime *runtime);
void
bindcast_discard(bindcast_runtime *runtime);

/* ── The query path ─────────────────────────────────────────────────────────────────────────────────────────────── */

/*
 * A producer belongs to one thread at a time: it is a single-producer ring and a priority lane. It lives until the
 * runtime ends. NULL when memory is short or there are 1,024 already. Any thread, not the query path: allocates.
 */
bindcast_producer *
bindcast_producer_create(bindcast_runtime *runtime);

enum bindcast_interest {
	BINDCAST_WANTS_QUERIES = 1,  /* somebody wants every query */
	BINDCAST_WANTS_FAILURES = 2, /* somebody wants those that ended in SERVFAIL */
	BINDCAST_WANTS_RPZ = 4,
	BINDCAST_COUNTS_QUERIES = 8 /* never with BINDCAST_WANTS_QUERIES: those who want every query are full for now */
};
/* What is wanted now, as a set of bindcast_interest. One relaxed load. Query path. */
uint32_t
bindcast_interest(const bindcast_runtime *runtime);

enum bindcast_transport { BINDCAST_UDP, BINDCAST_TCP, BINDCAST_TLS, BINDCAST_HTTPS };

struct bindcast_address {
	uint8_t	 family; /* 4, 6, or 0 for none */
	uint8_t	 bytes[16];
	uint16_t port; /* host byte order */
};

enum bindcast_rpz_trigger {
	BINDCAST_TRIGGER_QNAME, BINDCAST_TRIGGER_CLIENT_IP, BINDCAST_TRIGGER_IP, BINDCAST_TRIGGER_NSDNAME,
	BINDCAST_TRIGGER_NSIP
};
enum bindcast_rpz_action {
	BINDCAST_ACTION_NXDOMAIN, BINDCAST_ACTION_NODATA, BINDCAST_ACTION_DROP, BINDCAST_ACTION_TCP_ONLY,
	BINDCAST_ACTION_PASSTHRU, BINDCAST_ACTION_CNAME, BINDCAST_ACTION_LOCAL_DATA
};

/* A response policy rewrite. Names are uncompressed wire form. */
struct bindcast_rpz {
	size_t	       size;
	const uint8_t *policy_zone;
	uint8_t	       policy_zone_length;
	uint32_t       policy_serial; /* 0: unknown */
	const uint8_t *rule;	      /* the owner name of the policy record; NULL: unknown */
	uint8_t	       rule_length;
	uint8_t	       trigger, action;
};

/* A finished request. Names are uncompressed wire form. */
struct bindcast_query {
	size_t			size;
	struct bindcast_address client;
	uint8_t			transport; /* enum bindcast_transport */
	const uint8_t	       *qname;
	uint8_t			qname_length;
	uint16_t		qtype, qclass;
	uint16_t		rcode; /* extended, 12 bits */
	uint16_t		flags; /* the header's flag bits as sent: QR AA TC RD RA AD CD */
	uint16_t		answers, authority, additional;
	uint64_t		started_ns, ended_ns; /* CLOCK_MONOTONIC */
	uint32_t		hook_ns; /* what the host's own hooks took for an earlier query; 0: not measured */
	const char	       *view;
	bool			counted;      /* bindcast_query_passed was called for it: only its failure is of use */
	bool			dropped;      /* no answer was sent; rcode is meaningless */
	bool			recursed;     /* the answer needed recursion */
	bool			cached;	      /* answered from the cache alone */
	int16_t			edns_version; /* -1: no EDNS */
	uint16_t		edns_udp_size;
	bool			edns_do;
	struct bindcast_address ecs;	    /* port unused; family 0: none */
	uint8_t			ecs_source; /* prefix length */
	const uint8_t	       *tsig_key;   /* NULL: unsigned */
	uint8_t			tsig_key_length;
	bool			has_ede;
	uint16_t		ede_code;   /* RFC 8914 */
	const struct bindcast_rpz *rpz;	    /* NULL: not rewritten */
};

/*
 * bindcast_query_done gives the query's own events, bindcast_rpz_hit those of the rewrite (query->rpz must not be NULL), by
 * the priority lane. Each returns false when the record was dropped (counted). Query path; only the producer's thread.
 */
bool
bindcast_query_done(bindcast_producer *producer, const struct bindcast_query *query);
bool
bindcast_rpz_hit(bindcast_producer *producer, const struct bindcast_query *query);
/*
 * A query while BINDCAST_COUNTS_QUERIES is wanted: counted as missed by those who are full, with no more said of it. Query
 * path; only the producer's thread.
 */
void
bindcast_query_passed(bindcast_producer *producer);
/* The host itself lost sight of a query that was wanted: counted as dropped. Query path; only the producer's thread. */
void
bindcast_query_lost(bindcast_producer *producer);

/* ── Zones, records, reloads, configuration ─────────────────────────────────────────────────────────────────────── */

enum bindcast_zone_happening {
	BINDCAST_ZONE_CREATED, BINDCAST_ZONE_DELETED, BINDCAST_ZONE_LOADED, BINDCAST_ZONE_EXPIRED
};

struct bindcast_zone {
	size_t	    size;
	const char *zone; /* presentation form without the final dot */
	const char *view;
	const char *zone_type; /* "primary", "secondary", "mirror", "stub", "forward", … */
	const char *cause;     /* startup, update, transfer, reload, addzone, delzone, config, signing, unknown */
	bool	    policy_zone;
	bool	    has_serial;
	uint32_t    serial;
	uint64_t    records;	 /* number of records when it was loaded; 0: not counted */
	const char *correlation; /* joins it to its cause, or NULL */
};
/* Any thread. */
void
bindcast_zone_happened(bindcast_runtime *runtime, enum bindcast_zone_happening what, const struct bindcast_zone *zone);

/* One RRset that differs; rdata in presentation form. Either side may have no records (created, deleted). */
struct bindcast_rrset {
	uint32_t	   ttl;
	size_t		   count;
	const char *const *rdata;
};
struct bindcast_record {
	size_t		      size;
	const char	     *name; /* owner, presentation form without the final dot */
	const char	     *rtype;
	struct bindcast_rrset before, after;
};

/*
 * The content of a zone changes from one serial to another: begin, one bindcast_change_record for each RRset that
 * differs, commit. Above events.zones.bulk_threshold the records are folded into one record_bulk_operation; a policy
 * zone gives rpz_update and rpz_rule_* instead. All events of one change share a correlation id, and `correlation`
 * (may be NULL) joins several changes of one cause. Nothing is emitted before commit; abandon frees without a trace.
 * Any thread; one thread per change.
 */
bindcast_change *
bindcast_change_begin(bindcast_runtime *runtime, const struct bindcast_zone *zone, uint32_t serial_from, uint32_t serial_to,
		      const char *correlation);
void
bindcast_change_record(bindcast_change *change, const struct bindcast_record *record);
void
bindcast_change_commit(bindcast_change *change);
void
bindcast_change_abandon(bindcast_change *change);

enum bindcast_reload_outcome { BINDCAST_RELOAD_STARTED, BINDCAST_RELOAD_SUCCEEDED, BINDCAST_RELOAD_FAILED };
struct bindcast_reload {
	size_t	    size;
	uint8_t	    outcome;
	const char *cause;  /* "reload" or NULL */
	const char *reason; /* of a failure, or NULL */
	uint64_t    duration_ms;
	uint32_t    zones, views; /* 0: not counted */
	const char *correlation;  /* shared with the zone events it caused, or NULL */
};
/* Any thread. */
void
bindcast_reloaded(bindcast_runtime *runtime, const struct bindcast_reload *reload);

/*
 * The host's whole effective configuration as text, secrets already hidden. The first call only remembers it; later
 * ones announce bind_config_change with the statements that differ. Any thread.
 */
void
bindcast_configuration(bindcast_runtime *runtime, const char *text, size_t length, const char *correlation);

/* ── The host's own counters ────────────────────────────────────────────────────────────────────────────────────── */

/* Each has one kind: counters only grow, and are given as they stand; gauges go up and down. */
enum bindcast_counter_group {
	/* Of the whole server: counters. */
	BINDCAST_RESPONSES, /* answers by code: the rcode */
	BINDCAST_QUERIES,   /* questions by code: the type; by the name "other" where the host does not tell types apart */
	BINDCAST_REQUESTS,  /* messages that came, by name: "udp", "tcp" */
	BINDCAST_OPCODES,   /* messages that came, by name: "QUERY", "NOTIFY"… */
	BINDCAST_SERVER,    /* whatever else the server counts, by name: "recursion", "dropped"… */
	/* Of the whole server: gauges. */
	BINDCAST_QUOTAS, /* what is in use, with its limit, by name: "recursive_clients", "tcp_clients"… */
	BINDCAST_ZONES,	 /* how many there are, by name: "all", "automatic", "transfers_running"… */
	/* Of one view. Counters but for the memory, in bytes, with its limit, the nodes, and the active. */
	BINDCAST_CACHE, /* by name: "query_hits", "query_misses"… */
	BINDCAST_CACHE_MEMORY,
	BINDCAST_CACHE_NODES,
	/*
	 * By name: "retries"… Of the times in which other servers answered: "rtt_below_10_ms", "rtt_below_100_ms"… those in
	 * less than so long, but no less than the next smaller one, "rtt_above_100_ms" those beyond the last, "timeouts" the
	 * answers that did not come.
	 */
	BINDCAST_RESOLVER,
	BINDCAST_RESOLVER_QUERIES, /* questions sent, by code: the type, or "other" */
	BINDCAST_RESOLVER_ACTIVE,  /* by name: "fetches"… */
	/* Of the whole server, a gauge: bytes in use, by what for, but the caches' content: "main", "zones"… */
	BINDCAST_MEMORY
};

struct bindcast_counter {
	uint8_t	    group; /* enum bindcast_counter_group */
	const char *view;  /* of a group that belongs to a view; else ignored */
	/* At most 63 of A-Z, a-z, 0-9, '_' and '-'; NULL: `code` tells, or the group has but one value. */
	const char *name;
	uint16_t code;
	uint64_t value;
	uint64_t limit; /* 0: none, or not known */
	/*
	 * Another number when the counter began anew from zero, the same for one that several views share; 0: not known,
	 * and then a counter that is lower than before began anew.
	 */
	uint64_t life;
};

struct bindcast_counters {
	size_t			       size;
	uint64_t		       uptime_seconds; /* 0: not known */
	const struct bindcast_counter *counters;
	size_t			       count; /* of at most 16,384; what is beyond is left out, and told as left out */
};
/*
 * What the host counts, all of it, read at one moment. Counters of zero may be left out, but each view and the server
 * must have at least one entry, so that a counter that comes later is known to have been zero. Gives bind_status_update
 * and, from the second call on, dns_query_stats; nothing while sources.named is off. When several come before the loop has
 * looked at one, the last counts. Any thread.
 */
void
bindcast_counted(bindcast_runtime *runtime, const struct bindcast_counters *counters);

/* ── Everything else ────────────────────────────────────────────────────────────────────────────────────────────── */

enum bindcast_field_kind { BINDCAST_TEXT, BINDCAST_INTEGER, BINDCAST_REAL, BINDCAST_BOOLEAN };
struct bindcast_field {
	const char *name;
	enum bindcast_field_kind kind;
	const char *text;
	int64_t	    integer; /* also of a boolean */
	double	    real;
};

/*
 * Emits an event of any type ("custom.<name>" for others) with `data` given as fields or as the text of a JSON object.
 * Returns false, writing why into `error` (may be NULL), when the type is unknown, the JSON is no object or deeper
 * than 16, or it is over 64 KiB. Any thread.
 */
bool
bindcast_emit_fields(bindcast_runtime *runtime, const char *type, const struct bindcast_field *fields, size_t count,
		     char *error, size_t error_size);
bool
bindcast_emit_json(bindcast_runtime *runtime, const char *type, const char *json, size_t length, char *error,
		   size_t error_size);

/*
 * Publishes one whole event, given as JSON, in the name of `user` (NULL: nobody's). Its members are those of doc/publishing.md,
 * checked in the same way; the host may publish events of any origin. Those of a bulk operation that have a
 * metadata.correlation_id are watched over like everybody's. An `id` is kept, but repetitions are not looked for. False,
 * with why in `error` (may be NULL), when it is no such event. Any thread.
 */
bool
bindcast_publish(bindcast_runtime *runtime, const char *user, const char *json, size_t length, char *error,
		 size_t error_size);

/* The zone watch's options, for a shim that walks zones: events.zones of the running configuration. Any thread. */
struct bindcast_zone_watch {
	size_t	 size;
	uint64_t sweep_us;
	uint32_t bulk_threshold;
	bool	 dnssec_records, builtin;
};
void
bindcast_zone_watch_options(bindcast_runtime *runtime, struct bindcast_zone_watch *out);
/* Is a zone of that name left alone by events.zones.ignore? Any thread. */
bool
bindcast_zone_ignored(bindcast_runtime *runtime, const char *zone);

/* A new correlation id (26 characters and a NUL). Any thread. */
void
bindcast_new_correlation(bindcast_runtime *runtime, char out[27]);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif /* BINDCAST_H */
