#include "shim/bind9/zone_files.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
	/* Who only reads a journal is not of interest, but one mask is for a whole folder. */
	folder_mask = IN_CLOSE_WRITE | IN_CLOSE_NOWRITE | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR,
	written_mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE,
	/* Of one zone_files_read, so that a flood of news does not keep the thread from looking at zones. */
	most_readings = 64,
	least_buckets = 64
};

struct folder {
	struct folder *next; /* in its bucket */
	uint32_t hash;
	uint32_t files;
	int watch; /* -1: none. Two paths to one folder share it, until either ends it and the other is renewed. */
	char path[];
};

enum file_kind {
	ZONE_FILE,
	ZONE_FILE_WITH_JOURNAL, /* beside it, named by adding ".jnl", as named does unless told otherwise */
	JOURNAL_FILE
};

struct zone_file {
	struct zone_file *next, **link; /* in its bucket, and what points at it: thousands of zones may share a file */
	struct zone_file *next_own;	/* of the same entry */
	struct zone_entry *entry;
	struct folder *folder;
	uint32_t hash;
	enum file_kind kind;
	char name[];
};

/* Two hash tables with chains; their sizes are powers of two. */
static struct {
	int descriptor; /* -1: none */
	struct folder **folders;
	size_t folder_buckets, folder_count;
	struct zone_file **files;
	size_t file_buckets, file_count;
	bool watch_ended;
} state = { .descriptor = -1 };

/* FNV-1a, as in zone_table.c: file names are the administrator's. */
static uint32_t
hash_of(uint32_t hash, const char *text, size_t length) {
	for (size_t i = 0; i < length; ++i) {
		hash = (hash ^ (unsigned char)text[i]) * 16777619u;
	}
	return hash;
}

static uint32_t
hash_of_file(int watch, const char *name, size_t length) {
	return hash_of(2166136261u ^ (uint32_t)watch, name, length);
}

struct split_path {
	const char *folder;
	size_t folder_length;
	const char *name;
};

/* named's files are relative to its working directory, which is the process's. */
static struct split_path
split(const char *path) {
	const char *slash = strrchr(path, '/');
	if (slash == NULL) {
		return (struct split_path){ .folder = ".", .folder_length = 1, .name = path };
	}
	return (struct split_path){ .folder = path,
				    .folder_length = slash == path ? 1 : (size_t)(slash - path),
				    .name = slash + 1 };
}

/* ── Folders ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool
grow_folders(void) {
	const size_t larger = state.folder_buckets == 0 ? least_buckets : state.folder_buckets * 2;
	struct folder **buckets = calloc(larger, sizeof(*buckets));
	if (buckets == NULL) {
		return false;
	}
	for (size_t i = 0; i < state.folder_buckets; ++i) {
		while (state.folders[i] != NULL) {
			struct folder *folder = state.folders[i];
			state.folders[i] = folder->next;
			folder->next = buckets[folder->hash & (larger - 1)];
			buckets[folder->hash & (larger - 1)] = folder;
		}
	}
	free(state.folders);
	state.folders = buckets;
	state.folder_buckets = larger;
	return true;
}

static bool
is_folder(const struct folder *folder, struct split_path path) {
	return strlen(folder->path) == path.folder_length && memcmp(folder->path, path.folder, path.folder_length) == 0;
}

/* NULL when memory is short. */
static struct folder *
find_or_add_folder(struct split_path path) {
	if (state.folder_count >= state.folder_buckets && !grow_folders()) {
		return NULL;
	}
	const uint32_t hash = hash_of(2166136261u, path.folder, path.folder_length);
	struct folder **bucket = &state.folders[hash & (state.folder_buckets - 1)];
	for (struct folder *at = *bucket; at != NULL; at = at->next) {
		if (at->hash == hash && is_folder(at, path)) {
			return at;
		}
	}
	struct folder *folder = malloc(sizeof(*folder) + path.folder_length + 1);
	if (folder == NULL) {
		return NULL;
	}
	*folder = (struct folder){ .next = *bucket, .hash = hash };
	memcpy(folder->path, path.folder, path.folder_length);
	folder->path[path.folder_length] = '\0';
	folder->watch = inotify_add_watch(state.descriptor, folder->path, folder_mask);
	*bucket = folder;
	++state.folder_count;
	return folder;
}

