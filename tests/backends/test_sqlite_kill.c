/*
** Real processes: a child that commits is killed at any moment, and everything that it had acknowledged is there;
** readers beside a writer see one commit or are told; a second writer is told who has the store.
*/
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "beside_writer.h"
#include "folder.h"
#include "hearth_sqlite.h"
#include "killed_store.h"
#include "scenario.h"

#define KILLS 120

static const hearth_backend *sqlite = &hearth_sqlite_backend;

typedef struct Place {
  char folder[512], path[600];
} Place;

static int setup(void **state) {
  Place *p = calloc(1, sizeof *p);
  folder_make(p->folder, sizeof p->folder);
  (void)snprintf(p->path, sizeof p->path, "%s/world.sqlite", p->folder);
  *state = p;
  return 0;
}

static int teardown(void **state) {
  folder_remove(((Place *)*state)->folder);
  free(*state);
  return 0;
}

static hearth_status open_store(const char *path, unsigned flags, hearth_backend_store **store, hearth_error *err) {
  hearth_backend_config config = {.size = sizeof config, .location = path, .flags = flags};
  return sqlite->open(&config, store, err);
}

static void live(const Life *life) {
  killed_store_live(life, sqlite, 1);
}

static void killed_at_any_moment(void **state) {
  Place *p = *state;
  Killer k;
  size_t lost = 0, kills = rounds(KILLS);
  killer_init(&k, p->path, live);
  srand(1);
  for (size_t i = 0; i < kills; i++) {
    hearth_backend_store *store;
    hearth_error err;
    killer_kill(&k, i);
    if (open_store(p->path, 0, &store, &err) != HEARTH_OK) fail_msg("after a kill: %s", err.message);
    uint64_t there = scenario_verify(sqlite, store);
    if (there < k.acknowledged) lost += (size_t)(k.acknowledged - there);
    assert_true(there <= k.acknowledged + 1); /* the one that was under way */
    k.acknowledged = there;
    assert_int_equal(sqlite->close(store, &err), HEARTH_OK);
  }
  assert_true(k.acknowledgements > kills / 4);
  killer_report(&k, "sqlite", KILLS, lost);
  killer_free(&k);
}

static void readers_beside_a_writer(void **state) {
  readers_beside_a_writer_of(sqlite, ((Place *)*state)->path);
}

/* A child that is there before this process opens the store, and waits. */
typedef struct Child {
  pid_t pid;
  int go;
} Child;

static Child child_begin(const Place *p, int (*f)(const Place *p, hearth_backend_store *s),
                         hearth_backend_store *store) {
  int ends[2];
  char go;
  assert_int_equal(pipe(ends), 0);
  Child child = {.pid = fork(), .go = ends[1]};
  assert_true(child.pid >= 0);
  if (child.pid == 0) {
    (void)close(ends[1]);
    _exit(read(ends[0], &go, 1) == 1 ? f(p, store) : 100);
  }
  (void)close(ends[0]);
  return child;
}

/* Lets it run and says with what it ended. */
static int child_end(Child child) {
  int how;
  assert_int_equal(write(child.go, "", 1), 1);
  (void)close(child.go);
  assert_int_equal(waitpid(child.pid, &how, 0), child.pid);
  assert_true(WIFEXITED(how));
  return WEXITSTATUS(how);
}

static int in_child(const Place *p, int (*f)(const Place *p, hearth_backend_store *s), hearth_backend_store *store) {
  return child_end(child_begin(p, f, store));
}

static int try_to_open(const Place *p, hearth_backend_store *ignored) {
  hearth_backend_store *store;
  hearth_error err;
  char number[32];
  (void)ignored;
  if (open_store(p->path, 0, &store, &err) != HEARTH_BUSY) return 1;
  (void)snprintf(number, sizeof number, "process %ld", (long)getppid());
  return strstr(err.message, number) != NULL ? 0 : 2;
}

static int use_the_parents(const Place *p, hearth_backend_store *store) {
  hearth_error err;
  (void)p;
  if (scenario_submit(sqlite, store, 3, false, HEARTH_DURABLE, &err) != HEARTH_DEAD) return 1;
  if (sqlite->barrier(store, HEARTH_DURABLE, &err) != HEARTH_DEAD) return 2;
  return sqlite->close(store, &err) == HEARTH_OK ? 0 : 3;
}

/* SQLite would take the parent's locks for its own. */
static int open_as_well(const Place *p, hearth_backend_store *ignored) {
  hearth_backend_store *store;
  hearth_error err;
  (void)ignored;
  if (open_store(p->path, HEARTH_OPEN_READONLY, &store, &err) != HEARTH_UNSUPPORTED) return 1;
  return strstr(err.message, "forked") != NULL ? 0 : 2;
}

