/*
 * The requests in flight on one named thread: client → when it began and whose cleanup to call. Open addressing over a
 * fixed mapping that the kernel fills on first touch; a full table leaves the request uncaptured (counted by the caller
 * as lost). One thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* BIND's client object; here only its address matters. */
typedef struct ns_client ns_client_t;

struct flight {
	ns_client_t *client; /* NULL: free */
	void (*cleanup)(ns_client_t *client);
	uint64_t started_ns;
	uint32_t hook_ns; /* what beginning it took; 0: not measured */
	bool counted; /* its query was counted when it began */
	bool recursed;
	uint8_t transport; /* enum bindcast_transport */
};

#define FLIGHT_SLOTS 32768u /* a power of two; at most three quarters are used */

struct flight_table {
	uint32_t used;
	struct flight slots[FLIGHT_SLOTS];
};

/* NULL without memory. */
struct flight_table *
flight_table_create(void);

/* A slot for a client that has none; NULL when the table is full. */
struct flight *
flight_begin(struct flight_table *table, ns_client_t *client);

struct flight *
flight_find(struct flight_table *table, const ns_client_t *client);

void
flight_end(struct flight_table *table, struct flight *flight);