static void
remove_folder(struct folder *folder) {
	struct folder **at = &state.folders[folder->hash & (state.folder_buckets - 1)];
	while (*at != folder) {
		at = &(*at)->next;
	}
	*at = folder->next;
	--state.folder_count;
	if (folder->watch >= 0) {
		inotify_rm_watch(state.descriptor, folder->watch);
	}
	free(folder);
}

/* ── Files ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void
put(struct zone_file **buckets, size_t count, struct zone_file *file) {
	struct zone_file **bucket = &buckets[file->hash & (count - 1)];
	file->next = *bucket;
	file->link = bucket;
	if (file->next != NULL) {
		file->next->link = &file->next;
	}
	*bucket = file;
}

/* Into `larger` buckets, by what the folders' watches are now. False: memory is short, all is as it was. */
static bool
arrange_files(size_t larger) {
	struct zone_file **buckets = calloc(larger, sizeof(*buckets));
	if (buckets == NULL) {
		return false;
	}
	for (size_t i = 0; i < state.file_buckets; ++i) {
		while (state.files[i] != NULL) {
			struct zone_file *file = state.files[i];
			state.files[i] = file->next;
			file->hash = hash_of_file(file->folder->watch, file->name, strlen(file->name));
			put(buckets, larger, file);
		}
	}
	free(state.files);
	state.files = buckets;
	state.file_buckets = larger;
	return true;
}

static void
add_file(struct zone_entry *entry, const char *path, enum file_kind kind) {
	const size_t buckets = state.file_buckets == 0 ? least_buckets : state.file_buckets * 2;
	if (state.file_count >= state.file_buckets && !arrange_files(buckets)) {
		return;
	}
	const struct split_path at = split(path);
	struct folder *folder = find_or_add_folder(at);
	struct zone_file *file = folder == NULL ? NULL : malloc(sizeof(*file) + strlen(at.name) + 1);
	if (file == NULL) {
		return; /* memory is short; the full sweep sees the zone all the same */
	}
	*file = (struct zone_file){ .next_own = entry->files,
				    .entry = entry,
				    .folder = folder,
				    .hash = hash_of_file(folder->watch, at.name, strlen(at.name)),
				    .kind = kind };
	strcpy(file->name, at.name);
	put(state.files, state.file_buckets, file);
	entry->files = file;
	++folder->files;
	++state.file_count;
}

static void
remove_file(struct zone_file *file) {
	*file->link = file->next;
	if (file->next != NULL) {
		file->next->link = file->link;
	}
	--state.file_count;
	if (--file->folder->files == 0) {
		remove_folder(file->folder);
	}
	free(file);
}

/* ── What the kernel tells ─────────────────────────────────────────────────────────────────────────────────────── */

static void
tell_of(int watch, const char *name, size_t length, bool (*counts)(enum file_kind kind),
	void (*touched)(struct zone_entry *entry)) {
	const uint32_t hash = hash_of_file(watch, name, length);
	for (struct zone_file *file = state.files[hash & (state.file_buckets - 1)]; file != NULL; file = file->next) {
		if (file->hash == hash && file->folder->watch == watch && counts(file->kind) &&
		    strncmp(file->name, name, length) == 0 && file->name[length] == '\0')
		{
			touched(file->entry);
		}
	}
}

static bool
is_zone_file(enum file_kind kind) {
	return kind != JOURNAL_FILE;
}

static bool
is_journal_beside(enum file_kind kind) {
	return kind == ZONE_FILE_WITH_JOURNAL;
}

static bool
is_any(enum file_kind kind) {
	(void)kind;
	return true;
}

static void
tell(const struct inotify_event *event, void (*touched)(struct zone_entry *entry)) {
	static const char journal[] = ".jnl";
	if (event->len == 0 || state.file_buckets == 0) {
		return;
	}
	const bool written = (event->mask & written_mask) != 0;
	const size_t length = strlen(event->name), ending = sizeof(journal) - 1;
	tell_of(event->wd, event->name, length, written ? is_any : is_zone_file, touched);
	if (written && length > ending && strcmp(event->name + length - ending, journal) == 0) {
		tell_of(event->wd, event->name, length - ending, is_journal_beside, touched);
	}
}