static void one_writer(void **state) {
  Place *p = *state;
  hearth_backend_store *store, *second;
  hearth_error err;
  Child child = child_begin(p, try_to_open, NULL);
  assert_int_equal(open_store(p->path, 0, &store, &err), HEARTH_OK);
  assert_int_equal(scenario_submit(sqlite, store, 1, false, HEARTH_DURABLE, &err), HEARTH_OK);
  assert_int_equal(child_end(child), 0);
  assert_int_equal(in_child(p, open_as_well, NULL), 0);
  assert_int_equal(open_store(p->path, 0, &second, &err), HEARTH_BUSY);
  assert_int_equal(in_child(p, use_the_parents, store), 0);
  assert_int_equal(scenario_submit(sqlite, store, 2, false, HEARTH_DURABLE, &err), HEARTH_OK);
  assert_int_equal(scenario_verify(sqlite, store), 2);
  assert_int_equal(sqlite->close(store, &err), HEARTH_OK);
}

/* Two writers, though only one may be: who is too late loses, wholly. */
static void two_writers(void **state) {
  Place *p = *state;
  hearth_backend_store *first, *second;
  hearth_error err;
  char owner[640];
  (void)snprintf(owner, sizeof owner, "%s.owner", p->path);
  assert_int_equal(open_store(p->path, 0, &first, &err), HEARTH_OK);
  assert_int_equal(scenario_submit(sqlite, first, 1, false, HEARTH_DURABLE, &err), HEARTH_OK);
  assert_int_equal(unlink(owner), 0);
  assert_int_equal(open_store(p->path, 0, &second, &err), HEARTH_OK);
  assert_int_equal(scenario_submit(sqlite, second, 2, true, HEARTH_DURABLE, &err), HEARTH_OK);
  hearth_op op = {HEARTH_PUT, 1, "key1", 4, "of the first", 12};
  assert_int_equal(sqlite->submit(first, &op, 1, 0, HEARTH_DURABLE, NULL, &err), HEARTH_DEAD);
  assert_non_null(strstr(err.message, "another program has written a batch"));
  assert_int_equal(sqlite->submit(first, &op, 1, 0, HEARTH_DURABLE, NULL, &err), HEARTH_DEAD);
  assert_int_equal(sqlite->poll(first, &err), HEARTH_DEAD);
  assert_int_equal(sqlite->close(first, &err), HEARTH_OK);
  assert_int_equal(scenario_verify(sqlite, second), 2);
  assert_int_equal(scenario_submit(sqlite, second, 3, false, HEARTH_DURABLE, &err), HEARTH_OK);
  assert_int_equal(sqlite->close(second, &err), HEARTH_OK);
}

static int commit_and_vanish(const Place *p, hearth_backend_store *ignored) {
  hearth_backend_store *store;
  hearth_error err;
  (void)ignored;
  if (open_store(p->path, 0, &store, &err) != HEARTH_OK) return 1;
  for (uint64_t n = 1; n <= 5; n++)
    if (scenario_submit(sqlite, store, n, false, HEARTH_DURABLE, &err) != HEARTH_OK) return 2;
  return 0; /* without closing: the log stays */
}

/* A new store does not take in the log of one that had its name. */
static void the_log_of_a_store_that_is_gone(void **state) {
  Place *p = *state;
  hearth_backend_store *store;
  hearth_error err;
  hearth_backend_stat stat = {.size = sizeof stat};
  assert_int_equal(in_child(p, commit_and_vanish, NULL), 0);
  assert_int_equal(unlink(p->path), 0);
  assert_int_equal(open_store(p->path, HEARTH_OPEN_EXCLUSIVE, &store, &err), HEARTH_OK);
  assert_int_equal(sqlite->stat(store, &stat, &err), HEARTH_OK);
  assert_int_equal(stat.sequence, 0);
  assert_int_equal(stat.entries, 0);
  assert_int_equal(scenario_submit(sqlite, store, 1, false, HEARTH_DURABLE, &err), HEARTH_OK);
  assert_int_equal(sqlite->close(store, &err), HEARTH_OK);
}

/* Whoever removes the log ends the writer: what goes on into it would be lost. */
static void the_log_is_removed(void **state) {
  Place *p = *state;
  hearth_backend_store *store;
  hearth_error err;
  char log[640];
  (void)snprintf(log, sizeof log, "%s-wal", p->path);
  assert_int_equal(open_store(p->path, 0, &store, &err), HEARTH_OK);
  assert_int_equal(scenario_submit(sqlite, store, 1, false, HEARTH_DURABLE, &err), HEARTH_OK);
  assert_int_equal(unlink(log), 0);
  assert_int_equal(scenario_submit(sqlite, store, 2, false, HEARTH_DURABLE, &err), HEARTH_IO);
  assert_non_null(strstr(err.message, "removed its log"));
  assert_int_equal(scenario_submit(sqlite, store, 2, false, HEARTH_DURABLE, &err), HEARTH_DEAD);
  assert_int_equal(sqlite->close(store, &err), HEARTH_OK);
}

