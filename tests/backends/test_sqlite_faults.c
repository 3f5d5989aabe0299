/*
** Every call of SQLite to its files fails once; the process dies at any of them; the power is lost. What was
** acknowledged is there, and no batch is there in part.
*/
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "folder.h"
#include "hearth_sqlite.h"
#include "scenario.h"
#include "sqlite_vfs.h"

#define BATCHES 6
#define LOSSES 60

static const hearth_backend *sqlite = &hearth_sqlite_backend;

typedef struct Place {
  char folder[512], path[600], log[620];
} Place;

static int setup(void **state) {
  Place *p = calloc(1, sizeof *p);
  folder_make(p->folder, sizeof p->folder);
  (void)snprintf(p->path, sizeof p->path, "%s/world.sqlite", p->folder);
  (void)snprintf(p->log, sizeof p->log, "%s-wal", p->path);
  vfs_install();
  *state = p;
  return 0;
}

static int teardown(void **state) {
  vfs_uninstall();
  folder_remove(((Place *)*state)->folder);
  free(*state);
  return 0;
}

static void start_again(Place *p) {
  folder_remove(p->folder);
  assert_int_equal(mkdir(p->folder, 0700), 0);
}

static hearth_status open_store(const Place *p, unsigned flags, hearth_backend_store **store, hearth_error *err) {
  hearth_backend_config config = {.size = sizeof config, .location = p->path, .flags = flags};
  return sqlite->open(&config, store, err);
}

/* The batch that the store has come to, which must have exactly its contents; 0 for a store that was never made. */
static uint64_t look(const Place *p) {
  hearth_backend_store *store;
  hearth_error err;
  hearth_status status = open_store(p, HEARTH_OPEN_NO_CREATE, &store, &err);
  if (status == HEARTH_NOTFOUND) return 0;
  if (status != HEARTH_OK) fail_msg("afterwards: %s", err.message);
  uint64_t sequence = scenario_verify(sqlite, store);
  assert_int_equal(sqlite->close(store, &err), HEARTH_OK);
  return sequence;
}

/* Opens, commits, compacts, closes: up to the first failure, the answer. *done: the last batch acknowledged. */
static hearth_status live(const Place *p, uint64_t *done, hearth_status usable, hearth_error *err) {
  hearth_backend_store *store;
  hearth_status status = open_store(p, 0, &store, err);
  if (status != HEARTH_OK) return status;
  for (uint64_t n = *done + 1; status == HEARTH_OK && n <= BATCHES; n++) {
    status = scenario_submit(sqlite, store, n, n % 2 == 0, n % 3 == 0 ? HEARTH_COMPLETE : HEARTH_DURABLE, err);
    if (status == HEARTH_OK) *done = n;
    if (status == HEARTH_OK && n == 4) status = sqlite->compact(store, 0, err);
  }
  hearth_backend_stat stat = {.size = offsetof(hearth_backend_stat, entries)};
  hearth_error ignored;
  hearth_status after = sqlite->stat(store, &stat, &ignored);
  if (status == HEARTH_IO) assert_int_equal(after, HEARTH_DEAD);
  if (status == usable) { /* nothing of it is there, and the store goes on */
    (void)vfs_struck();
    assert_int_equal(after, HEARTH_OK);
    assert_int_equal(stat.sequence, *done);
    assert_int_equal(scenario_verify(sqlite, store), *done);
  }
  hearth_status closed = sqlite->close(store, &ignored);
  if (status == HEARTH_OK && closed != HEARTH_OK) *err = ignored;
  return status == HEARTH_OK ? closed : status;
}

typedef struct Failing {
  VfsCalls which;
  int failure;
  hearth_status status; /* what the backend makes of it */
} Failing;

/* Of each kind of call, each one. */
static void every_call_fails(void **state) {
  static const Failing kinds[] = {
      {VFS_WRITES, SQLITE_IOERR_WRITE, HEARTH_IO}, {VFS_WRITES, SQLITE_FULL, HEARTH_FULL},
      {VFS_SYNCS, SQLITE_IOERR_FSYNC, HEARTH_IO},  {VFS_READS, SQLITE_IOERR_READ, HEARTH_IO},
      {VFS_READS, SQLITE_NOMEM, HEARTH_NOMEM},
  };
  Place *p = *state;
  size_t failed = 0, unnoticed = 0;
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
    for (int for_good = 0; for_good < 2; for_good++)
      for (long at = 0;; at++) {
        hearth_error err = {.code = HEARTH_OK};
        uint64_t done = 0;
        start_again(p);
        vfs_arm((VfsFault){kinds[k].which, at, kinds[k].failure, for_good != 0});
        hearth_status status = live(p, &done, kinds[k].status == HEARTH_IO ? HEARTH_FULL : kinds[k].status, &err);
        if (!vfs_struck()) {
          assert_int_equal(status, HEARTH_OK);
          break;
        }
        if (status == HEARTH_OK) unnoticed++; /* a checkpoint that is tried again, a file that is removed later */
        else failed++;
        if (status != HEARTH_OK && status != kinds[k].status)
          fail_msg("call %ld of kind %zu: %s: %s", at, k, hearth_status_name(status), err.message);
        uint64_t there = look(p);
        if (there < done || there > done + 1)
          fail_msg("call %ld of kind %zu: batch %llu is there, %llu was acknowledged", at, k, (unsigned long long)there,
                   (unsigned long long)done);
        if (status == HEARTH_FULL || status == HEARTH_NOMEM) assert_int_equal(there, done);
      }
  assert_true(failed > 100);
  printf("figure: sqlite: %zu input and output errors, each told, %zu more without harm, nothing lost\n", failed,
         unnoticed);
}

