/*
** The environment that a store is installed in, and the legacy name by its policies.
*/
#include "store_testing.h"

static const char policies[] = "OFF, ON, TRACK = 0, 1, 2\n";

static void in_world(const char *code) {
  World w;
  world_init(&w, 0);
  run(w.L, policies);
  run(w.L, code);
  world_free(&w);
}

static void test_environment(void **state) {
  (void)state;
  in_world("local env = setmetatable({ who = 'first' }, { __index = _G })\n"
           "assert(install(env))\n"
           "eq(env._home, home) assert(env.ext) eq(rawget(_G, '_home'), nil)\n"
           "home.f = load('return who', '=f', 't', env)\n"
           "home.true_globals, home.env, home.g = _G, env, load('return who', '=g')\n"
           "home.env2 = { who = 'an ordinary table' } home.h = load('return who', '=h', 't', home.env2)\n"
           "who = 'globals'\n"
           "assert(commit()) unchanged()\n"
           /* another environment takes its place */
           "reopen() local other = { who = 'second' } assert(install(other))\n"
           "eq(home.f(), 'second') eq(home.g(), 'globals') eq(home.h(), 'an ordinary table')\n"
           "eq(home.env, other) eq(home.true_globals, _G) unchanged()\n"
           "home.x = 1 assert(commit())\n"
           /* installed once more: what was the environment is an ordinary table from now on */
           "local third = { who = 'third' } assert(install(third))\n"
           "eq(home.f(), 'third') eq(home.env, third) unchanged()\n"
           "home.was = other assert(commit()) assert(number(other) ~= number(third))\n"
           "reopen() assert(install(third)) unchanged() eq(home.f(), 'third') eq(home.was.who, 'second')\n"
           /* and in the globals */
           "assert(install()) eq(home.f(), 'globals') eq(home.env, _G) eq(_home, home)\n"
           "home.was = nil _home, ext = nil, nil assert(install(third)) eq(home.g(), 'globals')\n");
}

static void test_install_keeps_the_rest(void **state) {
  (void)state;
  in_world("home.x = { 1 } assert(commit())\n"
           "local x = home.x\n"
           "local env = {} assert(install(env)) eq(home.x, x) unchanged()\n"
           "assert(install(env)) assert(install(env)) unchanged()\n"
           "env._home = {} fails('replaced', '_home', commit())\n"
           "env._home = home assert(commit())\n"
           "setmetatable(env, { __index = function() error 'never asked' end }) env._home = nil\n"
           "fails('replaced', 'removed', commit()) env._home = home home.x = nil assert(commit())\n");
}

static void test_policies(void **state) {
  (void)state;
  in_world("local env = {} assert(install(env)) eq(env.Memory, nil)\n"
           "local states = { [OFF] = function() eq(env.Memory, nil) eq(rawget(env, 'Memory'), nil) end,\n"
           "  [ON] = function() eq(rawget(env, 'Memory'), home) end,\n"
           "  [TRACK] = function() eq(env.Memory, home) eq(rawget(env, 'Memory'), nil) end }\n"
           "for from = OFF, TRACK do for to = OFF, TRACK do for back = OFF, TRACK do\n"
           "  for _, policy in ipairs { from, to, back, back } do\n"
           "    assert(alias(policy)) states[policy]() assert(commit())\n"
           "    assert(install(env)) states[policy]() assert(commit())\n"
           "  end\n"
           "end end end\n"
           "fails('invalid', 'policy', alias(3)) fails('invalid', 'policy', alias(-1))\n"
           "alias(OFF) env.Memory = 'its own' assert(alias(OFF)) eq(env.Memory, 'its own') assert(commit())\n");
}

