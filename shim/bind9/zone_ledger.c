#include "shim/bind9/zone_ledger.h"

#include <string.h>

#include "shim/bind9/monotonic.h"
#include "shim/bind9/zone_attention.h"
#include "shim/bind9/zone_diff.h"
#include "shim/bind9/zone_files.h"

static void
happened(const struct zone_ledger *ledger, enum bindcast_zone_happening what, const struct zone_entry *entry,
	 const char *cause) {
	struct bindcast_zone zone = BINDCAST_INIT(zone);
	zone.zone = entry->name;
	zone.view = entry->key.view;
	zone.zone_type = entry->type;
	zone.cause = cause;
	zone.policy_zone = entry->policy_zone;
	zone.has_serial = entry->has_serial;
	zone.serial = entry->serial;
	bindcast_zone_happened(ledger->runtime, what, &zone);
}

/* The entry lets go of what it held and takes what the sight holds. */
static void
take_content(struct zone_entry *entry, struct zone_sight *sight, bool has_serial, uint32_t serial) {
	zone_content_release(&entry->content);
	entry->content = sight->content;
	sight->content = (struct zone_content){ 0 };
	entry->has_serial = has_serial;
	entry->serial = serial;
}

static bool
read_serial(const struct zone_sight *sight, uint32_t *serial) {
	*serial = 0;
	return (dns_db_iszone(sight->content.db) || dns_db_isstub(sight->content.db)) &&
	       dns_db_getsoaserial(sight->content.db, sight->content.version, serial) == ISC_R_SUCCESS;
}

static struct zone_entry *
meet_zone(struct zone_ledger *ledger, const struct zone_sight *sight, uint64_t sweep) {
	const struct zone_key key = { .view = sight->view,
				      .origin = sight->origin,
				      .origin_length = sight->origin_length,
				      .redirect = sight->redirect };
	struct zone_entry *entry = zone_table_add(&ledger->table, &key);
	if (entry == NULL) {
		return NULL; /* memory is short: the next sweep meets it again */
	}
	entry->seen = sweep;
	entry->type = sight->type;
	entry->policy_zone = sight->policy_zone;
	entry->automatic = sight->automatic;
	entry->ignored = bindcast_zone_ignored(ledger->runtime, entry->name);
	entry->adopt = entry->automatic && ledger->builtin_changed;
	if (!ledger->swept) {
		entry->load_cause = "startup";
	} else {
		const bool by_config = ledger->reload.under_way || ledger->views_replaced;
		entry->load_cause = sight->added ? "addzone" : by_config ? "config" : "unknown";
		if (!entry->ignored && !entry->adopt) {
			happened(ledger, BINDCAST_ZONE_CREATED, entry, entry->load_cause);
		}
	}
	return entry;
}

static void
zone_loaded(const struct zone_ledger *ledger, struct zone_entry *entry, struct zone_sight *sight, bool has_serial,
	    uint32_t serial) {
	const char *cause = entry->load_cause;
	if (cause == NULL || (sight->transferred && strcmp(cause, "startup") != 0)) {
		cause = sight->transferred ? "transfer" : "reload";
	}
	take_content(entry, sight, has_serial, serial);
	if (!entry->adopt) {
		happened(ledger, BINDCAST_ZONE_LOADED, entry, cause);
	}
	entry->adopt = false;
	entry->load_cause = NULL;
}

static void
zone_unloaded(const struct zone_ledger *ledger, struct zone_entry *entry, const struct zone_sight *sight) {
	zone_content_release(&entry->content);
	if (sight->expired) {
		happened(ledger, BINDCAST_ZONE_EXPIRED, entry, "transfer");
	}
}

