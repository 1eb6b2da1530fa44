/*
 * Preloaded into named: every view of every configuration gets Bindcast besides its own plugins, as if named.conf had
 * the line in each of them, whatever a test writes, includes, adds or reloads.
 *
 * named asks the parsed configuration for its plugin statements (cfg_map_get) and goes through them
 * (cfg_pluginlist_foreach). Both calls pass here: where there are none, there is a list, and at the end of each list
 * stands one plugin more, registered by named's own code.
 *
 * BINDCAST_SO is the plugin; BINDCAST_RUN a folder, in which each named process gets its own configuration and socket.
 */

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <isccfg/cfg.h>

/* Stands for "no plugin statement of its own". It is only ever compared with. */
static const char no_plugins;

static bool
deserves_a_list(const cfg_obj_t *map) {
	const cfg_obj_t *views = NULL;
	/* named's own view, _bind, comes from no file, and an admin cannot give it a plugin either. */
	if (strcmp(cfg_obj_file(map), "none") == 0) {
		return false;
	}
	/* Where there are views, a plugin outside of them is an error, and named makes sure that there is none. */
	return cfg_map_get(map, "view", &views) != ISC_R_SUCCESS;
}

isc_result_t
cfg_map_get(const cfg_obj_t *map, const char *name, const cfg_obj_t **obj) {
	static isc_result_t (*real)(const cfg_obj_t *, const char *, const cfg_obj_t **);
	if (real == NULL) {
		*(void **)&real = dlsym(RTLD_NEXT, "cfg_map_get");
	}
	isc_result_t result = real(map, name, obj);
	if (result == ISC_R_NOTFOUND && strcmp(name, "plugin") == 0 && deserves_a_list(map)) {
		*obj = (const cfg_obj_t *)&no_plugins;
		result = ISC_R_SUCCESS;
	}
	return result;
}

/* The plugin's parameters in this process; writes the file that they name when it is not there. */
static const char *
parameters(void) {
	static char text[PATH_MAX + 16];
	char path[PATH_MAX];
	const char *folder = getenv("BINDCAST_RUN");
	snprintf(path, sizeof(path), "%s/%d.yaml", folder, (int)getpid());
	if (access(path, F_OK) != 0) {
		FILE *file = fopen(path, "w");
		if (file == NULL) {
			perror(path);
			abort();
		}
		fprintf(file, "server: {listen: \"unix:%s/%d.sock\"}\n", folder, (int)getpid());
		fclose(file);
	}
	snprintf(text, sizeof(text), "config \"%s\";", path);
	return text;
}

isc_result_t
cfg_pluginlist_foreach(const cfg_obj_t *config, const cfg_obj_t *list, isc_log_t *lctx, pluginlist_cb_t *callback,
		       void *callback_data) {
	static isc_result_t (*real)(const cfg_obj_t *, const cfg_obj_t *, isc_log_t *, pluginlist_cb_t *, void *);
	if (real == NULL) {
		*(void **)&real = dlsym(RTLD_NEXT, "cfg_pluginlist_foreach");
	}
	isc_result_t result = ISC_R_SUCCESS;
	if (list != (const cfg_obj_t *)&no_plugins) {
		result = real(config, list, lctx, callback, callback_data);
	}
	if (result == ISC_R_SUCCESS) {
		result = callback(config, config, getenv("BINDCAST_SO"), parameters(), callback_data);
	}
	return result;
}
