/* Legacy records into a store, in C: statuses, what stays after a failure, memory that runs out at every request. */
#include "hearth_legacy.h"
#include "store_testing.h"

/* Tables in tables, cycles, functions, damage and a text: everything that an import does. */
static const char records[] =
    "local function bin(bytes) return { _type = 'binary', data = bytes } end\n"
    "local chunk = string.dump(function() return value end, true)\n"
    "return {\n"
    "  { id = 1, data = { i = bin '\\2\\42\\0\\0\\0\\0\\0\\0\\0', t = bin '\\7\\3\\0\\0\\0', "
    "f = bin('\\5' .. string.pack('<s4', chunk)),\n"
    "    c = bin '\\6\\xff\\xff', bad = bin '\\2\\1', text = '\\4\\2\\0\\0\\0hi', list = bin { 1, 1 }, "
    "['1'] = bin '\\1\\0' } },\n"
    "  { id = 3, data = { up = bin '\\7\\1\\0\\0\\0', empty = bin '\\7\\9\\0\\0\\0' } },\n"
    "  { id = 8, data = { x = bin '\\1\\1' } },\n"
    "  { id = '__metadata__', data = { memoryTableId = 1, nextTableId = 10, savedAt = 'then' } },\n"
    "}";

static void push_value(lua_State *L, const char *code) {
  if (luaL_dostring(L, code) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
}

static void check_imported(World *w) {
  run(w->L, "eq(home.i, 42) eq(home.t.up, home) eq(next(home.t.empty), nil) eq(home.text, 'hi') eq(home.list, true)\n"
            "value = 'global' eq(home.f(), 'global') eq(pcall(home.c), false) eq(home.bad, nil) eq(home[1], false)");
}

static bool home_is_empty(World *w) {
  hearth_push_home(w->L, w->S);
  lua_pushnil(w->L);
  bool empty = !lua_next(w->L, -2);
  if (!empty) lua_pop(w->L, 2);
  lua_pop(w->L, 1);
  return empty;
}

static void test_import(void **state) {
  (void)state;
  World w;
  world_init(&w, 0);
  push_value(w.L, records);
  assert_int_equal(hearth_import_legacy(w.L, w.S, -1, 0, &w.error), HEARTH_OK);
  assert_int_equal(lua_gettop(w.L), 2);
  assert_true(lua_istable(w.L, 2));
  lua_getfield(w.L, 2, "tables");
  assert_int_equal(lua_tointeger(w.L, -1), 2); /* 8 is left out: nothing refers to it */
  lua_settop(w.L, 1);
  assert_non_null(strstr(w.warnings, "please migrate to \"homeTableId\""));
  check_imported(&w);
  assert_int_equal(w.disk->batches, 0); /* it does not commit */
  assert_int_equal(hearth_import_legacy(w.L, w.S, 1, 0, &w.error), HEARTH_EXISTS);
  check_imported(&w);
  lua_settop(w.L, 0);
  assert_int_equal(hearth_commit(w.L, w.S, HEARTH_DEFAULT_DURABILITY, &w.error), HEARTH_OK);
  world_restart(&w);
  check_imported(&w);
  world_free(&w);
}

static void test_options(void **state) {
  (void)state;
  World w;
  world_init(&w, 0);
  push_value(w.L, records);
  push_value(w.L, "return { keys = 'text', unreachable = 'rest', home = 3, globals = { value = 'mine' }, "
                  "warn = function() error 'no' end }");
  assert_int_equal(hearth_import_legacy(w.L, w.S, 1, 2, &w.error), HEARTH_OK);
  run(w.L, "eq(home.up['1'], false) eq(home.up.f(), 'mine') eq(home.rest[8].x, true) eq(home.up.t, home)");
  lua_settop(w.L, 2);
  lua_getfield(w.L, 2, "home_table");
  assert_true(lua_isnil(w.L, -1)); /* the caller's table is not written to */
  lua_settop(w.L, 0);
  world_free(&w);
}

static void test_refused(void **state) {
  (void)state;
  static const struct {
    const char *records, *options;
    hearth_status status;
  } cases[] = {
      {"return 5", "return nil", HEARTH_INVALID},
      {"return {}", "return 5", HEARTH_INVALID},
      {"return {}", "return { keys = 'x' }", HEARTH_INVALID},
      {"return { { id = '__metadata__', data = { homeTableId = -1 } } }", "return nil", HEARTH_DAMAGED},
      {"return setmetatable({}, { __index = error }), 1", "return { warn = 5 }", HEARTH_INVALID},
      {"return { { id = 1, data = {} }, { id = '__metadata__', data = { memoryTableId = 1 } } }",
       "return { warn = function() error 'mine' end }", HEARTH_RAISED},
  };
  World w;
  world_init(&w, 0);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    push_value(w.L, cases[i].records);
    lua_settop(w.L, 1);
    push_value(w.L, cases[i].options);
    hearth_status status = hearth_import_legacy(w.L, w.S, 1, 2, &w.error);
    if (status != cases[i].status) fail_msg("case %zu: %s", i, w.error.message);
    assert_int_equal(w.error.code, status);
    assert_int_equal(lua_gettop(w.L), 2);
    assert_true(home_is_empty(&w));
    lua_settop(w.L, 0);
  }
  run(w.L, "home.precious = 7"); /* whatever is wrong besides, what is there stays */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    push_value(w.L, cases[i].records);
    lua_settop(w.L, 1);
    push_value(w.L, cases[i].options);
    assert_int_equal(hearth_import_legacy(w.L, w.S, 1, 2, &w.error), HEARTH_EXISTS);
    run(w.L, "eq(home.precious, 7)");
    lua_settop(w.L, 0);
  }
  push_value(w.L, "return { runtime = '9' }");
  assert_int_equal(hearth_export_legacy(w.L, w.S, 1, &w.error), HEARTH_INVALID);
  assert_int_equal(lua_gettop(w.L), 1);
  lua_settop(w.L, 0);
  world_free(&w);
}

