/* Copies into a store that is asynchronous: the browser's database, whose host is the fake one. */
#include "copying.h"
#include "fake_indexeddb.h"

static const hearth_backend *const idb = &hearth_indexeddb_backend;

static CopySide source;
static Fake *fake;
static Copying copying;
static uint64_t seed;

static void open_fake(void) {
  hearth_backend_config config = {.size = sizeof config, .location = "world"};
  copying.to.backend = idb;
  assert_int_equal(idb->open(&config, &copying.to.store, NULL), HEARTH_OK);
}

/* The process dies: what waits never happens. */
static void crash(void) {
  Fake *spare = fake_new("spare");
  fake_copy(spare, fake);
  copying_close(&copying.to);
  fake_copy(fake, spare);
  fake_free(spare);
  open_fake();
}

static void new_place(void) {
  if (copying.to.store != NULL) copying_close(&copying.to);
  if (fake != NULL) fake_free(fake);
  fake = fake_new("world");
  open_fake();
}

/* What was submitted has arrived before it is checked. */
static hearth_status reopen(Copying *c) {
  (void)c;
  assert_int_equal(fake_waiting(fake), 0);
  copying_close(&copying.to);
  open_fake();
  return HEARTH_OK;
}

/* Sometimes the database is quick, sometimes slow. */
static void some_turns(Copying *c) {
  (void)c;
  for (unsigned n = copying_random(&seed, 3); n > 0; n--) (void)fake_settle(fake);
}

static int setup(void **state) {
  (void)state;
  source = copying_memory(NULL);
  copying_put_metadata(&source, STORE_FORMAT_VERSION);
  for (char k = 'A'; k <= 'P'; k++) {
    char key[] = {k, '\0'};
    copying_put(&source, 0, key, "of the home graph");
    copying_put(&source, 3, key, "a value, so that there are some batches to be copied one by one");
  }
  copying = (Copying){.from = source, .steps = -1, .reopen = reopen, .between = some_turns};
  seed = 1;
  new_place();
  return 0;
}

static int teardown(void **state) {
  (void)state;
  copying_close(&copying.to);
  fake_free(fake);
  fake = NULL;
  copying_close(&source);
  return 0;
}

static void batches_are_awaited(void **state) {
  (void)state;
  for (size_t round = 0; round < rounds(100); round++) {
    new_place();
    copying_succeeds(&copying);
    assert_int_equal(fake_waiting(fake), 0); /* it is durable */
    crash();
    assert_true(copying_same(&source, &copying.to));
  }
}

/* Without a turn of the host it waits, and does no more. */
static void nothing_happens_without_the_host(void **state) {
  (void)state;
  copying.between = NULL;
  copying.steps = 1000;
  assert_int_equal(copying_run(&copying), HEARTH_PENDING);
  assert_int_equal(fake_waiting(fake), 1);
  assert_int_equal(copying.copy.written, 0);
}

static void killed_after_each_step(void **state) {
  (void)state;
  bool ended = false;
  for (long steps = 0; !ended; steps++) {
    new_place();
    copying.steps = steps;
    ended = copying_run(&copying) == HEARTH_OK;
    crash();
    Buffer contents;
    copying_contents(&copying.to, &contents);
    if (contents.size > 0 && !copying_is_unfinished(&copying.to)) {
      assert_true(copying_same(&source, &copying.to));
    } else {
      assert_false(ended);
      copying.steps = -1;
      copying_succeeds(&copying);
      assert_true(copying_same(&source, &copying.to));
    }
    buffer_free(&contents);
  }
}

static long turns, fail_at;
static hearth_status failure;

static void fail_one(Copying *c) {
  if (fake_waiting(fake) > 0 && turns++ == fail_at)
    fake_fail(fake, 0, failure);
  else
    some_turns(c);
}

/* Each batch that waits fails in turn: the copy says so, and the next one makes it whole. */
static void every_batch_fails(void **state) {
  (void)state;
  static const hearth_status failures[] = {HEARTH_FULL, HEARTH_NOMEM, HEARTH_IO};
  for (size_t i = 0; i < 3; i++) {
    failure = failures[i];
    for (fail_at = 0;; fail_at++) {
      new_place();
      turns = 0;
      copying.between = fail_one;
      hearth_status status = copying_run(&copying);
      copying.between = some_turns;
      if (status == HEARTH_OK) break;
      assert_int_equal(status, failure);
      fake_settle_all(fake);
      if (failure != HEARTH_FULL) crash(); /* the database accepts nothing more */
      copying_succeeds(&copying);
      assert_true(copying_same(&source, &copying.to));
    }
    assert_true(fail_at > 10);
  }
}

static void replaced(void **state) {
  (void)state;
  copying_succeeds(&copying);
  copying_change(&source, &seed, 100);
  copying.replace = true;
  copying_succeeds(&copying);
  assert_int_equal(copying.copy.mode, COPY_REPLACED);
  assert_true(copying_same(&source, &copying.to));
  assert_int_equal(fake_waiting(fake), 0);
}

int main(void) {
#define CHECK(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      CHECK(batches_are_awaited),
      CHECK(nothing_happens_without_the_host),
      CHECK(killed_after_each_step),
      CHECK(every_batch_fails),
      CHECK(replaced),
  };
  return cmocka_run_group_tests_name("copy pending", tests, NULL, NULL);
}
