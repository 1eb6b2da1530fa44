/*
 * Preloaded into named by test_faults_memory.py: allocations of the plugin's loop thread fail when the test says so.
 * Only those that the plugin's own code makes, or libraries that it calls (by where malloc was called from): named ends
 * when an allocation of its own fails, and so does libuv, whatever a plugin does.
 *
 * The test and this share a file, BINDCAST_FAILING_MALLOC, mapped into both.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct orders {
	_Atomic uint64_t calls;	 /* made so far */
	_Atomic uint64_t from;	 /* fail those with these numbers */
	_Atomic uint64_t before; /* but not this one and later ones */
	_Atomic uint64_t one_in; /* fail one in so many, at irregular distances; 0: none */
	_Atomic uint64_t failed; /* so far */
	_Atomic uint64_t libwebsockets; /* those of libwebsockets too */
};

static struct orders nobodys;
static struct orders *orders = &nobodys;
static __thread bool on_loop __attribute__((tls_model("initial-exec")));

struct range {
	uintptr_t from, to;
	bool libwebsockets;
};
static struct range ranges[32];
static size_t range_count;

static int
look_at(struct dl_phdr_info *info, size_t size, void *data) {
	(void)size;
	(void)data;
	static const char *const ours[] = { "/bindcast.so", "/libstdc++.so", "/libjansson.so", "/libz.so",
					    "/libwebsockets" };
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		if (strstr(info->dlpi_name, ours[i]) == NULL) {
			continue;
		}
		for (int p = 0; p < info->dlpi_phnum; p++) {
			const ElfW(Phdr) *part = &info->dlpi_phdr[p];
			if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0 && range_count < 32) {
				const uintptr_t from = info->dlpi_addr + part->p_vaddr;
				ranges[range_count++] = (struct range){ from, from + part->p_memsz, i == 4 };
			}
		}
	}
	return 0;
}

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);

static void
find_real(void) {
	real_malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
	real_calloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
	real_realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
}

__attribute__((constructor)) static void
begin(void) {
	const char *path = getenv("BINDCAST_FAILING_MALLOC");
	const int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		void *map = mmap(NULL, sizeof(struct orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map != MAP_FAILED) {
			orders = map;
		}
		close(fd);
	}
}

/* The loop thread gives itself its name first of all. */
int
pthread_setname_np(pthread_t thread, const char *name) {
	int (*real)(pthread_t, const char *) =
		(int (*)(pthread_t, const char *))dlsym(RTLD_NEXT, "pthread_setname_np");
	if (pthread_equal(thread, pthread_self()) && strcmp(name, "bindcast-loop") == 0) {
		range_count = 0;
		dl_iterate_phdr(look_at, NULL);
		on_loop = true;
	}
	return real(thread, name);
}

static bool
fails(const void *caller) {
	if (!on_loop) {
		return false;
	}
	const uintptr_t at = (uintptr_t)caller;
	for (size_t i = 0; i < range_count; i++) {
		if (at < ranges[i].from || at >= ranges[i].to) {
			continue;
		}
		if (ranges[i].libwebsockets && orders->libwebsockets == 0) {
			return false;
		}
		static uint32_t chance = 2463534242u;
		chance ^= chance << 13;
		chance ^= chance >> 17;
		chance ^= chance << 5;
		const uint64_t call = orders->calls++;
		const uint64_t one_in = orders->one_in;
		if ((call < orders->from || call >= orders->before) && (one_in == 0 || chance % one_in != 0)) {
			return false;
		}
		orders->failed++;
		errno = ENOMEM;
		return true;
	}
	return false;
}

void *
malloc(size_t size) {
	if (real_malloc == NULL) {
		find_real();
	}
	return fails(__builtin_return_address(0)) ? NULL : real_malloc(size);
}

void *
calloc(size_t count, size_t size) {
	if (real_calloc == NULL) {
		find_real();
	}
	return fails(__builtin_return_address(0)) ? NULL : real_calloc(count, size);
}

void *
realloc(void *old, size_t size) {
	if (real_realloc == NULL) {
		find_real();
	}
	return fails(__builtin_return_address(0)) ? NULL : real_realloc(old, size);
}

/*
 * C++'s operator new. jemalloc, which named is linked with, has these of its own, and they do not come by malloc. The
 * functions that libstdc++ calls when there is no memory throw what it would.
 */
static void *
new_memory(size_t size, const void *caller) {
	if (real_malloc == NULL) {
		find_real();
	}
	return fails(caller) ? NULL : real_malloc(size);
}

static void *
new_or_throw(size_t size, const void *caller) {
	void *memory = new_memory(size, caller);
	if (memory == NULL) {
		void (*no_memory)(void) = (void (*)(void))dlsym(RTLD_DEFAULT, "_ZSt17__throw_bad_allocv");
		no_memory();
	}
	return memory;
}

void *
_Znwm(size_t size) {
	return new_or_throw(size, __builtin_return_address(0));
}

void *
_Znam(size_t size) {
	return new_or_throw(size, __builtin_return_address(0));
}

void *
_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow) {
	(void)nothrow;
	return new_memory(size, __builtin_return_address(0));
}
