/*
** What is particular to SQLite's databases: files that are none of ours, older, newer and damaged ones; readers;
** failing memory of SQLite's own; a file that is moved; limits.
*/
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hearth_environment.h"
#include "sqlite_place.h"
#include "sqlite_vfs.h"

static size_t files_in(const char *folder) {
  size_t n = 0;
  DIR *dir = opendir(folder);
  while (readdir(dir) != NULL) n++;
  (void)closedir(dir);
  return n - 2;
}

/* Refused for writing and for reading; the file is as it was, and nothing is beside it. */
static void must_refuse(Place *p, hearth_status expected) {
  static unsigned char before[1 << 17], after[1 << 17];
  size_t size = bytes_of(p->path, before, sizeof before), files = files_in(p->folder);
  for (unsigned flags = 0; flags < 2; flags++) {
    hearth_status status = open_store(p, flags);
    if (status != expected)
      fail_msg("%s instead of %s: %s", hearth_status_name(status), hearth_status_name(expected), p->err.message);
    assert_null(p->store);
    assert_non_null(strstr(p->err.message, p->path));
    assert_int_equal(bytes_of(p->path, after, sizeof after), size);
    assert_memory_equal(before, after, size);
    assert_int_equal(files_in(p->folder), files);
  }
}

static void files_of_others(void **state) {
  Place *p = *state;
  static const char text[] = "not a database, but text that is longer than the header of one";
  put_bytes(p->path, text, sizeof text);
  must_refuse(p, HEARTH_NOTSTORE);
  put_bytes(p->path, "SQLite", 6);
  must_refuse(p, HEARTH_NOTSTORE);
  (void)unlink(p->path);
  run_sql(p->path, "CREATE TABLE entry (table_number, key, value); CREATE TABLE hearth (sequence, durable)");
  must_refuse(p, HEARTH_NOTSTORE);
  assert_non_null(strstr(p->err.message, "another program's"));
  run_sql(p->path, "PRAGMA journal_mode = WAL; INSERT INTO hearth VALUES (1, 1)");
  must_refuse(p, HEARTH_NOTSTORE);
  (void)unlink(p->path);
  hearth_backend_config config = {.size = sizeof config, .location = p->folder};
  assert_int_equal(sqlite->open(&config, &p->store, &p->err), HEARTH_NOTSTORE);
  config.location = "/dev/null";
  assert_int_equal(sqlite->open(&config, &p->store, &p->err), HEARTH_NOTSTORE);
  config.location = "";
  assert_int_equal(sqlite->open(&config, &p->store, &p->err), HEARTH_INVALID);
}

static void newer_and_damaged_ones(void **state) {
  Place *p = *state;
  make(p, 3);
  run_sql(p->path, "PRAGMA user_version = 2");
  must_refuse(p, HEARTH_VERSION);
  run_sql(p->path, "PRAGMA user_version = 0");
  must_refuse(p, HEARTH_DAMAGED);
  run_sql(p->path, "PRAGMA user_version = 1; DELETE FROM hearth");
  assert_int_equal(open_store(p, 0), HEARTH_DAMAGED);
  run_sql(p->path, "DROP TABLE hearth; CREATE TABLE hearth (sequence INTEGER, durable INTEGER)");
  assert_int_equal(open_store(p, 0), HEARTH_DAMAGED);
  run_sql(p->path, "DROP TABLE entry");
  assert_int_equal(open_store(p, HEARTH_OPEN_READONLY), HEARTH_DAMAGED);
  assert_null(p->store);
}

