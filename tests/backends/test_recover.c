/* Opening logs that are made by hand, with something that fails or changes in the middle of it. */
#include <errno.h>

#include "handmade.h"
#include "meddled.h"

#define FAR ((size_t)600 << 10) /* more than is read at once */
#define TAIL PLACE ".tail-3"

static const hearth_backend *const file = &hearth_file_backend;

static void put(const Handmade *m) {
  hearth_disk_put(d.disk, PLACE, m->bytes.data, m->bytes.size);
}

static int take_value(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t size) {
  (void)table, (void)key, (void)key_size;
  (void)snprintf(ud, 16, "%.*s", (int)size, (const char *)value);
  return 0;
}

static hearth_status get(const char *key, char value[16]) {
  value[0] = '\0';
  return file->get(d.store, 1, key, strlen(key), take_value, value, &d.err);
}

/* The entry "k" says which batch was the last. */
static void assert_holds(uint64_t sequence) {
  char value[16];
  assert_int_equal(diskstore_stat(&d).sequence, sequence);
  assert_int_equal(get("k", value), HEARTH_OK);
  assert_int_equal(strtoull(value, NULL, 10), sequence);
}

static void assert_unchanged(const Handmade *m, size_t expected) {
  size_t size;
  const unsigned char *bytes = hearth_disk_bytes(d.disk, PLACE, &size);
  assert_int_equal(size, expected);
  assert_memory_equal(bytes, m->bytes.data, size);
}

/* -------------------------------------------------------- a large torn tail */

/* Batch 1, which is large, batch 2 and a large torn tail, if any. Answers where that begins. */
static size_t make_torn(Handmade *m, size_t tail) {
  char *large = calloc(1, FAR);
  handmade_begin(m, 1, 0);
  handmade_put(m, LOG_BATCH, 1, 0, "large", large, FAR);
  handmade_batch(m, 2, 0);
  size_t torn = m->bytes.size;
  handmade_garbage(m, tail);
  free(large);
  return torn;
}

/* What fails leaves the file as it was, or with its torn tail cut off and kept beside it; the next open is good. */
static void assert_opens_later(const Handmade *m, size_t torn) {
  size_t size, tail, torn_size = m->bytes.size - torn;
  const unsigned char *kept = hearth_disk_bytes(d.disk, TAIL, &tail);
  (void)hearth_disk_bytes(d.disk, PLACE, &size);
  assert_unchanged(m, kept != NULL && size < m->bytes.size ? torn : m->bytes.size);
  hearth_disk_disarm(d.disk);
  meddle_no_more();
  d.memory.fail_at = -1;
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  assert_holds(2);
  kept = hearth_disk_bytes(d.disk, TAIL, &tail);
  assert_int_equal(tail, torn_size);
  if (torn_size > 0) assert_memory_equal(kept, m->bytes.data + torn, torn_size);
  assert_int_equal(diskstore_close(&d), HEARTH_OK);
}

static void every_read_fails(void **state) {
  Handmade m;
  size_t torn = make_torn(&m, FAR);
  for (long n = 0;; n++) {
    put(&m);
    hearth_disk_arm(d.disk, (hearth_disk_fault){HEARTH_DISK_READS, n, EIO, false, false});
    hearth_status status = diskstore_open(&d, 0);
    if (status == HEARTH_OK && !hearth_disk_struck(d.disk)) {
      assert_true(n > 10);
      break;
    }
    if (n > 2) assert_int_equal(status, HEARTH_IO); /* the first ones look at owner files */
    if (d.store != NULL) (void)diskstore_close(&d);
    else assert_opens_later(&m, torn);
    (void)end(state);
    (void)begin(state);
  }
  handmade_free(&m);
}

/* The last batch is not proven to be on the device, and is written again; behind a torn tail or at the end. */
static void allocations_fail(void **state, size_t tail) {
  Handmade m;
  size_t torn = make_torn(&m, tail);
  for (long n = 0;; n++) {
    put(&m);
    d.memory.fail_at = n;
    if (diskstore_open(&d, 0) == HEARTH_OK) {
      assert_true(n > 4);
      break;
    }
    assert_int_equal(d.err.code, HEARTH_NOMEM);
    assert_opens_later(&m, torn);
    (void)end(state);
    (void)begin(state);
  }
  handmade_free(&m);
}

