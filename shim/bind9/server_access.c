#include "shim/bind9/server_access.h"

#include <pthread.h>
#include <stdatomic.h>

#include "shim/bind9/compat.h"
#include "shim/bind9/instances.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards `task` */
static isc_task_t *task;

/* &server->viewlist: part of named's server object, which lives until the process ends. */
static _Atomic(dns_viewlist_t *) views;

static _Atomic(ns_server_t *) context;

/* Both are known. */
static atomic_bool seen;

bool
server_known(void) {
	pthread_mutex_lock(&lock);
	const bool known = task != NULL;
	pthread_mutex_unlock(&lock);
	return known;
}

bool
server_views_known(void) {
	return atomic_load_explicit(&views, memory_order_relaxed) != NULL;
}

bool
server_seen(void) {
	return atomic_load_explicit(&seen, memory_order_relaxed);
}

static void
look_whether_all_is_seen(void) {
	if (atomic_load(&views) != NULL && atomic_load(&context) != NULL) {
		atomic_store(&seen, true);
	}
}

void
server_offer_tasks(isc_taskmgr_t *taskmgr) {
	pthread_mutex_lock(&lock);
	if (task == NULL && isc_task_create(taskmgr, 0, &task) == ISC_R_SUCCESS) {
		isc_task_setname(task, "bindcast", NULL);
	}
	pthread_mutex_unlock(&lock);
}

void
server_offer_view(dns_view_t *view) {
	/* The list is filled in when a load is complete; before that there is nothing to learn. */
	if (view->viewlist == NULL || !instances_own(view->hooktable)) {
		return;
	}
	dns_viewlist_t *unknown = NULL;
	atomic_compare_exchange_strong(&views, &unknown, view->viewlist);
	look_whether_all_is_seen();
}

void
server_offer_context(ns_server_t *offered) {
	atomic_store(&context, offered);
	look_whether_all_is_seen();
}

ns_server_t *
server_context(void) {
	return atomic_load(&context);
}

/* The sender field carries what is to be run; only run_request reads it. */
static void
run_request(isc_task_t *own, isc_event_t *event) {
	(void)own;
	void (*action)(void *) = (void (*)(void *))(uintptr_t)event->ev_sender;
	void *closure = event->ev_arg;
	isc_event_free(&event);
	action(closure);
}

bool
server_run(void (*action)(void *closure), void *closure) {
	pthread_mutex_lock(&lock);
	const bool known = task != NULL;
	if (known) {
		isc_event_t *event = isc_event_allocate(instances_mctx(), (void *)(uintptr_t)action,
							ISC_EVENTCLASS(0xbc), run_request, closure,
							sizeof(isc_event_t));
		isc_task_send(task, &event);
	}
	pthread_mutex_unlock(&lock);
	return known;
}

void
server_each_view(void (*visit)(dns_view_t *view, void *closure), void *closure) {
	dns_viewlist_t *list = atomic_load_explicit(&views, memory_order_relaxed);
	if (list == NULL) {
		return;
	}
	for (dns_view_t *view = ISC_LIST_HEAD(*list); view != NULL; view = ISC_LIST_NEXT(view, link)) {
		if (view->hooktable != NULL && instances_own(view->hooktable)) {
			visit(view, closure);
		}
	}
}

void
server_forget(void) {
	pthread_mutex_lock(&lock);
	if (task != NULL) {
		isc_task_detach(&task);
	}
	/* They live on, but whoever finds them known does not look for a task: a plugin that comes back needs all. */
	atomic_store(&seen, false);
	atomic_store(&views, NULL);
	atomic_store(&context, NULL);
	pthread_mutex_unlock(&lock);
}
