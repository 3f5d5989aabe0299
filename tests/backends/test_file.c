/* What only the file backend promises: names, owners, readers, levels, compaction, room on a full disk. */
#include <errno.h>
#include <inttypes.h>

#include "diskstore.h"
#include "decode.h"
#include "encode.h"
#include "scenario.h"
#include "store.h"

static const hearth_backend *file = &hearth_file_backend;

static int setup(void **state) {
  DiskStore *d = malloc(sizeof *d);
  diskstore_init(d);
  *state = d;
  return 0;
}

static int teardown(void **state) {
  diskstore_done(*state);
  free(*state);
  return 0;
}

static void opens(DiskStore *d, unsigned flags) {
  if (diskstore_open(d, flags) != HEARTH_OK) fail_msg("open: %s", d->err.message);
}

static void submits(DiskStore *d, uint64_t n, hearth_durability level) {
  if (scenario_submit(file, d->store, n, false, level, &d->err) != HEARTH_OK) fail_msg("submit: %s", d->err.message);
}

static void says(const DiskStore *d, const char *text) {
  if (strstr(d->err.message, text) == NULL) fail_msg("\"%s\" does not say \"%s\"", d->err.message, text);
  assert_ptr_equal(strstr(d->err.message, PLACE), d->err.message);
}

static int copy_value(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t size) {
  (void)table, (void)key, (void)key_size;
  memcpy(ud, value, size);
  return 0;
}

static bool there(const DiskStore *d, const char *path) {
  size_t size;
  return hearth_disk_bytes(d->disk, path, &size) != NULL;
}

/* --------------------------------------------------------------- places */

static void what_is_there_decides(void **state) {
  DiskStore *d = *state;
  assert_int_equal(diskstore_open(d, HEARTH_OPEN_NO_CREATE), HEARTH_NOTFOUND);
  assert_int_equal(diskstore_open(d, HEARTH_OPEN_READONLY), HEARTH_NOTFOUND);
  assert_int_equal(diskstore_open(d, 0x80), HEARTH_INVALID);
  assert_null(hearth_disk_name(d->disk, 0));
  hearth_disk_put(d->disk, PLACE, "", 0);
  assert_int_equal(diskstore_open(d, HEARTH_OPEN_EXCLUSIVE), HEARTH_EXISTS);
  opens(d, HEARTH_OPEN_READONLY); /* an empty file has no entries */
  assert_int_equal(scenario_verify(file, d->store), 0);
  diskstore_close(d);
  opens(d, HEARTH_OPEN_NO_CREATE); /* and may become a store */
  submits(d, 1, HEARTH_DURABLE);
  diskstore_close(d);
  opens(d, 0);
  assert_int_equal(scenario_verify(file, d->store), 1);
}

static void put_header(DiskStore *d, uint16_t write_version, uint16_t read_version) {
  unsigned char bytes[LOG_HEADER_SIZE];
  LogHeader h = {.write_version = write_version, .read_version = read_version, .salt = 5, .first = 1};
  log_encode_header(bytes, &h);
  hearth_disk_put(d->disk, PLACE, bytes, sizeof bytes);
}

static void newer_formats_are_refused(void **state) {
  DiskStore *d = *state;
  put_header(d, LOG_WRITE_VERSION + 1, LOG_READ_VERSION + 1);
  assert_int_equal(diskstore_open(d, 0), HEARTH_VERSION);
  assert_int_equal(diskstore_open(d, HEARTH_OPEN_READONLY), HEARTH_VERSION);
  says(d, "format 2");
  put_header(d, LOG_WRITE_VERSION + 1, LOG_READ_VERSION);
  assert_int_equal(diskstore_open(d, 0), HEARTH_VERSION);
  says(d, "read-only");
  opens(d, HEARTH_OPEN_READONLY);
  diskstore_close(d);
  put_header(d, LOG_WRITE_VERSION, LOG_READ_VERSION);
  opens(d, 0);
}

