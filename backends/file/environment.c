/*
** The operating system as an environment: POSIX calls, repeated while they are
** interrupted or do less than was asked.
*/
#include "hearth_environment.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MOST_AT_ONCE ((size_t)1 << 30) /* some systems refuse more in one call */

/* Where a standard stream is closed its number is free, and what the program prints would go into the file. */
static int beyond_standard(int fd, hearth_file *out) {
  int beyond = fd > STDERR_FILENO ? fd : fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  int failure = beyond < 0 ? errno : 0;
  if (beyond != fd) (void)close(fd);
  if (failure == 0) *out = beyond;
  return failure;
}

static int posix_open(void *ud, const char *path, unsigned flags, hearth_file *out) {
  (void)ud;
  int mode = O_CLOEXEC | ((flags & HEARTH_FILE_WRITE) != 0 ? O_RDWR : O_RDONLY);
  if ((flags & HEARTH_FILE_EXCLUSIVE) != 0) mode |= O_CREAT | O_EXCL;
  int fd;
  do fd = open(path, mode, (flags & HEARTH_FILE_PRIVATE) != 0 ? 0600 : 0666);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return errno;
  int failure = beyond_standard(fd, out);
  if (failure != 0 && (flags & HEARTH_FILE_EXCLUSIVE) != 0) (void)unlink(path);
  return failure;
}

/* After EINTR the descriptor is gone on Linux and its like: never close twice. */
static int posix_close_file(void *ud, hearth_file file) {
  (void)ud;
  return close((int)file) != 0 && errno != EINTR ? errno : 0;
}

