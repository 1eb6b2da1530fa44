/* named.conf as named understood it, as text. */
#pragma once

#include <stddef.h>

/*
 * The whole parsed configuration in named.conf's grammar, with key material replaced by question marks (BIND's
 * CFG_PRINTER_XKEY). The caller frees it; NULL without memory. Server task thread: `cfg` is a cfg_obj_t that lives for
 * the call only.
 */
char *
configuration_text(const void *cfg, size_t *length);
