// Loaded before a process' libraries (LD_PRELOAD): bends its wall clock, and lets its disk fail.
//
// HOMEPORT_BEND is a file of six 64-bit integers, which the test maps too:
//   clock_offset  nanoseconds that the wall clock is off; the monotonic clock is left alone
//   fail          0: nothing, 1: reads, 2: writes, 3: syncs
//   after         so many such calls succeed before one fails with EIO
//   sticky        not 0: all that follow fail as well, until `fail` is 0 again
//   failed        how many have failed
//   calls         how many have been looked at
// Calls are those on files below HOMEPORT_BEND_FOLDER.
//
// Where a thread waits until a point of the wall clock, the point is the bent clock's. A wait that
// is under way when the clock is bent goes on as it began.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { kNothing, kReads, kWrites, kSyncs };
struct Control {
  _Atomic int64_t clock_offset, fail, after, sticky, failed, calls;
};

static struct Control no_control;
static struct Control* control = &no_control;
static char folder[4096];

static void* Real(void** known, const char* name) {
  if (*known == NULL) *known = dlsym(RTLD_NEXT, name);
  return *known;
}
#define REAL(name) ((__typeof__(real_##name))Real((void**)&real_##name, #name))
#define DECLARE_REAL(type, name, ...) static type (*real_##name)(__VA_ARGS__)

static long (*real_syscall)(long, long, long, long, long, long, long);
DECLARE_REAL(int, clock_gettime, clockid_t, struct timespec*);

__attribute__((constructor)) static void Begin(void) {
  const char* const path = getenv("HOMEPORT_BEND");
  const char* const below = getenv("HOMEPORT_BEND_FOLDER");
  if (path == NULL || below == NULL) return;
  if (realpath(below, folder) == NULL) snprintf(folder, sizeof(folder), "%s", below);
  const int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) abort();
  void* const at = mmap(NULL, sizeof(struct Control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (at == MAP_FAILED) abort();
  close(file);
  control = at;
}

static struct timespec Shifted(struct timespec t, int64_t by) {
  const int64_t ns = t.tv_nsec + by % 1000000000;
  t.tv_sec += by / 1000000000;
  t.tv_nsec = ns;
  if (ns < 0) {
    t.tv_nsec = ns + 1000000000;
    --t.tv_sec;
  } else if (ns >= 1000000000) {
    t.tv_nsec = ns - 1000000000;
    ++t.tv_sec;
  }
  return t;
}

// What the kernel calls a point of the bent clock. One that is long past stays so.
static struct timespec Unbent(struct timespec t) {
  t = Shifted(t, -control->clock_offset);
  if (t.tv_sec < 0) t = (struct timespec){0, 0};
  return t;
}

// The clock

int clock_gettime(clockid_t clock, struct timespec* out) {
  const int code = REAL(clock_gettime)(clock, out);
  if (code == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    *out = Shifted(*out, control->clock_offset);
  }
  return code;
}

int gettimeofday(struct timeval* out, void* zone) {
  (void)zone;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}

int timespec_get(struct timespec* out, int base) {
  return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, out) == 0 ? base : 0;
}

DECLARE_REAL(int, pthread_cond_timedwait, pthread_cond_t*, pthread_mutex_t*,
             const struct timespec*);
int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           const struct timespec* until) {
  // glibc's own flag of a condition that waits by the monotonic clock.
  const int monotonic = condition->__data.__wrefs & 2;
  const struct timespec at = monotonic ? *until : Unbent(*until);
  return REAL(pthread_cond_timedwait)(condition, mutex, &at);
}

DECLARE_REAL(int, pthread_cond_clockwait, pthread_cond_t*, pthread_mutex_t*, clockid_t,
             const struct timespec*);
int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const struct timespec* until) {
  const struct timespec at = clock == CLOCK_REALTIME ? Unbent(*until) : *until;
  return REAL(pthread_cond_clockwait)(condition, mutex, clock, &at);
}

// Abseil's mutex waits with a futex of its own.
long syscall(long number, ...) {
  __builtin_va_list arguments;
  __builtin_va_start(arguments, number);
  long a[6];
  for (int i = 0; i < 6; ++i) a[i] = __builtin_va_arg(arguments, long);
  __builtin_va_end(arguments);
  struct timespec at;
  if (number == SYS_futex && (a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET &&
      (a[1] & FUTEX_CLOCK_REALTIME) != 0 && a[3] != 0 && control->clock_offset != 0) {
    at = Unbent(*(const struct timespec*)a[3]);
    a[3] = (long)&at;
  }
  return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

// The disk

static int Fails(int kind, int file) {
  if (control->fail != kind) return 0;
  char link[32];
  char path[4096];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
  const ssize_t size = readlink(link, path, sizeof(path) - 1);
  if (size < 0) return 0;
  path[size] = '\0';
  if (strncmp(path, folder, strlen(folder)) != 0) return 0;
  ++control->calls;
  if (control->after-- > 0) return 0;
  if (!control->sticky) control->fail = kNothing;
  ++control->failed;
  errno = EIO;
  return 1;
}

#define FAILING(type, name, kind, file, parameters, arguments) \
  static type(*real_##name) parameters;                        \
  type name parameters { return Fails(kind, file) ? (type)-1 : REAL(name) arguments; }

FAILING(ssize_t, read, kReads, file, (int file, void* to, size_t size), (file, to, size))
FAILING(ssize_t, pread, kReads, file, (int file, void* to, size_t size, off_t at),
        (file, to, size, at))
FAILING(ssize_t, pread64, kReads, file, (int file, void* to, size_t size, off64_t at),
        (file, to, size, at))
FAILING(ssize_t, write, kWrites, file, (int file, const void* from, size_t size),
        (file, from, size))
FAILING(ssize_t, pwrite, kWrites, file, (int file, const void* from, size_t size, off_t at),
        (file, from, size, at))
FAILING(ssize_t, pwrite64, kWrites, file, (int file, const void* from, size_t size, off64_t at),
        (file, from, size, at))
FAILING(int, fsync, kSyncs, file, (int file), (file))
FAILING(int, fdatasync, kSyncs, file, (int file), (file))
FAILING(int, sync_file_range, kSyncs, file, (int file, off64_t at, off64_t size, unsigned flags),
        (file, at, size, flags))

// What RocksDB reads its logs and its manifest with.
static size_t (*real_fread_unlocked)(void*, size_t, size_t, FILE*);
#undef fread_unlocked
size_t fread_unlocked(void* to, size_t size, size_t count, FILE* stream) {
  if (Fails(kReads, fileno(stream))) {
    stream->_flags |= 0x20;  // glibc's _IO_ERR_SEEN, which ferror() tells
    return 0;
  }
  return REAL(fread_unlocked)(to, size, count, stream);
}
