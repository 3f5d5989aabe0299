/* Large tables of which only what changed is made again: nothing that changed may be overlooked. */
#include "store_testing.h"

/* Entries that weigh enough for a memo; what is compared is all of every string. */
static const char memo_code[] =
    "function text(n) return ('%8d '):format(n):rep(10) end\n"
    "function equal(t, model, what)\n"
    "  for k, v in next, model do if t[k] ~= v then error((what or '') .. ': differs at ' .. tostring(k), 2) end end\n"
    "  for k in next, t do if model[k] == nil then error((what or '') .. ': more at ' .. tostring(k), 2) end end\n"
    "end\n"
    "function copy(t) local c = {} for k, v in next, t do c[k] = v end return c end\n"
    /* without closing: another reader of what is on the disk */
    "function check(what) local model = copy(home.t) unchanged(what) reopen() equal(home.t, model, what) end\n";

/* A freed string's address is another string's: at the same place in the same table, it must be seen. */
static void test_addresses_used_again(void **state) {
  (void)state;
  World w;
  world_init(&w, 0);
  w.memory.reuse = true;
  run(w.L, memo_code);
  run(w.L,
      "home.t = {} for i = 1, 2000 do home.t[i] = text(i) end assert(commit())\n"
      "local again = 0\n"
      "for round = 1, 20 do\n"
      "  local at = round * 90\n"
      "  local before = string.format('%p', home.t[at])\n"
      "  home.t[at] = false\n" /* the key stays where it is */
      "  collectgarbage()\n"
      "  local tries = {} collectgarbage()\n"
      "  for n = 1, 5000 do\n"
      "    local new = text(1000000 + round * 10000 + n)\n"
      "    if string.format('%p', new) == before then home.t[at] = new again = again + 1 break end\n"
      "    tries[#tries + 1] = new\n"
      "  end\n"
      "  if not home.t[at] then home.t[at] = text(-round) end\n"
      "  assert(commit())\n"
      "  if round % 4 == 0 then check('round ' .. round) end\n"
      "end\n"
      "reused = again\n"
      "check('end')\n"
      "assert(again > 0, 'no address was used again: the test tests nothing')\n");
  world_free(&w);
}

/*
** A hook that collects, before or after the walk looks at the table: a freed string's address is used again meanwhile.
*/
static void test_hooks_that_collect(void **state) {
  (void)state;
  static const char *const reached[] = {
      "home.t = t home.special = setmetatable({}, { __persist = function() if action then action() end "
      "return function() return {} end end })",
      "local t = t local function hooked(first) return setmetatable({}, { __persist = function() "
      "if first and action then action() end return function() return t end end }) end "
      "home.a, home.b = hooked(true), hooked(false)"};
  for (int i = 0; i < 2; i++) {
    World w;
    world_init(&w, 0);
    w.memory.reuse = true;
    run(w.L, memo_code);
    run(w.L, "collectgarbage 'stop' t = {} for i = 1, 2000 do t[i] = text(i) end");
    run(w.L, reached[i]);
    run(w.L, "assert(commit()) unchanged() t[5] = text(77)\n"
             "function action()\n"
             "  local address = string.format('%p', t[90]) t[90] = false collectgarbage() collectgarbage()\n"
             "  local tries = {}\n"
             "  for n = 1, 20000 do\n"
             "    local new = text(1000000 + n)\n"
             "    if string.format('%p', new) == address then t[90] = new return end\n"
             "    tries[#tries + 1] = new\n"
             "  end\n"
             "  error 'no address was used again'\n"
             "end\n"
             "assert(commit()) action = nil if home.t then assert(commit()) end local expected = t[90] reopen()\n"
             "eq((home.t or home.b)[90], expected)");
    world_free(&w);
  }
}

static void test_old_values_come_back(void **state) {
  (void)state;
  World w;
  world_init(&w, 256);
  run(w.L, memo_code);
  run(w.L, "collectgarbage 'stop' home.t = {} for i = 1, 50 do home.t[i], home.t['key ' .. i] = text(i), text(-i) end\n"
           "assert(commit()) local a, b = home.t[7], text(777)\n"
           "for _, v in ipairs { b, a, false, a, 1, 1.0, 1, a, home, a } do\n"
           "  home.t[7], home.t['key 9'] = v, v\n"
           "  local before = batches() assert(commit()) eq(batches(), before + 1) unchanged()\n"
           "end\n"
           "check('at last') eq(home.t[7], a) eq(home.t['key 9'], a)");
  world_free(&w);
}

