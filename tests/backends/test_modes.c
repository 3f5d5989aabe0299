/*
** Who may not read a store may not read what else holds its bytes: on the real file system, a compacted file, the bytes
** of a torn tail and what salvage writes have the store's permissions, before there is a byte in them.
*/
#include "salvage.h"

#include <errno.h>
#include <sys/stat.h>

#include "export.h"
#include "folder.h"
#include "scenario.h"
#include "store.h"

#define FILES 64

static const hearth_backend *file = &hearth_file_backend;
static const mode_t modes[] = {0600, 0640, 0604, 0660, 0644, 0666};

static char folder[512], path[600], beside[700];
static hearth_environment env;      /* the system's, watched */
static char opened[FILES][700];     /* names of open files */
static mode_t allowed;              /* to files with the store's bytes; 0: not watched */
static int wide;                    /* writes to files that others may read */
static int like_failure, read_failure; /* of like, and of opening a file for reading */

static const char *name_beside(const char *suffix) {
  (void)snprintf(beside, sizeof beside, "%s%s", path, suffix);
  return beside;
}

static struct stat look(const char *name) {
  struct stat st;
  if (stat(name, &st) != 0) fail_msg("%s: %s", name, strerror(errno));
  return st;
}

static mode_t mode_of(const char *name) {
  return look(name).st_mode & 0777;
}

static bool ends_with(const char *name, const char *suffix) {
  size_t n = strlen(name), m = strlen(suffix);
  return n >= m && strcmp(name + n - m, suffix) == 0;
}

static int watched_open(void *ud, const char *name, unsigned flags, hearth_file *out) {
  if (flags == 0 && read_failure != 0) return read_failure;
  int failure = hearth_system_environment.open(ud, name, flags, out);
  if (failure == 0 && *out < FILES) (void)snprintf(opened[*out], sizeof opened[*out], "%s", name);
  return failure;
}

static int watched_pwrite(void *ud, hearth_file to, uint64_t offset, const void *bytes, size_t size) {
  struct stat st;
  bool holds = to < FILES && !ends_with(opened[to], ".owner") && !ends_with(opened[to], ".ballast");
  if (holds && allowed != 0 && fstat((int)to, &st) == 0 && (st.st_mode & 0777 & ~allowed) != 0) wide++;
  return hearth_system_environment.pwrite(ud, to, offset, bytes, size);
}

/* Whoever opened it before this would read it afterwards. */
static int failing_like(void *ud, hearth_file to, hearth_file model) {
  struct stat st;
  if (fstat((int)to, &st) == 0 && (st.st_mode & 0777) != 0600) wide++;
  return like_failure != 0 ? like_failure : hearth_system_environment.like(ud, to, model);
}

static int set_up(void **state) {
  (void)state;
  (void)umask(022);
  folder_make(folder, sizeof folder);
  (void)snprintf(path, sizeof path, "%s/store", folder);
  env = hearth_system_environment;
  env.open = watched_open;
  env.pwrite = watched_pwrite;
  env.like = failing_like;
  allowed = 0;
  wide = like_failure = read_failure = 0;
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  folder_remove(folder);
  return 0;
}

static hearth_status open_as(hearth_backend_store **store, hearth_error *err) {
  hearth_backend_config config = {.size = sizeof config, .location = path, .environment = &env};
  return file->open(&config, store, err);
}

static hearth_backend_store *opens(void) {
  hearth_backend_store *store;
  hearth_error err;
  if (open_as(&store, &err) != HEARTH_OK) fail_msg("open: %s", err.message);
  return store;
}

static void submits(hearth_backend_store *store, uint64_t n) {
  assert_int_equal(scenario_submit(file, store, n, false, HEARTH_COMPLETE, NULL), HEARTH_OK);
}

/* A closed store with `batches`, whose file has the mode. */
static void make_store(mode_t mode, uint64_t batches) {
  allowed = 0;
  hearth_backend_store *store = opens();
  for (uint64_t n = 1; n <= batches; n++) submits(store, n);
  assert_int_equal(file->close(store, NULL), HEARTH_OK);
  assert_int_equal(chmod(path, mode), 0);
  allowed = mode;
}

static void add_bytes(const char *name, const char *bytes) {
  FILE *f = fopen(name, "ab");
  assert_non_null(f);
  assert_true(fputs(bytes, f) >= 0 && fclose(f) == 0);
}

static void new_files_are_as_the_system_makes_them(void **state) {
  (void)state;
  make_store(0600, 0);
  assert_int_equal(remove(path), 0);
  hearth_backend_store *store = opens();
  assert_int_equal(mode_of(path), 0644);
  submits(store, 1);
  assert_int_equal(hearth_export(file, store, &env, NULL, name_beside(".export"), NULL), HEARTH_OK);
  assert_int_equal(mode_of(beside), 0644);
  assert_int_equal(file->close(store, NULL), HEARTH_OK);
}

static void an_empty_file_keeps_its_permissions(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    (void)remove(path);
    add_bytes(path, "");
    assert_int_equal(chmod(path, modes[i]), 0);
    hearth_backend_store *store = opens();
    assert_int_equal(mode_of(path), modes[i]);
    assert_int_equal(file->close(store, NULL), HEARTH_OK);
  }
}

