/* Canonical mode: the same value gives the same bytes, and its bytes give themselves back. */
#include "sample.h"

/* What the Lua code of this file uses. */
#define LOCAL                                                                                                         \
  "local function same(a, b, what) local x, y = assert(enc(a, CANONICAL)), assert(enc(b, CANONICAL))\n"             \
  "  if x ~= y then error((what or '') .. ': other bytes', 2) end\n"                                                 \
  "  if assert(enc(assert(dec(x)), CANONICAL)) ~= x then error((what or '') .. ': not given back', 2) end " \
  "return x end\n" \
  "local function fill(list, order) local t = {} for _, i in ipairs(order) do t[list[i][1]] = list[i][2] end " \
  "return t end\n" \
  "local function shuffled(n, seed) local o = {} for i = 1, n do o[i] = i end math.randomseed(seed)\n"              \
  "  for i = n, 2, -1 do local j = math.random(i) o[i], o[j] = o[j], o[i] end return o end\n"

static void test_insertion_order(void **state) {
  (void)state;
  in_new_state(LOCAL
      "for n = 1, 70 do\n"
      "  local strings, integers, mixed = {}, {}, {}\n"
      "  for i = 1, n do\n"
      "    strings[i] = {'key' .. i, i} integers[i] = {i - n // 2, 'v' .. i}\n"
      "    mixed[i] = {i % 5 == 0 and i + 0.5 or i % 3 == 0 and 'k' .. i or i % 7 == 0 and -i or i, "
      "{'word' .. i % 4, {x = i}}}\n"
      "  end\n"
      "  local a, b = shuffled(n, n), shuffled(n, n + 1000)\n"
      "  same(fill(strings, a), fill(strings, b), 'strings') same(fill(integers, a), fill(integers, b), 'integers')\n"
      "  same(fill(mixed, a), fill(mixed, b), 'mixed')\n"
      /* Several that share keys, strings, objects. */
      "  same({fill(mixed, a), fill(strings, a), fill(strings, b), fill(mixed, a)}, "
      "{fill(mixed, b), fill(strings, b), fill(strings, a), fill(mixed, b)}, 'many')\n"
      "end\n");
}

static void test_history(void **state) {
  (void)state;
  in_new_state(LOCAL
      /* Array part, hash part, both; shrunk, grown. */
      "for n = 1, 40 do\n"
      "  local forms = {}\n"
      "  local t = {} for i = 1, n do t[i] = {i} end forms[1] = t\n"
      "  t = {} for i = n, 1, -1 do t[i] = {i} end forms[2] = t\n"
      "  t = {x = 1, y = 2} for i = n, 1, -1 do t[i] = {i} end t.x, t.y = nil, nil forms[3] = t\n"
      "  t = {} for i = 1, 4 * n do t[i] = {i} end for i = 4 * n, n + 1, -1 do t[i] = nil end forms[4] = t\n"
      "  t = table.move(forms[1], 1, n, 1, {}) for i = 1, n do t[i] = {i} end forms[5] = t\n"
      "  t = table.pack(table.unpack(forms[1])) t.n = nil forms[6] = t\n"
      "  t = {} for i = 1, 100 do t['k' .. i] = i end for i = 1, 100 do t['k' .. i] = nil end "
      "for i = 1, n do t[i] = {i} end forms[7] = t\n"
      "  for i = 2, 7 do same(forms[1], forms[i], 'form ' .. i) end\n"
      /* The same beside string keys: the record has a shape, however `next` goes. */
      "  for i = 1, 7 do forms[i].a, forms[i].b = {'a'}, {'b'} end\n"
      "  for i = 2, 7 do same(forms[1], forms[i], 'shaped form ' .. i) end\n"
      "  t = {} t.b = {'b'} for i = n, 1, -1 do t[i] = {i} end t.a = {'a'} same(forms[1], t, 'mixed')\n"
      "  for i = 1, 7 do forms[i][n + 2] = {} forms[i][-1] = {} forms[i][true] = {} end\n"
      "  for i = 2, 7 do same(forms[1], forms[i], 'pairs form ' .. i) end\n"
      /* Holes. */
      "  for i = 1, 7 do forms[i][n // 2 + 1] = nil end for i = 2, 7 do "
      "same(forms[1], forms[i], 'form with a hole ' .. i) end\n"
      "end\n");
}

