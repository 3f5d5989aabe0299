/*
** Rollback in place: the objects stay, their contents return.
*/
#include "store_testing.h"

static void test_identity(void **state) {
  (void)state;
  in_new_world(64,
               "local n, meta = 0, { __index = { v = 1 } }\n"
               "home.t, home.o, home.deep = { 1, 2, 3, k = 'v' }, setmetatable({}, meta), { { { {} } } }\n"
               "home.up, home.get = function() n = n + 1 return n end, function() return n end\n"
               "home[home.t], home[1.5], home[true], home[''] = 'by table', 1, 2, 3\n"
               "home.big = {} for i = 1, 300 do home.big[i], home.big['k' .. i] = i, { i } end\n"
               "home.point, home.print, home.text = point(1, 2), print, ('long'):rep(100)\n"
               "assert(commit())\n"
               "local text, t, o, up, get, deep, big, p = describe(home), home.t, home.o, home.up, home.get, "
               "home.deep[1][1], home.big, home.point\n"
               "local tn, upn, cell = number(t), number(up), number(up, 1)\n"
               "local function mess()\n"
               "  up() up()\n"
               "  t[1], t[5], t.k, t.new = nil, 5, 'w', { t }\n"
               "  setmetatable(o, nil) setmetatable(t, meta) meta.__index = nil\n"
               "  debug.upvaluejoin(get, 1, (function() local z = 9 return function() return z end end)(), 1)\n"
               "  deep[1], deep.x = nil, deep\n"
               "  for i = 1, 300, 7 do big[i], big['k' .. i], big['n' .. i] = nil, nil, {} end\n"
               "  home.t, home.up, home.point, home.print, home.text, home[t], home[true] = nil, 5, nil, nil, 'short', "
               "nil, nil\n"
               "  home.bad = coroutine.create(print)\n" /* what could not be stored is no obstacle */
               "end\n"
               "for round = 1, 4 do\n"
               "  mess()\n"
               "  if round == 2 then fails('unstorable', nil, commit()) end\n"
               "  if round == 3 then churn() end\n"
               "  assert(rollback())\n"
               "  same(text, 'round ' .. round)\n"
               "  eq(home.t, t) eq(home.o, o) eq(home.up, up) eq(home.get, get) eq(home.deep[1][1], deep) "
               "eq(home.big, big)\n"
               "  eq(home.point, p) eq(home.print, print) eq(home[t], 'by table')\n"
               "  eq(debug.upvalueid(up, 1), debug.upvalueid(get, 1))\n"
               "  eq(number(t), tn) eq(number(up), upn) eq(number(up, 1), cell)\n"
               "  assert(rollback()) same(text, 'twice')\n"
               "  unchanged()\n"
               "end\n"
               "mess() home.bad = nil assert(commit()) kept()\n");
}

/* 1 is not 1.0, 0.0 is not -0.0, and a NaN is what it was. */
static void test_numbers(void **state) {
  (void)state;
  in_new_world(0,
               "home.t = { 1, 1.0, 0.0, -0.0, 0/0, 2^53, 1 << 53 } local text = describe(home) assert(commit())\n"
               "home.t[1], home.t[2], home.t[3], home.t[4], home.t[5], home.t[6], home.t[7] = 1.0, 1, -0.0, 0.0, "
               "-(0/0), 1 << 53, 2^53\n"
               "assert(rollback()) same(text) eq(math.type(home.t[1]), 'integer') eq(1 / home.t[4], -1/0) "
               "unchanged()\n");
}

static void test_before_any_commit(void **state) {
  (void)state;
  in_new_world(0,
               "local h = home\n"
               "home.x, home.y = 1, { home }\n"
               "setmetatable(home, { __index = { z = 3 } })\n"
               "assert(rollback()) eq(next(home), nil) eq(getmetatable(home), nil)\n"
               "home.bad = coroutine.create(print) fails('unstorable', nil, commit()) assert(rollback()) "
               "eq(next(home), nil)\n"
               "eq(home, h) home.x = 1 assert(commit()) kept() eq(home.x, 1)\n");
}

