/*
** The operating system as an environment, with its calls replaced by ones that are interrupted, do less than was
** asked, or fail: what was interrupted goes on, what failed is reported, and no descriptor is left open.
*/
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

#include "../backends/folder.h"
#include "../backends/testing.h"

typedef enum System {
  SYSTEM_NONE, SYSTEM_OPEN, SYSTEM_CLOSE, SYSTEM_PREAD, SYSTEM_PWRITE, SYSTEM_READ, SYSTEM_FSYNC, SYSTEM_FTRUNCATE,
  SYSTEM_STAT, SYSTEM_FSTAT, SYSTEM_RENAME, SYSTEM_UNLINK, SYSTEM_REALPATH, SYSTEM_LOCK, SYSTEM_KILL, SYSTEM_FCHOWN,
  SYSTEM_FCHMOD, SYSTEM_DUP
} System;

static struct {
  System which;
  int failure;    /* errno value */
  int times;      /* so many calls of that kind fail, after `after` good ones */
  int after;
  size_t most;    /* so many bytes are transferred at most; 0: no limit */
  int calls;      /* of that kind */
  int open_files;
} faults;

static bool fails(System which) {
  if (faults.which != which) return false;
  faults.calls++;
  if (faults.calls <= faults.after || faults.calls > faults.after + faults.times) return false;
  errno = faults.failure;
  return true;
}

static size_t limited(size_t size) {
  return faults.most > 0 && size > faults.most ? faults.most : size;
}

static int faulty_open(const char *path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  unsigned mode = (flags & O_CREAT) != 0 ? va_arg(args, unsigned) : 0;
  va_end(args);
  if (fails(SYSTEM_OPEN)) return -1;
  int fd = open(path, flags, mode);
  if (fd >= 0) faults.open_files++;
  return fd;
}

/* As on Linux: whatever it answers, the descriptor is gone. */
static int faulty_close(int fd) {
  assert_int_equal(close(fd), 0);
  faults.open_files--;
  return fails(SYSTEM_CLOSE) ? -1 : 0;
}

static ssize_t faulty_pread(int fd, void *bytes, size_t size, off_t at) {
  return fails(SYSTEM_PREAD) ? -1 : pread(fd, bytes, limited(size), at);
}

static ssize_t faulty_pwrite(int fd, const void *bytes, size_t size, off_t at) {
  if (fails(SYSTEM_PWRITE)) return faults.failure == 0 ? 0 : -1;
  return pwrite(fd, bytes, limited(size), at);
}

static ssize_t faulty_read(int fd, void *bytes, size_t size) {
  if (fails(SYSTEM_READ)) return faults.failure == 0 ? 0 : -1;
  return read(fd, bytes, limited(size));
}

static int faulty_fsync(int fd) {
  return fails(SYSTEM_FSYNC) ? -1 : fsync(fd);
}

static int faulty_ftruncate(int fd, off_t length) {
  return fails(SYSTEM_FTRUNCATE) ? -1 : ftruncate(fd, length);
}

static int faulty_stat(const char *path, struct stat *st) {
  return fails(SYSTEM_STAT) ? -1 : stat(path, st);
}

static int faulty_fstat(int fd, struct stat *st) {
  return fails(SYSTEM_FSTAT) ? -1 : fstat(fd, st);
}

static int faulty_fchown(int fd, uid_t user, gid_t group) {
  return fails(SYSTEM_FCHOWN) ? -1 : fchown(fd, user, group);
}

static int faulty_fchmod(int fd, mode_t mode) {
  return fails(SYSTEM_FCHMOD) ? -1 : fchmod(fd, mode);
}

static int faulty_rename(const char *from, const char *to) {
  return fails(SYSTEM_RENAME) ? -1 : rename(from, to);
}

static int faulty_unlink(const char *path) {
  return fails(SYSTEM_UNLINK) ? -1 : unlink(path);
}

static char *faulty_realpath(const char *path, char *out) {
  return fails(SYSTEM_REALPATH) ? NULL : realpath(path, out);
}

static int faulty_kill(pid_t process, int number) {
  return fails(SYSTEM_KILL) ? -1 : kill(process, number);
}

