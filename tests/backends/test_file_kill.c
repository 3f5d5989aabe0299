/*
** Real files and real processes: a child that commits is killed at any moment, and
** everything that it had acknowledged is there; a second process is told who has the store; readers see one commit, or
** are told.
*/
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "beside_writer.h"
#include "folder.h"
#include "hearth_environment.h"
#include "killed_store.h"
#include "scenario.h"

#define KILLS 200

static const hearth_backend *file = &hearth_file_backend;

typedef struct Place {
  char folder[512], path[600];
} Place;

static int setup(void **state) {
  Place *p = calloc(1, sizeof *p);
  folder_make(p->folder, sizeof p->folder);
  (void)snprintf(p->path, sizeof p->path, "%s/world.hearth", p->folder);
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
  return file->open(&config, store, err);
}

static void live(const Life *life) {
  killed_store_live(life, file, 4);
}

/* What killed processes left has every batch up to the one acknowledged last, and at most one more of each of them. */
static uint64_t look_after_kills(const char *path, uint64_t acknowledged, size_t processes, size_t *lost, bool all) {
  hearth_backend_store *store;
  hearth_error err;
  hearth_backend_stat stat = {.size = sizeof stat};
  if (open_store(path, 0, &store, &err) != HEARTH_OK) fail_msg("after a kill: %s", err.message);
  assert_int_equal(file->stat(store, &stat, NULL), HEARTH_OK);
  if (stat.sequence < acknowledged) *lost += (size_t)(acknowledged - stat.sequence);
  assert_true(stat.sequence <= acknowledged + processes); /* those that were under way */
  if (all) (void)scenario_verify(file, store);
  assert_int_equal(file->close(store, &err), HEARTH_OK);
  return stat.sequence;
}

/* Half of the children find what the one before left when it was killed. */
static void killed_at_any_moment(void **state) {
  Place *p = *state;
  Killer k;
  size_t lost = 0, kills = rounds(KILLS), unseen = 0;
  killer_init(&k, p->path, live);
  srand(1);
  for (size_t i = 0; i < kills; i++) {
    killer_kill(&k, i);
    unseen++;
    if (rand() % 2 == 0 && i + 1 < kills) continue;
    k.acknowledged = look_after_kills(p->path, k.acknowledged, unseen, &lost, i % 8 == 0);
    unseen = 0;
  }
  assert_true(k.acknowledgements > kills / 4);
  killer_report(&k, "file", KILLS, lost);
  killer_free(&k);
}

/* An environment in which a process dies at a call that the test chooses. */
static hearth_environment fatal;
static long calls_left;

static void dies_here(void) {
  if (calls_left-- == 0) (void)raise(SIGKILL);
}

static int fatal_open(void *ud, const char *path, unsigned flags, hearth_file *out) {
  dies_here();
  return hearth_system_environment.open(ud, path, flags, out);
}

static int fatal_close(void *ud, hearth_file f) {
  dies_here();
  return hearth_system_environment.close(ud, f);
}

/* Once before it writes, once when half is written. */
static int fatal_pwrite(void *ud, hearth_file f, uint64_t offset, const void *bytes, size_t size) {
  dies_here();
  if (calls_left == 0) (void)hearth_system_environment.pwrite(ud, f, offset, bytes, size / 2);
  dies_here();
  return hearth_system_environment.pwrite(ud, f, offset, bytes, size);
}

static int fatal_sync(void *ud, hearth_file f) {
  dies_here();
  return hearth_system_environment.sync(ud, f);
}

static int fatal_sync_folder(void *ud, const char *path) {
  dies_here();
  return hearth_system_environment.sync_folder(ud, path);
}

static int fatal_truncate(void *ud, hearth_file f, uint64_t length) {
  dies_here();
  return hearth_system_environment.truncate(ud, f, length);
}

static int fatal_rename(void *ud, const char *from, const char *to) {
  dies_here();
  return hearth_system_environment.rename(ud, from, to);
}

static int fatal_unlink(void *ud, const char *path) {
  dies_here();
  return hearth_system_environment.unlink(ud, path);
}

static int fatal_lock(void *ud, hearth_file f) {
  dies_here();
  return hearth_system_environment.lock(ud, f);
}

