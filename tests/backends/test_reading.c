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

/* ------------------------------------------------------- how much is read */

#define MANY 2000
#define EACH 100
#define STORED ((uint64_t)MANY * (EACH + 30)) /* bytes in the file, at most */

static uint64_t bytes_read, calls_read;

static int count_read(uint64_t offset, size_t size) {
  (void)offset;
  bytes_read += size;
  calls_read++;
  return 0;
}

static void make_key(char key[8], int number) {
  (void)snprintf(key, 8, "%05d", number);
}

/* Many entries, one behind the other, in a store that was just opened. */
static void open_many(void) {
  static const char value[EACH];
  char key[8];
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  for (int i = 0; i < MANY; i++) {
    make_key(key, i);
    hearth_op op = {HEARTH_PUT, 2, key, 5, value, EACH};
    assert_int_equal(file->submit(d.store, &op, 1, i + 1 < MANY ? HEARTH_BATCH_MORE : 0, HEARTH_COMPLETE, NULL, &d.err),
                     HEARTH_OK);
  }
  assert_int_equal(diskstore_close(&d), HEARTH_OK);
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  meddler.pread = count_read;
  bytes_read = calls_read = 0;
}

static int count_to_40(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t size) {
  (void)table, (void)key, (void)key_size, (void)value;
  assert_int_equal(size, EACH);
  return ++*(int *)ud % 40 == 0;
}

/* As a whole, and as an iterator of an external table asks for it. */
static void a_scan_reads_little_more_than_it_gives(void **state) {
  (void)state;
  int found = 0;
  char from[8];
  open_many();
  for (int result = 1; result != 0;) {
    make_key(from, found);
    assert_int_equal(file->scan(d.store, 2, from, 5, NULL, 0, false, count_to_40, &found, &result, &d.err), HEARTH_OK);
  }
  assert_int_equal(found, MANY);
  assert_in_range(bytes_read, (uint64_t)MANY * EACH, 3 * STORED);
  assert_in_range(calls_read, 1, MANY / 40 * 4);
  meddler.pread = NULL;
}

static int count_whole(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t size) {
  (void)table, (void)key, (void)key_size, (void)value, (void)size;
  ++*(int *)ud;
  return 0;
}

static void a_whole_scan_reads_in_large_pieces(void **state) {
  (void)state;
  int found = 0;
  open_many();
  assert_int_equal(file->scan(d.store, 2, NULL, 0, NULL, 0, false, count_whole, &found, NULL, &d.err), HEARTH_OK);
  assert_int_equal(found, MANY);
  assert_in_range(bytes_read, (uint64_t)MANY * EACH, 3 * STORED / 2);
  assert_in_range(calls_read, 1, 12);
  meddler.pread = NULL;
}

/* Values that are read in turns find their places beside each other. */
static void values_read_in_turns_are_read_once(void **state) {
  (void)state;
  open_many();
  for (int round = 0; round < 3; round++) {
    calls_read = 0;
    for (int i = 0; i < 64; i++) {
      int found = 0;
      char key[8];
      make_key(key, (i * i * 17 + i * 5) % MANY);
      assert_int_equal(file->get(d.store, 2, key, 5, count_whole, &found, &d.err), HEARTH_OK);
      assert_int_equal(found, 1);
    }
    if (round > 0) assert_int_equal(calls_read, 0);
  }
  meddler.pread = NULL;
}

int main(void) {
#define CHECK(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      CHECK(values_that_have_changed),
      CHECK(reads_that_fail),
      CHECK(reads_of_a_reader_that_fail),
      CHECK(memory_that_fails),
      CHECK(a_reader_of_a_file_that_was_replaced),
      CHECK(a_scan_reads_little_more_than_it_gives),
      CHECK(a_whole_scan_reads_in_large_pieces),
      CHECK(values_read_in_turns_are_read_once),
  };
  return cmocka_run_group_tests_name("reading", tests, NULL, NULL);
}
