/* The requests in flight: whatever begins and ends in whatever order, each is found again, and a full table refuses. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs those first */
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "shim/bind9/flight_table.h"

static int
make_table(void **state) {
	*state = flight_table_create();
	return *state == NULL;
}

static int
free_table(void **state) {
	return munmap(*state, sizeof(struct flight_table));
}

/* Client objects are large and lie at regular distances, as named's do. */
static ns_client_t *
client(unsigned number) {
	return (ns_client_t *)(uintptr_t)(0x7f0000000000 + (uint64_t)number * 2048);
}

static void
what_began_is_found_until_it_ends(void **state) {
	struct flight_table *table = *state;
	enum { clients = 5000, steps = 400000 };
	static bool flying[clients];
	unsigned used = 0;
	srandom(7);
	for (unsigned step = 0; step < steps; ++step) {
		const unsigned number = (unsigned)random() % clients;
		struct flight *flight = flight_find(table, client(number));
		assert_int_equal(flight != NULL, flying[number]);
		if (flight == NULL) {
			flight = flight_begin(table, client(number));
			assert_non_null(flight);
			flight->started_ns = number;
			++used;
		} else {
			assert_int_equal(flight->started_ns, number);
			flight_end(table, flight);
			--used;
		}
		flying[number] = !flying[number];
		assert_int_equal(table->used, used);
	}
	for (unsigned number = 0; number < clients; ++number) {
		struct flight *flight = flight_find(table, client(number));
		assert_int_equal(flight != NULL, flying[number]);
		if (flight != NULL) {
			flight_end(table, flight);
		}
		flying[number] = false;
	}
	assert_int_equal(table->used, 0);
}

static void
a_full_table_refuses_and_takes_again(void **state) {
	struct flight_table *table = *state;
	const unsigned most = FLIGHT_SLOTS / 4 * 3;
	for (unsigned number = 0; number < most; ++number) {
		assert_non_null(flight_begin(table, client(number)));
	}
	assert_null(flight_begin(table, client(most)));
	flight_end(table, flight_find(table, client(most / 2)));
	assert_non_null(flight_begin(table, client(most)));
	assert_non_null(flight_find(table, client(most - 1)));
	assert_null(flight_find(table, client(most / 2)));
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_began_is_found_until_it_ends, make_table, free_table),
		cmocka_unit_test_setup_teardown(a_full_table_refuses_and_takes_again, make_table, free_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