static void every_allocation_fails(void **state) {
  allocations_fail(state, FAR);
  (void)end(state);
  (void)begin(state);
  allocations_fail(state, 0);
}

static Handmade *cut_down;
static long cut_at;

static int cut_file(uint64_t offset, size_t size) {
  (void)offset, (void)size;
  if (meddler.calls++ == cut_at) hearth_disk_put(d.disk, PLACE, cut_down->bytes.data, LOG_HEADER_SIZE);
  return 0;
}

/* Another program cuts the file off while it is read: an error, whenever that happens, and nothing is written. */
static void the_file_gets_shorter(void **state) {
  Handmade m;
  (void)make_torn(&m, FAR);
  cut_down = &m;
  for (cut_at = 0;; cut_at++) {
    put(&m);
    meddler.pread = cut_file;
    hearth_status status = diskstore_open(&d, 0);
    if (meddler.calls <= cut_at) {
      assert_int_equal(status, HEARTH_OK);
      break;
    }
    assert_true(status == HEARTH_IO || (status == HEARTH_OK && cut_at == 0));
    if (status == HEARTH_IO) assert_unchanged(&m, LOG_HEADER_SIZE);
    (void)end(state);
    (void)begin(state);
  }
  assert_true(cut_at > 8);
  handmade_free(&m);
}

static Handmade *let_go;
static size_t let_go_from;

static int let_go_of_pages(uint64_t offset, size_t size) {
  (void)offset, (void)size;
  if (meddler.calls++ == cut_at) {
    memset(let_go->bytes.data + let_go_from, 0, let_go->bytes.size - let_go_from);
    put(let_go);
  }
  return 0;
}

/*
** After a flush that failed, the page cache may show a frame that the device lacks, and may let go of it at any
** time. What is written again is what was checked, or nothing: never the zeros, with a mark behind them that says
** that they had been on the device.
*/
static void the_cache_lets_go_of_what_a_failed_flush_left(void **state) {
  bool lost = false, refused = false;
  char *large = calloc(1, FAR);
  for (cut_at = 0;; cut_at++) {
    Handmade m;
    handmade_begin(&m, 1, 0);
    for (uint64_t n = 1; n <= 3; n++) {
      let_go_from = m.bytes.size;
      if (n == 3) handmade_put(&m, LOG_PART, 3, 1, "large", large, FAR);
      handmade_batch(&m, n, n == 1 ? 0 : 1);
    }
    put(&m);
    let_go = &m;
    meddler.pread = let_go_of_pages;
    hearth_status status = diskstore_open(&d, 0);
    bool over = meddler.calls <= cut_at;
    assert_true(status == HEARTH_OK || (status == HEARTH_IO && !over));
    if (status == HEARTH_OK) assert_int_equal(diskstore_stat(&d).durable, diskstore_stat(&d).sequence);
    uint64_t found = status == HEARTH_OK ? diskstore_stat(&d).sequence : 2;
    diskstore_kill(&d);
    meddle_no_more();
    if (diskstore_open(&d, 0) != HEARTH_OK) fail_msg("read %ld: %s", cut_at, d.err.message);
    assert_holds(found);
    lost |= status == HEARTH_OK && found == 2;
    refused |= status == HEARTH_IO;
    handmade_free(&m);
    (void)end(state);
    (void)begin(state);
    if (over) break;
  }
  free(large);
  assert_true(lost && refused); /* it happened before it was read, and before it was read again */
}

/* ------------------------------------------------------------- tail files */

static int all_tails_exist(const char *path, unsigned flags) {
  (void)flags;
  if (strstr(path, ".tail-") == NULL) return 0;
  meddler.calls++;
  return EEXIST;
}

static void too_many_tails(void **state) {
  (void)state;
  Handmade m;
  (void)make_torn(&m, FAR);
  put(&m);
  meddler.open = all_tails_exist;
  assert_int_equal(diskstore_open(&d, 0), HEARTH_EXISTS);
  assert_non_null(
      strstr(d.err.message, "keep the bytes of its torn tail: all names up to " TAIL "-99 are taken; remove"));
  assert_int_equal(meddler.calls, 99);
  assert_unchanged(&m, m.bytes.size);
  handmade_free(&m);
}

