/* What stands behind the last whole batch: who is told of it, and how what is whole in it is saved. */
#include <errno.h>
#include <inttypes.h>

#include "handmade.h"
#include "meddled.h"
#include "salvage.h"

#define TAIL PLACE ".tail-2"
#define COPY "/copy.hearth"
#define SAVED "/saved.hearth"

static const hearth_backend *const file = &hearth_file_backend;

static void put(const Handmade *m, const char *path) {
  hearth_disk_put(d.disk, path, m->bytes.data, m->bytes.size);
}

static bool said(const char *text) {
  return d.warnings == 1 && strstr(d.warning, text) != NULL;
}

/* Four batches that nobody flushed, with a bit flipped in the second. Answers where that begins. */
static size_t make_flipped(Handmade *m) {
  handmade_begin(m, 1, 0);
  handmade_batch(m, 1, 0);
  size_t at = m->bytes.size;
  for (uint64_t n = 2; n <= 4; n++) handmade_batch(m, n, 0);
  m->bytes.data[at + LOG_FRAME_SIZE] ^= 1;
  return at;
}

static uint64_t salvaged(const char *path) {
  SalvageReport report;
  assert_int_equal(file_salvage(hearth_disk_environment(d.disk), NULL, path, SAVED, false, NULL, NULL, &report, &d.err),
                   HEARTH_OK);
  return report.log.sequence;
}

static void whole_batches_in_a_torn_tail(void **state) {
  (void)state;
  Handmade m;
  size_t size, at = make_flipped(&m);
  put(&m, PLACE);
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  assert_int_equal(diskstore_stat(&d).sequence, 1);
  assert_true(said("kept in " TAIL "; whole batches are in it"));
  /* what the warning says to do, after more was committed */
  hearth_op op = {.kind = HEARTH_PUT, .table = 1, .key = "other", .key_size = 5, .value = "x", .value_size = 1};
  uint64_t sequence;
  assert_int_equal(file->submit(d.store, &op, 1, 0, HEARTH_DURABLE, &sequence, &d.err), HEARTH_OK);
  buffer_clear(&m.bytes);
  const unsigned char *bytes = hearth_disk_bytes(d.disk, PLACE, &size);
  buffer_put(&m.bytes, bytes, at);
  bytes = hearth_disk_bytes(d.disk, TAIL, &size);
  buffer_put(&m.bytes, bytes, size);
  put(&m, COPY);
  assert_int_equal(salvaged(COPY), 4);
  handmade_free(&m);
}

static void nothing_whole_in_a_torn_tail(void **state) {
  (void)state;
  Handmade m;
  handmade_begin(&m, 1, 0);
  handmade_batch(&m, 1, 0);
  handmade_garbage(&m, 3000);
  put(&m, PLACE);
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  assert_true(said("a torn tail of 3000 bytes"));
  assert_true(said("kept in " TAIL) && !said("whole batches"));
  handmade_free(&m);
}

/* --------------------------------------------------------------- readers */

static void reads(Handmade *m, const char *expected) {
  size_t size = m->bytes.size, after;
  put(m, PLACE);
  d.warnings = 0;
  assert_int_equal(diskstore_open(&d, HEARTH_OPEN_READONLY), HEARTH_OK);
  assert_int_equal(diskstore_stat(&d).sequence, 1);
  assert_int_equal(d.warnings, expected != NULL);
  if (expected != NULL && strstr(d.warning, expected) == NULL) fail_msg("%s", d.warning);
  assert_int_equal(diskstore_close(&d), HEARTH_OK);
  (void)hearth_disk_bytes(d.disk, PLACE, &after);
  assert_int_equal(after, size);
}

static void readers_are_told(void **state) {
  (void)state;
  Handmade m;
  char expected[100];
  size_t at = make_flipped(&m);
  (void)snprintf(expected, sizeof expected,
                 ": %zu bytes at byte %zu are a torn tail, or damaged, and are left out; whole", m.bytes.size - at, at);
  reads(&m, expected);
  handmade_free(&m);
  handmade_begin(&m, 1, 0);
  handmade_batch(&m, 1, 0);
  reads(&m, NULL);
  handmade_frame(&m, LOG_SYNCED, 1, 1, NULL, 0);
  (void)snprintf(expected, sizeof expected, ": 12 bytes at byte %zu are a torn tail, or damaged, and are left out",
                 m.bytes.size);
  reads(&m, NULL);
  handmade_garbage(&m, 12);
  reads(&m, expected);
  assert_null(strstr(d.warning, "whole"));
  handmade_free(&m);
}