static void test_identity_and_values(void **state) {
  (void)state;
  in_new_state(LOCAL
      "local function make(order) local shared, t = {}, {} t.self = t\n"
      "  local list = {} for i = 1, 50 do list[i] = {'n' .. i, i % 2 == 0 and shared or {t, 'n' .. i}} end\n"
      "  for _, i in ipairs(order) do t[list[i][1]] = list[i][2] end return t end\n"
      "same(make(shuffled(50, 1)), make(shuffled(50, 2)))\n"
      "assert(enc({{}, {}}, CANONICAL) ~= enc((function() local t = {} return {t, t} end)(), CANONICAL))\n"
      "same({-0.0, 0.0, 0/0, 1, 1.0, '1', true}, {-0.0, 0.0, 0/0, 1, 1.0, '1', true})\n"
      "assert(enc(1, CANONICAL) ~= enc(1.0, CANONICAL)) assert(enc(0.0, CANONICAL) ~= enc(-0.0, CANONICAL))\n"
      "same({[1.0] = 1, [2^53] = 2}, {[1] = 1, [1 << 53] = 2})\n"
      "same('x', 'x') same(print, print) same(_G, _G)\n"
      "same(('x'):rep(41), ('x'):rep(41)) same({('x'):rep(41), ('x'):rep(41)}, {('x'):rep(41), ('x'):rep(41)})\n"
      /* One key with identity is last; two have no canonical form. */
      "local function keyed(k, order) return fill({{k, {1}}, {'a', {2}}, {2.5, {3}}, {1, {4}}, {2, {5}}}, order) end\n"
      "same(keyed({}, {1, 2, 3, 4, 5}), keyed({}, {5, 4, 3, 2, 1})) "
      "same(keyed(print, {1, 2, 3, 4, 5}), keyed(print, {3, 5, 1, 2, 4}))\n"
      "refused('unstorable', 'root', {[{}] = 1, [{}] = 2}, CANONICAL) "
      "refused('unstorable', 'root[1]', {{[print] = 1, [type] = 2}}, CANONICAL)\n"
      "refused('unstorable', 'root', {[{}] = 1, [function() end] = 2}, CANONICAL)\n"
      "eq(#assert(enc({[{}] = 1, [{}] = 2})) > 0, true)\n");
}

static void test_functions(void **state) {
  (void)state;
  in_new_state(LOCAL
      "local function make(order) local n, t = 0, {}\n"
      "  local list = {{'inc', function() n = n + 1 return n end}, {'get', function() return n end}, "
      "{'print', print},\n"
      "    {'fact', (function() local function f(k) return k < 2 and 1 or k * f(k - 1) end return f end)()}}\n"
      "  for i = 1, 40 do local x = {i} list[#list + 1] = {'f' .. i, function() return x, n end} end\n"
      "  return fill(list, order) end\n"
      "same(make(shuffled(44, 1)), make(shuffled(44, 2)))\n"
      "local x = enc(make(shuffled(44, 3)), CANONICAL | STRIP) eq(enc(make(shuffled(44, 4)), CANONICAL | STRIP), x)\n"
      "eq(enc(dec(x), CANONICAL | STRIP), x)\n"
      "local C = {} C.__index = C function C:f() return C end\n"
      "same({setmetatable({1}, C), setmetatable({b = 1, a = 2}, C)}, "
      "{setmetatable({1}, C), setmetatable({a = 2, b = 1}, C)})\n"
      "local spawn = {game.spawn, function() return game end} same(spawn, spawn)\n"
      "local j = function() return spawn end debug.upvaluejoin(j, 1, game.spawn, 1) same({j}, {j})\n");
}

