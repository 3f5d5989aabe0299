/* The wrapper that counts and fails: it is a backend like the one in it, counts what it says, fails as it is told. */
#include "../backends/testing.h"

#include "hearth_testkit_cmocka.h"
#include "hearth_testkit_disk.h"

static hearth_disk *disk;

static const char *arrive(void *ud) {
  (void)ud;
  disk = hearth_disk_new();
  return "/world.hearth";
}

static void leave(void *ud, const char *location) {
  (void)ud;
  (void)location;
  hearth_disk_free(disk);
}

static const hearth_environment *environment(void *ud) {
  (void)ud;
  return hearth_disk_environment(disk);
}

static hearth_backend_store *open_store(hearth_testkit_wrapper *w) {
  hearth_backend_config config = {.size = sizeof config, .location = "/world.hearth", .ud = w};
  hearth_backend_store *store;
  config.environment = hearth_disk_environment(disk);
  assert_int_equal(w->backend.open(&config, &store, NULL), HEARTH_OK);
  return store;
}

static hearth_status put(hearth_testkit_wrapper *w, hearth_backend_store *store, const char *key, unsigned flags) {
  hearth_op op = {HEARTH_PUT, 1, key, strlen(key), "value", 5};
  return w->backend.submit(store, &op, 1, flags, HEARTH_DEFAULT_DURABILITY, NULL, NULL);
}

static int ignore(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  (void)ud;
  (void)table;
  (void)key;
  (void)key_size;
  (void)value;
  (void)value_size;
  return 0;
}

static bool is_there(hearth_testkit_wrapper *w, hearth_backend_store *store, const char *key) {
  return w->backend.get(store, 1, key, strlen(key), ignore, NULL, NULL) == HEARTH_OK;
}

static void calls_are_counted(void **state) {
  (void)state;
  hearth_testkit_wrapper w;
  int result;
  arrive(NULL);
  hearth_testkit_wrap(&w, &hearth_file_backend, NULL);
  hearth_backend_store *store = open_store(&w);
  hearth_op ops[] = {{HEARTH_PUT, 1, "abc", 3, "x", 1}, {HEARTH_CHECK_ABSENT, 1, "abc", 3, NULL, 0},
                     {HEARTH_PUT, 2, "d", 1, "yy", 2}, {HEARTH_DROP, 3, NULL, 0, NULL, 0}};
  assert_int_equal(w.backend.submit(store, ops, 4, 0, HEARTH_DURABLE, NULL, NULL), HEARTH_OK);
  assert_int_equal(w.backend.submit(store, ops, 2, 0, HEARTH_DURABLE, NULL, NULL), HEARTH_CONFLICT);
  assert_true(is_there(&w, store, "abc"));
  assert_false(is_there(&w, store, "d"));
  assert_int_equal(w.backend.scan(store, 2, NULL, 0, NULL, 0, false, ignore, NULL, &result, NULL), HEARTH_OK);
  assert_int_equal(w.backend.tables(store, ignore, NULL, &result, NULL), HEARTH_OK);
  assert_int_equal(w.backend.barrier(store, HEARTH_DURABLE, NULL), HEARTH_OK);
  assert_int_equal(w.backend.close(store, NULL), HEARTH_OK);
  const uint64_t calls[HEARTH_TESTKIT_CALLS] = {9, 1, 1, 2, 1, 2, 1, 0, 0, 0, 0, 1}, kinds[] = {6, 3, 0, 1, 0, 2};
  for (int i = 0; i < HEARTH_TESTKIT_CALLS; i++) assert_int_equal(w.counts.calls[i], calls[i]);
  for (int i = 0; i < 6; i++) assert_int_equal(w.counts.ops[i], kinds[i]);
  assert_int_equal(w.counts.bytes_in, 4 + 3 + 3 + 4 + 3);
  assert_int_equal(w.counts.found, 4);
  assert_int_equal(w.counts.bytes_out, 4 + 3);
  assert_int_equal(w.counts.failed, 2);
  leave(NULL, NULL);
}