static void a_full_disk_and_a_torn_tail(void **state) {
  Handmade m;
  handmade_begin(&m, 1, 0);
  handmade_batch(&m, 1, 0);
  handmade_batch(&m, 2, 1);
  size_t torn = m.bytes.size, there;
  handmade_garbage(&m, 3000);
  for (int ballast = 0; ballast < 2; ballast++) {
    static const unsigned char nothing[4096];
    put(&m);
    if (ballast) hearth_disk_put(d.disk, PLACE ".ballast", nothing, sizeof nothing);
    hearth_disk_capacity(d.disk, hearth_disk_used(d.disk) + 100); /* for the owner file alone */
    hearth_status status = diskstore_open(&d, 0);
    assert_int_equal(status, ballast ? HEARTH_OK : HEARTH_FULL);
    assert_null(hearth_disk_bytes(d.disk, PLACE ".ballast", &there));
    if (ballast) {
      assert_holds(2);
      (void)hearth_disk_bytes(d.disk, TAIL, &there);
      assert_int_equal(there, 3000);
    } else {
      assert_unchanged(&m, torn + 3000);
      assert_null(hearth_disk_bytes(d.disk, TAIL, &there));
    }
    (void)end(state);
    (void)begin(state);
  }
  handmade_free(&m);
}

/* ------------------------------------------------------- while it is opened */

static int say_empty(hearth_file_info *info) {
  info->length = 0;
  return 0;
}

/* It had bytes when it was looked at first: what has become of it is no new store. */
static void emptied_while_it_is_opened(void **state) {
  (void)state;
  Handmade m;
  handmade_begin(&m, 1, 0);
  handmade_batch(&m, 1, 0);
  put(&m);
  meddler.file_stat = say_empty;
  assert_int_equal(diskstore_open(&d, 0), HEARTH_NOTSTORE);
  assert_unchanged(&m, m.bytes.size);
  handmade_free(&m);
}

static int fail_second(hearth_file_info *info) {
  (void)info;
  return meddler.calls++ == 1 ? EIO : 0;
}

static Handmade grown;

static int grow_file(hearth_file_info *info) {
  (void)info;
  meddler.calls++;
  buffer_byte(&grown.bytes, 0);
  put(&grown);
  return 0;
}

static int mend_file(hearth_file_info *info) {
  if (meddler.calls++ != 1) return 0;
  grown.bytes.data[grown.frame_at + LOG_FRAME_SIZE] ^= 1;
  handmade_batch(&grown, 3, 2);
  put(&grown);
  info->length = grown.bytes.size;
  return 0;
}

/* Damage that a reader sees may be a writer's work: it looks again while the file changes, and not for ever. */
static void a_reader_beside_a_writer(void **state) {
  int (*const hooks[])(hearth_file_info *) = {NULL, fail_second, grow_file, mend_file};
  static const long calls[] = {0, 2, 8, 3};
  for (size_t i = 0; i < sizeof hooks / sizeof hooks[0]; i++) {
    handmade_begin(&grown, 1, 2); /* batches 1 and 2 were on the device */
    handmade_batch(&grown, 1, 0);
    handmade_batch(&grown, 2, 1);
    size_t damaged = grown.frame_at;
    grown.bytes.data[damaged + LOG_FRAME_SIZE] ^= 1;
    put(&grown);
    meddler.file_stat = hooks[i];
    hearth_status status = diskstore_open(&d, HEARTH_OPEN_READONLY);
    assert_int_equal(meddler.calls, calls[i]);
    assert_int_equal(status, hooks[i] == mend_file ? HEARTH_OK : HEARTH_DAMAGED);
    if (status == HEARTH_OK) assert_holds(3);
    else assert_int_equal(d.err.position, damaged);
    handmade_free(&grown);
    (void)end(state);
    (void)begin(state);
  }
}

/* -------------------------------------------------------------- refreshing */

/* A reader of batch 1, and the log with it. */
static void begin_reading(Handmade *m) {
  handmade_begin(m, 1, 0);
  handmade_batch(m, 1, 0);
  put(m);
  assert_int_equal(diskstore_open(&d, HEARTH_OPEN_READONLY), HEARTH_OK);
  assert_holds(1);
}

static hearth_status refresh(void) {
  return file->refresh(d.store, &d.err);
}

static void a_writer_has_nothing_to_refresh(void **state) {
  (void)state;
  Handmade m;
  handmade_begin(&m, 1, 0);
  handmade_batch(&m, 1, 0);
  put(&m);
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  assert_int_equal(refresh(), HEARTH_OK);
  assert_holds(1);
  hearth_disk_set_process(d.disk, 7); /* a forked child */
  assert_int_equal(refresh(), HEARTH_DEAD);
  hearth_disk_set_process(d.disk, 1000);
  handmade_free(&m);
}

