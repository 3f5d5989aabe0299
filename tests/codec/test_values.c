/* Values through a blob and back, at the level of C; the options record. */
#include "sample.h"

/* Encodes the value on the top and puts what it decodes to in its place. */
static void round_trip(lua_State *L) {
  hearth_error e;
  hearth_codec_options o = options_of(HEARTH_TRUSTED);
  size_t size;
  int top = lua_gettop(L);
  encode_top(L, 0);
  const char *bytes = lua_tolstring(L, -1, &size);
  memset(&e, 0x55, sizeof e);
  if (hearth_decode(L, bytes, size, &o, &e) != HEARTH_OK) fail_msg("%s", e.message);
  assert_int_equal(e.code, HEARTH_OK);
  lua_remove(L, -2);
  assert_int_equal(lua_gettop(L), top);
}

static void test_floats_keep_every_bit(void **state) {
  (void)state;
  static const uint64_t patterns[] = {
      0,
      UINT64_C(0x8000000000000000), /* -0.0 */
      1,
      UINT64_C(0x3ff0000000000000), /* 1.0, not 1 */
      UINT64_C(0x7ff0000000000000),
      UINT64_C(0xfff0000000000000),
      UINT64_C(0x7ff8000000000000), /* quiet NaNs */
      UINT64_C(0xfff8000000000000),
      UINT64_C(0x7ff8dead0000beef),
      UINT64_C(0xffffffffffffffff),
      UINT64_C(0x36a0000000000000), /* the least 32-bit subnormal */
      UINT64_C(0x380fffffc0000000),
  };
  Memory m;
  lua_State *L = state_new(&m);
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
    lua_Number n;
    uint64_t bits;
    memcpy(&n, &patterns[i], sizeof n);
    lua_pushnumber(L, n);
    round_trip(L);
    assert_int_equal(lua_type(L, -1), LUA_TNUMBER);
    assert_false(lua_isinteger(L, -1));
    n = lua_tonumber(L, -1);
    memcpy(&bits, &n, sizeof bits);
    assert_true(bits == patterns[i]);
    lua_pop(L, 1);
  }
  state_close(L, &m);
}

static void test_integers(void **state) {
  (void)state;
  Memory m;
  lua_State *L = state_new(&m);
  for (unsigned shift = 0; shift < 64; shift++)
    for (int d = -1; d <= 1; d++) {
      lua_Integer n = (lua_Integer)(((lua_Unsigned)1 << shift) + (lua_Unsigned)(lua_Integer)d);
      lua_pushinteger(L, n);
      round_trip(L);
      assert_true(lua_isinteger(L, -1));
      assert_true(lua_tointeger(L, -1) == n);
      lua_pop(L, 1);
    }
  state_close(L, &m);
}

static void test_strings(void **state) {
  (void)state;
  in_new_state(
      "for _, n in ipairs {0, 1, 2, 31, 32, 40, 41, 127, 128, 1000, 70000} do\n"
      "  local s = {} for i = 1, math.min(n, 256) do s[i] = string.char((i * 37 + n) % 256) end\n"
      "  s = table.concat(s):rep(n // 256 + 1):sub(1, n) eq(rt(s), s)\n"
      "  local r = rt {s, s, s, [s] = s, k = {s}} for i = 1, 3 do eq(r[i], s) end eq(r[s], s) eq(r.k[1], s)\n"
      "end\n"
      /* The dictionary: near, far, more than fit in a byte. */
      "for _, n in ipairs {31, 32, 33, 34, 200, 20000} do\n"
      "  local t = {} for round = 1, 4 do for i = 1, n do t[#t + 1] = 's' .. i end end\n"
      "  local r = rt(t) eq(#r, 4 * n) for i = 1, #t do eq(r[i], t[i]) end\n"
      "end\n"
      /* Short ones are not worth a far reference. */
      "local t = {} for round = 1, 4 do for i = 0, 1300 do t[#t + 1] = string.char(33 + i // 94, 33 + i % 94) end end\n"
      "local r = rt(t) for i = 1, #t do eq(r[i], t[i]) end\n");
}

