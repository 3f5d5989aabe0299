/* Files with a log that are written in one go: exports, what salvage saves; and what import takes. */
#include "logfile.h"

#include <errno.h>

#include "export.h"
#include "handmade.h"
#include "meddled.h"

/* A log with one batch and `entries` entries. */
static hearth_status make(const char *path, unsigned char entries) {
  LogOutput out;
  LogHeader h = {.write_version = LOG_WRITE_VERSION, .read_version = LOG_READ_VERSION, .first = 1, .synced = 1};
  hearth_allocator allocator = counting_allocator(&d.memory);
  hearth_status status = logfile_create(&out, hearth_disk_environment(d.disk), &allocator, path, NULL, &h, &d.err);
  for (unsigned char i = 0; i < entries && status == HEARTH_OK; i++) {
    LogOp op = {.kind = HEARTH_PUT, .table = 1, .key = &i, .key_size = 1, .value = &i, .value_size = 1};
    status = logfile_op(&out, &op, &d.err);
    if (status != HEARTH_OK) logfile_abandon(&out);
  }
  return status == HEARTH_OK ? logfile_finish(&out, &d.err) : status;
}

static char synced[64];

static int note_folder(const char *path) {
  (void)snprintf(synced, sizeof synced, "%s", path);
  return 0;
}

/* The name of a new file is on the device when its folder was synced. */
static void the_folder_is_synced(void **state) {
  (void)state;
  static const char *const names[][2] = {
      {"here", "."}, {"/root", "/"}, {"/a/b", "/a"}, {"a/b", "a"}, {"/a/b.c/d", "/a/b.c"}, {"../x", ".."}};
  meddler.sync_folder = note_folder;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    synced[0] = '\0';
    assert_int_equal(make(names[i][0], 3), HEARTH_OK);
    assert_string_equal(synced, names[i][1]);
  }
}

/* With and without entries: the empty batch is made at the end. */
static void every_allocation_fails(void **state) {
  (void)state;
  size_t size;
  for (unsigned char entries = 0; entries < 60; entries += 59)
    for (d.memory.fail_at = 0;; d.memory.fail_at++) {
      d.memory.calls = 0;
      hearth_status status = make("/folder/new", entries);
      assert_int_equal(d.memory.bytes, 0);
      if (d.memory.calls <= d.memory.fail_at) {
        assert_int_equal(status, HEARTH_OK);
        assert_true(d.memory.fail_at > 1);
        hearth_disk_remove(d.disk, "/folder/new");
        break;
      }
      assert_int_equal(status, HEARTH_NOMEM);
      assert_null(hearth_disk_bytes(d.disk, "/folder/new", &size));
    }
}

/* -------------------------------------------------------------- importing */

static hearth_status import(Handmade *m, hearth_backend_stat *stat) {
  hearth_backend_config config = {.size = sizeof config};
  hearth_backend_store *store;
  const hearth_backend *memory = &hearth_memory_backend;
  hearth_disk_put(d.disk, "/log", m->bytes.data, m->bytes.size);
  assert_int_equal(memory->open(&config, &store, NULL), HEARTH_OK);
  hearth_status status = hearth_import(memory, store, hearth_disk_environment(d.disk), NULL, "/log", false, &d.err);
  *stat = (hearth_backend_stat){.size = sizeof *stat};
  assert_int_equal(memory->stat(store, stat, NULL), HEARTH_OK);
  assert_int_equal(memory->close(store, NULL), HEARTH_OK);
  handmade_free(m);
  return status;
}

/* The checks are right, but behind a good operation is none: not one entry is taken. */
static void a_frame_that_makes_no_sense(void **state) {
  (void)state;
  static const char good[] = "\x02\x01\x01k"; /* delete "k" of table 1 */
  hearth_backend_stat stat;
  for (int bad = 0; bad < 2; bad++) {
    Handmade m;
    handmade_begin(&m, 1, 0);
    handmade_batch(&m, 1, 0);
    char payload[] = "\x02\x01\x01k\x07";
    assert_memory_equal(payload, good, 4);
    handmade_frame(&m, LOG_BATCH, 2, 1, payload, bad ? 5 : 4);
    uint64_t at = m.frame_at;
    assert_int_equal(import(&m, &stat), bad ? HEARTH_DAMAGED : HEARTH_OK);
    if (bad) assert_true(d.err.position == at && strstr(d.err.message, "nothing was imported") != NULL);
    assert_int_equal(stat.entries, 0);
    assert_int_equal(stat.sequence, bad ? 0 : 1);
  }
}

/* What is not there to its end is not taken: parts without their last, fewer batches than the header says, a tail. */
static void a_log_that_is_not_whole(void **state) {
  (void)state;
  for (int lacks = 0; lacks < 4; lacks++) {
    Handmade m;
    hearth_backend_stat stat;
    handmade_begin(&m, 1, lacks == 1 ? 2 : 0);
    handmade_batch(&m, 1, 0);
    if (lacks == 2) handmade_put(&m, LOG_PART, 2, 1, "k", "v", 1);
    if (lacks == 3) handmade_garbage(&m, 9);
    uint64_t whole = lacks == 3 ? m.bytes.size - 9 : m.bytes.size;
    assert_int_equal(import(&m, &stat), lacks == 0 ? HEARTH_OK : HEARTH_DAMAGED);
    if (lacks > 0) assert_int_equal(d.err.position, whole);
    assert_int_equal(stat.entries, lacks == 0);
  }
}

int main(void) {
#define CHECK(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      CHECK(the_folder_is_synced),
      CHECK(every_allocation_fails),
      CHECK(a_frame_that_makes_no_sense),
      CHECK(a_log_that_is_not_whole),
  };
  return cmocka_run_group_tests_name("logfile", tests, NULL, NULL);
}