/* A prefix of a store, and a store with a byte changed, are told or are read: nothing crashes. */
static void every_prefix_and_every_page(void **state) {
  Place *p = *state;
  static unsigned char whole[1 << 17], changed[1 << 17];
  char text[SCENARIO_TEXT];
  size_t refused = 0;
  make(p, 12);
  const size_t size = bytes_of(p->path, whole, sizeof whole);
  for (size_t n = 1; n < size; n = n < 200 ? n + 1 : n + 512) {
    put_bytes(p->path, whole, n);
    hearth_status status = open_store(p, 0);
    if (n < 15) assert_int_equal(status, HEARTH_NOTSTORE);
    if (status == HEARTH_OK) status = scenario_text(sqlite, p->store, text, &p->err);
    if (status != HEARTH_DAMAGED && status != HEARTH_NOTSTORE)
      fail_msg("%zu bytes of %zu: %s", n, size, hearth_status_name(status));
    if (p->store != NULL) close_store(p);
    char beside[640];
    (void)snprintf(beside, sizeof beside, "%s-wal", p->path);
    (void)unlink(beside);
  }
  for (size_t at = 0; at < size; at += 1 + (at > 200 ? 36 : 0)) {
    memcpy(changed, whole, size);
    changed[at] ^= 0xff;
    put_bytes(p->path, changed, size);
    hearth_status status = open_store(p, HEARTH_OPEN_READONLY);
    if (status == HEARTH_OK) status = scenario_text(sqlite, p->store, text, &p->err);
    if (status != HEARTH_OK) refused++;
    if (status != HEARTH_OK && status != HEARTH_DAMAGED && status != HEARTH_NOTSTORE && status != HEARTH_VERSION)
      fail_msg("byte %zu: %s: %s", at, hearth_status_name(status), p->err.message);
    if (p->store != NULL) (void)sqlite->close(p->store, NULL);
    p->store = NULL;
  }
  assert_true(refused > 30);
}

static void an_empty_file_becomes_a_store(void **state) {
  Place *p = *state;
  put_bytes(p->path, "", 0);
  assert_int_equal(open_store(p, HEARTH_OPEN_READONLY), HEARTH_NOTSTORE);
  assert_int_equal(open_store(p, HEARTH_OPEN_EXCLUSIVE), HEARTH_EXISTS);
  make(p, 2);
  assert_int_equal(files_in(p->folder), 1); /* no log, no owner, nothing that was used to make it */
  assert_int_equal(open_store(p, HEARTH_OPEN_NO_CREATE), HEARTH_OK);
  assert_int_equal(scenario_verify(sqlite, p->store), 2);
}

static hearth_status reader_status(Place *p, hearth_backend_store *reader, uint64_t expected) {
  assert_int_equal(scenario_verify(sqlite, reader), expected);
  return sqlite->poll(reader, &p->err);
}

static void readers_keep_their_commit(void **state) {
  Place *p = *state;
  hearth_backend_store *reader;
  hearth_backend_config config = {.size = sizeof config, .location = p->path, .flags = HEARTH_OPEN_READONLY};
  hearth_backend_stat stat = {.size = sizeof stat};
  make(p, 4);
  assert_int_equal(sqlite->open(&config, &reader, &p->err), HEARTH_OK);
  assert_int_equal(sqlite->stat(reader, &stat, &p->err), HEARTH_OK);
  assert_int_equal(stat.durable, 4); /* it was closed in order */
  assert_int_equal(open_store(p, 0), HEARTH_OK);
  assert_int_equal(reader_status(p, reader, 4), HEARTH_OK);
  for (uint64_t n = 5; n <= 40; n++) {
    assert_int_equal(scenario_submit(sqlite, p->store, n, n % 2 == 0, HEARTH_DURABLE, &p->err), HEARTH_OK);
    if (n % 8 == 0) assert_int_equal(sqlite->compact(p->store, 0, &p->err), HEARTH_OK);
    assert_int_equal(reader_status(p, reader, n < 20 ? 4 : n - 1), HEARTH_STALE);
    if (n < 19) continue;
    assert_int_equal(sqlite->refresh(reader, &p->err), HEARTH_OK);
    assert_int_equal(reader_status(p, reader, n), HEARTH_OK);
    assert_int_equal(sqlite->stat(reader, &stat, &p->err), HEARTH_OK);
    assert_true(stat.durable <= n);
  }
  close_store(p); /* a reader stays behind */
  assert_int_equal(reader_status(p, reader, 40), HEARTH_OK);
  /* another store takes the place: the reader is told, and sees it when it is refreshed */
  assert_int_equal(unlink(p->path), 0);
  assert_int_equal(reader_status(p, reader, 40), HEARTH_STALE);
  assert_int_equal(sqlite->refresh(reader, &p->err), HEARTH_NOTFOUND);
  assert_int_equal(reader_status(p, reader, 40), HEARTH_STALE);
  assert_int_equal(sqlite->close(reader, &p->err), HEARTH_OK);
}

