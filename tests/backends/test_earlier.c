/* Earlier batches of a store in a file: damage around them, failures, and compaction that keeps some by itself. */
#include <errno.h>

#include "handmade.h"
#include "meddled.h"
#include "scenario.h"
#include "store.h"

static const hearth_backend *const file = &hearth_file_backend;

static hearth_status opens(uint64_t at, unsigned keep, hearth_backend_store **out) {
  hearth_backend_config config = {.size = sizeof config, .location = PLACE, .flags = at != 0 ? HEARTH_OPEN_READONLY : 0,
                                  .allocator = counting_allocator(&d.memory),
                                  .environment = hearth_disk_environment(d.disk), .warn = diskstore_warn,
                                  .warn_ud = &d, .at = at, .keep = keep};
  return file->open(&config, out, &d.err);
}

static void begin_store(uint64_t batches) {
  assert_int_equal(opens(0, 0, &d.store), HEARTH_OK);
  for (uint64_t n = 1; n <= batches; n++)
    assert_int_equal(scenario_submit(file, d.store, n, n % 2 == 0, HEARTH_COMPLETE, &d.err), HEARTH_OK);
}

typedef struct Listed {
  uint64_t first, last, bytes, at[40]; /* where batch n ends */
  unsigned count;
} Listed;

static int on_batch(void *ud, const hearth_batch *b) {
  Listed *l = ud;
  if (l->count++ == 0) l->first = b->sequence;
  l->last = b->sequence;
  l->bytes += b->bytes;
  if (b->sequence < 40) l->at[b->sequence] = LOG_HEADER_SIZE + l->bytes;
  return 0;
}

static hearth_status lists(hearth_backend_store *store, Listed *l) {
  *l = (Listed){0};
  return file->history(store, on_batch, l, NULL, &d.err);
}

static void says(const char *message) {
  if (strstr(d.err.message, message) == NULL) fail_msg("'%s', not '%s'", d.err.message, message);
}

static void verify_at(uint64_t n) {
  hearth_backend_store *reader;
  assert_int_equal(opens(n, 0, &reader), HEARTH_OK);
  assert_int_equal(scenario_verify(file, reader), n);
  assert_int_equal(file->close(reader, &d.err), HEARTH_OK);
}

/* What the list says of their sizes is where they stand in the file. */
static void batches_take_what_the_list_says(void **state) {
  (void)state;
  Listed l;
  hearth_backend_store *reader;
  size_t size;
  begin_store(9);
  assert_int_equal(lists(d.store, &l), HEARTH_OK);
  (void)hearth_disk_bytes(d.disk, PLACE, &size);
  assert_int_equal(l.at[9], size);
  for (uint64_t n = 1; n <= 9; n++) verify_at(n);
  assert_int_equal(opens(10, 0, &reader), HEARTH_NOTFOUND);
  says(PLACE ": there is no batch 10, but those from 1 to 9");
  assert_int_equal(file->compact(d.store, 2, &d.err), HEARTH_OK);
  assert_int_equal(opens(6, 0, &reader), HEARTH_NOTFOUND);
  says(PLACE ": there is no batch 6, but those from 7 to 9");
}

static void where_no_batch_is(void **state) {
  (void)state;
  hearth_backend_store *reader;
  Handmade m;
  begin_store(0);
  assert_int_equal(opens(1, 0, &reader), HEARTH_NOTFOUND);
  says(PLACE ": there is no batch 1, nor any other");
  assert_int_equal(diskstore_close(&d), HEARTH_OK); /* a mark is none */
  assert_int_equal(opens(1, 0, &reader), HEARTH_NOTFOUND);
  says("nor any other");
  hearth_disk_put(d.disk, PLACE, "", 0);
  assert_int_equal(opens(1, 0, &reader), HEARTH_NOTFOUND);
  says("nor any other");
  handmade_begin(&m, 5, 0); /* as if batch 4 had been there */
  hearth_disk_put(d.disk, PLACE, m.bytes.data, m.bytes.size);
  handmade_free(&m);
  assert_int_equal(opens(4, 0, &reader), HEARTH_NOTFOUND);
  says("nor any other");
}

/* A file whose end is torn, and one that is damaged in the middle: what stands before is there. */
static void damage_behind_a_batch_is_not_in_its_way(void **state) {
  (void)state;
  Listed l;
  size_t size;
  begin_store(9);
  assert_int_equal(lists(d.store, &l), HEARTH_OK);
  assert_int_equal(file->barrier(d.store, HEARTH_DURABLE, &d.err), HEARTH_OK);
  const unsigned char *bytes = hearth_disk_bytes(d.disk, PLACE, &size);
  unsigned char *changed = malloc(size);
  assert_non_null(changed);
  memcpy(changed, bytes, size);
  diskstore_kill(&d);
  hearth_disk_put(d.disk, PLACE, changed, (size_t)l.at[8] + 5); /* torn */
  verify_at(8);
  assert_int_equal(d.warnings, 0);
  hearth_backend_store *reader;
  assert_int_equal(opens(9, 0, &reader), HEARTH_NOTFOUND);
  says("but those from 1 to 8");
  changed[l.at[5] + LOG_FRAME_SIZE] ^= 1;
  hearth_disk_put(d.disk, PLACE, changed, size);
  for (uint64_t n = 1; n <= 5; n++) verify_at(n);
  for (uint64_t n = 6; n <= 10; n++) assert_int_equal(opens(n, 0, &reader), HEARTH_DAMAGED);
  free(changed);
}

