/*
** Copies that fail or are killed at each call, of the source, of the destination and of its disk: none is ever taken
** for a store before it is whole, and the next copy makes it so.
*/
#include <errno.h>

#include "copying.h"
#include "diskstore.h"

typedef struct Fixture {
  CopySide source;
  Copying copying; /* onto the disk */
  DiskStore disk;
  Counting memory;
} Fixture;

static Fixture *f;

static hearth_status reopen(Copying *c) {
  hearth_status status = diskstore_close(&f->disk);
  if (status == HEARTH_OK) status = diskstore_open(&f->disk, HEARTH_OPEN_NO_CREATE);
  if (status != HEARTH_OK) c->err = f->disk.err;
  c->to.store = f->disk.store;
  return status;
}

static int setup(void **state) {
  (void)state;
  f = calloc(1, sizeof *f);
  f->memory.fail_at = -1;
  f->source = copying_memory(NULL);
  copying_put_metadata(&f->source, STORE_FORMAT_VERSION);
  for (char k = 'A'; k <= 'Z'; k++) {
    char key[] = {k, '\0'};
    copying_put(&f->source, 0, key, "of the home graph");
    copying_put(&f->source, 3, key, "a value, so that there are some batches to be copied one by one");
    copying_put(&f->source, 3 + (uint64_t)k, key, "");
  }
  diskstore_init(&f->disk);
  f->copying = (Copying){.from = f->source, .to = {.backend = &hearth_file_backend}, .steps = -1, .reopen = reopen};
  return 0;
}

static int teardown(void **state) {
  (void)state;
  copying_close(&f->source);
  diskstore_done(&f->disk);
  free(f);
  return 0;
}

static void new_disk(void) {
  if (f->disk.store != NULL) (void)diskstore_close(&f->disk);
  hearth_disk_clear(f->disk.disk);
}

/* Opens the destination and copies; what fails is not the test's failure. */
static hearth_status copy(void) {
  hearth_status status = f->disk.store == NULL ? diskstore_open(&f->disk, 0) : HEARTH_OK;
  if (status != HEARTH_OK) return status;
  f->copying.to.store = f->disk.store;
  return copying_run(&f->copying);
}

/* What is there is nothing, an unfinished copy, or all of it; true: all. */
static bool is_whole(void) {
  const CopySide side = {&hearth_file_backend, f->disk.store};
  Buffer contents;
  copying_contents(&side, &contents);
  bool nothing = contents.size == 0;
  buffer_free(&contents);
  if (nothing || copying_is_unfinished(&side)) return false;
  assert_true(copying_same(&f->source, &side));
  return true;
}

/* The store is opened again, whatever its state, and the copy is made again if it is not whole. True: it went on. */
static bool again(void) {
  bool resumed = false;
  if (f->disk.store == NULL && diskstore_open(&f->disk, 0) != HEARTH_OK) fail_msg("%s", f->disk.err.message);
  if (!is_whole()) {
    if (copy() != HEARTH_OK) fail_msg("%s", f->copying.err.message);
    assert_true(is_whole());
    resumed = f->copying.copy.mode == COPY_RESUMED;
  }
  assert_int_equal(copy(), HEARTH_EXISTS);
  return resumed;
}

/* ------------------------------------------------------------------- disk */

static void killed_at_every_call_of_the_disk(void **state) {
  (void)state;
  long at = 0, resumed = 0;
  for (;; at++) {
    new_disk();
    hearth_disk_arm(f->disk.disk, (hearth_disk_fault){HEARTH_DISK_ALL_CALLS, at, EIO, true, at % 2 > 0});
    (void)copy();
    if (!hearth_disk_struck(f->disk.disk)) break;
    diskstore_kill(&f->disk);
    resumed += again();
  }
  assert_true(resumed > 20);
  (void)printf("figure: %ld copies killed at a call of the disk, all of them completed by the next\n", at);
}