static void a_disk_that_cannot_be_written(void **state) {
  DiskStore *d = *state;
  opens(d, 0);
  submits(d, 1, HEARTH_DURABLE);
  diskstore_close(d);
  /* the calls before the owner file is made: realpath, stat, open, pread, close */
  hearth_disk_arm(d->disk, (hearth_disk_fault){HEARTH_DISK_ALL_CALLS, 4, EROFS, true, false});
  assert_int_equal(diskstore_open(d, 0), HEARTH_READONLY);
  says(d, strerror(EROFS));
  hearth_disk_disarm(d->disk);
  opens(d, HEARTH_OPEN_READONLY);
  assert_int_equal(scenario_verify(file, d->store), 1);
}

/* --------------------------------------------------------------- owners */

static void a_second_opener_is_told_who_has_it(void **state) {
  DiskStore *d = *state;
  DiskStore other = *d;
  opens(d, 0);
  assert_int_equal(diskstore_open(&other, 0), HEARTH_BUSY);
  says(&other, "1000");
  hearth_disk_set_process(d->disk, 1001);
  assert_int_equal(diskstore_open(&other, 0), HEARTH_BUSY);
  says(&other, "1000");
  assert_true(there(d, PLACE ".owner"));
  hearth_disk_set_process(d->disk, 1000);
  diskstore_close(d);
  assert_false(there(d, PLACE ".owner"));
  assert_int_equal(diskstore_open(&other, 0), HEARTH_OK);
  diskstore_close(&other);
}

static void the_store_of_a_dead_process_is_taken_over(void **state) {
  DiskStore *d = *state;
  for (int locks = 0; locks < 2; locks++) {
    hearth_disk_locks(d->disk, locks != 0);
    hearth_disk_set_process(d->disk, 1000);
    opens(d, 0);
    diskstore_kill(d);
    assert_true(there(d, PLACE ".owner"));
    hearth_disk_set_process(d->disk, 1001); /* now 1000 is not alive */
    opens(d, 0);
    diskstore_close(d);
    assert_false(there(d, PLACE ".owner"));
  }
}

static void without_locks_a_living_process_keeps_its_store(void **state) {
  DiskStore *d = *state;
  hearth_disk_locks(d->disk, false);
  opens(d, 0);
  diskstore_kill(d);
  assert_int_equal(diskstore_open(d, 0), HEARTH_BUSY); /* process 1000 is alive: it is we, but how could we know */
  says(d, "1000");
  hearth_disk_power_loss(d->disk, 1); /* a new boot id: whoever it was is gone */
  const char *note = "hearth 1000 boot-0 unlocked\n";
  hearth_disk_put(d->disk, PLACE ".owner", note, strlen(note));
  opens(d, 0);
  diskstore_close(d);
  /* another program without locks, Node for example, that is alive: its file is respected with locks too */
  hearth_disk_locks(d->disk, true);
  note = "hearth 1000 boot-1 unlocked\n";
  hearth_disk_put(d->disk, PLACE ".owner", note, strlen(note));
  assert_int_equal(diskstore_open(d, 0), HEARTH_BUSY);
  /* an owner that had the lock is gone when we get it, whoever has its number now */
  note = "hearth 1000 boot-1 locked\n";
  hearth_disk_put(d->disk, PLACE ".owner", note, strlen(note));
  opens(d, 0);
  diskstore_close(d);
  hearth_disk_put(d->disk, PLACE ".owner", "", 0); /* made, and killed before it was written */
  opens(d, 0);
}

/* Somebody took the store over, rightly or not: his file is not ours to remove. */
static void closing_leaves_the_owner_file_of_a_successor(void **state) {
  DiskStore *d = *state;
  const char *note = "hearth 1001 boot-0 unlocked\n";
  opens(d, 0);
  hearth_disk_remove(d->disk, PLACE ".owner");
  diskstore_close(d);
  opens(d, 0);
  hearth_disk_remove(d->disk, PLACE ".owner");
  hearth_disk_put(d->disk, PLACE ".owner", note, strlen(note));
  diskstore_close(d);
  assert_true(there(d, PLACE ".owner"));
}

static void a_child_does_not_touch_its_parents_store(void **state) {
  DiskStore *d = *state;
  opens(d, 0);
  submits(d, 1, HEARTH_COMPLETE);
  size_t before, after;
  (void)hearth_disk_bytes(d->disk, PLACE, &before);
  hearth_disk_set_process(d->disk, 1001);
  assert_int_equal(scenario_submit(file, d->store, 2, false, HEARTH_DURABLE, &d->err), HEARTH_DEAD);
  diskstore_close(d);
  (void)hearth_disk_bytes(d->disk, PLACE, &after);
  assert_int_equal(before, after);
  assert_true(there(d, PLACE ".owner"));
}