/* The environment's own metatable goes on working, whatever it has. */
static void test_track_with_a_metatable(void **state) {
  (void)state;
  in_world("local set = {}\n"
           "local metas = {\n"
           "  {}, { __index = { other = 'inherited' } },\n"
           "  { __index = function(t, k) return k == 'other' and 'inherited' or nil end },\n"
           "  { __index = setmetatable({}, { __index = { other = 'inherited' } }), __newindex = set },\n"
           "  { __index = { other = 'inherited' }, __newindex = function(t, k, v) set[k] = v end },\n"
           "  { __index = { other = 'inherited' }, __metatable = 'locked', "
           "__newindex = setmetatable({}, { __newindex = set }) },\n"
           "}\n"
           "for i, meta in ipairs(metas) do\n"
           "  local env = setmetatable({}, meta)\n"
           "  local index, newindex = meta.__index, meta.__newindex\n"
           "  alias(TRACK)\n"
           "  if not newindex then assert(install(env)) else rawset(env, '_home', home) rawset(env, 'ext', 1) "
           "assert(install(env)) end\n"
           "  for round = 1, 2 do\n"
           "    eq(env.other, i > 1 and 'inherited' or nil, i) eq(env.absent, nil) eq(env.Memory, home)\n"
           "    env['new' .. round] = 5\n"
           "    if newindex then eq(set['new' .. round], 5) eq(rawget(env, 'new' .. round), nil) "
           "set = set else eq(rawget(env, 'new' .. round), 5) end\n"
           "    set['new' .. round] = nil\n"
           "    env.Memory = home eq(rawget(env, 'Memory'), nil)\n"
           "    local ok, message = pcall(function() env.Memory = {} end) "
           "assert(not ok and message:find 'cannot be replaced', message)\n"
           "    assert(commit())\n"
           "    alias(OFF) eq(meta.__index, index) eq(meta.__newindex, newindex) eq(debug.getmetatable(env), meta)\n"
           "    alias(TRACK)\n"
           "  end\n"
           "  alias(OFF) eq(meta.__index, index) eq(meta.__newindex, newindex)\n"
           "end\n");
}

/* The program sets other functions while uses are tracked: they stay. */
static void test_track_and_a_metatable_that_changes(void **state) {
  (void)state;
  in_world("local env = {} assert(install(env)) alias(TRACK)\n"
           "local meta = getmetatable(env)\n"
           "local function strict(t, k) error('strict: ' .. k) end\n"
           "meta.__index = strict\n"
           "alias(OFF) eq(meta.__index, strict) eq(meta.__newindex, nil)\n"
           "meta.__index = nil alias(TRACK) eq(env.Memory, home)\n"
           "local own = { __index = { x = 1 } } setmetatable(env, own)\n"
           "alias(TRACK) eq(env.Memory, home) eq(env.x, 1) eq(meta.__index, nil)\n"
           "alias(OFF) eq(own.__index.x, 1) eq(own.__newindex, nil)\n"
           /* hooked in front of ours: ours lets pass what is not its own any more */
           "alias(TRACK) local ours = own.__index\n"
           "own.__index = function(t, k) return ours(t, k) end\n"
           "eq(env.Memory, home) alias(OFF) eq(env.Memory, nil) eq(env.x, 1)\n");
}

static void test_track_counts(void **state) {
  (void)state;
  World w;
  world_init(&w, 0);
  run(w.L, policies);
  run(w.L, "env = {} assert(install(env)) alias(TRACK)\n"
           "local f = load('local x = Memory\\nMemory.y = 1 Memory.z = 2', '=old.lua', 't', env)\n"
           "for i = 1, 5 do f() end\n"
           "for i = 1, 150 do load(('\\n'):rep(i) .. 'local x = Memory', '=many.lua', 't', env)() end\n");
  hearth_stat stat = {.size = sizeof stat};
  assert_int_equal(hearth_store_stat(w.S, &stat, &w.error), HEARTH_OK);
  assert_int_equal(stat.alias_uses, 165);
  assert_int_equal(hearth_push_alias_places(w.L, w.S, &w.error), HEARTH_OK);
  assert_int_equal(lua_rawlen(w.L, -1), 100);
  lua_rawgeti(w.L, -1, 1);
  assert_string_equal(lua_tostring(w.L, -1), "old.lua:1");
  lua_rawgeti(w.L, -2, 2);
  assert_string_equal(lua_tostring(w.L, -1), "old.lua:2");
  lua_settop(w.L, 0);
  assert_non_null(strstr(w.warnings, "old.lua:1: Memory is the old name of _home\n"));
  world_free(&w);
}