static int read_fails(uint64_t offset, size_t size) {
  (void)size;
  return offset == 0 ? EIO : 0;
}

static void a_list_that_fails(void **state) {
  (void)state;
  Listed l;
  hearth_backend_store *reader;
  begin_store(9);
  assert_int_equal(opens(7, 0, &reader), HEARTH_OK);
  long calls = d.memory.calls;
  for (long i = 0;; i++) {
    d.memory.fail_at = d.memory.calls + i;
    hearth_status status = lists(d.store, &l);
    d.memory.fail_at = -1;
    if (status == HEARTH_OK) break;
    assert_int_equal(status, HEARTH_NOMEM);
  }
  assert_true(d.memory.calls > calls + 1);
  meddler.pread = read_fails;
  assert_int_equal(lists(reader, &l), HEARTH_IO);
  assert_int_equal(lists(d.store, &l), HEARTH_IO);
  meddler.pread = NULL;
  assert_int_equal(lists(reader, &l), HEARTH_OK); /* it has lost nothing */
  assert_int_equal(l.last, 7);
  assert_int_equal(lists(d.store, &l), HEARTH_DEAD);
  assert_int_equal(file->close(reader, &d.err), HEARTH_OK);
}

/* Under a reader the file becomes another one, and under a writer its bytes change. */
static void a_list_of_what_has_changed(void **state) {
  (void)state;
  Listed l;
  size_t size;
  hearth_backend_store *reader;
  begin_store(9);
  assert_int_equal(opens(7, 0, &reader), HEARTH_OK);
  assert_int_equal(file->compact(d.store, 1, &d.err), HEARTH_OK);
  assert_int_equal(lists(reader, &l), HEARTH_STALE);
  assert_int_equal(file->refresh(reader, &d.err), HEARTH_NOTFOUND);
  says("there is no batch 7, but those from 8 to 9");
  assert_int_equal(file->close(reader, &d.err), HEARTH_OK);
  const unsigned char *bytes = hearth_disk_bytes(d.disk, PLACE, &size);
  unsigned char *changed = malloc(size);
  assert_non_null(changed);
  memcpy(changed, bytes, size);
  changed[LOG_HEADER_SIZE + LOG_FRAME_SIZE] ^= 1;
  hearth_disk_put(d.disk, PLACE, changed, size);
  free(changed);
  assert_int_equal(lists(d.store, &l), HEARTH_DAMAGED);
  assert_int_equal(d.err.position, LOG_HEADER_SIZE);
}

/* As many stay as it is told, and at most twice as many and what is worth a compaction. */
static void compaction_by_itself_keeps_batches(void **state) {
  (void)state;
  enum { KEEP = 5 };
  Listed l = {0};
  assert_int_equal(opens(0, KEEP, &d.store), HEARTH_OK);
  unsigned compactions = 0;
  uint64_t first = 1, before = 0;
  char value[900];
  memset(value, 'v', sizeof value);
  for (uint64_t n = 1; n <= 60; n++) {
    const hearth_op op = {HEARTH_PUT, 1, "key", 3, value, sizeof value};
    assert_int_equal(file->submit(d.store, &op, 1, 0, HEARTH_COMPLETE, NULL, &d.err), HEARTH_OK);
    assert_int_equal(lists(d.store, &l), HEARTH_OK);
    assert_int_equal(l.last, n);
    if (l.first != first) {
      assert_int_equal(l.first, n - KEEP);
      assert_true(n - first >= 2 * KEEP); /* and not at each batch */
      first = l.first;
      compactions++;
      before = n;
    }
    assert_true(n < 2 * KEEP || l.count > KEEP);
    if (n % 7 == 0) { /* who opens it anew does not compact at once */
      assert_int_equal(diskstore_close(&d), HEARTH_OK);
      assert_int_equal(opens(0, KEEP, &d.store), HEARTH_OK);
    }
  }
  assert_true(compactions >= 5);
  assert_true(before > 60 - 2 * KEEP);
}

int main(void) {
#define CHECK(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      CHECK(batches_take_what_the_list_says),
      CHECK(where_no_batch_is),
      CHECK(damage_behind_a_batch_is_not_in_its_way),
      CHECK(a_list_that_fails),
      CHECK(a_list_of_what_has_changed),
      CHECK(compaction_by_itself_keeps_batches),
  };
  return cmocka_run_group_tests_name("earlier", tests, NULL, NULL);
}
