/*
** Databases that are not what Hearth left: every byte of one has a bit that flips, rows are changed, lost or added by
** hand. What is read is what was written, or an error.
*/
#include "sqlite_place.h"
#include "sqlite_vfs.h"

#define ENTRIES 40
#define LONG 1500 /* bytes that do not fit on a page */
#define MOST ((size_t)1 << 16)

static char expected[SCENARIO_TEXT];

static void make_key(int i, char key[16]) {
  (void)snprintf(key, 16, "entry %03d", i);
}

/* Some batches, and a table that is a tree of pages, with one long value. */
static void fill(Place *p) {
  static char long_value[LONG];
  memset(long_value, 'v', sizeof long_value);
  make(p, 12);
  assert_int_equal(open_store(p, 0), HEARTH_OK);
  for (int i = 0; i < ENTRIES; i++) {
    char key[16];
    make_key(i, key);
    hearth_op op = {HEARTH_PUT, 3, key, strlen(key), long_value, i == 7 ? LONG : (size_t)(i % 9)};
    assert_int_equal(sqlite->submit(p->store, &op, 1, 0, HEARTH_VISIBLE, NULL, &p->err), HEARTH_OK);
  }
  assert_int_equal(scenario_text(sqlite, p->store, expected, &p->err), HEARTH_OK);
  close_store(p);
}

static int take_size(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t size) {
  (void)table, (void)key, (void)key_size, (void)value;
  *(size_t *)ud = size;
  return 0;
}

/* Each key by itself is there, with its value, or damage is told. */
static hearth_status get_all(Place *p, const char *what) {
  size_t size = 0;
  for (int i = 0; i < ENTRIES; i++) {
    char key[16];
    make_key(i, key);
    hearth_status status = sqlite->get(p->store, 3, key, strlen(key), take_size, &size, &p->err);
    if (status == HEARTH_NOTFOUND) fail_msg("%s: %s is missing", what, key);
    if (status != HEARTH_OK) return status;
    if (size != (i == 7 ? LONG : (size_t)(i % 9))) fail_msg("%s: %s has another value", what, key);
  }
  return HEARTH_OK;
}

static void must_be_the_same(Place *p, hearth_status status, const char *text, const char *what) {
  if (status == HEARTH_OK && strcmp(text, expected) != 0) fail_msg("%s: other contents, unsaid", what);
  if (status != HEARTH_OK && status != HEARTH_DAMAGED && status != HEARTH_NOTSTORE && status != HEARTH_VERSION)
    fail_msg("%s: %s: %s", what, hearth_status_name(status), p->err.message);
}

/* Reads everything there is, and each key by itself. Was damage told? */
static bool read_flipped(Place *p, const char *what) {
  char text[SCENARIO_TEXT];
  hearth_status status = open_store(p, HEARTH_OPEN_READONLY);
  if (status == HEARTH_OK) status = get_all(p, what);
  if (status == HEARTH_OK) status = scenario_text(sqlite, p->store, text, &p->err);
  must_be_the_same(p, status, text, what);
  if (p->store != NULL) (void)sqlite->close(p->store, NULL);
  p->store = NULL;
  return status != HEARTH_OK;
}

/* A small page means more of them, with less that nobody uses. */
static void make_pages_small(const char *path) {
  run_sql(path, "PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM; PRAGMA journal_mode = WAL");
}

static void every_byte_has_a_bit_that_flips(void **state) {
  Place *p = *state;
  static unsigned char whole[MOST], changed[MOST];
  size_t flips = 0, told = 0;
  fill(p);
  make_pages_small(p->path);
  const size_t size = bytes_of(p->path, whole, sizeof whole), bits = rounds(1) < 8 ? rounds(1) : 8;
  const size_t step = rounds(100) < 100 ? 61 : 1; /* under valgrind */
  assert_true(size < MOST && size % 512 == 0 && size / 512 > 12);
  for (size_t at = 0; at < size; at += step)
    for (size_t i = 0; i < bits; i++) {
      const unsigned bit = (unsigned)(at * 5 + at / 8 + i) % 8;
      char what[64];
      (void)snprintf(what, sizeof what, "byte %zu, bit %u", at, bit);
      memcpy(changed, whole, size);
      changed[at] ^= (unsigned char)(1u << bit);
      put_bytes(p->path, changed, size);
      told += read_flipped(p, what);
      flips++;
    }
  assert_true(told > flips / 4); /* most of the file is in use */
  printf("figure: sqlite: %zu flipped bits in a database of %zu bytes: %zu told, none accepted with other contents\n",
         flips, size, told);
}

