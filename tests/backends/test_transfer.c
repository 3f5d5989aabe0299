/* Exports and imports with a backend, a disk or an allocator that fails at each call: no file, no change. */
#include <errno.h>

#include "diskstore.h"
#include "export.h"
#include "handmade.h"

#define LOG "/log"
#define TABLES 40

static const hearth_backend *const memory = &hearth_memory_backend;

static DiskStore d;
static hearth_backend_store *store;
static long calls, fail_at; /* of the backend below; -1: none fails */

static bool fails(hearth_error *err) {
  if (calls++ != fail_at) return false;
  *err = (hearth_error){.code = HEARTH_IO, .message = "as the test wants it"};
  return true;
}

static hearth_status failing_tables(hearth_backend_store *s, hearth_found found, void *ud, int *result,
                                    hearth_error *err) {
  return fails(err) ? HEARTH_IO : memory->tables(s, found, ud, result, err);
}

static hearth_status failing_scan(hearth_backend_store *s, uint64_t table, const void *from, size_t from_size,
                                  const void *to, size_t to_size, bool reverse, hearth_found found, void *ud,
                                  int *result, hearth_error *err) {
  if (fails(err)) return HEARTH_IO;
  return memory->scan(s, table, from, from_size, to, to_size, reverse, found, ud, result, err);
}

static hearth_status failing_submit(hearth_backend_store *s, const hearth_op *ops, size_t count, unsigned flags,
                                    hearth_durability level, uint64_t *sequence, hearth_error *err) {
  if (!(flags & HEARTH_BATCH_ABANDON) && fails(err)) return HEARTH_IO;
  return memory->submit(s, ops, count, flags, level, sequence, err);
}

static hearth_status failing_stat(hearth_backend_store *s, hearth_backend_stat *stat, hearth_error *err) {
  return fails(err) ? HEARTH_IO : memory->stat(s, stat, err);
}

static hearth_backend failing;

/* A store with an entry in each of TABLES tables. */
static int begin(void **state) {
  (void)state;
  hearth_backend_config config = {.size = sizeof config};
  failing = *memory;
  failing.tables = failing_tables;
  failing.scan = failing_scan;
  failing.submit = failing_submit;
  failing.stat = failing_stat;
  fail_at = -1;
  diskstore_init(&d);
  assert_int_equal(memory->open(&config, &store, NULL), HEARTH_OK);
  for (uint64_t table = 1; table <= TABLES; table++) {
    hearth_op op = {HEARTH_PUT, table, "k", 1, "value", 5};
    assert_int_equal(memory->submit(store, &op, 1, 0, HEARTH_VISIBLE, NULL, NULL), HEARTH_OK);
  }
  return 0;
}

static int end(void **state) {
  (void)state;
  assert_int_equal(memory->close(store, NULL), HEARTH_OK);
  diskstore_done(&d);
  return 0;
}

static uint64_t entries(void) {
  hearth_backend_stat stat = {.size = sizeof stat};
  assert_int_equal(memory->stat(store, &stat, NULL), HEARTH_OK);
  return stat.entries;
}

/* A log with one frame of 130 operations, which leave one entry. */
static void put_log(void) {
  Handmade m;
  Buffer payload;
  handmade_begin(&m, 1, 0);
  buffer_init(&payload, &hearth_libc_allocator);
  for (int i = 0; i < 129; i++) buffer_put(&payload, "\x02\x09\x01z", 4);
  handmade_frame(&m, LOG_PART, 1, 0, payload.data, payload.size);
  handmade_batch(&m, 1, 0);
  hearth_disk_put(d.disk, LOG, m.bytes.data, m.bytes.size);
  buffer_free(&payload);
  handmade_free(&m);
}

static hearth_status export(void) {
  hearth_allocator allocator = counting_allocator(&d.memory);
  calls = d.memory.calls = 0;
  return hearth_export(&failing, store, hearth_disk_environment(d.disk), &allocator, LOG, &d.err);
}

