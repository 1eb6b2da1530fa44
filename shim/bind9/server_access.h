/*
 * A way onto named's own threads: Bindcast's task, and the views it may look at.
 *
 * BIND edits views and zones in exclusive mode, which stops its own threads but not ours. So everything that walks
 * views or zones runs as an event of one task that we create in named's task manager; the rest of Bindcast only asks
 * for it here. The first sight of a view (dyndb line, or the first query) leads to the server's list of views, which
 * lives as long as the server; from then on all views are found without help. No reference to a view is ever kept.
 */
#pragma once

#include <stdbool.h>

#include <dns/types.h>
#include <isc/types.h>

#include <ns/types.h>

/* Is there a task, so that server_run can work? Any thread. */
bool
server_known(void);

/* Is the server's list of views known? One relaxed load. Any thread. */
bool
server_views_known(void);

/* Is all known that a query can show, the views and the server's context? One relaxed load. Query path. */
bool
server_seen(void);

/*
 * Makes the task in `taskmgr`, if there is none. Server task thread, or a query's thread the first time a query is seen.
 */
void
server_offer_tasks(isc_taskmgr_t *taskmgr);

/* A live view of ours, in the server's list or about to be. Task, or a query's thread the first time. */
void
server_offer_view(dns_view_t *view);

/* The server's context, which lives as long as the server. A query's thread the first time. */
void
server_offer_context(ns_server_t *context);

/* The server's context, or NULL while no query was seen. Task only; borrowed until the task's event ends. */
ns_server_t *
server_context(void);

/*
 * Runs `action(closure)` once on the task, not before any exclusive mode under way has ended. False when there is no
 * task (not known yet, or named is shutting down); the action then never runs. After server_forget the action may be
 * dropped without being run. Any thread.
 */
bool
server_run(void (*action)(void *closure), void *closure);

/* Calls `visit` for every live view whose hook table is one of ours. Task only; the view is borrowed for the call. */
void
server_each_view(void (*visit)(dns_view_t *view, void *closure), void *closure);

/* Gives the task back, and forgets the rest: all is looked for again. The last plugin_destroy. */
void
server_forget(void);
