/*
 * Which BIND is running, and is it the one that this plugin was built for?
 *
 * BIND's libraries carry the whole package version in their file name (libdns-9.18.49-1~deb12u3-Debian.so), and the
 * plugin is linked to none of them, so it loads into any version and asks here before it touches anything of BIND's.
 */
#pragma once

#include <stdbool.h>

#include <isc/log.h>

/* The version this was built for, "9.18.49-1~deb12u3-Debian". */
const char *
built_version(void);

/* The version running, or "unknown". Any thread. */
const char *
running_version(void);

bool
running_version_matches(void);

/* The plugin API number that the running named accepts, so that a mismatch is told by us and not by a failed load. */
int
running_plugin_api(void);

/*
 * One log line, through BIND's log when the running version's log functions are known, through syslog otherwise. Works
 * in every version. `lctx` is plugin_register's sixth parameter, whatever it may be.
 */
void
log_in_any_version(isc_log_t *lctx, const char *format, ...) __attribute__((format(printf, 2, 3)));