static void power_lost_at_every_call_of_the_disk(void **state) {
  (void)state;
  long losses = 0;
  bool struck = true;
  for (long at = 0; struck; at++)
    for (unsigned seed = 0; seed < rounds(20) && struck; seed++) {
      new_disk();
      hearth_disk_arm(f->disk.disk, (hearth_disk_fault){HEARTH_DISK_ALL_CALLS, at, EIO, true, seed % 2 > 0});
      bool acknowledged = copy() == HEARTH_OK;
      struck = hearth_disk_struck(f->disk.disk);
      diskstore_kill(&f->disk);
      hearth_disk_power_loss(f->disk.disk, seed);
      losses++;
      assert_int_equal(diskstore_open(&f->disk, 0), HEARTH_OK);
      if (acknowledged) assert_true(is_whole());
      (void)again();
    }
  (void)printf("figure: %ld copies that lost power, all of them completed by the next\n", losses);
}

/* Once, and not for good: the call that fails is told, and the same process tries again. */
static void every_call_of_the_disk_fails_once(void **state) {
  (void)state;
  static const int failures[] = {EIO, ENOSPC};
  for (int i = 0; i < 2; i++)
    for (long at = 0;; at++) {
      new_disk();
      hearth_disk_arm(f->disk.disk, (hearth_disk_fault){HEARTH_DISK_ALL_CALLS, at, failures[i], false, false});
      hearth_status status = copy();
      bool struck = hearth_disk_struck(f->disk.disk);
      hearth_disk_disarm(f->disk.disk);
      if (!struck) break;
      if (f->disk.store != NULL && status != HEARTH_OK) (void)diskstore_close(&f->disk);
      (void)again();
    }
}

/* Room for a part only: the copy says full, and goes on when there is more. */
static void a_full_disk_gets_room(void **state) {
  (void)state;
  bool full = true;
  for (uint64_t room = 5000; full; room += 100) {
    new_disk();
    hearth_disk_capacity(f->disk.disk, room);
    hearth_status status = copy();
    full = status != HEARTH_OK;
    if (full) assert_int_equal(status, HEARTH_FULL);
    hearth_disk_capacity(f->disk.disk, 0);
    (void)again();
    assert_true(room < 100000);
  }
}

/* ---------------------------------------------------------------- backends */

static long calls, fail_at; /* of the side that fails; -1: none */
static hearth_status failure;
static hearth_backend failing;

static bool fails(hearth_error *err) {
  if (calls++ != fail_at) return false;
  if (err != NULL) *err = (hearth_error){.code = failure, .message = "as the test wants it"};
  return true;
}

static hearth_status failing_get(hearth_backend_store *s, uint64_t table, const void *key, size_t key_size,
                                 hearth_found found, void *ud, hearth_error *err) {
  return fails(err) ? failure : hearth_memory_backend.get(s, table, key, key_size, found, ud, err);
}

static hearth_status failing_scan(hearth_backend_store *s, uint64_t table, const void *from, size_t from_size,
                                  const void *to, size_t to_size, bool reverse, hearth_found found, void *ud,
                                  int *result, hearth_error *err) {
  if (fails(err)) return failure;
  return hearth_memory_backend.scan(s, table, from, from_size, to, to_size, reverse, found, ud, result, err);
}

static hearth_status failing_tables(hearth_backend_store *s, hearth_found found, void *ud, int *result,
                                    hearth_error *err) {
  return fails(err) ? failure : hearth_memory_backend.tables(s, found, ud, result, err);
}

static hearth_status failing_submit(hearth_backend_store *s, const hearth_op *ops, size_t count, unsigned flags,
                                    hearth_durability level, uint64_t *sequence, hearth_error *err) {
  if (!(flags & HEARTH_BATCH_ABANDON) && fails(err)) {
    (void)hearth_memory_backend.submit(s, NULL, 0, HEARTH_BATCH_ABANDON, level, NULL, NULL);
    return failure;
  }
  return hearth_memory_backend.submit(s, ops, count, flags, level, sequence, err);
}

static hearth_status failing_barrier(hearth_backend_store *s, hearth_durability level, hearth_error *err) {
  return fails(err) ? failure : hearth_memory_backend.barrier(s, level, err);
}

