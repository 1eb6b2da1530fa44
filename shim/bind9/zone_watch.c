#include "shim/bind9/zone_watch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include <isc/thread.h>

#include "shim/bind9/loads.h"
#include "shim/bind9/server_access.h"
#include "shim/bind9/view_probe.h"
#include "shim/bind9/zone_diff.h"
#include "shim/bind9/zone_sweep.h"
#include "shim/bind9/zone_table.h"

enum {
	least_pause_ms = 10,
	/* A wake-up waits this long after the last sweep, so that many of them make few sweeps. */
	wake_pause_ms = 25,
	/* A named that just came up answers soon; one that does not take our questions is left alone for longer. */
	eager_probes = 30,
	eager_probe_pause_ms = 100,
	probe_pause_ms = 5000,
	/* Sweeps take at most this part of the time, however many zones there are. */
	busy_share = 10,
	/* An event that named dropped is given up after this. */
	lost_after_ms = 60 * 1000,
	/* named loads zones for a while after a reload took; nothing says when it is through. */
	reload_lasts_ms = 60 * 1000
};

struct reload {
	bool noted; /* since the last complete sweep began */
	bool under_way;
	uint64_t since_ms;
	char correlation[27];
};

static pthread_once_t made = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all in `shared` */
static pthread_cond_t changed;
static struct {
	bool running, woken;
	struct reload reload;
} shared;
static atomic_bool stop; /* set under `lock`, read anywhere */

/* The rest belongs to the zone thread; zone_watch_start and zone_watch_stop touch it only while there is none. */
static isc_thread_t thread;
static struct {
	bindcast_runtime *runtime;
	struct zone_table table;
	struct bindcast_zone_watch options;
	bool swept;		 /* a first sweep was complete */
	bool builtin_changed;	 /* events.zones.builtin is not what it was in the last complete sweep */
	bool builtin_before;
	struct reload reload;	 /* as the sweep under way began */
	unsigned probes;	 /* sent while no view was known */
	uint64_t views_mark;	 /* of the last complete sweep */
	bool views_replaced;	 /* since the last complete sweep; may be seen before the reload is noted */
} watch;