static void a_file_that_is_moved(void **state) {
  Place *p = *state;
  char elsewhere[640];
  (void)snprintf(elsewhere, sizeof elsewhere, "%s.elsewhere", p->path);
  make(p, 3);
  assert_int_equal(open_store(p, 0), HEARTH_OK);
  assert_int_equal(rename(p->path, elsewhere), 0);
  assert_int_equal(scenario_submit(sqlite, p->store, 4, false, HEARTH_DURABLE, &p->err), HEARTH_IO);
  assert_int_equal(sqlite->barrier(p->store, HEARTH_DURABLE, &p->err), HEARTH_DEAD);
  close_store(p);
  assert_int_equal(rename(elsewhere, p->path), 0);
  assert_int_equal(open_store(p, 0), HEARTH_OK);
  assert_int_equal(scenario_verify(sqlite, p->store), 3);
}

/* What a database brings along is not run: a trigger, a view in the place of a table. */
static void a_database_brings_no_code(void **state) {
  Place *p = *state;
  make(p, 2);
  run_sql(p->path, "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END");
  assert_int_equal(open_store(p, 0), HEARTH_OK);
  assert_int_equal(scenario_submit(sqlite, p->store, 3, false, HEARTH_DURABLE, &p->err), HEARTH_OK);
  assert_int_equal(scenario_verify(sqlite, p->store), 3);
  close_store(p);
  run_sql(p->path, "DROP TRIGGER t; ALTER TABLE entry RENAME TO e; CREATE VIEW entry AS SELECT * FROM e");
  assert_int_equal(open_store(p, 0), HEARTH_DAMAGED);
}

static void limits(void **state) {
  Place *p = *state;
  hearth_backend_config config = {.size = sizeof config, .location = p->path};
  config.environment = &hearth_system_environment;
  assert_int_equal(sqlite->open(&config, &p->store, &p->err), HEARTH_UNSUPPORTED);
  assert_int_equal(open_store(p, 0x80), HEARTH_INVALID);
  assert_int_equal(open_store(p, 0), HEARTH_OK);
  static const char small = 'x';
  hearth_op ops[2] = {{HEARTH_PUT, 1, "a", 1, &small, 1}, {HEARTH_PUT, 1, "b", 1, &small, 1000000000}};
  assert_int_equal(sqlite->submit(p->store, ops, 2, 0, HEARTH_DURABLE, NULL, &p->err), HEARTH_TOOBIG);
  assert_non_null(strstr(p->err.message, "operation 2 of the batch")); /* before SQLite is asked */
  assert_int_equal(sqlite->submit(p->store, ops, 1, HEARTH_BATCH_MORE, HEARTH_DURABLE, NULL, &p->err), HEARTH_OK);
  assert_int_equal(sqlite->compact(p->store, 0, &p->err), HEARTH_BUSY);
  assert_int_equal(sqlite->submit(p->store, NULL, 0, HEARTH_BATCH_ABANDON, HEARTH_DURABLE, NULL, &p->err), HEARTH_OK);
  assert_int_equal(sqlite->compact(p->store, 3, &p->err), HEARTH_UNSUPPORTED);
  hearth_backend_stat stat = {.size = sizeof stat};
  assert_int_equal(sqlite->stat(p->store, &stat, &p->err), HEARTH_OK);
  assert_int_equal(stat.entries + stat.sequence, 0);
}

static int write_inside(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t size) {
  Place *p = ud;
  hearth_op op = {HEARTH_PUT, table, key, key_size, value, size};
  assert_int_equal(sqlite->submit(p->store, &op, 1, 0, HEARTH_DURABLE, NULL, &p->err), HEARTH_BUSY);
  assert_int_equal(sqlite->compact(p->store, 0, &p->err), HEARTH_BUSY);
  return 0;
}

