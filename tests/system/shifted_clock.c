/*
 * Preloaded into named: a wall clock that the test sets. CLOCK_REALTIME has no namespace, and to set the machine's own
 * would hit everything else on it. The file named by SHIFTED_CLOCK holds one int64: nanoseconds to add.
 *
 * Waits for a moment on the wall clock are shifted back, because the kernel has only its own.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t* offset_ns;

__attribute__((constructor)) static void begin(void) {
  const char* path = getenv("SHIFTED_CLOCK");
  const int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return;
  }
  void* shared = mmap(NULL, sizeof(*offset_ns), PROT_READ, MAP_SHARED, fd, 0);
  if (shared != MAP_FAILED) {
    offset_ns = shared;
  }
  close(fd);
}

static void shift(struct timespec* t, int sign) {
  if (offset_ns != NULL) {
    const int64_t ns = t->tv_sec * INT64_C(1000000000) + t->tv_nsec + sign * *offset_ns;
    t->tv_sec = ns / INT64_C(1000000000);
    t->tv_nsec = ns % INT64_C(1000000000);
  }
}

int clock_gettime(clockid_t clock, struct timespec* t) {
  const int result = (int)syscall(SYS_clock_gettime, clock, t);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    shift(t, 1);
  }
  return result;
}

int gettimeofday(struct timeval* restrict t, void* restrict zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  *t = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t* t) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (t != NULL) {
    *t = now.tv_sec;
  }
  return now.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t* restrict condition, pthread_mutex_t* restrict mutex,
                           const struct timespec* restrict until) {
  static int (*original)(pthread_cond_t*, pthread_mutex_t*, const struct timespec*);
  if (original == NULL) {
    original =
        (int (*)(pthread_cond_t*, pthread_mutex_t*, const struct timespec*))dlsym(RTLD_NEXT, "pthread_cond_timedwait");
  }
  struct timespec shifted = *until;
  /* The clock is a property of the condition; a moment after 2001 is one on the wall clock. */
  if (shifted.tv_sec > 1000000000) {
    shift(&shifted, -1);
  }
  return original(condition, mutex, &shifted);
}
