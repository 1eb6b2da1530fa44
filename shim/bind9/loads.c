#include "shim/bind9/loads.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/bind9/configuration_text.h"
#include "shim/bind9/instances.h"
#include "shim/bind9/monotonic.h"
#include "shim/bind9/server_access.h"
#include "shim/bind9/zone_watch.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static bindcast_runtime *current_runtime;
static unsigned last_load;

/* The load under way; number 0: none. */
static struct {
	unsigned number;
	bool initial;
	const void *cfg; /* compared, never read after the load's first register */
	char *config_path;
	uint64_t started_ns;
	char correlation[27];
	char *text; /* named.conf as it will be in force */
	size_t text_length;
} load;

/* `lock` is held. */
static void
clear_load(void) {
	free(load.config_path);
	free(load.text);
	memset(&load, 0, sizeof(load));
}

struct counts {
	unsigned load;
	uint32_t views, zones;
};

static isc_result_t
count_zone(dns_zone_t *zone, void *closure) {
	(void)zone;
	++*(uint32_t *)closure;
	return ISC_R_SUCCESS;
}

static void
count_view(dns_view_t *view, void *closure) {
	struct counts *counts = closure;
	if (instances_load_of(view->hooktable) != counts->load) {
		return;
	}
	++counts->views;
	LOCK(&view->lock);
	if (view->zonetable != NULL) {
		dns_zt_apply(view->zonetable, isc_rwlocktype_read, false, NULL, count_zone, &counts->zones);
	}
	UNLOCK(&view->lock);
}

/* Announces how the load `number` ended, once. `lock` is not held: the announcements may take a moment. */
static void
finish(unsigned number, enum bindcast_reload_outcome outcome, const char *reason, uint32_t views, uint32_t zones) {
	pthread_mutex_lock(&lock);
	if (load.number != number || current_runtime == NULL) {
		pthread_mutex_unlock(&lock);
		return;
	}
	bindcast_runtime *runtime = current_runtime;
	struct bindcast_reload reload = BINDCAST_INIT(reload);
	char correlation[27];
	memcpy(correlation, load.correlation, sizeof(correlation));
	const bool initial = load.initial;
	reload.duration_ms = (monotonic_ns() - load.started_ns) / 1000000;
	char *text = load.text;
	const size_t text_length = load.text_length;
	load.text = NULL;
	clear_load();
	pthread_mutex_unlock(&lock);

	reload.outcome = outcome;
	reload.reason = reason;
	reload.views = views;
	reload.zones = zones;
	reload.correlation = correlation;
	if (outcome == BINDCAST_RELOAD_SUCCEEDED) {
		/* First, because named loads zones meanwhile, and each that is seen before belongs to no reload. */
		if (!initial) {
			zone_watch_reloaded(correlation);
		}
		bindcast_apply(runtime);
		if (text != NULL) {
			bindcast_configuration(runtime, text, text_length, correlation);
		}
		if (initial) {
			zone_watch_wake();
		} else {
			bindcast_reloaded(runtime, &reload);
		}
	} else {
		bindcast_discard(runtime);
		bindcast_reloaded(runtime, &reload);
	}
	free(text);
}

/* On the task: the exclusive mode of the load is over, so its views are in the server's list, or they never will be. */
static void
look_whether_it_took(void *closure) {
	struct counts counts = { .load = (unsigned)(uintptr_t)closure };
	if (!server_views_known()) {
		dns_view_t *hinted = instances_hinted_view();
		if (hinted == NULL) {
			return; /* wait for the first query, or for an instance to be destroyed */
		}
		server_offer_view(hinted);
	}
	server_each_view(count_view, &counts);
	if (counts.views != 0) {
		finish(counts.load, BINDCAST_RELOAD_SUCCEEDED, NULL, counts.views, counts.zones);
	} else {
		finish(counts.load, BINDCAST_RELOAD_FAILED, "named kept the configuration it had", 0, 0);
	}
}