/* Two writers, though only one may be, since somebody removed the note of the first: who is too late loses, wholly. */
static void two_writers(void **state) {
  DiskStore *first = *state;
  for (int parts = 0; parts < 2; parts++) {
    DiskStore second = *first;
    opens(first, 0);
    uint64_t n = scenario_verify(file, first->store) + 1;
    submits(first, n, HEARTH_DURABLE);
    hearth_disk_remove(first->disk, PLACE ".owner");
    opens(&second, 0);
    submits(&second, n + 1, HEARTH_DURABLE);
    assert_int_equal(scenario_submit(file, first->store, n + 1, parts, HEARTH_DURABLE, &first->err), HEARTH_DEAD);
    says(first, "another program");
    assert_int_equal(scenario_submit(file, first->store, n + 1, parts, HEARTH_DURABLE, &first->err), HEARTH_DEAD);
    assert_int_equal(file->poll(first->store, &first->err), HEARTH_DEAD);
    (void)diskstore_close(first);
    submits(&second, n + 2, HEARTH_DURABLE);
    assert_int_equal(diskstore_close(&second), HEARTH_OK);
    opens(first, 0);
    assert_int_equal(scenario_verify(file, first->store), n + 2);
    (void)diskstore_close(first);
  }
}

static void a_file_changed_by_others_is_not_written(void **state) {
  DiskStore *d = *state;
  for (int i = 0; i < 3; i++) {
    opens(d, 0);
    uint64_t n = scenario_verify(file, d->store) + 1;
    submits(d, n, HEARTH_DURABLE);
    size_t size;
    const unsigned char *bytes = hearth_disk_bytes(d->disk, PLACE, &size);
    unsigned char *copy = malloc(size + 1);
    memcpy(copy, bytes, size);
    copy[size] = 0;
    if (i == 0) hearth_disk_put(d->disk, PLACE, copy, size + 1); /* longer */
    if (i > 0) hearth_disk_remove(d->disk, PLACE);
    if (i == 2) hearth_disk_put(d->disk, PLACE, copy, size); /* another file of the same length */
    assert_int_equal(scenario_submit(file, d->store, n + 1, false, HEARTH_DURABLE, &d->err), HEARTH_DEAD);
    says(d, "another program");
    assert_int_equal(scenario_submit(file, d->store, n + 1, false, HEARTH_DURABLE, &d->err), HEARTH_DEAD);
    diskstore_close(d);
    hearth_disk_put(d->disk, PLACE, copy, size);
    free(copy);
  }
}

/* Parts that are in the file already when the store is closed leave no trace. */
static void closing_forgets_an_unfinished_batch(void **state) {
  DiskStore *d = *state;
  char value[3 * LOG_CHUNK];
  memset(value, 'v', sizeof value);
  opens(d, 0);
  submits(d, 1, HEARTH_DURABLE);
  uint64_t before = diskstore_stat(d).total_bytes;
  hearth_op op = {HEARTH_PUT, 1, "k", 1, value, sizeof value};
  assert_int_equal(file->submit(d->store, &op, 1, HEARTH_BATCH_MORE, HEARTH_COMPLETE, NULL, &d->err), HEARTH_OK);
  assert_true(diskstore_stat(d).total_bytes > before + sizeof value - LOG_FRAME_SIZE);
  assert_int_equal(diskstore_close(d), HEARTH_OK);
  opens(d, 0);
  assert_int_equal(d->warnings, 0);
  assert_int_equal(diskstore_stat(d).total_bytes, before);
  assert_int_equal(scenario_verify(file, d->store), 1);
}

/* --------------------------------------------------------------- levels */