static void test_in_a_loop(void **state) {
  (void)state;
  in_new_world(64,
               "local function visit(change)\n"
               "  home.t = {}\n"
               "  for i = 1, 50 do home.t['k' .. i], home.t[i] = i, i end\n"
               "  assert(commit())\n"
               "  local seen, count = {}, 0\n"
               "  for k, v in pairs(home.t) do\n"
               "    assert(not seen[k], k) seen[k] = true count = count + 1\n"
               "    if count % 10 == 3 then change(k) assert(rollback()) end\n"
               "  end\n"
               "  eq(count, 100)\n"
               "end\n"
               "visit(function(k) home.t[k] = 'changed' end)\n"
               "visit(function(k) home.t[k] = nil end)\n"
               "visit(function(k) for i = 1, 50 do home.t['k' .. i] = nil end end)\n"
               "visit(function(k) for i = 1, 50 do home.t['k' .. i] = -i home.t[i] = {} end end)\n"
               "visit(function(k) home.t[k] = coroutine.create(print) end)\n"
               "visit(function(k) home.t, home.other = nil, home.t end)\n");
}

/* A table that became hooked, or stopped being so, with and without a failed commit in between. */
static void test_hooked_meanwhile(void **state) {
  (void)state;
  in_new_world(64,
               "local meta = {}\n"
               "function meta.__persist(o)\n"
               "  local x = o.x\n"
               "  return function() return setmetatable({ x = x }, meta) end\n"
               "end\n"
               "home.meta, home.plain, home.hooked = meta, { x = 1 }, setmetatable({ x = 2 }, meta)\n"
               "assert(commit())\n"
               "local text, plain, hooked = describe(home), home.plain, home.hooked\n"
               "local pn, hn = number(plain), number(hooked)\n"
               "for round = 1, 4 do\n"
               "  setmetatable(plain, meta) setmetatable(hooked, nil)\n"
               "  plain.x, hooked.y = 5, {}\n"
               "  if round % 2 == 0 then home.bad = { { { coroutine.create(print) } } } "
               "fails('unstorable', nil, commit()) end\n"
               "  assert(rollback())\n"
               "  same(text, 'round ' .. round)\n"
               "  eq(home.plain, plain) eq(home.hooked, hooked) eq(getmetatable(plain), nil) "
               "eq(getmetatable(hooked), meta)\n"
               "  eq(number(plain), pn) eq(number(hooked), hn)\n"
               "  unchanged()\n"
               "end\n"
               "setmetatable(plain, meta) setmetatable(hooked, nil)\n"
               "assert(commit()) eq(number(plain), pn) eq(number(hooked), hn) kept()\n"
               "eq(getmetatable(home.plain), home.meta) eq(getmetatable(home.hooked), nil)\n");
}

static void test_userdata(void **state) {
  (void)state;
  in_new_world(0,
               "local p = point(1, 2)\n"
               "home.p, home.list, home.f = p, { p }, function() return p end\n"
               "assert(commit())\n"
               "home.p, home.list[1], home.other = point(3, 4), nil, { point(5, 6) }\n"
               "assert(rollback())\n"
               "eq(home.p, p) eq(home.list[1], p) eq(home.f(), p) eq(home.other, nil) unchanged()\n"
               "home.x = 1 assert(rollback()) eq(home.p, p)\n");
}