static int posix_pread(void *ud, hearth_file file, uint64_t offset, void *bytes, size_t size, size_t *got) {
  (void)ud;
  unsigned char *to = bytes;
  *got = 0;
  while (*got < size) {
    size_t want = size - *got < MOST_AT_ONCE ? size - *got : MOST_AT_ONCE;
    ssize_t n = pread((int)file, to + *got, want, (off_t)(offset + *got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) break;
    *got += (size_t)n;
  }
  return 0;
}

static int posix_pwrite(void *ud, hearth_file file, uint64_t offset, const void *bytes, size_t size) {
  (void)ud;
  const unsigned char *from = bytes;
  size_t done = 0;
  while (done < size) {
    size_t want = size - done < MOST_AT_ONCE ? size - done : MOST_AT_ONCE;
    ssize_t n = pwrite((int)file, from + done, want, (off_t)(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return EIO;
    done += (size_t)n;
  }
  return 0;
}

static int posix_sync(void *ud, hearth_file file) {
  (void)ud;
#ifdef F_FULLFSYNC
  /* here fsync only reaches the drive's cache; file systems that know no better answer ENOTSUP or EINVAL */
  int failed;
  do failed = fcntl((int)file, F_FULLFSYNC);
  while (failed != 0 && errno == EINTR);
  if (failed == 0) return 0;
  if (errno != ENOTSUP && errno != EINVAL && errno != ENOTTY) return errno;
#endif
  while (fsync((int)file) != 0)
    if (errno != EINTR) return errno;
  return 0;
}

static int posix_sync_folder(void *ud, const char *path) {
  int fd;
  do fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return errno;
  int failure = posix_sync(ud, fd);
  (void)close(fd);
  return failure == EINVAL ? 0 : failure; /* EINVAL: this file system keeps its names without being asked */
}

static int posix_truncate(void *ud, hearth_file file, uint64_t length) {
  (void)ud;
  while (ftruncate((int)file, (off_t)length) != 0)
    if (errno != EINTR) return errno;
  return 0;
}

static int info_from(int failed, const struct stat *st, hearth_file_info *info) {
  if (failed != 0) return errno;
  info->device = (uint64_t)st->st_dev;
  info->inode = (uint64_t)st->st_ino;
  info->length = (uint64_t)st->st_size;
  info->regular = S_ISREG(st->st_mode);
  info->folder = S_ISDIR(st->st_mode);
  return 0;
}

static int posix_stat(void *ud, const char *path, hearth_file_info *info) {
  (void)ud;
  struct stat st;
  int failed;
  do failed = stat(path, &st);
  while (failed != 0 && errno == EINTR);
  return info_from(failed, &st, info);
}

static int posix_file_stat(void *ud, hearth_file file, hearth_file_info *info) {
  (void)ud;
  struct stat st;
  int failed;
  do failed = fstat((int)file, &st);
  while (failed != 0 && errno == EINTR);
  return info_from(failed, &st, info);
}

/* Not again after EINTR, which only some network file systems answer: it may have happened. */
static int posix_rename(void *ud, const char *from, const char *to) {
  (void)ud;
  return rename(from, to) != 0 ? errno : 0;
}

static int posix_unlink(void *ud, const char *path) {
  (void)ud;
  return unlink(path) != 0 ? errno : 0;
}

static int posix_realpath(void *ud, const char *path, char *out, size_t size) {
  (void)ud;
  char *full;
  do full = realpath(path, NULL);
  while (full == NULL && errno == EINTR);
  if (full == NULL) return errno;
  size_t n = strlen(full) + 1;
  if (n <= size) memcpy(out, full, n);
  free(full);
  return n <= size ? 0 : ENAMETOOLONG;
}

/* A lock of the open file, not of the process: POSIX's own are dropped when any descriptor of the file is closed. */
static int change_lock(int fd, bool take) {
  int failed;
#ifdef F_OFD_SETLK
  struct flock lock;
  memset(&lock, 0, sizeof lock); /* l_pid must be 0 */
  lock.l_type = (short)(take ? F_WRLCK : F_UNLCK);
  lock.l_whence = SEEK_SET;
  do failed = fcntl(fd, F_OFD_SETLK, &lock);
  while (failed != 0 && errno == EINTR);
#else
  do failed = flock(fd, take ? LOCK_EX | LOCK_NB : LOCK_UN);
  while (failed != 0 && errno == EINTR);
#endif
  if (failed == 0) return 0;
  switch (errno) {
    case EACCES:
    case EAGAIN: return EAGAIN;
    case EINVAL:
    case ENOLCK:
    case ENOSYS:
    case EOPNOTSUPP: return ENOTSUP;
    default: return errno;
  }
}

static int posix_lock(void *ud, hearth_file file) {
  (void)ud;
  return change_lock((int)file, true);
}

static int posix_unlock(void *ud, hearth_file file) {
  (void)ud;
  return change_lock((int)file, false);
}

static uint64_t posix_clock(void *ud) {
  (void)ud;
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return 0;
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int read_small_file(const char *path, void *bytes, size_t size, size_t *got) {
  hearth_file file = -1;
  int failure = posix_open(NULL, path, 0, &file);
  if (failure != 0) return failure;
  /* not pread: neither /dev nor /proc promises offsets */
  unsigned char *to = bytes;
  *got = 0;
  while (*got < size) {
    ssize_t n = read((int)file, to + *got, size - *got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) failure = errno;
    if (n <= 0) break;
    *got += (size_t)n;
  }
  (void)posix_close_file(NULL, file);
  return failure;
}

static int posix_random(void *ud, void *bytes, size_t size) {
  (void)ud;
  size_t got;
  int failure = read_small_file("/dev/urandom", bytes, size, &got);
  return failure == 0 && got < size ? EIO : failure;
}

static uint64_t posix_process(void *ud) {
  (void)ud;
  return (uint64_t)getpid();
}

static int posix_boot(void *ud, char out[HEARTH_BOOT_SIZE]) {
  (void)ud;
  size_t got;
  int failure = read_small_file("/proc/sys/kernel/random/boot_id", out, HEARTH_BOOT_SIZE - 1, &got);
  if (failure != 0) { /* no such thing here: every boot has the same name, so process numbers alone decide */
    memcpy(out, "unknown", sizeof "unknown");
    return 0;
  }
  out[got] = '\0';
  out[strcspn(out, " \r\n")] = '\0';
  return 0;
}

static bool posix_alive(void *ud, uint64_t process) {
  (void)ud;
  if (process == 0 || process > INT_MAX) return false; /* 0 would mean our own group */
  return kill((pid_t)process, 0) == 0 || errno != ESRCH;
}

/* Who is in neither file's group, or in one of them alone, gets what both the group and all others had. */
static mode_t without_group(mode_t mode) {
  mode_t both = (mode >> 3) & mode & 07;
  return (mode & 0700) | both << 3 | both;
}

static int posix_like(void *ud, hearth_file file, hearth_file model) {
  (void)ud;
  struct stat st;
  int failed;
  do failed = fstat((int)model, &st);
  while (failed != 0 && errno == EINTR);
  if (failed != 0) return errno;
  mode_t mode = st.st_mode & 0777;
  if (fchown((int)file, st.st_uid, st.st_gid) != 0 && fchown((int)file, (uid_t)-1, st.st_gid) != 0)
    mode = without_group(mode);
  (void)fchmod((int)file, mode); /* a file system without permissions: it keeps those that it has for all files */
  return 0;
}

const hearth_environment hearth_system_environment = {
    .size = sizeof(hearth_environment),
    .ud = NULL,
    .open = posix_open,
    .close = posix_close_file,
    .pread = posix_pread,
    .pwrite = posix_pwrite,
    .sync = posix_sync,
    .sync_folder = posix_sync_folder,
    .truncate = posix_truncate,
    .stat = posix_stat,
    .file_stat = posix_file_stat,
    .rename = posix_rename,
    .unlink = posix_unlink,
    .realpath = posix_realpath,
    .lock = posix_lock,
    .unlock = posix_unlock,
    .clock = posix_clock,
    .random = posix_random,
    .process = posix_process,
    .boot = posix_boot,
    .alive = posix_alive,
    .like = posix_like,
};