static void levels_sync_as_they_say(void **state) {
  DiskStore *d = *state;
  uint64_t start = 1700000000000;
  hearth_disk_set_clock(d->disk, start);
  opens(d, 0);
  uint64_t synced = diskstore_stat(d).synced;
  submits(d, 1, HEARTH_COMPLETE);
  submits(d, 2, HEARTH_VISIBLE);
  assert_int_equal(diskstore_stat(d).synced, synced);
  assert_int_equal(diskstore_stat(d).durable, 0);
  submits(d, 3, HEARTH_DEFAULT_DURABILITY);
  assert_int_equal(diskstore_stat(d).synced, synced + 1);
  assert_int_equal(diskstore_stat(d).durable, 3);
  submits(d, 4, HEARTH_COMPLETE);
  assert_int_equal(file->barrier(d->store, HEARTH_COMPLETE, &d->err), HEARTH_OK);
  assert_int_equal(diskstore_stat(d).durable, 3);
  assert_int_equal(file->barrier(d->store, HEARTH_DURABLE, &d->err), HEARTH_OK);
  assert_int_equal(file->barrier(d->store, HEARTH_DURABLE, &d->err), HEARTH_OK);
  assert_int_equal(diskstore_stat(d).synced, synced + 2);
  assert_int_equal(diskstore_stat(d).durable, 4);
  hearth_disk_set_clock(d->disk, start + STORE_SYNC_EVERY);
  submits(d, 5, HEARTH_COMPLETE); /* the last sync is a while ago */
  assert_int_equal(diskstore_stat(d).durable, 5);
  submits(d, 6, HEARTH_COMPLETE);
  assert_int_equal(diskstore_stat(d).durable, 5);
}

static void opening_a_closed_store_writes_nothing(void **state) {
  DiskStore *d = *state;
  opens(d, 0);
  submits(d, 1, HEARTH_COMPLETE);
  diskstore_close(d);
  size_t size;
  const unsigned char *bytes = hearth_disk_bytes(d->disk, PLACE, &size);
  unsigned char *copy = malloc(size);
  memcpy(copy, bytes, size);
  for (int i = 0; i < 3; i++) {
    opens(d, 0);
    assert_int_equal(diskstore_stat(d).durable, 1);
    assert_int_equal(file->submit(d->store, NULL, 0, 0, HEARTH_DURABLE, NULL, &d->err), HEARTH_OK);
    assert_int_equal(diskstore_stat(d).written, 0);
    assert_int_equal(diskstore_stat(d).synced, 0);
    diskstore_close(d);
    size_t now;
    bytes = hearth_disk_bytes(d->disk, PLACE, &now);
    assert_int_equal(now, size);
    assert_memory_equal(bytes, copy, size);
  }
  free(copy);
}

/* What another process left in the page cache is written again and synced before it is built on. */
static void what_may_not_be_synced_is_written_again(void **state) {
  DiskStore *d = *state;
  opens(d, 0);
  submits(d, 1, HEARTH_DURABLE);
  submits(d, 2, HEARTH_COMPLETE);
  submits(d, 3, HEARTH_COMPLETE);
  diskstore_kill(d);
  opens(d, 0);
  hearth_backend_stat stat = diskstore_stat(d);
  assert_int_equal(stat.durable, 3);
  assert_int_equal(stat.synced, 1);
  assert_true(stat.written > 2 * LOG_FRAME_SIZE && stat.written < stat.total_bytes - LOG_HEADER_SIZE - LOG_FRAME_SIZE);
}

/* -------------------------------------------------------------- readers */