static void make_fatal(long calls) {
  fatal = hearth_system_environment;
  fatal.open = fatal_open;
  fatal.close = fatal_close;
  fatal.pwrite = fatal_pwrite;
  fatal.sync = fatal_sync;
  fatal.sync_folder = fatal_sync_folder;
  fatal.truncate = fatal_truncate;
  fatal.rename = fatal_rename;
  fatal.unlink = fatal_unlink;
  fatal.lock = fatal_lock;
  calls_left = calls;
}

/* One life, from open to close; the end of the process is its answer: 0 when it was not killed. */
static void live_once(const char *path, int acknowledge) {
  hearth_backend_store *store;
  hearth_error err;
  hearth_backend_stat stat = {.size = sizeof stat};
  hearth_backend_config config = {.size = sizeof config, .location = path, .environment = &fatal};
  if (file->open(&config, &store, &err) != HEARTH_OK || file->stat(store, &stat, &err) != HEARTH_OK) _exit(3);
  for (uint64_t n = stat.sequence + 1, last = stat.sequence + 6; n <= last; n++) {
    hearth_durability level = n % 3 == 0 ? HEARTH_COMPLETE : HEARTH_DURABLE;
    if (scenario_submit(file, store, n, true, level, &err) != HEARTH_OK) _exit(5);
    if (write(acknowledge, &n, sizeof n) != (ssize_t)sizeof n) _exit(6);
    if (n == last - 1 && file->compact(store, (unsigned)(n % 3), &err) != HEARTH_OK) _exit(7);
  }
  _exit(file->close(store, &err) == HEARTH_OK ? 0 : 8);
}

/* Killed at call after call, every second time in the recovery of what the kill before left, too. */
static void killed_at_every_call(void **state) {
  Place *p = *state;
  uint64_t acknowledged = 0, n;
  size_t kills = 0, acknowledgements = 0, lost = 0;
  bool ended = false;
  for (long call = 0; !ended; call++) {
    int ends[2], how;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      make_fatal(call);
      live_once(p->path, ends[1]);
    }
    (void)close(ends[1]);
    for (; read(ends[0], &n, sizeof n) == (ssize_t)sizeof n; acknowledgements++) acknowledged = n;
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &how, 0), child);
    if (WIFEXITED(how) && WEXITSTATUS(how) != 0) fail_msg("the child ended by itself: %d", WEXITSTATUS(how));
    ended = WIFEXITED(how);
    kills += !ended;
    if (call % 2 == 1 || ended) acknowledged = look_after_kills(p->path, acknowledged, 2, &lost, true);
  }
  assert_true(kills > 50);
  printf("figure: file: %zu SIGKILLs, one at each call to the system, %zu acknowledged commits, %zu lost\n", kills,
         acknowledgements, lost);
  assert_int_equal(lost, 0);
}

/* In the child: commits for ever. */
static void hold(const char *path, int to) {
  hearth_backend_store *store;
  hearth_error err;
  if (open_store(path, 0, &store, &err) != HEARTH_OK) _exit(3);
  for (uint64_t n = 1;; n++) {
    if (scenario_submit(file, store, n, false, HEARTH_DURABLE, &err) != HEARTH_OK) _exit(5);
    if (write(to, &n, sizeof n) != (ssize_t)sizeof n) _exit(6);
  }
}

static void a_second_process_is_told_who_has_it(void **state) {
  Place *p = *state;
  int ends[2], how;
  char go, expected[64];
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    hold(p->path, ends[1]);
  }
  assert_int_equal(read(ends[0], &go, 1), 1);
  hearth_backend_store *store;
  hearth_error err;
  assert_int_equal(open_store(p->path, 0, &store, &err), HEARTH_BUSY);
  (void)snprintf(expected, sizeof expected, "process %d", (int)child);
  if (strstr(err.message, expected) == NULL) fail_msg("%s", err.message);
  assert_int_equal(open_store(p->path, HEARTH_OPEN_READONLY, &store, &err), HEARTH_OK);
  assert_int_equal(file->close(store, NULL), HEARTH_OK);
  assert_int_equal(kill(child, SIGKILL), 0);
  assert_int_equal(waitpid(child, &how, 0), child);
  (void)close(ends[0]);
  (void)close(ends[1]);
  if (open_store(p->path, 0, &store, &err) != HEARTH_OK) fail_msg("%s", err.message);
  (void)scenario_verify(file, store);
  assert_int_equal(file->close(store, NULL), HEARTH_OK);
}