static int faulty_fcntl(int fd, int command, intptr_t argument) {
  if (command != F_DUPFD_CLOEXEC) return fails(SYSTEM_LOCK) ? -1 : fcntl(fd, command, (struct flock *)argument);
  if (fails(SYSTEM_DUP)) return -1;
  int copy = fcntl(fd, command, (int)argument);
  if (copy >= 0) faults.open_files++;
  return copy;
}
#define fcntl(fd, command, argument) faulty_fcntl(fd, command, (intptr_t)(argument))
#ifndef F_OFD_SETLK
static int faulty_flock(int fd, int operation) {
  return fails(SYSTEM_LOCK) ? -1 : flock(fd, operation);
}
#define flock(fd, operation) faulty_flock(fd, operation)
#endif

/* The file once more, over these calls. Names without parentheses behind them, as in the environment's table, stay. */
#define open(...) faulty_open(__VA_ARGS__)
#define close(fd) faulty_close(fd)
#define pread(fd, bytes, size, at) faulty_pread(fd, bytes, size, at)
#define pwrite(fd, bytes, size, at) faulty_pwrite(fd, bytes, size, at)
#define read(fd, bytes, size) faulty_read(fd, bytes, size)
#define fsync(fd) faulty_fsync(fd)
#define ftruncate(fd, length) faulty_ftruncate(fd, length)
#define stat(path, st) faulty_stat(path, st)
#define fstat(fd, st) faulty_fstat(fd, st)
#define fchown(fd, user, group) faulty_fchown(fd, user, group)
#define fchmod(fd, mode) faulty_fchmod(fd, mode)
#define rename(from, to) faulty_rename(from, to)
#define unlink(path) faulty_unlink(path)
#define realpath(path, out) faulty_realpath(path, out)
#define kill(process, number) faulty_kill(process, number)
#include "../../backends/file/environment.c"
#undef open
#undef close
#undef pread
#undef pwrite
#undef read
#undef fsync
#undef ftruncate
#undef stat
#undef fstat
#undef fchown
#undef fchmod
#undef rename
#undef unlink
#undef realpath
#undef kill
#undef fcntl
#undef flock

static const hearth_environment *const sys = &hearth_system_environment;
static char place[512], name[600], other[600];

static void forget(void) {
  memset(&faults, 0, sizeof faults);
}

/* The next `times` calls fail. */
static void fault(System which, int failure, int times) {
  int open_files = faults.open_files;
  forget();
  faults.open_files = open_files;
  faults.which = which;
  faults.failure = failure;
  faults.times = times;
}

static int set_up(void **state) {
  (void)state;
  forget();
  folder_make(place, sizeof place);
  (void)snprintf(name, sizeof name, "%s/file", place);
  (void)snprintf(other, sizeof other, "%s/other", place);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  folder_remove(place);
  return faults.open_files;
}

/* A new file with these bytes, open. */
static hearth_file make(const char *bytes) {
  hearth_file file = -1;
  assert_int_equal(sys->open(NULL, name, HEARTH_FILE_WRITE | HEARTH_FILE_EXCLUSIVE, &file), 0);
  assert_int_equal(sys->pwrite(NULL, file, 0, bytes, strlen(bytes)), 0);
  return file;
}

static void holds(hearth_file file, const char *bytes) {
  char found[64];
  size_t got;
  assert_int_equal(sys->pread(NULL, file, 0, found, sizeof found, &got), 0);
  assert_int_equal(got, strlen(bytes));
  assert_memory_equal(found, bytes, got);
}

typedef int (*Call)(hearth_file file);

static int call_open(hearth_file file) {
  hearth_file again = -1;
  (void)file;
  int failure = sys->open(NULL, name, 0, &again);
  return failure != 0 ? failure : sys->close(NULL, again);
}

static int call_pread(hearth_file file) {
  char bytes[8];
  size_t got;
  int failure = sys->pread(NULL, file, 1, bytes, sizeof bytes, &got);
  if (failure == 0) assert_true(got == 5 && memcmp(bytes, "ytes!", 5) == 0);
  return failure;
}

static int call_pwrite(hearth_file file) {
  int failure = sys->pwrite(NULL, file, 1, "ytes!", 5);
  if (failure == 0) holds(file, "bytes!");
  return failure;
}

static int call_sync(hearth_file file) {
  return sys->sync(NULL, file);
}

static int call_sync_folder(hearth_file file) {
  (void)file;
  return sys->sync_folder(NULL, place);
}

static int call_truncate(hearth_file file) {
  int failure = sys->truncate(NULL, file, 6);
  holds(file, "bytes!");
  return failure;
}

static int call_stat(hearth_file file) {
  hearth_file_info info;
  (void)file;
  int failure = sys->stat(NULL, name, &info);
  if (failure == 0) assert_true(info.length == 6 && info.regular && !info.folder);
  return failure;
}

