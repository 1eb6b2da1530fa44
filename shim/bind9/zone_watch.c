#include "shim/bind9/zone_watch.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <isc/thread.h>

#include "shim/bind9/loads.h"
#include "shim/bind9/monotonic.h"
#include "shim/bind9/server_access.h"
#include "shim/bind9/view_probe.h"
#include "shim/bind9/zone_attention.h"
#include "shim/bind9/zone_files.h"
#include "shim/bind9/zone_ledger.h"
#include "shim/bind9/zone_sweep.h"

enum {
	least_pause_ms = 10,
	/* A wake-up waits this long after the last look, so that many of them make few looks. */
	wake_pause_ms = 25,
	/*
	 * A large zone is there long after its file was read, and many take their time. So for a while after the start, a
	 * reload or a wake-up the zones that may be concerned are looked at so often, be events.zones.sweep what it may.
	 */
	echo_ms = 60 * 1000,
	echo_pause_ms = 1000,
	/* named closes the journal a moment before it makes the new version current. */
	commit_pause_ms = 3,
	/* A named that just came up answers soon; one that does not take our questions is left alone for longer. */
	eager_probes = 30,
	eager_probe_pause_ms = 100,
	probe_pause_ms = 5000,
	/*
	 * Full sweeps take at most this part of the time, however many zones there are (a hundredth, with what the hops
	 * between tasks cost); the other is for what is looked at because something seems to happen. A set of zones larger
	 * than both its limits is left to full sweeps.
	 */
	quiet_share = 150,
	busy_share = 10,
	crowd = 1024,
	crowd_share = 4,
	/* An event that named dropped is given up after this. */
	lost_after_ms = 60 * 1000,
	without_bell_ms = 50,
	/* named loads zones for a while after a reload took; nothing says when it is through. */
	reload_lasts_ms = 60 * 1000
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all in `shared` */
static struct {
	bool running, woken;
	struct zone_reload reload;
	int bell; /* an eventfd, rung when the thread has something to look after; -1: it looks often by itself */
} shared = { .bell = -1 };
static atomic_bool stop; /* set under `lock`, read anywhere */

/* The rest belongs to the zone thread; zone_watch_start and zone_watch_stop touch it only while there is none. */
static isc_thread_t thread;

struct timing {
	uint64_t ended_ms;
	uint64_t took_us; /* how long the task worked for it */
};

static struct {
	struct zone_ledger ledger;
	bool builtin_before;	 /* events.zones.builtin as it was in the last complete sweep */
	unsigned probes;	 /* sent while no view was known */
	uint64_t views_mark;	 /* of the last complete sweep */
	bool sweeping;		 /* a full sweep is under way: it is `sweep`, and not over yet */
	bool hurry;		 /* something happened somewhere, so the next full sweep should not wait for long */
	struct timing sweep, glance[ZONE_SETS];
	uint64_t heard_ms;	 /* when the first of the woken zones' files was touched */
	uint64_t stirred_ms;	 /* the last start, reload or wake-up */
	int bell;		 /* the same as in `shared`: it stays while the thread lives */
} watch;

static uint64_t
now_ms(void) {
	return monotonic_ns() / 1000000;
}

static bool
stopping(void) {
	return atomic_load_explicit(&stop, memory_order_relaxed);
}

/* The lock is held. */
static void
ring(void) {
	const uint64_t once = 1;
	if (shared.bell >= 0 && write(shared.bell, &once, sizeof(once)) < 0) {
		return; /* so it is rung already */
	}
}

/* Until the bell rings, or with `files` one of the zones' files is touched, or the time has come. */
static void
sleep_until(uint64_t due_ms, bool files) {
	const uint64_t now = now_ms();
	uint64_t rest = due_ms <= now ? 0 : due_ms - now;
	if (watch.bell < 0 && rest > without_bell_ms) {
		rest = without_bell_ms;
	}
	struct pollfd polled[] = { { .fd = watch.bell, .events = POLLIN },
				   { .fd = files ? zone_files_descriptor() : -1, .events = POLLIN } };
	/* The longest pause, some hours, fits into an int. */
	uint64_t times;
	if (poll(polled, 2, rest > INT_MAX ? INT_MAX : (int)rest) > 0 && polled[0].revents != 0 &&
	    read(watch.bell, &times, sizeof(times)) < 0)
	{
		return; /* nobody else reads it: never */
	}
}

/* The last that was noted. */
static struct zone_reload
last_reload(void) {
	pthread_mutex_lock(&lock);
	const struct zone_reload reload = shared.reload;
	pthread_mutex_unlock(&lock);
	return reload;
}

/* ── The thread ────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Called on the task when a step has ended. */
static void
step_finished(void) {
	pthread_mutex_lock(&lock);
	ring();
	pthread_mutex_unlock(&lock);
}

/* Waits for the step that was begun and takes what it found. False when it failed, got lost, or the watch stops. */
static bool
finish_step(struct zone_step *step) {
	const uint64_t deadline = now_ms() + lost_after_ms;
	while (!stopping() && zone_sweep_state() == ZONE_STEP_RUNNING && now_ms() < deadline) {
		sleep_until(deadline, false);
	}
	if (stopping() || zone_sweep_state() != ZONE_STEP_DONE) {
		zone_sweep_cancel();
		watch.sweeping = false;
		return false;
	}
	zone_sweep_take(step);
	return true;
}

static void
process_all(struct zone_step *step) {
	while (step->sights != NULL) {
		struct zone_sight *sight = step->sights;
		step->sights = sight->next;
		if (!stopping()) {
			zone_ledger_compare(&watch.ledger, sight, step->sweep);
		}
		zone_sight_free(sight);
	}
}

/* ── Glances ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void
file_touched(struct zone_entry *entry) {
	zone_attention_wake(entry, now_ms());
}

static void
hear_of_files(void) {
	const bool none_before = zone_attention_count(ZONE_WOKEN) == 0;
	if (!zone_files_read(file_touched)) {
		watch.hurry = true;
		watch.stirred_ms = now_ms();
	}
	if (none_before && zone_attention_count(ZONE_WOKEN) != 0) {
		watch.heard_ms = watch.stirred_ms = now_ms();
	}
}

static bool
is_crowded(int set) {
	const size_t count = zone_attention_count(set);
	return count > crowd && count > watch.ledger.table.count / crowd_share;
}

static void
glance(int set) {
	size_t count;
	struct zone_entry *const *entries = zone_attention_take(set, now_ms(), &count);
	struct zone_step step;
	watch.glance[set].took_us = 0;
	if (count != 0 && zone_sweep_glance(&watch.ledger.table, entries, count, step_finished) && finish_step(&step)) {
		process_all(&step);
		watch.hurry = watch.hurry || step.missing;
		watch.glance[set].took_us = step.busy_ns / 1000;
	}
	watch.glance[set].ended_ms = now_ms();
}

/* ── Full sweeps ───────────────────────────────────────────────────────────────────────────────────────────────── */

static void
begin_sweep(void) {
	watch.ledger.options = (struct bindcast_zone_watch)BINDCAST_INIT(watch.ledger.options);
	bindcast_zone_watch_options(watch.ledger.runtime, &watch.ledger.options);
	pthread_mutex_lock(&lock);
	watch.ledger.reload = shared.reload;
	shared.woken = false;
	pthread_mutex_unlock(&lock);
	watch.ledger.builtin_changed = watch.ledger.swept && watch.ledger.options.builtin != watch.builtin_before;
	if (watch.ledger.reload.noted) {
		watch.stirred_ms = now_ms();
		zone_ledger_ignore_anew(&watch.ledger);
	}
	zone_files_renew(watch.ledger.reload.noted);
	for (int set = 0; set < ZONE_SETS; ++set) {
		size_t count;
		if (is_crowded(set)) {
			zone_attention_take(set, now_ms(), &count);
		}
	}
	watch.hurry = false;
	watch.sweeping = true;
	watch.sweep.took_us = 0;
}

/* What was noted when this sweep began has had its effect; what came since has not. */
static void
end_reload(void) {
	pthread_mutex_lock(&lock);
	if (shared.reload.since_ms == watch.ledger.reload.since_ms) {
		shared.reload.noted = false;
		shared.reload.under_way = shared.reload.under_way &&
					  now_ms() - shared.reload.since_ms < reload_lasts_ms;
	}
	pthread_mutex_unlock(&lock);
}

static void
end_sweep(struct zone_step *last) {
	/* No view at all: the server is shutting down, or not up yet. */
	if (last->views != 0) {
		zone_ledger_drop_unseen(&watch.ledger, last->sweep);
		watch.ledger.swept = true;
		watch.views_mark = last->views_mark;
		watch.builtin_before = watch.ledger.options.builtin;
		end_reload();
	}
	watch.sweeping = false;
	watch.sweep.ended_ms = now_ms();
}

/* Begins a full sweep, or goes on with it. */
static void
sweep_portion(void) {
	struct zone_step step;
	if (!watch.sweeping) {
		begin_sweep();
	}
	if (!zone_sweep_portion(&watch.ledger.table, watch.ledger.options.builtin, step_finished) || !finish_step(&step)) {
		watch.sweeping = false;
		watch.sweep = (struct timing){ .ended_ms = now_ms() };
		return;
	}
	watch.ledger.views_replaced = watch.ledger.swept && step.views_mark != watch.views_mark;
	watch.sweep.took_us += step.busy_ns / 1000;
	process_all(&step);
	if (step.last) {
		end_sweep(&step);
	}
}

/* ── What is due ───────────────────────────────────────────────────────────────────────────────────────────────── */

static uint64_t
larger(uint64_t a, uint64_t b) {
	return a > b ? a : b;
}

/* Between two looks at zones that may well have changed, or that cannot be woken. */
static uint64_t
close_pause_ms(void) {
	const uint64_t pause = watch.ledger.options.sweep_us / 1000;
	return pause > echo_pause_ms && now_ms() < watch.stirred_ms + echo_ms ? echo_pause_ms : pause;
}

static uint64_t
sweep_due_ms(void) {
	const bool quiet = watch.ledger.swept && !watch.hurry && !is_crowded(ZONE_WOKEN) && !is_crowded(ZONE_CLOSE);
	uint64_t pause = quiet ? watch.ledger.options.sweep_us / 1000 : close_pause_ms();
	if (!server_views_known()) {
		pause = watch.probes < eager_probes ? eager_probe_pause_ms : probe_pause_ms;
	}
	pause = larger(larger(pause, least_pause_ms), watch.sweep.took_us * (quiet ? quiet_share : busy_share) / 1000);
	/* The first sweep is what later ones are compared with: the sooner, the less is taken for having been there. */
	const uint64_t wake_pause = watch.ledger.swept ? wake_pause_ms + watch.sweep.took_us / 1000 : 0;
	pthread_mutex_lock(&lock);
	const bool woken = shared.woken;
	pthread_mutex_unlock(&lock);
	return watch.sweep.ended_ms + (woken && wake_pause < pause ? wake_pause : pause);
}

static uint64_t
glance_due_ms(int set) {
	if (!watch.ledger.swept || zone_attention_count(set) == 0 || is_crowded(set)) {
		return UINT64_MAX;
	}
	const uint64_t pause = set == ZONE_WOKEN ? wake_pause_ms : close_pause_ms();
	const uint64_t due = watch.glance[set].ended_ms + larger(pause, watch.glance[set].took_us * busy_share / 1000);
	return set == ZONE_WOKEN ? larger(due, watch.heard_ms + commit_pause_ms) : due;
}

/* Sleeps, or does what is due. */
static void
take_a_turn(void) {
	/* While zones are woken, news of others can wait until those are looked at: so a stream of updates does not wake
	 * the thread for each. */
	const bool listens = zone_attention_count(ZONE_WOKEN) == 0;
	if (listens) {
		hear_of_files();
	}
	const uint64_t now = now_ms(), woken_due = glance_due_ms(ZONE_WOKEN), close_due = glance_due_ms(ZONE_CLOSE);
	const uint64_t sweep_due = watch.sweeping ? now : sweep_due_ms();
	if (woken_due <= now) {
		hear_of_files();
		glance(ZONE_WOKEN);
	} else if (sweep_due <= now) {
		sweep_portion();
	} else if (close_due <= now) {
		glance(ZONE_CLOSE);
	} else {
		const uint64_t first = woken_due < close_due ? woken_due : close_due;
		sleep_until(first < sweep_due ? first : sweep_due, listens && woken_due == UINT64_MAX);
	}
}

static void
look_for_views(void) {
	const uint64_t due = sweep_due_ms();
	if (due > now_ms()) {
		sleep_until(due, false);
		return;
	}
	pthread_mutex_lock(&lock);
	shared.woken = false;
	pthread_mutex_unlock(&lock);
	++watch.probes;
	view_probe_send();
	load_look_again();
	watch.sweep.ended_ms = now_ms();
}

static isc_threadresult_t
run(isc_threadarg_t unused) {
	(void)unused;
	bindcast_zone_watch_options(watch.ledger.runtime, &watch.ledger.options);
	zone_files_start();
	watch.sweep.ended_ms = watch.stirred_ms = now_ms();
	while (!stopping()) {
		if (server_views_known()) {
			take_a_turn();
		} else {
			look_for_views();
		}
	}
	zone_sweep_cancel();
	zone_ledger_free(&watch.ledger);
	zone_attention_free();
	zone_files_stop();
	return NULL;
}

/* ── For the others ────────────────────────────────────────────────────────────────────────────────────────────── */

bool
zone_watch_start(bindcast_runtime *runtime) {
	pthread_mutex_lock(&lock);
	if (shared.running) {
		pthread_mutex_unlock(&lock);
		return true;
	}
	memset(&shared, 0, sizeof(shared));
	shared.running = true;
	shared.woken = true;
	shared.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	atomic_store(&stop, false);
	memset(&watch, 0, sizeof(watch));
	watch.bell = shared.bell;
	watch.ledger.runtime = runtime;
	watch.ledger.stop = &stop;
	watch.ledger.last_reload = last_reload;
	watch.ledger.options = (struct bindcast_zone_watch)BINDCAST_INIT(watch.ledger.options);
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
		ring();
	}
	pthread_mutex_unlock(&lock);
	if (!was_running) {
		return;
	}
	isc_thread_join(thread, NULL);
	pthread_mutex_lock(&lock);
	if (shared.bell >= 0) {
		close(shared.bell);
	}
	shared.bell = -1;
	pthread_mutex_unlock(&lock);
}

void
zone_watch_wake(void) {
	pthread_mutex_lock(&lock);
	if (shared.running) {
		shared.woken = true;
		ring();
	}
	pthread_mutex_unlock(&lock);
}

void
zone_watch_reloaded(const char *correlation) {
	pthread_mutex_lock(&lock);
	if (shared.running) {
		shared.reload = (struct zone_reload){ .noted = true, .under_way = true, .since_ms = now_ms() };
		memcpy(shared.reload.correlation, correlation, sizeof(shared.reload.correlation));
		shared.woken = true;
		ring();
	}
	pthread_mutex_unlock(&lock);
}
