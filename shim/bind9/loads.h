/*
 * Loads and reloads of named's configuration, as a plugin can see them.
 *
 * A load begins when the first view registers the plugin; it took when a view with a new hook table stands in the
 * server's list (asked on the task, which runs after the load's exclusive mode), or, where no task is known yet, when
 * an instance of an older load is destroyed; it failed when neither came to be and its instances are gone. A fault in
 * named.conf itself is found before any view is configured: it is seen only by the dyndb line, whose destroy function
 * named calls at the beginning of every load.
 */
#pragma once

#include <stdbool.h>

#include "shim/bind9/compat.h"
#include "shim/bindcast.h"

/*
 * A view of the load whose parsed configuration is `cfg` registers. Starts the runtime in the first load of all, later
 * ones only prepare the configuration file. False (after logging why) when the file is faulty, or differs from the one
 * that another view of the same load named. On success one reference to the runtime is the caller's. Server task
 * thread, exclusive mode.
 */
bool
load_register(const struct bindcast_host *host, const char *config_path, const void *cfg, unsigned *load,
	      bindcast_runtime **runtime);

/* An instance of `load` was destroyed, others live. Any named thread. */
void
load_instance_destroyed(unsigned load);

/* A way onto named's threads, or its views, became known: how the load under way ended can be asked now. Any thread. */
void
load_look_again(void);

/* named begins to load (dyndb_destroy). Server task thread. */
void
load_attempted(void);

/* Gives one register's reference to the runtime back; with `last`, nothing is under way any more. Any named thread. */
void
load_release(bool last);
