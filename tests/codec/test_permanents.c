/*
** Permanents: the standard library, registered values and modules, types, stand-ins.
*/
#include "permanents_testing.h"

/* -------------------------------------------------------- standard library */

static void test_standard_library(void **state) {
  (void)state;
  lua_State *L = new_state();
  static const char *const same[] = {
      "_G", "print", "require", "string", "string.upper", "math.random", "io", "io.stdout", "io.stderr", "io.stdin",
      "package", "package.loaded", "package.preload", "package.searchers", "package.searchers[2]", "utf8.char",
      "coroutine.wrap", "debug.traceback", "os.time", "table.unpack", "getmetatable(\"\")",
      "getmetatable(\"\").__add", "utf8.codes(\"\")", "utf8.codes(\"\",true)", NULL};
  for (const char *const *name = same; *name != NULL; name++) check_name(L, *name, *name);
  check_name(L, "(ipairs{})", "ipairs{}");
  check_name(L, "(pairs{})", "next");
  check_name(L, "getmetatable('').__index", "string");
  check_name(L, "getmetatable(io.stdout)", "FILE*");
  check_name(L, "getmetatable(io.stdout).__index", "FILE*.__index");
  check_name(L, "io.stdout.write", "FILE*.__index.write");
  check_name(L, "getmetatable(io.stdout).__gc", "FILE*.__gc");
  check_name(L, "{}", NULL);
  check_name(L, "function() end", NULL);
  check_name(L, "coroutine.wrap(print)", NULL);
  check_name(L, "1", NULL);
  check_name(L, "'print'", NULL);
  lua_close(L);
}

/* Every C function and table that a field of the libraries holds has a name. */
static void test_standard_library_is_complete(void **state) {
  (void)state;
  lua_State *L = new_state();
  push(L, "package.loaded");
  permanents_push(L);
  for (lua_pushnil(L); lua_next(L, 1); lua_settop(L, 3)) {
    for (lua_pushnil(L); lua_next(L, 4); lua_settop(L, 5)) {
      if (permanents_kind(L, 6) == PERMANENT_NONE) continue;
      if (permanents_name(L, 2, 0, 6) < 0) fail_msg("%s.%s has no name", lua_tostring(L, 3), lua_tostring(L, 5));
    }
  }
  lua_close(L);
}

static void test_bare_host(void **state) {
  (void)state;
  lua_State *L = luaL_newstate();
  permanents_push(L);
  lua_pushglobaltable(L);
  assert_int_equal(permanents_name(L, 1, 0, 2), PERMANENT_TABLE);
  assert_string_equal(lua_tostring(L, -1), "_G");
  lua_settop(L, 0);
  assert_false(is_known(L, "io.stdout"));
  assert_false(is_known(L, "print"));
  lua_close(L);
}

static void test_replaced_before_first_use(void **state) {
  (void)state;
  lua_State *L = new_state();
  run(L, "real_print = print; print = function() end; type = io.write; io.stdout = {}; math.sin = nil");
  check_name(L, "print", NULL);
  check_name(L, "real_print", NULL);
  check_name(L, "io.write", "io.write"); /* and not "type" */
  assert_false(is_known(L, "print"));
  assert_false(is_known(L, "type"));
  assert_false(is_known(L, "io.stdout"));
  assert_false(is_known(L, "math.sin"));
  lua_close(L);
}

static void test_states_are_apart(void **state) {
  (void)state;
  lua_State *L = new_state(), *other = new_state();
  run(L, "thing = {}");
  register_value(L, "thing", "thing");
  assert_true(is_known(L, "thing"));
  assert_false(is_known(other, "thing"));
  lua_close(other);
  check_name(L, "thing", "thing");
  lua_close(L);
}

/* ------------------------------------------------------------- registering */

