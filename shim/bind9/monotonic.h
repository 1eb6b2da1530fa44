/* The monotonic clock, in nanoseconds. Any thread, the query path too. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t
monotonic_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