/* A file may grow to so many bytes and no further: a device that is full. */
static int fill_up(const Place *p, hearth_backend_store *ignored) {
  static unsigned char big[300000];
  hearth_backend_store *store;
  hearth_error err;
  const struct rlimit limit = {2000000, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
  hearth_op ops[2] = {{HEARTH_PUT, 9, "big", 3, big, sizeof big}, {HEARTH_PUT, 9, "more", 4, big, sizeof big}};
  hearth_status status = HEARTH_OK;
  uint64_t n = 2;
  (void)ignored;
  (void)signal(SIGXFSZ, SIG_IGN);
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0 || open_store(p->path, 0, &store, &err) != HEARTH_OK) return 1;
  for (; n < 100 && status == HEARTH_OK; n++) {
    ops[0].value_size = ops[1].value_size = n * 3000;
    status = sqlite->submit(store, ops, 2, n % 2 == 0 ? HEARTH_BATCH_MORE : 0, HEARTH_DURABLE, NULL, &err);
    if (status == HEARTH_OK && n % 2 == 0)
      status = sqlite->submit(store, NULL, 0, 0, HEARTH_DURABLE, NULL, &err);
  }
  if (status != HEARTH_FULL) {
    (void)fprintf(stderr, "%s\n", err.message);
    return 2;
  }
  hearth_backend_stat stat = {.size = sizeof stat};
  if (sqlite->stat(store, &stat, &err) != HEARTH_OK || stat.sequence != n - 2) return 3;
  if (stat.live_bytes < 3000 * 2) return 4;
  hearth_op drop = {HEARTH_DROP, 9, NULL, 0, NULL, 0};
  if (setrlimit(RLIMIT_FSIZE, &none) != 0) return 5;
  if (sqlite->submit(store, &drop, 1, 0, HEARTH_DURABLE, NULL, &err) != HEARTH_OK) return 6;
  if (sqlite->stat(store, &stat, &err) != HEARTH_OK || stat.sequence != n - 1) return 7;
  return sqlite->close(store, &err) == HEARTH_OK ? 0 : 8;
}

static void a_full_device(void **state) {
  Place *p = *state;
  hearth_backend_store *store;
  hearth_error err;
  assert_int_equal(open_store(p->path, 0, &store, &err), HEARTH_OK);
  assert_int_equal(scenario_submit(sqlite, store, 1, false, HEARTH_DURABLE, &err), HEARTH_OK);
  assert_int_equal(sqlite->close(store, &err), HEARTH_OK);
  assert_int_equal(in_child(p, fill_up, NULL), 0);
}

/* Not root, who may write everywhere. Another user's store can be read while its owner has it open, not where SQLite
   would have to make files of its own. */
static int read_as_nobody(const Place *p, hearth_backend_store *ignored) {
  hearth_backend_store *store;
  hearth_error err;
  (void)ignored;
  if (setgid(65534) != 0 || setuid(65534) != 0) return 9;
  if (open_store(p->path, 0, &store, &err) != HEARTH_READONLY) return 1;
  hearth_status status = open_store(p->path, HEARTH_OPEN_READONLY, &store, &err);
  if (status == HEARTH_READONLY) return strstr(err.message, "folder") != NULL ? 2 : 3;
  if (status != HEARTH_OK) return 4;
  if (scenario_verify(sqlite, store) != 1) return 5;
  return sqlite->close(store, &err) == HEARTH_OK ? 0 : 6;
}

static void a_folder_that_cannot_be_written(void **state) {
  Place *p = *state;
  hearth_backend_store *store;
  hearth_error err;
  if (getuid() != 0) skip();
  Child child = child_begin(p, read_as_nobody, NULL);
  assert_int_equal(open_store(p->path, 0, &store, &err), HEARTH_OK);
  assert_int_equal(scenario_submit(sqlite, store, 1, false, HEARTH_DURABLE, &err), HEARTH_OK);
  assert_int_equal(chmod(p->folder, 0755), 0);
  assert_int_equal(chmod(p->path, 0644), 0);
  assert_int_equal(child_end(child), 0);
  assert_int_equal(sqlite->close(store, &err), HEARTH_OK);
  assert_int_equal(in_child(p, read_as_nobody, NULL), 2);
}

enum { CANNOT_MOUNT = 77 };

