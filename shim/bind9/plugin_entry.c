/*
 * What named calls: the four functions of a query plugin, and the three of the optional dyndb line.
 *
 * Every one of them first makes sure that the running BIND is the one this was built for; in any other, the plugin
 * registers nothing, says so once, and DNS goes on.
 */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "shim/bind9/bind_log.h"
#include "shim/bind9/compat.h"
#include "shim/bind9/instances.h"
#include "shim/bind9/loads.h"
#include "shim/bind9/parameters.h"
#include "shim/bind9/query_capture.h"
#include "shim/bind9/running_version.h"
#include "shim/bind9/server_access.h"
#include "shim/bind9/server_counters.h"
#include "shim/bind9/zone_watch.h"

#define ENTRY __attribute__((visibility("default")))

/* Registering and destroying exclude each other: a runtime that ends must have ended before the next one starts. */
static pthread_mutex_t lifecycle = PTHREAD_MUTEX_INITIALIZER;

/* Does the zone watch run? Under `lifecycle`. */
static bool watching;

/* What dyndb_init showed us, for the plugin_register of the same view, which follows in the same thread. */
static struct {
	dns_view_t *view;
	isc_taskmgr_t *taskmgr;
} hint;

/* An instance in a named of another version: it stands for nothing. */
static char inert;

static struct bindcast_host
host_of(isc_log_t *lctx) {
	struct bindcast_host host = BINDCAST_INIT(host);
	host.name = "named";
	host.version = running_version();
	host.log = bind_log;
	host.log_closure = lctx;
	host.counters_wanted = server_counters_wanted;
	return host;
}

ENTRY int
plugin_version(void) {
	return running_plugin_api();
}

ENTRY isc_result_t
plugin_check(const char *parameters, const void *cfg, const char *cfg_file, unsigned long cfg_line, isc_mem_t *mctx,
	     isc_log_t *lctx, void *actx) {
	(void)cfg;
	(void)mctx;
	(void)actx;
	if (!running_version_matches()) {
		log_in_any_version(lctx, "built for BIND %s, this is %s: the plugin would stay off", built_version(),
				   running_version());
		return ISC_R_SUCCESS;
	}
	struct bindcast_host host = host_of(lctx);
	char *config_path = NULL;
	if (!parameters_read(parameters, cfg_file, cfg_line, &host, &config_path)) {
		return ISC_R_FAILURE;
	}
	const bool valid = config_path == NULL || bindcast_check(&host, config_path);
	free(config_path);
	return valid ? ISC_R_SUCCESS : ISC_R_FAILURE;
}

static isc_result_t
register_instance(const struct bindcast_host *host, const char *config_path, const void *cfg, isc_mem_t *mctx,
		  ns_hooktable_t *hooktable, void **instp) {
	unsigned load = 0;
	bindcast_runtime *runtime = NULL;
	dns_view_t *view = hint.view;
	isc_taskmgr_t *taskmgr = hint.taskmgr;
	hint.view = NULL;
	hint.taskmgr = NULL;
	/* A hint that stands for another view than the one being configured would mislead: the hook table tells. */
	if (view != NULL && view->hooktable != hooktable) {
		view = NULL;
	}
	struct instance *instance = instances_add(hooktable, mctx, view);
	if (instance == NULL) {
		return ISC_R_NOMEMORY;
	}
	if (taskmgr != NULL) {
		server_offer_tasks(taskmgr);
	}
	if (!load_register(host, config_path, cfg, &load, &runtime)) {
		if (instances_remove(instance)) {
			server_forget();
		}
		return ISC_R_FAILURE;
	}
	instances_set_load(instance, load);
	query_capture_install(hooktable, mctx, runtime);
	server_counters_start(runtime);
	if (!watching) {
		watching = zone_watch_start(runtime);
	}
	*instp = instance;
	return ISC_R_SUCCESS;
}

ENTRY isc_result_t
plugin_register(const char *parameters, const void *cfg, const char *cfg_file, unsigned long cfg_line,
		isc_mem_t *mctx, isc_log_t *lctx, void *actx, ns_hooktable_t *hooktable, void **instp) {
	(void)actx;
	if (!running_version_matches()) {
		log_in_any_version(lctx,
				   "built for BIND %s, this is %s: no hooks registered, DNS goes on without Bindcast; "
				   "install the build for this version",
				   built_version(), running_version());
		*instp = &inert;
		return ISC_R_SUCCESS;
	}
	struct bindcast_host host = host_of(lctx);
	char *config_path = NULL;
	if (!parameters_read(parameters, cfg_file, cfg_line, &host, &config_path)) {
		return ISC_R_FAILURE;
	}
	pthread_mutex_lock(&lifecycle);
	const isc_result_t result = register_instance(&host, config_path, cfg, mctx, hooktable, instp);
	pthread_mutex_unlock(&lifecycle);
	free(config_path);
	return result;
}

ENTRY void
plugin_destroy(void **instp) {
	void *handle = *instp;
	*instp = NULL;
	if (handle == &inert) {
		return;
	}
	struct instance *instance = handle;
	const unsigned load = instance->load;
	pthread_mutex_lock(&lifecycle);
	const bool last = instances_remove(instance);
	if (last) {
		zone_watch_stop();
		watching = false;
		server_counters_stop();
		server_forget();
		query_capture_forget();
	} else {
		load_instance_destroyed(load);
	}
	load_release(last);
	pthread_mutex_unlock(&lifecycle);
}

/* ── dyndb: shows us a view before its first query ──────────────────────────────────────────────────────────────── */

ENTRY int
dyndb_version(unsigned int *flags) {
	(void)flags;
	return DNS_DYNDB_VERSION;
}

ENTRY isc_result_t
dyndb_init(isc_mem_t *mctx, const char *name, const char *parameters, const char *file, unsigned long line,
	   const dns_dyndbctx_t *dctx, void **instp) {
	(void)mctx;
	(void)name;
	(void)parameters;
	(void)file;
	(void)line;
	*instp = &inert;
	if (running_version_matches()) {
		hint.view = dctx->view;
		hint.taskmgr = dns_zonemgr_gettaskmgr(dctx->zmgr);
	}
	return ISC_R_SUCCESS;
}

ENTRY void
dyndb_destroy(void **instp) {
	*instp = NULL;
	if (running_version_matches()) {
		hint.view = NULL;
		load_attempted();
	}
}
