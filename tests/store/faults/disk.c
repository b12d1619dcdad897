/*
 * A disk that can be slow, full or broken. This library is preloaded into a program (LD_PRELOAD), where it replaces the
 * C library's fsync, fdatasync, write, pwrite and ftruncate. It acts only on files under one folder: MQ_DISK_FOLDER is
 * its path without symbolic links. Its settings and counters are in the file that MQ_DISK_CONTROL names, a
 * `struct control` that is mapped into memory: a test reads and changes it while the program runs.
 *
 * What does not call these functions is not affected: writev, mmap, io_uring, system calls without the C library.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "counters that processes share must do without a lock");

/* disk.ts has the same fields, in the same order. */
struct control {
  _Atomic uint64_t syncs;         /* fsync and fdatasync that have succeeded */
  _Atomic uint64_t writes;        /* write and pwrite that have succeeded */
  _Atomic uint64_t failed_syncs;  /* fsync and fdatasync that have failed, whatever the reason */
  _Atomic uint64_t failed_writes; /* write, pwrite and ftruncate that have failed, whatever the reason */
  _Atomic uint64_t sync_delay_ms; /* how long each fsync and fdatasync sleeps first, even if it then fails */
  _Atomic uint64_t sync_errno;    /* unless 0, the errno that fsync and fdatasync fail with */
  _Atomic uint64_t write_errno;   /* unless 0, the errno that write, pwrite and ftruncate fail with */
};

/* NULL until `load` has run, and if the environment does not name a control file. */
static struct control *control;

static const char *folder;
static size_t folder_length;

/* Without its control file the disk would never fail, and tests would pass for the wrong reason. */
static void give_up(const char *what) {
  perror(what);
  abort();
}

__attribute__((constructor)) static void load(void) {
  const char *path = getenv("MQ_DISK_CONTROL");
  folder = getenv("MQ_DISK_FOLDER");
  if (path == NULL || folder == NULL) return;
  folder = strdup(folder); /* The program may change its environment. */
  folder_length = strlen(folder);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) give_up(path);
  void *mapped = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) give_up(path);
  close(fd);
  control = mapped;
}

/* Whether a descriptor is of the folder, or of a file below it. Not cached: numbers of descriptors are used again. */
static bool concerns(int fd) {
  if (control == NULL) return false;
  const int before = errno;
  char link[32];
  char path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path);
  errno = before;
  if (length < 0 || (size_t)length < folder_length || memcmp(path, folder, folder_length) != 0) return false;
  return (size_t)length == folder_length || path[folder_length] == '/';
}

static void sleep_ms(uint64_t ms) {
  struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

/* Counts a call that has returned `result`, and returns that. */
static long counted(long result, _Atomic uint64_t *succeeded, _Atomic uint64_t *failed) {
  if (result >= 0 && succeeded != NULL) atomic_fetch_add(succeeded, 1);
  if (result < 0) atomic_fetch_add(failed, 1);
  return result;
}

/* Fails as a system call does. */
static long fails_with(uint64_t error) {
  errno = (int)error;
  return -1;
}

static int sync_by(long number, int fd) {
  if (!concerns(fd)) return (int)syscall(number, fd);
  sleep_ms(atomic_load(&control->sync_delay_ms));
  const uint64_t error = atomic_load(&control->sync_errno);
  const long result = error != 0 ? fails_with(error) : syscall(number, fd);
  return (int)counted(result, &control->syncs, &control->failed_syncs);
}

int fsync(int fd) {
  return sync_by(SYS_fsync, fd);
}

int fdatasync(int fd) {
  return sync_by(SYS_fdatasync, fd);
}

ssize_t write(int fd, const void *bytes, size_t count) {
  if (!concerns(fd)) return syscall(SYS_write, fd, bytes, count);
  const uint64_t error = atomic_load(&control->write_errno);
  const long result = error != 0 ? fails_with(error) : syscall(SYS_write, fd, bytes, count);
  return counted(result, &control->writes, &control->failed_writes);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
  if (!concerns(fd)) return syscall(SYS_pwrite64, fd, bytes, count, offset);
  const uint64_t error = atomic_load(&control->write_errno);
  const long result = error != 0 ? fails_with(error) : syscall(SYS_pwrite64, fd, bytes, count, offset);
  return counted(result, &control->writes, &control->failed_writes);
}

/* Not with ENOSPC: on a full disk, too, a file can be made shorter. */
int ftruncate(int fd, off_t length) {
  if (!concerns(fd)) return (int)syscall(SYS_ftruncate, fd, length);
  const uint64_t error = atomic_load(&control->write_errno);
  const long result = error != 0 && error != ENOSPC ? fails_with(error) : syscall(SYS_ftruncate, fd, length);
  return (int)counted(result, NULL, &control->failed_writes);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) __attribute__((alias("pwrite")));

int ftruncate64(int fd, off64_t length) __attribute__((alias("ftruncate")));