static bool
same_path(const char *a, const char *b) {
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* The first view of a load. `lock` is held. */
static bool
begin(const struct bindcast_host *host, const char *config_path, const void *cfg) {
	const bool initial = current_runtime == NULL;
	clear_load();
	load.initial = initial;
	if (initial) {
		current_runtime = bindcast_start(host, config_path);
		if (current_runtime == NULL) {
			return false;
		}
	} else {
		bindcast_new_correlation(current_runtime, load.correlation);
		struct bindcast_reload reload = BINDCAST_INIT(reload);
		reload.outcome = BINDCAST_RELOAD_STARTED;
		reload.correlation = load.correlation;
		bindcast_reloaded(current_runtime, &reload);
		if (!bindcast_prepare(current_runtime, config_path)) {
			reload.outcome = BINDCAST_RELOAD_FAILED;
			reload.reason = "the plugin's own configuration file is faulty";
			bindcast_reloaded(current_runtime, &reload);
			clear_load();
			return false;
		}
		bindcast_start(host, NULL);
	}
	load.number = ++last_load;
	load.cfg = cfg;
	load.config_path = config_path == NULL ? NULL : strdup(config_path);
	load.started_ns = monotonic_ns();
	load.text = configuration_text(cfg, &load.text_length);
	return true;
}

/* A load that nobody could be asked about is over when the next one begins: its instances live, or they do not. */
static void
settle_older(const void *cfg) {
	pthread_mutex_lock(&lock);
	const unsigned older = load.cfg != cfg ? load.number : 0;
	pthread_mutex_unlock(&lock);
	if (older != 0) {
		finish(older, instances_of_load(older) ? BINDCAST_RELOAD_SUCCEEDED : BINDCAST_RELOAD_FAILED, NULL, 0,
		       0);
	}
}

bool
load_register(const struct bindcast_host *host, const char *config_path, const void *cfg, unsigned *number,
	      bindcast_runtime **runtime) {
	bool accepted = true;
	settle_older(cfg);
	pthread_mutex_lock(&lock);
	if (load.number == 0 || load.cfg != cfg) {
		accepted = begin(host, config_path, cfg);
	} else if (same_path(load.config_path, config_path)) {
		bindcast_start(host, NULL);
	} else {
		host->log(host->log_closure, BINDCAST_LOG_ERROR,
			  "every view must name the same configuration file: one runtime serves all of them");
		accepted = false;
	}
	*number = load.number;
	*runtime = current_runtime;
	pthread_mutex_unlock(&lock);
	if (accepted) {
		server_run(look_whether_it_took, (void *)(uintptr_t)*number);
	}
	return accepted;
}

void
load_look_again(void) {
	pthread_mutex_lock(&lock);
	const unsigned number = load.number;
	pthread_mutex_unlock(&lock);
	if (number != 0) {
		server_run(look_whether_it_took, (void *)(uintptr_t)number);
	}
}

void
load_instance_destroyed(unsigned number) {
	pthread_mutex_lock(&lock);
	const unsigned pending = load.number;
	pthread_mutex_unlock(&lock);
	if (pending == 0) {
		return;
	}
	if (number != pending && instances_of_load(pending)) {
		finish(pending, BINDCAST_RELOAD_SUCCEEDED, NULL, 0, 0);
	} else if (number == pending && !instances_of_load(pending)) {
		finish(pending, BINDCAST_RELOAD_FAILED, "named kept the configuration it had", 0, 0);
	}
}

/* On the task, after a load that the dyndb line saw begin. */
static void
look_whether_it_came_to_us(void *closure) {
	const unsigned loads_before = (unsigned)(uintptr_t)closure;
	struct counts counts = { 0 };
	pthread_mutex_lock(&lock);
	counts.load = last_load;
	bindcast_runtime *runtime = current_runtime;
	pthread_mutex_unlock(&lock);
	if (runtime == NULL || counts.load != loads_before) {
		return;
	}
	/* At shutdown the views are no longer in the list. */
	server_each_view(count_view, &counts);
	if (counts.views == 0) {
		return;
	}
	struct bindcast_reload reload = BINDCAST_INIT(reload);
	reload.outcome = BINDCAST_RELOAD_FAILED;
	reload.reason = "named could not read its configuration; the one it had runs on";
	bindcast_reloaded(runtime, &reload);
}

void
load_attempted(void) {
	pthread_mutex_lock(&lock);
	const unsigned loads = last_load;
	pthread_mutex_unlock(&lock);
	server_run(look_whether_it_came_to_us, (void *)(uintptr_t)loads);
}

void
load_release(bool last) {
	pthread_mutex_lock(&lock);
	bindcast_runtime *runtime = current_runtime;
	if (last) {
		clear_load();
		current_runtime = NULL;
	}
	pthread_mutex_unlock(&lock);
	bindcast_stop(runtime);
}