static int call_file_stat(hearth_file file) {
  hearth_file_info info;
  int failure = sys->file_stat(NULL, file, &info);
  if (failure == 0) assert_true(info.length == 6 && info.regular && !info.folder);
  return failure;
}

static int call_rename(hearth_file file) {
  (void)file;
  int failure = sys->rename(NULL, name, other);
  return failure != 0 ? failure : sys->rename(NULL, other, name);
}

static int call_unlink(hearth_file file) {
  (void)file;
  return sys->unlink(NULL, name);
}

static int call_realpath(hearth_file file) {
  char out[700];
  (void)file;
  int failure = sys->realpath(NULL, name, out, sizeof out);
  if (failure == 0) assert_string_equal(strrchr(out, '/'), "/file");
  return failure;
}

static int call_lock(hearth_file file) {
  int failure = sys->lock(NULL, file);
  return failure != 0 ? failure : sys->unlock(NULL, file);
}

static int call_like(hearth_file file) {
  return sys->like(NULL, file, file);
}

static int call_random(hearth_file file) {
  unsigned char bytes[64] = {0}, zeros[64] = {0};
  (void)file;
  int failure = sys->random(NULL, bytes, sizeof bytes);
  if (failure == 0) assert_true(memcmp(bytes + 56, zeros, 8) != 0); /* they came to the end */
  return failure;
}

static const struct {
  const char *name;
  System which; /* the system's call that it makes */
  Call call;
  bool again; /* after EINTR */
} calls[] = {
    {"open", SYSTEM_OPEN, call_open, true},
    {"pread", SYSTEM_PREAD, call_pread, true},
    {"pwrite", SYSTEM_PWRITE, call_pwrite, true},
    {"sync", SYSTEM_FSYNC, call_sync, true},
    {"sync_folder: open", SYSTEM_OPEN, call_sync_folder, true},
    {"sync_folder", SYSTEM_FSYNC, call_sync_folder, true},
    {"truncate", SYSTEM_FTRUNCATE, call_truncate, true},
    {"stat", SYSTEM_STAT, call_stat, true},
    {"file_stat", SYSTEM_FSTAT, call_file_stat, true},
    {"rename", SYSTEM_RENAME, call_rename, false}, /* it may have happened */
    {"unlink", SYSTEM_UNLINK, call_unlink, false},
    {"realpath", SYSTEM_REALPATH, call_realpath, true},
    {"lock", SYSTEM_LOCK, call_lock, true},
    {"like", SYSTEM_FSTAT, call_like, true},
    {"random: open", SYSTEM_OPEN, call_random, true},
    {"random", SYSTEM_READ, call_random, true},
};

static void expect(size_t i, int found, int expected) {
  if (found != expected) fail_msg("%s: %s instead of %s", calls[i].name, strerror(found), strerror(expected));
}

static void what_is_interrupted_goes_on(void **state) {
  (void)state;
  hearth_file file = make("bytes!");
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    fault(calls[i].which, EINTR, 3);
    expect(i, calls[i].call(file), calls[i].again ? 0 : EINTR);
    assert_true(faults.calls >= (calls[i].again ? 4 : 1)); /* they did strike */
  }
  forget();
  faults.open_files = 1;
  assert_int_equal(sys->close(NULL, file), 0);
}

static void what_fails_is_reported(void **state) {
  static const int failures[] = {EIO, ENOSPC, EDQUOT, EFBIG, EACCES, ENOMEM, EROFS, ENAMETOOLONG};
  (void)state;
  hearth_file file = make("bytes!");
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
    for (size_t k = 0; k < sizeof failures / sizeof *failures; k++) {
      if (calls[i].which == SYSTEM_LOCK && failures[k] == EACCES) continue; /* somebody else's lock */
      fault(calls[i].which, failures[k], 1);
      expect(i, calls[i].call(file), failures[k]);
      assert_int_equal(faults.calls, 1); /* and not tried again: a second sync would say that all is well */
      assert_int_equal(faults.open_files, 1);
    }
  assert_int_equal(sys->close(NULL, file), 0);
}