static void
make(void) {
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

static uint64_t
now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool
stopping(void) {
	return atomic_load_explicit(&stop, memory_order_relaxed);
}

/* The lock is held. False when the time has come. */
static bool
wait_until(uint64_t deadline_ms) {
	const struct timespec until = { .tv_sec = (time_t)(deadline_ms / 1000),
					.tv_nsec = (long)(deadline_ms % 1000) * 1000000 };
	return pthread_cond_timedwait(&changed, &lock, &until) != ETIMEDOUT;
}

/* ── What a zone's sight means ─────────────────────────────────────────────────────────────────────────────────── */

static void
happened(enum bindcast_zone_happening what, const struct zone_entry *entry, const char *cause) {
	struct bindcast_zone zone = BINDCAST_INIT(zone);
	zone.zone = entry->name;
	zone.view = entry->key.view;
	zone.zone_type = entry->type;
	zone.cause = cause;
	zone.policy_zone = entry->policy_zone;
	zone.has_serial = entry->has_serial;
	zone.serial = entry->serial;
	bindcast_zone_happened(watch.runtime, what, &zone);
}

/* The entry lets go of what it held and takes what the sight holds. */
static void
take_content(struct zone_entry *entry, struct zone_sight *sight, bool has_serial, uint32_t serial) {
	zone_content_release(&entry->content);
	entry->content = sight->content;
	sight->content = (struct zone_content){ 0 };
	entry->has_serial = has_serial;
	entry->serial = serial;
}

static bool
read_serial(const struct zone_sight *sight, uint32_t *serial) {
	*serial = 0;
	return (dns_db_iszone(sight->content.db) || dns_db_isstub(sight->content.db)) &&
	       dns_db_getsoaserial(sight->content.db, sight->content.version, serial) == ISC_R_SUCCESS;
}

static struct zone_entry *
meet_zone(const struct zone_sight *sight, uint64_t sweep) {
	const struct zone_key key = { .view = sight->view,
				      .origin = sight->origin,
				      .origin_length = sight->origin_length,
				      .redirect = sight->redirect };
	struct zone_entry *entry = zone_table_add(&watch.table, &key);
	if (entry == NULL) {
		return NULL; /* memory is short: the next sweep meets it again */
	}
	entry->seen = sweep;
	entry->type = sight->type;
	entry->policy_zone = sight->policy_zone;
	entry->automatic = sight->automatic;
	entry->ignored = bindcast_zone_ignored(watch.runtime, entry->name);
	entry->adopt = entry->automatic && watch.builtin_changed;
	if (!watch.swept) {
		entry->load_cause = "startup";
	} else {
		const bool by_config = watch.reload.under_way || watch.views_replaced;
		entry->load_cause = sight->added ? "addzone" : by_config ? "config" : "unknown";
		if (!entry->ignored && !entry->adopt) {
			happened(BINDCAST_ZONE_CREATED, entry, entry->load_cause);
		}
	}
	return entry;
}

static void
zone_loaded(struct zone_entry *entry, struct zone_sight *sight, bool has_serial, uint32_t serial) {
	const char *cause = entry->load_cause;
	if (cause == NULL || (sight->transferred && strcmp(cause, "startup") != 0)) {
		cause = sight->transferred ? "transfer" : "reload";
	}
	take_content(entry, sight, has_serial, serial);
	if (!entry->adopt) {
		happened(BINDCAST_ZONE_LOADED, entry, cause);
	}
	entry->adopt = false;
	entry->load_cause = NULL;
}

static void
zone_unloaded(struct zone_entry *entry, const struct zone_sight *sight) {
	zone_content_release(&entry->content);
	if (sight->expired) {
		happened(BINDCAST_ZONE_EXPIRED, entry, "transfer");
	}
}

static void
zone_differs(struct zone_entry *entry, struct zone_sight *sight, bool has_serial, uint32_t serial) {
	const bool swapped = entry->content.db != sight->content.db;
	/* A reload loads each zone once; the next time it is the administrator again. */
	const bool by_reload = swapped && !sight->transferred && watch.reload.under_way &&
			       entry->reloaded_at_ms != watch.reload.since_ms;
	if (by_reload) {
		entry->reloaded_at_ms = watch.reload.since_ms;
	}
	/*
	 * An update that changes nothing makes a new version all the same. Whatever does change a record of a database
	 * changes its serial too.
	 */
	if (swapped || !has_serial || !entry->has_serial || serial != entry->serial) {
		struct bindcast_zone zone = BINDCAST_INIT(zone);
		zone.zone = entry->name;
		zone.view = entry->key.view;
		zone.zone_type = entry->type;
		zone.policy_zone = entry->policy_zone;
		const struct zone_diff diff = { .runtime = watch.runtime,
						.zone = &zone,
						.transferred = sight->transferred,
						.old_db = entry->content.db,
						.new_db = sight->content.db,
						.old_version = entry->content.version,
						.new_version = sight->content.version,
						.has_serials = has_serial && entry->has_serial,
						.old_serial = entry->serial,
						.new_serial = serial,
						.journal = sight->journal,
						.mctx = sight->content.mctx,
						.correlation = by_reload ? watch.reload.correlation : NULL,
						.private_type = sight->private_type,
						.dnssec_records = watch.options.dnssec_records,
						.stop = &stop };
		zone_diff(&diff);
	}
	take_content(entry, sight, has_serial, serial);
}

static void
process(struct zone_sight *sight, uint64_t sweep) {
	struct zone_entry *entry = sight->entry;
	if (entry == NULL) {
		entry = meet_zone(sight, sweep);
	}
	if (entry == NULL || entry->ignored) {
		return;
	}
	if (sight->content.db == NULL) {
		if (entry->content.db != NULL) {
			zone_unloaded(entry, sight);
		}
		return;
	}
	uint32_t serial;
	const bool has_serial = read_serial(sight, &serial);
	if (entry->content.db == NULL) {
		zone_loaded(entry, sight, has_serial, serial);
	} else {
		zone_differs(entry, sight, has_serial, serial);
	}
}

/* ── Zones that are gone ───────────────────────────────────────────────────────────────────────────────────────── */

static bool
keep_if_seen(struct zone_entry *entry, void *closure) {
	const uint64_t *sweep = closure;
	if (entry->seen == *sweep) {
		return true;
	}
	const bool hidden = entry->ignored || (entry->automatic && watch.builtin_changed);
	zone_content_release(&entry->content);
	if (!hidden && !stopping()) {
		happened(BINDCAST_ZONE_DELETED, entry, watch.reload.noted || watch.views_replaced ? "config" : "delzone");
	}
	return false;
}

static bool
keep_none(struct zone_entry *entry, void *closure) {
	(void)closure;
	zone_content_release(&entry->content);
	return false;
}

/* events.zones.ignore may have changed with the reload. */
static bool
ask_again_whether_ignored(struct zone_entry *entry, void *closure) {
	(void)closure;
	const bool ignored = bindcast_zone_ignored(watch.runtime, entry->name);
	if (ignored && !entry->ignored) {
		zone_content_release(&entry->content);
	}
	entry->adopt = entry->adopt || (entry->ignored && !ignored);
	entry->ignored = ignored;
	return true;
}

/* ── The thread ────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Called on the task when a sweep has ended. */
static void
sweep_finished(void) {
	pthread_mutex_lock(&lock);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* False when the sweep failed, got lost, or the watch stops. */
static bool
run_sweep(struct zone_sweep *sweep) {
	if (!zone_sweep_begin(&watch.table, watch.options.builtin, sweep_finished)) {
		return false;
	}
	const uint64_t deadline = now_ms() + lost_after_ms;
	bool in_time = true;
	pthread_mutex_lock(&lock);
	while (in_time && !stopping() && zone_sweep_state() == ZONE_SWEEP_RUNNING) {
		in_time = wait_until(deadline);
	}
	pthread_mutex_unlock(&lock);
	if (stopping() || zone_sweep_state() != ZONE_SWEEP_DONE) {
		zone_sweep_cancel();
		return false;
	}
	zone_sweep_take(sweep);
	return true;
}

static void
begin_with_reload_and_options(void) {
	watch.options = (struct bindcast_zone_watch)BINDCAST_INIT(watch.options);
	bindcast_zone_watch_options(watch.runtime, &watch.options);
	pthread_mutex_lock(&lock);
	watch.reload = shared.reload;
	pthread_mutex_unlock(&lock);
	watch.builtin_changed = watch.swept && watch.options.builtin != watch.builtin_before;
	if (watch.reload.noted) {
		zone_table_filter(&watch.table, ask_again_whether_ignored, NULL);
	}
}

/* What was noted when this sweep began has had its effect; what came since has not. */
static void
end_reload(void) {
	pthread_mutex_lock(&lock);
	if (shared.reload.since_ms == watch.reload.since_ms) {
		shared.reload.noted = false;
		shared.reload.under_way = shared.reload.under_way &&
					  now_ms() - shared.reload.since_ms < reload_lasts_ms;
	}
	pthread_mutex_unlock(&lock);
}

/* Returns how long the task worked for it, in milliseconds. */
static uint64_t
sweep_once(void) {
	struct zone_sweep sweep;
	begin_with_reload_and_options();
	if (!run_sweep(&sweep)) {
		return 0;
	}
	watch.views_replaced = watch.swept && sweep.views_mark != watch.views_mark;
	while (sweep.sights != NULL) {
		struct zone_sight *sight = sweep.sights;
		sweep.sights = sight->next;
		if (!stopping() && sweep.views != 0) {
			process(sight, sweep.number);
		}
		zone_sight_free(sight);
	}
	/* No view at all: the server is shutting down, or not up yet. */
	if (sweep.views != 0) {
		zone_table_filter(&watch.table, keep_if_seen, &sweep.number);
		watch.swept = true;
		watch.views_mark = sweep.views_mark;
		watch.builtin_before = watch.options.builtin;
		end_reload();
	}
	return sweep.busy_ns / 1000000;
}

/* Waits for the next sweep; false when the watch stops. */
static bool
pause_between(uint64_t took_ms) {
	const uint64_t since = now_ms();
	uint64_t pause = watch.options.sweep_us / 1000;
	if (!server_views_known()) {
		pause = watch.probes < eager_probes ? eager_probe_pause_ms : probe_pause_ms;
	}
	pause = pause < least_pause_ms ? least_pause_ms : pause;
	pause = pause < took_ms * busy_share ? took_ms * busy_share : pause;
	/* The first sweep is what later ones are compared with: the sooner, the less is taken for having been there. */
	uint64_t wake_pause = watch.swept ? wake_pause_ms + took_ms : 0;
	wake_pause = wake_pause > pause ? pause : wake_pause;
	pthread_mutex_lock(&lock);
	while (!stopping()) {
		const uint64_t due = since + (shared.woken ? wake_pause : pause);
		if (now_ms() >= due) {
			break;
		}
		wait_until(due);
	}
	shared.woken = false;
	pthread_mutex_unlock(&lock);
	return !stopping();
}

static isc_threadresult_t
run(isc_threadarg_t unused) {
	(void)unused;
	uint64_t took_ms = 0;
	bindcast_zone_watch_options(watch.runtime, &watch.options);
	while (pause_between(took_ms)) {
		took_ms = 0;
		if (server_views_known()) {
			took_ms = sweep_once();
		} else {
			++watch.probes;
			view_probe_send();
			load_look_again();
		}
	}
	zone_sweep_cancel();
	zone_table_filter(&watch.table, keep_none, NULL);
	zone_table_free(&watch.table);
	return NULL;
}

/* ── For the others ────────────────────────────────────────────────────────────────────────────────────────────── */

bool
zone_watch_start(bindcast_runtime *runtime) {
	pthread_once(&made, make);
	pthread_mutex_lock(&lock);
	if (shared.running) {
		pthread_mutex_unlock(&lock);
		return true;
	}
	memset(&shared, 0, sizeof(shared));
	shared.running = true;
	shared.woken = true;
	atomic_store(&stop, false);
	memset(&watch, 0, sizeof(watch));
	watch.runtime = runtime;
	watch.options = (struct bindcast_zone_watch)BINDCAST_INIT(watch.options);
	pthread_mutex_unlock(&lock);

	/* named waits for its signals in one thread of its own; the new thread inherits this mask. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	isc_thread_create(run, NULL, &thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	isc_thread_setname(thread, "bindcast-zones");
	return true;
}

void
zone_watch_stop(void) {
	pthread_mutex_lock(&lock);
	const bool was_running = shared.running;
	if (was_running) {
		shared.running = false;
		atomic_store(&stop, true);
		pthread_cond_broadcast(&changed);
	}
	pthread_mutex_unlock(&lock);
	if (was_running) {
		isc_thread_join(thread, NULL);
	}
}

void
zone_watch_wake(void) {
	pthread_mutex_lock(&lock);
	if (shared.running) {
		shared.woken = true;
		pthread_cond_broadcast(&changed);
	}
	pthread_mutex_unlock(&lock);
}

void
zone_watch_reloaded(const char *correlation) {
	pthread_mutex_lock(&lock);
	if (shared.running) {
		shared.reload = (struct reload){ .noted = true, .under_way = true, .since_ms = now_ms() };
		memcpy(shared.reload.correlation, correlation, sizeof(shared.reload.correlation));
		shared.woken = true;
		pthread_cond_broadcast(&changed);
	}
	pthread_mutex_unlock(&lock);
}
