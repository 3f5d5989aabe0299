/* A store through a backend of the host's own: what the host gives it arrives, also when the options are older. */
#include "../codec/codec_testing.h"

#include "hearth_testkit.h"

static void what_the_host_gives_arrives(void **state) {
  (void)state;
  hearth_testkit_wrapper w;
  hearth_error err;
  hearth_store *store;
  lua_State *L = luaL_newstate();
  hearth_testkit_wrap(&w, &hearth_memory_backend, NULL);
  const hearth_options options = {.size = sizeof options, .backend_ud = &w};
  if (hearth_open(L, &w.backend, NULL, &options, &store, &err) != HEARTH_OK) fail_msg("%s", err.message);
  assert_int_equal(hearth_install(L, store), HEARTH_OK);
  assert_int_equal(luaL_dostring(L, "_home.x = 1"), LUA_OK);
  hearth_testkit_fail(&w, (hearth_testkit_failure){HEARTH_TESTKIT_SUBMIT, 0, HEARTH_FULL, false, false});
  assert_int_equal(hearth_commit(L, store, HEARTH_DEFAULT_DURABILITY, &err), HEARTH_FULL);
  assert_true(w.struck);
  uint64_t submits = w.counts.calls[HEARTH_TESTKIT_SUBMIT], puts = w.counts.ops[HEARTH_PUT];
  assert_int_equal(hearth_commit(L, store, HEARTH_DEFAULT_DURABILITY, &err), HEARTH_OK);
  assert_true(w.counts.calls[HEARTH_TESTKIT_SUBMIT] > submits && w.counts.ops[HEARTH_PUT] > puts);
  submits = w.counts.ops[0];
  assert_int_equal(hearth_commit(L, store, HEARTH_DEFAULT_DURABILITY, &err), HEARTH_OK);
  assert_int_equal(w.counts.ops[0], submits); /* nothing has changed, nothing is submitted */
  assert_int_equal(hearth_close(L, store), HEARTH_OK);
  assert_int_equal(w.counts.calls[HEARTH_TESTKIT_CLOSE], 1);
  lua_close(L);
}

static void options_of_older_headers(void **state) {
  (void)state;
  hearth_testkit_wrapper w;
  hearth_error err;
  hearth_store *store;
  lua_State *L = luaL_newstate();
  hearth_testkit_wrap(&w, &hearth_memory_backend, NULL);
  const hearth_options older = {.size = offsetof(hearth_options, backend_ud), .backend_ud = &w};
  assert_int_equal(hearth_open(L, &w.backend, NULL, &older, &store, &err), HEARTH_INVALID); /* by the wrapper */
  assert_non_null(strstr(err.message, "ud"));
  assert_int_equal(hearth_open(L, &hearth_memory_backend, NULL, &older, &store, &err), HEARTH_OK);
  assert_int_equal(hearth_close(L, store), HEARTH_OK);
  lua_close(L);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_the_host_gives_arrives),
      cmocka_unit_test(options_of_older_headers),
  };
  return cmocka_run_group_tests_name("backend_ud", tests, NULL, NULL);
}
