/*
** Numbers: an object keeps its own across commits, collections and processes, and nobody else ever gets it.
*/
#include "store_testing.h"

static void test_kept(void **state) {
  (void)state;
  World w;
  world_init(&w, 0);
  run(w.L,
      "local n = 0\n"
      "home.t, home.f = { {} }, function() n = n + 1 return n end\n"
      "home.point, home.print = point(1, 2), print\n"
      "assert(commit())\n"
      "local a, b, c, d, e = number(home.t), number(home.t[1]), number(home.f), number(home.f, 1), number(home.point)\n"
      "assert(a and b and c and d and e)\n"
      "home.x = {} home.f() assert(commit())\n"
      "eq(number(home.t), a) eq(number(home.t[1]), b) eq(number(home.f), c) eq(number(home.f, 1), d)\n"
      "eq(number(home.point), e)\n"
      "home.numbers = { a, b, c, d, e, number(print) } assert(commit())\n");
  world_restart(&w);
  run(w.L,
      "local n = home.numbers\n"
      "eq(number(home.t), n[1]) eq(number(home.t[1]), n[2]) eq(number(home.f), n[3]) eq(number(home.f, 1), n[4])\n"
      "eq(number(home.point), n[5]) eq(number(print), n[6])\n"
      "unchanged()\n");
  world_free(&w);
}

/* Every number that was ever given, in every commit, rollback, failed commit and process. */
static void test_never_again(void **state) {
  (void)state;
  World w;
  world_init(&w, 64);
  run(w.L, "home.highest = 0 assert(commit())");
  for (int process = 0; process < 4; process++) {
    run(w.L,
        "for round = 1, 6 do\n"
        "  local before = next_number()\n"
        "  assert(before > home.highest)\n"
        "  local t = { {}, function() return t end, ('long'):rep(60) .. round }\n"
        "  home.t, home.bad = t, coroutine.create(print)\n"
        "  fails('unstorable', '_home.bad', commit())\n"
        "  assert(not number(t), 'a failed commit keeps no numbers')\n"
        "  assert(next_number() >= before)\n"
        "  home.bad = nil\n"
        "  assert(commit())\n"
        "  assert(number(t) >= before and number(t[1]) >= before and number(t[2]) >= before)\n"
        "  home.highest = next_number()\n"
        "  assert(commit())\n"
        "  before = next_number()\n"
        "  home.lost = { {} }\n"
        "  assert(rollback()) assert(home.lost == nil) assert(next_number() >= before)\n"
        "  fails('raised', 'no', transaction(function() home.lost = { {} } error 'no' end))\n"
        "  assert(next_number() >= before)\n"
        "  home.lost, home.bad = { {} }, coroutine.create(print)\n"
        "  fails('unstorable', nil, commit())\n"
        "  before = next_number() assert(rollback()) assert(next_number() >= before)\n"
        "  local stale = external() before = next_number()\n"
        "  assert(rollback()) assert(next_number() >= before)\n"
        "  home.fresh = external() home.fresh.x = 1\n"
        "  assert(not pcall(function() return stale.x end))\n" /* its number is no other table's */
        "  home.again = {} assert(commit()) assert(number(home.again) >= before)\n"
        "  home.t, home.again, home.fresh = nil, nil, nil\n"
        "  churn()\n"
        "  assert(commit())\n"
        "end\n");
    world_restart(&w);
  }
  world_free(&w);
}

static void test_garbage_is_deleted(void **state) {
  (void)state;
  in_new_world(64,
               "assert(commit())\n"
               "local empty = entries()\n"
               "local n = {}\n"
               "local meta = {}\n"
               "function meta.__persist(o)\n"
               "  local l = o.l\n"
               "  return function() return setmetatable({ l = l }, meta) end\n"
               "end\n"
               "local function fill()\n"
               "  home.big, home.list, home.text = {}, {}, ('0123456789'):rep(20000)\n"
               "  for i = 1, 300 do home.big['k' .. i] = { i } home.list[i] = i end\n"
               "  home.f, home.g = function() n = n return n end, function() return n end\n"
               "  home.shape, home.weak = { a = 1, b = 2 }, setmetatable({ home.big }, { __mode = 'v' })\n"
               "  home.hooked = setmetatable({ l = { {} } }, meta)\n"
               "  home.cycle = {} home.cycle.cycle = { home.cycle }\n"
               "  home.print = print\n"
               "  home[home.big] = home.big\n"
               "end\n"
               "for round = 1, 3 do\n"
               "  fill() assert(commit())\n"
               "  assert(entries() > empty + 300, entries())\n"
               "  kept('full')\n"
               "  for k in next, home do home[k] = nil end\n"
               "  assert(commit())\n"
               "  eq(entries(), empty, 'after deleting all')\n"
               "  kept('empty')\n"
               "end\n");
}

static void test_parts_of_tables_are_deleted(void **state) {
  (void)state;
  in_new_world(64,
               "home.t = {} assert(commit())\n"
               "local empty = entries()\n"
               "for i = 1, 500 do home.t['key' .. i] = i end\n"
               "for i = -200, 200 do home.t[i * 7] = tostring(i) end\n"
               "assert(commit())\n"
               "local full = entries()\n"
               "assert(full > empty + 20)\n"
               "for i = 1, 500 do home.t['key' .. i] = nil end\n"
               "assert(commit()) assert(entries() < full - 10)\n"
               "for i = -200, 200 do home.t[i * 7] = nil end\n"
               "assert(commit()) eq(entries(), empty)\n"
               "kept()\n"
               "home.text = ('x'):rep(300000) assert(commit()) assert(entries() > empty + 4)\n"
               "home.text = ('y'):rep(100) assert(commit()) eq(entries(), empty + 2)\n"
               "home.text = nil assert(commit()) eq(entries(), empty)\n");
}

