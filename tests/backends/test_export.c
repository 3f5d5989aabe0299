/* Exports: the same bytes from every backend, and whole or not there. */
#include "export.h"

#include <errno.h>

#include "decode.h"
#include "diskstore.h"
#include "scenario.h"

#define OUT "/out.hearth"

static const hearth_backend *file = &hearth_file_backend;
static const hearth_backend *memory = &hearth_memory_backend;

static hearth_backend_store *memory_store(uint64_t batches) {
  hearth_backend_config config = {.size = sizeof config};
  hearth_backend_store *store;
  assert_int_equal(memory->open(&config, &store, NULL), HEARTH_OK);
  for (uint64_t n = 1; n <= batches; n++)
    assert_int_equal(scenario_submit(memory, store, n, false, HEARTH_VISIBLE, NULL), HEARTH_OK);
  return store;
}

static hearth_status export_to(DiskStore *d, const hearth_backend *backend, hearth_backend_store *store,
                               const char *path) {
  hearth_allocator allocator = counting_allocator(&d->memory);
  return hearth_export(backend, store, hearth_disk_environment(d->disk), &allocator, path, &d->err);
}

static hearth_status import_from(DiskStore *d, const hearth_backend *backend, hearth_backend_store *store,
                                 const char *path) {
  hearth_allocator allocator = counting_allocator(&d->memory);
  return hearth_import(backend, store, hearth_disk_environment(d->disk), &allocator, path, false, &d->err);
}

static void the_same_bytes_from_every_backend(void **state) {
  (void)state;
  const uint64_t counts[] = {0, 1, 40};
  for (size_t i = 0; i < 3; i++) {
    DiskStore d;
    diskstore_init(&d);
    hearth_disk_set_clock(d.disk, 1700000000000 + i);
    assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
    for (uint64_t n = 1; n <= counts[i]; n++)
      assert_int_equal(scenario_submit(file, d.store, n, n % 2 == 0, HEARTH_COMPLETE, &d.err), HEARTH_OK);
    hearth_backend_store *store = memory_store(counts[i]);
    assert_int_equal(export_to(&d, memory, store, "/a.hearth"), HEARTH_OK);
    hearth_disk_set_clock(d.disk, 1800000000000);
    assert_int_equal(export_to(&d, file, d.store, "/b.hearth"), HEARTH_OK);
    assert_int_equal(file->compact(d.store, 0, &d.err), HEARTH_OK);
    assert_int_equal(export_to(&d, file, d.store, "/c.hearth"), HEARTH_OK);
    assert_int_equal(export_to(&d, file, d.store, "/c.hearth"), HEARTH_EXISTS);
    size_t a, b, c;
    const unsigned char *first = hearth_disk_bytes(d.disk, "/a.hearth", &a);
    assert_non_null(first);
    const unsigned char *second = hearth_disk_bytes(d.disk, "/b.hearth", &b);
    const unsigned char *third = hearth_disk_bytes(d.disk, "/c.hearth", &c);
    assert_int_equal(a, b);
    assert_int_equal(a, c);
    assert_memory_equal(first, second, a);
    assert_memory_equal(first, third, a);
    memory->close(store, NULL);
    diskstore_done(&d);
  }
}

/* Tables by their numbers, keys by their bytes, each once. */
static void entries_are_in_the_order_of_their_keys(void **state) {
  (void)state;
  DiskStore d;
  diskstore_init(&d);
  hearth_backend_store *store = memory_store(43);
  assert_int_equal(export_to(&d, memory, store, OUT), HEARTH_OK);
  size_t size;
  const unsigned char *bytes = hearth_disk_bytes(d.disk, OUT, &size);
  LogFrame f;
  LogOps ops;
  LogOp op, before = {.table = 0};
  unsigned entries = 0;
  for (uint64_t at = LOG_HEADER_SIZE; at < size; at += LOG_FRAME_SIZE + f.length) {
    LogHeader h;
    assert_int_equal(log_decode_header(bytes, size, &h), LOG_HEADER_GOOD);
    assert_true(log_decode_frame(bytes + at, h.salt, at, &f));
    log_ops(&ops, bytes + at + LOG_FRAME_SIZE, f.length, at + LOG_FRAME_SIZE);
    for (; log_decode_op(&ops, &op); before = op, entries++) {
      size_t common = op.key_size < before.key_size ? op.key_size : before.key_size;
      int order = entries == 0 || op.table != before.table ? 0 : memcmp(before.key, op.key, common);
      assert_int_equal(op.kind, HEARTH_PUT);
      assert_true(op.table >= before.table);
      if (entries > 0 && op.table == before.table)
        assert_true(order < 0 || (order == 0 && before.key_size < op.key_size));
    }
    assert_false(ops.bad);
  }
  assert_true(entries > 5);
  memory->close(store, NULL);
  diskstore_done(&d);
}