static hearth_status failing_stat(hearth_backend_store *s, hearth_backend_stat *stat, hearth_error *err) {
  return fails(err) ? failure : hearth_memory_backend.stat(s, stat, err);
}

static void make_failing(void) {
  failing = hearth_memory_backend;
  failing.get = failing_get;
  failing.scan = failing_scan;
  failing.tables = failing_tables;
  failing.submit = failing_submit;
  failing.barrier = failing_barrier;
  failing.stat = failing_stat;
}

static bool is_nothing(const CopySide *side) {
  Buffer contents;
  copying_contents(side, &contents);
  bool nothing = contents.size == 0;
  buffer_free(&contents);
  return nothing;
}

/* Each call fails in turn, with `replace` over a store that stays what it was, else over nothing. */
static void every_call_fails(bool of_source, bool replace) {
  make_failing();
  for (fail_at = 0;; fail_at++) {
    CopySide to = copying_memory(NULL), was = copying_memory(NULL);
    if (replace) {
      copying_put(&to, 3, "a", "an old value");
      copying_put(&was, 3, "a", "an old value");
    }
    Copying c = {.from = f->source, .to = to, .steps = -1, .replace = replace};
    *(of_source ? &c.from.backend : &c.to.backend) = &failing;
    calls = 0;
    hearth_status status = copying_run(&c);
    if (status != HEARTH_OK) {
      assert_int_equal(status, failure);
      assert_string_equal(c.err.message, "as the test wants it");
      assert_int_equal(c.copy.at_source, of_source);
      if (replace) assert_true(copying_same(&to, &was) || copying_same(&to, &f->source));
      if (!replace && !is_nothing(&to) && !copying_is_unfinished(&to)) assert_true(copying_same(&to, &f->source));
      if (of_source && !replace) assert_true(is_nothing(&to) || copying_is_unfinished(&to));
      c.from.backend = c.to.backend = &hearth_memory_backend;
      c.replace = true;
      copying_succeeds(&c);
    }
    assert_true(copying_same(&f->source, &to));
    copying_close(&to);
    copying_close(&was);
    if (status == HEARTH_OK) break;
  }
  assert_true(fail_at > 10);
}

static void every_call_of_the_source_fails(void **state) {
  (void)state;
  static const hearth_status failures[] = {HEARTH_IO, HEARTH_DAMAGED, HEARTH_STALE, HEARTH_NOMEM};
  for (size_t i = 0; i < 4; i++) {
    failure = failures[i];
    every_call_fails(true, false);
    every_call_fails(true, true);
  }
}

static void every_call_of_the_destination_fails(void **state) {
  (void)state;
  static const hearth_status failures[] = {HEARTH_IO, HEARTH_FULL, HEARTH_TOOBIG, HEARTH_DEAD};
  for (size_t i = 0; i < 4; i++) {
    failure = failures[i];
    every_call_fails(false, false);
    every_call_fails(false, true);
  }
}

static void every_allocation_fails(void **state) {
  (void)state;
  const hearth_allocator allocator = counting_allocator(&f->memory);
  f->copying.allocator = &allocator;
  for (f->memory.fail_at = 0;; f->memory.fail_at++) {
    new_disk();
    f->memory.calls = 0;
    hearth_status status = copy();
    assert_int_equal(f->memory.bytes, 0);
    if (status == HEARTH_OK) break;
    assert_int_equal(status, HEARTH_NOMEM);
    assert_true(f->copying.err.message[0] != '\0');
    f->copying.allocator = NULL;
    (void)again();
    f->copying.allocator = &allocator;
  }
  assert_true(f->memory.fail_at > 8);
  assert_true(is_whole());
}

/* --------------------------------------------------------------- the source */

static hearth_status other_sequence(hearth_backend_store *s, hearth_backend_stat *stat, hearth_error *err) {
  hearth_status status = hearth_memory_backend.stat(s, stat, err);
  assert_true(stat->size <= offsetof(hearth_backend_stat, entries)); /* counting them may be expensive */
  if (calls++ >= fail_at) stat->sequence++;
  return status;
}

