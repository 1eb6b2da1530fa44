/* What a response policy did to a request: read out of the client when the request ends. Query path. */
#pragma once

#include <stdbool.h>

#include "shim/bind9/compat.h"
#include "shim/bindcast.h"

/* False when the request was not rewritten (a passthru counts as rewritten). `out` borrows from the client. */
bool
rpz_capture(const ns_client_t *client, struct bindcast_rpz *out);