static void test_registered_values(void **state) {
  (void)state;
  lua_State *L = new_state();
  hearth_error err;
  run(L, "f = function() end; t = {}; u = io.tmpfile()");
  register_value(L, "f", "host.f");
  register_value(L, "t", "host.t");
  register_value(L, "u", "host.u");
  check_name(L, "f", "host.f");
  check_name(L, "t", "host.t");
  check_name(L, "u", "host.u");
  lua_pushinteger(L, 1);
  assert_int_equal(hearth_register_permanent(L, -1, "one", &err), HEARTH_INVALID);
  assert_non_null(strstr(err.message, "'one'"));
  assert_int_equal(hearth_register_permanent(L, -1, "one", NULL), HEARTH_INVALID);
  assert_int_equal(hearth_register_module(L, -1, "one", &err), HEARTH_INVALID);
  assert_int_equal(lua_gettop(L), 1);
  lua_close(L);
}

static void test_best_of_several_names(void **state) {
  (void)state;
  static const char *const orders[][3] = {{"bb", "ccc", "ab"}, {"ab", "bb", "ccc"}, {"ccc", "ab", "bb"}};
  for (size_t i = 0; i < 3; i++) {
    lua_State *L = new_state();
    run(L, "t = {}");
    for (size_t n = 0; n < 3; n++) register_value(L, "t", orders[i][n]);
    check_name(L, "t", "ab");
    for (size_t n = 0; n < 3; n++) assert_true(is_known(L, orders[i][n]));
    register_value(L, "print", "p"); /* the library's names stay */
    check_name(L, "print", "print");
    assert_true(is_known(L, "p"));
    lua_close(L);
  }
}

static void test_name_moves_to_a_new_value(void **state) {
  (void)state;
  lua_State *L = new_state();
  run(L, "old = function() end; new = function() end");
  register_value(L, "old", "f");
  register_value(L, "new", "f");
  check_name(L, "new", "f");
  permanents_push(L);
  push(L, "old");
  assert_int_equal(permanents_name(L, 1, 0, 2), PERMANENT_LUA_FUNCTION); /* old closures still encode */
  assert_string_equal(lua_tostring(L, -1), "f");
  lua_settop(L, 0);
  register_value(L, "old", "a longer name");
  check_name(L, "old", "a longer name");
  lua_close(L);
}

static const char game[] =
    "game = {version = 1, _helper = function() end}\n"
    "game.Player = {hp = 10, name = 'x'} game.Player.__index = game.Player\n"
    "function game.Player.new() return setmetatable({}, game.Player) end\n"
    "setmetatable(game.Player, {__call = function() return game.Player.new() end})\n"
    "game.levels = {{1, 2}, {3}}\n"
    "game.handlers = {[1] = function() end, ['on hit'] = function() end, [true] = function() end}\n"
    "game.weak = {__mode = 'k'}\n"
    "game.alias = game.Player\n"
    "game.itself = game\n"
    "game.globals = _G\n"
    "game.format = string.format\n"
    "game.data = setmetatable({}, {__index = function() end})\n";

static void test_module(void **state) {
  (void)state;
  lua_State *L = new_state();
  run(L, game);
  register_module(L, "game", "game");
  check_name(L, "game", "game");
  check_name(L, "game._helper", "game._helper");
  check_name(L, "game.Player", "game.alias"); /* shorter */
  check_name(L, "game.Player.new", "game.alias.new");
  check_name(L, "getmetatable(game.Player)", "getmetatable(game.alias)");
  check_name(L, "getmetatable(game.Player).__call", "getmetatable(game.alias).__call");
  check_name(L, "game.levels", NULL);
  check_name(L, "game.levels[1]", NULL);
  check_name(L, "game.handlers", "game.handlers");
  check_name(L, "game.handlers[1]", "game.handlers[1]");
  check_name(L, "game.handlers['on hit']", "game.handlers[\"on hit\"]");
  check_name(L, "game.weak", "game.weak");
  check_name(L, "game.data", NULL);
  check_name(L, "getmetatable(game.data)", "getmetatable(game.data)");
  check_name(L, "_G", "_G");
  check_name(L, "string.format", "string.format");
  assert_true(is_known(L, "game.format"));
  assert_false(is_known(L, "game.globals.print")); /* the standard library is not walked through */
  assert_false(is_known(L, "game.itself.Player"));
  lua_close(L);
}