/* A rebuilding function may give an object that exists: nothing of it is taken away. */
static void test_rebuilt_as_an_existing_object(void **state) {
  (void)state;
  in_new_world(0,
               "local class = {} home.class = class class.__gc = function() end\n"
               "cache = {}\n"
               "function class.__persist(o)\n"
               "  local id = o.id\n"
               "  return function()\n"
               "    cache[id] = cache[id] or setmetatable({ id = id }, class)\n"
               "    return cache[id]\n"
               "  end\n"
               "end\n"
               "cache.a = setmetatable({ id = 'a' }, class)\n"
               "cache.b = setmetatable({ id = 'b' }, class)\n"
               "local a, b = cache.a, cache.b\n"
               "home.a, home.b = a, b\n"
               "assert(commit())\n"
               "home.a, home.x = nil, 5 a.dirty = true\n"
               "assert(rollback())\n"
               "eq(home.a, a) eq(getmetatable(a), class) eq(getmetatable(b), class) eq(a.id, 'a')\n"
               "a.id = 'z' assert(rollback()) eq(home.a, a) eq(a.id, cache.a.id) eq(getmetatable(home.a), class)\n"
               "a.id = 'z' cache.a = b assert(rollback()) eq(getmetatable(b), class) eq(b.id, 'b') eq(home.b, b)\n"
               /* nor of one that only the program knows, unless it has a finalizer */
               "class.__gc, home.a, cache.a = nil, a, a a.id = 'a' assert(commit())\n"
               "local own = setmetatable({ id = 'a' }, class) cache.a, a.id = own, 'z'\n"
               "assert(rollback()) eq(getmetatable(own), class) eq(own.id, 'a') eq(home.a, a) eq(a.id, 'a')\n");
}

/* Hooked objects that hold each other: a field that waited for the other one arrives in the live table, too. */
static void test_hooked_in_a_cycle(void **state) {
  (void)state;
  in_new_world(0,
               "local class = {} home.class = class\n"
               "function class.__persist(o) local f = {} for k, v in next, o do f[k] = v end "
               "return function() return setmetatable(f, class) end end\n"
               "local a, b = setmetatable({n='a'}, class), setmetatable({n='b'}, class)\n"
               "a.t, b.t = { b }, { a } a.direct = b b.direct = a\n"
               "home.a, home.b = a, b assert(commit())\n"
               "local text = describe(home)\n"
               "a.n, b.n, a.t, a.direct, b.direct = 1, 2, nil, nil, nil\n"
               "assert(rollback()) same(text) eq(home.a, a) eq(home.b, b) eq(a.direct, b) eq(b.direct, a) "
               "eq(a.t[1], b) unchanged() kept()\n");
}

/* What is part of one hooked object's record alone; another may have got it since, and looks as it did. */
static void test_taken_from_another_hooked_object(void **state) {
  (void)state;
  in_new_world(0,
               "local class = {}\n"
               "function class.__persist(o)\n"
               "  local t, f = o.t, o.f\n"
               "  return function() return setmetatable({ t = t, f = f }, class) end\n"
               "end\n"
               "local function new() local v = {} return setmetatable({ t = {}, f = function() return v end }, "
               "class) end\n"
               "home.class, home.a, home.b, home.c = class, new(), new(), new()\n"
               "local a, b, c = home.a, home.b, home.c\n"
               "assert(commit())\n"
               "local text = describe(home)\n"
               "local c_t = c.t\n"
               "a.t = b.t assert(rollback()) same(text, 'the first from the second') unchanged()\n"
               "b.t = a.t assert(rollback()) same(text, 'the second from the first') unchanged()\n"
               "debug.upvaluejoin(a.f, 1, b.f, 1) assert(rollback()) same(text, 'a cell') unchanged()\n"
               "debug.setupvalue(b.f, 1, a.t) assert(rollback()) same(text, 'in a cell') unchanged()\n"
               "a.f, b.f = b.f, a.f assert(rollback()) same(text, 'exchanged') unchanged()\n"
               "eq(home.a, a) eq(home.b, b) eq(home.c, c) eq(c.t, c_t)\n");
}

