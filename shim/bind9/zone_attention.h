/*
 * Which zones are looked at sooner than the full sweep gets to them.
 *
 * Woken: a file of the zone was touched just now; looked at at once, and once more a moment later, because named closes
 * the journal before it makes the new version current. Close: it changed or was woken within the last minute, or no
 * wake-up can come for it (zone_files.h); looked at at the interval of events.zones.sweep.
 *
 * The zone thread only. An entry belongs to no set any more after zone_attention_forget, which must come before it
 * goes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/bind9/zone_table.h"

/* A file of the zone was touched. */
void
zone_attention_wake(struct zone_entry *entry, uint64_t now_ms);

/* The zone is new or has changed. */
void
zone_attention_changed(struct zone_entry *entry, uint64_t now_ms);

void
zone_attention_forget(struct zone_entry *entry);

size_t
zone_attention_count(int set);

/*
 * The entries of one of the sets, whose look is taken for done: a woken one has one look less to come, a close one
 * leaves when its time is over. NULL when memory is short. Valid until the next call; the entries until they are
 * forgotten.
 */
struct zone_entry *const *
zone_attention_take(int set, uint64_t now_ms, size_t *count);

/* Frees the sets, which must be empty. */
void
zone_attention_free(void);
