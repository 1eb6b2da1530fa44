#include "shim/bind9/zone_sweep.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <isc/time.h>
#include <isc/util.h>

#include "shim/bind9/server_access.h"

enum { zones_per_event = 256 };

struct collected_zone {
	dns_zone_t *zone; /* attached; NULL once looked at */
	uint32_t view;	  /* index of its view's name */
	bool redirect;
};

/* What server_each_view and dns_zt_apply fill in; local to one event until it is complete. */
struct collection {
	struct collected_zone *zones;
	size_t count, room;
	char **views;
	size_t view_count;
	uint64_t views_mark;
	bool failed;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all of `sweep`, never held across a call to BIND */
static struct {
	uint64_t number;
	enum zone_sweep_state state;
	const struct zone_table *table;
	bool builtin;
	void (*finished)(void);
	struct collection collection;
	size_t next; /* of the collected zones */
	uint64_t busy_ns;
	struct zone_sight *sights;
} sweep = { .state = ZONE_SWEEP_FAILED };

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
collect_view(dns_view_t *view, void *closure) {
	struct collection *collection = closure;
	if (view->rdclass != dns_rdataclass_in || collection->failed) {
		return;
	}
	char **larger = realloc(collection->views, (collection->view_count + 1) * sizeof(*larger));
	if (larger != NULL) {
		collection->views = larger;
		larger[collection->view_count] = strdup(view->name);
	}
	if (larger == NULL || larger[collection->view_count] == NULL) {
		collection->failed = true;
		return;
	}
	++collection->view_count;
	/* A new view is made while the old one still exists, so its address is another. */
	collection->views_mark = (collection->views_mark ^ (uintptr_t)view) * 1099511628211u;

	dns_zt_t *zonetable = NULL;
	dns_zone_t *redirect = NULL;
	LOCK(&view->lock);
	if (view->zonetable != NULL) {
		dns_zt_attach(view->zonetable, &zonetable);
	}
	if (view->redirect != NULL) {
		dns_zone_attach(view->redirect, &redirect);
	}
	UNLOCK(&view->lock);
	if (redirect != NULL) {
		collect_zone(collection, redirect, true);
		dns_zone_detach(&redirect);
	}
	if (zonetable == NULL) {
		/* The view is being taken down; what it had is not gone by anybody's wish. */
		collection->failed = true;
		return;
	}
	dns_zt_apply(zonetable, isc_rwlocktype_read, true, NULL, collect_from_table, collection);
	dns_zt_detach(&zonetable);
}

static void
describe_type(dns_zone_t *zone, dns_zonetype_t type, struct zone_sight *sight) {
	sight->type = dns_zonetype_name(type);
	if (type == dns_zone_redirect) {
		type = dns_zone_getredirecttype(zone);
	}
	sight->transferred = type == dns_zone_secondary || type == dns_zone_mirror || type == dns_zone_stub;
}

/* All there is to say of a zone, without looking at the table; texts are borrowed. Takes no lock of ours. */
static void
look_at(dns_zone_t *zone, struct zone_sight *sight) {
	const dns_name_t *origin = dns_zone_getorigin(zone);
	describe_type(zone, dns_zone_gettype(zone), sight);
	sight->origin_length = (uint8_t)origin->length;
	memcpy(sight->origin, origin->ndata, origin->length);
	sight->policy_zone = dns_zone_get_rpz_num(zone) != DNS_RPZ_INVALID_NUM;
	sight->automatic = dns_zone_getautomatic(zone);
	sight->added = dns_zone_getadded(zone);
	sight->private_type = dns_zone_getprivatetype(zone);
	if (!zone_content_attach(zone, &sight->content) && sight->transferred) {
		isc_time_t now, expiry;
		dns_zone_getexpiretime(zone, &expiry);
		sight->expired = !isc_time_isepoch(&expiry) && isc_time_now(&now) == ISC_R_SUCCESS &&
				 isc_time_compare(&now, &expiry) >= 0;
	}
}

/* Takes over what `sight` references, with texts of its own; NULL (and `sight` as it was) when memory is short. */
static struct zone_sight *
keep_sight(dns_zone_t *zone, struct zone_sight *sight) {
	const char *journal = sight->content.db == NULL ? NULL : dns_zone_getjournal(zone);
	struct zone_sight *kept = malloc(sizeof(*kept));
	char *view = strdup(sight->view), *journal_copy = journal == NULL ? NULL : strdup(journal);
	if (kept == NULL || view == NULL || (journal != NULL && journal_copy == NULL)) {
		free(kept);
		free(view);
		free(journal_copy);
		return NULL;
	}
	*kept = *sight;
	kept->view = view;
	kept->journal = journal_copy;
	sight->content = (struct zone_content){ 0 };
	return kept;
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
	return sweep.number == number && sweep.state == ZONE_SWEEP_RUNNING;
}

/* Marks the zone as seen. False when there is nothing to tell of it. */
static bool
is_news(uint64_t number, struct zone_sight *sight) {
	const struct zone_key key = { .view = sight->view,
				      .origin = sight->origin,
				      .origin_length = sight->origin_length,
				      .redirect = sight->redirect };
	bool news = false;
	pthread_mutex_lock(&lock);
	if (is_current(number)) {
		struct zone_entry *entry = zone_table_find(sweep.table, &key);
		sight->entry = entry;
		news = entry == NULL;
		if (entry != NULL) {
			entry->seen = number;
			entry->type = sight->type;
			entry->policy_zone = sight->policy_zone;
			entry->automatic = sight->automatic;
			news = !entry->ignored && (entry->content.db != sight->content.db ||
						   entry->content.version != sight->content.version);
		}
	}
	pthread_mutex_unlock(&lock);
	return news;
}

static void
add_to_outcome(uint64_t number, struct zone_sight *kept) {
	pthread_mutex_lock(&lock);
	const bool current = is_current(number);
	if (current) {
		kept->next = sweep.sights;
		sweep.sights = kept;
	}
	pthread_mutex_unlock(&lock);
	if (!current) {
		zone_sight_free(kept);
	}
}

static void
end_with(uint64_t number, enum zone_sweep_state state) {
	void (*finished)(void) = NULL;
	pthread_mutex_lock(&lock);
	if (is_current(number)) {
		sweep.state = state;
		finished = sweep.finished;
	}
	pthread_mutex_unlock(&lock);
	if (finished != NULL) {
		finished();
	}
}

enum step { STEP_TAKEN, STEP_LAST, STEP_STALE, STEP_FAILED };

/* Looks at the next collected zone. */
static enum step
look_at_next(uint64_t number) {
	struct zone_sight sight = { 0 };
	char view[DNS_NAME_FORMATSIZE];
	pthread_mutex_lock(&lock);
	if (!is_current(number) || sweep.next == sweep.collection.count) {
		const enum step step = is_current(number) ? STEP_LAST : STEP_STALE;
		pthread_mutex_unlock(&lock);
		return step;
	}
	struct collected_zone item = sweep.collection.zones[sweep.next];
	sweep.collection.zones[sweep.next++].zone = NULL;
	snprintf(view, sizeof(view), "%s", sweep.collection.views[item.view]);
	const bool builtin = sweep.builtin;
	pthread_mutex_unlock(&lock);

	enum step step = STEP_TAKEN;
	if (is_watched(item.zone, builtin)) {
		sight.view = view;
		sight.redirect = item.redirect;
		look_at(item.zone, &sight);
		if (is_news(number, &sight)) {
			struct zone_sight *kept = keep_sight(item.zone, &sight);
			if (kept != NULL) {
				add_to_outcome(number, kept);
			} else {
				step = STEP_FAILED;
			}
		}
		zone_content_release(&sight.content);
	}
	dns_zone_detach(&item.zone);
	return step;
}

static uint64_t
now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void
add_busy_time(uint64_t number, uint64_t began_ns) {
	pthread_mutex_lock(&lock);
	if (is_current(number)) {
		sweep.busy_ns += now_ns() - began_ns;
	}
	pthread_mutex_unlock(&lock);
}

/* On the task. */
static void
look_at_chunk(void *closure) {
	const uint64_t number = (uintptr_t)closure, began_ns = now_ns();
	enum step step = STEP_TAKEN;
	for (unsigned i = 0; step == STEP_TAKEN && i < zones_per_event; ++i) {
		step = look_at_next(number);
	}
	add_busy_time(number, began_ns);
	if (step != STEP_TAKEN) {
		end_with(number, step == STEP_LAST ? ZONE_SWEEP_DONE : ZONE_SWEEP_FAILED);
	} else if (!server_run(look_at_chunk, closure)) {
		end_with(number, ZONE_SWEEP_FAILED);
	}
}

/* On the task. */
static void
collect(void *closure) {
	const uint64_t number = (uintptr_t)closure, began_ns = now_ns();
	pthread_mutex_lock(&lock);
	const bool stale = !is_current(number);
	pthread_mutex_unlock(&lock);
	if (stale) {
		return;
	}
	struct collection collection = { 0 };
	server_each_view(collect_view, &collection);
	const bool failed = collection.failed;
	pthread_mutex_lock(&lock);
	if (is_current(number) && !failed) {
		sweep.collection = collection;
		collection = (struct collection){ 0 };
	}
	pthread_mutex_unlock(&lock);
	add_busy_time(number, began_ns);
	release_collection(&collection);
	if (failed) {
		end_with(number, ZONE_SWEEP_FAILED);
		return;
	}
	look_at_chunk(closure);
}

bool
zone_sweep_begin(const struct zone_table *table, bool builtin, void (*finished)(void)) {
	zone_sweep_cancel();
	pthread_mutex_lock(&lock);
	const uint64_t number = ++sweep.number;
	sweep.state = ZONE_SWEEP_RUNNING;
	sweep.table = table;
	sweep.builtin = builtin;
	sweep.finished = finished;
	pthread_mutex_unlock(&lock);
	if (server_run(collect, (void *)(uintptr_t)number)) {
		return true;
	}
	zone_sweep_cancel();
	return false;
}

enum zone_sweep_state
zone_sweep_state(void) {
	pthread_mutex_lock(&lock);
	const enum zone_sweep_state state = sweep.state;
	pthread_mutex_unlock(&lock);
	return state;
}

/* Empties the sweep, whose number becomes another; what it held is the caller's. */
static struct collection
withdraw(struct zone_sweep *out) {
	pthread_mutex_lock(&lock);
	*out = (struct zone_sweep){ .number = sweep.number,
				    .views = sweep.collection.view_count,
				    .views_mark = sweep.collection.views_mark,
				    .busy_ns = sweep.busy_ns,
				    .sights = sweep.sights };
	struct collection collection = sweep.collection;
	++sweep.number;
	sweep.state = ZONE_SWEEP_FAILED;
	sweep.collection = (struct collection){ 0 };
	sweep.next = 0;
	sweep.busy_ns = 0;
	sweep.sights = NULL;
	pthread_mutex_unlock(&lock);
	return collection;
}

void
zone_sweep_take(struct zone_sweep *out) {
	struct collection collection = withdraw(out);
	release_collection(&collection);
}

void
zone_sweep_cancel(void) {
	struct zone_sweep given_up;
	struct collection collection = withdraw(&given_up);
	release_collection(&collection);
	free_sights(given_up.sights);
}
