// Preloaded into a server, adds an offset to its wall clock: the nanoseconds at the beginning of the file that
// STEPPED_CLOCK names. It neither allocates nor locks, so that allocators may ask for the time too.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t zero = 0;
static const volatile int64_t *offset = 0;

static int64_t ahead(void) {
  if (offset == 0) {
    const char *path = getenv("STEPPED_CLOCK");
    long file = path == 0 ? -1 : syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    void *found = file < 0 ? MAP_FAILED : mmap(0, sizeof *offset, PROT_READ, MAP_SHARED, (int)file, 0);
    if (file >= 0) syscall(SYS_close, file);
    offset = found == MAP_FAILED ? &zero : found;
  }
  return *offset;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  int result = (int)syscall(SYS_clock_gettime, clock, at);
  if (result != 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return result;
  int64_t sum = (int64_t)at->tv_sec * 1000000000 + at->tv_nsec + ahead();
  at->tv_sec = sum / 1000000000;
  at->tv_nsec = sum % 1000000000;
  return 0;
}

int gettimeofday(struct timeval *at, void *zone) {
  struct timespec now;
  (void)zone;
  if (at == 0) return 0;
  int result = clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return result;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at != 0) *at = now.tv_sec;
  return now.tv_sec;
}
