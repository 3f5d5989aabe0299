/* The path to what cannot be stored, exact. */
#include "codec_testing.h"

static void test_steps(void **state) {
  (void)state;
  in_new_state(
      "local co = coroutine.create(print)\n"
      "local function path(expected, v, flags) local m = refused('unstorable', expected, v, flags) "
      "eq(m, expected .. ': a coroutine cannot be stored') end\n"
      "path('root', co)\n"
      "path('root.a', {a = co})\n"
      "path('root.players[3].on_hit', {players = {1, 2, {on_hit = co}}})\n"
      "path('root[1]', {co}) path('root[0]', {[0] = co}) path('root[-7]', {[-7] = co})\n"
      "path('root[2.5]', {[2.5] = co}) path('root[true]', {[true] = co}) path('root[-inf]', {[-1/0] = co})\n"
      "path('root[9007199254740993]', {[(1 << 53) + 1] = co})\n"
      "path('root[\"a b\"]', {['a b'] = co}) path('root[\"\"]', {[''] = co}) path('root[\"1\"]', {['1'] = co})\n"
      "path('root._G1.x9', {_G1 = {x9 = co}}) path('root[\"9x\"]', {['9x'] = co})\n"
      "path([=[root[\"q\\\"\\\\\"]]=], {['q\"\\\\'] = co})\n"
      "path([=[root[\"\\x00\\x0a\\xff\"]]=], {['\\0\\n\\255'] = co})\n"
      "path([=[root[\"\\xc3\\xa9\"]]=], {['\\u{e9}'] = co})\n"
      "path('root[\"' .. ('- '):rep(32) .. '...\"]', {[('- '):rep(50)] = co})\n"
      /* Objects as keys, and what is in them. */
      "path('root[thread as a key]', {[co] = 1})\n"
      "path('root[table as a key].x', {[{x = co}] = 1})\n"
      "path('root[function as a key]^c', (function() local c = co return {[function() return c end] = 1} end)())\n"
      "path('root[table].x', {[{}] = {x = co}})\n"
      "path('root[function]', {[print] = co})\n"
      /* Functions, cells, metatables. */
      "local n, t = co, {co} local f = function() return n end local g = function() return t end\n"
      "path('root^n', f) path('root^t[1]', g) path('root.f^n', {f = f}) path('root.g^t[1]', {g = g})\n"
      "path('root.outer^f^n', {outer = function() return f end})\n"
      "path('root^metatable.x', setmetatable({}, {x = co})) "
      "path('root.o^metatable.__index^n', {o = setmetatable({}, {__index = f})})\n"
      "path('root.o^metatable^metatable[1]', {o = setmetatable({}, setmetatable({}, {co}))})\n"
      "path('root.w^metatable.x', {w = setmetatable({}, {__mode = 'k', x = co})})\n"
      "path('root[2].a', {setmetatable({a = 1}, {__mode = 'k'}), setmetatable({a = co}, {__mode = 'k'})})\n"
      /* Through objects with hooks. */
      "local M = {} M.__persist = function(o) local v = o.v return function() return v end end\n"
      "path('root.o^v', {o = setmetatable({v = co}, M)}) path('root.o^v.deep[1]', "
      "{o = setmetatable({v = {deep = {co}}}, M)})\n"
      "local T = {} register('typed', T, function(o) return {kept = o.v} end, print)\n"
      "path('root.o.kept', {o = setmetatable({v = co}, T)})\n"
      /* The shortest way is told, since the walk goes breadth first. */
      "local deep = {co} path('root.near[1]', {a = {b = {c = deep}}, near = deep})\n");
}

static void test_upvalue_without_a_name(void **state) {
  (void)state;
  in_new_state(
      "local co = coroutine.create(print)\n"
      "local f = load(string.dump(function() return co end, true))\n"
      "debug.setupvalue(f, 1, co)\n"
      "eq(refused('unstorable', 'root.f^1', {f = f}), 'root.f^1: a coroutine cannot be stored')\n");
}

static void test_other_reasons(void **state) {
  (void)state;
  in_new_state(
      "eq(refused('unstorable', 'root.f', {f = string.gmatch('', '')}), "
      "'root.f: a C function without a name cannot be stored')\n"
      "eq(refused('unstorable', 'root.x[1]', {x = {io.tmpfile()}}), "
      "'root.x[1]: a userdata (FILE*) without __persist or a registered type cannot be stored')\n"
      "package.loaded.mine = {1}\n"
      "eq(refused('unstorable', 'root.m', {m = package.loaded.mine}), \"root.m: the module 'mine' is "
      "not registered (hearth.register_module)\")\n"
      "eq(rt({m = package.loaded.mine}, BY_VALUE).m[1], 1) package.loaded.mine = nil\n"
      "eq(refused('unstorable', 'root.t', {t = {[{}] = 1, [{}] = 2}}, CANONICAL), "
      "'root.t: a table with two or more object keys has no canonical form')\n");
}

