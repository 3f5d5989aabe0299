/*
** One value that holds every kind of thing that a blob knows. Its functions are
** harmless, and so are its rebuilding functions.
*/
#ifndef HEARTH_TESTS_CODEC_SAMPLE_H
#define HEARTH_TESTS_CODEC_SAMPLE_H

#include "blob.h"
#include "codec_testing.h"
#include "hash.h"

/* Data alone. */
static const char sample_data[] =
    "local S = {}\n"
    "S.numbers = {0, 127, 128, -1, -128, -129, 255, 256, 65535, 65536, 1<<24, 1<<32, 1<<40, 1<<48, 1<<56,\n"
    "  math.maxinteger, math.mininteger, 0.5, -0.0, 1/0, -1/0, 0.1, 1e300, 5e-324, true, false}\n"
    "S.strings = {'', 'x', 'ab', ('s'):rep(31), ('l'):rep(32), ('m'):rep(40), ('n'):rep(41), ('o'):rep(200), "
    "'\\0\\1\\255'}\n"
    "S.again = {} for i = 1, 3 do for j = 1, 36 do S.again[#S.again + 1] = 'word' .. j end end\n"
    "S.long_again = {('o'):rep(200), ('n'):rep(41)}\n"
    "S.records = {} for i = 1, 3 do S.records[i] = {id = i, name = 'n' .. i, pos = {x = i, y = -i}} end\n"
    "S.pairs = {1, 2, [2.5] = 'f', [true] = 1, [false] = 2, [-7] = 'neg', [1 << 50] = 'far', [''] = 'e', "
    "[('k'):rep(60)] = {}}\n"
    "S.pairs[S.records] = 'a table is the key'\n"
    "S.many = {} for i = 1, 34 do S.many['key' .. i] = i end\n"
    "S.mixed = {1, 2, 3, a = 1, b = 2}\n"
    "S.empty = {} S.self = S S.shared = S.records\n";

/* Metatables, functions, permanents. */
static const char sample_code[] =
    "local C = {} C.__index = C function C:get() return self.v end\n"
    "S.object = setmetatable({v = 1}, C)\n"
    "S.other = setmetatable({v = 2}, C)\n"
    "local n = 0\n"
    "S.inc, S.read = function() n = n + 1 return n end, function() return n end\n"
    "local function fact(k) return k < 2 and 1 or k * fact(k - 1) end S.fact = fact\n"
    "S.nested = function(...) local a <const>, b = 1, {...} return function() return a, b, n, 'text', 2.5 end end\n"
    "S.made = {} for i = 1, 4 do local x = i S.made[i] = function() x = x + 1 return x end end\n"
    "S.permanents = {print, string, io.stdout, _G, string.upper, getmetatable('').__index, game.spawn, game.Class}\n"
    "S.joined = function() return n end debug.upvaluejoin(S.joined, 1, game.spawn, 1)\n"
    "S.instance = setmetatable({n = 'an instance'}, game.Class)\n"
    "local k1, k2 = {}, {} S.k1, S.k2 = k1, k2\n"
    "S.weak_keys = setmetatable({[k1] = {1}, [{}] = 2, word1 = 'word2'}, {__mode = 'k'})\n"
    "S.weak_values = setmetatable({k2, {}, 'word3', a = k1, [-1] = 'word4'}, {__mode = 'v'})\n"
    "S.weak_both = setmetatable({[k1] = k2, [k2] = {}}, {__mode = 'kv'})\n";

/* Objects with hooks, that need one another; a registered type. */
static const char sample_special[] =
    "local M = {}\n"
    "local function new(x, peer) return setmetatable({x = x, peer = peer}, M) end\n"
    "M.__persist = function(o) local x, peer = o.x, o.peer return function() return new(x, peer) end end\n"
    "S.p1 = new(1) S.p2 = new(2, S.p1) S.p3 = new(3, {S.p2})\n"
    "S.keyed = {[S.p1] = S.p2, [2] = S.p1, S.p3}\n"
    "S.holder = function() return S and M end\n"
    "S.literal = setmetatable({1}, {__persist = true})\n"
    "S.point = point(3, 4) S.points = {S.point, point(5, 6)}\n"
    "S.finalized = setmetatable({}, {__gc = function() end})\n";

enum { SAMPLE_CODE = 1, SAMPLE_SPECIAL = 2 };

/* Pushes the sample. */
static inline void push_sample(lua_State *L, int what) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, sample_data);
  if (what & SAMPLE_CODE) luaL_addstring(&b, sample_code);
  if (what & SAMPLE_SPECIAL) luaL_addstring(&b, sample_special);
  luaL_addstring(&b, "return S");
  luaL_pushresult(&b);
  size_t size;
  const char *code = lua_tolstring(L, -1, &size);
  if (luaL_loadbuffer(L, code, size, "=sample") != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  lua_remove(L, -2);
  if (lua_pcall(L, 0, 1, 0) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
}

/* Pushes the value on the top as a blob, instead. */
static inline void encode_top(lua_State *L, unsigned flags) {
  hearth_error e;
  hearth_codec_options o = options_of(flags);
  if (hearth_encode(L, -1, &o, &e) != HEARTH_OK) fail_msg("%s", e.message);
  lua_remove(L, -2);
}

/* Where the prototypes lie in a blob. */
static inline void prototypes_of(const void *bytes, size_t size, size_t *begin, size_t *end) {
  Cursor c = cursor_over(bytes, size);
  BlobHeader h;
  Value keys[SHAPE_MAX_KEYS];
  bool newer;
  assert_true(blob_header_get(&c, &h, &newer));
  for (uint64_t i = 0; i < h.shapes; i++) (void)shape_get(&c, keys);
  *begin = cursor_position(&c);
  for (uint64_t i = 0; i < h.prototypes; i++) (void)cursor_bytes(&c, varint_get(&c) + BLOB_CHECK_SIZE);
  assert_null(c.why);
  *end = cursor_position(&c);
}

/*
** Makes the checks in [begin, end) those of the prototypes there, as an attacker does, as far as
** their sizes can be read.
*/
static inline void renew_checks(unsigned char *blob, size_t begin, size_t end) {
  Cursor c = cursor_over(blob + begin, end - begin);
  while (cursor_left(&c) > 0) {
    size_t size = count_get(&c), check = begin + cursor_position(&c);
    (void)cursor_bytes(&c, (uint64_t)size + BLOB_CHECK_SIZE);
    if (c.why != NULL) return;
    uint64_t hash = hash64(blob + check + BLOB_CHECK_SIZE, size, BLOB_CHECK_SEED);
    for (unsigned i = 0; i < BLOB_CHECK_SIZE; i++) blob[check + i] = (unsigned char)(hash >> 8 * i);
  }
}

#endif