/* The owner file of a process, or what is not one yet. */
static void put_owner(uint64_t process, bool whole) {
  const hearth_environment *env = hearth_disk_environment(d.disk);
  char boot[HEARTH_BOOT_SIZE], text[200];
  assert_int_equal(env->boot(env->ud, boot), 0);
  int n = snprintf(text, sizeof text, "hearth %" PRIu64 " %s locked\n", process, boot);
  hearth_disk_put(d.disk, PLACE ".owner", text, whole ? (size_t)n : 3);
}

/* What an owner is just writing is no tail. */
static void readers_beside_an_owner(void **state) {
  (void)state;
  Handmade m;
  const hearth_environment *env = hearth_disk_environment(d.disk);
  (void)make_flipped(&m);
  put_owner(env->process(env->ud), true);
  reads(&m, NULL);
  put_owner(env->process(env->ud), false);
  reads(&m, NULL);
  put_owner(4711, true);
  reads(&m, env->alive(env->ud, 4711) ? NULL : "torn tail");
  handmade_free(&m);
}

/* A read or a request for memory that fails is told, and nothing leaks. */
static void looking_at_the_tail_fails(void **state) {
  (void)state;
  Handmade m;
  handmade_begin(&m, 1, 0);
  handmade_batch(&m, 1, 0);
  handmade_garbage(&m, (size_t)600 << 10); /* more than is read at once */
  put(&m, PLACE);
  int failed = 0;
  for (long call = 0;; call++) {
    hearth_disk_arm(d.disk, (hearth_disk_fault){HEARTH_DISK_ALL_CALLS, call, EIO, false, false});
    hearth_status status = diskstore_open(&d, HEARTH_OPEN_READONLY);
    bool struck = hearth_disk_struck(d.disk);
    hearth_disk_disarm(d.disk);
    if (status == HEARTH_OK) assert_int_equal(diskstore_close(&d), HEARTH_OK);
    failed += status == HEARTH_IO;
    if (!struck) break;
  }
  assert_true(failed > 4);
  for (long call = 0;; call++) {
    d.memory.calls = 0;
    d.memory.fail_at = call;
    hearth_status status = diskstore_open(&d, HEARTH_OPEN_READONLY);
    d.memory.fail_at = -1;
    if (status == HEARTH_OK) break;
    assert_int_equal(status, HEARTH_NOMEM);
  }
  assert_int_equal(diskstore_close(&d), HEARTH_OK);
  handmade_free(&m);
}

/* ---------------------------------------------------------------- verify */

static uint64_t behind(const Handmade *m) {
  LogReport report;
  put(m, PLACE);
  assert_int_equal(file_verify(hearth_disk_environment(d.disk), NULL, PLACE, NULL, NULL, &report, &d.err), HEARTH_OK);
  return report.behind;
}

static void bytes_behind_the_last_batch(void **state) {
  (void)state;
  Handmade m;
  handmade_begin(&m, 1, 0);
  assert_int_equal(behind(&m), 0);
  handmade_batch(&m, 1, 0);
  assert_int_equal(behind(&m), 0);
  size_t end = m.bytes.size;
  handmade_put(&m, LOG_PART, 2, 0, "a", "part", 4);
  assert_int_equal(behind(&m), m.bytes.size - end);
  handmade_garbage(&m, 12);
  assert_int_equal(behind(&m), m.bytes.size - end);
  handmade_free(&m);
  handmade_begin(&m, 1, 0);
  handmade_batch(&m, 1, 0);
  handmade_frame(&m, LOG_CLOSED, 1, 1, NULL, 0);
  assert_int_equal(behind(&m), 0);
  handmade_garbage(&m, 12);
  assert_int_equal(behind(&m), 12);
  handmade_free(&m);
}

int main(void) {
#define CHECK(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      CHECK(whole_batches_in_a_torn_tail),
      CHECK(nothing_whole_in_a_torn_tail),
      CHECK(readers_are_told),
      CHECK(readers_beside_an_owner),
      CHECK(looking_at_the_tail_fails),
      CHECK(bytes_behind_the_last_batch),
  };
  return cmocka_run_group_tests_name("tail", tests, NULL, NULL);
}