static void test_weak_tables(void **state) {
  (void)state;
  in_new_state(LOCAL
      "for _, mode in ipairs {'k', 'v', 'kv'} do\n"
      "  local keep = {} for i = 1, 60 do keep[i] = {i} end\n"
      "  local list = {} for i = 1, 60 do list[i] = {i % 3 == 0 and i or 'w' .. i, i % 2 == 0 and keep[i] "
      "or i % 5 == 0 and print or {i, 'text' .. i % 5}} end\n"
      "  list[61] = {'p', string.upper} list[62] = {'q', math.sin} list[63] = {{}, 1} list[64] = {{}, 2}\n"
      "  local function make(seed) return {setmetatable(fill(list, shuffled(#list, seed)), {__mode = mode}), "
      "setmetatable(fill(list, shuffled(#list, seed)), {__mode = mode}), keep} end\n"
      "  if mode == 'v' then refused('unstorable', 'root[1]', make(1), CANONICAL) list[64] = nil list[63] = nil end\n"
      "  same(make(1), make(2), mode)\n"
      "  local r = rt(make(3)) for k, v in pairs(r[1]) do if type(v) == 'table' and #v == 1 then "
      "eq(r[3][v[1]], v) end end\n"
      "end\n"
      /* An ephemeron chain, entered in any order. */
      "local function chain(order) local k = {} for i = 1, 21 do k[i] = {i} end\n"
      "  local list = {} for i = 1, 20 do list[i] = {k[i], k[i + 1]} end\n"
      "  local w = {} for _, i in ipairs(order) do w[i] = setmetatable({[k[i]] = k[i + 1]}, {__mode = 'k'}) end "
      "return {w, k[1]} end\n"
      "same(chain(shuffled(20, 1)), chain(shuffled(20, 2)))\n"
      "local r = rt(chain(shuffled(20, 3)), CANONICAL) local k = r[2] for i = 1, 20 do k = r[1][i][k] "
      "eq(k[1], i + 1) end\n");
}

/* Whatever was encoded, in canonical mode or not, decodes to a value with the same canonical bytes. */
static void test_samples(void **state) {
  (void)state;
  for (int what = 0; what <= SAMPLE_CODE; what++) {
    for (unsigned strip = 0; strip <= HEARTH_STRIP; strip += HEARTH_STRIP) {
      Memory m;
      hearth_error e;
      lua_State *L = state_new(&m);
      hearth_codec_options o = options_of(HEARTH_TRUSTED);
      push_sample(L, what);
      if (what & SAMPLE_CODE) { /* the one table whose keys are two objects */
        lua_pushnil(L);
        lua_setfield(L, -2, "weak_both");
      }
      lua_pushvalue(L, -1);
      encode_top(L, HEARTH_CANONICAL | strip);
      for (unsigned flags = 0; flags <= HEARTH_CANONICAL; flags++) {
        lua_pushvalue(L, 1);
        encode_top(L, flags | strip);
        for (int again = 0; again < 3; again++) {
          size_t size;
          const char *bytes = lua_tolstring(L, -1, &size);
          if (hearth_decode(L, bytes, size, &o, &e) != HEARTH_OK) fail_msg("%s", e.message);
          lua_remove(L, -2);
          encode_top(L, HEARTH_CANONICAL | strip);
          assert_true(lua_rawequal(L, 2, -1));
        }
        lua_settop(L, 2);
      }
      lua_settop(L, 0);
      state_close(L, &m);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_insertion_order), cmocka_unit_test(test_history),
      cmocka_unit_test(test_identity_and_values), cmocka_unit_test(test_functions),
      cmocka_unit_test(test_weak_tables),     cmocka_unit_test(test_samples),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