static void test_module_edited_and_reloaded(void **state) {
  (void)state;
  lua_State *L = new_state();
  run(L, game);
  run(L, "kept = game.Player; old_new = game.Player.new");
  register_module(L, "game", "game");
  run(L, game);
  run(L, "game.alias = nil; function game.added() end; game._helper = print");
  register_module(L, "game", "game");
  check_name(L, "game.Player", "game.Player");
  check_name(L, "game.Player.new", "game.Player.new");
  check_name(L, "game.added", "game.added");
  check_name(L, "print", "print");
  permanents_push(L);
  lua_pushliteral(L, "game._helper"); /* a save from before the edit */
  assert_true(permanents_value(L, 1, 0, 2));
  push(L, "print");
  assert_true(lua_rawequal(L, -1, -2));
  lua_settop(L, 1);
  push(L, "old_new");
  assert_int_equal(permanents_name(L, 1, 0, 2), PERMANENT_LUA_FUNCTION);
  assert_string_equal(lua_tostring(L, -1), "game.alias.new");
  lua_settop(L, 0);
  run(L, "function kept.late() end; game.Player.late = function() end"); /* a class that was edited in place */
  register_module(L, "game", "game");
  check_name(L, "game.Player.late", "game.Player.late");
  run(L, "game.P = game.Player");
  register_module(L, "game", "game");
  check_name(L, "game.Player", "game.P");
  run(L, "game.P = nil");
  register_module(L, "game", "game");
  check_name(L, "game.Player", "game.Player"); /* as a process that never saw the short name has it */
  check_name(L, "game.Player.late", "game.Player.late");
  lua_close(L);
}

static void test_keys_give_different_names(void **state) {
  (void)state;
  lua_State *L = new_state();
  run(L, "m = {a = {b = function() end}, ['a.b'] = function() end, [1] = function() end, ['1'] = function() end,"
         "['[1]'] = function() end, ['\"'] = function() end, ['\\\\'] = function() end, [''] = function() end}");
  register_module(L, "m", "m");
  check_name(L, "m.a.b", "m.a.b");
  check_name(L, "m['a.b']", "m[\"a.b\"]");
  check_name(L, "m[1]", "m[1]");
  check_name(L, "m['1']", "m[\"1\"]");
  check_name(L, "m['[1]']", "m[\"[1]\"]");
  check_name(L, "m['\"']", "m[\"\\\"\"]");
  check_name(L, "m['\\\\']", "m[\"\\\\\"]");
  check_name(L, "m['']", "m[\"\"]");
  lua_close(L);
}

/* The names do not depend on the order in which next delivers the keys. */
static void test_module_names_are_repeatable(void **state) {
  (void)state;
  static const char *const programs[] = {
      "m = {} m.a = {} m.a.x = {} m.a.x.f = function() end m.zz = m.a m.b = m.a.x m.b.up = m.a m.a.f = m.b.f",
      "m = {} m.zz = {} m.b = {f = function() end} m.b.up = m.zz m.zz.f = m.b.f m.zz.x = m.b m.a = m.zz"};
  for (size_t i = 0; i < 2; i++) {
    lua_State *L = new_state();
    run(L, programs[i]);
    register_module(L, "m", "m");
    check_name(L, "m.b", "m.b");
    check_name(L, "m.b.f", "m.a.f");
    check_name(L, "m.zz", "m.a");
    lua_close(L);
  }
}