static void a_call_fails_once_or_for_good(void **state) {
  (void)state;
  hearth_testkit_wrapper w;
  arrive(NULL);
  hearth_testkit_wrap(&w, &hearth_file_backend, NULL);
  hearth_backend_store *store = open_store(&w);
  for (int for_good = 0; for_good < 2; for_good++) {
    hearth_testkit_fail(&w, (hearth_testkit_failure){HEARTH_TESTKIT_SUBMIT, 1, HEARTH_FULL, for_good != 0, false});
    assert_int_equal(put(&w, store, "a", 0), HEARTH_OK);
    assert_true(is_there(&w, store, "a"));
    assert_false(w.struck);
    assert_int_equal(put(&w, store, "b", 0), HEARTH_FULL);
    assert_true(w.struck);
    assert_int_equal(put(&w, store, "c", 0), for_good ? HEARTH_FULL : HEARTH_OK);
    assert_int_equal(is_there(&w, store, "b"), 0);
    assert_int_equal(is_there(&w, store, "c"), 1);
  }
  hearth_testkit_fail(&w, (hearth_testkit_failure){.at = -1});
  assert_int_equal(put(&w, store, "b", 0), HEARTH_OK);
  assert_int_equal(w.backend.close(store, NULL), HEARTH_OK);
  leave(NULL, NULL);
}

static void a_part_that_fails_takes_its_batch_along(void **state) {
  (void)state;
  hearth_testkit_wrapper w;
  arrive(NULL);
  hearth_testkit_wrap(&w, &hearth_file_backend, NULL);
  hearth_backend_store *store = open_store(&w);
  hearth_testkit_fail(&w, (hearth_testkit_failure){HEARTH_TESTKIT_SUBMIT, 1, HEARTH_NOMEM, false, false});
  assert_int_equal(put(&w, store, "a", HEARTH_BATCH_MORE), HEARTH_OK);
  assert_int_equal(put(&w, store, "b", HEARTH_BATCH_MORE), HEARTH_NOMEM);
  assert_int_equal(put(&w, store, "c", 0), HEARTH_OK);
  assert_false(is_there(&w, store, "a"));
  assert_true(is_there(&w, store, "c"));
  assert_int_equal(w.backend.close(store, NULL), HEARTH_OK);
  leave(NULL, NULL);
}

/* The batch is there, and whoever submitted it was told that it failed. */
static void an_answer_is_lost(void **state) {
  (void)state;
  hearth_testkit_wrapper w;
  arrive(NULL);
  hearth_testkit_wrap(&w, &hearth_file_backend, NULL);
  hearth_backend_store *store = open_store(&w);
  hearth_testkit_fail(&w, (hearth_testkit_failure){HEARTH_TESTKIT_SUBMIT, 0, HEARTH_IO, false, true});
  assert_int_equal(put(&w, store, "a", 0), HEARTH_IO);
  assert_int_equal(put(&w, store, "b", 0), HEARTH_DEAD);
  assert_int_equal(w.backend.poll(store, NULL), HEARTH_DEAD);
  assert_int_equal(w.backend.close(store, NULL), HEARTH_OK);
  store = open_store(&w);
  assert_true(is_there(&w, store, "a"));
  assert_false(is_there(&w, store, "b"));
  hearth_testkit_fail(&w, (hearth_testkit_failure){HEARTH_TESTKIT_CLOSE, 0, HEARTH_IO, false, false});
  assert_int_equal(w.backend.close(store, NULL), HEARTH_IO);
  hearth_testkit_fail(&w, (hearth_testkit_failure){HEARTH_TESTKIT_ANY, 0, HEARTH_BUSY, false, true});
  hearth_backend_config config = {.size = sizeof config, .location = "/world.hearth", .ud = &w};
  config.environment = hearth_disk_environment(disk);
  assert_int_equal(w.backend.open(&config, &store, NULL), HEARTH_BUSY);
  assert_null(store);
  store = open_store(&w); /* nobody has it open */
  assert_int_equal(w.backend.close(store, NULL), HEARTH_OK);
  leave(NULL, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(calls_are_counted),
      cmocka_unit_test(a_call_fails_once_or_for_good),
      cmocka_unit_test(a_part_that_fails_takes_its_batch_along),
      cmocka_unit_test(an_answer_is_lost),
  };
  hearth_testkit_wrapper memory, file;
  hearth_testkit_wrap(&memory, &hearth_memory_backend, NULL);
  hearth_testkit_wrap(&file, &hearth_file_backend, NULL);
  const hearth_testkit_subject in_memory = {.size = sizeof in_memory, .name = "memory, wrapped",
                                            .backend = &memory.backend, .backend_ud = &memory};
  const hearth_testkit_subject on_disk = {.size = sizeof on_disk, .name = "file, wrapped", .backend = &file.backend,
                                          .backend_ud = &file, .persistent = true, .arrive = arrive, .leave = leave,
                                          .environment = environment};
  return cmocka_run_group_tests_name("wrapper", tests, NULL, NULL) + hearth_testkit_run_cmocka(&in_memory) +
         hearth_testkit_run_cmocka(&on_disk);
}