/* Few keys, which would make a shape, and values too large for one record: no way of looking leaves anything behind. */
static void test_nearly_shaped(void **state) {
  (void)state;
  World w;
  world_init(&w, 256);
  run(w.L, memo_code);
  run(w.L, "collectgarbage 'stop' home.t = {} for i = 1, 9 do home.t['k' .. i] = text(i) end\n"
           "home.small = { k1 = 1, k2 = 2 } home.mixed = { text(1), text(2), text(3), name = text(4), "
           "other = text(5) }\n"
           "assert(commit()) local count = entries() unchanged 'by identity'\n"
           "collectgarbage() unchanged 'by content' unchanged 'by identity again'\n"
           "home.t.k3 = text(33) home.mixed.name = text(44) assert(commit()) eq(entries(), count) collectgarbage() "
           "unchanged()\n"
           "check() eq(entries(), count) home.t, home.mixed = nil, nil assert(commit()) eq(entries(), 5)");
  world_free(&w);
}

static const char random_code[] =
    "math.randomseed(seed)\n"
    "local random = math.random\n"
    "if seed % 3 == 0 then collectgarbage('generational') end\n"
    "pool = {} for i = 1, 6 do pool[i] = text(-i) end\n"
    "local function key() local k = random(4) if k == 1 then return random(120) elseif k == 2 then return -random(40) "
    "elseif k == 3 then return 'a key that is long enough to be seen ' .. random(120) else "
    "return home.objects[random(9)] end end\n"
    "local function value()\n"
    "  local k = random(12)\n"
    "  if k == 1 then return text(random(1000)):sub(1, random(60)) end\n"
    "  if k == 2 then return ('large'):rep(200) .. random(3) end\n" /* a constant of its own */
    "  if k == 3 then return home.objects[random(9)] end\n"
    "  if k == 4 then return { random(9) } end\n"
    "  if k == 5 then return random(100) + 0.5 end\n"
    "  if k == 6 then return home.external end\n"
    "  if k == 7 then return random(2) == 1 end\n"
    "  if k <= 9 then return pool[random(6)] end\n" /* the same strings come and go */
    "  return text(random(1000000))\n"
    "end\n"
    "home.t, home.objects, home.external = {}, {}, external()\n"
    "for i = 1, 9 do home.objects[i] = i % 3 == 0 and function() return i end or { i } end\n"
    "for i = 1, 150 do local k = key() home.t[k] = text(i) end\n"
    "assert(commit())\n"
    "for step = 1, 60 do\n"
    "  local t = home.t\n"
    "  local how = random(8)\n"
    "  if how <= 4 then for k in next, t do if random(40) == 1 then t[k] = value() end end\n" /* values alone */
    "  elseif how == 5 then for i = 1, random(20) do t[key()] = random(3) > 1 and value() or nil end\n"
    "  elseif how == 6 then local k = next(t) t[k] = ('grows'):rep(random(150))\n"
    /* shrinks: pages merge */
    "  elseif how == 7 then for k in next, t do if random(3) == 1 then t[k] = random(5) end end\n"
    "  else for k, v in next, t do if type(v) == 'table' and type(v[1]) == 'number' then v[1] = v[1] + 1 end end end\n"
    "  if random(4) == 1 then for i = 1, 300 do local _ = text(i + step * 1000) end end\n"
    "  if random(5) == 1 then collectgarbage(random(2) == 1 and 'collect' or 'step') end\n"
    "  local after = random(10)\n"
    "  if after == 1 then fail_next() commit() mend() end\n"
    "  if after == 2 then assert(rollback()) end\n"
    "  assert(commit())\n"
    "  if random(4) == 1 then kept('step ' .. step) end\n"
    "end\n"
    "kept('end') home.t = nil assert(commit()) unchanged()\n";

/* fail_next(): the next submit fails */
static int fail_next(lua_State *L) {
  World *w = world_of(L);
  w->disk->fail_at = w->disk->submits;
  w->disk->failure = HEARTH_FULL;
  return 0;
}

static int mend(lua_State *L) {
  disk_mend(world_of(L)->disk);
  return 0;
}

