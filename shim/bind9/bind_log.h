/* Lines into named's own log, category general, with the prefix "bindcast: ". Any thread. */
#pragma once

#include <isc/log.h>

#include "shim/bindcast.h"

/* `closure` is the isc_log_t; the signature of bindcast_log_fn. */
void
bind_log(void *closure, enum bindcast_log_level level, const char *line);
