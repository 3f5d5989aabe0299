/*
** The legacy name in its environment: what a program may do to the metatable of its globals, and failing memory.
*/
#include "store_testing.h"

static const char aids[] =
    "OFF, ON, TRACK = 0, 1, 2\n"
    "function raises(text, f, ...)\n"
    "  local ok, message = pcall(f, ...)\n"
    "  if ok then error('it succeeded', 2) end\n"
    "  if not tostring(message):find(text, 1, true) then error(message, 2) end\n"
    "end\n"
    /* as strict.lua does it: levels count from who looks */
    "function strict(t)\n"
    "  local mt = getmetatable(t)\n"
    "  if mt == nil then mt = {} setmetatable(t, mt) end\n"
    "  local declared = {}\n"
    "  local function what() local d = debug.getinfo(3, 'S') return d and d.what or 'C' end\n"
    "  mt.__newindex = function(t, n, v)\n"
    "    if not declared[n] then\n"
    "      local w = what()\n"
    "      if w ~= 'main' and w ~= 'C' then error('assign to undeclared variable ' .. n, 2) end\n"
    "      declared[n] = true\n"
    "    end\n"
    "    rawset(t, n, v)\n"
    "  end\n"
    "  mt.__index = function(t, n)\n"
    "    if not declared[n] and what() ~= 'C' then error('variable ' .. n .. ' is not declared', 2) end\n"
    "    return rawget(t, n)\n"
    "  end\n"
    "  return mt\n"
    "end\n"
    /* code in a function, in an environment: a line each */
    "function program(env, code) return assert(load('local function f() ' .. code .. ' end return f', '=p.lua', "
    "'t', env))() end\n";

static void begin(World *w) {
  world_init(w, 0);
  run(w->L, aids);
}

static void in_world(const char *code) {
  World w;
  begin(&w);
  run(w.L, code);
  world_free(&w);
}

/* Asserts the places, one a line, and what was warned. */
static void check_places(World *w, uint64_t uses, const char *expected) {
  char text[2048] = "", warned[2048] = "";
  hearth_stat stat = {.size = sizeof stat};
  assert_int_equal(hearth_store_stat(w->S, &stat, &w->error), HEARTH_OK);
  assert_int_equal(stat.alias_uses, uses);
  assert_int_equal(hearth_push_alias_places(w->L, w->S, &w->error), HEARTH_OK);
  for (lua_Integer i = 1; lua_rawgeti(w->L, -1, i) == LUA_TSTRING; i++) {
    size_t used = strlen(text), end = strlen(warned);
    (void)snprintf(text + used, sizeof text - used, "%s\n", lua_tostring(w->L, -1));
    (void)snprintf(warned + end, sizeof warned - end, "%s: Memory is the old name of _home\n", lua_tostring(w->L, -1));
    lua_pop(w->L, 1);
  }
  lua_pop(w->L, 2);
  assert_string_equal(text, expected);
  assert_string_equal(w->warnings, warned);
}

/* ---------------------------------------------------------- metatables */

static void test_strict_before(void **state) {
  (void)state;
  in_world("local env = {} local mt = strict(env) local index, newindex = mt.__index, mt.__newindex\n"
           "rawset(env, '_home', home) rawset(env, 'ext', 1) assert(install(env)) assert(alias(TRACK))\n"
           "eq(program(env, 'return Memory')(), home)\n"
           /* whatever it finds out about its caller, and the place that it blames, is as without us */
           "raises('p.lua:1: variable absent is not declared', program(env, 'return absent'))\n"
           "raises('p.lua:1: assign to undeclared variable absent', program(env, 'absent = 1'))\n"
           "load('declared = 5', '=p.lua', 't', env)() eq(program(env, 'return declared')(), 5)\n"
           "raises('p.lua:1: Memory is a name of the home table and cannot be replaced', program(env, 'Memory = {}'))\n"
           "raises('p.lua:1: Memory is', program(env, 'Memory = nil'))\n"
           "assert(alias(OFF)) eq(mt.__index, index) eq(mt.__newindex, newindex)\n"
           "raises('variable Memory is not declared', program(env, 'return Memory'))\n"
           /* a plain global is there, so nobody asks */
           "assert(alias(ON)) eq(program(env, 'return Memory')(), home)\n");
}