static void test_weak(void **state) {
  (void)state;
  in_new_world(0,
               "local k1, k2 = {}, {}\n"
               "home.k1, home.k2 = k1, k2\n"
               "home.weak = setmetatable({ [k1] = 'one', [k2] = 'two' }, { __mode = 'k' })\n"
               "assert(commit())\n"
               "local weak = home.weak\n"
               "home.weak[k1] = nil home.k2 = nil home.weak[{}] = 'three'\n"
               "collectgarbage()\n"
               "assert(rollback())\n"
               "eq(home.weak, weak) eq(weak[k1], 'one') eq(weak[home.k2], 'two') eq(home.k2, k2) unchanged()\n");
}

static void test_external(void **state) {
  (void)state;
  in_new_world(0,
               "home.e = external() home.e.a = 1 assert(commit())\n"
               "local e, new = home.e, external()\n"
               "home.e.a, home.e.b, home.e, home.new = 2, 3, nil, new new.x = 1\n"
               "assert(rollback())\n"
               "eq(home.e, e) eq(e.a, 1) eq(e.b, nil) eq(home.new, nil)\n"
               "local ok, message = pcall(function() return new.x end)\n"
               "assert(not ok and message:find 'stale', message)\n"
               "unchanged()\n"
               "home.new = new fails('stale', '_home.new', commit()) assert(rollback())\n");
}

static void test_transaction(void **state) {
  (void)state;
  in_new_world(0,
               "home.x, home.t = 1, { 1 } assert(commit())\n"
               "local t = home.t\n"
               "home.outstanding = { 'work' }\n"
               "fails('raised', 'why', transaction(function() home.x, home.t[1], home.t.u = 2, nil, {} "
               "error('why') end))\n"
               "eq(home.x, 1) eq(home.t, t) eq(t[1], 1) eq(t.u, nil) eq(home.outstanding[1], 'work') unchanged()\n"
               "fails('raised', nil, transaction(function() coroutine.wrap(function() home.x = 3 "
               "error 'in a coroutine' end)() end))\n"
               "eq(home.x, 1)\n"
               "fails('raised', 'table', transaction(function() home.x = 3 error({}) end)) eq(home.x, 1)\n"
               "local code, closing\n"
               "eq(transaction(function() code = select(3, transaction(function() end)) closing = close() home.x = 4 "
               "return 'r' end), 'r')\n"
               "eq(code, 'busy') eq(closing, 'busy') eq(home.x, 4) kept()\n");
}

/* The name _G means another table now, so the number does: whoever had the former gets it, hooked or not. */
static void test_hooked_that_hold_what_is_made_anew(void **state) {
  (void)state;
  in_new_world(0,
               "local class = {} home.class = class\n"
               "function class.__persist(o)\n"
               "  local list = o.list\n"
               "  return function() return setmetatable({ list = list }, class) end\n"
               "end\n"
               "local first, second = {}, {} assert(install(first))\n"
               "local object, other = setmetatable({ list = { first } }, class), "
               "setmetatable({ list = { 1 } }, class)\n"
               "home.first, home.object, home.other = first, object, other\n"
               "assert(commit()) assert(rollback())\n"
               "eq(object.list[1], first) other.kept = 'not stored' assert(rollback()) eq(other.kept, 'not stored')\n"
               "assert(install(second))\n"
               "eq(home.first, second) eq(home.object, object) eq(object.list[1], second) eq(home.other, other)\n"
               "eq(getmetatable(object), class) eq(other.list[1], 1) unchanged()\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_identity),
      cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_before_any_commit),
      cmocka_unit_test(test_in_a_loop),
      cmocka_unit_test(test_hooked_meanwhile),
      cmocka_unit_test(test_userdata),
      cmocka_unit_test(test_rebuilt_as_an_existing_object),
      cmocka_unit_test(test_hooked_in_a_cycle),
      cmocka_unit_test(test_taken_from_another_hooked_object),
      cmocka_unit_test(test_hooked_that_hold_what_is_made_anew),
      cmocka_unit_test(test_weak),
      cmocka_unit_test(test_external),
      cmocka_unit_test(test_transaction),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
