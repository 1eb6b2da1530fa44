#include "shim/bind9/running_version.h"

#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "shim/bind9/bind_log.h"

static const char kLibrary[] = "libdns-";

static int
find_libdns(struct dl_phdr_info *info, size_t size, void *closure) {
	(void)size;
	const char *file = strrchr(info->dlpi_name, '/');
	file = file == NULL ? info->dlpi_name : file + 1;
	if (strncmp(file, kLibrary, sizeof(kLibrary) - 1) != 0) {
		return 0;
	}
	const char *version = file + sizeof(kLibrary) - 1;
	const char *end = strstr(version, ".so");
	const size_t length = end == NULL ? strlen(version) : (size_t)(end - version);
	snprintf(closure, 128, "%.*s", (int)length, version);
	return 1;
}

const char *
built_version(void) {
	return BINDCAST_BUILT_FOR;
}

const char *
running_version(void) {
	static char version[128];
	if (version[0] == '\0' && dl_iterate_phdr(find_libdns, version) == 0) {
		snprintf(version, sizeof(version), "unknown");
	}
	return version;
}

bool
running_version_matches(void) {
	return strcmp(running_version(), built_version()) == 0;
}

static bool
running_is(const char *branch) {
	return strncmp(running_version(), branch, strlen(branch)) == 0;
}

int
running_plugin_api(void) {
	if (running_is("9.18.")) {
		return 1;
	}
	if (running_is("9.20.")) {
		return 2;
	}
	return running_is("9.21.") ? 4 : 1;
}

void
log_in_any_version(isc_log_t *lctx, const char *format, ...) {
	char line[512];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* Up to 9.20 the sixth parameter is the log context; later versions have no log context at all. */
	if (running_is("9.18.") || running_is("9.20.")) {
		bind_log(lctx, BINDCAST_LOG_ERROR, line);
	} else {
		fprintf(stderr, "bindcast: %s\n", line);
		syslog(LOG_DAEMON | LOG_ERR, "bindcast: %s", line);
	}
}
