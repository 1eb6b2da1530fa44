#include "shim/bind9/zone_content.h"

struct close_event {
	ISC_EVENT_COMMON(struct close_event);
	struct zone_content content;
	dns_dbversion_t *newer; /* open too */
};

bool
zone_content_attach_other(dns_zone_t *zone, const struct zone_content *held, struct zone_content *out) {
	*out = (struct zone_content){ 0 };
	if (dns_zone_getdb(zone, &out->db) != ISC_R_SUCCESS) {
		return held->db != NULL;
	}
	dns_db_currentversion(out->db, &out->version);
	if (out->db == held->db && out->version == held->version) {
		/* Whoever holds it holds it on, so these are not the last references. */
		dns_db_closeversion(out->db, &out->version, false);
		dns_db_detach(&out->db);
		return false;
	}
	/* Only a managed zone has a task. */
	if (dns_zone_getmgr(zone) != NULL) {
		dns_zone_gettask(zone, &out->task);
	}
	isc_mem_attach(dns_zone_getmctx(zone), &out->mctx);
	return true;
}

static void
close_now(struct zone_content *content) {
	dns_db_closeversion(content->db, &content->version, false);
	dns_db_detach(&content->db);
	if (content->task != NULL) {
		isc_task_detach(&content->task);
	}
	isc_mem_detach(&content->mctx);
}

static void
close_on_task(isc_task_t *task, isc_event_t *event) {
	(void)task;
	struct zone_content content = ((struct close_event *)event)->content;
	dns_dbversion_t *newer = ((struct close_event *)event)->newer;
	isc_event_free(&event);
	dns_db_closeversion(content.db, &newer, false);
	close_now(&content);
}

void
zone_content_release(struct zone_content *content) {
	if (content->db == NULL) {
		return;
	}
	dns_dbversion_t *current = NULL;
	dns_db_currentversion(content->db, &current);
	if (content->task == NULL || current == content->version) {
		/* The database itself still holds its current version, so closing that one more does nothing. */
		dns_db_closeversion(content->db, &current, false);
		close_now(content);
		return;
	}
	isc_event_t *event = isc_event_allocate(content->mctx, NULL, ISC_EVENTCLASS(0xbc) + 1, close_on_task, NULL,
						sizeof(struct close_event));
	/* Asking for the current version opened it, and it may have been superseded since: it is closed there too. */
	((struct close_event *)event)->content = *content;
	((struct close_event *)event)->newer = current;
	isc_task_t *task = content->task;
	*content = (struct zone_content){ 0 };
	isc_task_send(task, &event);
}