static void test_overlay(void **state) {
  (void)state;
  lua_State *L = new_state();
  permanents_push(L);
  run(L, "overlay = {[print] = 'my print', [math] = 7, [io] = true, [os] = {}, [table] = 1.5}\n"
         "back = {['my print'] = 'a string', [7] = math, [false] = false}");
  push(L, "overlay");
  push(L, "print");
  assert_int_equal(permanents_name(L, 1, 2, 3), PERMANENT_C_FUNCTION);
  assert_string_equal(lua_tostring(L, -1), "my print");
  push(L, "math");
  assert_int_equal(permanents_name(L, -5, -4, -1), PERMANENT_TABLE);
  assert_int_equal(lua_tointeger(L, -1), 7);
  push(L, "io");
  assert_int_equal(permanents_name(L, 1, 2, -1), PERMANENT_TABLE);
  assert_true(lua_toboolean(L, -1));
  push(L, "os");
  const int top = lua_gettop(L);
  assert_int_equal(permanents_name(L, 1, 2, -1), PERMANENT_BAD_NAME);
  assert_int_equal(lua_gettop(L), top);
  push(L, "string"); /* not in it */
  assert_int_equal(permanents_name(L, 1, 2, -1), PERMANENT_TABLE);
  lua_settop(L, 1);
  push(L, "back");
  lua_pushliteral(L, "my print");
  assert_true(permanents_value(L, 1, 2, 3));
  assert_string_equal(lua_tostring(L, -1), "a string");
  lua_pushinteger(L, 7);
  assert_true(permanents_value(L, 1, 2, -1));
  lua_pushboolean(L, 0);
  assert_true(permanents_value(L, 1, 2, -1));
  assert_false(lua_toboolean(L, -1));
  lua_pushliteral(L, "string");
  assert_true(permanents_value(L, 1, 2, -1));
  lua_close(L);
}

/* ------------------------------------------------------------------ types */

static int encode_point(lua_State *L) {
  lua_getfield(L, 1, "x");
  return 1;
}

static int decode_point(lua_State *L) {
  lua_pushvalue(L, 1);
  return 1;
}

static void test_types(void **state) {
  (void)state;
  lua_State *L = new_state();
  hearth_error err;
  run(L, "Point = {} p = setmetatable({x = 1}, Point)");
  push(L, "Point");
  assert_int_equal(hearth_register_type(L, "point", 1, encode_point, decode_point, &err), HEARTH_OK);
  assert_int_equal(lua_gettop(L), 1);
  permanents_push(L);
  push(L, "p");
  assert_true(permanents_type_of(L, 2, 3));
  assert_string_equal(lua_tostring(L, -1), "point");
  assert_true(permanents_type(L, 2, 4));
  assert_ptr_equal(lua_tocfunction(L, -2), encode_point);
  assert_ptr_equal(lua_tocfunction(L, -1), decode_point);
  lua_settop(L, 2);
  static const char *const others[] = {"Point", "{}", "io.stdout", "1", "'text'", "print", "nil"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    push(L, others[i]);
    assert_false(permanents_type_of(L, 2, 3));
    assert_int_equal(lua_gettop(L), 3);
    lua_settop(L, 2);
  }
  lua_pushliteral(L, "unknown");
  assert_false(permanents_type(L, 2, 3));
  assert_int_equal(lua_gettop(L), 3);
  push(L, "function() return 1 end"); /* Lua functions, given again */
  assert_int_equal(hearth_register_type_at(L, "point", 1, 4, -1, &err), HEARTH_OK);
  assert_true((lua_pushliteral(L, "point"), permanents_type(L, 2, -1)));
  assert_true(lua_rawequal(L, -1, 4));
  assert_int_equal(hearth_register_type_at(L, "point", 3, 4, 4, &err), HEARTH_INVALID);
  assert_int_equal(hearth_register_type_at(L, "point", 1, 4, 1, &err), HEARTH_INVALID);
  assert_non_null(strstr(err.message, "point"));
  lua_close(L);
}

