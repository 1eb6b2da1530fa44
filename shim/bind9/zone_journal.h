/*
 * Reads the change sets between two serials from a zone's journal.
 *
 * Zone thread only. The journal may be appended to or replaced meanwhile, as BIND's own readers (outgoing IXFR) allow.
 */
#pragma once

#include "shim/bind9/zone_diff.h"

enum zone_journal_outcome {
	ZONE_JOURNAL_READ,     /* everything was told */
	ZONE_JOURNAL_UNUSABLE, /* nothing was told: compare in full */
	ZONE_JOURNAL_BROKEN    /* told up to a serial, then memory or the file failed */
};

/* In all cases `*reached` is the serial up to which change sets were committed. */
enum zone_journal_outcome
zone_journal_read(const struct zone_diff *diff, uint32_t *reached);