static void readers_beside_a_writer(void **state) {
  DiskStore *d = *state;
  DiskStore reader = *d;
  opens(d, 0);
  submits(d, 1, HEARTH_COMPLETE);
  opens(&reader, HEARTH_OPEN_READONLY);
  assert_int_equal(scenario_verify(file, reader.store), 1);
  assert_int_equal(file->poll(reader.store, &reader.err), HEARTH_OK);
  submits(d, 2, HEARTH_COMPLETE);
  assert_int_equal(file->poll(reader.store, &reader.err), HEARTH_STALE);
  says(&reader, "refresh");
  assert_int_equal(scenario_verify(file, reader.store), 1); /* what it has read stays readable */
  assert_int_equal(file->refresh(reader.store, &reader.err), HEARTH_OK);
  assert_int_equal(scenario_verify(file, reader.store), 2);
  assert_int_equal(file->poll(reader.store, &reader.err), HEARTH_OK);

  /* an unfinished batch is not seen, and not cut */
  ScenarioBatch batch;
  scenario_batch(3, &batch);
  assert_int_equal(file->submit(d->store, batch.ops, batch.count, HEARTH_BATCH_MORE, HEARTH_COMPLETE, NULL, &d->err),
                   HEARTH_OK);
  assert_int_equal(file->submit(d->store, batch.ops, batch.count, HEARTH_BATCH_MORE, HEARTH_COMPLETE, NULL, &d->err),
                   HEARTH_OK);
  assert_int_equal(file->refresh(reader.store, &reader.err), HEARTH_OK);
  assert_int_equal(scenario_verify(file, reader.store), 2);
  assert_int_equal(file->submit(d->store, NULL, 0, 0, HEARTH_COMPLETE, NULL, &d->err), HEARTH_OK);
  assert_int_equal(file->refresh(reader.store, &reader.err), HEARTH_OK);
  assert_int_equal(scenario_verify(file, reader.store), 3);

  /* after a compaction another file has the name */
  char text[SCENARIO_TEXT];
  assert_int_equal(file->compact(d->store, 0, &d->err), HEARTH_OK);
  assert_int_equal(scenario_text(file, reader.store, text, &reader.err), HEARTH_STALE);
  assert_int_equal(file->refresh(reader.store, &reader.err), HEARTH_OK);
  assert_int_equal(scenario_verify(file, reader.store), 3);
  submits(d, 4, HEARTH_DURABLE);
  assert_int_equal(file->refresh(reader.store, &reader.err), HEARTH_OK);
  assert_int_equal(scenario_verify(file, reader.store), 4);
  diskstore_close(d);
  diskstore_close(&reader);
}

static void a_refresh_that_fails_keeps_what_was_read(void **state) {
  DiskStore *d = *state;
  DiskStore reader = *d;
  opens(d, 0);
  submits(d, 1, HEARTH_DURABLE);
  opens(&reader, HEARTH_OPEN_READONLY);
  submits(d, 2, HEARTH_DURABLE);
  assert_int_equal(file->compact(d->store, 0, &d->err), HEARTH_OK);
  long n = 0;
  for (;; n++) {
    hearth_disk_arm(d->disk, (hearth_disk_fault){HEARTH_DISK_ALL_CALLS, n, EIO, false, false});
    hearth_status status = file->refresh(reader.store, &reader.err);
    bool struck = hearth_disk_struck(d->disk);
    hearth_disk_disarm(d->disk);
    if (!struck) break;
    if (status == HEARTH_OK) continue; /* only a close failed, say */
    assert_int_equal(status, HEARTH_IO);
    char text[SCENARIO_TEXT];
    hearth_status reading = scenario_text(file, reader.store, text, &reader.err);
    assert_true(reading == HEARTH_STALE || reading == HEARTH_OK);
  }
  assert_true(n > 3);
  assert_int_equal(scenario_verify(file, reader.store), 2);
  diskstore_close(&reader);
}

/* ----------------------------------------------------------- compaction */

static void compaction_gives_space_back(void **state) {
  DiskStore *d = *state;
  opens(d, 0);
  for (uint64_t n = 1; n <= 20; n++) submits(d, n, HEARTH_COMPLETE);
  uint64_t before = diskstore_stat(d).total_bytes;
  assert_int_equal(file->compact(d->store, 0, &d->err), HEARTH_OK);
  hearth_backend_stat stat = diskstore_stat(d);
  assert_true(stat.total_bytes < before / 2);
  assert_int_equal(stat.durable, 20);
  assert_int_equal(scenario_verify(file, d->store), 20);
  assert_false(there(d, PLACE ".new"));
}

static void compaction_keeps_the_last_batches(void **state) {
  DiskStore *d = *state;
  for (unsigned keep = 0; keep <= 12; keep++) {
    hearth_disk_remove(d->disk, PLACE);
    opens(d, 0);
    for (uint64_t n = 1; n <= 10; n++) submits(d, n, HEARTH_COMPLETE);
    assert_int_equal(file->compact(d->store, 2, &d->err), HEARTH_OK); /* base 8, then 9 and 10 */
    submits(d, 11, HEARTH_COMPLETE);
    assert_int_equal(file->compact(d->store, keep, &d->err), HEARTH_OK);
    assert_int_equal(scenario_verify(file, d->store), 11);
    diskstore_close(d);
    /* the file alone says how many batches it has: base and kept ones */
    size_t size, at = LOG_HEADER_SIZE;
    const unsigned char *bytes = hearth_disk_bytes(d->disk, PLACE, &size);
    LogHeader h;
    LogFrame f;
    uint64_t batches = 0;
    assert_int_equal(log_decode_header(bytes, size, &h), LOG_HEADER_GOOD);
    for (; at < size; at += LOG_FRAME_SIZE + (size_t)f.length) {
      assert_true(log_decode_frame(bytes + at, h.salt, at, &f));
      batches += f.kind == LOG_BATCH;
    }
    assert_int_equal(batches, keep < 3 ? keep + 1 : 4);
    assert_int_equal(h.synced, 11);
    opens(d, 0);
    assert_int_equal(scenario_verify(file, d->store), 11);
    diskstore_close(d);
  }
}