bool
zone_files_read(void (*touched)(struct zone_entry *entry)) {
	union {
		struct inotify_event event;
		char bytes[32 * 1024];
	} buffer;
	bool whole = true;
	for (unsigned i = 0; i < most_readings && state.descriptor >= 0; ++i) {
		const ssize_t length = read(state.descriptor, buffer.bytes, sizeof(buffer.bytes));
		if (length <= 0) {
			break;
		}
		for (const char *at = buffer.bytes; at < buffer.bytes + length;) {
			const struct inotify_event *event = (const struct inotify_event *)(const void *)at;
			whole = whole && (event->mask & IN_Q_OVERFLOW) == 0;
			state.watch_ended = state.watch_ended || (event->mask & IN_IGNORED) != 0;
			tell(event, touched);
			at += sizeof(*event) + event->len;
		}
	}
	return whole;
}

/* ── For the watch ─────────────────────────────────────────────────────────────────────────────────────────────── */

bool
zone_files_start(void) {
	state.descriptor = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	return state.descriptor >= 0;
}

void
zone_files_stop(void) {
	if (state.descriptor >= 0) {
		close(state.descriptor);
	}
	for (size_t i = 0; i < state.folder_buckets; ++i) {
		while (state.folders[i] != NULL) {
			struct folder *folder = state.folders[i];
			state.folders[i] = folder->next;
			free(folder);
		}
	}
	free(state.folders);
	free(state.files);
	memset(&state, 0, sizeof(state));
	state.descriptor = -1;
}

int
zone_files_descriptor(void) {
	return state.descriptor;
}

void
zone_files_forget(struct zone_entry *entry) {
	while (entry->files != NULL) {
		struct zone_file *file = entry->files;
		entry->files = file->next_own;
		remove_file(file);
	}
}

static bool
is_file(const struct zone_file *file, const char *path) {
	const struct split_path at = split(path);
	return strcmp(file->name, at.name) == 0 && is_folder(file->folder, at);
}

/* The zone's files as this module keeps them: the journal by itself only when it is not where it usually is. */
struct own_files {
	const char *file, *journal;
	enum file_kind kind; /* of the first */
};

static struct own_files
own_files(const char *file, const char *journal) {
	struct own_files own = { .file = file, .journal = journal, .kind = ZONE_FILE };
	const size_t length = file == NULL ? 0 : strlen(file);
	if (file != NULL && journal != NULL && strncmp(journal, file, length) == 0 &&
	    strcmp(journal + length, ".jnl") == 0) {
		own.kind = ZONE_FILE_WITH_JOURNAL;
		own.journal = NULL;
	}
	return own;
}

/* Are the entry's files just these? */
static bool
has(const struct zone_entry *entry, const struct own_files *own) {
	size_t known = 0;
	for (const struct zone_file *at = entry->files; at != NULL; at = at->next_own) {
		const char *path = at->kind == JOURNAL_FILE ? own->journal : own->file;
		if (path == NULL || !is_file(at, path) || (at->kind != JOURNAL_FILE && at->kind != own->kind)) {
			return false;
		}
		++known;
	}
	return known == (size_t)(own->file != NULL) + (own->journal != NULL);
}

void
zone_files_watch(struct zone_entry *entry, const char *file, const char *journal) {
	const struct own_files own = own_files(file, journal);
	if (state.descriptor < 0 || has(entry, &own)) {
		return;
	}
	zone_files_forget(entry);
	if (own.file != NULL) {
		add_file(entry, own.file, own.kind);
	}
	if (own.journal != NULL) {
		add_file(entry, own.journal, JOURNAL_FILE);
	}
}

bool
zone_files_cover(const struct zone_entry *entry) {
	bool covered = entry->files != NULL;
	for (const struct zone_file *at = entry->files; at != NULL; at = at->next_own) {
		covered = covered && at->folder->watch >= 0;
	}
	return covered;
}

void
zone_files_renew(bool all) {
	all = all || state.watch_ended;
	state.watch_ended = false;
	bool differs = false;
	for (size_t i = 0; i < state.folder_buckets; ++i) {
		for (struct folder *folder = state.folders[i]; folder != NULL; folder = folder->next) {
			if (!all && folder->watch >= 0) {
				continue;
			}
			/* The same folder gives the same watch. One that is left behind goes with the descriptor. */
			const int watch = inotify_add_watch(state.descriptor, folder->path, folder_mask);
			differs = differs || watch != folder->watch;
			folder->watch = watch;
		}
	}
	if (differs) {
		arrange_files(state.file_buckets);
	}
}
