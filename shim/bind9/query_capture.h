/*
 * Captures every finished request of a view: a stamp when the query begins (hook NS_QUERY_SETUP), and a record when the
 * request ends, whatever its answer was, by wrapping the public `cleanup` pointer of the client, which
 * ns_client_endrequest calls once before the view is let go. Errors, refusals and drops never reach named's later hooks;
 * they do reach this.
 *
 * Path of a query: no lock, no allocation but a thread's first time, no system call but two clock reads.
 */
#pragma once

#include "shim/bind9/compat.h"
#include "shim/bindcast.h"

/* Adds the hooks. `runtime` must outlive the view. Server task thread. */
void
query_capture_install(ns_hooktable_t *hooktable, isc_mem_t *mctx, bindcast_runtime *runtime);

/* The name of the question that view_probe.h asks; it is no event. Wire form. */
extern const uint8_t query_capture_probe_name[];
extern const size_t query_capture_probe_length;

/* Forgets the producers: their runtime ends. No request of ours is under way any more. */
void
query_capture_forget(void);