/* One that is set up later and asks for nothing that was there: the policy, set once more, chains to it. */
static void test_strict_after(void **state) {
  (void)state;
  in_world("local env = {} assert(install(env)) assert(alias(TRACK))\n"
           "local mt = strict(env) local index, newindex = mt.__index, mt.__newindex\n"
           "raises('variable Memory is not declared', program(env, 'return Memory'))\n"
           "assert(commit())\n"
           "assert(alias(TRACK)) eq(program(env, 'return Memory')(), home)\n"
           "raises('p.lua:1: variable absent is not declared', program(env, 'return absent'))\n"
           "assert(alias(OFF)) eq(mt.__index, index) eq(mt.__newindex, newindex) eq(getmetatable(env), mt)\n"
           /* one that goes on to what was there */
           "assert(alias(TRACK)) local ours = mt.__index\n"
           "mt.__index = function(t, k) if k == 'mine' then return 1 end return ours(t, k) end local wrapped = "
           "mt.__index\n"
           "eq(program(env, 'return Memory')(), home) eq(env.mine, 1)\n"
           "assert(alias(TRACK)) assert(alias(TRACK)) eq(program(env, 'return Memory')(), home) eq(env.mine, 1)\n"
           "assert(alias(OFF)) eq(mt.__index, wrapped) eq(env.mine, 1)\n"
           "raises('p.lua:1: variable Memory is not declared', program(env, 'return Memory'))\n"
           /* __newindex alone: set again, both are there */
           "mt.__index, mt.__newindex = nil, nil assert(alias(TRACK)) mt.__newindex = nil\n"
           "assert(alias(TRACK)) raises('cannot be replaced', program(env, 'Memory = 1'))\n"
           "assert(alias(OFF)) eq(mt.__index, nil) eq(mt.__newindex, nil)\n");
}

static void test_metatable_replaced(void **state) {
  (void)state;
  in_world("local env = {} assert(install(env)) assert(alias(TRACK))\n"
           "local first = getmetatable(env)\n"
           "local second = { __index = { x = 1 }, __metatable = 'locked' } local list = second.__index\n"
           "setmetatable(env, second) eq(env.Memory, nil) assert(commit())\n"
           /* Memory = Memory or {}: what goes there would be lost, and commit says so */
           "load('Memory = Memory or {} Memory.lost = 1', '=p.lua', 't', env)()\n"
           "fails('replaced', 'the global Memory was replaced by a table', commit())\n"
           "assert(alias(TRACK)) eq(env.Memory, home) eq(rawget(env, 'Memory'), nil) eq(env.x, 1) assert(commit())\n"
           "eq(next(first), nil) eq(getmetatable(env), 'locked')\n"
           "rawset(env, 'Memory', home) assert(commit()) rawset(env, 'Memory', 5) fails('replaced', 'by a number', "
           "commit())\n"
           "rawset(env, 'Memory', nil) assert(commit())\n"
           "assert(alias(OFF)) eq(second.__index, list) eq(rawget(second, '__newindex'), nil) "
           "eq(second.__metatable, 'locked')\n"
           /* and taken away */
           "assert(alias(TRACK)) debug.setmetatable(env, nil) assert(alias(OFF)) eq(debug.getmetatable(env), nil)\n"
           "eq(second.__index, list) assert(alias(TRACK)) eq(env.Memory, home)\n");
}

/* The metatable serves other tables: only in the globals is the name that of the home table. */
static void test_shared_metatable(void **state) {
  (void)state;
  in_world("local got = {}\n"
           "local meta = { __index = function(t, k) return k .. '!' end, __newindex = function(t, k, v) got[#got + "
           "1] = k rawset(t, k, v) end }\n"
           "local env, other = setmetatable({}, meta), setmetatable({}, meta)\n"
           "assert(install(env)) assert(alias(TRACK)) got = {}\n"
           "eq(other.Memory, 'Memory!') eq(env.Memory, home) other.Memory = 5 eq(other.Memory, 5) eq(got[1], "
           "'Memory')\n"
           /* a sandbox whose globals end in these does mean them */
           "local sandbox = setmetatable({}, { __index = env, __newindex = env })\n"
           "eq(sandbox.Memory, home) raises('cannot be replaced', program(sandbox, 'Memory = 1'))\n"
           "assert(alias(OFF)) eq(sandbox.Memory, 'Memory!')\n"
           /* one whose functions a class of the program's took over, and keeps */
           "assert(alias(TRACK)) local class = setmetatable({}, { __index = meta.__index, __newindex = "
           "meta.__newindex })\n"
           "eq(class.Memory, 'Memory!') class.Memory = 7 eq(rawget(class, 'Memory'), 7)\n"
           "assert(alias(OFF)) eq(class.more, 'more!')\n");
}