static void
zone_differs(const struct zone_ledger *ledger, struct zone_entry *entry, struct zone_sight *sight, bool has_serial,
	     uint32_t serial) {
	const bool swapped = entry->content.db != sight->content.db;
	/* Not the sweep's: a glance may see what a reload did before a sweep has begun after it. */
	const struct zone_reload reload = ledger->last_reload();
	/* A reload loads each zone once; the next time it is the administrator again. */
	const bool by_reload = swapped && !sight->transferred && reload.under_way &&
			       entry->reloaded_at_ms != reload.since_ms;
	if (by_reload) {
		entry->reloaded_at_ms = reload.since_ms;
	}
	/*
	 * An update that changes nothing makes a new version all the same. Whatever does change a record of a database
	 * changes its serial too.
	 */
	if (swapped || !has_serial || !entry->has_serial || serial != entry->serial) {
		struct bindcast_zone zone = BINDCAST_INIT(zone);
		zone.zone = entry->name;
		zone.view = entry->key.view;
		zone.zone_type = entry->type;
		zone.policy_zone = entry->policy_zone;
		const struct zone_diff diff = { .runtime = ledger->runtime,
						.zone = &zone,
						.transferred = sight->transferred,
						.old_db = entry->content.db,
						.new_db = sight->content.db,
						.old_version = entry->content.version,
						.new_version = sight->content.version,
						.has_serials = has_serial && entry->has_serial,
						.old_serial = entry->serial,
						.new_serial = serial,
						.journal = sight->journal,
						.mctx = sight->content.mctx,
						.correlation = by_reload ? reload.correlation : NULL,
						.private_type = sight->private_type,
						.dnssec_records = ledger->options.dnssec_records,
						.stop = ledger->stop };
		zone_diff(&diff);
	}
	take_content(entry, sight, has_serial, serial);
}

void
zone_ledger_compare(struct zone_ledger *ledger, struct zone_sight *sight, uint64_t sweep) {
	struct zone_entry *entry = sight->entry;
	if (entry == NULL) {
		entry = meet_zone(ledger, sight, sweep);
	}
	if (entry == NULL || entry->ignored) {
		return;
	}
	zone_files_watch(entry, sight->file, sight->journal);
	zone_attention_changed(entry, monotonic_ns() / 1000000);
	if (sight->content.db == NULL) {
		if (entry->content.db != NULL) {
			zone_unloaded(ledger, entry, sight);
		}
		return;
	}
	uint32_t serial;
	const bool has_serial = read_serial(sight, &serial);
	if (entry->content.db == NULL) {
		zone_loaded(ledger, entry, sight, has_serial, serial);
	} else {
		zone_differs(ledger, entry, sight, has_serial, serial);
	}
}

/* ── Zones that are gone ───────────────────────────────────────────────────────────────────────────────────────── */

/* Of an entry that goes, or is not watched any more. */
static void
let_go(struct zone_entry *entry) {
	zone_files_forget(entry);
	zone_attention_forget(entry);
	zone_content_release(&entry->content);
}

struct unseen {
	const struct zone_ledger *ledger;
	uint64_t sweep;
};

static bool
keep_if_seen(struct zone_entry *entry, void *closure) {
	const struct unseen *unseen = closure;
	const struct zone_ledger *ledger = unseen->ledger;
	if (entry->seen == unseen->sweep) {
		return true;
	}
	const bool hidden = entry->ignored || (entry->automatic && ledger->builtin_changed);
	let_go(entry);
	if (!hidden && !atomic_load_explicit(ledger->stop, memory_order_relaxed)) {
		happened(ledger, BINDCAST_ZONE_DELETED, entry,
			 ledger->reload.noted || ledger->views_replaced ? "config" : "delzone");
	}
	return false;
}

void
zone_ledger_drop_unseen(struct zone_ledger *ledger, uint64_t sweep) {
	struct unseen unseen = { .ledger = ledger, .sweep = sweep };
	zone_table_filter(&ledger->table, keep_if_seen, &unseen);
}

static bool
ask_again_whether_ignored(struct zone_entry *entry, void *closure) {
	const struct zone_ledger *ledger = closure;
	const bool ignored = bindcast_zone_ignored(ledger->runtime, entry->name);
	if (ignored && !entry->ignored) {
		let_go(entry);
	}
	entry->adopt = entry->adopt || (entry->ignored && !ignored);
	entry->ignored = ignored;
	return true;
}

void
zone_ledger_ignore_anew(struct zone_ledger *ledger) {
	zone_table_filter(&ledger->table, ask_again_whether_ignored, ledger);
}

static bool
keep_none(struct zone_entry *entry, void *closure) {
	(void)closure;
	let_go(entry);
	return false;
}

void
zone_ledger_free(struct zone_ledger *ledger) {
	zone_table_filter(&ledger->table, keep_none, NULL);
	zone_table_free(&ledger->table);
}
