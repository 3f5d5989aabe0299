/* Compaction of a store in a file, and its ballast: what others left or did meanwhile, and what comes afterwards. */
#include <errno.h>

#include "decode.h"
#include "meddled.h"
#include "scenario.h"
#include "store.h"

#define FRESH PLACE ".new"
#define BALLAST_FILE PLACE ".ballast"
#define START UINT64_C(1700000000000)

static const hearth_backend *const file = &hearth_file_backend;

static void opens(void) {
  if (diskstore_open(&d, 0) != HEARTH_OK) fail_msg("open: %s", d.err.message);
}

static void submits(uint64_t from, uint64_t to) {
  for (uint64_t n = from; n <= to; n++)
    if (scenario_submit(file, d.store, n, false, HEARTH_COMPLETE, &d.err) != HEARTH_OK) fail_msg("%s", d.err.message);
}

static size_t length_of(const char *path) {
  size_t size;
  return hearth_disk_bytes(d.disk, path, &size) != NULL ? size : 0;
}

/* ----------------------------------------------------------------- others */

typedef enum Deed { APPENDED, CUT, REPLACED, REMOVED, DEEDS } Deed;

/* What the store's file is like after another program was at it; NULL: it is gone. To be freed. */
static unsigned char *somebody_did(Deed deed, size_t *size) {
  size_t before;
  const unsigned char *bytes = hearth_disk_bytes(d.disk, PLACE, &before);
  unsigned char *now = calloc(1, before + 100);
  assert_non_null(now);
  memcpy(now, bytes, before);
  *size = deed == APPENDED ? before + 100 : deed == CUT ? before - 1 : before;
  if (deed == REPLACED) memset(now, 'x', before);
  if (deed == REPLACED || deed == REMOVED) hearth_disk_remove(d.disk, PLACE);
  if (deed != REMOVED) hearth_disk_put(d.disk, PLACE, now, *size);
  if (deed != REMOVED) return now;
  free(now);
  return NULL;
}

/* Longer or shorter under the same inode, or another file of the same length: it is not ours to throw away. */
static void what_others_did_to_the_file_stays(void **state) {
  for (Deed deed = APPENDED; deed < DEEDS; deed++)
    for (unsigned keep = 0; keep < 3; keep += 2) {
      size_t size, now;
      opens();
      submits(1, 9);
      assert_int_equal(file->barrier(d.store, HEARTH_DURABLE, &d.err), HEARTH_OK); /* a mark, of which a byte can go */
      unsigned char *expected = somebody_did(deed, &size);
      hearth_status status = file->compact(d.store, keep, &d.err);
      if (status != HEARTH_IO) fail_msg("deed %d: %s", (int)deed, hearth_status_name(status));
      assert_int_equal(scenario_submit(file, d.store, 10, false, HEARTH_COMPLETE, &d.err), HEARTH_DEAD);
      const unsigned char *found = hearth_disk_bytes(d.disk, PLACE, &now);
      assert_int_equal(found != NULL, expected != NULL);
      if (expected != NULL) {
        assert_int_equal(now, size);
        assert_memory_equal(found, expected, size);
      }
      free(expected);
      (void)end(state);
      (void)begin(state);
    }
}

static void a_new_file_that_is_in_the_way(void **state) {
  (void)state;
  opens();
  submits(1, 9);
  hearth_disk_put(d.disk, FRESH, "left behind", 11);
  assert_int_equal(file->compact(d.store, 0, &d.err), HEARTH_OK);
  assert_int_equal(scenario_verify(file, d.store), 9);
  assert_int_equal(length_of(FRESH), 0);
}

/* ------------------------------------------------------------- afterwards */