static void test_closing(void **state) {
  (void)state;
  for (int policy = 0; policy < 3; policy++) {
    World w;
    world_init(&w, 0);
    w.options.alias = (hearth_alias)policy;
    run(w.L, policies);
    run(w.L, "home.x = 1 assert(commit()) reopen() env = { p = 1 } meta = setmetatable(env, { __index = { q = 2 } }) "
             "assert(install(env))");
    world_close(&w);
    run(w.L, "eq(env._home.x, 1) env._home.x = 2 eq(env.q, 2) churn()"); /* a plain table that nothing saves */
    run(w.L, policy == 0 ? "eq(env.Memory, nil)"
                         : "eq(rawget(env, 'Memory'), env._home) eq(getmetatable(env).__newindex, nil)");
    world_open(&w);
    run(w.L, "eq(home.x, 1) assert(env._home ~= home) assert(install(env)) eq(env._home, home)");
    run(w.L, policy == 0 ? "eq(env.Memory, nil)" : "eq(env.Memory, home)");
    world_free(&w);
  }
}

/* Two stores track in one environment, and end in both orders. */
static void test_two_stores_track(void **state) {
  (void)state;
  for (int order = 0; order < 2; order++) {
    World w;
    Disk other;
    hearth_store *S;
    world_init(&w, 0);
    disk_init(&other);
    char place[32];
    (void)snprintf(place, sizeof place, "%p", (void *)&other);
    run(w.L, "env = setmetatable({}, { __index = { q = 2 } })");
    w.options.alias = HEARTH_ALIAS_TRACK;
    assert_int_equal(hearth_set_alias(w.L, w.S, HEARTH_ALIAS_TRACK, &w.error), HEARTH_OK);
    run(w.L, "assert(install(env))");
    assert_int_equal(hearth_open(w.L, &disk_backend, place, &w.options, &S, &w.error), HEARTH_OK);
    lua_getglobal(w.L, "env");
    assert_int_equal(hearth_install_at(w.L, S, -1, &w.error), HEARTH_OK);
    hearth_push_home(w.L, S);
    lua_setglobal(w.L, "home2");
    lua_settop(w.L, 0);
    run(w.L, "eq(env.Memory, home2) eq(env.q, 2)");
    if (order == 0) {
      assert_int_equal(hearth_set_alias(w.L, S, HEARTH_ALIAS_OFF, &w.error), HEARTH_OK);
      run(w.L, "eq(env.Memory, home) eq(env.q, 2)");
      assert_int_equal(hearth_set_alias(w.L, w.S, HEARTH_ALIAS_OFF, &w.error), HEARTH_OK);
    } else {
      assert_int_equal(hearth_set_alias(w.L, w.S, HEARTH_ALIAS_OFF, &w.error), HEARTH_OK);
      run(w.L, "eq(env.Memory, home2) eq(env.q, 2)");
      assert_int_equal(hearth_set_alias(w.L, S, HEARTH_ALIAS_OFF, &w.error), HEARTH_OK);
    }
    run(w.L, "eq(env.Memory, nil) eq(env.q, 2) env.new = 1 eq(rawget(env, 'new'), 1)");
    assert_int_equal(hearth_close(w.L, S), HEARTH_OK);
    run(w.L, "churn() eq(env.Memory, nil) eq(env.q, 2)");
    world_end_state(&w);
    disk_free(&other);
    disk_free(&w.own);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_environment),
      cmocka_unit_test(test_install_keeps_the_rest),
      cmocka_unit_test(test_policies),
      cmocka_unit_test(test_track_with_a_metatable),
      cmocka_unit_test(test_track_and_a_metatable_that_changes),
      cmocka_unit_test(test_track_counts),
      cmocka_unit_test(test_closing),
      cmocka_unit_test(test_two_stores_track),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