static void put_word(unsigned char *out, uint64_t word) {
  for (unsigned i = 0; i < 8; i++) out[i] = (unsigned char)(word >> 8 * i);
}

/*
** Strings with one hash: XXH3 multiplies pairs of words, so that a word that equals its (published) secret makes the
** other one count for nothing, and one that differs from it in a bit makes the other one count as it is.
*/
static void put_blind(unsigned char *out, size_t size, unsigned char fill) {
  memset(out, fill, size);
  put_word(out, UINT64_C(0xbe4ba423396cfeb8) ^ (size == 63));
  if (size == 63) put_word(out + 8, UINT64_C(0x1cad21f72c81017c) ^ UINT64_C(0x9e3779b185ebca87)); /* for the length */
  put_word(out + 16, UINT64_C(0x78e5c0cc4ee679cb));
  put_word(out + size - 32, UINT64_C(0x8e2443f7744608b8));
  put_word(out + size - 16, UINT64_C(0xdb979083e96dd4de));
}

static void test_strings_of_one_hash(void **state) {
  (void)state;
  static const struct {
    size_t size;
    unsigned char fill;
  } strings[] = {{64, 'a'}, {64, 'b'}, {63, 'a'}, {64, 'c'}, {63, 'b'}};
  Memory m;
  lua_State *L = state_new(&m);
  uint64_t hash = 0;
  lua_newtable(L);
  for (int i = 0; i < 5; i++) {
    unsigned char bytes[64];
    put_blind(bytes, strings[i].size, strings[i].fill);
    if (i == 0) hash = hash64(bytes, strings[i].size, 0);
    assert_true(hash64(bytes, strings[i].size, 0) == hash);
    for (int k = 0; k < 3; k++) { /* new, and twice again */
      lua_pushlstring(L, (const char *)bytes, strings[i].size);
      lua_rawseti(L, 1, 1 + 5 * k + i);
    }
  }
  lua_setglobal(L, "strings");
  run(L, "for i = 1, 5 do for k = 1, i - 1 do assert(strings[i] ~= strings[k]) end end\n"
         "local r = rt(strings) eq(#r, 15) for i = 1, 15 do eq(r[i], strings[i], i) end\n"
         "r = rt(strings, CANONICAL) for i = 1, 15 do eq(r[i], strings[i], i) end\n");
  state_close(L, &m);
}

static void test_tables(void **state) {
  (void)state;
  in_new_state(
      "local function same(a, b, seen)\n"
      "  if type(a) ~= 'table' then eq(b, a) eq(math.type(b), math.type(a)) return end\n"
      "  seen = seen or {} if seen[a] then eq(b, seen[a]) return end seen[a] = b\n"
      "  local n, k = 0, 0 for x in next, a do n = n + 1 end for x in next, b do k = k + 1 end eq(k, n)\n"
      "  for x, y in next, a do same(y, rawget(b, x), seen) end end\n"
      "for n = 0, 70 do\n"
      "  local t, u, v = {}, {}, {}\n"
      "  for i = 1, n do t[i] = i u['k' .. i] = {i} v[i % 3 == 0 and i or i % 3 == 1 and -i "
      "or i + 0.5] = 'v' .. i % 5 end\n"
      "  local w = {table.unpack(t)} for k, x in next, u do w[k] = x end\n"
      "  local x = {t, u, v, w} same(x, rt(x)) w.x = x w[n + 2] = w same(x, rt(x))\n"
      "  for i = 2, n, 3 do t[i] = nil end same(x, rt(x))\n"
      "end\n"
      "local r = rt {[true] = 1, [false] = 2, [1] = 3, ['1'] = 4, [1.5] = 5, ['1.5'] = 6, ['true'] = 7, "
      "[math.mininteger] = 8, [math.maxinteger] = 9, [1/0] = 10, [-1/0] = 11}\n"
      "for k, v in next, {[true] = 1, [false] = 2, [1] = 3, ['1'] = 4, [1.5] = 5, ['1.5'] = 6, ['true'] = 7, "
      "[math.mininteger] = 8, [math.maxinteger] = 9, [1/0] = 10, [-1/0] = 11} do eq(r[k], v, k) end\n"
      "local k, f = {}, function() end r = rt {[k] = 1, [f] = 2, [print] = 3, k = k, f = f} eq(r[r.k], 1) "
      "eq(r[r.f], 2) eq(r[print], 3)\n");
}