/* Fields are set past the metatable's own metatable, and whatever Lua can chain to is chained to. */
static void test_unusual_metatables(void **state) {
  (void)state;
  in_world("local locked = setmetatable({}, { __newindex = function() error 'a constant' end, __index = error })\n"
           "local env = setmetatable({}, locked) assert(install(env)) assert(alias(TRACK)) eq(env.Memory, home)\n"
           "assert(alias(OFF)) eq(next(locked), nil) eq(getmetatable(env), locked)\n"
           "local called = setmetatable({}, { __call = error, __index = function(t, k) return k end })\n"
           "env = setmetatable({}, { __index = called }) assert(install(env)) assert(alias(TRACK))\n"
           "eq(env.some, 'some') eq(env.Memory, home)\n"
           "env = setmetatable({}, { __index = 'text' }) assert(install(env)) eq(env.upper, string.upper) "
           "eq(env.Memory, home)\n"
           "env = setmetatable({}, { __index = false }) assert(install(env)) raises('attempt to index a boolean', "
           "function() return env.x end)\n"
           "eq(env.Memory, home) env.y = nil env[1.5] = 2 raises('index is nil', function() env[nil] = 1 end)\n"
           "raises('index is NaN', function() env[0/0] = 1 end)\n"
           /* what is chained to may yield */
           "env = setmetatable({}, { __index = function(t, k) return coroutine.yield(k) end,\n"
           "  __newindex = function(t, k, v) rawset(t, k, coroutine.yield(k, v)) end })\n"
           "rawset(env, '_home', home) rawset(env, 'ext', 1) assert(install(env))\n"
           "local co = coroutine.wrap(program(env, 'new = 1 return Memory, asked'))\n"
           "local k, v = co() eq(k, 'new') eq(v, 1) eq(co(6), 'asked') local m, a = co(7) eq(m, home) eq(a, 7) "
           "eq(env.new, 6)\n");
}

static void test_restored_exactly(void **state) {
  (void)state;
  in_world("local env = {} assert(install(env)) assert(alias(TRACK)) assert(getmetatable(env))\n"
           "assert(alias(ON)) eq(getmetatable(env), nil) assert(alias(TRACK)) assert(alias(OFF)) "
           "eq(getmetatable(env), nil)\n"
           /* the program uses the metatable that was made: it stays */
           "assert(alias(TRACK)) getmetatable(env).__name = 'globals' assert(alias(OFF)) "
           "eq(getmetatable(env).__name, 'globals')\n"
           "eq(rawget(getmetatable(env), '__index'), nil)\n"
           /* one that was empty stays, too */
           "local empty = {} env = setmetatable({}, empty) assert(install(env)) assert(alias(TRACK)) "
           "assert(alias(OFF))\n"
           "eq(getmetatable(env), empty) eq(next(empty), nil)\n"
           /* another environment: the first is as it was */
           "env = {} assert(install(env)) assert(alias(TRACK)) local second = {} assert(install(second))\n"
           "eq(getmetatable(env), nil) eq(env.Memory, nil) eq(second.Memory, home)\n"
           "close() eq(getmetatable(second), nil) eq(rawget(second, 'Memory'), home)\n");
}

/* Stored, it would be another program's, whose uses nobody tracks. */
static void test_metatable_in_the_store(void **state) {
  (void)state;
  in_world("local meta = { __index = { x = 1 } } local env = setmetatable({}, meta) assert(install(env))\n"
           "home.objects = { setmetatable({}, meta) } assert(commit()) assert(alias(TRACK)) home.y = 1\n"
           "local ok, message, code, path = commit() eq(code, 'unstorable', message)\n"
           "assert(path:find('_home.objects[1]', 1, true) and path:find('__index', 1, true), path)\n"
           "eq(env.Memory, home) assert(alias(ON)) assert(commit()) kept() "
           "eq(getmetatable(home.objects[1]).__index.x, 1)\n");
}

/* The end of a Lua state, tracked: finalizers that run later find what the environment had. */
static void test_end_of_state(void **state) {
  (void)state;
  World w;
  begin(&w);
  run(w.L, "local env = setmetatable({}, { __index = { q = 2 } })\n"
           "setmetatable({}, { __gc = function() assert(env.q == 2 and env.Memory == nil) env.z = 1 end })\n"
           "assert(install(env)) assert(alias(TRACK))");
  world_free(&w);
}

