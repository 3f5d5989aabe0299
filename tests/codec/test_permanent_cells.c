/*
** Permanents that are cells: upvalues of functions that have a name.
*/
#include "permanents_testing.h"

static void test_cells(void **state) {
  (void)state;
  lua_State *L = new_state();
  run(L, counter);
  register_module(L, "counter", "counter");
  check_cell(L, cell_id(L, "counter.closure()", 1), "counter.up^count");
  check_cell(L, cell_id(L, "counter.closure()", 2), "counter.down^limit");
  check_cell(L, cell_id(L, "counter.down", 3), "counter.down^_ENV");
  permanents_push(L);
  push(L, "(function() local x return function() return x end end)()");
  assert_false(permanents_cell_name(L, 1, lua_upvalueid(L, 2, 1)));
  assert_int_equal(lua_gettop(L), 2);
  static const char *const unknown[] = {"counter.up^missing", "counter.up^9", "counter.up^0", "counter.up^",
                                        "nobody^count", "print^1", "counter^1", "counter.up", "", "^",
                                        "counter.up^999999"};
  for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
    lua_settop(L, 1);
    lua_pushstring(L, unknown[i]);
    assert_int_equal(permanents_cell(L, 1, 2), 0);
    assert_int_equal(lua_gettop(L), 2);
  }
  lua_pushinteger(L, 3);
  assert_int_equal(permanents_cell(L, 1, -1), 0);
  lua_close(L);
}

static void test_cells_of_stripped_functions(void **state) {
  (void)state;
  lua_State *L = new_state();
  lua_pushstring(L, counter);
  lua_setglobal(L, "text");
  run(L, "load(string.dump(load(text), true))()");
  register_module(L, "counter", "counter");
  check_cell(L, cell_id(L, "counter.closure()", 1), "counter.up^1");
  check_cell(L, cell_id(L, "counter.closure()", 2), "counter.down^2");
  lua_close(L);
}

/* A name is believed only while the function still has that cell. */
static void test_cell_that_was_exchanged(void **state) {
  (void)state;
  lua_State *L = new_state();
  run(L, counter);
  register_module(L, "counter", "counter");
  run(L, "inner = counter.closure()");
  void *id = cell_id(L, "inner", 1);
  run(L, "local x; local function fresh() return x end debug.upvaluejoin(counter.up, 1, fresh, 1)\n"
         "debug.upvaluejoin(counter.down, 1, fresh, 1) debug.upvaluejoin(counter.closure, 1, fresh, 1)");
  permanents_push(L);
  assert_false(permanents_cell_name(L, 1, id));
  assert_int_equal(lua_gettop(L), 1);
  lua_close(L);
}

static void test_cells_after_a_reload(void **state) {
  (void)state;
  lua_State *L = new_state();
  run(L, counter);
  register_module(L, "counter", "counter");
  run(L, "inner = counter.closure()");
  run(L, counter);
  register_module(L, "counter", "counter");
  lua_gc(L, LUA_GCCOLLECT);
  permanents_push(L);
  assert_true(permanents_cell_name(L, 1, cell_id(L, "inner", 1)));
  assert_string_equal(lua_tostring(L, -1), "counter.up^count");
  const int upvalue = permanents_cell(L, 1, 2);
  assert_ptr_equal(lua_upvalueid(L, -1, upvalue), cell_id(L, "counter.closure()", 1)); /* the new one */
  lua_close(L);
}

/* A name that means another function now is no name of the cell, however short. */
static void test_cell_of_a_function_that_lost_its_name(void **state) {
  (void)state;
  lua_State *L = new_state();
  run(L, "local n = 0; function first() return n end; function second() return n end; function third() end");
  register_value(L, "first", "f");
  void *id = cell_id(L, "second", 1);
  check_cell(L, id, "f^n");
  register_value(L, "third", "f");
  register_value(L, "second", "a_long_name");
  check_cell(L, id, "a_long_name^n");
  lua_close(L);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cells),
      cmocka_unit_test(test_cells_of_stripped_functions),
      cmocka_unit_test(test_cell_that_was_exchanged),
      cmocka_unit_test(test_cells_after_a_reload),
      cmocka_unit_test(test_cell_of_a_function_that_lost_its_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