static void readers_beside_a_writer(void **state) {
  readers_beside_a_writer_of(file, ((Place *)*state)->path);
}

static void two_names_are_one_store(void **state) {
  Place *p = *state;
  char other[700], dotted[700], here[512], dangling[700];
  hearth_backend_store *store, *second;
  hearth_error err;
  assert_int_equal(open_store(p->path, 0, &store, &err), HEARTH_OK);
  (void)snprintf(other, sizeof other, "%s/link", p->folder);
  (void)snprintf(dotted, sizeof dotted, "%s/./../%s/world.hearth", p->folder, strrchr(p->folder, '/') + 1);
  assert_int_equal(symlink("world.hearth", other), 0);
  assert_int_equal(open_store(other, 0, &second, &err), HEARTH_BUSY);
  assert_int_equal(open_store(dotted, 0, &second, &err), HEARTH_BUSY);
  assert_non_null(getcwd(here, sizeof here));
  assert_int_equal(chdir(p->folder), 0);
  assert_int_equal(open_store("world.hearth", 0, &second, &err), HEARTH_BUSY);
  assert_int_equal(open_store("world.hearth", HEARTH_OPEN_READONLY, &second, &err), HEARTH_OK);
  assert_int_equal(file->close(second, &err), HEARTH_OK);
  assert_int_equal(open_store("fresh.hearth", 0, &second, &err), HEARTH_OK);
  assert_int_equal(chdir(here), 0);
  /* it belongs to where it was opened, whatever the working folder is now */
  assert_int_equal(scenario_submit(file, second, 1, false, HEARTH_DURABLE, &err), HEARTH_OK);
  assert_int_equal(file->close(second, &err), HEARTH_OK);
  assert_int_equal(file->close(store, &err), HEARTH_OK);
  (void)snprintf(dangling, sizeof dangling, "%s/dangling", p->folder);
  assert_int_equal(symlink("nowhere", dangling), 0);
  assert_int_equal(open_store(dangling, 0, &store, &err), HEARTH_EXISTS); /* not replaced by a file */
}

static void bad_places_are_named(void **state) {
  Place *p = *state;
  char path[700];
  hearth_backend_store *store;
  hearth_error err;
  assert_int_equal(open_store(p->folder, 0, &store, &err), HEARTH_NOTSTORE);
  assert_non_null(strstr(err.message, p->folder));
  assert_non_null(strstr(err.message, "folder"));
  (void)snprintf(path, sizeof path, "%s/none/world.hearth", p->folder);
  assert_int_equal(open_store(path, 0, &store, &err), HEARTH_NOTFOUND);
  assert_non_null(strstr(err.message, path));
  (void)snprintf(path, sizeof path, "%s/world.hearth/", p->folder);
  assert_int_equal(open_store(path, 0, &store, &err), HEARTH_NOTFOUND);
  assert_int_equal(open_store("/dev/null", 0, &store, &err), HEARTH_NOTSTORE);
  assert_int_equal(open_store("", 0, &store, &err), HEARTH_INVALID);
  assert_int_equal(open_store(NULL, 0, &store, &err), HEARTH_INVALID);
  char *longest = malloc(6000);
  memset(longest, 'x', 5999);
  longest[5999] = '\0';
  assert_int_equal(open_store(longest, 0, &store, &err), HEARTH_INVALID);
  free(longest);
  assert_int_equal(open_store(p->path, HEARTH_OPEN_NO_CREATE, &store, &err), HEARTH_NOTFOUND);
  assert_non_null(strstr(err.message, p->path));
}