/*
** The batches that it keeps were made when they were made, and what they begin with when its last batch was; all of
** them are on the device.
*/
static void check_times(unsigned keep) {
  size_t size, at = LOG_HEADER_SIZE;
  const unsigned char *bytes = hearth_disk_bytes(d.disk, PLACE, &size);
  LogHeader h;
  LogFrame f;
  unsigned kept = 0;
  assert_int_equal(log_decode_header(bytes, size, &h), LOG_HEADER_GOOD);
  assert_true(h.time == START + 1000);
  for (; at < size; at += LOG_FRAME_SIZE + (size_t)f.length) {
    assert_true(log_decode_frame(bytes + at, h.salt, at, &f));
    bool mark = f.kind == LOG_SYNCED || f.kind == LOG_CLOSED;
    if (f.time != (mark ? START + 1000 : START + f.sequence)) fail_msg("the time of batch %d", (int)f.sequence);
    assert_true(f.synced == (mark ? f.sequence : f.sequence - 1)); /* what a frame knows to be on the device */
    kept += f.kind == LOG_BATCH;
  }
  assert_int_equal(kept, keep + 1);
}

static void kept_batches_keep_their_time(void **state) {
  (void)state;
  opens();
  for (uint64_t n = 1; n <= 9; n++) {
    hearth_disk_set_clock(d.disk, START + n);
    submits(n, n);
  }
  for (unsigned keep = 3; keep-- > 0;) {
    hearth_disk_set_clock(d.disk, START + 1000);
    if (keep == 0) {
      assert_int_equal(diskstore_close(&d), HEARTH_OK);
      opens();
    }
    assert_int_equal(file->compact(d.store, keep, &d.err), HEARTH_OK);
    check_times(keep);
  }
}

static int no_room_for_another(const char *path, unsigned flags) {
  (void)flags;
  meddler.calls += strcmp(path, FRESH) == 0;
  return strcmp(path, FRESH) == 0 ? ENOSPC : 0;
}

static void overwrite(void) {
  const hearth_op op = {HEARTH_PUT, 1, "key", 3, "some value", 10};
  assert_int_equal(file->submit(d.store, &op, 1, 0, HEARTH_COMPLETE, NULL, &d.err), HEARTH_OK);
}

/* Those that failed have put the next one off; when one succeeds, that is over. */
static void a_compaction_ends_the_putting_off(void **state) {
  (void)state;
  opens();
  meddler.open = no_room_for_another;
  while (meddler.calls < 20) overwrite();
  uint64_t put_off = diskstore_stat(&d).total_bytes;
  assert_true(put_off > 4 * STORE_LEAST_DEAD);
  meddler.open = NULL;
  assert_int_equal(file->compact(d.store, 0, &d.err), HEARTH_OK);
  uint64_t last = diskstore_stat(&d).total_bytes;
  for (bool fell = false; !fell;) {
    overwrite();
    uint64_t total = diskstore_stat(&d).total_bytes;
    fell = total < last;
    last = total;
    assert_true(total < LOG_HEADER_SIZE + STORE_LEAST_DEAD + 3 * (LOG_FRAME_SIZE + 32));
  }
}

/* ---------------------------------------------------------------- ballast */

/* One that is shorter than it should be would not help: it is made anew. */
static void a_ballast_that_was_cut_short(void **state) {
  (void)state;
  opens();
  submits(1, 1);
  size_t whole = length_of(BALLAST_FILE);
  assert_true(whole > 100);
  assert_int_equal(diskstore_close(&d), HEARTH_OK);
  hearth_disk_put(d.disk, BALLAST_FILE, "short", 5);
  opens();
  submits(2, 2);
  assert_int_equal(length_of(BALLAST_FILE), whole);
  assert_int_equal(d.warnings, 0);
}

int main(void) {
#define CHECK(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      CHECK(what_others_did_to_the_file_stays),
      CHECK(a_new_file_that_is_in_the_way),
      CHECK(kept_batches_keep_their_time),
      CHECK(a_compaction_ends_the_putting_off),
      CHECK(a_ballast_that_was_cut_short),
  };
  return cmocka_run_group_tests_name("compact", tests, NULL, NULL);
}