static void test_depth(void **state) {
  (void)state;
  in_new_state(
      "local n = 200000\n"
      "local function check(make, step)\n"
      "  local t = {} for i = 1, n do t = make(t) end\n"
      "  t = rt(t) local k = 0 while t do t = step(t) k = k + 1 end eq(k, n + 1) end\n"
      "check(function(t) return {t} end, function(t) return t[1] end)\n"
      "check(function(t) return {x = t} end, function(t) return t.x end)\n"
      "check(function(t) return {[2.5] = t} end, function(t) return t[2.5] end)\n"
      "check(function(t) return {[t] = true} end, function(t) return (next(t)) end)\n"
      "check(function(t) return setmetatable({}, t) end, getmetatable)\n"
      "local t t = {} for i = 1, n do local u = t t = function() return u end end\n"
      "t = rt(t) local k = 0 while type(t) == 'function' do t = t() k = k + 1 end eq(k, n) eq(type(t), 'table')\n");
}

static void test_million(void **state) {
  (void)state;
  if (rounds(40) < 40) return; /* too much under valgrind; 200,000 were enough there */
  in_new_state("local t = {} for i = 1, 1000000 do t = {t} end t = rt(t) local k = 0 while t do t = t[1] k = k + 1 end "
               "eq(k, 1000001)\n"
               "t = {} for i = 1, 1000000 do t[i] = i end t = rt(t) eq(#t, 1000000) eq(t[999999], 999999)\n");
}

static void test_shared_cells(void **state) {
  (void)state;
  in_new_state(
      "local a, b = 1, 2 local function f() a = a + 1 return a, b end local function g() b = b + 1 return a, b end\n"
      "local function h() return f, g, h end\n"
      "local r = rt {f, g, h, h} r[1]() r[2]() local x, y = r[1]() eq(x, 3) eq(y, 3) eq(a, 1) eq(r[3], r[4])\n"
      "local F, G = r[3]() eq(F, r[1]) eq(G, r[2])\n"
      "for u = 1, 2 do eq(debug.upvalueid(r[1], u), debug.upvalueid(r[2], 3 - u)) end\n"
      /* The cell of a permanent function is its own. */
      "local j = function() return b end debug.upvaluejoin(j, 1, game.spawn, 1)\n"
      "local before = game.spawn() r = rt {j} eq(r[1](), before) game.spawn() eq(r[1](), before + 1)\n"
      "eq(debug.upvalueid(r[1], 1), debug.upvalueid(game.spawn, 1))\n"
      /* No upvalue, the globals, another environment. */
      "local env = {} r = rt {load('x = 1', 'c', 't', env), env, load('y = 1'), function() return 1 end}\n"
      "r[1]() eq(r[2].x, 1) r[3]() eq(_G.y, 1) _G.y = nil eq(r[4](), 1)\n");
}

/* ------------------------------------------------------ untrusted decoding */