static hearth_status import(void) {
  hearth_allocator allocator = counting_allocator(&d.memory);
  calls = d.memory.calls = 0;
  return hearth_import(&failing, store, hearth_disk_environment(d.disk), &allocator, LOG, true, &d.err);
}

static void every_call_of_the_backend_fails(void **state) {
  (void)state;
  size_t size;
  for (fail_at = 0; export() != HEARTH_OK; fail_at++) {
    assert_int_equal(d.err.code, HEARTH_IO);
    assert_string_equal(d.err.message, "as the test wants it");
    assert_null(hearth_disk_bytes(d.disk, LOG, &size));
  }
  assert_int_equal(fail_at, 1 + TABLES);
  put_log();
  for (fail_at = 0; import() != HEARTH_OK; fail_at++) {
    assert_int_equal(d.err.code, HEARTH_IO);
    assert_string_equal(d.err.message, "as the test wants it");
    assert_int_equal(entries(), TABLES);
  }
  assert_int_equal(fail_at, 2 + TABLES + 4 + 1); /* stat, tables, drops; 64, 64 and 1, and 1 operations; the end */
  assert_int_equal(entries(), 1);
}

static void every_allocation_fails(void **state) {
  (void)state;
  size_t size;
  for (d.memory.fail_at = 0; export() != HEARTH_OK; d.memory.fail_at++) {
    assert_int_equal(d.err.code, HEARTH_NOMEM);
    assert_int_equal(d.memory.bytes, 0);
    assert_null(hearth_disk_bytes(d.disk, LOG, &size));
  }
  assert_true(d.memory.fail_at > 3);
  put_log();
  for (d.memory.fail_at = 0; import() != HEARTH_OK; d.memory.fail_at++) {
    assert_int_equal(d.err.code, HEARTH_NOMEM);
    assert_int_equal(d.memory.bytes, 0);
    assert_int_equal(entries(), TABLES);
  }
  assert_true(d.memory.fail_at > 3);
  assert_int_equal(entries(), 1);
}

static void every_read_fails(void **state) {
  (void)state;
  long n = 0;
  put_log();
  for (;; n++) {
    hearth_disk_arm(d.disk, (hearth_disk_fault){HEARTH_DISK_READS, n, EIO, false, false});
    if (import() == HEARTH_OK) break;
    assert_int_equal(d.err.code, HEARTH_IO);
    assert_int_equal(entries(), TABLES);
  }
  assert_true(n > 1);
  assert_int_equal(entries(), 1);
}

/* Without an allocator, an error record, or anything that would be replaced. */
static void with_nothing_given(void **state) {
  const hearth_allocator none = {NULL, NULL};
  const hearth_environment *env = hearth_disk_environment(d.disk);
  assert_int_equal(hearth_export(memory, store, env, &none, LOG, NULL), HEARTH_OK);
  assert_int_equal(hearth_export(memory, store, env, NULL, LOG, NULL), HEARTH_EXISTS);
  assert_int_equal(hearth_import(memory, store, env, &none, LOG, false, NULL), HEARTH_EXISTS);
  assert_int_equal(hearth_import(memory, store, env, &none, LOG, true, NULL), HEARTH_OK);
  assert_int_equal(entries(), TABLES);
  for (uint64_t table = 1; table <= TABLES; table++) {
    hearth_op op = {.kind = HEARTH_DROP, .table = table};
    assert_int_equal(memory->submit(store, &op, 1, 0, HEARTH_VISIBLE, NULL, NULL), HEARTH_OK);
  }
  assert_int_equal(hearth_import(memory, store, env, NULL, LOG, true, NULL), HEARTH_OK); /* nothing is there */
  assert_int_equal(entries(), TABLES);
  (void)state;
}

int main(void) {
#define CHECK(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      CHECK(every_call_of_the_backend_fails),
      CHECK(every_allocation_fails),
      CHECK(every_read_fails),
      CHECK(with_nothing_given),
  };
  return cmocka_run_group_tests_name("transfer", tests, NULL, NULL);
}