static void less_than_was_asked_is_not_the_end(void **state) {
  (void)state;
  hearth_file file = make("");
  for (size_t most = 1; most < 9; most++) {
    fault(SYSTEM_PWRITE, EINTR, 1);
    faults.most = most;
    faults.after = 1;
    assert_int_equal(sys->pwrite(NULL, file, 0, "0123456789", 10), 0);
    assert_true(faults.calls > (int)(10 / most));
    fault(SYSTEM_PREAD, EINTR, 1);
    faults.most = most;
    faults.after = 1;
    holds(file, "0123456789");
    fault(SYSTEM_READ, EINTR, 1);
    faults.most = most;
    faults.after = 1;
    assert_int_equal(call_random(file), 0);
    assert_true(faults.calls > (int)(64 / most));
  }
  assert_int_equal(sys->close(NULL, file), 0);
}

/* A write that stops half-way is a failure, and what it had written is there. */
static void a_short_write_that_then_fails(void **state) {
  static const int failures[] = {EIO, ENOSPC, 0 /* the system writes nothing and gives no reason */};
  (void)state;
  for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
    hearth_file file = make("");
    fault(SYSTEM_PWRITE, failures[i], 1);
    faults.most = 4;
    faults.after = 1;
    assert_int_equal(sys->pwrite(NULL, file, 0, "0123456789", 10), failures[i] != 0 ? failures[i] : EIO);
    assert_int_equal(faults.calls, 2);
    fault(SYSTEM_NONE, 0, 0);
    holds(file, "0123");
    assert_int_equal(sys->close(NULL, file), 0);
    assert_int_equal(sys->unlink(NULL, name), 0);
  }
  fault(SYSTEM_READ, 0, 1); /* the end of what has none */
  assert_int_equal(call_random(-1), EIO);
}

/* What came before a failure is no answer. */
static void a_short_read_that_then_fails(void **state) {
  (void)state;
  char bytes[10];
  size_t got;
  hearth_file file = make("0123456789");
  fault(SYSTEM_PREAD, EIO, 1);
  faults.most = 4;
  faults.after = 1;
  assert_int_equal(sys->pread(NULL, file, 0, bytes, sizeof bytes, &got), EIO);
  fault(SYSTEM_READ, EIO, 1);
  faults.most = 4;
  faults.after = 1;
  assert_int_equal(call_random(file), EIO);
  assert_int_equal(sys->close(NULL, file), 0);
}

static void a_file_is_closed_once(void **state) {
  static const struct {
    int failure, answer;
  } cases[] = {{0, 0}, {EINTR, 0}, {EIO, EIO}, {ENOSPC, ENOSPC}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    hearth_file file = make("");
    fault(SYSTEM_CLOSE, cases[i].failure, cases[i].failure != 0);
    assert_int_equal(sys->close(NULL, file), cases[i].answer);
    assert_int_equal(faults.calls, 1);
    assert_int_equal(faults.open_files, 0);
    fault(SYSTEM_NONE, 0, 0);
    assert_int_equal(sys->unlink(NULL, name), 0);
  }
}

/* With standard input closed, its number goes to no file; where there is no other, none is made. */
static void a_file_is_no_standard_stream(void **state) {
  (void)state;
  int input = dup(STDIN_FILENO);
  assert_true(input < 0 || close(STDIN_FILENO) == 0);
  hearth_file file = -1;
  int made = sys->open(NULL, name, HEARTH_FILE_WRITE | HEARTH_FILE_EXCLUSIVE, &file);
  hearth_file_info info;
  fault(SYSTEM_DUP, EMFILE, 1);
  hearth_file none = -1;
  int refused = sys->open(NULL, other, HEARTH_FILE_WRITE | HEARTH_FILE_EXCLUSIVE, &none);
  int there = sys->stat(NULL, other, &info);
  if (input >= 0) { /* told when it is back */
    (void)dup2(input, STDIN_FILENO);
    (void)close(input);
  }
  assert_int_equal(made, 0);
  assert_true(file > STDERR_FILENO);
  assert_int_equal(refused, EMFILE);
  assert_int_equal(there, ENOENT);
  assert_int_equal(sys->close(NULL, file), 0);
}

/* What the system says of locks, in the words of the contract. */
static void locks(void **state) {
  static const struct {
    int failure, answer;
  } cases[] = {{EAGAIN, EAGAIN}, {EACCES, EAGAIN}, {EINVAL, ENOTSUP}, {ENOLCK, ENOTSUP}, {ENOSYS, ENOTSUP},
               {EOPNOTSUPP, ENOTSUP}, {EIO, EIO}};
  (void)state;
  hearth_file file = make("");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    fault(SYSTEM_LOCK, cases[i].failure, 1);
    assert_int_equal(sys->lock(NULL, file), cases[i].answer);
    fault(SYSTEM_LOCK, cases[i].failure, 1);
    assert_int_equal(sys->unlock(NULL, file), cases[i].answer);
  }
  assert_int_equal(sys->close(NULL, file), 0);
}

