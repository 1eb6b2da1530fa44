#include "shim/bind9/flight_table.h"

#include <sys/mman.h>

struct flight_table *
flight_table_create(void) {
	void *memory = mmap(NULL, sizeof(struct flight_table), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

static uint32_t
home_of(const ns_client_t *client) {
	/* Clients are large objects: the low bits of their addresses say little. */
	return (uint32_t)(((uint64_t)(uintptr_t)client >> 6) * UINT64_C(0x9e3779b97f4a7c15) >> 49) & (FLIGHT_SLOTS - 1);
}

struct flight *
flight_begin(struct flight_table *table, ns_client_t *client) {
	if (table->used >= FLIGHT_SLOTS / 4 * 3) {
		return NULL;
	}
	uint32_t at = home_of(client);
	while (table->slots[at].client != NULL) {
		at = (at + 1) & (FLIGHT_SLOTS - 1);
	}
	++table->used;
	table->slots[at].client = client;
	return &table->slots[at];
}

struct flight *
flight_find(struct flight_table *table, const ns_client_t *client) {
	for (uint32_t at = home_of(client); table->slots[at].client != NULL; at = (at + 1) & (FLIGHT_SLOTS - 1)) {
		if (table->slots[at].client == client) {
			return &table->slots[at];
		}
	}
	return NULL;
}

void
flight_end(struct flight_table *table, struct flight *flight) {
	/* Close the gap, so that every slot stays reachable from its home (Knuth 6.4, algorithm R). */
	uint32_t hole = (uint32_t)(flight - table->slots);
	for (uint32_t at = (hole + 1) & (FLIGHT_SLOTS - 1); table->slots[at].client != NULL;
	     at = (at + 1) & (FLIGHT_SLOTS - 1))
	{
		const uint32_t home = home_of(table->slots[at].client);
		if (((at - home) & (FLIGHT_SLOTS - 1)) >= ((at - hole) & (FLIGHT_SLOTS - 1))) {
			table->slots[hole] = table->slots[at];
			hole = at;
		}
	}
	table->slots[hole].client = NULL;
	--table->used;
}