/* Between two calls, though nothing said that it is stale. */
static void a_source_that_moves_on(void **state) {
  (void)state;
  failing = hearth_memory_backend;
  failing.stat = other_sequence;
  f->copying.from.backend = &failing;
  calls = 0;
  fail_at = 2;
  assert_int_equal(copy(), HEARTH_STALE);
  assert_true(f->copying.copy.at_source);
  assert_false(is_whole());
  calls = 0;
  fail_at = 1;
  assert_int_equal(copy(), HEARTH_STALE);
  assert_false(is_whole());
  fail_at = 1000000;
  assert_int_equal(copy(), HEARTH_OK);
  assert_true(is_whole());
}

/* The file of the source is damaged after it was opened: the copy says where, and nothing takes it for a store. */
static void a_damaged_source(void **state) {
  (void)state;
  size_t size;
  assert_int_equal(copy(), HEARTH_OK);
  assert_int_equal(diskstore_close(&f->disk), HEARTH_OK);
  assert_int_equal(diskstore_open(&f->disk, HEARTH_OPEN_READONLY), HEARTH_OK);
  const unsigned char *bytes = hearth_disk_bytes(f->disk.disk, PLACE, &size);
  unsigned char *damaged = malloc(size);
  memcpy(damaged, bytes, size);
  size_t at = size - 10;
  while (memcmp(damaged + at, "one by one", 10) != 0) at--;
  damaged[at] ^= 1;
  hearth_disk_put(f->disk.disk, PLACE, damaged, size);
  CopySide to = copying_memory(NULL);
  Copying c = {.from = {&hearth_file_backend, f->disk.store}, .to = to, .steps = -1};
  assert_int_equal(copying_run(&c), HEARTH_DAMAGED);
  assert_true(c.copy.at_source);
  assert_non_null(strstr(c.err.message, PLACE));
  assert_true(c.err.position <= at && at - c.err.position < 200);
  assert_true(copying_is_unfinished(&to));
  free(damaged);
  copying_close(&to);
}

/* A writer beside the reader that is copied from: what arrives is the commit that the reader sees. */
static void a_writer_beside_the_source(void **state) {
  (void)state;
  assert_int_equal(copy(), HEARTH_OK);
  hearth_backend_store *reader;
  hearth_backend_config config = {.size = sizeof config, .location = PLACE, .flags = HEARTH_OPEN_READONLY,
                                  .environment = hearth_disk_environment(f->disk.disk)};
  assert_int_equal(hearth_file_backend.open(&config, &reader, NULL), HEARTH_OK);
  const CopySide writer = {&hearth_file_backend, f->disk.store};
  CopySide to = copying_memory(NULL);
  Copying c = {.from = {&hearth_file_backend, reader}, .to = to, .steps = 4};
  assert_int_equal(copying_run(&c), HEARTH_PENDING);
  copying_put(&writer, 3, "a", "a newer value");
  copying_put(&writer, 0, "0", "new");
  c.steps = -1;
  copying_succeeds(&c);
  assert_true(copying_same(&f->source, &to));
  assert_int_equal(hearth_file_backend.refresh(reader, NULL), HEARTH_OK);
  c.replace = true;
  copying_succeeds(&c);
  assert_true(copying_same(&writer, &to));
  assert_int_equal(hearth_file_backend.close(reader, NULL), HEARTH_OK);
  copying_close(&to);
}

int main(void) {
#define CHECK(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      CHECK(killed_at_every_call_of_the_disk),
      CHECK(power_lost_at_every_call_of_the_disk),
      CHECK(every_call_of_the_disk_fails_once),
      CHECK(a_full_disk_gets_room),
      CHECK(every_call_of_the_source_fails),
      CHECK(every_call_of_the_destination_fails),
      CHECK(every_allocation_fails),
      CHECK(a_source_that_moves_on),
      CHECK(a_damaged_source),
      CHECK(a_writer_beside_the_source),
  };
  return cmocka_run_group_tests_name("copy faults", tests, NULL, NULL);
}