/* -------------------------------------------------------------- stand-ins */

static void test_placeholders(void **state) {
  (void)state;
  static const char *const uses[] = {"return x()", "return x.field", "x.field = 1", "return #x", "return x + 1",
                                     "return x .. ''", "for k in pairs(x) do end", "return setmetatable({}, x).method"};
  lua_State *L = new_state();
  permanents_push(L);
  for (int kind = PERMANENT_TABLE; kind <= PERMANENT_USERDATA; kind++) {
    lua_pushliteral(L, "gone.thing");
    permanents_placeholder(L, 1, (PermanentKind)kind, -1);
    assert_int_equal(permanents_name(L, 1, 0, -1), kind);
    assert_string_equal(lua_tostring(L, -1), "gone.thing");
    lua_pop(L, 1);
    lua_setglobal(L, "x");
    lua_gc(L, LUA_GCCOLLECT);
    const bool function = kind == PERMANENT_LUA_FUNCTION || kind == PERMANENT_C_FUNCTION;
    for (size_t i = 0; i < (function ? 1 : kind == PERMANENT_TABLE ? 8 : 7); i++) {
      assert_true(luaL_dostring(L, uses[i]));
      if (strstr(lua_tostring(L, -1), "'gone.thing' is not known") == NULL)
        fail_msg("%s: %s", uses[i], lua_tostring(L, -1));
    }
    lua_settop(L, 1);
  }
  assert_false(is_known(L, "gone.thing"));
  lua_pushinteger(L, 5);
  permanents_placeholder(L, 1, PERMANENT_C_FUNCTION, -1);
  assert_int_equal(permanents_name(L, 1, 0, -1), PERMANENT_C_FUNCTION);
  assert_int_equal(lua_tointeger(L, -1), 5);
  lua_pop(L, 1);
  assert_int_equal(lua_pcall(L, 0, 0, 0), LUA_ERRRUN);
  assert_non_null(strstr(lua_tostring(L, -1), "'5'"));
  lua_close(L);
}

/* --------------------------------------------------------- changes, modules */

static bool is_listed(lua_State *L, const char *name) {
  hearth_error err;
  bool found = false;
  if (hearth_changed_permanents(L, &err) != HEARTH_OK) fail_msg("%s", err.message);
  for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
    found |= strcmp(lua_tostring(L, -1), name) == 0;
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
  return found;
}

static void test_changed_permanents(void **state) {
  (void)state;
  lua_State *L = new_state();
  hearth_error err;
  run(L, game);
  run(L, "game.nan = 0/0; game.object = {}");
  register_module(L, "game", "game");
  assert_int_equal(hearth_changed_permanents(L, &err), HEARTH_OK);
  assert_int_equal(lua_rawlen(L, -1), 0);
  lua_settop(L, 0);
  run(L, "game.Player.hp = 11");
  assert_true(is_listed(L, "game.alias"));
  assert_false(is_listed(L, "game"));
  run(L, "game.Player.hp = 10");
  assert_false(is_listed(L, "game.alias"));
  run(L, "game.added = 1");
  assert_true(is_listed(L, "game"));
  run(L, "game.added = nil; game.version = nil");
  assert_true(is_listed(L, "game"));
  run(L, "game.version = 1; local gone = setmetatable({game.object}, {__mode = 'v'}); game.object = nil\n"
         "collectgarbage(); assert(gone[1] == nil, 'what was registered is kept'); game.another = 1");
  assert_true(is_listed(L, "game"));
  register_module(L, "game", "game");
  assert_false(is_listed(L, "game"));
  run(L, "a_global = 1; string.trim = print");
  assert_false(is_listed(L, "_G")); /* programs add globals */
  assert_true(is_listed(L, "string"));
  run(L, "print = nil");
  assert_true(is_listed(L, "_G"));
  lua_close(L);
}