static void compaction_starts_by_itself(void **state) {
  DiskStore *d = *state;
  opens(d, 0);
  uint64_t largest = 0, fell = 0, last = 0;
  for (uint64_t n = 1; n <= 300; n++) {
    hearth_op op = {HEARTH_PUT, 1, "key", 3, "some value", 10};
    assert_int_equal(file->submit(d->store, &op, 1, 0, HEARTH_COMPLETE, NULL, &d->err), HEARTH_OK);
    uint64_t total = diskstore_stat(d).total_bytes;
    if (total > largest) largest = total;
    if (total < last) fell++;
    last = total;
  }
  assert_true(fell >= 2);
  assert_true(largest < LOG_HEADER_SIZE + STORE_LEAST_DEAD + 2 * (LOG_FRAME_SIZE + 32));
  assert_true(largest > STORE_LEAST_DEAD);
}

static void a_compaction_that_a_crash_left_is_removed(void **state) {
  DiskStore *d = *state;
  opens(d, 0);
  submits(d, 1, HEARTH_DURABLE);
  diskstore_close(d);
  hearth_disk_put(d->disk, PLACE ".new", "half", 4);
  opens(d, 0);
  assert_false(there(d, PLACE ".new"));
  assert_int_equal(scenario_verify(file, d->store), 1);
}

/* ------------------------------------------------------------ full disks */

static void a_full_disk_can_shrink(void **state) {
  DiskStore *d = *state;
  char value[200];
  memset(value, 'v', sizeof value);
  opens(d, 0);
  uint64_t stored = 0;
  hearth_status status = HEARTH_OK;
  hearth_disk_capacity(d->disk, 12000);
  for (;; stored++) { /* until it is full */
    hearth_op op = {HEARTH_PUT, stored, "key", 3, value, sizeof value};
    status = file->submit(d->store, &op, 1, 0, HEARTH_DURABLE, NULL, &d->err);
    if (status != HEARTH_OK) break;
  }
  assert_int_equal(status, HEARTH_FULL);
  says(d, strerror(ENOSPC));
  assert_true(stored > 5);
  assert_int_equal(diskstore_stat(d).entries, stored);
  assert_true(there(d, PLACE ".ballast"));
  hearth_disk_capacity(d->disk, hearth_disk_used(d->disk)); /* not a byte more */
  for (uint64_t n = 0; n + 2 < stored; n++) {
    hearth_op op = {HEARTH_DROP, n, NULL, 0, NULL, 0};
    if (file->submit(d->store, &op, 1, 0, HEARTH_DURABLE, NULL, &d->err) != HEARTH_OK) fail_msg("%s", d->err.message);
  }
  uint64_t used = hearth_disk_used(d->disk);
  if (file->compact(d->store, 0, &d->err) != HEARTH_OK) fail_msg("%s", d->err.message);
  assert_true(hearth_disk_used(d->disk) < used);
  assert_int_equal(diskstore_stat(d).entries, 2);
  assert_true(there(d, PLACE ".ballast")); /* for the next time */
  diskstore_close(d);
  opens(d, 0);
  assert_int_equal(diskstore_stat(d).entries, 2);
}

static void a_full_disk_lets_a_store_be_opened(void **state) {
  DiskStore *d = *state;
  opens(d, 0);
  submits(d, 1, HEARTH_DURABLE);
  submits(d, 2, HEARTH_COMPLETE);
  diskstore_kill(d);
  hearth_disk_remove(d->disk, PLACE ".owner");
  size_t size;
  const unsigned char *bytes = hearth_disk_bytes(d->disk, PLACE, &size);
  unsigned char *copy = malloc(size);
  memcpy(copy, bytes, size);
  hearth_disk_put(d->disk, PLACE, copy, size - 1); /* with a torn tail to be kept */
  free(copy);
  hearth_disk_capacity(d->disk, hearth_disk_used(d->disk));
  opens(d, 0);
  assert_int_equal(scenario_verify(file, d->store), 1);
  assert_int_equal(d->warnings, 1);
}