static void test_what_untrusted_data_may_not_have(void **state) {
  (void)state;
  in_new_state(
      "local function refuse(v, flags, what) local b = assert(enc(v)) local r, m, c, p, at = dec(b, flags) "
      "eq(c, 'refused', m)\n"
      "  assert(m:find(what, 1, true), m) assert(at > 0 and at <= #b) assert(dec(b, TRUSTED)) end\n"
      "local mt = setmetatable({}, {})\n"
      "local hooked = setmetatable({}, {__persist = function() return function() return {} end end})\n"
      "refuse(function() end, 0, 'a function') refuse(function() end, PERMANENTS | METATABLES, 'a function')\n"
      "refuse(print, 0, \"the permanent 'print'\") refuse({string}, FUNCTIONS | METATABLES, \"the "
      "permanent 'string'\")\n"
      "refuse(mt, 0, 'a metatable') refuse({mt}, FUNCTIONS | PERMANENTS, 'a metatable')\n"
      "refuse(setmetatable({}, {__mode = 'k'}), 0, 'a metatable')\n"
      "refuse(point(1, 2), FUNCTIONS | PERMANENTS, 'an object of a class')\n"
      "refuse(hooked, FUNCTIONS | PERMANENTS, 'an object of a class')\n"
      "refuse(hooked, METATABLES, 'a function')\n"
      /* Those that the caller lists pass; a cell has no value to list. */
      "local key = {} local listed, perms = assert(enc({key}, 0, {[key] = 'key'})), {key = key, other = 1}\n"
      "eq(dec(listed, 0, perms)[1], key) eq(select(3, dec(listed, 0, {other = key})), 'refused') "
      "eq(select(3, dec(listed, 0)), 'refused')\n"
      "local x local function sees() return x end debug.upvaluejoin(sees, 1, game.spawn, 1)\n"
      "local r, m, c = dec(assert(enc(sees)), FUNCTIONS, {['game.spawn^spawned'] = 1}) eq(c, 'refused', m)\n"
      "assert(m:find(\"the permanent 'game.spawn^spawned', which\", 1, true), m)\n"
      "assert(dec(enc(print), PERMANENTS) == print) assert(getmetatable(dec(enc(mt), METATABLES)))\n"
      "assert(type(dec(enc(function() return 1 end), FUNCTIONS)) == 'function')\n");
}

static void test_stand_ins(void **state) {
  (void)state;
  in_new_state(
      "local t, f = {}, function() end\n"
      "local perms = {[t] = 'gone.table', [f] = 'gone.function'}\n"
      "local b = assert(enc({t, f, t, setmetatable({1}, t)}, 0, perms))\n"
      "eq(select(3, dec(b)), 'unknown')\n"
      "local r = assert(dec(b, TRUSTED | PLACEHOLDERS)) eq(rawequal(r[1], r[3]), true) "
      "eq(rawequal(getmetatable(r[4]), r[1]), true)\n"
      "local ok, m = pcall(r[2]) eq(ok, false) assert(m:find('gone.function', 1, true), m)\n"
      "ok, m = pcall(function() return r[1].x end) eq(ok, false) assert(m:find('gone.table', 1, true), m)\n"
      "eq(enc(r), b)\n" /* the names are kept */
      "r = assert(dec(enc(r), TRUSTED, {['gone.table'] = t, ['gone.function'] = f})) eq(r[1], t) eq(r[2], f)\n");
}

/* ---------------------------------------------------------------- options */

static void check_invalid(lua_State *L, const hearth_codec_options *o, const char *text) {
  hearth_error e;
  size_t size;
  int top = lua_gettop(L);
  const char *bytes = lua_tolstring(L, 2, &size);
  assert_int_equal(hearth_encode(L, 1, o, &e), HEARTH_INVALID);
  if (strstr(e.message, text) == NULL) fail_msg("%s", e.message);
  assert_int_equal(hearth_decode(L, bytes, size, o, &e), HEARTH_INVALID);
  assert_non_null(strstr(e.message, text));
  assert_int_equal(hearth_decode(L, bytes, size, o, NULL), HEARTH_INVALID);
  assert_int_equal(lua_gettop(L), top);
}

