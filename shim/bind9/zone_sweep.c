#include "shim/bind9/zone_sweep.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <isc/time.h>
#include <isc/util.h>

#include "shim/bind9/monotonic.h"
#include "shim/bind9/server_access.h"

enum {
	zones_per_event = 256,
	/* A few milliseconds' work, after which a wake-up gets its turn. */
	zones_per_portion = 32 * zones_per_event
};

struct collected_zone {
	dns_zone_t *zone; /* attached; NULL once looked at */
	uint32_t view;	  /* index of its view's name */
	bool redirect;
};

/* All zones of all our views; local to one event until it is complete. */
struct collection {
	struct collected_zone *zones;
	size_t count, room;
	char **views; /* their names */
	size_t view_count;
	uint64_t views_mark;
	bool failed;
};

/* Our views as one task event finds them; the names are the views' own. */
struct live_views {
	struct live_view {
		const char *name;
		dns_zt_t *zonetable;  /* attached; NULL: the view is being taken down */
		dns_zone_t *redirect; /* attached, or NULL */
	} * views;
	size_t count;
	uint64_t mark;
	bool failed;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below, never held across a call to BIND */

/* The full sweep under way. */
static struct {
	uint64_t number; /* 0: none */
	struct collection collection;
	size_t next; /* of the collected zones */
} sweep;
static uint64_t last_sweep;

static struct {
	uint64_t number;
	enum zone_step_state state;
	const struct zone_table *table;
	bool builtin;
	void (*finished)(void);
	struct zone_entry *const *wanted; /* by a glance; NULL: a portion */
	size_t wanted_count, next;	  /* of those wanted, or of the portion */
	bool missing, last;
	uint64_t busy_ns;
	struct zone_sight *sights;
} step = { .state = ZONE_STEP_FAILED };

static void
release_collection(struct collection *collection) {
	for (size_t i = 0; i < collection->count; ++i) {
		if (collection->zones[i].zone != NULL) {
			dns_zone_detach(&collection->zones[i].zone);
		}
	}
	for (size_t i = 0; i < collection->view_count; ++i) {
		free(collection->views[i]);
	}
	free(collection->zones);
	free(collection->views);
	*collection = (struct collection){ 0 };
}

static void
free_sights(struct zone_sight *sights) {
	while (sights != NULL) {
		struct zone_sight *sight = sights;
		sights = sight->next;
		zone_sight_free(sight);
	}
}

void
zone_sight_free(struct zone_sight *sight) {
	zone_content_release(&sight->content);
	free(sight->view);
	free(sight->file);
	free(sight->journal);
	free(sight);
}

static isc_result_t
collect_zone(struct collection *collection, dns_zone_t *zone, bool redirect) {
	if (collection->count == collection->room) {
		const size_t room = collection->room == 0 ? 256 : collection->room * 2;
		struct collected_zone *larger = realloc(collection->zones, room * sizeof(*larger));
		if (larger == NULL) {
			collection->failed = true;
			return ISC_R_NOMEMORY;
		}
		collection->zones = larger;
		collection->room = room;
	}
	struct collected_zone *item = &collection->zones[collection->count];
	*item = (struct collected_zone){ .view = (uint32_t)(collection->view_count - 1), .redirect = redirect };
	dns_zone_attach(zone, &item->zone);
	++collection->count;
	return ISC_R_SUCCESS;
}

/* The zone table is locked: only attach. */
static isc_result_t
collect_from_table(dns_zone_t *zone, void *closure) {
	return collect_zone(closure, zone, false);
}

static void
add_live_view(dns_view_t *view, void *closure) {
	struct live_views *live = closure;
	if (view->rdclass != dns_rdataclass_in || live->failed) {
		return;
	}
	struct live_view *larger = realloc(live->views, (live->count + 1) * sizeof(*larger));
	if (larger == NULL) {
		live->failed = true;
		return;
	}
	live->views = larger;
	struct live_view *added = &larger[live->count++];
	*added = (struct live_view){ .name = view->name };
	/* A new view is made while the old one still exists, so its address is another. */
	live->mark = (live->mark ^ (uintptr_t)view) * 1099511628211u;
	LOCK(&view->lock);
	if (view->zonetable != NULL) {
		dns_zt_attach(view->zonetable, &added->zonetable);
	}
	if (view->redirect != NULL) {
		dns_zone_attach(view->redirect, &added->redirect);
	}
	UNLOCK(&view->lock);
}

static void
release_live_views(struct live_views *live) {
	for (size_t i = 0; i < live->count; ++i) {
		if (live->views[i].zonetable != NULL) {
			dns_zt_detach(&live->views[i].zonetable);
		}
		if (live->views[i].redirect != NULL) {
			dns_zone_detach(&live->views[i].redirect);
		}
	}
	free(live->views);
}

static void
collect_live_view(struct collection *collection, const struct live_view *view) {
	collection->views[collection->view_count] = strdup(view->name);
	if (collection->views[collection->view_count] == NULL) {
		collection->failed = true;
		return;
	}
	++collection->view_count;
	if (view->redirect != NULL) {
		collect_zone(collection, view->redirect, true);
	}
	if (view->zonetable == NULL) {
		collection->failed = true; /* what the view had is not gone by anybody's wish */
		return;
	}
	dns_zt_apply(view->zonetable, isc_rwlocktype_read, true, NULL, collect_from_table, collection);
}

static struct collection
collect_all(void) {
	struct live_views live = { 0 };
	server_each_view(add_live_view, &live);
	struct collection collection = { .views_mark = live.mark, .failed = live.failed };
	if (live.count != 0) {
		collection.views = calloc(live.count, sizeof(*collection.views));
		collection.failed = collection.failed || collection.views == NULL;
	}
	for (size_t i = 0; i < live.count && !collection.failed; ++i) {
		collect_live_view(&collection, &live.views[i]);
	}
	release_live_views(&live);
	return collection;
}

static void
describe_type(dns_zone_t *zone, dns_zonetype_t type, struct zone_sight *sight) {
	sight->type = dns_zonetype_name(type);
	if (type == dns_zone_redirect) {
		type = dns_zone_getredirecttype(zone);
	}
	sight->transferred = type == dns_zone_secondary || type == dns_zone_mirror || type == dns_zone_stub;
}

/* What `out` does not say yet, with texts of its own. False when memory is short. */
static bool
describe(dns_zone_t *zone, const struct zone_key *key, struct zone_sight *out) {
	const char *file = dns_zone_getfile(zone), *journal = dns_zone_getjournal(zone);
	out->view = strdup(key->view);
	out->file = file == NULL ? NULL : strdup(file);
	out->journal = journal == NULL ? NULL : strdup(journal);
	memcpy(out->origin, key->origin, key->origin_length);
	out->origin_length = key->origin_length;
	out->redirect = key->redirect;
	describe_type(zone, dns_zone_gettype(zone), out);
	out->policy_zone = dns_zone_get_rpz_num(zone) != DNS_RPZ_INVALID_NUM;
	out->automatic = dns_zone_getautomatic(zone);
	out->added = dns_zone_getadded(zone);
	out->private_type = dns_zone_getprivatetype(zone);
	if (out->content.db == NULL && out->transferred) {
		isc_time_t now, expiry;
		dns_zone_getexpiretime(zone, &expiry);
		out->expired = !isc_time_isepoch(&expiry) && isc_time_now(&now) == ISC_R_SUCCESS &&
			       isc_time_compare(&now, &expiry) >= 0;
	}
	return out->view != NULL && (file == NULL || out->file != NULL) && (journal == NULL || out->journal != NULL);
}

static bool
is_watched(dns_zone_t *zone, bool builtin) {
	const dns_zonetype_t type = dns_zone_gettype(zone);
	return type != dns_zone_none && type != dns_zone_key && type != dns_zone_dlz &&
	       (builtin || !dns_zone_getautomatic(zone));
}

/* The lock is held. */
static bool
is_current(uint64_t number) {
	return step.number == number && step.state == ZONE_STEP_RUNNING;
}

/* What the table has of a zone. */
struct known {
	bool stale; /* the step is no longer current: nothing is to be done */
	struct zone_entry *entry;
	bool ignored;
	struct zone_content content; /* borrowed, to compare with */
};

/* Notes what may change without the content doing so, and in a full sweep that the zone was seen. */
static struct known
look_up(uint64_t number, dns_zone_t *zone, const struct zone_key *key) {
	const char *type = dns_zonetype_name(dns_zone_gettype(zone));
	const bool policy_zone = dns_zone_get_rpz_num(zone) != DNS_RPZ_INVALID_NUM;
	const bool automatic = dns_zone_getautomatic(zone);
	struct known known = { 0 };
	pthread_mutex_lock(&lock);
	known.stale = !is_current(number);
	struct zone_entry *entry = known.stale ? NULL : zone_table_find(step.table, key);
	if (entry != NULL) {
		if (step.wanted == NULL) {
			entry->seen = sweep.number;
		}
		entry->type = type;
		entry->policy_zone = policy_zone;
		entry->automatic = automatic;
		known.entry = entry;
		known.ignored = entry->ignored;
		known.content = entry->content;
	}
	pthread_mutex_unlock(&lock);
	return known;
}

static void
add_to_outcome(uint64_t number, struct zone_sight *sight) {
	pthread_mutex_lock(&lock);
	const bool current = is_current(number);
	if (current) {
		sight->next = step.sights;
		step.sights = sight;
	}
	pthread_mutex_unlock(&lock);
	if (!current) {
		zone_sight_free(sight);
	}
}

enum progress { GOES_ON, ENDS, STALE, FAILED };

/* Takes no lock of ours while it asks the zone. */
static enum progress
look_at(uint64_t number, dns_zone_t *zone, const char *view, bool redirect) {
	const dns_name_t *origin = dns_zone_getorigin(zone);
	const struct zone_key key = {
		.view = view, .origin = origin->ndata, .origin_length = (uint8_t)origin->length, .redirect = redirect
	};
	const struct known known = look_up(number, zone, &key);
	struct zone_content other;
	if (known.stale || known.ignored) {
		return known.stale ? STALE : GOES_ON;
	}
	const bool differs = zone_content_attach_other(zone, &known.content, &other);
	if (!differs && known.entry != NULL) {
		return GOES_ON;
	}
	struct zone_sight *sight = calloc(1, sizeof(*sight));
	if (sight == NULL) {
		zone_content_release(&other);
		return FAILED;
	}
	sight->entry = known.entry;
	sight->content = other;
	if (!describe(zone, &key, sight)) {
		zone_sight_free(sight);
		return FAILED;
	}
	add_to_outcome(number, sight);
	return GOES_ON;
}

/* ── A glance ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* A zone that is wanted; a copy, because the entry may go when the step is given up. */
struct wanted_zone {
	const struct live_view *view; /* NULL: there is none of that name */
	unsigned char origin[DNS_NAME_MAXWIRE];
	uint8_t origin_length;
	bool redirect;
};

static enum progress
next_wanted(uint64_t number, const struct live_views *live, struct wanted_zone *out) {
	enum progress progress = STALE;
	pthread_mutex_lock(&lock);
	if (is_current(number)) {
		progress = step.next == step.wanted_count ? ENDS : GOES_ON;
	}
	if (progress == GOES_ON) {
		const struct zone_key *key = &step.wanted[step.next++]->key;
		out->view = NULL;
		for (size_t i = 0; out->view == NULL && i < live->count; ++i) {
			out->view = strcmp(live->views[i].name, key->view) == 0 ? &live->views[i] : NULL;
		}
		memcpy(out->origin, key->origin, key->origin_length);
		out->origin_length = key->origin_length;
		out->redirect = key->redirect;
	}
	pthread_mutex_unlock(&lock);
	return progress;
}

/* Attached; NULL when there is none. */
static dns_zone_t *
find_zone(struct wanted_zone *wanted) {
	dns_zone_t *zone = NULL;
	if (wanted->view == NULL) {
		return NULL;
	}
	if (wanted->redirect) {
		if (wanted->view->redirect != NULL) {
			dns_zone_attach(wanted->view->redirect, &zone);
		}
		return zone;
	}
	if (wanted->view->zonetable == NULL) {
		return NULL;
	}
	dns_name_t origin;
	isc_region_t region = { .base = wanted->origin, .length = wanted->origin_length };
	dns_name_init(&origin, NULL);
	dns_name_fromregion(&origin, &region);
	if (dns_zt_find(wanted->view->zonetable, &origin, 0, NULL, &zone) == DNS_R_PARTIALMATCH) {
		dns_zone_detach(&zone);
	}
	return zone;
}

static void
note_missing(uint64_t number) {
	pthread_mutex_lock(&lock);
	step.missing = step.missing || is_current(number);
	pthread_mutex_unlock(&lock);
}

static enum progress
glance_at_next(uint64_t number, const struct live_views *live) {
	struct wanted_zone wanted;
	enum progress progress = next_wanted(number, live, &wanted);
	if (progress != GOES_ON) {
		return progress;
	}
	dns_zone_t *zone = find_zone(&wanted);
	if (zone == NULL) {
		note_missing(number);
		return GOES_ON;
	}
	progress = look_at(number, zone, wanted.view->name, wanted.redirect);
	dns_zone_detach(&zone);
	return progress;
}

static enum progress
glance_at_some(uint64_t number) {
	struct live_views live = { 0 };
	server_each_view(add_live_view, &live);
	enum progress progress = live.failed ? FAILED : GOES_ON;
	for (unsigned i = 0; progress == GOES_ON && i < zones_per_event; ++i) {
		progress = glance_at_next(number, &live);
	}
	release_live_views(&live);
	return progress;
}

/* ── A portion of a full sweep ─────────────────────────────────────────────────────────────────────────────────── */

static enum progress
begin_sweep_if_none(uint64_t number) {
	pthread_mutex_lock(&lock);
	enum progress progress = is_current(number) ? GOES_ON : STALE;
	const bool under_way = sweep.number != 0;
	pthread_mutex_unlock(&lock);
	if (progress == STALE || under_way) {
		return progress;
	}
	struct collection collection = collect_all();
	pthread_mutex_lock(&lock);
	progress = !is_current(number) ? STALE : collection.failed ? FAILED : GOES_ON;
	if (progress == GOES_ON) {
		sweep.number = ++last_sweep;
		sweep.collection = collection;
		sweep.next = 0;
		collection = (struct collection){ 0 };
	}
	pthread_mutex_unlock(&lock);
	release_collection(&collection);
	return progress;
}

/* The zones that one event looks at, taken over from the collection. */
struct chunk {
	struct collected_zone zones[zones_per_event];
	size_t count;
	char *view; /* name of the view that all of them are in */
	bool builtin;
};

static enum progress
next_chunk(uint64_t number, struct chunk *out) {
	enum progress progress = STALE;
	*out = (struct chunk){ 0 };
	pthread_mutex_lock(&lock);
	if (is_current(number)) {
		struct collection *from = &sweep.collection;
		out->builtin = step.builtin;
		progress = sweep.next == from->count || step.next >= zones_per_portion ? ENDS : GOES_ON;
		step.last = sweep.next == from->count;
		if (progress == GOES_ON) {
			const uint32_t view = from->zones[sweep.next].view;
			out->view = strdup(from->views[view]);
			progress = out->view == NULL ? FAILED : GOES_ON;
			while (progress == GOES_ON && sweep.next < from->count && out->count < zones_per_event &&
			       from->zones[sweep.next].view == view)
			{
				out->zones[out->count++] = from->zones[sweep.next];
				from->zones[sweep.next++].zone = NULL;
			}
			step.next += out->count;
		}
	}
	pthread_mutex_unlock(&lock);
	return progress;
}

static enum progress
look_at_some(uint64_t number) {
	struct chunk chunk;
	enum progress progress = begin_sweep_if_none(number);
	if (progress == GOES_ON) {
		progress = next_chunk(number, &chunk);
	}
	if (progress != GOES_ON) {
		return progress;
	}
	for (size_t i = 0; i < chunk.count; ++i) {
		dns_zone_t **zone = &chunk.zones[i].zone;
		if (progress == GOES_ON && is_watched(*zone, chunk.builtin)) {
			progress = look_at(number, *zone, chunk.view, chunk.zones[i].redirect);
		}
		dns_zone_detach(zone);
	}
	free(chunk.view);
	return progress;
}

/* ── Steps ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void
end_with(uint64_t number, enum zone_step_state state) {
	void (*finished)(void) = NULL;
	pthread_mutex_lock(&lock);
	if (is_current(number)) {
		step.state = state;
		finished = step.finished;
	}
	pthread_mutex_unlock(&lock);
	if (finished != NULL) {
		finished();
	}
}

/* On the task. */
static void
go_on(void *closure) {
	const uint64_t number = (uintptr_t)closure, began_ns = monotonic_ns();
	pthread_mutex_lock(&lock);
	const bool glance = step.wanted != NULL;
	pthread_mutex_unlock(&lock);
	const enum progress progress = glance ? glance_at_some(number) : look_at_some(number);
	pthread_mutex_lock(&lock);
	step.busy_ns += is_current(number) ? monotonic_ns() - began_ns : 0;
	pthread_mutex_unlock(&lock);
	if (progress != GOES_ON) {
		end_with(number, progress == ENDS ? ZONE_STEP_DONE : ZONE_STEP_FAILED);
	} else if (!server_run(go_on, closure)) {
		end_with(number, ZONE_STEP_FAILED);
	}
}

/* A step is new or given up: events of the one before find another number. What it found is the caller's. */
static struct zone_sight *
renew_step(enum zone_step_state state) {
	struct zone_sight *sights = step.sights;
	const uint64_t number = step.number + 1;
	memset(&step, 0, sizeof(step));
	step.number = number;
	step.state = state;
	return sights;
}

static bool
begin_step(const struct zone_table *table, struct zone_entry *const *wanted, size_t wanted_count, bool builtin,
	   void (*finished)(void)) {
	pthread_mutex_lock(&lock);
	struct zone_sight *forgotten = renew_step(ZONE_STEP_RUNNING);
	step.table = table;
	step.wanted = wanted;
	step.wanted_count = wanted_count;
	step.builtin = builtin;
	step.finished = finished;
	const uint64_t number = step.number;
	pthread_mutex_unlock(&lock);
	free_sights(forgotten);
	if (server_run(go_on, (void *)(uintptr_t)number)) {
		return true;
	}
	zone_sweep_cancel();
	return false;
}

bool
zone_sweep_glance(const struct zone_table *table, struct zone_entry *const *entries, size_t count,
		  void (*finished)(void)) {
	return begin_step(table, entries, count, false, finished);
}

bool
zone_sweep_portion(const struct zone_table *table, bool builtin, void (*finished)(void)) {
	return begin_step(table, NULL, 0, builtin, finished);
}

enum zone_step_state
zone_sweep_state(void) {
	pthread_mutex_lock(&lock);
	const enum zone_step_state state = step.state;
	pthread_mutex_unlock(&lock);
	return state;
}

/* The lock is held. The full sweep is over; what it held is the caller's. */
static struct collection
end_sweep(void) {
	struct collection collection = sweep.collection;
	memset(&sweep, 0, sizeof(sweep));
	return collection;
}

void
zone_sweep_take(struct zone_step *out) {
	struct collection done = { 0 };
	pthread_mutex_lock(&lock);
	*out = (struct zone_step){ .busy_ns = step.busy_ns,
				   .missing = step.missing,
				   .last = step.last,
				   .sweep = sweep.number,
				   .views = sweep.collection.view_count,
				   .views_mark = sweep.collection.views_mark };
	out->sights = renew_step(ZONE_STEP_FAILED);
	if (out->last) {
		done = end_sweep();
	}
	pthread_mutex_unlock(&lock);
	release_collection(&done);
}

void
zone_sweep_cancel(void) {
	pthread_mutex_lock(&lock);
	struct zone_sight *sights = renew_step(ZONE_STEP_FAILED);
	struct collection collection = end_sweep();
	pthread_mutex_unlock(&lock);
	release_collection(&collection);
	free_sights(sights);
}