/* What is at a place of the compacted file is not what was read from there before. */
static void compaction_forgets_what_it_has_moved(void **state) {
  DiskStore *d = *state;
  const char *values[] = {"old", "new"};
  const hearth_op ops[] = {{HEARTH_PUT, 1, "b", 1, values[0], 3}, {HEARTH_PUT, 1, "a", 1, values[1], 3}};
  opens(d, 0);
  for (int i = 0; i < 2; i++)
    assert_int_equal(file->submit(d->store, &ops[i], 1, 0, HEARTH_COMPLETE, NULL, &d->err), HEARTH_OK);
  for (int i = 0; i < 2; i++) /* "a" stands where "b" stood: in the first place */
    for (int compacted = 0; compacted < 2; compacted++) {
      char got[4] = "";
      if (compacted) assert_int_equal(file->compact(d->store, 0, &d->err), HEARTH_OK);
      assert_int_equal(file->get(d->store, 1, ops[i].key, 1, copy_value, got, &d->err), HEARTH_OK);
      assert_string_equal(got, values[i]);
    }
}

/* ---------------------------------------------------------------- index */

static void an_entry_costs_at_most_96_bytes(void **state) {
  DiskStore *d = *state;
  opens(d, 0);
  uint64_t before = diskstore_stat(d).index_bytes, most = 0;
  char keys[100][24];
  hearth_op ops[100];
  for (unsigned n = 0; n < 20000; n += 100) {
    for (unsigned i = 0; i < 100; i++) {
      char text[25];
      (void)snprintf(text, sizeof text, "%024u", (n + i) * 7919u % 20011u);
      memcpy(keys[i], text, 24);
      ops[i] = (hearth_op){HEARTH_PUT, 1, keys[i], 24, "some value of thirty bytes ....", 30};
    }
    assert_int_equal(file->submit(d->store, ops, 100, 0, HEARTH_COMPLETE, NULL, &d->err), HEARTH_OK);
    uint64_t each = (diskstore_stat(d).index_bytes - before) / (n + 100); /* the first: and what one frame needs */
    if (n >= 1000 && each > most) most = each;
  }
  hearth_backend_stat stat = diskstore_stat(d);
  assert_int_equal(stat.entries, 20000);
  assert_in_range(most + 2 * sizeof(void *), 60, 96); /* with what malloc adds */
  assert_true(d->memory.bytes < stat.index_bytes + 4096); /* and nothing is held besides */
}

int main(void) {
#define CHECK(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      CHECK(what_is_there_decides),
      CHECK(newer_formats_are_refused),
      CHECK(a_disk_that_cannot_be_written),
      CHECK(a_second_opener_is_told_who_has_it),
      CHECK(the_store_of_a_dead_process_is_taken_over),
      CHECK(without_locks_a_living_process_keeps_its_store),
      CHECK(closing_leaves_the_owner_file_of_a_successor),
      CHECK(a_child_does_not_touch_its_parents_store),
      CHECK(two_writers),
      CHECK(a_file_changed_by_others_is_not_written),
      CHECK(closing_forgets_an_unfinished_batch),
      CHECK(levels_sync_as_they_say),
      CHECK(opening_a_closed_store_writes_nothing),
      CHECK(what_may_not_be_synced_is_written_again),
      CHECK(readers_beside_a_writer),
      CHECK(a_refresh_that_fails_keeps_what_was_read),
      CHECK(compaction_gives_space_back),
      CHECK(compaction_keeps_the_last_batches),
      CHECK(compaction_starts_by_itself),
      CHECK(a_compaction_that_a_crash_left_is_removed),
      CHECK(a_full_disk_can_shrink),
      CHECK(a_full_disk_lets_a_store_be_opened),
      CHECK(compaction_forgets_what_it_has_moved),
      CHECK(an_entry_costs_at_most_96_bytes),
  };
  return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