static void test_without_libraries(void **state) {
  (void)state;
  World w;
  world_init(&w, 0);
  run(w.L, "keep, utf8 = utf8, nil");
  assert_int_equal(hearth_push_legacy(w.L, &w.error), HEARTH_UNSUPPORTED);
  assert_non_null(strstr(w.error.message, "'utf8'"));
  lua_newtable(w.L);
  assert_int_equal(hearth_import_legacy(w.L, w.S, 1, 0, &w.error), HEARTH_UNSUPPORTED);
  assert_int_equal(hearth_export_legacy(w.L, w.S, 0, &w.error), HEARTH_UNSUPPORTED);
  run(w.L, "utf8 = keep");
  assert_int_equal(hearth_push_legacy(w.L, NULL), HEARTH_OK);
  lua_settop(w.L, 0);
  assert_int_equal(hearth_close(w.L, w.S), HEARTH_OK);
  lua_newtable(w.L);
  assert_int_equal(hearth_import_legacy(w.L, w.S, 1, 0, &w.error), HEARTH_CLOSED);
  assert_int_equal(hearth_export_legacy(w.L, w.S, 0, &w.error), HEARTH_CLOSED);
  lua_settop(w.L, 0);
  world_open(&w);
  world_free(&w);
}

static void check_import_failing(size_t more) {
  World w;
  size_t failures = 0;
  world_init(&w, 0);
  push_value(w.L, records);
  for (size_t n = 0;; n++) {
    world_fail(&w, n, more);
    hearth_status status = hearth_import_legacy(w.L, w.S, 1, 0, &w.error);
    world_mend(&w);
    if (status == HEARTH_OK) {
      lua_settop(w.L, 1);
      check_imported(&w);
      if (!w.failed) break;
      run(w.L, "for k in next, home do home[k] = nil end");
      continue;
    }
    if (status != HEARTH_NOMEM) fail_msg("request %zu: %s", n, w.error.message);
    assert_int_equal(lua_gettop(w.L), 1);
    assert_true(home_is_empty(&w));
    failures++;
  }
  assert_true(failures > 100);
  lua_settop(w.L, 0);
  world_free(&w);
}

static void check_export_failing(size_t more) {
  World w;
  size_t failures = 0;
  world_init(&w, 0);
  run(w.L, "home.a, home.f, home.c, home.t = { 1, { 2 } }, function() return home end, print, setmetatable({}, {})\n"
           "home.again, home.ext = home.a, external() home.ext.x = 'external'");
  for (size_t n = 0;; n++) {
    world_fail(&w, n, more);
    hearth_status status = hearth_export_legacy(w.L, w.S, 0, &w.error);
    world_mend(&w);
    if (status == HEARTH_OK) {
      assert_int_equal(lua_gettop(w.L), 2);
      lua_setglobal(w.L, "report");
      lua_setglobal(w.L, "records");
      run(w.L, "eq(report.counts.metatable, 1) eq(report.counts.identity, 1) eq(report.counts['function'], 1) "
               "eq(#records, 5)");
      if (!w.failed) break;
      continue;
    }
    if (status != HEARTH_NOMEM) fail_msg("request %zu: %s", n, w.error.message);
    assert_int_equal(lua_gettop(w.L), 0);
    failures++;
  }
  assert_true(failures > 100);
  world_free(&w);
}

static void test_without_memory(void **state) {
  (void)state;
  check_import_failing(1);
  check_import_failing(NEVER);
  check_export_failing(1);
  check_export_failing(NEVER);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_import),  cmocka_unit_test(test_options),           cmocka_unit_test(test_refused),
      cmocka_unit_test(test_without_libraries), cmocka_unit_test(test_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
