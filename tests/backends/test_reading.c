/* Reading values while the file changes or fails: a writer is told of damage, a reader that it is stale. */
#include <errno.h>

#include "diskstore.h"
#include "handmade.h"
#include "meddler.h"

static const hearth_backend *const file = &hearth_file_backend;

static DiskStore d; /* hooks see it too */
static Handmade m;

#define SMALL 5000
#define LARGE 70000 /* more than a scan reads ahead */

/* A log with the entries "a" to "c", whose values are not read at once. */
static int begin(void **state) {
  static const char large[LARGE];
  (void)state;
  diskstore_init(&d);
  meddle(d.disk);
  handmade_begin(&m, 1, 0);
  handmade_put(&m, LOG_BATCH, 1, 0, "a", large, SMALL);
  handmade_put(&m, LOG_BATCH, 2, 1, "b", large, SMALL);
  handmade_put(&m, LOG_BATCH, 3, 2, "c", large, LARGE);
  handmade_frame(&m, LOG_CLOSED, 3, 3, "", 0);
  hearth_disk_put(d.disk, PLACE, m.bytes.data, m.bytes.size);
  return 0;
}

static int end(void **state) {
  (void)state;
  meddle_no_more();
  handmade_free(&m);
  diskstore_done(&d);
  return 0;
}

static int count(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t size) {
  (void)table, (void)key_size;
  if (value != NULL) assert_int_equal(size, *(const char *)key == 'c' ? LARGE : SMALL);
  ++*(int *)ud;
  return 0;
}

static hearth_status get(const char *key, int *found) {
  *found = 0;
  return file->get(d.store, 1, key, 1, count, found, &d.err);
}

static hearth_status scan(int *found) {
  *found = 0;
  return file->scan(d.store, 1, NULL, 0, NULL, 0, false, count, found, NULL, &d.err);
}

static hearth_status tables(int *found) {
  *found = 0;
  return file->tables(d.store, count, found, NULL, &d.err);
}

/* The file ends in the middle of the last value, or its bytes are others: what is whole is delivered. */
static void values_that_have_changed(void **state) {
  for (int reader = 0; reader < 2; reader++)
    for (int shorter = 0; shorter < 2; shorter++) {
      int found;
      assert_int_equal(diskstore_open(&d, reader ? HEARTH_OPEN_READONLY : 0), HEARTH_OK);
      size_t size = m.bytes.size;
      m.bytes.data[size - LOG_FRAME_SIZE - 1] ^= 1;
      if (shorter) size -= LOG_FRAME_SIZE + 100;
      hearth_disk_put(d.disk, PLACE, m.bytes.data, size);
      bool stale = reader && shorter; /* its length says that somebody writes there */
      assert_int_equal(get("c", &found), stale ? HEARTH_STALE : HEARTH_DAMAGED);
      if (!stale) assert_int_equal(d.err.position, m.bytes.size - LOG_FRAME_SIZE - LARGE);
      assert_int_equal(found, 0);
      assert_int_equal(scan(&found), stale ? HEARTH_STALE : HEARTH_DAMAGED);
      assert_int_equal(found, 2);
      assert_int_equal(get("a", &found), HEARTH_OK);
      assert_int_equal(found, 1);
      (void)end(state);
      (void)begin(state);
    }
}

/* A read that fails is the end of this store, until it is opened again. */
static void reads_that_fail(void **state) {
  for (int scans = 0; scans < 2; scans++) {
    int found;
    assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
    hearth_disk_arm(d.disk, (hearth_disk_fault){HEARTH_DISK_READS, 0, EIO, false, false});
    assert_int_equal(scans ? scan(&found) : get("a", &found), HEARTH_IO);
    hearth_disk_disarm(d.disk);
    assert_int_equal(found, 0);
    assert_int_equal(get("a", &found), HEARTH_DEAD);
    assert_int_equal(scan(&found), HEARTH_DEAD);
    assert_int_equal(tables(&found), HEARTH_DEAD);
    assert_int_equal(diskstore_close(&d), HEARTH_OK);
    assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
    assert_int_equal(scan(&found), HEARTH_OK);
    assert_int_equal(found, 3);
    assert_int_equal(tables(&found), HEARTH_OK);
    assert_int_equal(found, 1);
    (void)end(state);
    (void)begin(state);
  }
}

/* Not that of a reader, which has nothing to lose. */
static void reads_of_a_reader_that_fail(void **state) {
  (void)state;
  assert_int_equal(diskstore_open(&d, HEARTH_OPEN_READONLY), HEARTH_OK);
  for (int scans = 0; scans < 2; scans++) {
    int found;
    hearth_disk_arm(d.disk, (hearth_disk_fault){HEARTH_DISK_READS, 0, EIO, false, false});
    assert_int_equal(scans ? scan(&found) : get("a", &found), HEARTH_IO);
    hearth_disk_disarm(d.disk);
    assert_int_equal(found, 0);
    assert_int_equal(scan(&found), HEARTH_OK);
    assert_int_equal(found, 3);
    assert_int_equal(tables(&found), HEARTH_OK);
    assert_int_equal(file->poll(d.store, &d.err), HEARTH_OK);
    assert_int_equal(file->refresh(d.store, &d.err), HEARTH_OK);
  }
}

static void memory_that_fails(void **state) {
  (void)state;
  int found;
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  for (int scans = 0; scans < 2; scans++) {
    d.memory.fail_at = d.memory.calls;
    assert_int_equal(scans ? scan(&found) : get("c", &found), HEARTH_NOMEM);
    d.memory.fail_at = -1;
    assert_int_equal(found, 0);
    d.memory.fail_at = d.memory.calls;
    assert_int_equal(get("a", &found), HEARTH_OK); /* the cache can do without */
    d.memory.fail_at = -1;
    assert_int_equal(found, 1);
    assert_int_equal(get("b", &found), HEARTH_OK); /* the store goes on */
  }
}

/* Another file has the name: a reader is told before it reads anything. */
static void a_reader_of_a_file_that_was_replaced(void **state) {
  (void)state;
  int found;
  assert_int_equal(diskstore_open(&d, HEARTH_OPEN_READONLY), HEARTH_OK);
  hearth_disk_remove(d.disk, PLACE);
  hearth_disk_put(d.disk, PLACE, m.bytes.data, m.bytes.size);
  assert_int_equal(get("a", &found), HEARTH_STALE);
  assert_int_equal(scan(&found), HEARTH_STALE);
  assert_int_equal(tables(&found), HEARTH_STALE);
  assert_int_equal(file->refresh(d.store, &d.err), HEARTH_OK);
  assert_int_equal(scan(&found), HEARTH_OK);
  assert_int_equal(found, 3);
}

int main(void) {
#define CHECK(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      CHECK(values_that_have_changed),
      CHECK(reads_that_fail),
      CHECK(reads_of_a_reader_that_fail),
      CHECK(memory_that_fails),
      CHECK(a_reader_of_a_file_that_was_replaced),
  };
  return cmocka_run_group_tests_name("reading", tests, NULL, NULL);
}