/* The owner, then the group alone; where not even that can be given, its members get what all others had, too. */
static void permissions(void **state) {
  static const struct {
    mode_t model;
    int refused; /* calls */
    mode_t mode;
  } cases[] = {{0640, 0, 0640}, {0640, 1, 0640}, {0640, 2, 0600}, {0664, 2, 0644}, {0646, 2, 0644}, {0606, 2, 0600},
               {0444, 2, 0444}, {04755, 0, 0755}};
  (void)state;
  hearth_file model = make(""), file = -1;
  struct stat st;
  int wrong = 0; /* told when everything is closed */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(fchmod((int)model, cases[i].model), 0);
    fault(SYSTEM_NONE, 0, 0);
    assert_int_equal(sys->open(NULL, other, HEARTH_FILE_WRITE | HEARTH_FILE_EXCLUSIVE | HEARTH_FILE_PRIVATE, &file), 0);
    assert_true(fstat((int)file, &st) == 0 && (st.st_mode & 0777) == 0600);
    fault(SYSTEM_FCHOWN, EPERM, cases[i].refused);
    assert_int_equal(sys->like(NULL, file, model), 0);
    assert_true(fstat((int)file, &st) == 0);
    if ((st.st_mode & 07777) != cases[i].mode) wrong = (int)i + 1;
    fault(SYSTEM_FCHMOD, EPERM, 1); /* a file system that has none */
    assert_int_equal(sys->like(NULL, file, model), 0);
    assert_int_equal(sys->unlink(NULL, other), 0);
    assert_int_equal(sys->close(NULL, file), 0);
  }
  assert_int_equal(sys->close(NULL, model), 0);
  assert_int_equal(wrong, 0);
}

static void what_may_be_missing(void **state) {
  char boot[HEARTH_BOOT_SIZE], short_name[4];
  (void)state;
  fault(SYSTEM_FSYNC, EINVAL, 1); /* a file system that keeps its names without being asked */
  assert_int_equal(sys->sync_folder(NULL, place), 0);
  fault(SYSTEM_OPEN, ENOENT, 1);
  assert_int_equal(sys->boot(NULL, boot), 0);
  assert_string_equal(boot, "unknown");
  fault(SYSTEM_READ, EIO, 1);
  assert_int_equal(sys->boot(NULL, boot), 0);
  assert_int_equal(sys->realpath(NULL, place, short_name, sizeof short_name), ENAMETOOLONG);
}

/* A child that runs another program does not keep the store's files open, nor its lock. */
static void no_file_is_inherited(void **state) {
  static const unsigned flags[] = {HEARTH_FILE_WRITE | HEARTH_FILE_EXCLUSIVE, HEARTH_FILE_WRITE, 0};
  (void)state;
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    hearth_file file = -1;
    assert_int_equal(sys->open(NULL, name, flags[i], &file), 0);
    int kept = fcntl((int)file, F_GETFD);
    assert_int_equal(sys->close(NULL, file), 0);
    assert_true((kept & FD_CLOEXEC) != 0);
  }
}

/* Whom we may not ask is there: another user's process. */
static void who_is_alive(void **state) {
  (void)state;
  assert_true(sys->alive(NULL, sys->process(NULL)));
  assert_false(sys->alive(NULL, 0));
  assert_false(sys->alive(NULL, (uint64_t)INT_MAX + 1));
  fault(SYSTEM_KILL, EPERM, 1);
  assert_true(sys->alive(NULL, 12));
  fault(SYSTEM_KILL, ESRCH, 1);
  assert_false(sys->alive(NULL, 12));
}

#define in_folder(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      in_folder(what_is_interrupted_goes_on),
      in_folder(what_fails_is_reported),
      in_folder(less_than_was_asked_is_not_the_end),
      in_folder(a_short_write_that_then_fails),
      in_folder(a_short_read_that_then_fails),
      in_folder(a_file_is_closed_once),
      in_folder(a_file_is_no_standard_stream),
      in_folder(locks),
      in_folder(permissions),
      in_folder(what_may_be_missing),
      in_folder(no_file_is_inherited),
      in_folder(who_is_alive),
  };
  return cmocka_run_group_tests_name("environment", tests, NULL, NULL);
}
