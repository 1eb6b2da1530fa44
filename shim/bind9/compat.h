/*
 * What differs between BIND versions, in one place; every BIND header that the shim needs comes in here.
 *
 * Built for 9.18 (plugin API 1). BIND's structures move inside one branch too, so a build serves exactly the version it
 * was made with: running_version.h checks that before anything here is used.
 */
#pragma once

#include <ns/client.h>
#include <ns/hooks.h>
#include <ns/query.h>
#include <ns/server.h>

#include <dns/db.h>
#include <dns/dyndb.h>
#include <dns/message.h>
#include <dns/name.h>
#include <dns/rdataset.h>
#include <dns/rpz.h>
#include <dns/view.h>
#include <dns/zone.h>
#include <dns/zt.h>

#include <isc/log.h>
#include <isc/mem.h>
#include <isc/netaddr.h>
#include <isc/netmgr.h>
#include <isc/os.h>
#include <isc/result.h>
#include <isc/sockaddr.h>
#include <isc/task.h>

#include <isccfg/cfg.h>

#if NS_PLUGIN_VERSION != 1
#error "this shim is written for BIND 9.18 (plugin API version 1)"
#endif