static void a_refresh_that_fails_keeps_what_was_read(void **state) {
  (void)state;
  Handmade m;
  begin_reading(&m);
  handmade_batch(&m, 2, 1);
  put(&m);
  for (int memory = 0; memory < 2; memory++) {
    hearth_disk_arm(d.disk, (hearth_disk_fault){memory ? HEARTH_DISK_SYNCS : HEARTH_DISK_READS, 0, EIO, false, false});
    d.memory.fail_at = memory ? d.memory.calls : -1;
    assert_int_equal(refresh(), memory ? HEARTH_NOMEM : HEARTH_IO);
    hearth_disk_disarm(d.disk);
    d.memory.fail_at = -1;
    assert_holds(1);
    assert_int_equal(file->poll(d.store, &d.err), HEARTH_STALE); /* the offer stands */
  }
  assert_int_equal(refresh(), HEARTH_OK);
  assert_holds(2);
  assert_int_equal(file->poll(d.store, &d.err), HEARTH_OK);
  handmade_free(&m);
}

/* The same file, but another log in it, shorter or longer. */
static void another_log_in_the_same_file(void **state) {
  for (uint64_t batches = 1; batches <= 3; batches += 2) {
    Handmade m, other;
    begin_reading(&m);
    handmade_batch(&m, 2, 0);
    put(&m);
    assert_int_equal(refresh(), HEARTH_OK);
    assert_holds(2);
    handmade_begin(&other, 5, 4);
    for (uint64_t n = 0; n < batches; n++) handmade_batch(&other, 5 + n, 4);
    put(&other);
    assert_int_equal(refresh(), HEARTH_OK);
    assert_holds(4 + batches);
    handmade_free(&m);
    handmade_free(&other);
    (void)end(state);
    (void)begin(state);
  }
}

static void an_empty_file_becomes_a_store(void **state) {
  (void)state;
  Handmade m;
  char value[16];
  hearth_disk_put(d.disk, PLACE, "", 0);
  assert_int_equal(diskstore_open(&d, HEARTH_OPEN_READONLY), HEARTH_OK);
  assert_int_equal(get("k", value), HEARTH_NOTFOUND);
  assert_int_equal(refresh(), HEARTH_OK);
  assert_int_equal(diskstore_stat(&d).sequence, 0);
  handmade_begin(&m, 1, 0);
  handmade_batch(&m, 1, 0);
  put(&m);
  assert_int_equal(refresh(), HEARTH_OK);
  assert_holds(1);
  handmade_free(&m);
}

static int other_device(hearth_file_info *info) {
  info->device++;
  return 0;
}

static int say_gone(hearth_file_info *info) {
  (void)info;
  return ENOENT;
}

/* Another device has a file with this inode: it is another file. */
static void the_name_means_another_device(void **state) {
  (void)state;
  Handmade m;
  char value[16];
  begin_reading(&m);
  handmade_batch(&m, 2, 1);
  put(&m);
  meddler.stat = meddler.file_stat = other_device;
  assert_int_equal(get("k", value), HEARTH_STALE);
  assert_int_equal(refresh(), HEARTH_OK);
  assert_holds(2);
  meddler.stat = say_gone;
  assert_int_equal(get("k", value), HEARTH_STALE);
  assert_int_equal(refresh(), HEARTH_NOTFOUND);
  handmade_free(&m);
}

int main(void) {
#define CHECK(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      CHECK(every_read_fails),
      CHECK(every_allocation_fails),
      CHECK(the_file_gets_shorter),
      CHECK(the_cache_lets_go_of_what_a_failed_flush_left),
      CHECK(too_many_tails),
      CHECK(a_full_disk_and_a_torn_tail),
      CHECK(emptied_while_it_is_opened),
      CHECK(a_reader_beside_a_writer),
      CHECK(a_writer_has_nothing_to_refresh),
      CHECK(a_refresh_that_fails_keeps_what_was_read),
      CHECK(another_log_in_the_same_file),
      CHECK(an_empty_file_becomes_a_store),
      CHECK(the_name_means_another_device),
  };
  return cmocka_run_group_tests_name("recover", tests, NULL, NULL);
}