static void test_unregistered_modules(void **state) {
  (void)state;
  lua_State *L = new_state();
  run(L, "package.loaded.long_name = {}; package.loaded.short = package.loaded.long_name; package.loaded.flag = true");
  permanents_push_modules(L);
  push(L, "package.loaded.short");
  assert_true(permanents_module_of(L, 1, 2));
  assert_string_equal(lua_tostring(L, -1), "short");
  push(L, "{}");
  assert_false(permanents_module_of(L, 1, -1));
  assert_int_equal(lua_gettop(L), 4);
  lua_close(L);
}

/* ------------------------------------------------------------------ memory */

typedef struct Memory {
  long left; /* allocations until all fail; negative: none fails */
  size_t in_use;
} Memory;

static void *counting_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  Memory *m = ud;
  if (ptr == NULL) osize = 0; /* Lua passes a type there */
  if (nsize == 0) {
    m->in_use -= osize;
    free(ptr);
    return NULL;
  }
  if (nsize > osize && m->left >= 0) {
    if (m->left == 0) return NULL;
    m->left--;
  }
  void *result = realloc(ptr, nsize);
  assert_non_null(result);
  m->in_use += nsize - osize;
  return result;
}

static hearth_status use_everything(lua_State *L) {
  hearth_error err;
  hearth_status status = hearth_register_module(L, 1, "game", &err);
  if (status == HEARTH_OK) status = hearth_register_module(L, 2, "counter", &err);
  if (status == HEARTH_OK) status = hearth_register_permanent(L, 1, "g", &err);
  if (status == HEARTH_OK) status = hearth_register_type(L, "point", 1, encode_point, decode_point, &err);
  if (status == HEARTH_OK) status = hearth_changed_permanents(L, &err);
  return status;
}

static void test_failing_memory(void **state) {
  (void)state;
  long n = 0;
  for (bool done = false; !done; n++) {
    Memory memory = {-1, 0};
    lua_State *L = lua_newstate(counting_alloc, &memory);
    assert_non_null(L);
    luaL_openlibs(L);
    run(L, game);
    run(L, counter);
    lua_getglobal(L, "game");
    lua_getglobal(L, "counter");
    lua_gc(L, LUA_GCCOLLECT);
    lua_gc(L, LUA_GCSTOP);
    memory.left = n;
    const hearth_status status = use_everything(L);
    memory.left = -1;
    if (status == HEARTH_OK) {
      done = true;
    } else {
      assert_int_equal(status, HEARTH_NOMEM);
      assert_int_equal(lua_gettop(L), 2);
      assert_int_equal(use_everything(L), HEARTH_OK); /* nothing half done is in the way */
    }
    lua_settop(L, 0);
    check_name(L, "game", "g");
    check_name(L, "game.handlers[1]", "game.handlers[1]");
    check_cell(L, cell_id(L, "counter.closure()", 1), "counter.up^count");
    lua_close(L);
    assert_int_equal(memory.in_use, 0);
  }
  assert_true(n > 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_standard_library),
      cmocka_unit_test(test_standard_library_is_complete),
      cmocka_unit_test(test_bare_host),
      cmocka_unit_test(test_replaced_before_first_use),
      cmocka_unit_test(test_states_are_apart),
      cmocka_unit_test(test_registered_values),
      cmocka_unit_test(test_best_of_several_names),
      cmocka_unit_test(test_name_moves_to_a_new_value),
      cmocka_unit_test(test_module),
      cmocka_unit_test(test_module_edited_and_reloaded),
      cmocka_unit_test(test_keys_give_different_names),
      cmocka_unit_test(test_module_names_are_repeatable),
      cmocka_unit_test(test_overlay),
      cmocka_unit_test(test_types),
      cmocka_unit_test(test_placeholders),
      cmocka_unit_test(test_changed_permanents),
      cmocka_unit_test(test_unregistered_modules),
      cmocka_unit_test(test_failing_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