/* By itself, after a batch. */
static void compaction_keeps_the_permissions(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    (void)remove(path);
    make_store(modes[i], 1);
    ino_t before = look(path).st_ino;
    hearth_backend_store *store = opens();
    uint64_t n = 1;
    while (look(path).st_ino == before && n < 1000) submits(store, ++n);
    assert_true(n < 1000);
    assert_int_equal(mode_of(path), modes[i]);
    assert_int_equal(file->close(store, NULL), HEARTH_OK);
    assert_int_equal(wide, 0);
  }
}

static void the_owner_is_kept_where_it_can_be(void **state) {
  (void)state;
  if (geteuid() != 0) skip(); /* only root gives files away */
  make_store(0600, 3);
  assert_int_equal(chown(path, 12345, 23456), 0);
  hearth_backend_store *store = opens();
  assert_int_equal(file->compact(store, 0, NULL), HEARTH_OK);
  assert_int_equal(file->close(store, NULL), HEARTH_OK);
  assert_int_equal(look(path).st_uid, 12345);
  assert_int_equal(look(path).st_gid, 23456);
  assert_int_equal(mode_of(path), 0600);
}

static void a_torn_tail_keeps_the_permissions(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    make_store(modes[i], 1);
    add_bytes(path, "half a batch");
    assert_int_equal(file->close(opens(), NULL), HEARTH_OK);
    assert_int_equal(mode_of(name_beside(".tail-2")), modes[i]);
    assert_int_equal(remove(beside), 0);
    assert_int_equal(remove(path), 0);
    assert_int_equal(wide, 0);
  }
}

static void what_is_salvaged_has_the_permissions_of_the_damaged(void **state) {
  SalvageReport report;
  (void)state;
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    make_store(modes[i], 3);
    name_beside(".saved");
    assert_int_equal(file_salvage(&env, NULL, path, beside, false, NULL, NULL, &report, NULL), HEARTH_OK);
    assert_int_equal(mode_of(beside), modes[i]);
    assert_int_equal(remove(beside), 0);
    assert_int_equal(remove(path), 0);
    assert_int_equal(wide, 0);
  }
}

/* What cannot be made private is not made. */
static void permissions_that_cannot_be_given(void **state) {
  SalvageReport report;
  hearth_backend_store *store;
  hearth_error err;
  (void)state;
  make_store(0600, 3);
  like_failure = EIO;
  assert_int_equal(file_salvage(&env, NULL, path, name_beside(".saved"), false, NULL, NULL, &report, &err), HEARTH_IO);
  assert_int_equal(access(beside, F_OK), -1);
  store = opens();
  assert_int_equal(file->compact(store, 0, &err), HEARTH_IO);
  assert_int_equal(access(name_beside(".new"), F_OK), -1);
  assert_int_equal(file->close(store, NULL), HEARTH_OK);
  add_bytes(path, "half a batch");
  assert_int_equal(open_as(&store, &err), HEARTH_IO);
  assert_int_equal(access(name_beside(".tail-4"), F_OK), -1);
  like_failure = 0;
  store = opens();
  assert_int_equal(scenario_verify(file, store), 3);
  assert_int_equal(file->close(store, NULL), HEARTH_OK);
  assert_int_equal(file_salvage(&env, NULL, path, path, false, NULL, NULL, &report, &err), HEARTH_EXISTS);
  assert_int_equal(remove(path), 0);
  add_bytes(path, "");
  read_failure = EACCES; /* whose permissions could it get? */
  assert_int_equal(open_as(&store, &err), HEARTH_READONLY);
  assert_int_equal(access(name_beside(".new"), F_OK), -1);
  assert_int_equal(look(path).st_size, 0);
}

/* An older table, or one of files without permissions. */
static void environments_without_permissions(void **state) {
  (void)state;
  for (int older = 0; older < 2; older++) {
    env.size = older ? offsetof(hearth_environment, like) : sizeof env;
    env.like = older ? failing_like : NULL;
    like_failure = EIO;
    make_store(0600, 3);
    allowed = 0;
    hearth_backend_store *store = opens();
    assert_int_equal(file->compact(store, 0, NULL), HEARTH_OK);
    assert_int_equal(mode_of(path), 0644);
    assert_int_equal(file->close(store, NULL), HEARTH_OK);
    assert_int_equal(remove(path), 0);
  }
}

#define in_folder(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      in_folder(new_files_are_as_the_system_makes_them),
      in_folder(an_empty_file_keeps_its_permissions),
      in_folder(compaction_keeps_the_permissions),
      in_folder(the_owner_is_kept_where_it_can_be),
      in_folder(a_torn_tail_keeps_the_permissions),
      in_folder(what_is_salvaged_has_the_permissions_of_the_damaged),
      in_folder(permissions_that_cannot_be_given),
      in_folder(environments_without_permissions),
  };
  return cmocka_run_group_tests_name("modes", tests, NULL, NULL);
}