/* Into memory, into a file, and opened as what it is: a store. */
static void an_export_comes_back(void **state) {
  (void)state;
  char expected[SCENARIO_TEXT], text[SCENARIO_TEXT];
  DiskStore d;
  diskstore_init(&d);
  hearth_backend_store *store = memory_store(40), *back = memory_store(0);
  scenario_expected(40, expected);
  assert_int_equal(export_to(&d, memory, store, OUT), HEARTH_OK);
  assert_int_equal(import_from(&d, memory, back, OUT), HEARTH_OK);
  assert_int_equal(scenario_text(memory, back, text, &d.err), HEARTH_OK);
  assert_string_equal(text, expected);
  assert_int_equal(import_from(&d, memory, back, OUT), HEARTH_EXISTS);
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  assert_int_equal(import_from(&d, file, d.store, OUT), HEARTH_OK);
  assert_int_equal(diskstore_stat(&d).sequence, 1);
  diskstore_close(&d);
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  assert_int_equal(scenario_text(file, d.store, text, &d.err), HEARTH_OK);
  assert_string_equal(text, expected);
  diskstore_close(&d);
  hearth_backend_config config = {.size = sizeof config, .location = OUT,
                                  .environment = hearth_disk_environment(d.disk)};
  hearth_backend_store *opened;
  assert_int_equal(file->open(&config, &opened, &d.err), HEARTH_OK);
  assert_int_equal(scenario_text(file, opened, text, &d.err), HEARTH_OK);
  assert_string_equal(text, expected);
  file->close(opened, NULL);
  /* a store's own file, with all its history, can be imported too */
  hearth_backend_store *third = memory_store(0);
  assert_int_equal(import_from(&d, memory, third, PLACE), HEARTH_OK);
  assert_int_equal(scenario_text(memory, third, text, &d.err), HEARTH_OK);
  assert_string_equal(text, expected);
  memory->close(third, NULL);
  memory->close(store, NULL);
  memory->close(back, NULL);
  diskstore_done(&d);
}

/* What the store held before goes in the same batch: after a failure it is still there. */
static void an_import_replaces(void **state) {
  (void)state;
  char expected[SCENARIO_TEXT], before[SCENARIO_TEXT], text[SCENARIO_TEXT];
  static const hearth_op other = {HEARTH_PUT, 77, "other", 5, "value", 5};
  DiskStore d;
  diskstore_init(&d);
  hearth_allocator allocator = counting_allocator(&d.memory);
  hearth_backend_store *store = memory_store(40), *target = memory_store(9);
  scenario_expected(40, expected);
  scenario_expected(9, before);
  assert_int_equal(export_to(&d, memory, store, OUT), HEARTH_OK);
  size_t size;
  const unsigned char *whole = hearth_disk_bytes(d.disk, OUT, &size);
  unsigned char *cut = malloc(size);
  memcpy(cut, whole, size);
  cut[size - 1] ^= 1;
  hearth_disk_put(d.disk, "/cut.hearth", cut, size);
  free(cut);
  assert_int_equal(hearth_import(memory, target, hearth_disk_environment(d.disk), &allocator, "/cut.hearth", true,
                                 &d.err),
                   HEARTH_DAMAGED);
  assert_int_equal(scenario_text(memory, target, text, &d.err), HEARTH_OK);
  assert_string_equal(text, before);
  assert_int_equal(memory->submit(target, &other, 1, 0, HEARTH_VISIBLE, NULL, &d.err), HEARTH_OK);
  assert_int_equal(hearth_import(memory, target, hearth_disk_environment(d.disk), &allocator, OUT, true, &d.err),
                   HEARTH_OK);
  assert_int_equal(scenario_text(memory, target, text, &d.err), HEARTH_OK);
  assert_string_equal(text, expected);
  memory->close(store, NULL);
  memory->close(target, NULL);
  diskstore_done(&d);
}