/* Two stores in one environment: the name is the one's that said so last, and all is as before whoever ends first. */
static void test_two_stores(void **state) {
  (void)state;
  for (int made = 0; made < 2; made++) {
    for (int order = 0; order < 4; order++) {
      World w;
      Disk other;
      hearth_store *S;
      char place[32];
      begin(&w);
      disk_init(&other);
      (void)snprintf(place, sizeof place, "%p", (void *)&other);
      run(w.L, made ? "env, meta = {}, nil"
                    : "meta = { __index = { q = 2 } } env = setmetatable({}, meta) old = meta.__index");
      w.options.alias = HEARTH_ALIAS_TRACK;
      run(w.L, "assert(alias(TRACK)) assert(install(env))");
      assert_int_equal(hearth_open(w.L, &disk_backend, place, &w.options, &S, &w.error), HEARTH_OK);
      lua_getglobal(w.L, "env");
      assert_int_equal(hearth_install_at(w.L, S, -1, &w.error), HEARTH_OK);
      hearth_push_home(w.L, S);
      lua_setglobal(w.L, "home2");
      lua_settop(w.L, 0);
      run(w.L, "eq(env.Memory, home2) eq(rawget(env, '_home'), home2)");
      /* its _home is the other's now, and with it goes what commit would store */
      run(w.L, "fails('replaced', '_home', commit())");
      if (order >= 2) {
        run(w.L, "assert(alias(TRACK)) eq(env.Memory, home)"); /* the last that said so */
        assert_int_equal(hearth_set_alias(w.L, S, HEARTH_ALIAS_TRACK, &w.error), HEARTH_OK);
        run(w.L, "eq(env.Memory, home2)");
      }
      if (order % 2 == 0) {
        assert_int_equal(hearth_set_alias(w.L, S, HEARTH_ALIAS_OFF, &w.error), HEARTH_OK);
        run(w.L, "eq(env.Memory, home) assert(alias(OFF))");
      } else {
        run(w.L, "assert(alias(OFF)) eq(env.Memory, home2)");
        assert_int_equal(hearth_set_alias(w.L, S, HEARTH_ALIAS_OFF, &w.error), HEARTH_OK);
      }
      run(w.L, "eq(env.Memory, nil) eq(getmetatable(env), meta)\n"
               "if meta then eq(meta.__index, old) eq(rawget(meta, '__newindex'), nil) end");
      assert_int_equal(hearth_close(w.L, S), HEARTH_OK);
      world_end_state(&w);
      disk_free(&other);
      disk_free(&w.own);
    }
  }
}

/* -------------------------------------------------------------- places */

static int read_memory(lua_State *L) {
  lua_getglobal(L, "Memory");
  return 1;
}

static void test_places(void **state) {
  (void)state;
  World w;
  begin(&w);
  run(w.L, "assert(install()) assert(alias(TRACK))");
  run(w.L, "function at(name, code) return assert(load(code, '=' .. name)) end\n"
           "for i = 1, 3 do at('a.lua', '\\n_G.Memory.x = 1')() end\n"
           "eq(pcall(at('b.lua', 'Memory.x.y = 1')), false)\n"                        /* in a pcall */
           /* in a coroutine, half-way */
           "coroutine.wrap(at('c.lua', 'coroutine.yield(Memory)\\nlocal x = Memory.x'))()\n"
           "setmetatable({}, { __close = at('d.lua', 'local _ = Memory') })\n"
           "do local x <close> = setmetatable({}, { __close = at('d.lua', '\\n\\nlocal _ = Memory') }) end\n"
           "local obj = setmetatable({}, { __index = at('e.lua', 'local t, k = ... return Memory[k]') }) eq(obj.x, 1)\n"
           "eq(rawget(_G, 'Memory'), nil)\n"); /* not seen */
  check_places(&w, 7, "a.lua:2\nb.lua:1\nc.lua:1\nd.lua:3\ne.lua:1\n");
  world_free(&w);
}