static void nothing_changes_under_a_read(void **state) {
  Place *p = *state;
  int result;
  make(p, 3);
  assert_int_equal(open_store(p, 0), HEARTH_OK);
  assert_int_equal(sqlite->get(p->store, 1, "key3", 4, write_inside, p, &p->err), HEARTH_OK);
  assert_int_equal(sqlite->scan(p->store, 2, NULL, 0, NULL, 0, true, write_inside, p, &result, &p->err), HEARTH_OK);
  assert_int_equal(scenario_verify(sqlite, p->store), 3);
  assert_int_equal(scenario_submit(sqlite, p->store, 4, true, HEARTH_COMPLETE, &p->err), HEARTH_OK);
}

/* ------------------------------------------------- SQLite's own memory */

static sqlite3_mem_methods real_memory;
static long allocations, fail_at = -1;
static bool for_good;

static bool no_memory(void) {
  long n = allocations++;
  return fail_at >= 0 && (n == fail_at || (for_good && n > fail_at));
}

static void *failing_malloc(int size) {
  return no_memory() ? NULL : real_memory.xMalloc(size);
}

static void *failing_realloc(void *old, int size) {
  return no_memory() ? NULL : real_memory.xRealloc(old, size);
}

static void configure_memory(void) {
  (void)sqlite3_shutdown();
  assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory), SQLITE_OK);
  sqlite3_mem_methods ours = real_memory;
  ours.xMalloc = failing_malloc;
  ours.xRealloc = failing_realloc;
  assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &ours), SQLITE_OK);
  assert_int_equal(sqlite3_initialize(), SQLITE_OK);
}

/* Opens, commits, reads, compacts, closes: up to the first failure. */
static hearth_status live(Place *p, uint64_t *done, long n) {
  char text[SCENARIO_TEXT];
  allocations = 0;
  fail_at = n;
  hearth_status status = open_store(p, 0);
  for (uint64_t b = *done + 1; status == HEARTH_OK && b <= 4; b++) {
    status = scenario_submit(sqlite, p->store, b, b % 2 == 0, HEARTH_DURABLE, &p->err);
    if (status == HEARTH_OK) *done = b;
    if (status == HEARTH_OK) status = scenario_text(sqlite, p->store, text, &p->err);
  }
  if (status == HEARTH_OK) status = sqlite->compact(p->store, 0, &p->err);
  fail_at = -1;
  (void)sqlite3_hard_heap_limit64(0);
  if (p->store != NULL) { /* nothing of what failed is there, and the store goes on */
    hearth_error err;
    if (scenario_text(sqlite, p->store, text, &err) != HEARTH_OK)
      fail_msg("after %s, at %ld: %s", p->err.message, n, err.message);
    assert_int_equal(scenario_verify(sqlite, p->store), *done);
    close_store(p);
  }
  return status;
}

static void every_allocation_of_sqlite_fails(void **state) {
  Place *p = *state;
  static unsigned char fresh[1 << 15];
  size_t failed = 0;
  vfs_install(); /* which does not wait for the device */
  make(p, 0);
  const size_t size = bytes_of(p->path, fresh, sizeof fresh);
  const long fewer = rounds(100) < 100 ? 20 : 1;
  for (int made = 0; made < 2; made++) /* a new store, and one that is there */
    for (long n = 0;; n += made ? fewer : 5 * fewer) {
      uint64_t done = 0;
      for_good = n % 2 == 0;
      if (made) put_bytes(p->path, fresh, size);
      else (void)unlink(p->path);
      hearth_status status = live(p, &done, n);
      if (allocations <= n) break;
      if (status != HEARTH_OK && status != HEARTH_NOMEM)
        fail_msg("allocation %ld: %s: %s", n, hearth_status_name(status), p->err.message);
      failed += status == HEARTH_NOMEM;
      assert_int_equal(live(p, &done, -1), HEARTH_OK);
    }
  vfs_uninstall();
  assert_true(failed > 100);
  printf("figure: sqlite: %zu failures of SQLite's memory, each told, nothing lost\n", failed);
}