/* The folder is mounted once more, read-only, where only this process sees it: everything there is as it was. */
static bool mount_readonly(const Place *p) {
  return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
         mount(p->folder, p->folder, NULL, MS_BIND, NULL) == 0 &&
         mount("none", p->folder, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0;
}

static int read_whole(const Place *p, uint64_t expected) {
  hearth_backend_store *store;
  hearth_error err;
  hearth_op op = {HEARTH_PUT, 1, "k", 1, "v", 1};
  if (open_store(p->path, HEARTH_OPEN_READONLY, &store, &err) != HEARTH_OK) return 2;
  if (scenario_verify(sqlite, store) != expected) return 3;
  if (sqlite->submit(store, &op, 1, 0, HEARTH_DURABLE, NULL, &err) != HEARTH_READONLY) return 4;
  if (sqlite->poll(store, &err) != HEARTH_OK || sqlite->refresh(store, &err) != HEARTH_OK) return 5;
  if (scenario_verify(sqlite, store) != expected) return 6;
  return sqlite->close(store, &err) == HEARTH_OK ? 0 : 7;
}

static int read_on_readonly_mount(const Place *p, hearth_backend_store *ignored) {
  hearth_backend_store *store;
  hearth_error err;
  char other[640];
  (void)ignored;
  if (!mount_readonly(p)) return CANNOT_MOUNT;
  if (open_store(p->path, 0, &store, &err) != HEARTH_READONLY) return 1; /* nothing can be written there */
  (void)snprintf(other, sizeof other, "%s.other", p->path);
  if (open_store(other, 0, &store, &err) != HEARTH_READONLY) return 8; /* nor made */
  return read_whole(p, 3);
}

/* The log has batches, and no shared memory can be made: that is said, and nothing is read without the log. */
static int refuse_the_log(const Place *p, hearth_backend_store *ignored) {
  hearth_backend_store *store;
  hearth_error err;
  (void)ignored;
  if (!mount_readonly(p)) return CANNOT_MOUNT;
  hearth_status status = open_store(p->path, HEARTH_OPEN_READONLY, &store, &err);
  if (status == HEARTH_READONLY) return strstr(err.message, "cannot write the folder") != NULL ? 0 : 1;
  return status == HEARTH_OK && scenario_verify(sqlite, store) == 4 ? 0 : 2; /* SQLite had what it needs */
}

static int read_beside_a_writer(const Place *p, hearth_backend_store *ignored) {
  (void)ignored;
  return mount_readonly(p) ? read_whole(p, 4) : CANNOT_MOUNT;
}

static int commit_the_fourth_and_vanish(const Place *p, hearth_backend_store *ignored) {
  hearth_backend_store *store;
  hearth_error err;
  (void)ignored;
  if (open_store(p->path, 0, &store, &err) != HEARTH_OK) return 1;
  return scenario_submit(sqlite, store, 4, false, HEARTH_DURABLE, &err) == HEARTH_OK ? 0 : 2;
}

static void a_mount_that_is_readonly(void **state) {
  Place *p = *state;
  char shared[640];
  hearth_backend_store *store;
  hearth_error err;
  assert_int_equal(open_store(p->path, 0, &store, &err), HEARTH_OK);
  for (uint64_t n = 1; n <= 3; n++)
    assert_int_equal(scenario_submit(sqlite, store, n, false, HEARTH_DURABLE, &err), HEARTH_OK);
  assert_int_equal(sqlite->close(store, &err), HEARTH_OK);
  int answer = in_child(p, read_on_readonly_mount, NULL);
  if (answer == CANNOT_MOUNT) { /* needs root, and a system that lets it */
    printf("skipped: this process may not mount\n");
    skip();
  }
  assert_int_equal(answer, 0);
  assert_int_equal(in_child(p, commit_the_fourth_and_vanish, NULL), 0);
  (void)snprintf(shared, sizeof shared, "%s-shm", p->path);
  (void)unlink(shared);
  assert_int_equal(in_child(p, refuse_the_log, NULL), 0);
  Child child = child_begin(p, read_beside_a_writer, NULL); /* forked before there is a store open */
  assert_int_equal(open_store(p->path, 0, &store, &err), HEARTH_OK);
  assert_int_equal(scenario_verify(sqlite, store), 4);
  assert_int_equal(child_end(child), 0);
  assert_int_equal(sqlite->close(store, &err), HEARTH_OK);
  assert_int_equal(open_store(p->path, 0, &store, &err), HEARTH_OK);
  assert_int_equal(scenario_verify(sqlite, store), 4);
  assert_int_equal(sqlite->close(store, &err), HEARTH_OK);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(killed_at_any_moment), TEST(readers_beside_a_writer), TEST(one_writer),
      TEST(the_log_of_a_store_that_is_gone), TEST(the_log_is_removed),
      TEST(two_writers),          TEST(a_full_device),           TEST(a_folder_that_cannot_be_written),
      TEST(a_mount_that_is_readonly),
  };
  return cmocka_run_group_tests_name("sqlite kill", tests, NULL, NULL);
}
