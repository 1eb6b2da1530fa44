#include "shim/bind9/zone_table.h"

#include <stdlib.h>
#include <string.h>

/* Label lengths are below 64, so folding them as if they were letters does no harm. */
static unsigned char
fold(unsigned char c) {
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

/* FNV-1a. Zone names are the administrator's, so nobody gains by making them collide. */
static uint32_t
hash_of(const struct zone_key *key) {
	uint32_t hash = 2166136261u;
	for (const char *c = key->view; *c != '\0'; ++c) {
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	}
	hash = (hash ^ (key->redirect ? 0xffu : 0xfeu)) * 16777619u;
	for (size_t i = 0; i < key->origin_length; ++i) {
		hash = (hash ^ fold(key->origin[i])) * 16777619u;
	}
	return hash;
}

static bool
same_key(const struct zone_key *a, const struct zone_key *b) {
	if (a->redirect != b->redirect || a->origin_length != b->origin_length || strcmp(a->view, b->view) != 0) {
		return false;
	}
	for (size_t i = 0; i < a->origin_length; ++i) {
		if (fold(a->origin[i]) != fold(b->origin[i])) {
			return false;
		}
	}
	return true;
}

struct zone_entry *
zone_table_find(const struct zone_table *table, const struct zone_key *key) {
	if (table->bucket_count == 0) {
		return NULL;
	}
	const uint32_t hash = hash_of(key);
	struct zone_entry *entry = table->buckets[hash & (table->bucket_count - 1)];
	while (entry != NULL && (entry->hash != hash || !same_key(&entry->key, key))) {
		entry = entry->next;
	}
	return entry;
}

static bool
grow(struct zone_table *table) {
	const size_t larger = table->bucket_count == 0 ? 64 : table->bucket_count * 2;
	struct zone_entry **buckets = calloc(larger, sizeof(struct zone_entry *));
	if (buckets == NULL) {
		return false;
	}
	for (size_t i = 0; i < table->bucket_count; ++i) {
		while (table->buckets[i] != NULL) {
			struct zone_entry *entry = table->buckets[i];
			table->buckets[i] = entry->next;
			entry->next = buckets[entry->hash & (larger - 1)];
			buckets[entry->hash & (larger - 1)] = entry;
		}
	}
	free(table->buckets);
	table->buckets = buckets;
	table->bucket_count = larger;
	return true;
}

struct zone_entry *
zone_table_add(struct zone_table *table, const struct zone_key *key) {
	if (table->count >= table->bucket_count && !grow(table)) {
		return NULL;
	}
	dns_name_t origin;
	/* dns_name_fromregion only reads, though isc_region_t has no const. */
	isc_region_t region = { .base = (unsigned char *)(uintptr_t)key->origin, .length = key->origin_length };
	char name[DNS_NAME_FORMATSIZE];
	dns_name_init(&origin, NULL);
	dns_name_fromregion(&origin, &region);
	dns_name_format(&origin, name, sizeof(name));

	const size_t view_bytes = strlen(key->view) + 1, name_bytes = strlen(name) + 1;
	struct zone_entry *entry = malloc(sizeof(*entry) + view_bytes + name_bytes + key->origin_length);
	if (entry == NULL) {
		return NULL;
	}
	memset(entry, 0, sizeof(*entry));
	char *view_copy = entry->texts, *origin_copy = view_copy + view_bytes + name_bytes;
	entry->name = view_copy + view_bytes;
	memcpy(view_copy, key->view, view_bytes);
	memcpy(entry->name, name, name_bytes);
	memcpy(origin_copy, key->origin, key->origin_length);
	entry->key = *key;
	entry->key.view = view_copy;
	entry->key.origin = (const unsigned char *)origin_copy;
	entry->hash = hash_of(key);
	struct zone_entry **bucket = &table->buckets[entry->hash & (table->bucket_count - 1)];
	entry->next = *bucket;
	*bucket = entry;
	++table->count;
	return entry;
}

void
zone_table_filter(struct zone_table *table, bool (*keep)(struct zone_entry *entry, void *closure), void *closure) {
	for (size_t i = 0; i < table->bucket_count; ++i) {
		struct zone_entry **at = &table->buckets[i];
		while (*at != NULL) {
			struct zone_entry *entry = *at;
			if (keep(entry, closure)) {
				at = &entry->next;
			} else {
				*at = entry->next;
				--table->count;
				free(entry);
			}
		}
	}
}

void
zone_table_free(struct zone_table *table) {
	free(table->buckets);
	*table = (struct zone_table){ 0 };
}