/* stat.durable says what is on the device: nothing in the log is unsynced then. */
static void durable_is_what_was_synced(void **state) {
  Place *p = *state;
  hearth_backend_store *store;
  hearth_error err;
  size_t behind = 0;
  assert_int_equal(open_store(p, 0, &store, &err), HEARTH_OK);
  for (uint64_t n = 1; n <= 200; n++) {
    const hearth_durability level = (hearth_durability)(HEARTH_VISIBLE + (int)(n * 7 % 3));
    hearth_backend_stat stat = {.size = offsetof(hearth_backend_stat, entries)};
    assert_int_equal(scenario_submit(sqlite, store, n, n % 5 == 0, level, &err), HEARTH_OK);
    if (n % 11 == 0) assert_int_equal(sqlite->barrier(store, HEARTH_DURABLE, &err), HEARTH_OK);
    assert_int_equal(sqlite->stat(store, &stat, &err), HEARTH_OK);
    assert_int_equal(stat.sequence, n);
    if (level == HEARTH_DURABLE || n % 11 == 0) assert_int_equal(stat.durable, n);
    if (stat.durable == n) assert_false(vfs_has_unsynced(p->log));
    behind += stat.durable < n;
    if (n % 50 == 0) assert_int_equal(sqlite->compact(store, 0, &err), HEARTH_OK);
  }
  assert_true(behind > 50); /* lower levels do not wait for the device */
  assert_int_equal(sqlite->close(store, &err), HEARTH_OK);
  assert_false(vfs_has_unsynced(p->path));
}

typedef struct Report {
  uint64_t acknowledged, durable;
} Report;

/* In a child that dies at a call: what it was told is written into the pipe. */
static void live_and_die(const Place *p, uint64_t after, long at, int out) {
  hearth_backend_store *store;
  hearth_error err;
  vfs_keep_synced(true);
  vfs_arm((VfsFault){VFS_ALL_CALLS, at, 0, false});
  if (open_store(p, 0, &store, &err) != HEARTH_OK) _exit(3);
  for (uint64_t n = after + 1; n <= after + BATCHES; n++) {
    hearth_backend_stat stat = {.size = offsetof(hearth_backend_stat, entries)};
    if (scenario_submit(sqlite, store, n, n % 2 == 0, n % 3 == 0 ? HEARTH_COMPLETE : HEARTH_DURABLE, &err) != HEARTH_OK)
      _exit(4);
    if (n % 4 == 0 && sqlite->compact(store, 0, &err) != HEARTH_OK) _exit(5);
    if (sqlite->stat(store, &stat, &err) != HEARTH_OK) _exit(6);
    Report report = {n, stat.durable};
    if (write(out, &report, sizeof report) != (ssize_t)sizeof report) _exit(7);
  }
  if (sqlite->close(store, &err) != HEARTH_OK) _exit(8);
  _exit(0);
}

/* One life; false: it came to its end. */
static bool die(const Place *p, uint64_t after, long at, Report *report) {
  int ends[2], how;
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    (void)close(ends[0]);
    live_and_die(p, after, at, ends[1]);
  }
  (void)close(ends[1]);
  assert_int_equal(waitpid(child, &how, 0), child);
  for (Report r; read(ends[0], &r, sizeof r) == (ssize_t)sizeof r;) *report = r;
  (void)close(ends[0]);
  if (!WIFSIGNALED(how) && WEXITSTATUS(how) != 0) fail_msg("the child ended by itself: %d", WEXITSTATUS(how));
  return WIFSIGNALED(how);
}

/* Killed at each call to a file, without and with a loss of power. */
static void killed_at_every_call(void **state) {
  Place *p = *state;
  size_t kills = 0, losses = 0;
  bool dead = true;
  for (long at = 0; dead; at++) {
    Report report = {0, 0};
    start_again(p);
    dead = die(p, 0, at, &report);
    uint64_t there = look(p);
    assert_true(there >= report.acknowledged && there <= report.acknowledged + 1);
    kills += dead;
  }
  for (unsigned i = 0; i < rounds(LOSSES); i++) {
    Report report = {0, 0};
    start_again(p);
    uint64_t after = 0;
    for (int lives = 0; lives < 3; lives++) { /* one after the other on what the last one left */
      long at = (long)(i * 7 + (unsigned)lives * 13) % (long)(kills + 20);
      report = (Report){after, after};
      (void)die(p, after, at, &report);
      vfs_power_loss(p->path, i % 4 == 0 ? 0 : i * 3 + (unsigned)lives);
      uint64_t there = look(p);
      if (there < report.durable || there > report.acknowledged + 1)
        fail_msg("loss %u of life %d: batch %llu is there, %llu was durable, %llu acknowledged", i, lives,
                 (unsigned long long)there, (unsigned long long)report.durable,
                 (unsigned long long)report.acknowledged);
      after = there;
      losses++;
    }
  }
  assert_true(kills > 50);
  printf("figure: sqlite: killed at each of %zu calls to files, and %zu simulated power losses: nothing lost\n", kills,
         losses);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(every_call_fails),
      TEST(durable_is_what_was_synced),
      TEST(killed_at_every_call),
  };
  return cmocka_run_group_tests_name("sqlite faults", tests, NULL, NULL);
}
