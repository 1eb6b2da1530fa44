#include "shim/bind9/query_capture.h"

#include <stdatomic.h>
#include <string.h>

#include "shim/bind9/flight_table.h"
#include "shim/bind9/loads.h"
#include "shim/bind9/monotonic.h"
#include "shim/bind9/rpz_capture.h"
#include "shim/bind9/server_access.h"
#include "shim/bind9/zone_watch.h"

/* "bindcast-view-probe.invalid." */
const uint8_t query_capture_probe_name[] = "\x13" "bindcast-view-probe" "\x07" "invalid";
const size_t query_capture_probe_length = sizeof(query_capture_probe_name);

/* What one of named's threads needs, by its number (client->tid). Made on first use, used by that thread alone. */
struct worker {
	bindcast_producer *producer;
	struct flight_table *flights;
	uint32_t requests; /* only to take the time of one in so many */
	uint32_t hook_ns;  /* what the last one measured took, to be told with the next record; 0: it was told */
};

#define MEASURED_ONE_IN 1024

#define MAX_WORKERS 1024
static struct worker workers[MAX_WORKERS];
static _Atomic(bindcast_runtime *) current_runtime;

static struct worker *
worker_of(const ns_client_t *client, bindcast_runtime *runtime) {
	if ((unsigned)client->tid >= MAX_WORKERS) {
		return NULL;
	}
	struct worker *worker = &workers[client->tid];
	if (worker->flights == NULL) {
		worker->flights = flight_table_create();
	}
	if (worker->producer == NULL) {
		worker->producer = bindcast_producer_create(runtime);
	}
	return worker->flights == NULL || worker->producer == NULL ? NULL : worker;
}

static struct bindcast_address
address_of(const isc_netaddr_t *from, uint16_t port) {
	struct bindcast_address address = { .port = port };
	if (from->family == AF_INET) {
		address.family = 4;
		memcpy(address.bytes, &from->type.in, 4);
	} else if (from->family == AF_INET6) {
		address.family = 6;
		memcpy(address.bytes, &from->type.in6, 16);
	}
	return address;
}

static uint8_t
transport_of(const ns_client_t *client) {
	if (isc_nm_is_http_handle(client->handle)) {
		return BINDCAST_HTTPS;
	}
	switch (isc_nm_socket_type(client->handle)) {
	case isc_nm_tlssocket:
	case isc_nm_tlsdnssocket:
		return BINDCAST_TLS;
	case isc_nm_tcpsocket:
	case isc_nm_tcpdnssocket:
		return BINDCAST_TCP;
	default:
		return BINDCAST_UDP;
	}
}

/* Did the answer come out of the cache alone? BIND does not say; these conditions leave nothing else. */
static bool
answered_from_cache(const ns_client_t *client, bool recursed) {
	const dns_message_t *message = client->message;
	return !recursed && (client->query.attributes & NS_QUERYATTR_WANTRECURSION) != 0 &&
	       (client->attributes & NS_CLIENTATTR_RA) != 0 && (message->flags & DNS_MESSAGEFLAG_AA) == 0 &&
	       !client->query.isreferral &&
	       (message->rcode == dns_rcode_noerror || message->rcode == dns_rcode_nxdomain);
}

static void
capture(const ns_client_t *client, const struct flight *flight, bindcast_runtime *runtime,
	struct worker *worker) {
	const uint32_t interest = bindcast_interest(runtime);
	const dns_message_t *message = client->message;
	struct bindcast_rpz rpz = BINDCAST_INIT(rpz);
	const bool rewritten = rpz_capture(client, &rpz);
	const bool failed = message->rcode == dns_rcode_servfail;
	bool counted = flight->counted;
	if (!counted && (interest & BINDCAST_COUNTS_QUERIES) != 0) {
		bindcast_query_passed(worker->producer);
		counted = true;
	}
	const bool wants_query = (!counted && (interest & BINDCAST_WANTS_QUERIES) != 0) ||
				 ((interest & BINDCAST_WANTS_FAILURES) != 0 && failed);
	const bool wants_rpz = rewritten && (interest & BINDCAST_WANTS_RPZ) != 0;
	const dns_name_t *name = client->query.origqname;
	if ((!wants_query && !wants_rpz) || name == NULL) {
		return;
	}

	isc_netaddr_t peer;
	isc_netaddr_fromsockaddr(&peer, &client->peeraddr);
	const bool edns = client->ednsversion >= 0, ecs = edns && (client->attributes & NS_CLIENTATTR_HAVEECS) != 0;
	const bool ede = edns && client->ede != NULL && client->ede->length >= 2;
	const bool dropped = (client->query.attributes & NS_QUERYATTR_ANSWERED) == 0;
	/* Each member is given, so that the compiler need not clear it all first (bindcast.cpp, capture). */
	const struct bindcast_query query = {
		.size = sizeof(query),
		.client = address_of(&peer, isc_sockaddr_getport(&client->peeraddr)),
		.transport = flight->transport,
		.qname = name->ndata,
		.qname_length = (uint8_t)name->length,
		.qtype = client->query.qtype,
		.qclass = message->rdclass,
		.rcode = message->rcode,
		.flags = (uint16_t)message->flags,
		.answers = (uint16_t)message->counts[DNS_SECTION_ANSWER],
		.authority = (uint16_t)message->counts[DNS_SECTION_AUTHORITY],
		.additional = (uint16_t)message->counts[DNS_SECTION_ADDITIONAL],
		.started_ns = flight->started_ns,
		.ended_ns = monotonic_ns(),
		.hook_ns = worker->hook_ns,
		.view = client->view->name,
		.counted = counted,
		.dropped = dropped,
		.recursed = flight->recursed,
		.cached = !dropped && answered_from_cache(client, flight->recursed),
		.edns_version = client->ednsversion,
		.edns_udp_size = edns ? client->udpsize : 0,
		.edns_do = edns && (client->extflags & DNS_MESSAGEEXTFLAG_DO) != 0,
		.ecs = ecs ? address_of(&client->ecs.addr, 0) : (struct bindcast_address){ 0 },
		.ecs_source = ecs ? client->ecs.source : 0,
		.tsig_key = client->signer == NULL ? NULL : client->signer->ndata,
		.tsig_key_length = client->signer == NULL ? 0 : (uint8_t)client->signer->length,
		.has_ede = ede,
		.ede_code = ede ? (uint16_t)(client->ede->value[0] << 8 | client->ede->value[1]) : 0,
		.rpz = rewritten ? &rpz : NULL,
	};
	worker->hook_ns = 0;

	if (wants_rpz) {
		bindcast_rpz_hit(worker->producer, &query);
	}
	if (wants_query) {
		bindcast_query_done(worker->producer, &query);
	}
}