/* SQLite's own limit of memory: whatever it refuses is told, and nothing is lost. */
static void a_limit_of_memory(void **state) {
  Place *p = *state;
  static unsigned char fresh[1 << 15];
  size_t failed = 0;
  bool lived = false;
  vfs_install();
  make(p, 0);
  const size_t size = bytes_of(p->path, fresh, sizeof fresh);
  const sqlite3_int64 step = rounds(100) < 100 ? 32768 : 1024;
  for (sqlite3_int64 limit = sqlite3_memory_used() + 1; !lived; limit += step) {
    uint64_t done = 0;
    put_bytes(p->path, fresh, size);
    (void)sqlite3_hard_heap_limit64(limit);
    hearth_status status = live(p, &done, -1);
    lived = status == HEARTH_OK;
    if (!lived && status != HEARTH_NOMEM)
      fail_msg("limit %lld: %s: %s", (long long)limit, hearth_status_name(status), p->err.message);
    failed += !lived;
    if (!lived) assert_int_equal(live(p, &done, -1), HEARTH_OK);
  }
  vfs_uninstall();
  assert_true(failed > 10);
  printf("figure: sqlite: %zu limits of its memory, each told, nothing lost\n", failed);
}

static int ignore_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t size) {
  (void)ud, (void)table, (void)key, (void)key_size, (void)value, (void)size;
  return 0;
}

/* Nobody's buffer for keys has room for it. */
static void a_key_that_no_store_has(void **state) {
  Place *p = *state;
  int result;
  make(p, 3);
  make_large(p);
  run_sql(p->path, "INSERT INTO entry VALUES (1, zeroblob(100000), 0, x'00')");
  assert_int_equal(open_store(p, 0), HEARTH_OK);
  for (int reverse = 0; reverse < 2; reverse++)
    assert_int_equal(sqlite->scan(p->store, 1, NULL, 0, NULL, 0, reverse, ignore_entry, NULL, &result, &p->err),
                     HEARTH_DAMAGED);
  assert_non_null(strstr(p->err.message, "a key of table 1 has 100000 bytes"));
  assert_int_equal(scenario_submit(sqlite, p->store, 4, false, HEARTH_DURABLE, &p->err), HEARTH_OK);
}

/* SQLite ends a reader's transaction by itself when a read fails: what is there later is another commit. */
static void a_read_that_fails_ends_the_snapshot(void **state) {
  Place *p = *state;
  hearth_backend_store *writer;
  make(p, 2);
  hearth_backend_config config = {.size = sizeof config, .location = p->path};
  assert_int_equal(sqlite->open(&config, &writer, &p->err), HEARTH_OK);
  assert_int_equal(open_store(p, HEARTH_OPEN_READONLY), HEARTH_OK);
  assert_int_equal(scenario_verify(sqlite, p->store), 2);
  assert_int_equal(scenario_submit(sqlite, writer, 3, false, HEARTH_DURABLE, &p->err), HEARTH_OK);
  assert_int_equal(scenario_verify(sqlite, p->store), 2);
  (void)sqlite3_hard_heap_limit64(sqlite3_memory_used());
  int result;
  hearth_status status = sqlite->scan(p->store, 1, NULL, 0, NULL, 0, true, ignore_entry, NULL, &result, &p->err);
  (void)sqlite3_hard_heap_limit64(0);
  if (status == HEARTH_OK) skip(); /* this SQLite had all it needed */
  assert_int_equal(status, HEARTH_NOMEM);
  status = sqlite->scan(p->store, 1, NULL, 0, NULL, 0, false, ignore_entry, NULL, &result, &p->err);
  if (status == HEARTH_OK) assert_int_equal(scenario_verify(sqlite, p->store), 2);
  else assert_int_equal(status, HEARTH_STALE);
  assert_int_equal(sqlite->refresh(p->store, &p->err), HEARTH_OK);
  assert_int_equal(scenario_verify(sqlite, p->store), 3);
  assert_int_equal(sqlite->close(writer, &p->err), HEARTH_OK);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(a_key_that_no_store_has),   TEST(a_read_that_fails_ends_the_snapshot),
      TEST(files_of_others),           TEST(newer_and_damaged_ones), TEST(every_prefix_and_every_page),
      TEST(an_empty_file_becomes_a_store), TEST(readers_keep_their_commit), TEST(a_file_that_is_moved),
      TEST(a_database_brings_no_code), TEST(limits),
      TEST(nothing_changes_under_a_read), TEST(every_allocation_of_sqlite_fails), TEST(a_limit_of_memory),
  };
  configure_memory();
  return cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
}