static void test_names_by_the_caller(void **state) {
  (void)state;
  in_new_state(
      "local t = {}\n"
      "local b, m, c, p = enc({t = t}, 0, {[t] = {}}) eq(c, 'invalid') eq(p, 'root.t')\n"
      "eq(m, 'root.t: the permanents give it a name that is no string, number or boolean')\n"
      "for _, name in ipairs {'x', 1, -2.5, true, false, 1 << 60, ('long'):rep(30)} do\n"
      "  eq(assert(dec(assert(enc({t}, 0, {[t] = name})), TRUSTED, {[name] = t}))[1], t)\n"
      "  local r, m, c = dec(assert(enc({t}, 0, {[t] = name}))) eq(c, 'unknown') "
      "assert(m:find(tostring(name), 1, true), m)\n"
      "end\n");
}

static int push_light(lua_State *L) {
  static char place;
  lua_pushlightuserdata(L, &place);
  return 1;
}

static void test_light_userdata(void **state) {
  (void)state;
  Memory m;
  lua_State *L = state_new(&m);
  lua_register(L, "light", push_light);
  run(L, "local l = light() local function path(p, v) eq(refused('unstorable', p, v), "
         "p .. ': a light userdata cannot be stored') end\n"
         "path('root', l) path('root.a[2]', {a = {1, l}}) path('root[userdata as a key]', {[l] = 1}) "
         "path('root.f^l', {f = function() return l end})\n");
  state_close(L, &m);
}

/* The address of the string at 1, as debug.upvalueid may give it of an upvalue that was there before. */
static int push_address(lua_State *L) {
  lua_pushlightuserdata(L, (void *)(uintptr_t)lua_topointer(L, 1));
  return 1;
}

static void test_light_userdata_with_the_address_of_a_key(void **state) {
  (void)state;
  Memory m;
  lua_State *L = state_new(&m);
  lua_register(L, "address", push_address);
  run(L, "local l = address 'x'\n"
         "for _, flags in ipairs {0, CANONICAL} do\n"
         "  local function refuse(v) local b, m, c, p = enc(v, flags) eq(c, 'unstorable') "
         "eq(p, 'root[2][userdata as a key]') end\n"
         "  refuse {{x = 1}, {[l] = 2}} refuse {{x = 1, y = 2}, {[l] = 2}} refuse {{x = 1}, {1, [l] = 2}}\n"
         "end\n");
  state_close(L, &m);
}

/* However long the path, the message keeps its reason, and the end of the path. */
static void test_long_paths(void **state) {
  (void)state;
  in_new_state(
      "local function check(v, ending) local b, m, c, p = enc(v) eq(c, 'unstorable')\n"
      "  eq(m, p .. ': a coroutine cannot be stored') assert(#p <= 255) eq(p:sub(1, 3), '...') "
      "eq(p:sub(-#ending), ending) return p end\n"
      "local co = coroutine.create(print)\n"
      "local v = {last = co} for i = 1, 40 do v = {['a_rather_long_name_' .. i] = v} end\n"
      "local p = check(v, '.a_rather_long_name_2.a_rather_long_name_1.last') eq(#p, 255)\n"
      "v = {last = co} for i = 1, 63 do v = {v} end local b, m, c, p = enc(v) "
      "eq(p, 'root' .. ('[1]'):rep(63) .. '.last')\n"
      "v = {last = co} for i = 1, 64 do v = {v} end local b, m, c, p = enc(v) "
      "eq(p, '...' .. ('[1]'):rep(64) .. '.last')\n"
      "v = {last = co} for i = 1, 100000 do v = {v} end check(v, '[1][1].last')\n"
      "check({[('n'):rep(100000)] = co}, ('n'):rep(200))\n");
}

/* What a hook changed meanwhile cannot be found again, which must not matter. */
static void test_paths_that_are_gone(void **state) {
  (void)state;
  in_new_state(
      "local co, t = coroutine.create(print), {x = {{}}}\n"
      "t.y = setmetatable({}, {__persist = function() t.x[1][1] = {co} local inner = t.x t.x = nil "
      "return function() return inner end end})\n"
      "eq(refused('unstorable', nil, t):match(': (.*)'), 'a coroutine cannot be stored')\n"
      "local a = {b = {}} a.b.c = setmetatable({}, {__persist = function() a.b = nil return 5 end})\n"
      "eq(refused('unstorable', 'root.?.c', a), 'root.?.c: its __persist returned a number, not a rebuilding "
      "function')\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_steps),
      cmocka_unit_test(test_upvalue_without_a_name),
      cmocka_unit_test(test_other_reasons),
      cmocka_unit_test(test_names_by_the_caller),
      cmocka_unit_test(test_light_userdata),
      cmocka_unit_test(test_light_userdata_with_the_address_of_a_key),
      cmocka_unit_test(test_long_paths),
      cmocka_unit_test(test_paths_that_are_gone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
