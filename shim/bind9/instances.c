#include "shim/bind9/instances.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards both below */
static struct instance *instances;
static isc_mem_t *named_mctx;

struct instance *
instances_add(ns_hooktable_t *hooktable, isc_mem_t *mctx, dns_view_t *view_hint) {
	struct instance *instance = malloc(sizeof(*instance));
	if (instance == NULL) {
		return NULL;
	}
	pthread_mutex_lock(&lock);
	*instance = (struct instance){
		.hooktable = hooktable, .view_hint = view_hint, .next = instances
	};
	instances = instance;
	named_mctx = mctx;
	pthread_mutex_unlock(&lock);
	return instance;
}

void
instances_set_load(struct instance *instance, unsigned load) {
	pthread_mutex_lock(&lock);
	instance->load = load;
	pthread_mutex_unlock(&lock);
}

bool
instances_remove(struct instance *instance) {
	pthread_mutex_lock(&lock);
	for (struct instance **at = &instances; *at != NULL; at = &(*at)->next) {
		if (*at == instance) {
			*at = instance->next;
			break;
		}
	}
	const bool last = instances == NULL;
	pthread_mutex_unlock(&lock);
	free(instance);
	return last;
}

unsigned
instances_load_of(const void *hooktable) {
	unsigned load = 0;
	pthread_mutex_lock(&lock);
	for (const struct instance *at = instances; at != NULL && load == 0; at = at->next) {
		load = at->hooktable == hooktable ? at->load : 0;
	}
	pthread_mutex_unlock(&lock);
	return load;
}

bool
instances_own(const void *hooktable) {
	bool found = false;
	pthread_mutex_lock(&lock);
	for (const struct instance *at = instances; at != NULL && !found; at = at->next) {
		found = at->hooktable == hooktable;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

bool
instances_of_load(unsigned load) {
	bool found = false;
	pthread_mutex_lock(&lock);
	for (const struct instance *at = instances; at != NULL && !found; at = at->next) {
		found = at->load == load;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

dns_view_t *
instances_hinted_view(void) {
	dns_view_t *view = NULL;
	pthread_mutex_lock(&lock);
	for (const struct instance *at = instances; at != NULL && view == NULL; at = at->next) {
		view = at->view_hint;
	}
	pthread_mutex_unlock(&lock);
	return view;
}

isc_mem_t *
instances_mctx(void) {
	pthread_mutex_lock(&lock);
	isc_mem_t *mctx = named_mctx;
	pthread_mutex_unlock(&lock);
	return mctx;
}