static void test_options(void **state) {
  (void)state;
  Memory m;
  hearth_error e;
  lua_State *L = state_new(&m);
  lua_newtable(L);
  lua_pushvalue(L, 1);
  encode_top(L, 0);
  size_t size;
  const char *bytes = lua_tolstring(L, 2, &size);
  hearth_codec_options o = options_of(HEARTH_CANONICAL);

  o.size = 0;
  check_invalid(L, &o, "size is 0");
  o.size = sizeof o.size - 1;
  check_invalid(L, &o, "size");
  o.size = sizeof o + 1;
  check_invalid(L, &o, "this library knows up to");
  o.size = sizeof o.size; /* a caller from before there were flags: the others are zero */
  o.flags = 0x80000000u;
  o.max_bytes = 1;
  assert_int_equal(hearth_encode(L, 1, &o, &e), HEARTH_OK);
  assert_int_equal(hearth_decode(L, bytes, size, &o, &e), HEARTH_OK);
  lua_settop(L, 2);
  o.size = offsetof(hearth_codec_options, max_bytes);
  check_invalid(L, &o, "unknown flags 0x80000000");
  o.flags = HEARTH_CANONICAL;
  assert_int_equal(hearth_encode(L, 1, &o, &e), HEARTH_OK);
  lua_settop(L, 2);

  o = options_of(HEARTH_CANONICAL | 0x100);
  check_invalid(L, &o, "unknown flags 0x100");
  o = options_of(0);
  static const int wrong[] = {2, 3, 100, -3, -100};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    o.permanents = wrong[i];
    check_invalid(L, &o, "the permanents are");
  }
  o.permanents = -2; /* relative to the caller's stack */
  assert_int_equal(hearth_encode(L, 1, &o, &e), HEARTH_OK);
  lua_pop(L, 1);
  assert_int_equal(hearth_decode(L, bytes, size, &o, &e), HEARTH_OK);
  lua_pop(L, 1);
  o.permanents = LUA_REGISTRYINDEX; /* a table, too */
  assert_int_equal(hearth_encode(L, 1, &o, &e), HEARTH_OK);

  lua_settop(L, 2);
  assert_int_equal(hearth_encode(L, -2, NULL, NULL), HEARTH_OK);
  assert_true(lua_rawequal(L, 2, 3));
  assert_int_equal(hearth_decode(L, NULL, 0, NULL, NULL), HEARTH_DAMAGED);
  assert_int_equal(hearth_decode(L, bytes, size, NULL, NULL), HEARTH_OK);
  lua_settop(L, 0);
  state_close(L, &m);
}

static void test_in_a_coroutine(void **state) {
  (void)state;
  in_new_state("local r = coroutine.wrap(function() local t = {coroutine.wrap, {1}} "
               "return rt {t, t, function() return t end} end)()\n"
               "eq(r[1], r[2]) eq(r[3](), r[1]) eq(r[1][1], coroutine.wrap) collectgarbage()\n");
}

static void test_full_stack(void **state) {
  (void)state;
  Memory m;
  hearth_error e;
  lua_State *L = state_new(&m);
  lua_newtable(L);
  lua_pushvalue(L, 1);
  encode_top(L, 0);
  size_t size;
  const char *bytes = lua_tolstring(L, 2, &size);
  while (lua_checkstack(L, 1000)) lua_settop(L, lua_gettop(L) + 1000);
  while (lua_checkstack(L, 1)) lua_pushnil(L);
  int top = lua_gettop(L);
  assert_int_equal(hearth_encode(L, 1, NULL, &e), HEARTH_NOMEM);
  assert_int_equal(e.code, HEARTH_NOMEM);
  assert_int_equal(hearth_decode(L, bytes, size, NULL, &e), HEARTH_NOMEM);
  assert_int_equal(lua_gettop(L), top);
  lua_settop(L, 0);
  state_close(L, &m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_floats_keep_every_bit),
      cmocka_unit_test(test_integers),
      cmocka_unit_test(test_strings),
      cmocka_unit_test(test_strings_of_one_hash),
      cmocka_unit_test(test_tables),
      cmocka_unit_test(test_depth),
      cmocka_unit_test(test_million),
      cmocka_unit_test(test_shared_cells),
      cmocka_unit_test(test_what_untrusted_data_may_not_have),
      cmocka_unit_test(test_stand_ins),
      cmocka_unit_test(test_options),
      cmocka_unit_test(test_in_a_coroutine),
      cmocka_unit_test(test_full_stack),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
