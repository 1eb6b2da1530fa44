#include "shim/bind9/zone_attention.h"

#include <stdlib.h>
#include <string.h>

#include "shim/bind9/zone_files.h"

enum { close_ms = 60 * 1000, looks_when_woken = 2 };

struct set {
	struct zone_entry **entries; /* entry->place[set] is its index, plus one */
	size_t count, room;
};

static struct set sets[ZONE_SETS];
static struct set taken; /* a copy for the caller: the sets change while it is read */

static bool
make_room(struct set *set, size_t wanted) {
	if (wanted <= set->room) {
		return true;
	}
	size_t room = set->room == 0 ? 64 : set->room;
	while (room < wanted) {
		room *= 2;
	}
	struct zone_entry **larger = realloc(set->entries, room * sizeof(*larger));
	if (larger == NULL) {
		return false;
	}
	set->entries = larger;
	set->room = room;
	return true;
}

/* Without memory the zone is not in the set: the full sweep sees it all the same. */
static void
add(int which, struct zone_entry *entry) {
	struct set *set = &sets[which];
	if (entry->place[which] == 0 && make_room(set, set->count + 1)) {
		set->entries[set->count++] = entry;
		entry->place[which] = (uint32_t)set->count;
	}
}

static void
take_out(int which, struct zone_entry *entry) {
	struct set *set = &sets[which];
	if (entry->place[which] != 0) {
		struct zone_entry *last = set->entries[--set->count];
		set->entries[entry->place[which] - 1] = last;
		last->place[which] = entry->place[which];
		entry->place[which] = 0;
	}
}

void
zone_attention_changed(struct zone_entry *entry, uint64_t now_ms) {
	entry->close_until_ms = now_ms + close_ms;
	add(ZONE_CLOSE, entry);
}

void
zone_attention_wake(struct zone_entry *entry, uint64_t now_ms) {
	entry->looks = looks_when_woken;
	add(ZONE_WOKEN, entry);
	zone_attention_changed(entry, now_ms);
}

void
zone_attention_forget(struct zone_entry *entry) {
	for (int set = 0; set < ZONE_SETS; ++set) {
		take_out(set, entry);
	}
}

size_t
zone_attention_count(int set) {
	return sets[set].count;
}

static bool
stays(int set, struct zone_entry *entry, uint64_t now_ms) {
	return set == ZONE_WOKEN ? --entry->looks > 0 : now_ms < entry->close_until_ms || !zone_files_cover(entry);
}

struct zone_entry *const *
zone_attention_take(int set, uint64_t now_ms, size_t *count) {
	*count = 0;
	if (!make_room(&taken, sets[set].count)) {
		return NULL;
	}
	*count = sets[set].count;
	memcpy(taken.entries, sets[set].entries, *count * sizeof(*taken.entries));
	for (size_t i = 0; i < *count; ++i) {
		if (!stays(set, taken.entries[i], now_ms)) {
			take_out(set, taken.entries[i]);
		}
	}
	return taken.entries;
}

void
zone_attention_free(void) {
	for (int set = 0; set < ZONE_SETS; ++set) {
		free(sets[set].entries);
		sets[set] = (struct set){ 0 };
	}
	free(taken.entries);
	taken = (struct set){ 0 };
}