static void test_random_values(void **state) {
  (void)state;
  static const uint32_t sizes[] = {64, 300, 4096};
  for (unsigned seed = 1; seed <= rounds(30); seed++) {
    World w;
    world_init(&w, sizes[seed % 3]);
    run(w.L, memo_code);
    lua_pushcfunction(w.L, fail_next);
    lua_setglobal(w.L, "fail_next");
    lua_pushcfunction(w.L, mend);
    lua_setglobal(w.L, "mend");
    lua_pushinteger(w.L, seed);
    lua_setglobal(w.L, "seed");
    run(w.L, random_code);
    world_free(&w);
  }
}

/* What is stored does not say how it came about: pages are divided as in a store that was written at once. */
static void test_division_follows_values(void **state) {
  (void)state;
  static const char many[] =
      "for i = 1, 100 do t[math.random(3) == 1 and 'key ' .. i or i] = text(i):sub(1, 44) end",
                    few[] = "for i = 1, 6 do t[i] = text(i):sub(1, 44) end"; /* little more than a page */
  static const char *const changes[] = {
      "for k in next, t do t[k] = 1 end",                                    /* all into one record */
      "for k, v in next, t do t[k] = v:sub(1, 5) end",                       /* neighbours merge */
      "for k, v in next, t do if math.random(9) == 1 then t[k] = v:rep(2) end end", /* pages divide */
      "for k, v in next, t do t[k] = v:sub(1, math.random(#v)) end",
      "t[next(t)] = ('x'):rep(120)",
      "t[next(t)] = ''",
      "for n = 44, 20, -1 do t[3] = t[3]:sub(1, n) assert(commit()) end", /* the last: of few */
  };
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
    for (unsigned seed = 1; seed <= rounds(8); seed++) {
      World a, b;
      char code[256];
      world_init(&a, 256);
      world_init(&b, 256);
      run(a.L, memo_code);
      (void)snprintf(code, sizeof code, "math.randomseed(%u)", seed);
      run(a.L, code);
      run(a.L, "collectgarbage('stop') t = {} home.t = t");
      run(a.L, i + 1 < sizeof changes / sizeof *changes ? many : few);
      run(a.L, "assert(commit())");
      run(a.L, changes[i]);
      run(a.L, "assert(commit()) unchanged() bytes = assert(enc(home))");
      lua_getglobal(a.L, "bytes");
      size_t size;
      const char *bytes = lua_tolstring(a.L, -1, &size);
      lua_pushlstring(b.L, bytes, size);
      lua_setglobal(b.L, "bytes");
      lua_settop(a.L, 0);
      run(b.L, "home.t = dec(bytes).t assert(commit())");
      assert_same_division(&a, &b);
      assert_same_division(&b, &a);
      world_free(&a);
      world_free(&b);
    }
}

/* Every allocation of such a commit fails once; what is committed in the end is what is there. */
static void test_failing_allocations(void **state) {
  (void)state;
  World w;
  world_init(&w, 256);
  run(w.L, memo_code);
  run(w.L, "home.t = {} for i = 1, 200 do home.t[i] = text(i) end assert(commit())");
  size_t failures = 0;
  for (size_t n = 0; n < 60; n++) { /* more than such a commit asks for */
    run(w.L, "home.t[7], home.t[150] = text(math.random(1 << 40)), text(math.random(1 << 40)) model = copy(home.t)");
    w.memory.fail_at = w.memory.requests + n;
    hearth_error e;
    hearth_status status = hearth_commit(w.L, w.S, HEARTH_VISIBLE, &e);
    w.memory.fail_at = SIZE_MAX;
    if (status != HEARTH_OK) assert_int_equal(status, HEARTH_NOMEM);
    failures += status != HEARTH_OK;
    run(w.L, "assert(commit()) equal(home.t, model)");
    if (n % 16 == 0) run(w.L, "reopen() equal(home.t, model, 'reopened') assert(commit())");
  }
  run(w.L, "reopen() equal(home.t, model, 'reopened')");
  assert_true(failures > 5);
  world_free(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_addresses_used_again),
      cmocka_unit_test(test_hooks_that_collect),
      cmocka_unit_test(test_old_values_come_back),
      cmocka_unit_test(test_nearly_shaped),
      cmocka_unit_test(test_random_values),
      cmocka_unit_test(test_division_follows_values),
      cmocka_unit_test(test_failing_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