/* In the client's `cleanup`: called once, by ns_client_endrequest. */
static void
request_ends(ns_client_t *client) {
	struct worker *worker = &workers[client->tid];
	struct flight *flight = flight_find(worker->flights, client);
	void (*cleanup)(ns_client_t *) = flight->cleanup;
	bindcast_runtime *runtime = atomic_load_explicit(&current_runtime, memory_order_relaxed);
	const uint64_t entered_ns = flight->hook_ns == 0 ? 0 : monotonic_ns();
	if (runtime != NULL) {
		capture(client, flight, runtime, worker);
	}
	if (entered_ns != 0) {
		worker->hook_ns = flight->hook_ns + (uint32_t)(monotonic_ns() - entered_ns);
	}
	flight_end(worker->flights, flight);
	cleanup(client);
}

static bool
is_probe(const ns_client_t *client) {
	const dns_name_t *name = client->query.qname;
	return name->length == query_capture_probe_length &&
	       memcmp(name->ndata, query_capture_probe_name, query_capture_probe_length) == 0;
}

/* NS_QUERY_SETUP: an ordinary query begins. */
static ns_hookresult_t
query_begins(void *arg, void *data, isc_result_t *result) {
	(void)data;
	(void)result;
	const query_ctx_t *qctx = arg;
	ns_client_t *client = qctx->client;
	bindcast_runtime *runtime = atomic_load_explicit(&current_runtime, memory_order_relaxed);

	if (!server_seen()) {
		server_offer_tasks(client->manager->taskmgr);
		server_offer_context(client->sctx);
		server_offer_view(client->view);
		load_look_again();
		zone_watch_wake();
	}
	const uint32_t interest = bindcast_interest(runtime);
	const bool counts = (interest & BINDCAST_COUNTS_QUERIES) != 0;
	const bool wanted = (interest & (BINDCAST_WANTS_QUERIES | BINDCAST_WANTS_FAILURES)) != 0 ||
			    ((interest & BINDCAST_WANTS_RPZ) != 0 && client->view->rpzs != NULL);
	if ((!wanted && !counts) || client->cleanup == request_ends || client->cleanup == NULL || is_probe(client)) {
		return NS_HOOK_CONTINUE;
	}
	struct worker *worker = worker_of(client, runtime);
	if (worker == NULL) {
		return NS_HOOK_CONTINUE;
	}
	if (counts) {
		bindcast_query_passed(worker->producer);
		if (!wanted) {
			return NS_HOOK_CONTINUE;
		}
	}
	const bool measured = ++worker->requests % MEASURED_ONE_IN == 0;
	const uint64_t entered_ns = measured ? monotonic_ns() : 0;
	struct flight *flight = flight_begin(worker->flights, client);
	if (flight == NULL) {
		if (!counts) {
			bindcast_query_lost(worker->producer);
		}
		return NS_HOOK_CONTINUE;
	}
	flight->cleanup = client->cleanup;
	flight->counted = counts;
	flight->recursed = false;
	flight->transport = transport_of(client); /* the handle is no longer valid when the request ends */
	client->cleanup = request_ends;
	flight->started_ns = monotonic_ns();
	flight->hook_ns = measured ? (uint32_t)(flight->started_ns - entered_ns) : 0;
	return NS_HOOK_CONTINUE;
}

/* NS_QUERY_RESUME_BEGIN: a recursion came back. */
static ns_hookresult_t
query_resumes(void *arg, void *data, isc_result_t *result) {
	(void)data;
	(void)result;
	const query_ctx_t *qctx = arg;
	if (qctx->client->cleanup == request_ends) {
		flight_find(workers[qctx->client->tid].flights, qctx->client)->recursed = true;
	}
	return NS_HOOK_CONTINUE;
}

void
query_capture_install(ns_hooktable_t *hooktable, isc_mem_t *mctx, bindcast_runtime *runtime) {
	atomic_store(&current_runtime, runtime);
	const unsigned threads = isc_os_ncpus();
	for (unsigned tid = 0; tid < threads && tid < MAX_WORKERS; ++tid) {
		if (workers[tid].producer == NULL) {
			workers[tid].producer = bindcast_producer_create(runtime);
		}
	}
	static const ns_hook_t begins = { .action = query_begins };
	static const ns_hook_t resumes = { .action = query_resumes };
	ns_hook_add(hooktable, mctx, NS_QUERY_SETUP, &begins);
	ns_hook_add(hooktable, mctx, NS_QUERY_RESUME_BEGIN, &resumes);
}

void
query_capture_forget(void) {
	atomic_store(&current_runtime, NULL);
	for (unsigned tid = 0; tid < MAX_WORKERS; ++tid) {
		workers[tid].producer = NULL;
	}
}