/* A function that calls our hook is not what used the name. */
static void test_places_behind_functions(void **state) {
  (void)state;
  World w;
  begin(&w);
  run(w.L, "assert(install()) assert(alias(TRACK)) local mt = getmetatable(_G) local ours, set = mt.__index, "
           "mt.__newindex\n"
           "local function twice(t, k) local v = ours(t, k) return v end\n"
           "mt.__index = load('local ours, twice = ... return function(t, k) local v = twice(t, k) return v end', "
           "'=strict.lua')(ours, twice)\n"
           "mt.__newindex = load('local set = ... return function(t, k, v) set(t, k, v) end', '=strict.lua')(set)\n"
           "load('local x = Memory\\nMemory = Memory', '=a.lua')()\n"
           "raises('a.lua:2: Memory is', load('\\nMemory = 1', '=a.lua'))\n"
           "mt.__index = load('local ours = ... return function(t, k) return ours(t, k) end', '=strict.lua')(ours)\n"
           "load('\\n\\n\\nlocal x = Memory', '=a.lua')()\n");
  check_places(&w, 5, "a.lua:1\na.lua:2\na.lua:4\n");
  world_free(&w);
}

static void test_places_in_c(void **state) {
  (void)state;
  World w;
  begin(&w);
  lua_register(w.L, "read_memory", read_memory);
  run(w.L, "assert(install()) assert(alias(TRACK))");
  assert_int_equal(lua_getglobal(w.L, "Memory"), LUA_TTABLE); /* the host, with nothing running */
  lua_settop(w.L, 0);
  run(w.L, "eq(load('\\nlocal m = read_memory() return m', '=a.lua')(), home)");
  lua_pushcfunction(w.L, read_memory);
  assert_int_equal(lua_pcall(w.L, 0, 0, 0), LUA_OK);
  check_places(&w, 3, "[C]\n[C] called from a.lua:2\n");
  world_free(&w);
}

/* Functions that were stored without debug information know the lines of the function still. */
static void test_places_in_stored_functions(void **state) {
  (void)state;
  World w;
  memset(&w, 0, sizeof w);
  begin(&w);
  run(w.L, "home.f = load('return function()\\n\\nreturn Memory.x\\nend', '=old.lua')() home.x = 5 assert(commit())");
  world_restart(&w);
  run(w.L, "assert(install()) assert(alias(2)) eq(home.f(), 5)");
  check_places(&w, 1, "old.lua:3\n");
  world_free(&w);

  w.warnings[0] = '\0';
  world_init(&w, 0);
  world_close(&w);
  w.options.flags = HEARTH_STORE_STRIP;
  world_open(&w);
  run(w.L, "home.f = load('\\nreturn function()\\n\\nreturn Memory.x\\nend', '=old.lua')() home.x = 5 "
           "assert(commit())");
  world_restart(&w);
  run(w.L, "assert(install()) assert(alias(2)) eq(home.f(), 5) eq(home.f(), 5)");
  check_places(&w, 2, "?:2-5\n");
  world_free(&w);
}

static void test_many_places(void **state) {
  (void)state;
  World w;
  begin(&w);
  run(w.L, "assert(install()) assert(alias(TRACK))");
  static const char last[] = "p.lua:100: Memory is the old name of _home\n"
                             "Memory is used at 100 places: others are counted only\n";
  for (int line = 1; line <= 120; line++) {
    lua_pushinteger(w.L, line);
    lua_setglobal(w.L, "line");
    w.warnings[0] = '\0';
    run(w.L, "local f = load(('\\n'):rep(line - 1) .. 'return Memory', '=p.lua') f() f()");
    if (line == 100) assert_string_equal(w.warnings, last);
    if (line > 100) assert_string_equal(w.warnings, "");
    if (line < 100) assert_non_null(strstr(w.warnings, "Memory is the old name of _home\n"));
  }
  hearth_stat stat = {.size = sizeof stat};
  assert_int_equal(hearth_store_stat(w.S, &stat, &w.error), HEARTH_OK);
  assert_int_equal(stat.alias_uses, 240);
  assert_int_equal(hearth_push_alias_places(w.L, w.S, &w.error), HEARTH_OK);
  assert_int_equal(lua_rawlen(w.L, -1), 100);
  lua_settop(w.L, 0);
  world_free(&w);
}

/* ------------------------------------------------------ failing memory */

static hearth_status set_alias(World *w, hearth_alias policy, size_t n, size_t more) {
  world_fail(w, n, more);
  hearth_status status = hearth_set_alias(w->L, w->S, policy, &w->error);
  world_mend(w);
  return status;
}