/* New closures, tables and cells in the addresses of dead ones. */
static void test_addresses_used_again(void **state) {
  (void)state;
  World w;
  world_init(&w, 64);
  for (size_t process = 0; process < 3; process++) {
    run(w.L,
        "for round = 1, 12 do\n"
        "  home.list = {}\n"
        "  for i = 1, 20 do\n"
        "    local a, b = { round, i }, i\n"
        "    home.list[i] = { function() return a end, function() b = b + 1 return b, a end, a, setmetatable({}, a) }\n"
        "  end\n"
        "  assert(commit())\n"
        "  local text = describe(home)\n"
        "  for i = 1, 20 do home.list[i][round % 4 + 1] = nil end\n"
        "  churn()\n"
        "  for i = 1, 20 do\n"
        "    local c = -round\n"
        "    home.list[i][round % 4 + 1] = round % 2 == 0 and { c } or function() c = c - 1 return c end\n"
        "  end\n"
        "  if round % 3 == 0 then\n"
        "    assert(rollback()) same(text, 'rolled back')\n"
        "  else\n"
        "    assert(commit()) text = describe(home)\n"
        "  end\n"
        "  churn()\n"
        "  kept()\n"
        "end\n");
    world_restart(&w);
  }
  world_free(&w);
}

static void test_debug_library(void **state) {
  (void)state;
  in_new_world(0,
               "local a, b, c = 1, { 2 }, 3\n"
               "home.f, home.g = function() a = a return a, b end, function() return b, a end\n"
               "home.h = function() return c end\n"
               "assert(commit())\n"
               "local fa, ga, hc = number(home.f, 1), number(home.g, 2), number(home.h, 1)\n"
               "eq(fa, ga)\n"
               "debug.upvaluejoin(home.g, 2, home.h, 1)\n"
               "assert(commit())\n"
               "eq(number(home.g, 2), hc) eq(number(home.f, 1), fa)\n"
               "kept('joined')\n"
               "debug.setupvalue(home.g, 2, 'set')\n"
               "assert(commit()) kept('set') eq(select(2, home.g()), 'set') eq(home.h(), 'set')\n"
               /* the last closure that has a cell gives it up, and the cell's address is used again */
               "debug.upvaluejoin(home.f, 1, home.h, 1)\n"
               "churn()\n"
               "assert(commit()) churn()\n"
               "do local x = 'new' home.new = function() return x end end\n"
               "assert(commit()) assert(number(home.new, 1) > fa)\n"
               "kept('new') eq(home.new(), 'new')\n"
               "debug.setmetatable(home.f, nil)\n"
               "setmetatable(home, { __index = { inherited = true } })\n"
               "assert(commit()) kept('metatable') eq(home.inherited, true)\n"
               "debug.setmetatable(home, nil)\n"
               "assert(commit()) kept('no metatable') eq(home.inherited, nil)\n");
}

/* After opening, too, a cell is known by an anchor of its own, not by a function that may be given another. */
static void test_cells_of_opened_functions(void **state) {
  (void)state;
  in_new_world(0,
               "home.list = {}\n"
               "for i = 1, 20 do home.list[i] = (function(c) return function() c = c return c end end)(i) end\n"
               "home.other = (function(c) return function() return c end end)('other')\n"
               "assert(commit())\n"
               "for round = 1, 5 do\n"
               "  reopen()\n"
               "  for i = 1, 20 do debug.upvaluejoin(home.list[i], 1, home.other, 1) end\n"
               "  churn()\n"
               "  for i = 1, 20 do home.list[i + 20] = (function(c) return function() c = c return c end end)(-i) end\n"
               "  assert(commit())\n"
               "  for i = 1, 20 do eq(home.list[i + 20](), -i) end\n"
               "  kept('round ' .. round)\n"
               "  for i = 1, 20 do home.list[i] = (function(c) return function() c = c return c end end)(i) end\n"
               "  assert(commit())\n"
               "end\n");
}

/* A cell that only stored functions share, of which one after another goes. */
static void test_cells_outlive_functions(void **state) {
  (void)state;
  in_new_world(0,
               "do local n = 0\n"
               "  home.up, home.down, home.get = function() n = n + 1 end, function() n = n - 1 end, function() "
               "return n end\n"
               "end\n"
               "assert(commit())\n"
               "local cell = number(home.get, 1)\n"
               "home.up() home.up = nil churn() assert(commit()) eq(number(home.get, 1), cell)\n"
               "home.down() home.down() home.down = nil churn() assert(commit()) eq(number(home.get, 1), cell)\n"
               "kept() eq(home.get(), -1) eq(number(home.get, 1), cell)\n"
               "home.get = nil churn() assert(commit())\n"
               "do local n = 'other' home.get = function() return n end end\n"
               "assert(commit()) assert(number(home.get, 1) > cell) kept() eq(home.get(), 'other')\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_kept),
      cmocka_unit_test(test_never_again),
      cmocka_unit_test(test_garbage_is_deleted),
      cmocka_unit_test(test_parts_of_tables_are_deleted),
      cmocka_unit_test(test_addresses_used_again),
      cmocka_unit_test(test_debug_library),
      cmocka_unit_test(test_cells_of_opened_functions),
      cmocka_unit_test(test_cells_outlive_functions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