/* A writer that meets damage adds to what is there, or is told; the next one sees exactly that, or is told. */
static void writers_beside_damage(void **state) {
  Place *p = *state;
  static unsigned char whole[MOST], changed[MOST];
  char before[SCENARIO_TEXT], after[SCENARIO_TEXT], text[SCENARIO_TEXT];
  size_t told = 0;
  fill(p);
  make_pages_small(p->path);
  const size_t size = bytes_of(p->path, whole, sizeof whole);
  (void)snprintf(before, sizeof before, "%s", expected);
  assert_int_equal(open_store(p, 0), HEARTH_OK);
  static const hearth_op ops[2] = {{HEARTH_PUT, 3, "entry 003", 9, "other", 5}, {HEARTH_PUT, 4, "new", 3, "one", 3}};
  assert_int_equal(sqlite->submit(p->store, ops, 2, 0, HEARTH_DURABLE, NULL, &p->err), HEARTH_OK);
  assert_int_equal(scenario_text(sqlite, p->store, after, &p->err), HEARTH_OK);
  close_store(p);
  const size_t step = rounds(100) < 100 ? 97 : 7;
  for (size_t at = 0; at < size; at += step) {
    char what[64];
    (void)snprintf(what, sizeof what, "byte %zu", at);
    memcpy(changed, whole, size);
    changed[at] ^= (unsigned char)(1u << at % 8);
    put_bytes(p->path, changed, size);
    hearth_status status = open_store(p, 0);
    if (status == HEARTH_OK) status = sqlite->submit(p->store, ops, 2, 0, HEARTH_DURABLE, NULL, &p->err);
    const bool written = status == HEARTH_OK;
    if (p->store != NULL) (void)sqlite->close(p->store, NULL);
    p->store = NULL;
    (void)snprintf(expected, sizeof expected, "%s", written ? after : before);
    status = open_store(p, HEARTH_OPEN_READONLY);
    if (status == HEARTH_OK) status = scenario_text(sqlite, p->store, text, &p->err);
    must_be_the_same(p, status, text, what);
    told += status != HEARTH_OK;
    if (p->store != NULL) (void)sqlite->close(p->store, NULL);
    p->store = NULL;
    static const char *const beside[] = {"-wal", "-shm", ".owner"};
    for (size_t i = 0; i < 3; i++) {
      char name[640];
      (void)snprintf(name, sizeof name, "%s%s", p->path, beside[i]);
      (void)unlink(name);
    }
  }
  assert_true(told > 10);
}

/* ----------------------------------------------------------- by hand */

typedef struct Edit {
  const char *sql;
  const char *says; /* what reading all of it says */
} Edit;

static void changes_by_hand_are_told(void **state) {
  Place *p = *state;
  static const Edit edits[] = {
      {"UPDATE entry SET value = x'00' WHERE table_number = 3 AND key = CAST('entry 001' AS BLOB)",
       "whose checksum is wrong"},
      {"UPDATE entry SET key = x'ff' WHERE table_number = 3 AND key = CAST('entry 001' AS BLOB)",
       "whose checksum is wrong"},
      {"UPDATE entry SET table_number = 9 WHERE table_number = 3 AND key = CAST('entry 001' AS BLOB)",
       "a table has entries and no total"},
      {"INSERT INTO entry (table_number, key, checksum, value) VALUES (1000, x'0441', 1, x'0001')",
       "a table has entries and no total"},
      {"INSERT INTO hearth SELECT * FROM hearth", "the table hearth has two rows"},
      {"UPDATE entry SET checksum = checksum + 1 WHERE table_number = 2",
       "table 2 has an entry whose checksum is wrong"},
      {"DELETE FROM entry WHERE table_number = 3 AND key = CAST('entry 039' AS BLOB)",
       "table 3 does not have the entries"},
      {"DELETE FROM entry WHERE table_number = 1", "table 1 does not have the entries"},
      {"UPDATE total SET entries = 5 WHERE table_number = 1", "the totals of its tables"},
      {"DELETE FROM total WHERE table_number = 1; DELETE FROM entry WHERE table_number = 1",
       "the totals of its tables"},
      {"UPDATE hearth SET sequence = sequence - 1", "the checksum of its numbers"},
      {"UPDATE hearth SET durable = durable - 1", "the checksum of its numbers"},
      {"UPDATE hearth SET digest = digest + 1", "the checksum of its numbers"},
      {"DELETE FROM hearth", "the table hearth is empty"}};
  static unsigned char whole[MOST];
  char text[SCENARIO_TEXT];
  fill(p);
  const size_t size = bytes_of(p->path, whole, sizeof whole);
  for (size_t i = 0; i < sizeof edits / sizeof *edits; i++)
    for (unsigned flags = 0; flags < 2; flags++) {
      put_bytes(p->path, whole, size);
      run_sql(p->path, edits[i].sql);
      hearth_status status = open_store(p, flags);
      if (status == HEARTH_OK) status = scenario_text(sqlite, p->store, text, &p->err);
      if (status != HEARTH_DAMAGED || strstr(p->err.message, edits[i].says) == NULL)
        fail_msg("%s: %s: %s", edits[i].sql, hearth_status_name(status), p->err.message);
      if (p->store != NULL) close_store(p);
    }
}

static int stop_after(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t size) {
  (void)table, (void)value, (void)size;
  char *last = ud;
  memcpy(last, key, key_size);
  last[key_size] = '\0';
  return 1;
}