/* Beginning to track: all, or nothing that can be seen. */
static void test_begin_without_memory(void **state) {
  (void)state;
  static const char *const environments[] = {
      "env = {}", "env = setmetatable({}, {})",
      "env = setmetatable({}, { __index = { q = 1 }, __newindex = function(t, k, v) rawset(t, k, v) end })"};
  for (size_t e = 0; e < sizeof environments / sizeof *environments; e++) {
    for (size_t more = 1; more != 0; more = more == 1 ? NEVER : 0) {
      World w;
      begin(&w);
      run(w.L, environments[e]);
      run(w.L, "assert(install(env)) meta = getmetatable(env) index = meta and meta.__index newindex = meta and "
               "meta.__newindex");
      size_t n = 0;
      for (;; n++) {
        hearth_status status = set_alias(&w, HEARTH_ALIAS_TRACK, n, more);
        if (status == HEARTH_OK && !w.failed) break;
        if (status == HEARTH_OK) {
          assert_int_equal(hearth_set_alias(w.L, w.S, HEARTH_ALIAS_OFF, &w.error), HEARTH_OK);
        } else {
          assert_int_equal(status, HEARTH_NOMEM);
        }
        run(w.L, "eq(getmetatable(env), meta) eq(env.Memory, nil) assert(commit())\n"
                 "if meta then eq(meta.__index, index) eq(meta.__newindex, newindex) end");
      }
      assert_true(n > 5);
      run(w.L, "eq(env.Memory, home) eq(env.q, type(index) == 'table' and 1 or nil)");
      assert_int_equal(set_alias(&w, HEARTH_ALIAS_OFF, 0, NEVER), HEARTH_OK); /* the end needs none */
      run(w.L, "eq(getmetatable(env), meta) eq(env.Memory, nil)\n"
               "if meta then eq(meta.__index, index) eq(meta.__newindex, newindex) end");
      world_free(&w);
    }
  }
}

/* A use without memory is Lua's own error, and the next one goes on. */
static void test_use_without_memory(void **state) {
  (void)state;
  World w;
  begin(&w);
  run(w.L, "assert(install()) assert(alias(TRACK)) home.x = 5");
  assert_int_equal(luaL_loadbuffer(w.L, "\nreturn Memory.x", 16, "=p.lua"), LUA_OK);
  size_t n = 0;
  for (;; n++) {
    lua_pushvalue(w.L, -1);
    world_fail(&w, n, 1);
    int status = lua_pcall(w.L, 0, 1, 0);
    world_mend(&w);
    if (status == LUA_OK) assert_int_equal(lua_tointeger(w.L, -1), 5);
    else assert_int_equal(status, LUA_ERRMEM);
    lua_pop(w.L, 1);
    if (!w.failed) break;
  }
  assert_true(n > 0);
  lua_pop(w.L, 1);
  run(w.L, "assert(commit())");
  assert_int_equal(hearth_push_alias_places(w.L, w.S, &w.error), HEARTH_OK);
  assert_int_equal(lua_rawlen(w.L, -1), 1);
  lua_settop(w.L, 0);
  world_free(&w);
}

static void test_places_without_memory(void **state) {
  (void)state;
  World w;
  begin(&w);
  run(w.L, "assert(install()) assert(alias(TRACK)) for i = 1, 20 do load(('\\n'):rep(i) .. 'return Memory', "
           "'=p.lua')() end");
  for (size_t n = 0;; n++) {
    int top = lua_gettop(w.L);
    world_fail(&w, n, 1);
    hearth_status status = hearth_push_alias_places(w.L, w.S, &w.error);
    world_mend(&w);
    if (status == HEARTH_OK) {
      assert_int_equal(lua_rawlen(w.L, -1), 20);
      if (!w.failed) break;
      lua_pop(w.L, 1);
      continue;
    }
    assert_int_equal(status, HEARTH_NOMEM);
    assert_int_equal(lua_gettop(w.L), top);
  }
  lua_settop(w.L, 0);
  world_free(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_strict_before),
      cmocka_unit_test(test_strict_after),
      cmocka_unit_test(test_metatable_replaced),
      cmocka_unit_test(test_shared_metatable),
      cmocka_unit_test(test_unusual_metatables),
      cmocka_unit_test(test_restored_exactly),
      cmocka_unit_test(test_metatable_in_the_store),
      cmocka_unit_test(test_end_of_state),
      cmocka_unit_test(test_two_stores),
      cmocka_unit_test(test_places),
      cmocka_unit_test(test_places_behind_functions),
      cmocka_unit_test(test_places_in_c),
      cmocka_unit_test(test_places_in_stored_functions),
      cmocka_unit_test(test_many_places),
      cmocka_unit_test(test_begin_without_memory),
      cmocka_unit_test(test_use_without_memory),
      cmocka_unit_test(test_places_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