static void nothing_is_imported_from_damaged_files(void **state) {
  (void)state;
  DiskStore d;
  diskstore_init(&d);
  hearth_backend_store *store = memory_store(12);
  assert_int_equal(export_to(&d, memory, store, OUT), HEARTH_OK);
  size_t size;
  const unsigned char *bytes = hearth_disk_bytes(d.disk, OUT, &size);
  unsigned char *copy = malloc(size);
  memcpy(copy, bytes, size);
  hearth_backend_store *back = memory_store(0);
  for (size_t at = 0; at < size; at++)
    for (int cut = 0; cut < 2; cut++) {
      copy[at] ^= 0x04;
      hearth_disk_put(d.disk, OUT, copy, cut ? at : size);
      hearth_status status = import_from(&d, memory, back, OUT);
      copy[at] ^= 0x04;
      if (cut && at == size - LOG_FRAME_SIZE) { /* all but the closing mark: still whole */
        assert_int_equal(status, HEARTH_OK);
        memory->close(back, NULL);
        back = memory_store(0);
        continue;
      }
      assert_true(status == HEARTH_DAMAGED || status == HEARTH_NOTSTORE);
      hearth_backend_stat stat = {.size = sizeof stat};
      assert_int_equal(memory->stat(back, &stat, NULL), HEARTH_OK);
      assert_int_equal(stat.entries, 0);
    }
  free(copy);
  assert_int_equal(import_from(&d, memory, back, "/none"), HEARTH_NOTFOUND);
  memory->close(back, NULL);
  memory->close(store, NULL);
  diskstore_done(&d);
}

static void every_failure_leaves_no_file(void **state) {
  (void)state;
  hearth_backend_store *store = memory_store(12);
  for (int kind = 0; kind < 3; kind++) {
    long n = 0;
    for (bool struck = true; struck; n++) {
      DiskStore d;
      size_t size;
      diskstore_init(&d);
      if (kind == 0) hearth_disk_arm(d.disk, (hearth_disk_fault){HEARTH_DISK_ALL_CALLS, n, EIO, false, false});
      if (kind == 1) hearth_disk_arm(d.disk, (hearth_disk_fault){HEARTH_DISK_WRITES, n, ENOSPC, false, true});
      if (kind == 2) d.memory.fail_at = n;
      hearth_status status = export_to(&d, memory, store, OUT);
      struck = kind == 2 ? d.memory.calls > n : hearth_disk_struck(d.disk);
      const hearth_status expected[] = {HEARTH_IO, HEARTH_FULL, HEARTH_NOMEM};
      assert_int_equal(status, struck ? expected[kind] : HEARTH_OK);
      assert_int_equal(hearth_disk_bytes(d.disk, OUT, &size) != NULL, status == HEARTH_OK);
      assert_int_equal(d.memory.bytes, 0);
      diskstore_done(&d);
    }
    assert_true(n > 2);
  }
  memory->close(store, NULL);
}

/* Once it is said to be there, it is on the device, and whole: bytes, length and name. */
static void an_export_survives_a_power_loss(void **state) {
  (void)state;
  char expected[SCENARIO_TEXT], text[SCENARIO_TEXT];
  hearth_backend_store *store = memory_store(12);
  scenario_expected(12, expected);
  for (unsigned seed = 0; seed < 200; seed++) {
    DiskStore d;
    diskstore_init(&d);
    assert_int_equal(export_to(&d, memory, store, OUT), HEARTH_OK);
    hearth_disk_kill_process(d.disk);
    hearth_disk_power_loss(d.disk, seed);
    hearth_backend_config config = {.size = sizeof config, .location = OUT, .flags = HEARTH_OPEN_READONLY,
                                    .environment = hearth_disk_environment(d.disk)};
    hearth_backend_store *opened;
    if (file->open(&config, &opened, &d.err) != HEARTH_OK) fail_msg("loss %u: %s", seed, d.err.message);
    assert_int_equal(scenario_text(file, opened, text, &d.err), HEARTH_OK);
    assert_string_equal(text, expected);
    assert_int_equal(file->close(opened, NULL), HEARTH_OK);
    diskstore_done(&d);
  }
  memory->close(store, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_same_bytes_from_every_backend),
      cmocka_unit_test(entries_are_in_the_order_of_their_keys),
      cmocka_unit_test(an_export_comes_back),
      cmocka_unit_test(an_import_replaces),
      cmocka_unit_test(nothing_is_imported_from_damaged_files),
      cmocka_unit_test(every_failure_leaves_no_file),
      cmocka_unit_test(an_export_survives_a_power_loss),
  };
  return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