/* A limit on file sizes makes the system's writes come up short. */
static void a_write_that_the_system_cuts_short(void **state) {
  Place *p = *state;
  struct rlimit old, small;
  hearth_backend_store *store;
  hearth_error err;
  static char value[200000];
  assert_int_equal(open_store(p->path, 0, &store, &err), HEARTH_OK);
  assert_int_equal(scenario_submit(file, store, 1, false, HEARTH_DURABLE, &err), HEARTH_OK);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  small = old;
  small.rlim_cur = 100000;
  (void)signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  hearth_op op = {HEARTH_PUT, 9, "k", 1, value, sizeof value};
  hearth_status status = file->submit(store, &op, 1, 0, HEARTH_DURABLE, NULL, &err);
  uint64_t sequence = scenario_verify(file, store);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  assert_int_equal(status, HEARTH_FULL);
  assert_int_equal(sequence, 1);
  assert_int_equal(file->submit(store, &op, 1, 0, HEARTH_DURABLE, NULL, &err), HEARTH_OK);
  assert_int_equal(file->close(store, &err), HEARTH_OK);
}

static void the_system_answers_as_promised(void **state) {
  Place *p = *state;
  const hearth_environment *env = &hearth_system_environment;
  char path[700], boot[HEARTH_BOOT_SIZE], again[HEARTH_BOOT_SIZE];
  hearth_file a, b;
  hearth_file_info info;
  (void)snprintf(path, sizeof path, "%s/file", p->folder);
  assert_int_equal(env->open(env->ud, path, HEARTH_FILE_WRITE, &a), ENOENT);
  assert_int_equal(env->open(env->ud, path, HEARTH_FILE_WRITE | HEARTH_FILE_EXCLUSIVE, &a), 0);
  assert_int_equal(env->open(env->ud, path, HEARTH_FILE_WRITE | HEARTH_FILE_EXCLUSIVE, &b), EEXIST);
  assert_int_equal(env->open(env->ud, path, HEARTH_FILE_WRITE, &b), 0);
  assert_int_equal(env->lock(env->ud, a), 0);
  assert_int_equal(env->lock(env->ud, b), EAGAIN);
  assert_int_equal(env->unlock(env->ud, a), 0);
  assert_int_equal(env->lock(env->ud, b), 0);
  assert_int_equal(env->lock(env->ud, a), EAGAIN);
  assert_int_equal(env->close(env->ud, b), 0);
  assert_int_equal(env->lock(env->ud, a), 0);
  size_t got;
  assert_int_equal(env->pwrite(env->ud, a, 3, "abc", 3), 0);
  assert_int_equal(env->pread(env->ud, a, 2, boot, 60, &got), 0);
  assert_int_equal(got, 4);
  assert_memory_equal(boot, "\0abc", 4);
  assert_int_equal(env->truncate(env->ud, a, 4), 0);
  assert_int_equal(env->file_stat(env->ud, a, &info), 0);
  assert_true(info.length == 4 && info.regular && !info.folder);
  assert_int_equal(env->sync(env->ud, a), 0);
  assert_int_equal(env->sync_folder(env->ud, p->folder), 0);
  assert_int_equal(env->stat(env->ud, p->folder, &info), 0);
  assert_true(info.folder && !info.regular);
  assert_int_equal(env->close(env->ud, a), 0);
  assert_int_equal(env->boot(env->ud, boot), 0);
  assert_int_equal(env->boot(env->ud, again), 0);
  assert_string_equal(boot, again);
  assert_true(strlen(boot) > 0);
  assert_true(env->alive(env->ud, env->process(env->ud)));
  assert_false(env->alive(env->ud, 0));
  pid_t child = fork();
  if (child == 0) _exit(0);
  assert_int_equal(waitpid(child, NULL, 0), child);
  assert_false(env->alive(env->ud, (uint64_t)child));
  unsigned char random[32] = {0}, zeros[32] = {0};
  assert_int_equal(env->random(env->ud, random, sizeof random), 0);
  assert_memory_not_equal(random, zeros, sizeof random);
  assert_true(env->clock(env->ud) > UINT64_C(1600000000000));
}

int main(void) {
#define CHECK(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      CHECK(killed_at_any_moment),
      CHECK(killed_at_every_call),
      CHECK(a_second_process_is_told_who_has_it),
      CHECK(readers_beside_a_writer),
      CHECK(two_names_are_one_store),
      CHECK(bad_places_are_named),
      CHECK(a_write_that_the_system_cuts_short),
      CHECK(the_system_answers_as_promised),
  };
  return cmocka_run_group_tests_name("file kill", tests, NULL, NULL);
}
