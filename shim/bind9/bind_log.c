#include "shim/bind9/bind_log.h"

#include <stdio.h>

/*
 * Weak, because a version of BIND without these must still be able to load the plugin: data symbols are resolved when
 * the object is loaded, functions only when they are called.
 */
#pragma weak isc_categories
#pragma weak isc_modules

void
bind_log(void *closure, enum bindcast_log_level level, const char *line) {
	static const int levels[] = { ISC_LOG_DEBUG(1), ISC_LOG_INFO, ISC_LOG_WARNING, ISC_LOG_ERROR };
	isc_log_t *lctx = closure;
	if (lctx == NULL || isc_categories == NULL || isc_modules == NULL) {
		fprintf(stderr, "bindcast: %s\n", line);
		return;
	}
	isc_log_write(lctx, ISC_LOGCATEGORY_GENERAL, ISC_LOGMODULE_OTHER, levels[level], "bindcast: %s", line);
}