/* Whoever walks through a table in many scans is told in the end as well, also when an entry is looked at twice. */
static void walks_in_steps_are_told(void **state) {
  Place *p = *state;
  char last[64] = "", from[64];
  int result = 1;
  fill(p);
  make_large(p);
  for (int damaged = 0; damaged < 2; damaged++) {
    if (damaged) run_sql(p->path, "DELETE FROM entry WHERE table_number = 3 AND key = CAST('entry 020' AS BLOB)");
    assert_int_equal(open_store(p, 0), HEARTH_OK);
    size_t steps = 0, from_size = 0;
    hearth_status status = HEARTH_OK;
    for (result = 1; status == HEARTH_OK && result == 1; steps++) {
      status = sqlite->scan(p->store, 3, from_size > 0 ? from : NULL, from_size, NULL, 0, false, stop_after, last,
                            &result, &p->err);
      if (steps % 5 == 1) continue; /* the same once more */
      from_size = strlen(last) + 1;
      memcpy(from, last, from_size);
    }
    assert_true(steps > ENTRIES);
    assert_int_equal(status, damaged ? HEARTH_DAMAGED : HEARTH_OK);
    close_store(p);
  }
}

/* What a database has is documented: others can compute it. XXH3-64 of these bytes, by the xxHash library. */
static void checksums_are_as_documented(void **state) {
  Place *p = *state;
  sqlite3 *db;
  sqlite3_stmt *row;
  hearth_op op = {HEARTH_PUT, 7, "key", 3, "a value", 7};
  assert_int_equal(open_store(p, 0), HEARTH_OK);
  assert_int_equal(sqlite->submit(p->store, &op, 1, 0, HEARTH_DURABLE, NULL, &p->err), HEARTH_OK);
  close_store(p);
  assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(db, "SELECT e.checksum, t.entries, t.bytes, t.digest, h.digest, h.checksum"
                                          " FROM entry e, total t, hearth h", -1, &row, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(row), SQLITE_ROW);
  static const sqlite3_int64 right[] = {-6140279678122738146, 1, 10, -6140279678122738146, 2406717313914983610,
                                        5325266442392026504};
  for (int i = 0; i < 6; i++) assert_true(sqlite3_column_int64(row, i) == right[i]);
  assert_int_equal(sqlite3_finalize(row), SQLITE_OK);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* The large one is not read whole when it is opened: whoever reads all of a table is told, and so is `tables`. */
static void a_large_store_is_told_later(void **state) {
  Place *p = *state;
  char text[SCENARIO_TEXT];
  size_t size;
  fill(p);
  make_large(p);
  run_sql(p->path, "DELETE FROM entry WHERE key = CAST('entry 020' AS BLOB); UPDATE entry SET value = x'00' WHERE"
                   " key = CAST('entry 021' AS BLOB)");
  assert_int_equal(open_store(p, 0), HEARTH_OK);
  assert_int_equal(sqlite->get(p->store, 3, "entry 020", 9, take_size, &size, &p->err), HEARTH_NOTFOUND);
  assert_int_equal(sqlite->get(p->store, 3, "entry 021", 9, take_size, &size, &p->err), HEARTH_DAMAGED);
  hearth_op check = {HEARTH_CHECK_EQUAL, 3, "entry 021", 9, "", 1};
  assert_int_equal(sqlite->submit(p->store, &check, 1, 0, HEARTH_DURABLE, NULL, &p->err), HEARTH_DAMAGED);
  assert_int_equal(scenario_text(sqlite, p->store, text, &p->err), HEARTH_DAMAGED);
  /* what is damaged can be written again; what is missing is missed */
  hearth_op op = {HEARTH_PUT, 3, "entry 021", 9, "new", 3};
  assert_int_equal(sqlite->submit(p->store, &op, 1, 0, HEARTH_DURABLE, NULL, &p->err), HEARTH_OK);
  assert_int_equal(sqlite->get(p->store, 3, "entry 021", 9, take_size, &size, &p->err), HEARTH_OK);
  assert_int_equal(scenario_text(sqlite, p->store, text, &p->err), HEARTH_DAMAGED);
  assert_non_null(strstr(p->err.message, "table 3 does not have the entries"));
  op = (hearth_op){HEARTH_DROP, 3, NULL, 0, NULL, 0};
  assert_int_equal(sqlite->submit(p->store, &op, 1, 0, HEARTH_DURABLE, NULL, &p->err), HEARTH_OK);
  assert_int_equal(sqlite->scan(p->store, 3, NULL, 0, NULL, 0, false, stop_after, text, NULL, &p->err), HEARTH_OK);
}

/* SQLite's files without waiting for the device. */
static int setup_fast(void **state) {
  vfs_install();
  return setup(state);
}

static int teardown_fast(void **state) {
  (void)teardown(state);
  vfs_uninstall();
  return 0;
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_byte_has_a_bit_that_flips, setup_fast, teardown_fast),
      cmocka_unit_test_setup_teardown(writers_beside_damage, setup_fast, teardown_fast),
      TEST(changes_by_hand_are_told), TEST(walks_in_steps_are_told), TEST(a_large_store_is_told_later),
      TEST(checksums_are_as_documented),
  };
  return cmocka_run_group_tests_name("sqlite damage", tests, NULL, NULL);
}
